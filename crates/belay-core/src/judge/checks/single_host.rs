//! **What it asks**: did one changed host get worse by itself, while the mean of all hides it?
//!
//! **How**: as `level` and `drift`, on each host's own residuals, with a stricter share of the budget. Of many hosts one always looks odd
//! by one measure: a host is ill when its steps or its windows are beyond their budget and the other measure is unusual as well. From a
//! quorum on (the larger of two hosts or 5 %) it is harm to the wave; below it a suspicion: the host is ill, the wave is held.
//!
//! **When it cannot tell**: one changed host only (then it is the mean), or too short a past.
//!
//! **Example**: `queue_depth got worse on 1 of 4 changed hosts by itself (web03)`.

use belay_stats::alarm::Alarm;

use super::super::sight::Sight;
use super::super::weigh::Weighed;
use super::measure::{basis, numbers};
use super::quorum::quorum;
use crate::model::ids::HostId;
use crate::model::verdict::{Check, Finding, Says};

/// The tail value of the windows that supports bets, and the evidence of the bets that supports windows: one in twenty.
const SUPPORT: f64 = 0.05;

/// Whether both measures say that a host is ill: one beyond its budget, the other at least unusual. Where no peer can tell the host's
/// weather from its illness, or where something struck all hosts and each moves in its own way, both must be beyond it.
pub(super) fn ill(alarm: &Alarm, weighed: &Weighed<'_>) -> bool {
    if weighed.peers == 0 || weighed.shaken {
        return alarm.bets.is_some() && alarm.windows.is_some();
    }
    let windows_support = alarm.p.is_some_and(|p| p <= SUPPORT);
    let bets_support = alarm.ln_e.is_some_and(|(ln_e, _)| ln_e >= (1.0 / SUPPORT).ln());
    let plain = alarm.p.is_some_and(|p| p <= 1e-4);
    (alarm.bets.is_some() && windows_support) || (alarm.again.is_some() && (bets_support || plain))
}

pub(super) fn check(sight: &Sight<'_>, weighed: &Weighed<'_>) -> Option<Finding> {
    let led = |index: usize| weighed.alarms.led_by == Some(index) && ill(&weighed.alarms.group, weighed);
    let alarms = weighed.alarms.hosts.iter().enumerate().filter_map(|(index, alarm)| {
        let alarm = alarm.as_ref()?;
        let by = if ill(alarm, weighed) { alarm } else { Some(&weighed.alarms.group).filter(|_| led(index))? };
        Some((by, weighed.hosts.get(index)?))
    });
    let ill: Vec<(&Alarm, &HostId)> = alarms.collect();
    let first = ill.iter().filter_map(|(alarm, _)| alarm.windows.or(alarm.bets)).min()?;
    let hosts: Vec<HostId> = ill.iter().map(|(_, host)| (*host).clone()).collect();
    let says = if hosts.len() >= quorum(weighed.hosts.len()) { Says::Harm } else { Says::Suspicion };
    let mut numbers = numbers(sight, weighed, &hosts);
    (numbers.effect, numbers.effect_low, numbers.effect_high) = (None, None, None);
    numbers.p = ill.iter().filter_map(|(alarm, _)| alarm.p).min_by(f64::total_cmp);
    numbers.ln_e = ill.iter().filter_map(|(alarm, _)| alarm.ln_e).map(|(ln_e, _)| ln_e).max_by(f64::total_cmp);
    let names: Vec<&str> = hosts.iter().take(3).map(HostId::as_str).collect();
    let alike = ill.iter().map(|(alarm, _)| alarm.alike).max().unwrap_or((0, 0));
    Some(Finding {
        check: Check::SingleHost,
        signal: Some(sight.signal.name.clone()),
        says,
        of: weighed.hosts.len().try_into().unwrap_or(u32::MAX),
        text: format!(
            "{} got worse on {} of {} changed hosts by itself ({}), {}",
            sight.signal.name,
            hosts.len(),
            weighed.hosts.len(),
            names.join(", "),
            basis(weighed, Says::Fine)
        ),
        hosts,
        peers_alike: (alike.0.try_into().unwrap_or(u32::MAX), alike.1.try_into().unwrap_or(u32::MAX)),
        numbers,
        since: Some(sight.time(weighed.contrast.origin() + first)),
    })
}

//! **What it asks**: where there are no peers: does a signal still move with the other signals of the same hosts, as it did?
//!
//! **Why**: without peers, how busy the hosts are explains most of what a signal does, and nothing that stands still tells it. The other
//! signals of the same hosts do: their processors and their network are as busy as they are, whatever the change did to their latency.
//!
//! **How**: as `level`, `drift` and `single-host`, on residuals against these instead of peers, with half of the signal's budget. It says
//! nothing of a signal that did not leave its own past in the same direction: where another one changed, what that predicts is wrong. Harm
//! to several signals that move as they do under load is left to the other half of the budget, which knows the own past alone.
//!
//! **When it cannot tell**: where there are peers (they say it better), where no other signal tells a level in the same steps, and where
//! the past is too short.
//!
//! **Example**: `latency_ms does not move with the other signals of its hosts as it did: +4.2 where 8.1 is usual ...`.

use belay_stats::alarm::Alarm;

use super::super::sight::Sight;
use super::super::weigh::Weighed;
use super::drift::SUPPORT;
use super::measure::{basis, effect_words, numbers};
use super::quorum::quorum;
use super::single_host::ill;
use crate::model::ids::HostId;
use crate::model::verdict::{Check, Finding, Numbers, Says};

/// Who does not move with its siblings as it did.
enum Broken {
    Nobody,
    /// The mean of all, since this look; harm, or a suspicion.
    All(Option<usize>, Says),
    /// These hosts, each by itself, with what it raised.
    Some(Vec<(HostId, Alarm)>, Says),
}

/// `weighed`: against the siblings.
pub(super) fn check(sight: &Sight<'_>, weighed: &Weighed<'_>) -> Option<Finding> {
    weighed.contrast.group().reference.as_ref()?;
    let group = &weighed.alarms.group;
    let name = &sight.signal.name;
    let of = weighed.hosts.len();
    let broken = broken(weighed);
    let mut numbers = numbers(sight, weighed, &broken.hosts());
    (numbers.p, numbers.ln_e) = (group.p, group.ln_e.map(|(ln_e, _)| ln_e));
    let said = |how: &str, numbers: &Numbers, says: Says| {
        format!("{name} {how} with the other signals of its hosts as it did: {}, {}", effect_words(weighed, numbers), basis(weighed, says))
    };
    let (says, hosts, first, text) = match broken {
        Broken::Nobody => (Says::Fine, Vec::new(), None, said("moves", &numbers, Says::Fine)),
        Broken::All(first, says) => (says, weighed.hosts.clone(), first, said("does not move", &numbers, says)),
        Broken::Some(ill, says) => {
            (numbers.effect, numbers.effect_low, numbers.effect_high) = (None, None, None);
            numbers.p = ill.iter().filter_map(|(_, alarm)| alarm.p).min_by(f64::total_cmp);
            numbers.ln_e = ill.iter().filter_map(|(_, alarm)| alarm.ln_e).map(|(ln_e, _)| ln_e).max_by(f64::total_cmp);
            let first = ill.iter().filter_map(|(_, alarm)| alarm.windows.or(alarm.bets)).min();
            let hosts: Vec<HostId> = ill.into_iter().map(|(host, _)| host).collect();
            let names: Vec<&str> = hosts.iter().take(3).map(HostId::as_str).collect();
            let text = format!(
                "{name} on {} of {of} changed hosts ({}) does not move with the other signals as it did, {}",
                hosts.len(),
                names.join(", "),
                basis(weighed, says)
            );
            (says, hosts, first, text)
        }
    };
    Some(Finding {
        check: Check::Relation,
        signal: Some(name.clone()),
        says,
        of: of.try_into().unwrap_or(u32::MAX),
        hosts,
        peers_alike: (0, 0),
        text,
        numbers,
        since: first.map(|look| sight.time(weighed.contrast.origin() + look)),
    })
}

fn broken(weighed: &Weighed<'_>) -> Broken {
    let group = &weighed.alarms.group;
    let led = weighed.alarms.led_by.is_some();
    let supported = group.p.is_some_and(|p| p <= SUPPORT);
    let first = group.windows.or(group.bets);
    if !led && (group.again.is_some() || (group.bets.is_some() && supported)) {
        return Broken::All(first, Says::Harm);
    }
    let alone = weighed.hosts.iter().zip(&weighed.alarms.hosts).filter_map(|(host, alarm)| Some((host.clone(), alarm.as_ref()?)));
    let ill: Vec<(HostId, Alarm)> = alone.filter(|(_, alarm)| ill(alarm, weighed)).map(|(host, alarm)| (host, alarm.clone())).collect();
    match ill.len() {
        // What one host leads is left to what it shows by itself.
        0 if first.is_some() && !led => Broken::All(first, Says::Suspicion),
        0 => Broken::Nobody,
        many if many >= quorum(weighed.hosts.len()).max(2) => Broken::Some(ill, Says::Harm),
        _ => Broken::Some(ill, Says::Suspicion),
    }
}

impl Broken {
    /// The hosts, where it is not all of them.
    fn hosts(&self) -> Vec<HostId> {
        match self {
            Self::Nobody | Self::All(..) => Vec::new(),
            Self::Some(ill, _) => ill.iter().map(|(host, _)| host.clone()).collect(),
        }
    }
}

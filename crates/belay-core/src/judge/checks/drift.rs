//! **What it asks**: do the single steps since the change surprise, one after the other, more than chance allows at any look?
//!
//! **Why**: it finds what windows average away: more noise, dips, slow ramps; and it may be looked at after every step.
//!
//! **How**: residuals against the peers and the own season, whitened; bets against their usual innovations (see `belay-stats`, `wealth`).
//! Evidence above 1/budget, and above what placebo stretches of the past reach, is harm, unless the windows contradict it or a third of
//! the peers, judged as if they had changed, look alike.
//!
//! **When it cannot tell**: too short a past.
//!
//! **Example**: `latency_ms: its steps since the change are not what they were (e-value 10^6, 10^3 needed); +4.2 where 8.1 is usual ...`.

use super::super::sight::Sight;
use super::super::weigh::Weighed;
use super::measure::{basis, effect_words, numbers};
use crate::model::verdict::{Check, Finding, Says};

/// The tail value of the windows that supports bets where there are no peers: one in five.
pub(super) const SUPPORT: f64 = 0.2;

pub(super) fn check(sight: &Sight<'_>, weighed: &Weighed<'_>) -> Option<Finding> {
    let alarm = &weighed.alarms.group;
    let (ln_e, bar) = alarm.ln_e?;
    // Without peers the hour of the day is the likeliest cause of odd steps: the windows have to be unusual as well.
    let supported = weighed.peers > 0 || alarm.p.is_some_and(|p| p <= SUPPORT);
    let says = match (alarm.bets, weighed.alarms.led_by) {
        (Some(_), None) if supported => Says::Harm,
        (Some(_), None) => Says::Suspicion,
        // One host that moves the mean is its own finding (`single_host`).
        (Some(_), Some(_)) | (None, _) => Says::Fine,
    };
    let raised = matches!(says, Says::Harm | Says::Suspicion);
    let mut numbers = numbers(sight, weighed, &weighed.hosts);
    numbers.ln_e = Some(ln_e);
    let name = &sight.signal.name;
    // Two numbers that are not the same are not told alike.
    let whole = |ln: f64| (ln / std::f64::consts::LN_10).round();
    let digits = usize::from(whole(ln_e) == whole(bar));
    let ten = |ln: f64| format!("10^{:.digits$}", ln / std::f64::consts::LN_10);
    let text = match says {
        Says::Harm | Says::Suspicion => format!(
            "{name}: its steps since the change are not what they were (e-value {}, {} needed); {}, {}",
            ten(ln_e),
            ten(bar),
            effect_words(weighed, &numbers),
            basis(weighed, says)
        ),
        Says::Fine | Says::CannotTell(_) if alarm.bets.is_some() => {
            format!("{name}: the steps of one host are not what they were (e-value of the mean {}), those of the others are", ten(ln_e))
        }
        Says::Fine | Says::CannotTell(_) if ln_e > bar => {
            let (alike, asked) = alarm.alike;
            let but = if alarm.vetoed > 0 && alike > 0 {
                format!("as {alike} of {asked} peers show it too")
            } else {
                "but what they come to does not lean towards harm".to_owned()
            };
            format!("{name}: its single steps since the change are unusual (e-value {}, {} needed), {but}", ten(ln_e), ten(bar))
        }
        Says::Fine | Says::CannotTell(_) => {
            format!("{name}: its steps since the change are as usual (e-value {}, {} needed)", ten(ln_e), ten(bar))
        }
    };
    Some(Finding {
        check: Check::Drift,
        signal: Some(name.clone()),
        says,
        hosts: if raised { weighed.hosts.clone() } else { Vec::new() },
        of: weighed.hosts.len().try_into().unwrap_or(u32::MAX),
        peers_alike: (alarm.alike.0.try_into().unwrap_or(u32::MAX), alarm.alike.1.try_into().unwrap_or(u32::MAX)),
        text,
        numbers,
        since: alarm.bets.filter(|_| raised).map(|look| sight.time(weighed.contrast.origin() + look)),
    })
}

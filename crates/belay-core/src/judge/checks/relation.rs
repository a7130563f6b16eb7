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
use crate::model::verdict::{Check, Finding, Says};

/// `weighed`: against the siblings.
pub(super) fn check(sight: &Sight<'_>, weighed: &Weighed<'_>) -> Option<Finding> {
    let group = &weighed.alarms.group;
    weighed.contrast.group().reference.as_ref()?;
    let raised = |alarm: &Option<Alarm>| alarm.as_ref().is_some_and(|alarm| ill(alarm, weighed));
    let alone: Vec<HostId> =
        weighed.alarms.hosts.iter().zip(&weighed.hosts).filter(|(alarm, _)| raised(alarm)).map(|(_, host)| host.clone()).collect();
    let led = weighed.alarms.led_by.is_some();
    let supported = group.p.is_some_and(|p| p <= SUPPORT);
    let by_all = !led && (group.again.is_some() || (group.bets.is_some() && supported));
    let says = if by_all || alone.len() >= quorum(weighed.hosts.len()).max(2) {
        Says::Harm
    } else if group.windows.is_some() || group.bets.is_some() || !alone.is_empty() {
        Says::Suspicion
    } else {
        Says::Fine
    };
    let hosts = match says {
        Says::Fine | Says::CannotTell(_) => Vec::new(),
        Says::Harm | Says::Suspicion if by_all || alone.is_empty() => weighed.hosts.clone(),
        Says::Harm | Says::Suspicion => alone,
    };
    let mut numbers = numbers(sight, weighed, &hosts);
    numbers.p = group.p;
    numbers.ln_e = group.ln_e.map(|(ln_e, _)| ln_e);
    let (name, effect) = (&sight.signal.name, effect_words(weighed, &numbers));
    let text = match says {
        Says::Fine | Says::CannotTell(_) => {
            format!("{name} moves with the other signals of its hosts as it did: {effect}, {}", basis(weighed, says))
        }
        Says::Harm | Says::Suspicion => {
            let of = weighed.hosts.len();
            let by = if hosts.len() < of { format!(" on {} of {of} changed hosts", hosts.len()) } else { String::new() };
            format!("{name}{by} does not move with the other signals of its hosts as it did: {effect}, {}", basis(weighed, says))
        }
    };
    let first = group.windows.or(group.bets);
    Some(Finding {
        check: Check::Relation,
        signal: Some(name.clone()),
        says,
        of: weighed.hosts.len().try_into().unwrap_or(u32::MAX),
        hosts,
        peers_alike: (0, 0),
        text,
        numbers,
        since: first.filter(|_| says != Says::Fine).map(|look| sight.time(weighed.contrast.origin() + look)),
    })
}

//! Run health that people are told of: one alert for a class and an ailment, once it has stood on hosts for longer than a run takes to
//! come again. What a hold explains is not told, and what a Change on those hosts tells already is not told twice.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::Draft;
use super::notify::Pace;
use super::{Answer, Input, decide, health, notify};
use crate::model::ailment::{Ailing, Ailment};
use crate::model::alert::Subject;
use crate::model::change::Change;
use crate::model::host::Host;
use crate::model::ids::{ClassName, HostId};
use crate::model::time::{Span, Timestamp};
use crate::model::verdict::{Outcome, Standing};
use crate::state::{Fact, State};

/// An ailment that was first seen so soon after a Change came to the host, or before, is part of it.
const OF_A_CHANGE: Span = Span::from_min(10);

/// Whether looking at the fleet would find something new to take note of.
pub fn due(state: &State, now: Timestamp) -> bool {
    !decide(state, now, &Input::RunHealth).0.is_empty()
}

/// The hosts of a class that people have to be told of, and those that a hold keeps from it.
#[derive(Clone, Debug, Default)]
pub struct Due<'s> {
    /// Nothing explains them.
    pub told: Vec<&'s Host>,
    /// A hold does.
    pub held: Vec<&'s Host>,
}

/// Which these are.
pub fn due_of<'s>(state: &'s State, class: &ClassName, ailment: Ailment, ailing: &Ailing, now: Timestamp) -> Due<'s> {
    let mut due = Due::default();
    let Some(after) = state.policy.class(class).ailing else { return due };
    let long = ailing.hosts.iter().filter(|(_, since)| now.since(**since) >= after);
    for (host, since) in long.filter_map(|(host, since)| Some((state.hosts.get(host)?, *since))) {
        if state.holds_on(host).next().is_some() {
            due.held.push(host);
        } else if !told_by_a_change(state, host, ailment, since) {
            due.told.push(host);
        }
    }
    due
}

/// Stale hosts and locks of somebody else have alerts of their own, with limits of their own.
const fn is_told(ailment: Ailment) -> bool {
    !matches!(ailment, Ailment::Stale | Ailment::Disabled)
}

/// Looks at the whole fleet.
pub(super) fn look(draft: &mut Draft<'_>) -> Answer {
    let (state, now) = (draft.state, draft.now);
    let mut found: BTreeMap<(ClassName, Ailment), BTreeSet<HostId>> =
        state.ailing.keys().map(|key| (key.clone(), BTreeSet::new())).collect();
    for (host, ails) in health::of_fleet(state, None, now) {
        let Some(class) = state.hosts.get(&host).map(|host| &host.class) else { continue };
        for ails in ails.iter().filter(|ails| is_told(ails.what)) {
            found.entry((class.clone(), ails.what)).or_default().insert(host.clone());
        }
    }
    for ((class, ailment), hosts) in found {
        let before = state.ailing.get(&(class.clone(), ailment)).cloned().unwrap_or_default();
        let began: BTreeSet<HostId> = hosts.iter().filter(|host| !before.hosts.contains_key(*host)).cloned().collect();
        let ended: BTreeSet<HostId> = before.hosts.keys().filter(|host| !hosts.contains(*host)).cloned().collect();
        let mut after = before.clone();
        after.hosts.retain(|host, _| !ended.contains(host));
        after.hosts.extend(began.iter().map(|host| (host.clone(), now)));
        let due = u32::try_from(due_of(state, &class, ailment, &after, now).told.len()).unwrap_or(u32::MAX);
        let told = if is_news(before.told, due) { due } else { before.told };
        if began.is_empty() && ended.is_empty() && told == before.told {
            continue;
        }
        draft.push(Fact::AilingSet { class: class.clone(), ailment, began, ended, told });
        if told != before.told {
            let pace = if told == 0 || before.told == 0 { Pace::AtOnce } else { Pace::Gathered };
            notify::tell_of(draft, &Subject::Ailing(ailment, class.clone()), &[&class], pace);
        }
    }
    Answer::Done
}

/// That it begins, that it is over, and that it is twice as bad.
fn is_news(told: u32, due: u32) -> bool {
    (told == 0) != (due == 0) || (told > 0 && due >= told.saturating_mul(2))
}

/// A trial judges whatever a Change did to its hosts, and its alert says so.
fn told_by_a_change(state: &State, host: &Host, ailment: Ailment, since: Timestamp) -> bool {
    let of_runs = matches!(ailment, Ailment::WrongEnvironment | Ailment::Failing | Ailment::FailedCompile);
    let tells = |change: &Change| match change.standing {
        Standing::OnTrial | Standing::Suspect | Standing::Final(Outcome::Rejected) => true,
        Standing::Final(Outcome::Accepted | Outcome::Inconclusive(_)) => false,
    };
    let of_this = |change: &Change| change.treated.get(&host.id).is_some_and(|treated| since.since(treated.onset).abs() <= OF_A_CHANGE);
    of_runs && state.changes.values().any(|change| change.class == host.class && tells(change) && of_this(change))
}

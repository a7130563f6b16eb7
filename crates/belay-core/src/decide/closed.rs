//! Classes that are closed for what is new: outside their hours, or in a freeze.
//!
//! Closing goes by the clock: nobody has to decide it, and a host that is alone knows it beforehand.
//! Opening takes a fact, and so a commit: a replica that cannot reach the majority never opens, and
//! hosts hear of an opening as they hear of everything else.

use std::collections::BTreeSet;

use super::draft::Draft;
use crate::model::closed::{Closed, ClosedBy, Closing};
use crate::model::host::Host;
use crate::model::ids::ClassName;
use crate::model::policy::{ClassPolicy, Policy};
use crate::model::time::Timestamp;
use crate::state::{Fact, Lead, State};

/// So many closed times are told to a host: for windows of each day that is a week.
const AHEAD_MAX: usize = 8;

/// Records which classes are closed by this configuration, where that is not what is recorded.
pub(super) fn follow(draft: &mut Draft<'_>, policy: &Policy) {
    let recorded = &draft.state.closed;
    let names: BTreeSet<&ClassName> = policy.classes.iter().map(|class| &class.name).chain(recorded.keys()).collect();
    let mut facts = Vec::new();
    for name in names {
        let closed = policy.closed(&policy.class(name), draft.now);
        if closed.as_ref() != recorded.get(name) {
            facts.push(Fact::ClosedSet { class: name.clone(), closed });
        }
    }
    facts.into_iter().for_each(|fact| draft.push(fact));
}

/// Why a class is closed for what is new, as far as this replica may say that it is not.
pub(super) fn of_class(state: &State, class: &ClassPolicy, now: Timestamp) -> Option<Closed> {
    state.policy.closed(class, now).or_else(|| state.closed.get(&class.name).cloned().map(|closed| not_opened(state, closed)))
}

/// A class that should have opened, and whose opening is not committed.
fn not_opened(state: &State, closed: Closed) -> Closed {
    match state.lead {
        Lead::Leads => closed,
        Lead::Follows => Closed { by: ClosedBy::NotLeading, until: None },
    }
}

/// Why content that is not accepted reaches no host of this class anew. Its first host opens a Change
/// with its first wave, so where nothing is on trial that takes the lead as well.
pub(super) fn for_host(state: &State, host: &Host, class: &ClassPolicy, now: Timestamp) -> Option<Closed> {
    let begins = class.keeps_waves() && state.open_change(&host.class, host.release.as_ref()).is_none();
    let alone = (begins && state.lead == Lead::Follows).then_some(Closed { by: ClosedBy::NotLeading, until: None });
    of_class(state, class, now).or(alone)
}

/// The present closed time and those to come, for a host that has to go by them alone.
pub(super) fn ahead(state: &State, host: &Host, class: &ClassPolicy, now: Timestamp) -> Vec<Closing> {
    if !class.keeps_waves() {
        return Vec::new();
    }
    let mut closings: Vec<Closing> = for_host(state, host, class, now).map(|closed| Closing { at: now, closed }).into_iter().collect();
    while closings.len() < AHEAD_MAX {
        let from = closings.last().map_or(Some(now), |last| last.closed.until);
        let Some(next) = from.and_then(|from| state.policy.closes(class, from.max(now))) else { break };
        closings.push(next);
    }
    closings
}

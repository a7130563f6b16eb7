//! The plan: what would come to whom next, by all that is known now. Nothing is decided here: it says
//! beforehand what the waves, the classes' hours and the gate will say when they are asked.

use super::closed;
use super::host_policy::gate_reached;
use super::reach::Reach;
use super::trial::{accepts_from, ends_at};
use super::waves;
use crate::model::change::Change;
use crate::model::closed::Closed;
use crate::model::gate::{GateAnswer, Offered};
use crate::model::host::Host;
use crate::model::ids::{ChangeId, ClassName, HostId, SignalName};
use crate::model::signal::Missing;
use crate::model::time::Timestamp;
use crate::model::verdict::Says;
use crate::state::State;

/// The most hosts of each kind that are named, each with what its gate would answer; the rest is counted.
pub const HOSTS_MAX: usize = 50;

/// What is on its way in one open Change.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// Hosts that it may come to now, and that have not got it.
    pub now: Due,
    /// Hosts of the next wave; none where no further wave waits.
    pub next: Due,
    /// When the next wave opens at the earliest; none where there is no such wave, or where that hangs on
    /// something without a time.
    pub next_from: Option<Timestamp>,
    /// What it waits for, the nearest first.
    pub waits: Vec<Wait>,
}

/// Hosts that something is due on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Due {
    /// How many.
    pub count: usize,
    /// The first of them, with what the gate would answer to a run that brings all of the Change.
    pub hosts: Vec<(HostId, GateAnswer)>,
}

/// What a Change waits for.
#[derive(Clone, Debug, PartialEq)]
pub enum Wait {
    /// Runs: so many more of the hosts that it may come to have to get it before the wave counts as come.
    Hosts {
        /// How many more.
        more: usize,
    },
    /// Its verdict, which can be "accepted" from then on, and comes by then.
    Verdict {
        /// Acceptance is possible from then on.
        from: Timestamp,
        /// The trial ends.
        ends: Timestamp,
    },
    /// Something looks bad on its hosts, and the wave stands still until it is known what it is.
    Suspicion(String),
    /// A signal that has to be seen was not.
    Data {
        /// The signal.
        signal: SignalName,
        /// On how many hosts.
        hosts: usize,
        /// Why.
        why: Missing,
    },
    /// Its class is closed for what is new.
    Closed(Closed),
}

/// What is on its way, of all classes or of one, the oldest Change first, from the one after that Change.
pub fn plan<'s>(
    state: &'s State,
    class: Option<&'s ClassName>,
    after: Option<ChangeId>,
    now: Timestamp,
) -> impl Iterator<Item = (&'s Change, Planned)> {
    let mut reach = Reach::of(state);
    let asked_for = move |change: &&Change| class.is_none_or(|class| change.class == *class) && after.is_none_or(|after| change.id > after);
    state.open_changes().filter(asked_for).map(move |change| (change, planned(state, &mut reach, change, now)))
}

fn planned(state: &State, reach: &mut Reach<'_>, change: &Change, now: Timestamp) -> Planned {
    let closed = closed::of_class(state, &state.policy.class(&change.class), now);
    let (may, later) = hosts(state, change);
    let offered = Offered { environment: change.environment.clone(), delta: Some(change.items.clone()), ..Offered::default() };
    let mut due = |hosts: &[&Host]| Due {
        count: hosts.len(),
        hosts: hosts.iter().take(HOSTS_MAX).map(|host| (host.id.clone(), gate_reached(reach, state, host, &offered, now))).collect(),
    };
    let (may, later) = (due(&may), due(&later));
    let waits = waits(state, change, closed.clone());
    let bound = waits.iter().all(|wait| matches!(wait, Wait::Verdict { .. } | Wait::Closed(Closed { until: Some(_), .. })));
    let opens = accepts_from(state, change).max(now).max(closed.and_then(|closed| closed.until).unwrap_or(now));
    let next_from = (later.count > 0 && bound).then_some(opens);
    Planned { now: may, next: later, next_from, waits }
}

/// The hosts that a Change may come to now and has not come to, and those of its next wave. A host that
/// left the class or its release in the meantime gets nothing of it any more.
fn hosts<'s>(state: &'s State, change: &'s Change) -> (Vec<&'s Host>, Vec<&'s Host>) {
    let class = state.policy.class(&change.class);
    let belongs = |host: &Host| {
        host.release == change.release || (change.release.is_some() && waves::moves_to(&class, host) == change.release.as_ref())
    };
    let due = |host: &&Host| host.class == change.class && belongs(host) && !change.treated.contains_key(&host.id);
    let Some(waves) = &change.waves else {
        return (state.hosts_of(&change.class).filter(due).collect(), Vec::new());
    };
    let of = |from: usize, to: usize| {
        let hosts = waves.order.iter().take(to).skip(from);
        hosts.filter_map(|id| state.hosts.get(id)).filter(due).collect()
    };
    let now = waves.reach();
    (of(0, now), waves.next_reach().map(|next| of(now, next)).unwrap_or_default())
}

fn waits(state: &State, change: &Change, closed: Option<Closed>) -> Vec<Wait> {
    let mut waits = Vec::new();
    let more = change.waves.as_ref().filter(|waves| !waves.is_last()).map(|waves| waves::lacking(change, waves));
    if let Some(more) = more.filter(|more| *more > 0) {
        waits.push(Wait::Hosts { more });
    }
    if let Some(look) = &change.look {
        let suspicion = look.findings.iter().find(|finding| matches!(finding.says, Says::Suspicion | Says::Harm));
        waits.extend(suspicion.map(|finding| Wait::Suspicion(finding.text.clone())));
        let lacks = look.lacks.iter().filter(|lack| lack.must_have);
        waits.extend(lacks.map(|lack| Wait::Data { signal: lack.signal.clone(), hosts: lack.hosts.len(), why: lack.why }));
    }
    waits.push(Wait::Verdict { from: accepts_from(state, change), ends: ends_at(state, change) });
    waits.extend(closed.map(Wait::Closed));
    waits
}

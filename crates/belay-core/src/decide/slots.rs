//! Who is asked to run or rehearse at the same time. Each costs the tool's server a compile, and one that is busy with our errands
//! is not there for the ordinary runs: so many hosts are asked at a time, and the others wait their turn. Going back comes before
//! rehearsing. A host that does not answer gives its place back after [`PATIENCE`], and is asked again when its turn comes.

use std::collections::BTreeSet;

use crate::model::hold::{Hold, HoldState};
use crate::model::ids::{HostId, RevertId};
use crate::model::revert::{PATIENCE, Progress};
use crate::model::time::Timestamp;
use crate::state::State;

/// The places that are taken: by a host that goes back for a revert, or that rehearses.
pub(super) struct Slots {
    taken: BTreeSet<(Option<RevertId>, HostId)>,
    most: usize,
}

impl Slots {
    pub(super) fn of(state: &State, now: Timestamp) -> Self {
        let going = state.reverts.values().filter(|revert| revert.stopped.is_none()).flat_map(|revert| {
            let asked = revert.hosts.iter().filter(|(_, progress)| matches!(progress, Progress::Asked(_)));
            asked.map(|(host, _)| (Some(revert.id), host.clone()))
        });
        let rehearsing = state.holds.values().flat_map(|hold| {
            let asked = hold.asked.0.keys().filter(|host| rehearses(hold, host, now));
            asked.map(|host| (None, host.clone()))
        });
        let most = usize::try_from(state.policy.compile_slots).unwrap_or(usize::MAX);
        Self { taken: going.chain(rehearsing).collect(), most }
    }

    pub(super) fn free(&self) -> usize {
        self.most.saturating_sub(self.taken.len())
    }

    pub(super) fn take(&mut self, revert: Option<RevertId>, host: &HostId) {
        self.taken.insert((revert, host.clone()));
    }

    pub(super) fn give_back(&mut self, revert: RevertId, host: &HostId) {
        self.taken.remove(&(Some(revert), host.clone()));
    }

    /// The hosts under expired holds whose turn has come: those that were never asked first, then those that have not answered for
    /// longest.
    pub(super) fn rehearse(&mut self, state: &State, now: Timestamp) -> BTreeSet<HostId> {
        let mut waiting = BTreeSet::new();
        for hold in state.holds.values().filter(|hold| hold.state(now) == HoldState::Waiting) {
            let open = state.hosts.values().filter(|host| hold.holds(host) && !hold.would_change.contains_key(&host.id));
            waiting.extend(open.map(|host| (hold.asked.0.get(&host.id).copied(), host.id.clone())));
        }
        let mut turns = BTreeSet::new();
        for (_, host) in waiting {
            if self.free() == 0 {
                break;
            }
            if !self.taken.contains(&(None, host.clone())) {
                self.take(None, &host);
                turns.insert(host);
            }
        }
        turns
    }
}

/// Whether a host was asked to rehearse for this hold, and its answer is still waited for.
pub(super) fn rehearses(hold: &Hold, host: &HostId, now: Timestamp) -> bool {
    let answered = hold.would_change.contains_key(host) || hold.handed_over.contains(host);
    let asked = hold.asked.0.get(host).is_some_and(|at| now.since(*at) <= PATIENCE);
    asked && !answered && hold.state(now) == HoldState::Waiting
}

//! The past that a rejected Change spoilt: what a host did while it carried one is not what it usually does. After a way back it would be
//! taken for usual for as long as the own past reaches.

use crate::model::change::{Change, Spoilt, Stay};
use crate::model::ids::HostId;
use crate::model::revert::{Progress, Revert};
use crate::model::verdict::Outcome;
use crate::state::State;

/// When hosts of the trial of a Change carried others that were rejected, and had left them by the time this one came. A host that still
/// carries one has it for its past, sick or not.
pub(super) fn of<'a>(state: &State, change: &Change, hosts: impl Iterator<Item = &'a HostId>) -> Spoilt {
    let rejected =
        |other: &&Change| other.id != change.id && other.verdict.as_ref().is_some_and(|verdict| verdict.outcome == Outcome::Rejected);
    let rejected: Vec<&Change> = state.changes.values().filter(rejected).collect();
    let stays = |host: &HostId| -> Vec<Stay> {
        let came = change.treated.get(host).map_or_else(|| change.began(), |treated| treated.onset);
        rejected.iter().filter_map(|other| stay(state, other, host)).filter(|stay| stay.to <= came).collect()
    };
    if rejected.is_empty() {
        return Spoilt::default();
    }
    Spoilt(hosts.map(|host| (host.clone(), stays(host))).filter(|(_, stays)| !stays.is_empty()).collect())
}

/// From when until when a host carried a Change that it no longer carries: until a run with other content, or until it went back before any
/// run said so.
fn stay(state: &State, change: &Change, host: &HostId) -> Option<Stay> {
    let treated = change.treated.get(host)?;
    let went_back = |revert: &Revert| match revert.hosts.get(host).filter(|_| revert.change == change.id)? {
        Progress::Done(at) => Some(*at).filter(|at| *at > treated.onset),
        Progress::Waiting | Progress::Asked(_) | Progress::Failed(_) => None,
    };
    let to = state.reverts.values().filter_map(went_back).chain(treated.left).min().filter(|to| *to > treated.onset)?;
    Some(Stay { change: change.id, from: treated.onset, to })
}

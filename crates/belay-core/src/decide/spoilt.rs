//! The past that a rejected Change spoilt: what a host did while it carried one is not what it usually does. After a way back it would be
//! taken for usual for as long as the own past reaches.

use crate::model::change::{Change, Spoilt, Stay, Treated};
use crate::model::ids::HostId;
use crate::model::revert::{Progress, Revert};
use crate::model::time::Timestamp;
use crate::model::verdict::Outcome;
use crate::state::State;

/// When some hosts of the trial of a Change carried others that were rejected, and had left them by the time this one came, but not before
/// the past that it is compared with begins. A host that still carries one has it for its past, sick or not.
pub(super) fn of(state: &State, change: &Change, past: Timestamp, among: impl Fn(&HostId) -> bool) -> Spoilt {
    let rejected = |other: &&Change| other.verdict.as_ref().is_some_and(|verdict| verdict.outcome == Outcome::Rejected);
    let came = |host: &HostId| change.treated.get(host).map_or_else(|| change.began(), |treated| treated.onset);
    let mut spoilt = Spoilt::default();
    for other in state.changes.values().filter(rejected).filter(|other| other.id != change.id) {
        let reverts: Vec<&Revert> = state.reverts.values().filter(|revert| revert.change == other.id).collect();
        for (host, treated) in &other.treated {
            // Mostly no host left, or long ago: only then is anything looked up.
            let left = left(&reverts, host, treated).filter(|left| *left > past);
            if let Some(to) = left.filter(|left| among(host) && *left <= came(host)) {
                spoilt.0.entry(host.clone()).or_default().push(Stay { change: other.id, from: treated.onset, to });
            }
        }
    }
    spoilt
}

/// When a host ceased to carry a Change: by a run with other content, or when it went back before any run said so.
fn left(reverts: &[&Revert], host: &HostId, treated: &Treated) -> Option<Timestamp> {
    let went_back = |revert: &&Revert| match revert.hosts.get(host)? {
        Progress::Done(at) => Some(*at).filter(|at| *at > treated.onset),
        Progress::Waiting | Progress::Asked(_) | Progress::Failed(_) => None,
    };
    reverts.iter().filter_map(went_back).chain(treated.left).min().filter(|left| *left > treated.onset)
}

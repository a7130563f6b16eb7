//! The timeline of a Change: what happened to it and around it, in order, as the state tells it.

use belay_core::explain::change as words;
use belay_core::model::change::Change;
use belay_core::model::ids::ChangeId;
use belay_core::model::time::{Span, Timestamp};
use belay_core::model::verdict::Judge;
use belay_core::state::State;

/// Hosts that changed within this time of one another are told in one line.
const TOGETHER: Span = Span::from_s(60);
/// The most lines; the last ones are kept.
const LINES_MAX: usize = 60;
/// Other Changes count as near that began this long before it, or until its verdict.
const NEAR: Span = Span::from_min(120);

/// The timeline, oldest first.
pub fn timeline(state: &State, change: &Change) -> Vec<(Timestamp, String)> {
    let mut lines = arrivals(change);
    lines.push((change.opened, format!("{} opened: {}", change.id, words::what(change))));
    lines.extend(change.waves.as_ref().filter(|waves| waves.open > 1).map(|waves| (waves.opened, waves.words())));
    lines.extend(words::harm_since(change).map(|at| (at, "first sign of harm in the data".to_owned())));
    lines.extend(change.verdict.as_ref().map(|verdict| {
        let by = match &verdict.by {
            Judge::Belay => "by Belay".to_owned(),
            Judge::Person { actor, reason } => format!("by {actor}: {reason}"),
            Judge::Successor(other) => format!("{other} took its place"),
        };
        (verdict.at, format!("{} {by}", verdict.outcome))
    }));
    lines.extend(
        state.alerted.get(&belay_core::model::alert::Subject::Change(change.id)).map(|at| (*at, "people were told last".to_owned())),
    );
    lines.extend(holds(state, change));
    lines.extend(returns(state, change.id));
    lines.sort();
    let surplus = lines.len().saturating_sub(LINES_MAX);
    lines.drain(..surplus);
    lines
}

/// When it came to its hosts: hosts that changed close together in one line.
fn arrivals(change: &Change) -> Vec<(Timestamp, String)> {
    let mut hosts: Vec<_> = change.treated.iter().map(|(host, treated)| (treated.onset, host)).collect();
    hosts.sort();
    let (mut lines, mut rest) = (Vec::new(), hosts.as_slice());
    while let Some((first, _)) = rest.first() {
        let many = rest.partition_point(|(at, _)| at.since(*first) <= TOGETHER);
        let (group, later) = rest.split_at(many);
        lines.push((*first, format!("it came to {}", words::hosts(group.iter().map(|(_, host)| *host)))));
        rest = later;
    }
    lines
}

/// Holds that its hosts are under or were broken on.
fn holds(state: &State, change: &Change) -> Vec<(Timestamp, String)> {
    let mut lines = Vec::new();
    for hold in state.holds.values() {
        let about = change.treated.keys().any(|host| state.hosts.get(host).is_some_and(|host| hold.is_about(host)));
        if !about {
            continue;
        }
        lines.push((hold.placed, format!("{} placed by {} until {}: {}", hold.id, hold.owner, hold.until, hold.reason)));
        let broken = hold.broken.iter().filter(|(host, _)| change.treated.contains_key(*host));
        if let Some(at) = broken.clone().map(|(_, broken)| broken.at).min() {
            lines.push((at, format!("{} broken by hand on {} of its hosts", hold.id, broken.count())));
        }
        lines.extend(hold.end.as_ref().map(|end| (end.at, format!("{} released by {}: {}", hold.id, end.by, end.reason))));
    }
    lines
}

fn returns(state: &State, id: ChangeId) -> Vec<(Timestamp, String)> {
    let asked = state.reverts.values().filter(|revert| revert.change == id);
    asked.map(|revert| (revert.asked, format!("{} asked for by {}: {}", revert.id, revert.by, revert.reason))).collect()
}

/// The other Changes that came to the same class or the same hosts in the same time, the nearest first.
pub fn others<'s>(state: &'s State, change: &Change) -> Vec<&'s Change> {
    let from = change.began() - NEAR;
    let to = change.verdict.as_ref().map_or(state.now, |verdict| verdict.at) + Span::from_min(1);
    let meets = |other: &&Change| {
        let near = other.began() >= from && other.began() <= to;
        let same = other.class == change.class || other.treated.keys().any(|host| change.treated.contains_key(host));
        other.id != change.id && near && same
    };
    let mut found: Vec<&Change> = state.changes.values().filter(meets).collect();
    found.sort_by_key(|other| other.began().since(change.began()).abs());
    found
}

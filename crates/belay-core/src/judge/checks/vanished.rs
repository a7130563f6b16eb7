//! **What it asks**: did a must-have signal vanish from hosts that changed, while they are alive
//! and the peers still have it?
//!
//! **Why**: a change that renames a metric or kills what exports it takes the eyes away; that must
//! never look like calm.
//!
//! **How**: per treated host, at least half of the past steps had a value, the last max(3, ...)
//! steps since the grace have none, and something else was heard of the host in the last three
//! steps. A quorum of hosts, and no third of the peers, makes it harm.
//!
//! **When it cannot tell**: nothing at all comes from the host: host or exporter are gone, and the
//! trial lacks data.
//!
//! **Example**: `requests vanished from 3 of 3 changed hosts, which are alive; 8 of 8 peers have it`.

use super::super::sight::{Row, Sight};
use super::PAST_MIN;
use super::quorum::{numbers, quorum};
use crate::model::verdict::{Check, Finding, Gap, Says};

/// Steps without a value that make a signal absent.
const ABSENT_MIN: usize = 3;

pub(super) fn check(sight: &Sight<'_>) -> Option<Finding> {
    let asked: Vec<&Row> =
        sight.treated.iter().filter(|row| had(row) && row.end == sight.steps && row.settled().len() >= ABSENT_MIN).collect();
    let gone: Vec<&Row> = asked.iter().copied().filter(|row| absent(row) && alive(sight, row)).collect();
    if gone.is_empty() {
        return None;
    }
    let peers: Vec<&Row> = sight.nearest().filter(|row| had(row) && row.onset == sight.steps).collect();
    let without = peers.iter().filter(|row| absent_at_end(row)).count();
    let says = if peers.is_empty() {
        Says::CannotTell(Gap::NoData)
    } else if without * 3 >= peers.len() {
        Says::CannotTell(Gap::PeersSick)
    } else if gone.len() >= quorum(sight.treated.len()) {
        Says::Harm
    } else {
        Says::Suspicion
    };
    let since = gone.iter().map(|row| last_value(row)).min().map(|step| sight.time(step));
    Some(Finding {
        check: Check::Vanished,
        signal: Some(sight.signal.name.clone()),
        says,
        hosts: gone.iter().map(|row| row.host.clone()).collect(),
        of: asked.len().try_into().unwrap_or(u32::MAX),
        peers_alike: (without.try_into().unwrap_or(u32::MAX), peers.len().try_into().unwrap_or(u32::MAX)),
        text: format!(
            "{} vanished from {} of {} changed hosts, which are alive; {} of {} unchanged peers still have it",
            sight.signal.name,
            gone.len(),
            asked.len(),
            peers.len() - without,
            peers.len()
        ),
        numbers: numbers(sight, &gone, None),
        since,
    })
}

/// Whether the host had the signal before its change.
fn had(row: &Row) -> bool {
    let count = row.past_count();
    count >= PAST_MIN && count * 2 >= row.past().len().min(60)
}

fn absent(row: &Row) -> bool {
    absent_at_end(row) && row.settled().len() >= ABSENT_MIN
}

fn absent_at_end(row: &Row) -> bool {
    row.values.len() >= ABSENT_MIN && row.values[row.values.len() - ABSENT_MIN..].iter().all(Option::is_none)
}

/// The step after the last value.
fn last_value(row: &Row) -> usize {
    row.values.iter().rposition(Option::is_some).map_or(0, |step| step + 1)
}

fn alive(sight: &Sight<'_>, row: &Row) -> bool {
    let end = sight.time(sight.steps);
    row.heard.is_some_and(|heard| end.since(heard) <= sight.signal.step.times(3))
}

//! **What it asks**: was a must-have signal there on the hosts that changed?
//!
//! **Why**: what was not seen cannot be good. This check never rejects; it keeps from accepting.
//!
//! **How**: over all treated hosts, the steps since each one's grace that have a value, of those
//! that should. Fewer than half is a lack, and so is nothing at all in the last six. Each lack says why, host by host.
//!
//! **Example**: `requests: 14 of 240 values on 15 changed hosts; nothing at all comes from the host`.

use std::collections::BTreeMap;

use super::super::sight::{Row, Sight};
use super::PAST_MIN;
use super::measure::changed_hosts;
use super::quorum::numbers;
use crate::model::ids::HostId;
use crate::model::signal::Missing;
use crate::model::time::Timestamp;
use crate::model::verdict::{Check, Finding, Gap, Lack, Says};

/// Steps a host must be past its grace before anything can be said to lack.
const EXPECTED_MIN: usize = 3;
/// A host of which so many steps in a row show nothing up to now fell silent: more than a scrape that failed, or came late.
const SILENT: usize = 6;

pub(super) fn check(sight: &Sight<'_>) -> Option<Finding> {
    let (there, due) = counted(sight);
    if due == 0 {
        return None;
    }
    let says = if there * 2 >= due { Says::Fine } else { Says::CannotTell(Gap::NoData) };
    let rows: Vec<&Row> = sight.treated.iter().collect();
    let lacking: Vec<HostId> = sight.treated.iter().filter(|row| lacks_here(row)).map(|row| row.host.clone()).collect();
    Some(Finding {
        check: Check::Presence,
        signal: Some(sight.signal.name.clone()),
        says,
        of: rows.len().try_into().unwrap_or(u32::MAX),
        text: format!("{} was there in {there} of {due} steps on {}", sight.signal.name, changed_hosts(rows.len())),
        hosts: lacking,
        peers_alike: (0, 0),
        numbers: numbers(sight, &rows, None),
        since: None,
    })
}

/// Steps with a value, and steps that should have one, over all treated hosts.
fn counted(sight: &Sight<'_>) -> (usize, usize) {
    let settled = sight.treated.iter().map(Row::settled).filter(|steps| steps.len() >= EXPECTED_MIN);
    settled.fold((0, 0), |(there, due), steps| (there + steps.iter().flatten().count(), due + steps.len()))
}

fn lacks_here(row: &Row) -> bool {
    let steps = row.settled();
    steps.len() >= EXPECTED_MIN && steps.iter().flatten().count() * 2 < steps.len() || fell_silent(row)
}

/// Whether nothing came of late: how a host fared until then does not say how it fares.
fn fell_silent(row: &Row) -> bool {
    let steps = row.settled();
    steps.len().checked_sub(SILENT).is_some_and(|before| steps[before..].iter().all(Option::is_none))
}

/// The lacks of a signal, hosts with the same reason together. A must-have lack is one of the
/// whole wave: fewer than half of all values, or one host in twenty that had the signal and lost it.
pub(super) fn lacks(sight: &Sight<'_>, at: Timestamp) -> Vec<Lack> {
    let (there, due) = counted(sight);
    let lost = sight.treated.iter().filter(|row| lacks_here(row) && (row.unknown || row.past_count() >= PAST_MIN)).count();
    let of_the_wave = there * 2 < due || (lost > 0 && lost * 20 >= sight.treated.len());
    let mut by_reason: BTreeMap<Missing, Vec<HostId>> = BTreeMap::new();
    for row in sight.treated.iter().filter(|row| lacks_here(row)) {
        by_reason.entry(why(sight, row, at)).or_default().push(row.host.clone());
    }
    let must_have = sight.signal.must_have && of_the_wave;
    by_reason.into_iter().map(|(why, hosts)| Lack { signal: sight.signal.name.clone(), must_have, why, hosts }).collect()
}

fn why(sight: &Sight<'_>, row: &Row, at: Timestamp) -> Missing {
    let recently = |heard: Timestamp| at.since(heard) <= sight.signal.step.times(4);
    match row.heard {
        None => Missing::HostGone,
        Some(heard) if !recently(heard) => Missing::HostGone,
        Some(_) if row.settled().iter().flatten().count() > 0 => Missing::TooFew,
        Some(_) => Missing::NoSeries,
    }
}

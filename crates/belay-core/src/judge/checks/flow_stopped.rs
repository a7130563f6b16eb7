//! **What it asks**: has a flow that was there stopped on hosts that changed, and not on peers?
//!
//! **Why**: it is the founding incident. No statistics are needed to see that nothing comes.
//!
//! **How**: per treated host, a run of zeros since its change of at least max(3, longest usual run of
//! zeros in its own past + 2) steps that reaches beyond the grace. A missing value ends a run.
//!
//! A host that left the Change before that, and had stood still until then, agrees with one that shows
//! it in full. One that goes on now and stood still when its latest content came is named.
//!
//! **When it cannot tell**: a host without flow in its past, with fewer than ten past values, or that
//! left within its grace; peers that stop at the same time.
//!
//! **Example**: `requests stopped on 12 of 12 changed hosts; 0 of 18 unchanged peers did`.

use super::super::known::Runs;
use super::super::sight::{Row, Sight};
use super::PAST_MIN;
use super::quorum::{Inquiry, Shown, inquire};
use crate::model::change::Trial;
use crate::model::verdict::{Check, Finding};

/// Steps without flow that may be a stop.
const STOP_MIN: usize = 3;

pub(super) fn check(trial: &Trial, sight: &Sight<'_>) -> Option<Finding> {
    let peers = sight.has_peers();
    let question = |row: &Row, begin: usize| stopped(row, begin, peers);
    inquire(
        trial,
        sight,
        &Inquiry {
            check: Check::FlowStopped,
            question: &question,
            bad: Some(&is_zero),
            verb: "stopped",
            too: "did",
            well: "has not stopped",
        },
    )
}

fn stopped(row: &Row, begin: usize, peers: bool) -> Option<Option<Shown>> {
    let begin = begin.min(row.values.len());
    let (before, after) = (&row.values[..begin], &row.values[begin..row.end_after(begin)]);
    let flowed = before.iter().flatten().filter(|value| **value > 0.0).count();
    if before.iter().flatten().count() < PAST_MIN || flowed * 4 < before.iter().flatten().count() {
        return None;
    }
    let need = STOP_MIN.max(usual(before, is_zero, peers) + 2);
    if after.iter().flatten().count() == 0 {
        return None;
    }
    let found = run(after, need, is_zero, row.grace_after(begin)).map(|(from, length)| Shown { from: begin + from, length, need });
    if found.is_none() && begin == row.onset && dry(row) {
        return None;
    }
    Some(found)
}

/// Whether nothing at all has flowed since the grace on a host where something did before. Where the
/// past is too poor to call that a stop, it is nothing to accept either.
pub(in crate::judge) fn dry(row: &Row) -> bool {
    stands_still(row, flowed(row))
}

/// Whether nothing flows just now on a host where something did before.
pub(in crate::judge) fn rests(row: &Row) -> bool {
    let since = flowed(row);
    stands_still(row, &since[since.len().saturating_sub(STOP_MIN)..])
}

fn stands_still(row: &Row, steps: &[Option<f64>]) -> bool {
    let mut seen = steps.iter().flatten().peekable();
    seen.peek().is_some() && seen.all(|value| is_zero(*value)) && row.past().iter().flatten().any(|value| *value > 0.0)
}

/// What flowed since the grace. The first step may hold what came before it: counters tell what came since they were read last.
pub(in crate::judge) fn flowed(row: &Row) -> &[Option<f64>] {
    row.settled().get(1..).unwrap_or(&[])
}

pub(super) fn is_zero(value: f64) -> bool {
    value == 0.0
}

/// The longest run of values for which something holds, as a host usually has it; a missing value
/// ends a run. Where peers can contradict, one run that is far longer than all others is an incident
/// of the past (the bad change of an hour ago) and must not blind the host to the next.
pub(super) fn usual(values: &[Option<f64>], holds: impl Fn(f64) -> bool, peers: bool) -> usize {
    let mut runs = Runs::default();
    values.iter().for_each(|value| runs.take(value.map(&holds)));
    runs.usual(peers)
}

/// The first run of at least `need` values for which something holds and that reaches the step
/// `settled`: where it begins and how long it is.
pub(super) fn run(values: &[Option<f64>], need: usize, holds: impl Fn(f64) -> bool, settled: usize) -> Option<(usize, usize)> {
    run_of(values.iter().map(|value| value.is_some_and(&holds)), need, settled)
}

/// As [`run`], of steps that are asked already.
pub(super) fn run_of(steps: impl Iterator<Item = bool>, need: usize, settled: usize) -> Option<(usize, usize)> {
    let mut begun: Option<usize> = None;
    for (step, holds) in steps.chain([false]).enumerate() {
        match (holds, begun) {
            (true, None) => begun = Some(step),
            (false, Some(from)) => {
                if step - from >= need && step > settled {
                    return Some((from, step - from));
                }
                begun = None;
            }
            (true, Some(_)) | (false, None) => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<Option<f64>> {
        text.chars().map(|c| c.to_digit(10).map(f64::from)).collect()
    }

    #[test]
    fn a_missing_value_ends_a_run() {
        assert_eq!(usual(&values("00-000"), is_zero, true), 3);
        assert_eq!(run(&values("5500-00"), 3, is_zero, 0), None);
        assert_eq!(run(&values("55000"), 3, is_zero, 0), Some((2, 3)));
    }

    #[test]
    fn one_incident_of_the_past_is_not_usual_where_peers_can_contradict_and_a_habit_is() {
        let incident = values("55055500000000000555055555555555");
        assert_eq!((usual(&incident, is_zero, true), usual(&incident, is_zero, false)), (1, 11));
        let habit = values("550000000055000000005500");
        assert_eq!(usual(&habit, is_zero, true), 8);
        assert_eq!(usual(&values("000000000000"), is_zero, true), 12, "what was always so is usual");
    }

    #[test]
    fn a_run_within_the_grace_does_not_count_until_it_outlasts_it() {
        assert_eq!(run(&values("0005555"), 3, is_zero, 4), None);
        assert_eq!(run(&values("00000"), 3, is_zero, 4), Some((0, 5)));
    }
}

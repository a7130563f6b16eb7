//! **What it asks**: has a check begun to fail on hosts that changed, and not on peers?
//!
//! **How**: per treated host, a run of failures since its change of at least max(3, longest past
//! run + 2) steps that reaches beyond the grace. Which way is worse says what a failure is: above
//! zero for `up` (0 is ok), below one for `down` (1 is ok).
//!
//! Where unchanged peers fail in a third of the same steps, without a run of their own, the check flickers everywhere: nothing is said.
//!
//! **When it cannot tell**: fewer than ten past values; peers that fail at the same time.
//!
//! **Example**: `http_check fails on 2 of 2 changed hosts; 0 of 8 unchanged peers do`.

use super::super::sight::{Row, Sight};
use super::PAST_MIN;
use super::flow_stopped::{run, usual};
use super::quorum::{Inquiry, Shown, inquire};
use crate::model::change::Trial;
use crate::model::signal::Harm;
use crate::model::verdict::{Check, Finding};

pub(super) fn check(trial: &Trial, sight: &Sight<'_>) -> Option<Finding> {
    let (harm, peers) = (sight.signal.harm, sight.has_peers());
    let others: Vec<&Row> = sight.nearest().collect();
    let question = |row: &Row, begin: usize| {
        let found = failing(row, begin, harm, peers)?;
        Some(found.filter(|shown| begin < row.onset || !flickers(&others, shown, harm)))
    };
    let bad = |value: f64| fails(value, harm);
    inquire(
        trial,
        sight,
        &Inquiry {
            check: Check::CheckFailing,
            question: &question,
            bad: Some(&bad),
            verb: "fails",
            too: "do",
            well: "does not keep failing",
        },
    )
}

fn failing(row: &Row, begin: usize, harm: Harm, peers: bool) -> Option<Option<Shown>> {
    let begin = begin.min(row.values.len());
    let end = row.end_after(begin);
    if row.values[..begin].iter().flatten().count() < PAST_MIN || row.values[begin..end].iter().flatten().count() == 0 {
        return None;
    }
    let fails = |value: f64| fails(value, harm);
    let need = 3.max(usual(&row.values[..begin], fails, peers) + 2);
    let found = run(&row.values[begin..end], need, fails, row.grace_after(begin));
    Some(found.map(|(from, length)| Shown { from: begin + from, length, need }))
}

/// Whether unchanged peers fail in a third of the same steps: then a check flickers everywhere, and a run of failures on one host is luck.
fn flickers(peers: &[&Row], shown: &Shown, harm: Harm) -> bool {
    let same = |row: &&Row| shown.from.min(row.onset)..(shown.from + shown.length).min(row.onset);
    let (failed, seen) = peers.iter().fold((0, 0), |(failed, seen), row| {
        let steps = &row.values[same(row)];
        (failed + steps.iter().flatten().filter(|value| fails(**value, harm)).count(), seen + steps.iter().flatten().count())
    });
    let steady = peers.iter().filter(|row| row.values[same(row)].iter().flatten().all(|value| fails(*value, harm))).count();
    // Peers that fail all the time are sick, which is another thing, and said by the common inquiry.
    seen > 0 && failed * 3 >= seen && steady * 2 < peers.len()
}

/// Whether a value of a check is a failure.
pub(super) fn fails(value: f64, harm: Harm) -> bool {
    match harm {
        Harm::Up | Harm::Both => value > 0.0,
        Harm::Down => value < 1.0,
    }
}

//! **What it asks**: does a value repeat itself exactly, or lie at zero, since the change?
//!
//! **Why**: a dead collector or a wedged process gives a perfectly calm line; judges of residuals
//! see it in half of the cases only.
//!
//! **How**: per treated host, a run of exact repeats of at least max(6, longest past run + 2)
//! steps, or of zeros of at least max(3, longest past run + 2), that reaches beyond the grace. The
//! first step since the change is compared with the last before it.
//!
//! **When it cannot tell**: fewer than ten past values. A signal that is constant by nature has a
//! long past run and never fires.
//!
//! **Example**: `memory_bytes repeats one value or lies at zero on 3 of 3 changed hosts`.

use super::super::sight::{Row, Sight};
use super::PAST_MIN;
use super::flow_stopped::{is_zero, run, run_of};
use super::quorum::{Inquiry, Shown, inquire};
use crate::model::change::Trial;
use crate::model::signal::Harm;
use crate::model::verdict::{Check, Finding};

pub(super) fn check(trial: &Trial, sight: &Sight<'_>) -> Option<Finding> {
    let (peers, harm) = (sight.has_peers(), sight.signal.harm);
    let question = |row: &Row, begin: usize| frozen(row, begin, peers, harm);
    inquire(
        trial,
        sight,
        &Inquiry {
            check: Check::Frozen,
            question: &question,
            bad: None,
            verb: "repeats one value or lies at zero",
            too: "do",
            well: "is neither frozen nor at zero",
        },
    )
}

fn frozen(row: &Row, begin: usize, peers: bool, harm: Harm) -> Option<Option<Shown>> {
    let begin = begin.min(row.values.len());
    let end = row.end_after(begin);
    if row.known.before(&row.values, begin).count < PAST_MIN || row.values[begin..end].iter().flatten().count() == 0 {
        return None;
    }
    let settled = row.grace_after(begin);
    let shown = |need: usize, found: Option<(usize, usize)>| found.map(|(from, length)| Shown { from: begin + from, length, need });
    // Where more is worse, nothing at all is the best there is.
    let good = harm == Harm::Up;
    let (zeros, repeats) = row.known.runs(&row.values, begin);
    let need = 3.max(zeros.usual(peers) + 2);
    let by_zeros = shown(need, run(&row.values[begin..end], need, is_zero, settled)).filter(|_| !good);
    let need = 6.max(repeats[usize::from(good)].usual(peers) + 2);
    let same = repeating(&row.values[..end], begin, |value| good && value == 0.0);
    Some(by_zeros.or_else(|| shown(need, run_of(same, need, settled))))
}

/// From step `begin` on: whether a value equals the one before it; not where either is missing.
fn repeating(values: &[Option<f64>], begin: usize, spared: impl Fn(f64) -> bool) -> impl Iterator<Item = bool> {
    let same = move |before: f64, value: f64| before.to_bits() == value.to_bits() && !spared(value);
    let pair = move |step: usize| Some((values[step.checked_sub(1)?]?, values[step]?));
    (begin..values.len()).map(move |step| pair(step).is_some_and(|(before, value)| same(before, value)))
}

//! **What it asks**: where there are no peers: has a gauge leapt as it never did, to where it never was, and stayed there?
//!
//! **Why**: incidents of the past make thresholds wide, as they must: a level that once was so may be so again. A host that was never
//! there and never leapt so far has no such excuse, and nothing needs to be estimated to see it.
//!
//! **How**: per treated host, four steps after the grace that lie beyond all of its past, by a part of its range that is twice as large as
//! the trial is beside the past; with a leap at their beginning that is a quarter larger than any of the past over as many steps (three,
//! or one more than the grace). Of a past that long, the largest value lies in a stretch as long as the trial by chance once in many.
//!
//! **When it cannot tell**: with peers (a shock to everybody leaps as well, and the comparison with them knows better), with a past of less
//! than twelve stretches as long as the trial, or one that never moved.
//!
//! **Example**: `memory_bytes leapt beyond all its past on 1 of 1 changed hosts; no peers to compare with, own past only; to 4.1, where 2.3 was
//! the most`.

use super::super::extent::{Extent, Way, rise};
use super::super::sight::{Row, Sight};
use super::super::weigh::Weighed;
use super::measure::short;
use super::quorum::{Inquiry, Shown, inquire};
use crate::model::change::Trial;
use crate::model::signal::Harm;
use crate::model::verdict::{Check, Finding};

/// Steps beyond the past that make it a sign.
const STEPS: usize = 4;
/// Stretches as long as the trial that the past must hold.
const STRETCHES: usize = 12;
/// By how much of its range values lie beyond a past of one such stretch; of a longer one by as much less.
const MARGIN: f64 = 2.0;
/// Steps that a leap may take, where the grace is no longer.
const LEAP: usize = 3;
/// How much larger than any of the past a leap is.
const LARGER: f64 = 1.25;

pub(super) fn check(trial: &Trial, sight: &Sight<'_>, weighed: &Weighed<'_>) -> Option<Finding> {
    if weighed.peers > 0 {
        return None;
    }
    let due = |begin: usize| trial.ends.since(sight.time(begin)).ms() / sight.signal.step.ms().max(1);
    let question = |row: &Row, begin: usize| leapt(row, begin, usize::try_from(due(begin)).unwrap_or(0), sight.signal.harm);
    let (verb, well) = ("leapt beyond all its past", "made no leap");
    let found = inquire(trial, sight, &Inquiry { check: Check::Leap, question: &question, bad: None, verb, too: "did", well })?;
    let text = sight.treated.iter().find(|row| found.hosts.first() == Some(&row.host)).and_then(|row| to(row, sight.signal.harm));
    Some(Finding { text: text.map_or_else(|| found.text.clone(), |to| format!("{}; {to}", found.text)), ..found })
}

/// Where a host that leapt has been since, beside where it was before.
fn to(row: &Row, harm: Harm) -> Option<String> {
    let extent = extent(row, row.onset);
    let furthest = |way: &Way| Some((*way, row.settled().iter().flatten().copied().max_by(|a, b| way.of(*a).total_cmp(&way.of(*b)))?));
    let beyond = |(way, value): &(Way, f64)| way.of(*value) > way.of(extent.furthest(*way));
    let (way, value) = ways(harm).iter().filter_map(furthest).find(beyond)?;
    let most = if way == Way::Up { "most" } else { "least" };
    Some(format!("to {}, where {} was the {most}", short(value), short(extent.furthest(way))))
}

/// What a host shows in a trial of so many steps.
fn leapt(row: &Row, begin: usize, due: usize, harm: Harm) -> Option<Option<Shown>> {
    let begin = begin.min(row.values.len());
    let past = row.known.before(&row.values, begin).count;
    let from = (begin + row.grace_after(begin)).min(row.end_after(begin));
    let since = &row.values[..row.end_after(begin)];
    if due == 0 || past < STRETCHES * due || since[from..].iter().flatten().count() == 0 {
        return None;
    }
    let (extent, part) = (extent(row, begin), MARGIN * due as f64 / past as f64);
    Some(ways(harm).iter().filter_map(|way| there(&extent, since, from, (*way, part))).min_by_key(|shown| shown.from))
}

fn extent(row: &Row, begin: usize) -> Extent {
    row.known.extent(&row.values, begin, LEAP.max(row.grace + 1))
}

const fn ways(harm: Harm) -> &'static [Way] {
    match harm {
        Harm::Up => &[Way::Up],
        Harm::Down => &[Way::Down],
        Harm::Both => &[Way::Up, Way::Down],
    }
}

/// The first stay beyond a past that began with a leap.
fn there(extent: &Extent, values: &[Option<f64>], from: usize, (way, part): (Way, f64)) -> Option<Shown> {
    let bar = extent.beyond(way, part)?;
    let beyond = |step: usize| values[step].is_some_and(|value| way.of(value) > bar);
    let leaps = |step: usize| rise(values, step, extent.steps()).is_some_and(|rise| way.of(rise) > LARGER * extent.leap(way));
    let mut step = from;
    while step < values.len() {
        let length = (step..values.len()).take_while(|step| beyond(*step)).count();
        if length >= STEPS && (step..step + STEPS - 1).any(leaps) {
            return Some(Shown { from: step, length, need: STEPS });
        }
        step += length + 1;
    }
    None
}

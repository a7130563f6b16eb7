//! **What it asks**: did the changed hosts' share of a flow fall against the peers'?
//!
//! **Why**: a flow that halves does not stop; against peers that share every storm and every night
//! a fall of the share shows, whatever the total does.
//!
//! **How**: per step, the sum of the treated hosts' values and that of the peers'; an anytime-valid
//! e-process (see `belay-stats`, `share`) against the share of the own past, begun when the last
//! treated host is past its grace. It may spend half of the budget of its signal, at every look.
//!
//! **When it cannot tell**: no peers with a value in the same steps, too little past, no flow.
//!
//! **Example**: `requests: the changed hosts' share fell from 50 % to 26 % (e-value 10^5)`.

use belay_stats::share::{ShareProcess, ShareTest};

use super::super::sight::{Row, Sight, mean};
use super::super::weigh::direction;
use super::quorum::{numbers, quorum};
use crate::model::verdict::{Check, Finding, Numbers, Says};

/// Steps before a share is believed. A total stop is said in plainer words by its own check first.
const STEPS_MIN: u64 = 5;
/// A smaller change of the odds is not harm, however sure it is.
const WORTH: f64 = 0.1;

pub(super) fn check(sight: &Sight<'_>, budget: f64) -> Option<Finding> {
    let treated = comparable(sight);
    let settled = treated.iter().map(|row| row.settled).max()?;
    let peers: Vec<&Row> = sight.nearest().filter(|row| row.onset > settled && present(row)).collect();
    let (process, best) = measure(sight, &treated, &peers)?;
    let effect = process.effect(budget)?;
    let sturdy = holds_without_one(sight, &treated, &peers, effect.odds_ratio, budget);
    // As with single hosts: a quorum speaks for a wave, and a wave of one only after twice the time.
    let alone = sight.treated.len() == 1;
    let enough = treated.len() >= quorum(sight.treated.len()) && process.steps() >= if alone { 2 * STEPS_MIN } else { STEPS_MIN };
    finding(sight, &process, if sturdy && enough { best } else { 0.0 }, budget)
}

/// Whether a host has the signal well enough to be added up: one that is missing must not silence
/// the sum of all others.
fn present(row: &Row) -> bool {
    let there = row.past_count();
    there > 0 && there * 10 >= row.past().len().min(60) * 9
}

/// The treated hosts that are added up: present, there to the end, and not so late that waiting for
/// their grace would cost more than half of what the others have shown.
fn comparable<'r>(sight: &'r Sight<'_>) -> Vec<&'r Row> {
    let rows = || sight.treated.iter().filter(|row| present(row) && row.end == sight.steps);
    let first = rows().map(|row| row.settled).min().unwrap_or(sight.steps);
    rows().filter(|row| row.settled <= first + (sight.steps - first) / 2).collect()
}

/// The process over all steps since the last of these hosts was past its grace, and the largest
/// evidence at any of its looks.
fn measure(sight: &Sight<'_>, treated: &[&Row], peers: &[&Row]) -> Option<(ShareProcess, f64)> {
    let began = treated.iter().map(|row| row.onset).min()?;
    let settled = treated.iter().map(|row| row.settled).max()?;
    if peers.is_empty() || settled >= sight.steps {
        return None;
    }
    let pair = |step: usize| Some((sum(treated, step)?, sum(peers, step)?));
    let past: Vec<(f64, f64)> = (0..began).filter_map(pair).collect();
    let mut process = ShareTest::fit(&past)?.begin(direction(sight.signal.harm));
    let end = peers.iter().map(|row| row.onset).min().unwrap_or(sight.steps);
    let mut best = f64::NEG_INFINITY;
    for (treated, peers) in (settled..end).filter_map(pair) {
        process.step(treated, peers);
        best = best.max(process.ln_e());
    }
    Some((process, best))
}

/// One bad host among many moves a sum, on either side; it must not speak for all. What is left when
/// the treated host that moved most is left out, and when the peer that moved most the other way is,
/// must still have moved the same way, and far enough. Two peers or fewer prove nothing.
fn holds_without_one(sight: &Sight<'_>, treated: &[&Row], peers: &[&Row], odds_ratio: f64, budget: f64) -> bool {
    let from = treated.iter().map(|row| row.settled).max().unwrap_or(sight.steps);
    let moved = |row: &Row| {
        let now = mean(&row.values[from.min(row.values.len())..]).unwrap_or(0.0);
        now / mean(row.past()).filter(|past| *past > 0.0).unwrap_or(1.0)
    };
    let least = |rows: &[&Row]| rows.iter().min_by(|a, b| moved(a).total_cmp(&moved(b))).map(|row| row.host.clone());
    let most = |rows: &[&Row]| rows.iter().max_by(|a, b| moved(a).total_cmp(&moved(b))).map(|row| row.host.clone());
    let fell = odds_ratio < 1.0;
    let (worst, contrary) = if fell { (least(treated), most(peers)) } else { (most(treated), least(peers)) };
    let holds = |treated: &[&Row], peers: &[&Row]| {
        let effect = measure(sight, treated, peers).and_then(|(process, _)| process.effect(budget));
        effect.is_some_and(|effect| (effect.odds_ratio - 1.0).abs() >= WORTH && (effect.odds_ratio < 1.0) == fell)
    };
    let rest: Vec<&Row> = treated.iter().copied().filter(|row| Some(&row.host) != worst.as_ref()).collect();
    let others: Vec<&Row> = peers.iter().copied().filter(|row| Some(&row.host) != contrary.as_ref()).collect();
    peers.len() > 2 && (treated.len() == 1 || holds(&rest, peers)) && holds(treated, &others)
}

/// The sum over hosts in a step; nothing when any of them has no value there.
fn sum(rows: &[&Row], step: usize) -> Option<f64> {
    rows.iter().map(|row| row.values.get(step).copied().flatten()).sum()
}

fn finding(sight: &Sight<'_>, process: &ShareProcess, ln_e: f64, budget: f64) -> Option<Finding> {
    let effect = process.effect(budget)?;
    let worth = (effect.odds_ratio - 1.0).abs() >= WORTH;
    let says = if ln_e >= (1.0 / budget).ln() && worth { Says::Harm } else { Says::Fine };
    let rows: Vec<&Row> = sight.treated.iter().collect();
    let percent = |share: f64| format!("{:.0} %", share * 100.0);
    let (before, now) = (percent(effect.share_before), percent(effect.share_now));
    let name = &sight.signal.name;
    let text = match says {
        Says::Harm => {
            let moved = if effect.share_now < effect.share_before { "fell" } else { "rose" };
            format!("{name}: the changed hosts' share {moved} from {before} to {now} (e-value 10^{:.0})", ln_e / std::f64::consts::LN_10)
        }
        Says::Suspicion | Says::Fine | Says::CannotTell(_) => format!("{name}: the changed hosts' share was {before} and is {now}"),
    };
    Some(Finding {
        check: Check::FlowShare,
        signal: Some(sight.signal.name.clone()),
        says,
        hosts: if says == Says::Harm { rows.iter().map(|row| row.host.clone()).collect() } else { Vec::new() },
        of: rows.len().try_into().unwrap_or(u32::MAX),
        peers_alike: (0, sight.nearest().count().try_into().unwrap_or(u32::MAX)),
        text,
        numbers: Numbers { ln_e: Some(ln_e).filter(|e| e.is_finite()), ..numbers(sight, &rows, None) },
        since: None,
    })
}

//! No verdict without data, recomputed from the raw series: nothing of the judge's own counting is
//! used.

use std::collections::BTreeSet;

use belay_core::judge::judge;
use belay_core::model::change::Treated;
use belay_core::model::ids::HostId;
use belay_core::model::signal::{Reading, Signal, SignalKind};
use belay_core::model::time::Timestamp;
use belay_core::model::verdict::{Judge, Outcome, Standing};
use belay_core::state::Fact;

use crate::world::{Judged, World};

/// Fewer than this part of the steps that should have been seen is no data. The judge asks for half;
/// the difference is what hosts that came last may lack without weighing on the whole.
const PART_MIN: f64 = 0.45;

/// What Belay accepted by itself was seen: a must-have signal is declared, and its values were
/// there.
pub(super) fn seen(world: &World) -> Vec<String> {
    let accepted = |fact: &Fact| match fact {
        Fact::Decided { change, verdict } if verdict.outcome == Outcome::Accepted && verdict.by == Judge::Belay => Some(*change),
        _ => None,
    };
    let mut wrong = Vec::new();
    for change in world.journal.iter().filter_map(|(_, fact)| accepted(fact)) {
        match world.judged.iter().find(|judged| judged.trial.change == change) {
            None => wrong.push(format!("{change} was accepted without a final look")),
            Some(judged) => wrong.extend(unseen(judged).map(|why| format!("{change} was accepted, but {why}"))),
        }
    }
    wrong
}

fn unseen(judged: &Judged) -> Option<String> {
    let must_have: Vec<&Signal> = judged.trial.signals.iter().filter(|signal| signal.must_have).collect();
    if must_have.is_empty() {
        return Some("no must-have signal is declared".to_owned());
    }
    must_have.into_iter().find_map(|signal| {
        let tight = judged.trial.treated.iter().filter(|(_, treated)| !treated.skewed);
        let counts: Vec<(usize, usize)> = tight.map(|(host, treated)| steps_seen(judged, signal, host, treated)).collect();
        let (there, due) = counts.iter().fold((0, 0), |(there, due), (more, of)| (there + more, due + of));
        let too_few = due == 0 || (there as f64) < due as f64 * PART_MIN;
        too_few.then(|| format!("{} was seen in {there} of {due} steps on {} hosts", signal.name, counts.len()))
    })
}

/// Whatever is accepted, a flow that was there has not been at zero ever since on two hosts, or on
/// more than half of them. Of more than half it is asked whenever it was there; of fewer, only when it
/// was there in the past that was looked at: beside others that work, a host that stood still in all of
/// it looks like one that stands by, and did not stop with this Change.
pub(super) fn flowing(world: &World) -> Vec<String> {
    let is_accepted = |judged: &&Judged| {
        let verdict = world.state.changes.get(&judged.trial.change).and_then(|change| change.verdict.as_ref());
        verdict.is_some_and(|verdict| verdict.outcome == Outcome::Accepted && verdict.by == Judge::Belay)
    };
    let mut wrong = Vec::new();
    for judged in world.judged.iter().filter(is_accepted) {
        for signal in judged.trial.signals.iter().filter(|signal| signal.must_have && signal.kind == SignalKind::Flow) {
            let tight: Vec<_> = judged.trial.treated.iter().filter(|(_, treated)| !treated.skewed).collect();
            let since = |from: Timestamp| tight.iter().filter(|(host, treated)| stopped(judged, signal, host, treated, from)).count();
            let stopped = since(Timestamp::from_ms(i64::MIN));
            let shown = judged.evidence.windows.get(&signal.name).map_or(0, |window| since(window.from));
            if shown >= 2 || stopped * 2 > tight.len() {
                wrong.push(format!("{} was accepted while {} stood still on {stopped} of its hosts", judged.trial.change, signal.name));
            }
        }
    }
    wrong
}

/// Whether a counter rose before the change, in ten steps at least since `from`, and never since the
/// grace, of which there are samples in three steps at least.
fn stopped(judged: &Judged, signal: &Signal, host: &HostId, treated: &Treated, from: Timestamp) -> bool {
    let Some(raw) = judged.raw.get(&(signal.name.clone(), host.clone())) else { return false };
    let (step, end) = (signal.step.ms(), judged.evidence.at.ms());
    let settled = (treated.onset + judged.trial.grace).ms() + step;
    let finite: Vec<(i64, f64)> = raw.iter().copied().filter(|(ms, value)| value.is_finite() && *ms < end).collect();
    let rises = |pair: &[(i64, f64)]| (pair[1].1 > pair[0].1).then_some(pair[1].0.div_euclid(step));
    let before: BTreeSet<i64> =
        finite.windows(2).filter(|pair| (from.ms()..treated.onset.ms()).contains(&pair[1].0)).filter_map(rises).collect();
    let since: Vec<(i64, f64)> = finite.iter().copied().filter(|(ms, _)| *ms >= settled).collect();
    let looked: BTreeSet<i64> = since.iter().map(|(ms, _)| ms.div_euclid(step)).collect();
    before.len() >= 10 && looked.len() >= 3 && since.windows(2).all(|pair| pair[1].1 == pair[0].1)
}

/// Steps since the grace of a host that hold a finite value, and steps that should.
fn steps_seen(judged: &Judged, signal: &Signal, host: &HostId, treated: &Treated) -> (usize, usize) {
    let step = signal.step.ms();
    let first = -(-(treated.onset + judged.trial.grace).ms()).div_euclid(step);
    let end = judged.evidence.at.ms().div_euclid(step);
    let Some(raw) = judged.raw.get(&(signal.name.clone(), host.clone())) else { return (0, usize::try_from(end - first).unwrap_or(0)) };
    let finite: Vec<i64> = raw.iter().filter(|(_, value)| value.is_finite()).map(|(ms, _)| ms.div_euclid(step)).collect();
    // A counter says nothing by its first sample.
    let telling = if signal.reading == Reading::Counter { finite.get(1..).unwrap_or_default() } else { &finite[..] };
    let there: BTreeSet<i64> = telling.iter().copied().filter(|step| (first..end).contains(step)).collect();
    (there.len(), usize::try_from(end - first).unwrap_or(0))
}

/// Whoever judges a trial again by the evidence kept comes to the same look, also after it was
/// written down and read back.
pub(super) fn repeatable(world: &World) -> Vec<String> {
    let mut wrong = Vec::new();
    for judged in &world.judged {
        let change = judged.trial.change;
        let text = belay_api::journal::case_to_json(&judged.trial, &judged.evidence);
        match belay_api::journal::case_from_json(&text) {
            Err(bad) => wrong.push(format!("the case of {change} cannot be read back: {bad}")),
            Ok((trial, evidence)) if trial != judged.trial || evidence != judged.evidence => {
                wrong.push(format!("the case of {change} reads back as something else"));
            }
            Ok((trial, evidence)) => {
                let again = judge(&trial, &evidence);
                if again != judged.look {
                    wrong.push(format!("{change} judged again is {:?}, it was {:?}", again.standing, judged.look.standing));
                }
            }
        }
        wrong.extend(late(judged.at, judged).map(|why| format!("{change}: {why}")));
    }
    wrong
}

/// A final look never looks at what is not complete yet.
fn late(at: Timestamp, judged: &Judged) -> Option<String> {
    let is_final = matches!(judged.look.standing, Standing::Final(_));
    (!is_final || judged.evidence.at > at).then(|| "the look is not final, or looked into the future".to_owned())
}

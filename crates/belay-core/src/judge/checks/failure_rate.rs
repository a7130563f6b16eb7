//! **What it asks**: does a check fail more often on changed hosts than it did, and than it does on peers?
//!
//! **Why**: a check that flaps never fails long enough for `check_failing`, and is a failure all the same.
//!
//! **How**: per treated host, an exact e-process of its failures (see `belay-stats`, `failures`) against the most its past allows where
//! peers did not fail with it, or what the peers show in the same step. It may spend half of the budget of its signal, at every look. From
//! a quorum of hosts on it is harm, below it suspicion. What is too little on each host may be enough on all: the product of their
//! evidence counts as that of a quorum, where it does not rest on one of them. One changed host alone, and several together, must show
//! twice the evidence where fewer than two peers can be asked.
//!
//! **When it cannot tell**: fewer than thirty values of past; a third of the peers, judged as if they had changed, shows half as much.
//!
//! **Example**: `http_check fails more often on 2 of 4 changed hosts: in 9 of 40 steps, 0.3 % before (e-value 10^5)`.

use belay_stats::failures::{FailureTest, Grade, Step, reached_together, threshold};

use super::super::sight::{Row, Sight};
use super::check_failing::fails;
use super::quorum::{numbers, quorum};
use crate::model::change::Trial;
use crate::model::signal::Harm;
use crate::model::verdict::{Check, Finding, Gap, Numbers, Says};

/// The part of a host's evidence that a peer must show to count as alike.
const ALIKE_PART: f64 = 0.5;
/// So much more evidence one changed host needs by itself, and several need together, where there are not enough peers to tell failures
/// from everybody's.
const ALONE: f64 = 2.0;
/// What several show together must hold without the one that shows most, at one in ten.
const REST: f64 = 0.1;
const PEERS_MIN: usize = 2;

/// What one host shows.
struct Shown<'r> {
    row: &'r Row,
    test: FailureTest,
    /// The first step that counts, and the evidence after each since, natural logarithm.
    from: usize,
    evidence: Vec<f64>,
    /// The largest evidence at any look, natural logarithm, and what it had to reach.
    ln_e: f64,
    needed: f64,
    /// The first step at which it was reached.
    first: Option<usize>,
}

/// What it costs to be believed.
struct Terms {
    budget: f64,
    caution: f64,
    /// Steps that the trial has.
    due: usize,
}

/// Where a host's past ends, and which steps count.
struct Steps {
    past: usize,
    from: usize,
    to: usize,
}

pub(super) fn check(trial: &Trial, sight: &Sight<'_>, budget: f64) -> Option<Finding> {
    let from = sight.treated.iter().map(|row| row.onset).min()?;
    let due = usize::try_from(trial.ends.since(sight.time(from)).ms() / sight.signal.step.ms().max(1)).unwrap_or(0);
    let terms = Terms { budget, caution: trial.caution.factor(&sight.signal.name), due };
    let asked: Vec<Shown<'_>> = sight
        .treated
        .iter()
        .filter_map(|row| shown(sight, row, Steps { past: row.onset, from: row.settled, to: row.end }, &terms))
        .collect();
    if asked.is_empty() {
        return None;
    }
    let mut raised: Vec<&Shown<'_>> = asked.iter().filter(|shown| shown.first.is_some()).collect();
    let several = if raised.len() < quorum(asked.len()) { together(sight, &asked, &terms) } else { None };
    if several.is_some() {
        raised = asked.iter().filter(|shown| shown.ln_e > 0.0).collect();
    }
    let peer = |row| shown(sight, row, Steps { past: from, from, to: row.onset }, &terms);
    let peers: Vec<Shown<'_>> =
        if raised.is_empty() { Vec::new() } else { sight.nearest().filter(|row| row.onset > from).filter_map(peer).collect() };
    let most = most(raised.iter().copied());
    let alike = peers.iter().filter(|peer| peer.ln_e >= ALIKE_PART * most).count();
    let alone = trial.treated.len() == 1;
    let sure = !alone || peers.len() >= PEERS_MIN || raised.iter().any(|shown| shown.ln_e >= ALONE * shown.needed);
    let says = match () {
        () if raised.is_empty() => Says::Fine,
        () if !peers.is_empty() && alike * 3 >= peers.len() => Says::CannotTell(Gap::PeersSick),
        () if raised.len() >= quorum(asked.len()) && sure => Says::Harm,
        () => Says::Suspicion,
    };
    Some(finding(sight, &asked, &Raised { hosts: raised, together: several }, (alike, peers.len()), says))
}

/// The largest evidence of any host.
fn most<'s>(all: impl Iterator<Item = &'s Shown<'s>>) -> f64 {
    all.map(|shown| shown.ln_e).fold(0.0, f64::max)
}

/// What the hosts show together, where it is enough: the step at which it was, and the largest evidence.
fn together(sight: &Sight<'_>, asked: &[Shown<'_>], terms: &Terms) -> Option<(usize, f64)> {
    let (from, past) = (asked.iter().map(|shown| shown.from).min()?, asked.iter().map(|shown| shown.row.onset).min()?);
    let all = |step: usize| {
        let sum: f64 = asked.iter().map(|shown| shown.at(step)).sum();
        (sum, sum - asked.iter().map(|shown| shown.at(step)).fold(0.0, f64::max))
    };
    let steps = || from..sight.steps;
    let few = sight.nearest().filter(|row| row.onset > past).count() < PEERS_MIN;
    let factor = terms.caution * if few { ALONE } else { 1.0 };
    let enough = |needed: f64| steps().find(|step| all(*step).0 >= needed && all(*step).1 >= (1.0 / REST).ln());
    // The past of all is asked only where it matters.
    enough(factor * threshold(0.0, terms.budget))?;
    let pasts: Vec<Vec<Step>> = asked.iter().map(|shown| (0..past).map(|step| seen(sight, shown.row, step)).collect()).collect();
    let hosts: Vec<(FailureTest, &[Step])> = asked.iter().zip(&pasts).map(|(shown, past)| (shown.test, &past[..])).collect();
    let first = enough(factor * threshold(reached_together(&hosts, terms.due), terms.budget))?;
    Some((first, steps().map(|step| all(step).0).fold(0.0, f64::max)))
}

impl Shown<'_> {
    /// Its evidence after a step: none before the first that counts, and of a host that left what it had shown by then.
    fn at(&self, step: usize) -> f64 {
        let known = step.checked_sub(self.from).and_then(|i| self.evidence.get(i).or(self.evidence.last()));
        known.copied().unwrap_or(0.0)
    }
}

/// The hosts that fail more often, and what they show together where each alone shows too little.
struct Raised<'s, 'r> {
    hosts: Vec<&'s Shown<'r>>,
    together: Option<(usize, f64)>,
}

/// What a host shows, judged by its past.
fn shown<'r>(sight: &Sight<'_>, row: &'r Row, steps: Steps, terms: &Terms) -> Option<Shown<'r>> {
    let before = || (0..steps.past).map(|step| seen(sight, row, step)).collect::<Vec<_>>();
    let test = row.known.failures(steps.past, terms.due, || FailureTest::fit(&before(), terms.due))?;
    let needed = terms.caution * test.threshold(terms.budget);
    let mut process = test.begin();
    let evidence: Vec<f64> = (steps.from..steps.to).map(|step| process.step(seen(sight, row, step))).collect();
    let ln_e = evidence.iter().copied().fold(0.0, f64::max);
    let first = evidence.iter().position(|now| *now >= needed).map(|i| steps.from + i);
    Some(Shown { row, test, from: steps.from, evidence, ln_e, needed, first })
}

/// How a step of a host went, and how peers other than it fared.
fn seen(sight: &Sight<'_>, row: &Row, step: usize) -> Step {
    let grade = |row: &Row| row.values.get(step).copied().flatten().map(|value| grade(value, sight.signal.harm));
    let mut seen = Step { own: grade(row), ..Step::default() };
    let others = sight.nearest().filter(|peer| peer.onset > step && peer.host != row.host);
    for grade in others.filter_map(grade) {
        seen.peers.0 += u32::from(grade >= Grade::Fails);
        seen.peers.1 += 1;
    }
    seen
}

/// How bad a value of a check is: failures are counted, from several places or by how bad a state is; two are bad.
fn grade(value: f64, harm: Harm) -> Grade {
    match (fails(value, harm), value.abs() >= 2.0) {
        (false, _) => Grade::Works,
        (true, false) => Grade::Fails,
        (true, true) => Grade::Badly,
    }
}

fn finding(sight: &Sight<'_>, asked: &[Shown<'_>], raised: &Raised<'_, '_>, alike: (usize, usize), says: Says) -> Finding {
    let Raised { hosts: raised, together } = raised;
    let name = &sight.signal.name;
    let rows: Vec<&Row> =
        if raised.is_empty() { asked.iter().map(|shown| shown.row).collect() } else { raised.iter().map(|shown| shown.row).collect() };
    let (failed, seen) = count(sight, rows.iter().map(|row| row.settled()));
    let (failed_before, seen_before) = count(sight, rows.iter().map(|row| row.past()));
    let before = 100.0 * failed_before as f64 / seen_before.max(1) as f64;
    let ln_e = together.map_or_else(|| most(asked.iter()), |(_, ln_e)| ln_e);
    let rate = format!("in {failed} of {seen} steps, {before:.1} % before");
    let of_all = if together.is_some() { " of all together" } else { "" };
    let evidence = format!("(e-value{of_all} 10^{:.0})", ln_e / std::f64::consts::LN_10);
    let text = match says {
        Says::Fine => format!("{name} does not fail more often beyond chance: {rate}"),
        Says::CannotTell(_) => format!(
            "{name} fails more often on {} of {} changed hosts, but also on {} of {} unchanged peers: {rate} {evidence}",
            raised.len(),
            asked.len(),
            alike.0,
            alike.1
        ),
        Says::Harm | Says::Suspicion => {
            let peers = if alike.1 == 0 {
                "; no peers to compare with, own past only".to_owned()
            } else {
                format!("; {} of {} peers look alike", alike.0, alike.1)
            };
            format!("{name} fails more often on {} of {} changed hosts: {rate} {evidence}{peers}", raised.len(), asked.len())
        }
    };
    let small = |count: usize| count.try_into().unwrap_or(u32::MAX);
    Finding {
        check: Check::FailureRate,
        signal: Some(name.clone()),
        says,
        hosts: raised.iter().map(|shown| shown.row.host.clone()).collect(),
        of: small(asked.len()),
        peers_alike: (small(alike.0), small(alike.1)),
        text,
        numbers: Numbers { ln_e: Some(ln_e), ..numbers(sight, &rows, None) },
        since: raised.iter().filter_map(|shown| shown.first).chain(together.map(|(first, _)| first)).min().map(|step| sight.time(step)),
    }
}

/// How many values are failures, of how many.
fn count<'r>(sight: &Sight<'_>, rows: impl Iterator<Item = &'r [Option<f64>]>) -> (usize, usize) {
    rows.flatten().flatten().fold((0, 0), |(failed, seen), value| (failed + usize::from(fails(*value, sight.signal.harm)), seen + 1))
}

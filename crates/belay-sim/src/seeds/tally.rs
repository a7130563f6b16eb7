//! What became of the acts: counted, and held against what should have.

use std::ops::AddAssign;

use belay_core::model::change::Change;
use belay_core::model::time::{Span, Timestamp};
use belay_core::model::verdict::{Check, Finding, Judge, Outcome, Says};

use super::acts::{Act, Nature};
use super::cast::{NEXT, RELEASES, STABLE};
use crate::fleet::application::Hurt;
use crate::fleet::condition::{Condition, Timeline};
use crate::world::World;

/// What was counted, over one seed or many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Runs recorded.
    pub runs: u64,
    /// Changes.
    pub changes: u64,
    /// Changes that Belay accepted, rejected, and could not tell.
    pub outcomes: [u64; 3],
    /// Clear cases in which the flow stopped: all of them, and those rejected.
    pub stopping: [u64; 2],
    /// Clear cases that hurt in other ways: all of them, and those rejected.
    pub hurting: [u64; 2],
    /// Clear harmless cases: all of them, those accepted, and those rejected by a test that has a
    /// budget of false rejections.
    pub harmless: [u64; 3],
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        fn add<const N: usize>(to: &mut [u64; N], from: [u64; N]) {
            to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
        }
        self.runs += other.runs;
        self.changes += other.changes;
        add(&mut self.outcomes, other.outcomes);
        add(&mut self.stopping, other.stopping);
        add(&mut self.hurting, other.hurting);
        add(&mut self.harmless, other.harmless);
    }
}

/// Counts, and answers with the clear cases that went wrong.
pub(super) fn weigh(world: &World, acts: &[Act], seen: bool) -> (Tally, Vec<String>) {
    let mut tally = Tally { runs: world.state.counters.runs, changes: world.state.counters.changes, ..Tally::default() };
    let mut wrong = Vec::new();
    for change in world.state.changes.values() {
        match outcome(change) {
            Some(Outcome::Accepted) => tally.outcomes[0] += 1,
            Some(Outcome::Rejected) => tally.outcomes[1] += 1,
            Some(Outcome::Inconclusive(_)) => tally.outcomes[2] += 1,
            None => {}
        }
    }
    for act in acts.iter().filter(|act| act.clear && seen) {
        for change in world.state.changes.values().filter(|change| is_case(change, act)) {
            wrong.extend(case(&mut tally, act, change, showing(world, act, change)));
        }
    }
    (tally, wrong)
}

/// Belay's own verdict.
fn outcome(change: &Change) -> Option<Outcome> {
    change.verdict.as_ref().filter(|verdict| verdict.by == Judge::Belay).map(|verdict| verdict.outcome)
}

/// Whether a Change is one of an act, with enough hosts to be a case.
fn is_case(change: &Change, act: &Act) -> bool {
    let tight = change.treated.values().filter(|treated| !treated.skewed).count();
    act.is_of(change) && tight >= 2 && change.supersedes.is_none()
}

fn case(tally: &mut Tally, act: &Act, change: &Change, showing: usize) -> Option<String> {
    let outcome = outcome(change)?;
    let rejected = outcome == Outcome::Rejected;
    // A schedule puts hosts right as well as people do, and who stood still already cannot stop: where
    // fewer than two hosts showed it for long enough, nobody can be sure.
    let unsure = act.cut_short || (showing < 2 && !rejected);
    match act.nature {
        Nature::Hurts(hurt @ (Hurt::Stops | Hurt::FailsCheck)) if unsure => (outcome == Outcome::Accepted && showing > 0)
            .then(|| format!("{} {} until its hosts were put right, and is accepted", change.id, hurt.word())),
        Nature::Hurts(Hurt::Stops) => {
            tally.stopping[0] += 1;
            tally.stopping[1] += u64::from(rejected);
            (!rejected).then(|| format!("{} stops the flow of {} hosts, and is {outcome}", change.id, change.treated.len()))
        }
        Nature::Hurts(_) => {
            tally.hurting[0] += 1;
            tally.hurting[1] += u64::from(rejected);
            (outcome == Outcome::Accepted && act.nature == Nature::Hurts(Hurt::FailsCheck))
                .then(|| format!("{} makes the check fail on {} hosts, and is accepted", change.id, change.treated.len()))
        }
        // What came to hosts together with an environment made for another release is not harmless there.
        Nature::Harmless if misfits(change) => None,
        Nature::Harmless => {
            let chance = rejected && by_chance(change);
            tally.harmless[0] += 1;
            tally.harmless[1] += u64::from(outcome == Outcome::Accepted);
            tally.harmless[2] += u64::from(chance);
            (rejected && !chance).then(|| format!("{} is harmless, and was rejected: {}", change.id, reasons(change)))
        }
    }
}

/// How many hosts of a Change were well before an act and then sick beyond their grace for at least
/// three whole steps: a restart looks like less.
fn showing(world: &World, act: &Act, change: &Change) -> usize {
    let policy = &world.state.policy;
    let step = policy.signals_of(&change.class).map(|signal| signal.step).max().unwrap_or(Span::ZERO);
    let least = policy.class(&change.class).grace + step.times(4);
    let end = change.verdict.as_ref().map_or(world.clock, |verdict| verdict.at);
    let tight = change.treated.iter().filter(|(_, treated)| !treated.skewed);
    tight.filter_map(|(id, _)| world.fleet.hosts.get(id)).filter(|host| fell_sick(&host.timeline, act.at, end, least)).count()
}

fn fell_sick(timeline: &Timeline, from: Timestamp, end: Timestamp, least: Span) -> bool {
    let sick = |condition: &Condition| condition.health.flow == 0.0 || condition.health.check_fails;
    let mut lasted = Span::ZERO;
    let mut longest = Span::ZERO;
    for (began, until, condition) in timeline.pieces(from, end) {
        lasted = if sick(condition) { lasted + until.since(began) } else { Span::ZERO };
        longest = longest.max(lasted);
    }
    timeline.at(from).is_some_and(|before| !sick(before)) && longest >= least
}

/// Whether any host of a Change got an environment that is not the one for the release it runs.
fn misfits(change: &Change) -> bool {
    let fitting = change.release.as_ref().map(|release| if release.as_str() == RELEASES[1] { NEXT } else { STABLE });
    let got = change.treated.values().filter_map(|treated| treated.environment.as_ref());
    fitting.is_some_and(|fitting| got.into_iter().any(|environment| environment.as_str() != fitting))
}

/// Whether only tests spoke against it that are allowed to err once in a while.
fn by_chance(change: &Change) -> bool {
    harms(change).all(|finding| finding.check == Check::FlowShare)
}

fn harms(change: &Change) -> impl Iterator<Item = &Finding> {
    change.verdict.iter().flat_map(|verdict| &verdict.findings).filter(|finding| finding.says == Says::Harm)
}

fn reasons(change: &Change) -> String {
    harms(change).map(|finding| finding.text.clone()).collect::<Vec<_>>().join("; ")
}

//! What became of the acts: counted, and held against what should have.

use std::ops::AddAssign;

use belay_core::model::change::Change;
use belay_core::model::verdict::{Check, Finding, Judge, Outcome, Says};

use super::acts::{Act, Nature};
use crate::fleet::application::Hurt;
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
            wrong.extend(case(&mut tally, act, change));
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

fn case(tally: &mut Tally, act: &Act, change: &Change) -> Option<String> {
    let outcome = outcome(change)?;
    let rejected = outcome == Outcome::Rejected;
    match act.nature {
        Nature::Hurts(hurt @ (Hurt::Stops | Hurt::FailsCheck)) if act.cut_short => {
            (outcome == Outcome::Accepted).then(|| format!("{} {} until its hosts were put right, and is accepted", change.id, hurt.word()))
        }
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
        Nature::Harmless => {
            let chance = rejected && by_chance(change);
            tally.harmless[0] += 1;
            tally.harmless[1] += u64::from(outcome == Outcome::Accepted);
            tally.harmless[2] += u64::from(chance);
            (rejected && !chance).then(|| format!("{} is harmless, and was rejected: {}", change.id, reasons(change)))
        }
    }
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

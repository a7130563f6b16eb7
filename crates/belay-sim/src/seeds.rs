//! Seeds: each draws a fleet, a configuration and a story of changes and faults, plays it in
//! virtual time with all checkers on, and can be played again exactly.

mod acts;
mod cast;
mod faults;
mod known;
#[cfg(test)]
mod pinned;
mod tally;

use belay_core::model::time::{Span, Timestamp};
use belay_stats::rng::Rng;

pub use known::known;
pub use tally::Tally;

use crate::checkers::{Breach, check_ended};
use crate::world::{Receipt, Switch, World};
use acts::Act;
use cast::Cast;

/// What came of a seed.
#[derive(Clone, Debug)]
pub struct Played {
    /// The seed.
    pub seed: u64,
    /// What must never be, and was.
    pub breaches: Vec<Breach>,
    /// What was counted.
    pub tally: Tally,
}

/// A story on its way.
struct Story {
    world: World,
    rng: Rng,
    cast: Cast,
    acts: Vec<Act>,
    /// From this time on nothing disturbs a comparison.
    calm_from: Timestamp,
    /// Texts given out so far.
    texts: u32,
    /// What was committed, in words, for whoever looks for a reason.
    log: Vec<String>,
}

/// Plays a seed.
pub fn play(seed: u64) -> Played {
    let story = Story::whole(seed);
    let (tally, wrong) = tally::weigh(&story.world, &story.acts, story.cast.seen);
    let mut breaches = check_ended(&story.world);
    breaches.extend(wrong.into_iter().map(|text| Breach { checker: "clear cases are judged right", text }));
    Played { seed, breaches, tally }
}

/// What a seed tells, act by act, for whoever looks into it.
pub fn tell(seed: u64) -> (Vec<String>, World) {
    let story = Story::whole(seed);
    (story.log, story.world)
}

impl Story {
    /// The whole story of a seed, to its end.
    fn whole(seed: u64) -> Self {
        let mut story = Self::begin(seed);
        story.enrol();
        for _ in 0..2 + story.rng.below(4) {
            story.act();
        }
        story.settle();
        story
    }

    fn begin(seed: u64) -> Self {
        let mut rng = Rng::new(seed).fork(1);
        let mut world = World::new(seed);
        let cast = cast::draw(&mut rng, &mut world);
        let calm_from = world.clock;
        Self { world, rng, cast, acts: Vec::new(), calm_from, texts: 0, log: Vec::new() }
    }

    fn note(&mut self, text: String) {
        self.log.push(format!("{} {text}", self.world.clock));
    }

    /// Everybody is heard of, then long enough passes for a past to compare with.
    fn enrol(&mut self) {
        let hosts: Vec<_> = self.world.fleet.hosts.keys().cloned().collect();
        let start = self.world.clock;
        for host in hosts {
            let at = start + self.within(Span::from_min(5));
            self.world.plan(at, crate::world::Due::Tell(host.clone()));
            self.world.plan(at + Span::from_s(1), crate::world::Due::Run(host.clone(), Default::default()));
        }
        self.world.run_for(Span::from_min(6));
        if self.rng.chance(0.5) {
            let every = Span::from_min(20 + i64::try_from(self.rng.below(40)).unwrap_or(0));
            self.switch_all(&Switch::Cron(Some(every)));
        }
        self.calm_from = self.world.clock;
    }

    /// A drawn part of a length of time.
    fn within(&mut self, span: Span) -> Span {
        Span::from_ms(i64::try_from(self.rng.below(span.ms().unsigned_abs().max(1))).unwrap_or(0))
    }

    fn switch_all(&mut self, switch: &Switch) {
        let hosts: Vec<_> = self.world.fleet.hosts.keys().cloned().collect();
        for host in hosts {
            self.world.switch(&host, switch);
        }
    }

    /// Whether the next act happens in a calm that leaves no excuse.
    fn is_calm(&self) -> bool {
        self.world.clock.since(self.calm_from) >= self.cast.past
    }

    /// All faults end, everybody runs once more, and everything gets the time to end.
    fn settle(&mut self) {
        self.note("everything is put right, and gets its time".to_owned());
        for receipt in self.world.outbox.receipts.values_mut() {
            *receipt = Receipt::Takes;
        }
        self.end_faults();
        self.switch_all(&Switch::Cron(None));
        self.world.run_for(Span::from_min(26 * 60));
        let end = self.world.clock + Span::from_min(24 * 60);
        self.world.run_until_holds(end, |world| world.state.open_changes().count() == 0);
        let end = self.world.clock + Span::from_min(4 * 60);
        self.world.run_until_holds(end, |world| world.state.next_effect_at().is_none());
    }
}

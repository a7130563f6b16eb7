//! Random histories of decisions, questions, lost answers, cuts, crashes and restarts: machines which classify
//! the same hosts do not answer differently, as far as they can be reached.

use std::collections::BTreeMap;

use belay_core::decide::tables::{Due, LEAD, PATIENCE, due};
use belay_core::host::table::Shelf;
use belay_core::model::table::TableId;
use belay_core::model::time::{Span, Timestamp};
use belay_stats::Rng;

use crate::tables::{Desk, SECOND, id};

/// Whoever comes back answers as the others do within this time.
const CAUGHT_UP: Span = Span::from_s(6);

/// A machine of a history: what lies on its disk, and what it answers by it.
#[derive(Default)]
struct Post {
    shelf: Shelf,
    /// What was decided when the table in the base was made, and the one beside it.
    base: Option<u64>,
    next: Option<u64>,
    /// Until when it cannot be reached, or does not run.
    cut: Timestamp,
    /// When a question of it last reached the server.
    reached: Option<Timestamp>,
    /// Since when nothing has been wrong with it.
    well: Timestamp,
    asks_at: Timestamp,
}

impl Post {
    fn answer(&self, now: Timestamp) -> Option<u64> {
        if self.shelf.beside(now).is_some() { self.next } else { self.base }
    }

    fn settle(&mut self, now: Timestamp) {
        if let Some(moving) = self.shelf.moving(now) {
            (self.shelf, self.base, self.next) = (moving.moved(), self.next, None);
        }
    }

    fn is_well(&self, since: Timestamp, now: Timestamp) -> bool {
        self.well <= since && self.cut <= now
    }
}

/// A random history of decisions, questions, lost answers, cuts, crashes and restarts.
struct History {
    rng: Rng,
    desk: Desk,
    posts: Vec<Post>,
    decided: u64,
    /// What was decided when a table was made that the server can still give.
    given: BTreeMap<TableId, u64>,
    /// The same of all that were ever made.
    made: BTreeMap<TableId, u64>,
    seed: u64,
}

impl History {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let outposts = 2 + usize::try_from(rng.below(3)).unwrap();
        let desk = Desk::new(outposts);
        let posts = (0..outposts).map(|_| Post { asks_at: desk.lab.now, well: desk.lab.now, ..Post::default() }).collect();
        Self { rng, desk, posts, decided: 1, given: BTreeMap::new(), made: BTreeMap::new(), seed }
    }

    fn now(&self) -> Timestamp {
        self.desk.lab.now
    }

    fn spell(&mut self) -> Span {
        let most = if self.rng.chance(0.1) { 900_000 } else { 8_000 };
        Span::from_ms(i64::try_from(self.rng.below(most)).unwrap())
    }

    /// A quarter of a second passes. Something goes wrong where it may.
    fn step(&mut self, calm: bool) {
        self.desk.lab.pass(Span::from_ms(250));
        if self.rng.chance(0.1) {
            self.decided += u64::from(!calm);
        }
        for nth in 0..self.posts.len() {
            if !calm && self.rng.chance(0.004) {
                let until = self.now() + self.spell();
                self.posts[nth].cut = until;
                self.posts[nth].well = until;
            }
        }
        if !calm && self.rng.chance(0.002) {
            self.desk.restart();
            self.given.clear();
        }
        for nth in 0..self.posts.len() {
            if self.posts[nth].asks_at <= self.now() && self.posts[nth].cut <= self.now() {
                self.ask(nth, calm);
                let again = Span::from_ms(500 + i64::try_from(self.rng.below(1_000)).unwrap());
                self.posts[nth].asks_at = self.now() + again;
            }
        }
        self.check();
    }

    fn ask(&mut self, nth: usize, calm: bool) {
        let now = self.now();
        self.posts[nth].settle(now);
        let shelf = self.posts[nth].shelf;
        if self.desk.lab.state.outposts.get(&id(nth)).is_some_and(|outpost| outpost.left.is_some()) {
            // Nobody waited for it: it has to catch up first.
            self.posts[nth].well = now + CAUGHT_UP;
        }
        let newest = self.given.iter().next_back().map(|(_, decided)| *decided);
        let before = self.desk.force();
        let told = self.desk.asks(nth, shelf.stored(), shelf.in_force(), newest != Some(self.decided));
        self.posts[nth].reached = Some(now);
        if self.desk.force() != before {
            self.all_have_it();
        }
        if let Some(pending) = self.desk.lab.state.tables.pending().filter(|pending| self.desk.heard.held == Some(*pending)) {
            self.given.entry(pending).or_insert(self.decided);
            self.made.entry(pending).or_insert(self.decided);
        }
        if let Some(force) = self.desk.force() {
            self.desk.heard.held = self.desk.heard.held.filter(|held| *held != force.table);
            self.given.retain(|table, _| *table >= force.table);
        }
        let word = self.desk.word(nth, shelf.stored(), shelf.in_force());
        let told = Due { give: due(&self.desk.lab.state, |table| self.given.contains_key(&table), &word).give, ..told };
        if !calm && self.rng.chance(0.03) {
            // The answer is lost: the next question comes, but what it would have told is not known till then.
            self.posts[nth].well = now;
            return;
        }
        self.take(nth, told, calm);
    }

    fn take(&mut self, nth: usize, told: Due, calm: bool) {
        let (now, crashes) = (self.now(), !calm && self.rng.chance(0.01));
        let post = &mut self.posts[nth];
        if let Some(force) = told.force {
            post.shelf = post.shelf.told(force);
        }
        post.settle(now);
        let Some(table) = told.give.filter(|table| post.shelf.takes(*table)) else { return };
        if crashes {
            // Before it lay there whole: nothing is said of it, and it is begun anew.
            post.well = now;
            return;
        }
        (post.shelf, post.next) = (post.shelf.with(table), Some(self.given[&table]));
    }

    /// A table goes in force only when everybody who was heard within the ten minutes has it on its disk.
    fn all_have_it(&self) {
        let force = self.desk.force().unwrap();
        for (nth, post) in self.posts.iter().enumerate() {
            let heard = post.reached.is_some_and(|at| self.now().since(at) <= PATIENCE);
            let has = post.shelf.stored() == Some(force.table);
            let word = post.reached.map(|at| self.now().since(at));
            let fresh = word.is_some_and(|word| word <= Span::from_s(5));
            assert!(fresh || !heard, "seed {}: table {} is in force on a word of ps{nth} that is {word:?} old", self.seed, force.table);
            assert!(has || !heard, "seed {}: table {} is in force without ps{nth} at {}", self.seed, force.table, self.now());
        }
    }

    fn check(&self) {
        let now = self.now();
        let Some(force) = self.desk.force() else { return };
        // Who was well while the switch was told knows of it when it comes; and who is well for a while has caught up,
        // where the table can still be had.
        let since = if now < force.from { now - LEAD } else { force.from - LEAD };
        let well = |post: &&Post| post.is_well(since, now) && post.base.is_some() && now.since(post.reached.unwrap_or(post.well)) <= LEAD;
        let mut answers = self.posts.iter().filter(well).map(|post| post.answer(now));
        let first = answers.next();
        let equal = answers.all(|answer| Some(answer) == first);
        let shown = || self.posts.iter().map(|post| (post.answer(now), post.shelf, post.well, post.reached)).collect::<Vec<_>>();
        assert!(equal, "seed {}: at {now}, table {} from {}: {:?}", self.seed, force.table, force.from, shown());
        if let (Some(decided), true) = (self.given.get(&force.table), now.since(force.from) >= CAUGHT_UP) {
            for post in self.posts.iter().filter(|post| post.is_well(now - CAUGHT_UP, now)) {
                assert_eq!(post.answer(now), Some(*decided), "seed {}: at {now}: {:?}", self.seed, shown());
            }
        }
    }
}

#[test]
fn over_random_histories_those_who_can_be_reached_answer_alike() {
    for seed in 0..200 {
        let mut history = History::new(seed);
        (0..2_400).for_each(|_| history.step(false));
        // All is well again: within the ten minutes and a little everybody answers by what was decided last.
        let now = history.now();
        history.posts.iter_mut().for_each(|post| (post.cut, post.well) = (post.cut.min(now), post.well.min(now)));
        (0..120).for_each(|_| history.step(true));
        let now = history.now();
        for post in &history.posts {
            assert_eq!(post.answer(now), Some(history.decided), "seed {seed}: {:?}", post.shelf);
        }
        assert!(history.made.len() > 1, "seed {seed}: tables go on");
    }
}

#[test]
fn steady_decisions_starve_nobody() {
    let mut desk = Desk::new(3);
    let mut shelves = [Shelf::default(); 3];
    for _ in 0..200 {
        desk.lab.pass(SECOND);
        for (nth, shelf_of) in shelves.iter_mut().enumerate() {
            let shelf = *shelf_of;
            let told = desk.asks(nth, shelf.stored(), shelf.in_force(), true);
            let told_of = told.force.map_or(shelf, |force| shelf.told(force));
            let settled = told_of.moving(desk.lab.now).map_or(told_of, Shelf::moved);
            *shelf_of = told.give.filter(|table| settled.takes(*table)).map_or(settled, |table| settled.with(table));
        }
    }
    let number = desk.force().unwrap().table.number;
    assert!(number >= 30, "only {number} tables in 200 seconds");
}

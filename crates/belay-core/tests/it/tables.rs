//! Tables: who is waited for, when a table goes in force, and, over random histories, that machines which
//! classify the same hosts do not answer differently.

use std::collections::BTreeMap;

use belay_core::decide::tables::{Due, FRESH, Heard, LEAD, NOTED_EVERY, PATIENCE, Word, due, has_room, is_due, may_make};
use belay_core::decide::{Answer, Input};
use belay_core::explain::outpost;
use belay_core::host::table::Shelf;
use belay_core::model::ids::{Digest, HostId};
use belay_core::model::policy::Pattern;
use belay_core::model::principal::{Principal, Token};
use belay_core::model::table::{InForce, OUTPOSTS_MAX, OutpostId, TableId};
use belay_core::model::time::{Span, Timestamp};
use belay_core::state::{Fact, NoteKind, State};
use belay_stats::Rng;

use crate::lab::{Lab, admin};

const SECOND: Span = Span::from_s(1);
/// Whoever comes back answers as the others do within this time.
const CAUGHT_UP: Span = Span::from_s(6);

fn name(nth: usize) -> String {
    format!("ps{nth}")
}

fn id(nth: usize) -> OutpostId {
    OutpostId::of(&HostId::parse(&name(nth)).unwrap(), &name(nth))
}

fn token(nth: usize, now: Timestamp) -> Token {
    let principal = Principal::Relay(Pattern::new("*"));
    Token { hash: Digest::of(name(nth).as_bytes()), name: name(nth), principal, issued: now }
}

/// What a server knows of outposts beside its state.
struct Desk {
    lab: Lab,
    heard: Heard,
}

impl Desk {
    /// A server that has issued credentials to so many.
    fn new(outposts: usize) -> Self {
        let mut lab = Lab::new();
        for nth in 0..outposts {
            let input = Input::IssueToken { principal: admin(), token: token(nth, lab.now) };
            assert_eq!(lab.tell(&input), Answer::Done);
        }
        Self { lab, heard: Heard::default() }
    }

    fn word(&self, nth: usize, stored: Option<TableId>, in_force: Option<TableId>) -> Word {
        let (host, token) = (HostId::parse(&name(nth)).unwrap(), Some(name(nth)));
        Word { at: self.lab.now, host, token, stored, in_force }
    }

    /// An outpost asks; what follows is decided, and where there is something new and room, a table is made.
    fn asks(&mut self, nth: usize, stored: Option<TableId>, in_force: Option<TableId>, news: bool) -> Due {
        let word = self.word(nth, stored, in_force);
        self.heard.words.insert(id(nth), word.clone());
        let mut news = news;
        for _ in 0..8 {
            if is_due(&self.lab.state, &self.heard, self.lab.now) {
                self.lab.tell(&Input::Tables { heard: Box::new(self.heard.clone()) });
            } else if news && may_make(&self.lab.state, &self.heard, self.lab.now) {
                news = false;
                self.lab.tell(&Input::Tables { heard: Box::new(Heard { news: true, ..self.heard.clone() }) });
                self.heard.held = self.lab.state.tables.pending();
            }
        }
        due(&self.lab.state, |_| true, &word)
    }

    fn force(&self) -> Option<InForce> {
        self.lab.state.tables.force
    }

    /// What is said is gone with the process, and so are the tables that were to be given.
    fn restart(&mut self) {
        self.heard = Heard::default();
        self.lab.state.listening = self.lab.now;
    }

    fn notes(&self, kind: NoteKind) -> usize {
        self.lab.journal.iter().filter(|(_, fact)| matches!(fact, Fact::Noted(note) if note.kind == kind)).count()
    }
}

fn table(number: u64) -> TableId {
    TableId { incarnation: 0, number }
}

#[test]
fn one_alone_waits_for_nobody() {
    let mut desk = Desk::new(1);
    assert_eq!(desk.asks(0, None, None, true).give, Some(table(1)));
    assert_eq!(desk.force(), None, "it does not have it yet");
    let told = desk.asks(0, Some(table(1)), None, false);
    assert_eq!(told.force, Some(InForce { table: table(1), from: desk.lab.now }), "at once");
    assert!(told.switch && told.give.is_none());
    assert!(!desk.asks(0, Some(table(1)), Some(table(1)), false).is_news());
}

#[test]
fn a_table_is_in_force_when_all_have_it_and_from_one_time_on() {
    let mut desk = Desk::new(2);
    desk.asks(0, None, None, false);
    desk.asks(1, None, None, true);
    assert_eq!(desk.asks(0, Some(table(1)), None, true).force, None, "the other one does not have it");
    desk.lab.pass(SECOND);
    let told = desk.asks(1, Some(table(1)), None, true);
    let from = desk.lab.now + LEAD;
    assert_eq!((told.force, told.switch), (Some(InForce { table: table(1), from }), true));
    assert_eq!(desk.asks(0, Some(table(1)), None, true).force.unwrap().from, from);
    assert_eq!(desk.lab.state.tables.pending(), None, "the next one is not made before the switch");
    desk.lab.pass(LEAD);
    assert_eq!(desk.asks(0, Some(table(1)), Some(table(1)), true).give, Some(table(2)));
}

#[test]
fn a_word_that_is_not_fresh_counts_for_nothing() {
    let mut desk = Desk::new(2);
    desk.asks(0, None, None, false);
    desk.asks(1, None, None, true);
    desk.asks(0, Some(table(1)), None, false);
    desk.lab.pass(FRESH + SECOND);
    assert_eq!(desk.asks(1, Some(table(1)), None, false).force, None, "would the first one hear of the switch?");
    assert!(desk.asks(0, Some(table(1)), None, false).force.is_some());
}

#[test]
fn one_that_is_silent_is_waited_for_and_not_for_ever_and_one_that_comes_back_gets_what_is_in_force() {
    let mut desk = Desk::new(2);
    desk.asks(0, None, None, false);
    desk.asks(1, None, None, true);
    desk.lab.pass(PATIENCE);
    assert_eq!(desk.asks(0, Some(table(1)), None, false).force, None);
    let line = |desk: &Desk| outpost::line(&desk.lab.state, &desk.heard, Some(desk.lab.now - PATIENCE), desk.lab.now).unwrap();
    assert!(line(&desk).unwrap_err().contains("table 1 waits for ps1 by ps1 for 10 min"), "{:?}", line(&desk));
    desk.lab.pass(SECOND);
    assert_eq!(desk.asks(0, Some(table(1)), None, false).force.unwrap().from, desk.lab.now, "there is nobody else");
    assert_eq!(desk.notes(NoteKind::Warning), 1);
    assert!(line(&desk).unwrap_err().contains("ps1 by ps1 is not waited for since"), "{:?}", line(&desk));
    desk.asks(0, Some(table(1)), Some(table(1)), true);
    assert_eq!(desk.lab.state.tables.pending(), Some(table(2)));
    let back = desk.asks(1, None, None, false);
    assert_eq!((back.give, back.switch), (Some(table(1)), false), "first what the others answer by");
    assert_eq!(desk.asks(0, Some(table(2)), Some(table(1)), false).force.unwrap().table, table(1), "it counts again");
    let caught_up = desk.asks(1, Some(table(1)), None, false);
    assert_eq!((caught_up.switch, caught_up.give), (true, Some(table(2))));
    assert_eq!(desk.asks(1, Some(table(2)), Some(table(1)), false).force.unwrap().table, table(2));
    assert!(line(&desk).is_ok(), "{:?}", line(&desk));
}

#[test]
fn after_a_restart_all_that_are_known_have_to_be_heard_first() {
    let mut desk = Desk::new(2);
    desk.asks(0, None, None, false);
    desk.asks(1, None, None, true);
    desk.asks(0, Some(table(1)), None, false);
    desk.restart();
    assert_eq!(desk.asks(0, Some(table(1)), None, true).give, Some(table(2)), "what was to be given is gone, and its number with it");
    desk.lab.pass(PATIENCE);
    assert_eq!(desk.asks(0, Some(table(2)), None, false).force, None, "it does not matter how long it was silent before");
    desk.lab.pass(SECOND);
    assert!(desk.asks(0, Some(table(2)), None, false).force.is_some());
    desk.restart();
    desk.lab.pass(SECOND);
    desk.asks(0, Some(table(2)), Some(table(2)), true);
    assert_eq!(desk.asks(0, Some(table(3)), Some(table(2)), false).force.unwrap().table, table(3), "one that was given up stays so");
}

#[test]
fn whose_credential_was_revoked_does_not_count() {
    let mut desk = Desk::new(2);
    desk.asks(0, None, None, false);
    desk.asks(1, None, None, true);
    desk.lab.tell(&Input::RevokeToken { principal: admin(), name: name(1) });
    assert!(desk.asks(0, Some(table(1)), None, false).force.is_some());
    assert_eq!(desk.lab.state.outposts.len(), 1, "it is forgotten");
}

#[test]
fn being_heard_fills_no_ledger_and_a_state_comes_back_from_its_facts() {
    let mut desk = Desk::new(1);
    desk.asks(0, None, None, true);
    desk.asks(0, Some(table(1)), None, false);
    let before = desk.lab.journal.len();
    let end = desk.lab.now + NOTED_EVERY + NOTED_EVERY;
    while desk.lab.now < end {
        desk.lab.pass(SECOND);
        desk.asks(0, Some(table(1)), Some(table(1)), false);
    }
    assert_eq!(desk.lab.journal.len() - before, 2, "one an hour");
    let facts = desk.lab.state.to_facts();
    let mut again = State::default();
    facts.iter().for_each(|(at, fact)| again.apply(*at, fact));
    assert_eq!((&again.outposts, again.tables), (&desk.lab.state.outposts, desk.lab.state.tables));
    assert_eq!(again.to_facts(), facts);
}

#[test]
fn so_many_are_known_and_no_more_unless_one_is_away() {
    let mut desk = Desk::new(OUTPOSTS_MAX + 1);
    (0..OUTPOSTS_MAX).for_each(|nth| drop(desk.asks(nth, None, None, false)));
    assert!(!has_room(&desk.lab.state, &id(OUTPOSTS_MAX)) && has_room(&desk.lab.state, &id(0)));
    desk.asks(OUTPOSTS_MAX, None, None, false);
    assert!(!desk.lab.state.outposts.contains_key(&id(OUTPOSTS_MAX)));
    desk.lab.pass(PATIENCE + SECOND);
    (1..OUTPOSTS_MAX).for_each(|nth| drop(desk.asks(nth, None, None, false)));
    desk.asks(OUTPOSTS_MAX, None, None, false);
    assert_eq!(desk.lab.state.outposts.len(), OUTPOSTS_MAX);
    assert!(desk.lab.state.outposts.contains_key(&id(OUTPOSTS_MAX)) && !desk.lab.state.outposts.contains_key(&id(0)));
}

#[test]
fn a_replica_that_does_not_lead_puts_nothing_in_force() {
    let mut desk = Desk::new(1);
    desk.asks(0, None, None, true);
    desk.lab.state.lead = belay_core::state::Lead::Follows;
    assert_eq!(desk.asks(0, Some(table(1)), None, false).force, None);
}

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
        for nth in 0..3 {
            let shelf = shelves[nth];
            let told = desk.asks(nth, shelf.stored(), shelf.in_force(), true);
            let told_of = told.force.map_or(shelf, |force| shelf.told(force));
            let settled = told_of.moving(desk.lab.now).map_or(told_of, Shelf::moved);
            shelves[nth] = told.give.filter(|table| settled.takes(*table)).map_or(settled, |table| settled.with(table));
        }
    }
    let number = desk.force().unwrap().table.number;
    assert!(number >= 30, "only {number} tables in 200 seconds");
}

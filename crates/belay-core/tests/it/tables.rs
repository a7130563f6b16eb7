//! Tables: who is waited for, and when a table goes in force.

use belay_core::decide::tables::{Due, FRESH, Heard, LEAD, NOTED_EVERY, PATIENCE, Word, due, has_room, is_due, may_make};
use belay_core::decide::{Answer, Input};
use belay_core::explain::outpost;
use belay_core::model::ids::{Digest, HostId};
use belay_core::model::policy::Pattern;
use belay_core::model::principal::{Principal, Token};
use belay_core::model::table::{InForce, OUTPOSTS_MAX, OutpostId, TableId};
use belay_core::model::time::{Span, Timestamp};
use belay_core::state::{Fact, NoteKind, State};

use crate::lab::{Lab, admin};

pub const SECOND: Span = Span::from_s(1);

fn name(nth: usize) -> String {
    format!("ps{nth}")
}

pub fn id(nth: usize) -> OutpostId {
    OutpostId::of(&HostId::parse(&name(nth)).unwrap(), &name(nth))
}

fn token(nth: usize, now: Timestamp) -> Token {
    let principal = Principal::Relay(Pattern::new("*"));
    Token { hash: Digest::of(name(nth).as_bytes()), name: name(nth), principal, issued: now }
}

/// What a server knows of outposts beside its state.
pub struct Desk {
    pub lab: Lab,
    pub heard: Heard,
}

impl Desk {
    /// A server that has issued credentials to so many.
    pub fn new(outposts: usize) -> Self {
        let mut lab = Lab::new();
        for nth in 0..outposts {
            let input = Input::IssueToken { principal: admin(), token: token(nth, lab.now) };
            assert_eq!(lab.tell(&input), Answer::Done);
        }
        Self { lab, heard: Heard::default() }
    }

    pub fn word(&self, nth: usize, stored: Option<TableId>, in_force: Option<TableId>) -> Word {
        let (host, token) = (HostId::parse(&name(nth)).unwrap(), Some(name(nth)));
        Word { at: self.lab.now, host, token, stored, in_force }
    }

    /// An outpost asks; what follows is decided, and where there is something new and room, a table is made.
    pub fn asks(&mut self, nth: usize, stored: Option<TableId>, in_force: Option<TableId>, news: bool) -> Due {
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

    pub fn force(&self) -> Option<InForce> {
        self.lab.state.tables.force
    }

    /// What is said is gone with the process, and so are the tables that were to be given.
    pub fn restart(&mut self) {
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
    desk.lab.pass(Span::from_min(9));
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
    for nth in 0..OUTPOSTS_MAX {
        desk.asks(nth, None, None, false);
    }
    assert!(!has_room(&desk.lab.state, &id(OUTPOSTS_MAX)) && has_room(&desk.lab.state, &id(0)));
    desk.asks(OUTPOSTS_MAX, None, None, false);
    assert!(!desk.lab.state.outposts.contains_key(&id(OUTPOSTS_MAX)));
    desk.lab.pass(PATIENCE + SECOND);
    for nth in 1..OUTPOSTS_MAX {
        desk.asks(nth, None, None, false);
    }
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

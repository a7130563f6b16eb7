//! What the daemon remembers from one moment to the next, in one file, so that what belongs
//! together survives together: the memory of the lock and the events that follow from it.

use std::collections::BTreeSet;

use anyhow::Result;
use belay_api::agent::{EventBody, ResultBody};
use belay_core::host::lock::Memory;
use belay_core::host::talk::{EVENTS_MAX, Event, Happened, RevertResult};
use belay_core::model::ids::{HoldId, RevertId};
use belay_core::model::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::Kept;
use crate::durable::{Guard, Sync};

/// Reverts that are remembered as done or begun.
const REVERTS_MAX: usize = 1_000;

/// What is remembered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// The memory of the lock.
    pub memory: Memory,
    /// When the lock was last written.
    pub written: Option<Timestamp>,
    /// What somebody else's lock said that the server was told of.
    pub foreign: Option<String>,
    /// By which the text of the lock is known that was written last.
    pub text: String,
    /// The number of the next event.
    pub next: u64,
    /// Events that were not acknowledged yet.
    pub events: Vec<Event>,
    /// Events that were left out because there were too many.
    pub left_out: u64,
    /// Reverts that were begun, so that none is done twice.
    pub begun: BTreeSet<RevertId>,
    /// The revert that goes on.
    pub going_on: Option<RevertId>,
    /// Results that were not acknowledged yet.
    pub results: Vec<RevertResult>,
    /// Expired holds for which a rehearsal was done.
    pub rehearsed: BTreeSet<HoldId>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct File {
    wrote: BTreeSet<u64>,
    writing: bool,
    written_ms: Option<i64>,
    broken_ms: Option<i64>,
    broken: BTreeSet<u64>,
    yielded: BTreeSet<u64>,
    foreign: Option<String>,
    text: String,
    next: u64,
    events: Vec<EventBody>,
    left_out: u64,
    begun: BTreeSet<u64>,
    going_on: Option<u64>,
    results: Vec<ResultBody>,
    rehearsed: BTreeSet<u64>,
}

impl Kept {
    /// What is remembered. What cannot be read is begun anew, with numbers beyond all that were
    /// given: a server takes no number twice.
    pub fn notes(&self, now: Timestamp) -> Notes {
        match self.load::<File>("notes.json") {
            Ok(Some(file)) => Notes::from_file(&file),
            Ok(None) | Err(_) => Notes { next: u64::try_from(now.ms()).unwrap_or(1).max(1), ..Notes::default() },
        }
    }

    /// Keeps what is remembered.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn remember(&self, _: &Guard, notes: &Notes) -> Result<()> {
        self.save("notes.json", &notes.to_file(), Sync::Yes)
    }
}

impl Notes {
    /// Notes what happened, once: the same thing that still waits to be told is not told again.
    pub fn add(&mut self, at: Timestamp, what: Happened) {
        if matches!(&what, Happened::LetThrough(_)) && self.events.iter().any(|event| event.what == what) {
            return;
        }
        self.events.push(Event { number: self.next, at, what });
        self.next += 1;
        if self.events.len() > EVENTS_MAX {
            let over = self.events.len() - EVENTS_MAX;
            self.events.drain(..over);
            self.left_out += over as u64;
        }
    }

    /// Lets go of what the server has taken.
    pub fn acknowledged(&mut self, ack: u64, results: &[RevertId]) {
        self.events.retain(|event| event.number > ack);
        self.results.retain(|result| !results.contains(&result.id));
    }

    /// Notes that a revert begins; says whether it may, that is for the first time.
    pub fn begin(&mut self, id: RevertId) -> bool {
        if !self.begun.insert(id) {
            return false;
        }
        while self.begun.len() > REVERTS_MAX {
            self.begun.pop_first();
        }
        true
    }

    fn to_file(&self) -> File {
        let holds = |holds: &BTreeSet<HoldId>| holds.iter().map(|hold| hold.0).collect();
        let (broken_ms, broken) = match &self.memory.broken {
            Some((at, of)) => (Some(at.ms()), holds(of)),
            None => (None, BTreeSet::new()),
        };
        File {
            wrote: holds(&self.memory.wrote),
            writing: self.memory.writing,
            written_ms: self.written.map(Timestamp::ms),
            broken_ms,
            broken,
            yielded: holds(&self.memory.yielded),
            foreign: self.foreign.clone(),
            text: self.text.clone(),
            next: self.next,
            events: self.events.iter().map(EventBody::from).collect(),
            left_out: self.left_out,
            begun: self.begun.iter().map(|id| id.0).collect(),
            going_on: self.going_on.map(|id| id.0),
            results: self.results.iter().map(ResultBody::from).collect(),
            rehearsed: holds(&self.rehearsed),
        }
    }

    fn from_file(file: &File) -> Self {
        let holds = |numbers: &BTreeSet<u64>| numbers.iter().map(|number| HoldId(*number)).collect::<BTreeSet<_>>();
        let broken = file.broken_ms.map(|ms| (Timestamp::from_ms(ms), holds(&file.broken)));
        Self {
            memory: Memory { wrote: holds(&file.wrote), writing: file.writing, broken, yielded: holds(&file.yielded) },
            written: file.written_ms.map(Timestamp::from_ms),
            foreign: file.foreign.clone(),
            text: file.text.clone(),
            next: file.next,
            events: file.events.iter().filter_map(|event| event.event("").ok()).collect(),
            left_out: file.left_out,
            begun: file.begun.iter().map(|number| RevertId(*number)).collect(),
            going_on: file.going_on.map(RevertId),
            results: file.results.iter().filter_map(|result| result.result("").ok()).collect(),
            rehearsed: holds(&file.rehearsed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notes() -> Notes {
        let mut notes = Notes { next: 7, ..Notes::default() };
        notes.memory.wrote = BTreeSet::from([HoldId(1)]);
        notes.memory.writing = true;
        notes.written = Some(Timestamp::from_ms(4));
        notes.memory.broken = Some((Timestamp::from_ms(5), BTreeSet::from([HoldId(1)])));
        notes.add(Timestamp::from_ms(9), Happened::LetThrough("away".to_owned()));
        notes.results.push(RevertResult { id: RevertId(3), outcome: Err("no".to_owned()), said: "x".to_owned() });
        notes.rehearsed = BTreeSet::from([HoldId(2)]);
        assert!(notes.begin(RevertId(3)));
        notes
    }

    #[test]
    fn what_is_remembered_survives() {
        let dir = tempfile::tempdir().unwrap();
        let kept = Kept::new(dir.path());
        kept.remember(&kept.guard().unwrap(), &notes()).unwrap();
        let mut read = kept.notes(Timestamp::from_ms(0));
        assert_eq!(read, notes());
        assert!(!read.begin(RevertId(3)), "no revert is done twice");
        read.acknowledged(7, &[RevertId(3)]);
        assert!(read.events.is_empty() && read.results.is_empty());
        std::fs::write(kept.path("notes.json"), "{").unwrap();
        assert_eq!(kept.notes(Timestamp::from_ms(99)).next, 99, "no number is given twice");
    }

    #[test]
    fn events_are_bounded_and_what_is_left_out_is_counted() {
        let mut notes = Notes { next: 1, ..Notes::default() };
        for nth in 0..EVENTS_MAX + 5 {
            notes.add(Timestamp::from_ms(0), Happened::LetThrough(nth.to_string()));
            notes.add(Timestamp::from_ms(0), Happened::LetThrough(nth.to_string()));
        }
        assert_eq!((notes.events.len(), notes.left_out, notes.events[0].number), (EVENTS_MAX, 5, 6));
    }
}

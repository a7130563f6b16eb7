//! The lock that holds a host: what is wanted (holds of the last policy), what is found (the tool's
//! own lock) and what is remembered give what is to be done. Belay removes only locks it wrote; a
//! lock removed by hand is put back once, and when it is removed again within the hour that is taken
//! for a broken glass: told, and not fought.
//!
//! The caller keeps the memory *before* it does what is to be done, so that a crash between the two
//! is told apart from somebody's hand: what was intended and is not there was never done.

use std::collections::BTreeSet;

use crate::model::gate::HoldOrder;
use crate::model::ids::HoldId;
use crate::model::time::{Span, Timestamp};

/// A lock removed again within this time is not put back.
pub const AGAIN: Span = Span::from_min(60);

/// A lock as it was found on the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// None.
    Absent,
    /// One that Belay wrote, for these holds.
    Ours(BTreeSet<HoldId>),
    /// Somebody else's: what it says, and since when it is there.
    Foreign {
        /// What it says.
        message: String,
        /// Since when, where that is known.
        since: Option<Timestamp>,
    },
}

/// What a host remembers of its lock from one time to the next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// The holds the lock stands for that was last written, or was about to be.
    pub wrote: BTreeSet<HoldId>,
    /// It was about to be written; whether it was, only the next look tells.
    pub writing: bool,
    /// When a lock of ours was last found removed by hand, and the holds it stood for.
    pub broken: Option<(Timestamp, BTreeSet<HoldId>)>,
    /// The holds that are not fought for any more: their lock was removed twice.
    pub yielded: BTreeSet<HoldId>,
}

/// What is to be done with the lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Nothing.
    Leave,
    /// Write it, for these holds.
    Write(BTreeSet<HoldId>),
    /// Remove it. It is one of ours.
    Remove,
}

/// What the server should hear of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LockEvent {
    /// A lock of ours was removed by hand.
    Broken {
        /// The holds it stood for.
        holds: BTreeSet<HoldId>,
        /// It is put back (the first time), or it is not (again within the hour).
        put_back: bool,
        /// What is known of who did it, in words; the memory of the lock does not know it.
        by: Option<String>,
    },
    /// A lock of somebody else's stands on the host.
    Foreign {
        /// What it says.
        message: String,
        /// Since when, where that is known.
        since: Option<Timestamp>,
    },
}

/// What follows: the new memory (to be kept first), what is to be done, what is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The new memory.
    pub memory: Memory,
    /// What is to be done.
    pub act: Act,
    /// What is to be told.
    pub event: Option<LockEvent>,
}

/// What becomes of the lock.
pub fn reconcile(memory: &Memory, found: &Found, holds: &[HoldOrder], now: Timestamp) -> Step {
    let wanted: BTreeSet<HoldId> = holds.iter().map(|hold| hold.id).collect();
    let mut memory = memory.clone();
    // What is not wanted any more is not worth remembering; a new hold is fought for afresh.
    memory.yielded.retain(|hold| wanted.contains(hold));
    match found {
        Found::Foreign { message, .. } if holds.iter().any(|hold| hold.imports.as_ref() == Some(message)) => write(memory, wanted, None),
        Found::Foreign { message, since } => {
            memory.wrote.clear();
            memory.writing = false;
            let event = LockEvent::Foreign { message: message.clone(), since: *since };
            Step { memory, act: Act::Leave, event: Some(event) }
        }
        Found::Ours(_) if wanted.is_empty() => {
            let memory = Memory { broken: memory.broken, ..Memory::default() };
            Step { memory, act: Act::Remove, event: None }
        }
        Found::Ours(stands_for) => {
            memory.yielded.clear();
            if *stands_for == wanted {
                memory.wrote = wanted;
                memory.writing = false;
                return Step { memory, act: Act::Leave, event: None };
            }
            write(memory, wanted, None)
        }
        Found::Absent => absent(memory, wanted, now),
    }
}

fn absent(mut memory: Memory, wanted: BTreeSet<HoldId>, now: Timestamp) -> Step {
    let fresh = wanted.iter().any(|hold| !memory.yielded.contains(hold));
    let ours: BTreeSet<HoldId> = memory.wrote.intersection(&wanted).copied().collect();
    if wanted.is_empty() || !fresh {
        memory.wrote.clear();
        memory.writing = false;
        return Step { memory, act: Act::Leave, event: None };
    }
    if memory.writing || ours.is_empty() {
        return write(memory, wanted, None);
    }
    let again = memory.broken.as_ref().is_some_and(|(at, holds)| now.since(*at).abs() < AGAIN && !holds.is_disjoint(&ours));
    memory.broken = Some((now, ours.clone()));
    if again {
        memory.wrote.clear();
        memory.yielded.extend(wanted);
        return Step { memory, act: Act::Leave, event: Some(LockEvent::Broken { holds: ours, put_back: false, by: None }) };
    }
    write(memory, wanted, Some(LockEvent::Broken { holds: ours, put_back: true, by: None }))
}

fn write(mut memory: Memory, wanted: BTreeSet<HoldId>, event: Option<LockEvent>) -> Step {
    memory.wrote.clone_from(&wanted);
    memory.writing = true;
    Step { memory, act: Act::Write(wanted), event }
}

/// Tells the memory that what was to be written was written.
pub fn written(memory: &Memory) -> Memory {
    Memory { writing: false, ..memory.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold(number: u64) -> HoldOrder {
        HoldOrder {
            id: HoldId(number),
            owner: "alice".to_owned(),
            reason: "release 142".to_owned(),
            contact: "alice".to_owned(),
            ticket: None,
            placed: Timestamp::from_ms(0),
            until: Timestamp::from_ms(10_000_000),
            imports: None,
        }
    }

    fn ids(numbers: &[u64]) -> BTreeSet<HoldId> {
        numbers.iter().map(|number| HoldId(*number)).collect()
    }

    fn at(min: i64) -> Timestamp {
        Timestamp::from_ms(min * 60_000)
    }

    /// A lock that stands, and the memory of it.
    fn standing(numbers: &[u64]) -> Memory {
        Memory { wrote: ids(numbers), ..Memory::default() }
    }

    #[test]
    fn a_lock_removed_by_hand_is_put_back_once_and_then_not_fought_for() {
        let first = reconcile(&standing(&[1]), &Found::Absent, &[hold(1)], at(0));
        assert_eq!(first.act, Act::Write(ids(&[1])));
        assert_eq!(first.event, Some(LockEvent::Broken { holds: ids(&[1]), put_back: true, by: None }));
        let second = reconcile(&written(&first.memory), &Found::Absent, &[hold(1)], at(10));
        assert_eq!(second.act, Act::Leave);
        assert_eq!(second.event, Some(LockEvent::Broken { holds: ids(&[1]), put_back: false, by: None }));
        let third = reconcile(&second.memory, &Found::Absent, &[hold(1)], at(11));
        assert_eq!((third.act, third.event), (Act::Leave, None), "it is told once and left alone");
        let new = reconcile(&third.memory, &Found::Absent, &[hold(1), hold(2)], at(12));
        assert_eq!((new.act, new.event), (Act::Write(ids(&[1, 2])), None), "another hold is fought for");
    }

    #[test]
    fn after_an_hour_it_is_put_back_again() {
        let first = reconcile(&standing(&[1]), &Found::Absent, &[hold(1)], at(0));
        let later = reconcile(&written(&first.memory), &Found::Absent, &[hold(1)], at(61));
        assert_eq!(later.act, Act::Write(ids(&[1])));
        assert_eq!(later.event, Some(LockEvent::Broken { holds: ids(&[1]), put_back: true, by: None }));
    }

    #[test]
    fn a_crash_between_memory_and_lock_is_nobodys_hand() {
        let first = reconcile(&Memory::default(), &Found::Absent, &[hold(1)], at(0));
        let again = reconcile(&first.memory, &Found::Absent, &[hold(1)], at(1));
        assert_eq!((again.act, again.event), (Act::Write(ids(&[1])), None));
        let there = reconcile(&first.memory, &Found::Ours(ids(&[1])), &[hold(1)], at(1));
        assert_eq!((there.act, there.memory.writing), (Act::Leave, false));
    }

    #[test]
    fn only_our_own_lock_is_removed_and_a_foreign_one_is_told() {
        let foreign = Found::Foreign { message: "bob".to_owned(), since: None };
        for holds in [vec![], vec![hold(1)]] {
            let step = reconcile(&standing(&[1]), &foreign, &holds, at(0));
            assert_eq!(step.act, Act::Leave);
            assert!(matches!(step.event, Some(LockEvent::Foreign { .. })));
        }
        assert_eq!(reconcile(&standing(&[1]), &Found::Ours(ids(&[1])), &[], at(0)).act, Act::Remove);
        let gone = reconcile(&standing(&[1]), &Found::Absent, &[], at(0));
        assert_eq!((gone.act, gone.event), (Act::Leave, None), "what is not wanted any more was not broken");
    }

    #[test]
    fn a_foreign_lock_that_was_imported_is_replaced_by_ours_and_no_other_is() {
        let foreign = |message: &str| Found::Foreign { message: message.to_owned(), since: None };
        let imported = HoldOrder { imports: Some("bob: upgrade".to_owned()), ..hold(1) };
        let step = reconcile(&Memory::default(), &foreign("bob: upgrade"), std::slice::from_ref(&imported), at(0));
        assert_eq!((step.act, step.event), (Act::Write(ids(&[1])), None));
        assert_eq!(reconcile(&Memory::default(), &foreign("carol"), &[imported], at(0)).act, Act::Leave);
    }

    #[test]
    fn several_holds_are_one_lock_until_the_last_ends() {
        let two = Found::Ours(ids(&[1, 2]));
        assert_eq!(reconcile(&standing(&[1, 2]), &two, &[hold(2)], at(0)).act, Act::Write(ids(&[2])));
        assert_eq!(reconcile(&standing(&[2]), &Found::Ours(ids(&[2])), &[hold(2)], at(0)).act, Act::Leave);
    }
}

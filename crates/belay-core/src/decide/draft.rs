//! A decision in the making: the facts so far, and the numbers given out so far.

use super::slots::Slots;
use crate::model::ids::{ChangeId, EffectId, HoldId, HostId, RevertId, RunId};
use crate::model::principal::Actor;
use crate::model::time::Timestamp;
use crate::state::{Counters, Fact, Note, NoteKind, State};

/// Facts being put together for one input.
pub(super) struct Draft<'a> {
    /// What is known, before any of these facts.
    pub(super) state: &'a State,
    /// The writer's time.
    pub(super) now: Timestamp,
    counters: Counters,
    facts: Vec<Fact>,
    slots: Option<Slots>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(state: &'a State, now: Timestamp) -> Self {
        Self { state, now, counters: state.counters, facts: Vec::new(), slots: None }
    }

    pub(super) fn into_facts(self) -> Vec<Fact> {
        self.facts
    }

    pub(super) fn push(&mut self, fact: Fact) {
        self.facts.push(fact);
    }

    /// The places of hosts that run or rehearse, with those that these facts give and take.
    pub(super) fn slots(&mut self) -> &mut Slots {
        self.slots.get_or_insert_with(|| Slots::of(self.state, self.now))
    }

    pub(super) fn note(&mut self, kind: NoteKind, actor: &Actor, host: Option<&HostId>, text: String) {
        self.push(Fact::Noted(Note { kind, actor: actor.clone(), host: host.cloned(), text }));
    }

    pub(super) fn next_run(&mut self) -> RunId {
        self.counters.runs += 1;
        RunId(self.counters.runs)
    }

    pub(super) fn next_change(&mut self) -> ChangeId {
        self.counters.changes += 1;
        ChangeId(self.counters.changes)
    }

    pub(super) fn next_hold(&mut self) -> HoldId {
        self.counters.holds += 1;
        HoldId(self.counters.holds)
    }

    pub(super) fn next_revert(&mut self) -> RevertId {
        self.counters.reverts += 1;
        RevertId(self.counters.reverts)
    }

    pub(super) fn next_effect(&mut self) -> EffectId {
        self.counters.effects += 1;
        EffectId(self.counters.effects)
    }
}

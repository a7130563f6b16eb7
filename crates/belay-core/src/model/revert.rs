//! Reverts: the return to what was last accepted for the release, else adopted; per host, with a
//! limited pace, and itself on trial.

use std::collections::BTreeMap;

use super::ids::{ChangeId, HoldId, HostId, RevertId};
use super::item::ItemKey;
use super::principal::Actor;
use super::time::{Span, Timestamp};
use crate::host::policy::RevertWay;

/// Hosts that may be going back at the same time.
pub const AT_ONCE: usize = 10;
/// Failures after which a revert stops and asks for a person: this many, and more than a fifth.
pub const FAILURES_MAX: usize = 3;
/// A host that has not answered after this time counts as failed.
pub const PATIENCE: Span = Span::from_min(30);
/// How long the hold of a revert lasts that is not by pin: the next run would undo it.
pub const HOLD_FOR: Span = Span::from_min(24 * 60);
/// How long the pins of a revert last.
pub const PIN_FOR: Span = Span::from_min(7 * 24 * 60);

/// A revert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revert {
    /// Its number, the operator's handle.
    pub id: RevertId,
    /// The Change that is taken back.
    pub change: ChangeId,
    /// When it was asked for.
    pub asked: Timestamp,
    /// Who asked.
    pub by: Actor,
    /// Why.
    pub reason: String,
    /// The way back of each host.
    pub ways: BTreeMap<HostId, RevertWay>,
    /// How far each host is.
    pub hosts: BTreeMap<HostId, Progress>,
    /// The hold that keeps the next run from undoing it, where one is needed.
    pub hold: Option<HoldId>,
    /// It was stopped: why.
    pub stopped: Option<String>,
}

/// How far a host is with a revert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Its turn has not come.
    Waiting,
    /// It was asked to.
    Asked(Timestamp),
    /// It did.
    Done(Timestamp),
    /// It did not: why.
    Failed(String),
}

/// What a revert would do, before it is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The way back of each host.
    pub ways: BTreeMap<HostId, RevertWay>,
    /// What will be restored, with the words for what comes back.
    pub restored: BTreeMap<ItemKey, String>,
    /// What will remain, and why.
    pub remain: BTreeMap<ItemKey, String>,
    /// What cannot be undone, and why.
    pub cannot: BTreeMap<ItemKey, String>,
    /// Hosts that cannot go back, and why.
    pub left_out: BTreeMap<HostId, String>,
}

impl Plan {
    /// The hosts that the next run would bring to the same content again: they are held.
    pub fn held(&self) -> impl Iterator<Item = &HostId> {
        self.ways.iter().filter(|(_, way)| !matches!(way, RevertWay::PinAndRun { .. })).map(|(host, _)| host)
    }
}

impl Revert {
    /// Whether it still goes on.
    pub fn goes_on(&self) -> bool {
        self.stopped.is_none() && self.hosts.values().any(|progress| matches!(progress, Progress::Waiting | Progress::Asked(_)))
    }

    /// The hosts of which something holds.
    pub fn count(&self, which: impl Fn(&Progress) -> bool) -> usize {
        self.hosts.values().filter(|progress| which(progress)).count()
    }
}

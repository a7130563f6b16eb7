//! What a host tells the server when it asks for its policy.

use std::collections::{BTreeMap, BTreeSet};

use super::lock::LockEvent;
use super::policy::Stand;
use crate::model::gate::{Gate, HoldOrder};
use crate::model::ids::{HoldId, Release, RevertId};
use crate::model::log::Line;
use crate::model::time::{Span, Timestamp};

/// The most events kept while the server is away; older ones are left out and counted.
pub const EVENTS_MAX: usize = 1_000;

/// What a host tells.
#[derive(Clone, Debug, PartialEq)]
pub struct Poll {
    /// The agent's version, for people.
    pub agent: String,
    /// The policy it has; none when it has none.
    pub have: Option<Stand>,
    /// The host's clock when it was sent.
    pub sent_at: Timestamp,
    /// The release read on the host, where its configuration says how.
    pub release: Option<Release>,
    /// Its facts; `None` when they are not to be altered.
    pub facts: Option<BTreeMap<String, String>>,
    /// What stands on the host.
    pub status: HostStatus,
    /// The holds it knows of, in full: a server restored from a backup may have lost them.
    pub holds: Vec<HoldOrder>,
    /// What happened and was not acknowledged yet, in order of the numbers.
    pub events: Vec<Event>,
    /// How reverts went that were asked of it.
    pub results: Vec<RevertResult>,
    /// The newest line of each declared pattern that was matched within the last hour.
    pub lines: Vec<Line>,
}

/// What stands on a host, as its agent last saw it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostStatus {
    /// The lock.
    pub lock: Lock,
    /// How the tool is started.
    pub schedule: Schedule,
    /// The glass is broken.
    pub break_glass: Option<BreakGlass>,
    /// A run is going on.
    pub running: bool,
    /// The lock of a run that goes on, or that ended without taking it away.
    pub run_lock: Option<RunLock>,
    /// The gate's last answer.
    pub gate: Option<Asked>,
}

/// The lock on a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Lock {
    /// None.
    #[default]
    Absent,
    /// One of ours, for these holds.
    Ours(BTreeSet<HoldId>),
    /// Somebody else's.
    Foreign {
        /// What it says.
        message: String,
        /// Since when, where that is known.
        since: Option<Timestamp>,
    },
}

/// The lock of a run: while it stands, no other run begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunLock {
    /// Since when it stands.
    pub since: Timestamp,
    /// How long the tool lets a run last on this host; `None` where it sets no limit.
    pub limit: Option<Span>,
}

/// How the tool is started on a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Schedule {
    /// It was not looked for.
    #[default]
    Unknown,
    /// It is there: the entry, shortened.
    There(String),
    /// It is there and switched off: the entry, shortened.
    SwitchedOff(String),
    /// There is none where one should be.
    Missing,
}

/// The glass is broken on a host: the gate lets everything through for a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreakGlass {
    /// Until when.
    pub until: Timestamp,
    /// Why.
    pub reason: String,
    /// Who, as the host saw it.
    pub by: String,
}

/// A question the gate was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// When, by the host's clock.
    pub at: Timestamp,
    /// What it answered.
    pub answer: Gate,
    /// Why, in one sentence.
    pub why: String,
}

/// Something that happened on a host, numbered so that it counts once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its number; never given twice by the same host.
    pub number: u64,
    /// When, by the host's clock.
    pub at: Timestamp,
    /// What.
    pub what: Happened,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happened {
    /// Something about the lock.
    Lock(LockEvent),
    /// The glass was broken.
    BreakGlass(BreakGlass),
    /// The gate let a run through that somebody has to know of.
    LetThrough(String),
}

/// How a revert went on a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevertResult {
    /// Which revert.
    pub id: RevertId,
    /// It was done; else why not.
    pub outcome: Result<(), String>,
    /// What was done or said, shortened.
    pub said: String,
}

//! What is known of a host at present. Its history lives in the ledger's tables.

use std::collections::{BTreeMap, BTreeSet};

use super::ids::{ClassName, Digest, Environment, HostId, Release, RunId};
use super::item::{Content, ItemKey};
use super::report::{RunKind, Version};
use super::time::Timestamp;
use crate::host::policy::Pin;
use crate::host::talk::HostStatus;

/// A host as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct Host {
    /// Its canonical name.
    pub id: HostId,
    /// Its class.
    pub class: ClassName,
    /// The release it runs, when known.
    pub release: Option<Release>,
    /// Its facts, as last set.
    pub facts: BTreeMap<String, String>,
    /// When it was first heard of.
    pub since: Timestamp,
    /// Its last run of any kind.
    pub last_run: Option<LastRun>,
    /// When a configuration was last applied to it.
    pub last_applied: Option<Timestamp>,
    /// The environment last applied.
    pub environment: Option<Environment>,
    /// The version last applied.
    pub version: Option<Version>,
    /// Contents it is known to carry, and since when.
    pub items: BTreeMap<ItemKey, Carried>,
    /// Resources that failed in its last applied run.
    pub failing: BTreeSet<String>,
    /// Items that its last applied run put back. What a tool puts back in every run is no news.
    pub put_back: BTreeSet<ItemKey>,
    /// When a run last put something back that the run before had not.
    pub struck: Option<Timestamp>,
    /// Why its last report could not be read or taken, until one can.
    pub trouble: Option<Trouble>,
    /// What its agent told, where it has one.
    pub agent: Option<Agent>,
    /// The environment it is fixed to, for a time.
    pub pin: Option<Pin>,
    /// Its latest runs, so that a repeated report is known at once: newest last, at most eight.
    pub recent: Vec<Seen>,
}

/// What a host's agent told last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    /// Its version, for people.
    pub version: String,
    /// What stands on the host.
    pub status: HostStatus,
    /// The number of the last event that was taken.
    pub events: u64,
    /// The facts it tells by itself.
    pub own: OwnFacts,
}

/// Facts that an agent tells. Those of a feed stand beside them, and never in their place: the agent looks at
/// the host as it is now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnFacts(pub BTreeMap<String, String>);

/// A content a host carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carried {
    /// The content.
    pub content: Content,
    /// Since when, server time.
    pub at: Timestamp,
}

/// A host's last run.
#[derive(Clone, Debug, PartialEq)]
pub struct LastRun {
    /// Its number.
    pub id: RunId,
    /// How it ended.
    pub kind: RunKind,
    /// When it started, server time.
    pub at: Timestamp,
}

/// A run that was recorded, for telling repeated reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The tool's own id of the run.
    pub tool_run_id: String,
    /// The run's number here.
    pub run: RunId,
    /// Hash of the report's bytes.
    pub digest: Digest,
}

/// Why something a host sent was put aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// When.
    pub at: Timestamp,
    /// In plain words.
    pub text: String,
}

/// How many recent runs a host remembers.
pub const RECENT_MAX: usize = 8;
/// How many items of a host are remembered; beyond it the oldest are forgotten.
pub const ITEMS_MAX: usize = 5_000;

impl Host {
    /// A host of which nothing is known but its name and class.
    pub fn new(id: HostId, class: ClassName, since: Timestamp) -> Self {
        Self {
            id,
            class,
            release: None,
            facts: BTreeMap::new(),
            since,
            last_run: None,
            last_applied: None,
            environment: None,
            version: None,
            items: BTreeMap::new(),
            failing: BTreeSet::new(),
            put_back: BTreeSet::new(),
            struck: None,
            trouble: None,
            agent: None,
            pin: None,
            recent: Vec::new(),
        }
    }
}

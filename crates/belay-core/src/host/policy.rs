//! The policy of one host: all it has to know to go on by itself while the server is away. The
//! last one it got is kept in a file, its *last-known-good*.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::closed::{Closed, Closing};
use crate::model::gate::{Enforce, HoldOrder, Known};
use crate::model::ids::{ClassName, Environment, HoldId, HostId, Release, RevertId};
use crate::model::item::{Content, ItemKey};
use crate::model::time::{Span, Timestamp};

/// The newest protocol that this build speaks with hosts.
pub const PROTOCOL: u32 = 1;
/// How long a policy counts as fresh after it was given.
pub const FRESH: Span = Span::from_min(5);

/// What one host has to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPolicy {
    /// The host.
    pub host: HostId,
    /// Where in the server's history it stands. Compared as a whole: a lower one is never taken.
    pub stand: Stand,
    /// When it was given, server time.
    pub issued: Timestamp,
    /// The class of the host.
    pub class: ClassName,
    /// The release the server knows the host to run. The one that is read on the host goes before it.
    pub release: Option<Release>,
    /// How far the gate goes.
    pub enforce: Enforce,
    /// How long content unknown here stays closed while the server is away.
    pub max_closed: Span,
    /// The holds on this host, oldest first.
    pub holds: Vec<HoldOrder>,
    /// The environment each release needs.
    pub environments: BTreeMap<Release, Environment>,
    /// What is known of contents, for this class and release.
    pub items: BTreeMap<ItemKey, BTreeMap<Content, Known>>,
    /// The environment the host is fixed to.
    pub pin: Option<Pin>,
    /// Whether content that is not accepted may come: the wave of the host is open, and its class is
    /// not closed.
    pub wave_open: bool,
    /// The present closed time and those to come, in their order. The host closes by itself when one
    /// begins; it never opens by itself.
    pub closed: Vec<Closing>,
    /// The environment its wave gives it, where waves are kept by the classifier.
    pub wave: Option<Environment>,
    /// A hold has expired: rehearse a run, so that the server sees what would change.
    pub rehearse: bool,
    /// Reverts asked of this host, oldest first.
    pub reverts: Vec<RevertOrder>,
    /// When to ask again, where nothing is to be waited for.
    pub poll_after: Span,
}

/// Where in a server's history something stands. A restore from a backup begins a new incarnation,
/// so that what is older than the restore is never taken for newer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Stand {
    /// Counts the restores.
    pub incarnation: u64,
    /// Counts what was decided in it.
    pub seq: u64,
}

/// A host fixed to an environment, for a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The environment.
    pub environment: Environment,
    /// Until when.
    pub until: Timestamp,
    /// Why.
    pub reason: String,
    /// Who fixed it.
    pub by: String,
}

impl Pin {
    /// Whether it still holds.
    pub fn holds(&self, now: Timestamp) -> bool {
        now < self.until
    }
}

/// A revert asked of a host. The host does only what its own configuration declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevertOrder {
    /// Which revert.
    pub id: RevertId,
    /// How.
    pub way: RevertWay,
    /// Why, for the host's own log.
    pub reason: String,
}

/// How a host goes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RevertWay {
    /// It is pinned to an environment; a run brings it back.
    PinAndRun {
        /// The environment it is pinned to.
        environment: Environment,
    },
    /// Files come back from the tool's own backups, by their old sums.
    Restore {
        /// Path and sum of each.
        files: BTreeMap<String, String>,
    },
    /// The command that the host's own configuration declares.
    Declared,
}

impl HostPolicy {
    /// Whether a policy that came may take this one's place.
    pub fn yields_to(&self, other: &Self) -> bool {
        other.host == self.host && other.stand >= self.stand
    }

    /// The same without these holds.
    #[must_use]
    pub fn without_holds(mut self, yielded: &BTreeSet<HoldId>) -> Self {
        self.holds.retain(|hold| !yielded.contains(&hold.id));
        self
    }

    /// The last closed time that has begun, whether or not it should be over: opening takes a word of
    /// the server.
    pub fn closed_at(&self, now: Timestamp) -> Option<&Closed> {
        self.closed.iter().rev().find(|closing| closing.at <= now).map(|closing| &closing.closed)
    }

    /// What is known of a content, for the release the policy is made for.
    pub fn known(&self, key: &ItemKey, content: &Content) -> Known {
        self.items.get(key).and_then(|contents| contents.get(content)).copied().unwrap_or(Known::Unseen)
    }
}

//! State: what is known at present, the fold of all facts. Pure reading lives here; facts change it
//! in `apply`, and only there. History lives in the ledger's tables, which only views read.

mod acceptance;
mod apply;
mod deployments;
mod fact;
mod people;
mod snapshot;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use acceptance::{Acceptance, Scope};
pub use fact::{Counters, Fact, Note, NoteKind};

use crate::model::ailment::{Ailing, Ailment};
use crate::model::alert::{Effect, Subject};
use crate::model::change::Change;
use crate::model::closed::Closed;
use crate::model::deployment::{Deployed, Published};
use crate::model::feed::{Feed, FeedId};
use crate::model::hold::Hold;
use crate::model::host::Host;
use crate::model::ids::{ChangeId, ClassName, Digest, EffectId, Environment, HoldId, HostId, Release, RevertId};
use crate::model::policy::Policy;
use crate::model::principal::Token;
use crate::model::report::Version;
use crate::model::revert::Revert;
use crate::model::selfcheck::SelfCheck;
use crate::model::table::{Outpost, OutpostId, Tables};
use crate::model::time::Timestamp;
use crate::model::user::{Session, User};

/// Everything that decisions depend on.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// Numbers given out so far.
    pub counters: Counters,
    /// The writer's clock: the latest time any fact was decided at. It never goes back.
    pub now: Timestamp,
    /// What the operator configured.
    pub policy: Arc<Policy>,
    /// All hosts that are not retired.
    pub hosts: BTreeMap<HostId, Host>,
    /// How many hosts each class has: counted as they come, because it is asked for with every report.
    pub census: BTreeMap<ClassName, Census>,
    /// How many hosts of a class and release carry each version.
    pub versions: BTreeMap<Scope, BTreeMap<Version, u32>>,
    /// The ledger of acceptance.
    pub acceptance: Acceptance,
    /// Changes: all open ones, and the decided ones that still matter.
    pub changes: BTreeMap<ChangeId, Change>,
    /// Effects not yet done, and the given-up ones.
    pub effects: BTreeMap<EffectId, Effect>,
    /// What people were told of, with the time of the last message asked for.
    pub alerted: BTreeMap<Subject, Timestamp>,
    /// Holds: all that stand, and the latest that ended.
    pub holds: BTreeMap<HoldId, Hold>,
    /// Reverts: all that go on, and the latest that ended.
    pub reverts: BTreeMap<RevertId, Revert>,
    /// Runs that a stricter level of enforcement would have refused, by class.
    pub would: BTreeMap<ClassName, Would>,
    /// Hosts to which nothing was applied for too long, by class.
    pub stale: BTreeMap<ClassName, BTreeSet<HostId>>,
    /// Hosts on which a lock of somebody else has stood for long, by class.
    pub foreign: BTreeMap<ClassName, BTreeSet<HostId>>,
    /// Hosts of a class with an ailment of which people have to be told, as they were last looked at.
    pub ailing: BTreeMap<(ClassName, Ailment), Ailing>,
    /// Classes that are closed for what is new, as hosts were told. Closing goes by the clock alone;
    /// opening takes the end of this, which takes a commit.
    pub closed: BTreeMap<ClassName, Closed>,
    /// The last self-check of each class.
    pub selfchecks: BTreeMap<ClassName, SelfCheck>,
    /// The roads by which servers of tools bring what they have to tell.
    pub feeds: BTreeMap<FeedId, Feed>,
    /// The machines that answer the classifier for other hosts.
    pub outposts: BTreeMap<OutpostId, Outpost>,
    /// How far the tables come that they are given.
    pub tables: Tables,
    /// How far each inventory was read, in words of its own.
    pub pulled: BTreeMap<String, String>,
    /// What pipelines published of each branch, the newest last.
    pub published: BTreeMap<Environment, Vec<Published>>,
    /// What the machines that make configurations have, by machine and environment, the newest last.
    pub deployed: BTreeMap<String, BTreeMap<Environment, Vec<Deployed>>>,
    /// How many waves are open for a published deployment with which nothing new came yet, by class and release.
    pub spread: BTreeMap<Scope, (Environment, u32)>,
    /// Belay itself is stopping configuration management.
    pub breaker: Option<Breaker>,
    /// Credentials.
    pub tokens: Vec<Token>,
    /// Accounts of people, by name.
    pub users: BTreeMap<String, User>,
    /// Sessions that were begun and not ended, by the hash of what each is known by.
    pub sessions: BTreeMap<Digest, Session>,
    /// Whether the replica that holds this state leads. No fact says so and no snapshot holds it:
    /// whoever holds the state sets it.
    pub lead: Lead,
    /// Since when whoever holds this state listens to feeds and outposts; likewise set by the holder.
    pub listening: Timestamp,
}

/// Whether a replica may decide. A single server always leads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lead {
    /// It leads, and reaches the majority.
    #[default]
    Leads,
    /// It does not: it decides nothing, and opens nothing.
    Follows,
}

/// Decided Changes that stay in memory; older ones live in the ledger's tables.
pub const CHANGES_KEPT: usize = 1_000;

/// Inventories that may be read.
pub const INVENTORIES_MAX: usize = 20;

/// Ended holds, and ended reverts, that stay in memory.
pub const ENDED_KEPT: usize = 200;

/// Runs of a class that went although a stricter level of enforcement would have refused them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Would {
    /// Since when they are counted.
    pub since: Timestamp,
    /// Whose environment did not belong to the release.
    pub release_match: u64,
    /// Whose content had been rejected.
    pub rejected: u64,
    /// When people were told what it came to; none before.
    pub told: Option<Timestamp>,
}

/// Belay itself is stopping configuration management.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breaker {
    /// Since when.
    pub since: Timestamp,
    /// Hosts that were refused within the hour before it was last counted.
    pub refused: u32,
    /// Hosts that asked within that hour.
    pub asked: u32,
}

/// A class by the number of its hosts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Its hosts.
    pub hosts: u32,
    /// Those of them whose release is known.
    pub with_release: u32,
    /// When the first of them was heard of.
    pub since: Option<Timestamp>,
}

impl State {
    /// How many hosts a class has.
    pub fn census_of(&self, class: &ClassName) -> Census {
        self.census.get(class).copied().unwrap_or_default()
    }

    /// The open Change of a class and release, if any: there is at most one.
    pub fn open_change(&self, class: &ClassName, release: Option<&Release>) -> Option<&Change> {
        self.changes.values().rev().find(|change| change.open() && change.class == *class && change.release.as_ref() == release)
    }

    /// All open Changes.
    pub fn open_changes(&self) -> impl Iterator<Item = &Change> {
        self.changes.values().filter(|change| change.open())
    }

    /// The hosts of a class.
    pub fn hosts_of<'a>(&'a self, class: &'a ClassName) -> impl Iterator<Item = &'a Host> {
        self.hosts.values().filter(move |host| host.class == *class)
    }

    /// The holds on a host, oldest first.
    pub fn holds_on<'a>(&'a self, host: &'a Host) -> impl Iterator<Item = &'a Hold> {
        self.holds.values().filter(move |hold| hold.holds(host))
    }

    /// The next time at which an effect wants to be tried.
    pub fn next_effect_at(&self) -> Option<Timestamp> {
        self.effects.values().filter(|effect| !effect.dead).map(|effect| effect.next_try).min()
    }
}

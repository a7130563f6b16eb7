//! Holds: intentional pauses of a tool, with owner, reason, scope and expiry. How a hold stands is
//! computed from (hold, now) and never stored.

use std::collections::{BTreeMap, BTreeSet};

use super::gate::HoldOrder;
use super::host::Host;
use super::ids::{ClassName, HoldId, HostId};
use super::policy::Pattern;
use super::principal::Actor;
use super::time::{Span, Timestamp};

/// People are warned this long before a hold expires, where it was placed for longer.
pub const WARN_EARLY: Span = Span::from_min(24 * 60);
/// And once more this long before.
pub const WARN_LATE: Span = Span::from_min(60);
/// An expired hold that waits for its owner is told to the whole team after this time.
pub const ESCALATE: Span = Span::from_min(60);
/// The longest a hold may last from the time it is placed or extended.
pub const HOLD_MAX: Span = Span::from_min(90 * 24 * 60);
/// The most holds that may stand at a time.
pub const HOLDS_MAX: usize = 1_000;

/// An intentional pause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Its number, the operator's handle.
    pub id: HoldId,
    /// The hosts it is about.
    pub scope: HoldScope,
    /// Who answers for it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// A ticket, where there is one.
    pub ticket: Option<String>,
    /// Whom to ask before anything is switched on again.
    pub contact: String,
    /// Since when.
    pub placed: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// Counts its alterations: an editor says which one was seen, so that none is overwritten blind.
    pub revision: u32,
    /// What people were told of its expiry.
    pub told: Told,
    /// Hosts on which it was broken by hand.
    pub broken: BTreeMap<HostId, Broken>,
    /// After its expiry: hosts that were asked to rehearse, and when. So many at a time are asked.
    pub asked: Turns,
    /// After its expiry: hosts whose rehearsal showed nothing that is not accepted. They are free.
    pub handed_over: BTreeSet<HostId>,
    /// After its expiry: what the rehearsal of a host would change that is not accepted, shortened.
    pub would_change: BTreeMap<HostId, Vec<String>>,
    /// What the foreign lock says that it was made of, where it was imported.
    pub imports: Option<String>,
    /// Who ended it, once it is ended.
    pub end: Option<HoldEnd>,
}

/// The hosts a hold is about: those of the classes, and those whose name matches a pattern.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HoldScope {
    /// Whole classes.
    pub classes: BTreeSet<ClassName>,
    /// Patterns of host names.
    pub hosts: Vec<Pattern>,
}

/// Hosts that were asked for something, and when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Turns(pub BTreeMap<HostId, Timestamp>);

/// What people were told of a hold's expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Told {
    /// Nothing yet.
    #[default]
    Nothing,
    /// That it expires within a day.
    Early,
    /// That it expires within an hour.
    Late,
    /// That it has expired.
    Expired,
    /// The whole team, that it has expired and still waits for its owner.
    Escalated,
}

/// A hold that was broken by hand on a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// When it was last seen broken, server time.
    pub at: Timestamp,
    /// How often.
    pub times: u32,
    /// Whether it stands again on the host: it is put back once, and not fought over.
    pub put_back: bool,
    /// What the host knows of who did it, in words: whom the kernel saw, else who was logged in then.
    pub by: Option<String>,
}

/// The end of a hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldEnd {
    /// When.
    pub at: Timestamp,
    /// Who ended it.
    pub by: Actor,
    /// Why.
    pub reason: String,
}

/// How a hold stands at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HoldState {
    /// It holds.
    Active,
    /// It holds, and expires within an hour.
    Expiring,
    /// It has expired and still holds: it waits for its owner, or for the rehearsal of its hosts.
    Waiting,
    /// It is over.
    Released,
}

impl HoldState {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expiring => "expiring",
            Self::Waiting => "expired, waiting for its owner",
            Self::Released => "released",
        }
    }
}

impl Hold {
    /// A hold as it is placed: nothing has happened to it yet.
    pub fn placed(order: HoldOrder, scope: HoldScope) -> Self {
        Self {
            id: order.id,
            scope,
            owner: order.owner,
            reason: order.reason,
            ticket: order.ticket,
            contact: order.contact,
            placed: order.placed,
            until: order.until,
            revision: 1,
            told: Told::Nothing,
            broken: BTreeMap::new(),
            asked: Turns::default(),
            handed_over: BTreeSet::new(),
            would_change: BTreeMap::new(),
            imports: order.imports,
            end: None,
        }
    }

    /// How it stands.
    pub fn state(&self, now: Timestamp) -> HoldState {
        if self.end.is_some() {
            HoldState::Released
        } else if now >= self.until {
            HoldState::Waiting
        } else if self.until.since(now) <= WARN_LATE {
            HoldState::Expiring
        } else {
            HoldState::Active
        }
    }

    /// Whether it is still in force anywhere.
    pub fn stands(&self) -> bool {
        self.end.is_none()
    }

    /// Whether a host is one of its own.
    pub fn is_about(&self, host: &Host) -> bool {
        self.scope.holds(&host.id, &host.class)
    }

    /// Whether it holds this host now. It goes on after its expiry until it is handed over.
    pub fn holds(&self, host: &Host) -> bool {
        self.stands() && !self.handed_over.contains(&host.id) && self.is_about(host)
    }
}

impl HoldScope {
    /// Whether a host of this name and class is in it.
    pub fn holds(&self, host: &HostId, class: &ClassName) -> bool {
        self.classes.contains(class) || self.hosts.iter().any(|pattern| pattern.matches(host.as_str()))
    }

    /// In words: `class web, hosts db*`.
    pub fn words(&self) -> String {
        let classes = self.classes.iter().map(|class| format!("class {class}"));
        let hosts = self.hosts.iter().map(|pattern| format!("hosts {}", pattern.as_str()));
        classes.chain(hosts).collect::<Vec<_>>().join(", ")
    }
}

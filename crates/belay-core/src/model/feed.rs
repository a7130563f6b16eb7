//! Feeds: the roads by which a server of a tool brings what it has to tell. One that falls silent is
//! noticed, because nothing else would tell: a sender that gave up looks like a fleet at rest.

use std::fmt;

use super::ids::one_line;
use super::policy::Pattern;
use super::principal::{Actor, Principal};
use super::time::{Span, Timestamp};

/// What a feed is called: who brings it, and by which door.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FeedId(String);

/// A road by which messages come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feed {
    /// What it is called.
    pub id: FeedId,
    /// The hosts it speaks for, where its credential says so.
    pub hosts: Option<Pattern>,
    /// Since when it is known.
    pub since: Timestamp,
    /// When something last came by it, as far as that is taken note of.
    pub last: Timestamp,
    /// How often that was taken note of.
    pub times: u64,
    /// Its usual gap.
    pub gap: Span,
    /// The longest gap that ended on each of the last days on which something came, the newest last.
    pub pauses: Vec<Span>,
    /// Since when it is silent although it should speak; none where it is not.
    pub silent: Option<Timestamp>,
}

/// Days of which the longest gap is remembered.
pub const PAUSES_KEPT: usize = 7;
/// Feeds that are known at one time.
pub const FEEDS_MAX: usize = 200;
/// The longest name of a feed, in characters.
const NAME_MAX: usize = 300;

impl FeedId {
    /// The feed of this credential at this door.
    pub fn of(actor: &Actor, door: &str) -> Self {
        Self::read(&format!("{door} from {actor}"))
    }

    /// The feed of this name.
    pub fn parse(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self::read(text))
    }

    fn read(text: &str) -> Self {
        Self(one_line(text, NAME_MAX))
    }

    /// Its name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FeedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Feed {
    /// A feed of which something came for the first time. A host that speaks for itself is no feed: whether it is
    /// still there is seen by its own runs.
    pub fn begun(principal: &Principal, door: &str, at: Timestamp) -> Option<Self> {
        let hosts = match principal {
            Principal::Host(_) => return None,
            Principal::Relay(pattern) => Some(pattern.clone()),
            Principal::Person { .. } | Principal::Source(_) => None,
        };
        let id = FeedId::of(&principal.actor(), door);
        Some(Self { id, hosts, since: at, last: at, times: 1, gap: Span::ZERO, pauses: Vec::new(), silent: None })
    }
}

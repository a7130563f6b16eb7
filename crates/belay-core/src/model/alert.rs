//! Alerts: one a Change, with its whole context, updated rather than repeated.

use std::fmt;

use super::ailment::Ailment;
use super::feed::FeedId;
use super::ids::{ChangeId, ClassName, EffectId, HoldId, HostId, ReceiverName};
use super::time::Timestamp;

/// Something to be done in the world: a row of the outbox.
#[derive(Clone, Debug, PartialEq)]
pub struct Effect {
    /// Its number.
    pub id: EffectId,
    /// What is to be done.
    pub task: Task,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is to be tried next.
    pub next_try: Timestamp,
    /// When it was first asked for.
    pub asked: Timestamp,
    /// What the last attempt said.
    pub last_error: Option<String>,
    /// Given up: shown until somebody discards it or a newer one succeeds.
    pub dead: bool,
}

/// What an effect does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// Tell a receiver how something stands. The text is made when it is sent, from the state then.
    Notify {
        /// Where.
        receiver: ReceiverName,
        /// Of what.
        about: Subject,
    },
}

/// What people are told of: one alert each, updated rather than repeated.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A Change.
    Change(ChangeId),
    /// A hold: broken, expiring, expired.
    Hold(HoldId),
    /// Hosts of a class to which nothing was applied for too long.
    Stale(ClassName),
    /// Locks of somebody else that have stood on hosts of a class for long.
    Foreign(ClassName),
    /// Hosts of a class with one ailment that has stood for too long.
    Ailing(Ailment, ClassName),
    /// A class has observed for long: what a stricter level of enforcement would have refused.
    Observed(ClassName),
    /// A road by which reports came is silent.
    Feed(FeedId),
    /// The glass was broken on a host.
    Glass(HostId),
    /// Belay itself is stopping configuration management.
    Breaker,
}

impl Subject {
    /// Reads the printed form back; `None` when it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(':') {
            Some(("stale", class)) => ClassName::parse(class).ok().map(Self::Stale),
            Some(("foreign", class)) => ClassName::parse(class).ok().map(Self::Foreign),
            Some(("ailing", of)) => {
                let (ailment, class) = of.split_once(':')?;
                Some(Self::Ailing(Ailment::parse(ailment)?, ClassName::parse(class).ok()?))
            }
            Some(("observed", class)) => ClassName::parse(class).ok().map(Self::Observed),
            Some(("feed", name)) => FeedId::parse(name).map(Self::Feed),
            Some(("glass", host)) => HostId::parse(host).ok().map(Self::Glass),
            Some(_) => None,
            None if text == "breaker" => Some(Self::Breaker),
            None => ChangeId::parse(text).map(Self::Change).or_else(|| HoldId::parse(text).map(Self::Hold)),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Change(id) => write!(f, "{id}"),
            Self::Hold(id) => write!(f, "{id}"),
            Self::Stale(class) => write!(f, "stale:{class}"),
            Self::Foreign(class) => write!(f, "foreign:{class}"),
            Self::Ailing(ailment, class) => write!(f, "ailing:{}:{class}", ailment.code()),
            Self::Observed(class) => write!(f, "observed:{class}"),
            Self::Feed(name) => write!(f, "feed:{name}"),
            Self::Glass(host) => write!(f, "glass:{host}"),
            Self::Breaker => f.write_str("breaker"),
        }
    }
}

/// How an attempt at an effect ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// Done.
    Done,
    /// Not done, and worth another try.
    Later(String),
    /// Not done, and no further try will help.
    Never(String),
}

/// Attempts after which an effect is given up.
pub const ATTEMPTS_MAX: u32 = 12;

/// A message with its whole context: the parts that every rendering of it shows, in order.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    /// Key by which updates of the same alert are recognised.
    pub key: String,
    /// At most 120 characters: verdict, subject, how many hosts.
    pub title: String,
    /// Where the Change stands, as one word: `rejected`, `suspect`, ...
    pub status: &'static str,
    /// Whether somebody should still do something.
    pub firing: bool,
    /// The parts, each with its heading.
    pub parts: Vec<AlertPart>,
    /// A link to the Change, where the address is configured.
    pub link: Option<String>,
}

/// A part of an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertPart {
    /// Heading: `Change`, `When`, `Why`, `Logs`, `Missing`, `Context`, `Done`, `Next`.
    pub heading: &'static str,
    /// Lines, in plain words.
    pub lines: Vec<String>,
}

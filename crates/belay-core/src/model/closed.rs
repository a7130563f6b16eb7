//! Closed times: outside the hours of a class, and in a freeze, no wave opens and content that is not
//! accepted reaches no further host. What is accepted always goes, and so does a way back.

use super::hours::Hours;
use super::ids::ClassName;
use super::policy::{ClassPolicy, Policy};
use super::time::Timestamp;

/// The most closed times that may follow upon one another without a gap.
const JOINED_MAX: usize = 1_000;

/// A time in which nothing new comes, such as the end of the year.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Freeze {
    /// Since when.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// Why.
    pub reason: String,
    /// The classes it is about; empty means all that keep waves.
    pub classes: Vec<ClassName>,
}

impl Freeze {
    /// Whether it is about a class.
    pub fn is_about(&self, class: &ClassName) -> bool {
        self.classes.is_empty() || self.classes.contains(class)
    }

    /// Whether it holds now.
    pub fn holds(&self, now: Timestamp) -> bool {
        self.from <= now && now < self.until
    }
}

/// A class is closed for what is new.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Closed {
    /// Why.
    pub by: ClosedBy,
    /// When it opens, where that is known.
    pub until: Option<Timestamp>,
}

/// Why a class is closed for what is new.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ClosedBy {
    /// It is outside of its hours.
    Hours,
    /// A freeze, with its reason.
    Freeze(String),
    /// The server that was asked does not lead, and so opens nothing.
    NotLeading,
}

/// A closed time to come, or the present one, for a host that has to go by it alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closing {
    /// When it begins.
    pub at: Timestamp,
    /// Why and until when.
    pub closed: Closed,
}

impl Policy {
    /// Why a class is closed by its hours or by a freeze; `None` when it is open.
    pub fn closed(&self, class: &ClassPolicy, now: Timestamp) -> Option<Closed> {
        let frozen = self.freeze(class, now).map(|freeze| ClosedBy::Freeze(freeze.reason.clone()));
        let outside = || class.hours.as_ref().is_some_and(|hours| !hours.are_on(now)).then_some(ClosedBy::Hours);
        let by = frozen.or_else(outside).filter(|_| class.keeps_waves())?;
        Some(Closed { by, until: self.next_open(class, now) })
    }

    /// When a class that is open closes next, and for what; `None` when nothing is foreseen.
    pub fn closes(&self, class: &ClassPolicy, now: Timestamp) -> Option<Closing> {
        let freezes = self.freezes.iter().filter(|freeze| freeze.is_about(&class.name) && freeze.from > now);
        let hours = class.hours.as_ref().and_then(|hours| hours.next(false, now));
        let at = freezes.map(|freeze| freeze.from).chain(hours).min()?;
        Some(Closing { at, closed: self.closed(class, at)? })
    }

    /// The freeze on a class that ends last, of those that hold now.
    fn freeze(&self, class: &ClassPolicy, now: Timestamp) -> Option<&Freeze> {
        let about = self.freezes.iter().filter(|freeze| freeze.is_about(&class.name) && freeze.holds(now));
        about.max_by_key(|freeze| freeze.until)
    }

    /// The first time, now or later, that is within the hours of a class and in no freeze on it.
    fn next_open(&self, class: &ClassPolicy, now: Timestamp) -> Option<Timestamp> {
        let within = |at: Timestamp| class.hours.as_ref().map_or(Some(at), |hours: &Hours| hours.next(true, at));
        let mut at = within(now)?;
        for _ in 0..JOINED_MAX {
            let Some(freeze) = self.freeze(class, at) else { return Some(at) };
            at = within(freeze.until)?;
        }
        None
    }
}

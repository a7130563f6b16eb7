//! Holds: asked for, altered, looked at.

use std::collections::BTreeSet;

use belay_core::decide::{HoldAsk, HoldEdit};
use belay_core::explain::hold as words;
use belay_core::model::hold::{Hold, HoldScope};
use belay_core::model::ids::{ClassName, HostId};
use belay_core::model::policy::Pattern;
use belay_core::model::time::Timestamp;
use belay_core::state::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::answer::FieldError;
use super::{count, printed};

/// A hold that is asked for. It is about the hosts and classes that are named, or is made of the
/// foreign lock of one host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HoldPlaced {
    /// Patterns of host names, with `*` and `?`.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Whole classes.
    #[serde(default)]
    pub classes: Vec<String>,
    /// Make it of the foreign lock that stands on this host.
    #[serde(default)]
    pub import: Option<String>,
    /// Who answers for it; the one who asks, when left out.
    #[serde(default)]
    pub owner: Option<String>,
    /// Why; it is shown to whoever meets the hold.
    #[serde(default)]
    pub reason: String,
    /// A ticket.
    #[serde(default)]
    pub ticket: Option<String>,
    /// Whom to ask before anything is switched on again; the owner, when left out.
    #[serde(default)]
    pub contact: Option<String>,
    /// For how long, for example `8h`; this or `until_ms`.
    #[serde(default, rename = "for")]
    pub lasts: Option<String>,
    /// Until when, in milliseconds since the epoch.
    #[serde(default)]
    pub until_ms: Option<i64>,
    /// The number of hosts it is about, as counted: needed for a large part of the fleet.
    #[serde(default)]
    pub confirm: Option<u32>,
}

/// An alteration of a hold. Send the revision that was seen as `If-Match: "3"`, or the `ETag` of the answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HoldAltered {
    /// How much longer from now, for example `8h`; this or `until_ms`. Only where it is extended.
    #[serde(default, rename = "for")]
    pub lasts: Option<String>,
    /// Until when, in milliseconds since the epoch. Only where it is extended.
    #[serde(default)]
    pub until_ms: Option<i64>,
    /// Why; mandatory where it is ended.
    #[serde(default)]
    pub reason: String,
}

/// A hold, in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HoldRow {
    /// Its number, for example `h-3`.
    pub id: String,
    /// How it stands: `active`, `expiring`, `expired, waiting for its owner` or `released`.
    pub state: String,
    /// The hosts it is about, in words.
    pub scope: String,
    /// How many they are now.
    pub hosts: u32,
    /// Who answers for it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// A ticket.
    pub ticket: Option<String>,
    /// Whom to ask.
    pub contact: String,
    /// Since when.
    pub placed: String,
    /// Until when.
    pub until: String,
    /// Hosts on which it was broken by hand.
    pub broken: u32,
    /// Its revision, as `If-Match` wants it.
    pub revision: u32,
}

/// A hold with all that is known of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HoldView {
    /// What a list shows of it.
    #[serde(flatten)]
    pub row: HoldRow,
    /// The hosts it is about now; the first 200.
    pub host_names: Vec<String>,
    /// Where it was broken by hand, in words.
    pub broken_on: Vec<String>,
    /// Hosts that were handed over after its expiry.
    pub handed_over: Vec<String>,
    /// After its expiry: what rehearsals showed that is not accepted, in words.
    pub would_change: Vec<String>,
    /// Who ended it, when and why.
    pub end: Option<String>,
}

/// The most hosts that are named one by one.
const NAMED_MAX: usize = 200;

impl HoldPlaced {
    /// What is asked for.
    ///
    /// # Errors
    /// Every part that cannot be taken, with its place.
    pub fn ask(&self, now: Timestamp) -> Result<HoldAsk, Vec<FieldError>> {
        let mut errors = Vec::new();
        let scope = scope(&self.hosts, &self.classes, &mut errors);
        let import = self.import.as_deref().map(HostId::parse).transpose();
        errors.extend(import.as_ref().err().map(|why| FieldError::new("/import", why.to_string())));
        if self.import.is_none() && self.hosts.is_empty() && self.classes.is_empty() {
            errors.push(FieldError::new("/hosts", "say which hosts are meant: hosts, classes or import"));
        }
        let until = until(self.lasts.as_deref(), self.until_ms, now, &mut errors);
        match (errors.is_empty(), import) {
            (true, Ok(import)) => Ok(HoldAsk {
                scope,
                owner: self.owner.clone(),
                reason: self.reason.clone(),
                ticket: self.ticket.clone(),
                contact: self.contact.clone(),
                until,
                confirm: self.confirm,
                import,
            }),
            _ => Err(errors),
        }
    }
}

impl HoldAltered {
    /// That it is to last longer.
    ///
    /// # Errors
    /// It does not say until when.
    pub fn extends(&self, now: Timestamp) -> Result<HoldEdit, Vec<FieldError>> {
        let mut errors = Vec::new();
        match until(self.lasts.as_deref(), self.until_ms, now, &mut errors) {
            Some(until) => Ok(HoldEdit::Extend(until)),
            None if errors.is_empty() => Err(vec![FieldError::new("/for", "say how much longer, for example 8h")]),
            None => Err(errors),
        }
    }
}

/// The hosts that are meant.
pub(super) fn scope(hosts: &[String], classes: &[String], errors: &mut Vec<FieldError>) -> HoldScope {
    let mut scope = HoldScope { classes: BTreeSet::new(), hosts: Vec::new() };
    if hosts.len() + classes.len() > 1_000 {
        errors.push(FieldError::new("/hosts", "at most 1000 patterns and classes are taken"));
        return scope;
    }
    for (nth, pattern) in hosts.iter().enumerate() {
        let bad =
            pattern.is_empty() || pattern.len() > 255 || pattern.chars().any(|c| !c.is_ascii_graphic() || matches!(c, '/' | '\\' | '%'));
        if bad {
            errors.push(FieldError::new(format!("/hosts/{nth}"), "it is no pattern of host names"));
        } else {
            scope.hosts.push(Pattern::new(pattern));
        }
    }
    for (nth, class) in classes.iter().enumerate() {
        match ClassName::parse(class) {
            Ok(class) => drop(scope.classes.insert(class)),
            Err(why) => errors.push(FieldError::new(format!("/classes/{nth}"), why.to_string())),
        }
    }
    scope
}

/// The time that is meant, by its length or by itself.
pub(super) fn until(lasts: Option<&str>, until_ms: Option<i64>, now: Timestamp, errors: &mut Vec<FieldError>) -> Option<Timestamp> {
    match (lasts.map(crate::config::span), until_ms) {
        (Some(_), Some(_)) => {
            errors.push(FieldError::new("/for", "give either for or until_ms"));
            None
        }
        (Some(Ok(span)), None) => Some(now + span),
        (Some(Err(why)), None) => {
            errors.push(FieldError::new("/for", format!("{why}; write for example 8h, 90m or 2d")));
            None
        }
        (None, until) => until.map(Timestamp::from_ms),
    }
}

impl HoldRow {
    /// The row of a hold.
    pub fn of(state: &State, hold: &Hold, now: Timestamp) -> Self {
        Self {
            id: hold.id.to_string(),
            state: hold.state(now).word().to_owned(),
            scope: hold.scope.words(),
            hosts: count(words::hosts(state, hold).len()),
            owner: hold.owner.clone(),
            reason: hold.reason.clone(),
            ticket: hold.ticket.clone(),
            contact: hold.contact.clone(),
            placed: hold.placed.to_string(),
            until: hold.until.to_string(),
            broken: count(hold.broken.len()),
            revision: hold.revision,
        }
    }
}

impl HoldView {
    /// The view of a hold.
    pub fn of(state: &State, hold: &Hold, now: Timestamp) -> Self {
        let changes = belay_core::decide::waiting_for(hold).into_iter();
        Self {
            row: HoldRow::of(state, hold, now),
            host_names: words::hosts(state, hold).iter().take(NAMED_MAX).map(ToString::to_string).collect(),
            broken_on: words::broken(hold),
            handed_over: hold.handed_over.iter().map(ToString::to_string).collect(),
            would_change: changes.map(|(line, hosts)| format!("{line} (on {hosts} hosts)")).collect(),
            end: printed(hold.end.as_ref().map(|end| format!("{} by {}: {}", end.at, end.by, end.reason)).as_ref()),
        }
    }
}

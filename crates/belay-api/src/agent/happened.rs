//! What happened on a host: its lock, numbered events, results of reverts.

use std::collections::BTreeSet;

use belay_core::host::lock::LockEvent;
use belay_core::host::talk::{Event, Happened, Lock, RevertResult};
use belay_core::model::ids::{HoldId, RevertId};
use belay_core::model::log::Line;
use belay_core::model::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::poll::GlassBody;
use super::{number, said};
use crate::http::FieldError;

/// The lock on a host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum LockBody {
    /// None.
    #[default]
    Absent,
    /// One of ours.
    Ours {
        /// The holds it stands for.
        holds: Vec<String>,
    },
    /// Somebody else's.
    Foreign {
        /// What it says.
        message: String,
        /// Since when, where that is known.
        #[serde(default)]
        since_ms: Option<i64>,
    },
}

/// Something that happened, numbered so that it counts once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventBody {
    /// Its number; never given twice by the same host.
    pub number: u64,
    /// When, by the host's clock.
    pub at_ms: i64,
    /// What.
    #[serde(flatten)]
    pub what: HappenedBody,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum HappenedBody {
    /// A lock of ours was removed by hand.
    LockBroken {
        /// The holds it stood for.
        holds: Vec<String>,
        /// It is put back, or it is not.
        put_back: bool,
        /// What is known of who did it, in words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
    /// A lock of somebody else's stands on the host.
    LockForeign {
        /// What it says.
        message: String,
        /// Since when, where that is known.
        #[serde(default)]
        since_ms: Option<i64>,
    },
    /// The glass was broken.
    BreakGlass {
        /// How.
        glass: GlassBody,
    },
    /// The gate let a run through that somebody has to know of.
    LetThrough {
        /// Why, in one sentence.
        why: String,
    },
}

/// How a revert went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ResultBody {
    /// Which revert, for example `r-2`.
    pub id: String,
    /// It was done.
    pub done: bool,
    /// Why it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why_not: Option<String>,
    /// What was done or said, shortened.
    #[serde(default)]
    pub said: String,
}

/// The newest line of a log that matches a declared pattern.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LineBody {
    /// The log, as the host's configuration names it.
    pub log: String,
    /// The pattern, likewise.
    pub pattern: String,
    /// Since when lines come that match, by the host's clock: the first after an hour without any.
    pub since_ms: i64,
    /// When this one was read, by the host's clock.
    pub at_ms: i64,
    /// What it says, shortened and without secrets.
    pub text: String,
}

fn printed(holds: &BTreeSet<HoldId>) -> Vec<String> {
    holds.iter().map(HoldId::to_string).collect()
}

fn hold_ids(at: &str, holds: &[String]) -> Result<BTreeSet<HoldId>, FieldError> {
    super::few(at, holds, belay_core::model::hold::HOLDS_MAX)?;
    holds.iter().enumerate().map(|(nth, text)| number(format!("{at}/{nth}"), text, HoldId::parse(text), "h-3")).collect()
}

impl From<&Lock> for LockBody {
    fn from(lock: &Lock) -> Self {
        match lock {
            Lock::Absent => Self::Absent,
            Lock::Ours(holds) => Self::Ours { holds: printed(holds) },
            Lock::Foreign { message, since } => Self::Foreign { message: message.clone(), since_ms: since.map(Timestamp::ms) },
        }
    }
}

impl LockBody {
    pub(super) fn lock(&self) -> Result<Lock, FieldError> {
        Ok(match self {
            Self::Absent => Lock::Absent,
            Self::Ours { holds } => Lock::Ours(hold_ids("/status/lock/holds", holds)?),
            Self::Foreign { message, since_ms } => {
                Lock::Foreign { message: said("/status/lock/message", message)?, since: since_ms.map(Timestamp::from_ms) }
            }
        })
    }
}

impl From<&Event> for EventBody {
    fn from(event: &Event) -> Self {
        let what = match &event.what {
            Happened::Lock(LockEvent::Broken { holds, put_back, by }) => {
                HappenedBody::LockBroken { holds: printed(holds), put_back: *put_back, by: by.clone() }
            }
            Happened::Lock(LockEvent::Foreign { message, since }) => {
                HappenedBody::LockForeign { message: message.clone(), since_ms: since.map(Timestamp::ms) }
            }
            Happened::BreakGlass(glass) => HappenedBody::BreakGlass { glass: glass.into() },
            Happened::LetThrough(why) => HappenedBody::LetThrough { why: why.clone() },
        };
        Self { number: event.number, at_ms: event.at.ms(), what }
    }
}

impl EventBody {
    /// The event.
    ///
    /// # Errors
    /// The part that cannot be taken; `at` is the pointer of this body.
    pub fn event(&self, at: &str) -> Result<Event, FieldError> {
        let what = match &self.what {
            HappenedBody::LockBroken { holds, put_back, by } => Happened::Lock(LockEvent::Broken {
                holds: hold_ids(&format!("{at}/holds"), holds)?,
                put_back: *put_back,
                by: by.as_ref().map(|by| said(format!("{at}/by"), by)).transpose()?,
            }),
            HappenedBody::LockForeign { message, since_ms } => Happened::Lock(LockEvent::Foreign {
                message: said(format!("{at}/message"), message)?,
                since: since_ms.map(Timestamp::from_ms),
            }),
            HappenedBody::BreakGlass { glass } => Happened::BreakGlass(glass.glass(&format!("{at}/glass"))?),
            HappenedBody::LetThrough { why } => Happened::LetThrough(said(format!("{at}/why"), why)?),
        };
        Ok(Event { number: self.number, at: Timestamp::from_ms(self.at_ms), what })
    }
}

impl From<&RevertResult> for ResultBody {
    fn from(result: &RevertResult) -> Self {
        Self {
            id: result.id.to_string(),
            done: result.outcome.is_ok(),
            why_not: result.outcome.as_ref().err().cloned(),
            said: result.said.clone(),
        }
    }
}

impl ResultBody {
    /// The result.
    ///
    /// # Errors
    /// The part that cannot be taken; `at` is the pointer of this body.
    pub fn result(&self, at: &str) -> Result<RevertResult, FieldError> {
        let why_not = self.why_not.as_deref().unwrap_or("no reason given");
        Ok(RevertResult {
            id: number(format!("{at}/id"), &self.id, RevertId::parse(&self.id), "r-2")?,
            outcome: if self.done { Ok(()) } else { Err(said(format!("{at}/why_not"), why_not)?) },
            said: said(format!("{at}/said"), &self.said)?,
        })
    }
}

impl From<&Line> for LineBody {
    fn from(line: &Line) -> Self {
        let Line { log, pattern, since, at, text } = line.clone();
        Self { log, pattern, since_ms: since.ms(), at_ms: at.ms(), text }
    }
}

impl LineBody {
    /// The line.
    ///
    /// # Errors
    /// The part that cannot be taken; `at` is the pointer of this body.
    pub fn line(&self, at: &str) -> Result<Line, FieldError> {
        Ok(Line {
            log: said(format!("{at}/log"), &self.log)?,
            pattern: said(format!("{at}/pattern"), &self.pattern)?,
            since: Timestamp::from_ms(self.since_ms),
            at: Timestamp::from_ms(self.at_ms),
            text: said(format!("{at}/text"), &self.text)?,
        })
    }
}

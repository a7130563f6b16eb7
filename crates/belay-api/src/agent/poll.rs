//! What a host tells the server when it asks for its policy.

use std::collections::BTreeMap;

use belay_core::host::talk::{Asked, BreakGlass, EVENTS_MAX, HostStatus, Poll, RunLock, Schedule};
use belay_core::model::gate::Gate;
use belay_core::model::ids::{HostId, Release};
use belay_core::model::log::PATTERNS_MAX;
use belay_core::model::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::happened::{EventBody, LineBody, LockBody, ResultBody};
use super::hold::{HoldBody, orders};
use super::policy::StandBody;
use super::{PROTOCOL, RESULTS_MAX, few, number, part, said};
use crate::http::{FactsBody, FieldError};

/// What a host tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PollBody {
    /// The protocol that is spoken.
    pub protocol: u32,
    /// The host it is about. A credential that speaks for one host need not say it; it never counts
    /// for more than the credential allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The agent's version, for people.
    #[serde(default)]
    pub agent: String,
    /// The policy it has; none when it has none.
    #[serde(default)]
    pub have: Option<StandBody>,
    /// The host's clock when it was sent.
    pub sent_at_ms: i64,
    /// The answer may be kept back this long for something new to tell.
    #[serde(default)]
    pub wait_ms: i64,
    /// The release read on the host, where its configuration says how.
    #[serde(default)]
    pub release: Option<String>,
    /// Its facts; left out when they are not to be altered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<BTreeMap<String, String>>,
    /// What stands on the host.
    #[serde(default)]
    pub status: StatusBody,
    /// The holds it knows of, in full.
    #[serde(default)]
    pub holds: Vec<HoldBody>,
    /// What happened and was not acknowledged yet, in order of the numbers.
    #[serde(default)]
    pub events: Vec<EventBody>,
    /// How reverts went that were asked of it.
    #[serde(default)]
    pub results: Vec<ResultBody>,
    /// The newest line of each declared pattern that was matched within the last hour.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<LineBody>,
}

/// What stands on a host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StatusBody {
    /// The lock.
    #[serde(default)]
    pub lock: LockBody,
    /// How the tool is started.
    #[serde(default)]
    pub schedule: ScheduleBody,
    /// The glass is broken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub break_glass: Option<GlassBody>,
    /// A run is going on.
    #[serde(default)]
    pub running: bool,
    /// The lock of a run, where one stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_lock: Option<RunLockBody>,
    /// The gate's last answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<AskedBody>,
}

/// The lock of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunLockBody {
    /// Since when it stands.
    pub since_ms: i64,
    /// How long the tool lets a run last on this host; left out where it sets no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_ms: Option<i64>,
}

/// How the tool is started on a host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum ScheduleBody {
    /// It was not looked for.
    #[default]
    Unknown,
    /// It is there.
    There {
        /// The entry, shortened.
        entry: String,
    },
    /// It is there and switched off.
    SwitchedOff {
        /// The entry, shortened.
        entry: String,
    },
    /// There is none where one should be.
    Missing,
}

/// The glass is broken on a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GlassBody {
    /// Until when.
    pub until_ms: i64,
    /// Why.
    pub reason: String,
    /// Who, as the host saw it.
    pub by: String,
}

/// A question the gate was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AskedBody {
    /// When, by the host's clock.
    pub at_ms: i64,
    /// What it answered: `go`, `deferred`, `refused` or `held`.
    pub answer: String,
    /// Why, in one sentence.
    pub why: String,
}

impl PollBody {
    /// A poll of a host, ready to be sent.
    pub fn of(host: &HostId, poll: &Poll) -> Self {
        Self {
            protocol: PROTOCOL,
            host: Some(host.to_string()),
            agent: poll.agent.clone(),
            have: poll.have.map(StandBody::from),
            sent_at_ms: poll.sent_at.ms(),
            wait_ms: 0,
            release: poll.release.as_ref().map(Release::to_string),
            facts: poll.facts.clone(),
            status: (&poll.status).into(),
            holds: poll.holds.iter().map(HoldBody::from).collect(),
            events: poll.events.iter().map(EventBody::from).collect(),
            results: poll.results.iter().map(ResultBody::from).collect(),
            lines: poll.lines.iter().map(LineBody::from).collect(),
        }
    }

    /// The host it names, where it names one.
    ///
    /// # Errors
    /// The name is none.
    pub fn host(&self) -> Result<Option<HostId>, FieldError> {
        self.host.as_deref().map(|name| part("/host", HostId::parse(name))).transpose()
    }

    /// The poll. The protocol is looked at first, by [`super::speaks`].
    ///
    /// # Errors
    /// Every part that cannot be taken, with its place.
    pub fn poll(&self) -> Result<Poll, Vec<FieldError>> {
        let facts = FactsBody { release: self.release.clone(), facts: self.facts.clone().unwrap_or_default() };
        let release = facts.checked_release()?;
        self.rest(release).map_err(|error| vec![error])
    }

    fn rest(&self, release: Option<Release>) -> Result<Poll, FieldError> {
        few("/events", &self.events, EVENTS_MAX)?;
        few("/results", &self.results, RESULTS_MAX)?;
        few("/lines", &self.lines, PATTERNS_MAX)?;
        let events = self.events.iter().enumerate().map(|(nth, event)| event.event(&format!("/events/{nth}")));
        let results = self.results.iter().enumerate().map(|(nth, result)| result.result(&format!("/results/{nth}")));
        Ok(Poll {
            agent: said("/agent", &self.agent)?,
            have: self.have.map(Into::into),
            sent_at: Timestamp::from_ms(self.sent_at_ms),
            release,
            facts: self.facts.clone(),
            status: self.status.status()?,
            holds: orders("/holds", &self.holds)?,
            events: events.collect::<Result<_, _>>()?,
            results: results.collect::<Result<_, _>>()?,
            lines: self.lines.iter().enumerate().map(|(nth, line)| line.line(&format!("/lines/{nth}"))).collect::<Result<_, _>>()?,
        })
    }
}

impl From<&HostStatus> for StatusBody {
    fn from(status: &HostStatus) -> Self {
        let schedule = match &status.schedule {
            Schedule::Unknown => ScheduleBody::Unknown,
            Schedule::There(entry) => ScheduleBody::There { entry: entry.clone() },
            Schedule::SwitchedOff(entry) => ScheduleBody::SwitchedOff { entry: entry.clone() },
            Schedule::Missing => ScheduleBody::Missing,
        };
        Self {
            lock: (&status.lock).into(),
            schedule,
            break_glass: status.break_glass.as_ref().map(GlassBody::from),
            running: status.running,
            run_lock: status.run_lock.map(|lock| RunLockBody { since_ms: lock.since.ms(), limit_ms: lock.limit.map(Span::ms) }),
            gate: status.gate.as_ref().map(AskedBody::from),
        }
    }
}

impl StatusBody {
    fn status(&self) -> Result<HostStatus, FieldError> {
        let entry = |text: &str| said("/status/schedule/entry", text);
        let schedule = match &self.schedule {
            ScheduleBody::Unknown => Schedule::Unknown,
            ScheduleBody::There { entry: text } => Schedule::There(entry(text)?),
            ScheduleBody::SwitchedOff { entry: text } => Schedule::SwitchedOff(entry(text)?),
            ScheduleBody::Missing => Schedule::Missing,
        };
        Ok(HostStatus {
            lock: self.lock.lock()?,
            schedule,
            break_glass: self.break_glass.as_ref().map(|glass| glass.glass("/status/break_glass")).transpose()?,
            running: self.running,
            run_lock: self.run_lock.map(|lock| RunLock {
                since: Timestamp::from_ms(lock.since_ms),
                limit: lock.limit_ms.map(Span::from_ms).filter(|limit| *limit > Span::ZERO),
            }),
            gate: self.gate.as_ref().map(|asked| asked.asked("/status/gate")).transpose()?,
        })
    }
}

impl From<&BreakGlass> for GlassBody {
    fn from(glass: &BreakGlass) -> Self {
        Self { until_ms: glass.until.ms(), reason: glass.reason.clone(), by: glass.by.clone() }
    }
}

impl GlassBody {
    /// How the glass is broken.
    ///
    /// # Errors
    /// The part that cannot be taken; `at` is the pointer of this body.
    pub fn glass(&self, at: &str) -> Result<BreakGlass, FieldError> {
        Ok(BreakGlass {
            until: Timestamp::from_ms(self.until_ms),
            reason: said(format!("{at}/reason"), &self.reason)?,
            by: said(format!("{at}/by"), &self.by)?,
        })
    }
}

impl From<&Asked> for AskedBody {
    fn from(asked: &Asked) -> Self {
        Self { at_ms: asked.at.ms(), answer: asked.answer.word().to_owned(), why: asked.why.clone() }
    }
}

impl AskedBody {
    /// The question and its answer.
    ///
    /// # Errors
    /// The part that cannot be taken; `at` is the pointer of this body.
    pub fn asked(&self, at: &str) -> Result<Asked, FieldError> {
        let answers = [Gate::Go, Gate::Deferred, Gate::Refused, Gate::Held];
        let answer = answers.into_iter().find(|gate| gate.word() == self.answer);
        Ok(Asked {
            at: Timestamp::from_ms(self.at_ms),
            answer: number(format!("{at}/answer"), &self.answer, answer, "go, deferred, refused or held")?,
            why: said(format!("{at}/why"), &self.why)?,
        })
    }
}

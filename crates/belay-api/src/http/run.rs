//! Runs: what a tool did to a host.

use belay_core::model::ids::RunId;
use belay_core::model::report::{Event, EventOutcome, FailedResource};
use belay_core::model::run::Run;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{count, printed, version_name};

/// The answer to a report that was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunAnswer {
    /// The run's number, for example `run-42`.
    pub run: String,
    /// The same report had been taken before.
    pub duplicate: bool,
}

/// A run, in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RunRow {
    /// Its number, for example `run-42`.
    pub id: String,
    /// The host.
    pub host: String,
    /// The host's class when the run was recorded.
    pub class: String,
    /// The release the host ran then.
    pub release: Option<String>,
    /// The tool.
    pub tool: String,
    /// How it ended: `changed`, `unchanged`, `noop-would-change`, `noop-unchanged`, `partial`,
    /// `failed`, `failed-compile`, `aborted`, `refused` or `cached-catalog`.
    pub kind: String,
    /// The tool's own words on that, where it has any.
    pub detail: Option<String>,
    /// When it started, server time.
    pub started: String,
    /// The same, in milliseconds since the epoch.
    pub started_ms: i64,
    /// How long it took.
    pub took_s: f64,
    /// The environment really used.
    pub environment: Option<String>,
    /// Provenance of the content; `null` when it has no name.
    pub version: Option<String>,
    /// Items whose content was new to the host.
    pub delta: u32,
    /// Items that were only put back.
    pub drift: u32,
    /// The host's clock or the report's lateness forbid tight comparisons.
    pub skewed: bool,
    /// The host's first run ever seen.
    pub first: bool,
    /// The Change it opened or joined.
    pub change: Option<String>,
}

/// A run with all that is kept of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RunView {
    /// What a list shows of it.
    #[serde(flatten)]
    pub row: RunRow,
    /// The tool's own id of the run.
    pub tool_run_id: String,
    /// When its report was received.
    pub received: String,
    /// What it did; the first ones when there were many.
    pub events: Vec<EventView>,
    /// Events in the report, shown here or not.
    pub event_count: u32,
    /// Resources that failed; the first ones when there were many.
    pub failed: Vec<FailedView>,
}

/// One event of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventView {
    /// The resource as the tool prints it.
    pub resource: String,
    /// The parameter that was set, where one was.
    pub parameter: Option<String>,
    /// What was there, redacted and shortened.
    pub old: String,
    /// What is desired, redacted and shortened.
    pub new: String,
    /// The tool's own sentence.
    pub message: String,
    /// What became of it: `applied`, `failed`, `would-apply` or `audited`.
    pub outcome: String,
}

/// A resource that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FailedView {
    /// The resource as the tool prints it.
    pub resource: String,
    /// The first error said about it.
    pub message: String,
}

impl RunAnswer {
    /// The answer for a run of this number.
    pub fn new(run: RunId, duplicate: bool) -> Self {
        Self { run: run.to_string(), duplicate }
    }
}

impl From<&Run> for RunRow {
    fn from(run: &Run) -> Self {
        Self {
            id: run.id.to_string(),
            host: run.host.to_string(),
            class: run.class.to_string(),
            release: printed(run.release.as_ref()),
            tool: run.tool.to_string(),
            kind: run.kind.word().to_owned(),
            detail: run.kind.detail().map(str::to_owned),
            started: run.started.to_string(),
            started_ms: run.started.ms(),
            took_s: run.took.as_s(),
            environment: printed(run.environment.as_ref()),
            version: version_name(&run.version),
            delta: count(run.delta.len()),
            drift: run.drift,
            skewed: run.skewed,
            first: run.first,
            change: printed(run.change.as_ref()),
        }
    }
}

impl From<&Run> for RunView {
    fn from(run: &Run) -> Self {
        Self {
            row: run.into(),
            tool_run_id: run.tool_run_id.clone(),
            received: run.received.to_string(),
            events: run.events.iter().map(EventView::from).collect(),
            event_count: run.event_count,
            failed: run.failed.iter().map(FailedView::from).collect(),
        }
    }
}

impl From<&Event> for EventView {
    fn from(event: &Event) -> Self {
        Self {
            resource: event.resource.clone(),
            parameter: event.item.as_ref().map(|item| item.parameter.to_string()),
            old: event.old.clone(),
            new: event.new.clone(),
            message: event.message.clone(),
            outcome: outcome(event.outcome).to_owned(),
        }
    }
}

impl From<&FailedResource> for FailedView {
    fn from(failed: &FailedResource) -> Self {
        Self { resource: failed.resource.clone(), message: failed.message.clone() }
    }
}

const fn outcome(outcome: EventOutcome) -> &'static str {
    match outcome {
        EventOutcome::Applied => "applied",
        EventOutcome::Failed => "failed",
        EventOutcome::WouldApply => "would-apply",
        EventOutcome::Audited => "audited",
    }
}

//! A Report: a tool's own testimony about one run, decoded and nothing more. What it *means* for a
//! host (delta, drift, change) is decided elsewhere, from this and from what is known of the host.

use super::ids::{Environment, ToolName};
use super::item::{Content, ItemKey};
use super::time::{Span, Timestamp};

/// How a run ended, told apart as the tools themselves do not: exit codes lie, and so do reports.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RunKind {
    /// Something was applied and nothing failed.
    Changed,
    /// Nothing had to be done.
    Unchanged,
    /// A rehearsal that would have changed something.
    NoopWouldChange,
    /// A rehearsal that would have changed nothing.
    NoopUnchanged,
    /// Only a part of the configuration was considered (tags, schedules).
    Partial,
    /// At least one resource failed.
    Failed,
    /// No configuration could be made for the host; the text is the error, shortened.
    FailedCompile(String),
    /// No configuration could be had because no server answered or nobody could say which one the
    /// host gets; the text is the error, shortened. It says nothing of any content.
    NoCatalog(String),
    /// The run broke off before it ended; the text is the error, shortened.
    Aborted(String),
    /// A hook refused the run: nothing was applied; the text is the hook's own.
    Refused(String),
    /// No new configuration could be had and an old, kept one was applied again; the text says why.
    CachedCatalog(String),
}

/// Where content comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// A name somebody gave it, usually holding a git id.
    Named(String),
    /// None given, or only the time it was compiled.
    Unknown,
}

/// The outcome of one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventOutcome {
    /// It was done.
    Applied,
    /// It was tried and failed.
    Failed,
    /// It would have been done (rehearsal).
    WouldApply,
    /// It was only looked at.
    Audited,
}

/// One event of a run: a parameter of a resource that was not as desired.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The item; `None` for consequences that set nothing (a restart after a change).
    pub item: Option<ItemKey>,
    /// Resource as the tool prints it, for example `File[/etc/app.conf]`.
    pub resource: String,
    /// What was there, redacted and shortened; empty when the tool did not say.
    pub old: String,
    /// What is desired, redacted and shortened; empty when the tool did not say.
    pub new: String,
    /// Hash of the desired content after masking; `None` where it cannot be known (*opaque*).
    pub content: Option<Content>,
    /// The tool's own sentence, redacted and shortened.
    pub message: String,
    /// What became of it.
    pub outcome: EventOutcome,
    /// When, by the host's clock.
    pub at: Option<Timestamp>,
}

/// A resource that failed or could not be restarted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FailedResource {
    /// Resource as the tool prints it.
    pub resource: String,
    /// The first error said about it, redacted and shortened; may be empty.
    pub message: String,
}

/// A tool's testimony about one run.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The tool.
    pub tool: ToolName,
    /// The host as the tool spells it. Whose it is, is decided by the credential, not by this.
    pub host: String,
    /// The tool's own id of the run; with the host it makes a run unique.
    pub tool_run_id: String,
    /// Hash of the bytes: tells a repeated report from a different one under the same id.
    pub digest: super::ids::Digest,
    /// How it ended.
    pub kind: RunKind,
    /// Start, by the host's clock.
    pub started: Timestamp,
    /// How long it took, as the report says; zero when it does not.
    pub took: Span,
    /// The environment really used.
    pub environment: Option<Environment>,
    /// Provenance of the content.
    pub version: Version,
    /// Events, in the order of the report; at most [`EVENTS_MAX`].
    pub events: Vec<Event>,
    /// Resources that failed.
    pub failed: Vec<FailedResource>,
    /// Resources considered, by the report's own count.
    pub resources: u32,
    /// Resources skipped, by the report's own count.
    pub skipped: u32,
    /// Version of the tool, for people.
    pub tool_version: String,
}

/// The most events kept of one report; the rest is counted in a complaint.
pub const EVENTS_MAX: usize = 10_000;

/// Something odd in a report that could be read all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// Where in the document, as a path such as `resource_statuses/File[x]/events/0/status`.
    pub place: String,
    /// What is odd, in plain words.
    pub text: String,
}

/// A report with what was odd about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    /// The report.
    pub report: Report,
    /// What was odd; at most 100.
    pub complaints: Vec<Complaint>,
}

/// Bytes that could not be read as a report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a readable report: {reason} (at byte {offset})")]
pub struct Unreadable {
    /// Offset in bytes at which reading ended.
    pub offset: u64,
    /// Why, and what to do about it.
    pub reason: String,
    /// The host named before reading ended, if any.
    pub host: Option<String>,
}

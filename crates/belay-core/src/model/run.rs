//! Runs: what one execution of a tool did to a host, as Belay understands it.

use super::ids::{ChangeId, ClassName, Digest, Environment, HostId, Release, RunId, ToolName};
use super::item::Items;
use super::report::{Event, FailedResource, RunKind, Version};
use super::time::{Span, Timestamp};

/// What Belay keeps of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Its number.
    pub id: RunId,
    /// The host.
    pub host: HostId,
    /// The host's class when the run was recorded.
    pub class: ClassName,
    /// The release the host ran then, when known.
    pub release: Option<Release>,
    /// The tool.
    pub tool: ToolName,
    /// The tool's own id of the run.
    pub tool_run_id: String,
    /// Hash of the report's bytes.
    pub digest: Digest,
    /// How it ended.
    pub kind: RunKind,
    /// Start, moved to server time.
    pub started: Timestamp,
    /// How long it took.
    pub took: Span,
    /// When Belay received the report.
    pub received: Timestamp,
    /// The environment really used.
    pub environment: Option<Environment>,
    /// Provenance of the content.
    pub version: Version,
    /// What it did: events, shortened to the first [`EVENTS_KEPT`].
    pub events: Vec<Event>,
    /// Events in the report, kept or not.
    pub event_count: u32,
    /// Resources that failed, shortened to the first [`FAILED_KEPT`].
    pub failed: Vec<FailedResource>,
    /// Items whose content was new to the host: the delta.
    pub delta: Items,
    /// Items that were only put back: drift.
    pub drift: u32,
    /// Contents that were put back, so that it is known since when the host carries them.
    pub restored: Items,
    /// The host's clock was more than two minutes off, or the report came late: the run is left
    /// out of tight comparisons.
    pub skewed: bool,
    /// The host's first run ever seen: it enrols the host and is never treated.
    pub first: bool,
    /// The Change it opened or joined.
    pub change: Option<ChangeId>,
}

/// Events of a run that are kept in the journal.
pub const EVENTS_KEPT: usize = 200;
/// Failed resources of a run that are kept in the journal.
pub const FAILED_KEPT: usize = 50;

impl RunKind {
    /// The word for it.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
            Self::NoopWouldChange => "noop-would-change",
            Self::NoopUnchanged => "noop-unchanged",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::FailedCompile(_) => "failed-compile",
            Self::NoCatalog(_) => "no-catalog",
            Self::Aborted(_) => "aborted",
            Self::Refused(_) => "refused",
            Self::CachedCatalog(_) => "cached-catalog",
        }
    }

    /// The text that comes with it, if any.
    pub fn detail(&self) -> Option<&str> {
        match self {
            Self::FailedCompile(text) | Self::NoCatalog(text) | Self::Aborted(text) | Self::Refused(text) | Self::CachedCatalog(text) => {
                Some(text)
            }
            Self::Changed | Self::Unchanged | Self::NoopWouldChange | Self::NoopUnchanged | Self::Partial | Self::Failed => None,
        }
    }

    /// Whether the tool applied a configuration to the host (even one that changed nothing).
    pub const fn applied(&self) -> bool {
        match self {
            Self::Changed | Self::Unchanged | Self::Partial | Self::Failed | Self::CachedCatalog(_) => true,
            Self::NoopWouldChange
            | Self::NoopUnchanged
            | Self::FailedCompile(_)
            | Self::NoCatalog(_)
            | Self::Aborted(_)
            | Self::Refused(_) => false,
        }
    }

    /// Whether something went wrong with the run itself.
    pub const fn is_failure(&self) -> bool {
        match self {
            Self::Failed | Self::FailedCompile(_) | Self::NoCatalog(_) | Self::Aborted(_) => true,
            Self::Changed
            | Self::Unchanged
            | Self::Partial
            | Self::NoopWouldChange
            | Self::NoopUnchanged
            | Self::Refused(_)
            | Self::CachedCatalog(_) => false,
        }
    }
}

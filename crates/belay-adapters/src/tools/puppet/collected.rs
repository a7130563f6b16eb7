//! What is kept of a report while it is read: a few fields, the errors of its log, and the
//! resources to which something happened.

use std::collections::BTreeMap;

use super::value::Value;
use crate::tools::redact::Clip;

/// Everything kept of one report.
#[derive(Debug, Default)]
pub(super) struct Collected {
    pub host: Option<String>,
    pub time: Option<String>,
    pub version: Option<ConfigVersion>,
    pub uuid: Option<String>,
    pub format: Option<String>,
    pub puppet_version: Option<String>,
    pub status: Option<String>,
    pub completed: Option<bool>,
    pub noop: Option<bool>,
    pub noop_pending: Option<bool>,
    pub environment: Option<String>,
    pub cached: Option<String>,
    pub logs: Logs,
    pub metrics: Metrics,
    /// Those to which something happened.
    pub resources: Vec<Resource>,
    /// How many there are of each kind, whether kept or not.
    pub seen: Seen,
    /// Keys nobody knows, by the path they stand at, and how often.
    pub strangers: BTreeMap<String, u32>,
    /// Keys nobody knows beyond the paths kept.
    pub more_strangers: u32,
    /// Keys of the report's outermost mapping that were there, one bit a spot.
    pub root_keys: u64,
    /// What was odd: place and text.
    pub odd: Vec<(&'static str, String)>,
}

/// `configuration_version`, which is a number only when Puppet made it up itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ConfigVersion {
    /// Written without quotes.
    Number(i64),
    /// Given by a script.
    Text(String),
}

/// The log.
#[derive(Debug, Default)]
pub(super) struct Logs {
    /// Lines of level `err` and worse, as far as they are kept.
    pub errors: Vec<LogLine>,
    /// The last line of all.
    pub last: Option<LogLine>,
    /// Errors beyond those kept.
    pub more_errors: u32,
    /// Puppet itself says that it applied the catalog to its end.
    pub applied: bool,
}

/// A line of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct LogLine {
    pub level: String,
    pub source: String,
    pub message: Clip,
}

/// The report's own counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Metrics {
    pub total: Option<f64>,
    pub skipped: Option<f64>,
    pub failed: Option<f64>,
    pub failed_to_restart: Option<f64>,
    pub changed: Option<f64>,
    pub out_of_sync: Option<f64>,
    pub events: Option<f64>,
    /// Seconds the run took.
    pub seconds: Option<f64>,
}

/// Counts of what was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub resources: u32,
    pub skipped: u32,
    pub failed: u32,
    pub failed_to_restart: u32,
    pub changed: u32,
    pub out_of_sync: u32,
    pub events: u32,
    /// Resources without a list of events, which none is without.
    pub without_events: u32,
}

/// A resource to which something happened.
#[derive(Debug, Default)]
pub(super) struct Resource {
    /// As Puppet prints it: `File[/etc/app.conf]`.
    pub name: String,
    pub title: Option<String>,
    pub kind: Option<String>,
    pub failed: bool,
    pub failed_to_restart: bool,
    pub changed: bool,
    pub out_of_sync: bool,
    pub skipped: bool,
    pub events: Vec<RawEvent>,
}

/// An event as it stands in the report.
#[derive(Debug)]
pub(super) struct RawEvent {
    pub property: Option<String>,
    pub previous: Value,
    pub desired: Value,
    pub message: Clip,
    pub outcome: Option<String>,
    pub time: Option<String>,
    pub redacted: bool,
}

impl Default for RawEvent {
    fn default() -> Self {
        Self {
            property: None,
            previous: Value::Null,
            desired: Value::Null,
            message: Clip::default(),
            outcome: None,
            time: None,
            redacted: false,
        }
    }
}

impl LogLine {
    /// Whether Puppet itself says it, and not a resource: only then do its words say how the run
    /// ended. What commands print is logged under their resource.
    pub fn is_puppets_own(&self) -> bool {
        self.source == "Puppet" || (self.source.starts_with("//") && self.source.ends_with("/Puppet"))
    }
}

impl Collected {
    /// Resources the report says there were, else those that were read.
    pub fn total(&self) -> u32 {
        count(self.metrics.total).unwrap_or(self.seen.resources).max(self.seen.resources)
    }

    /// Resources that were skipped.
    pub fn skipped(&self) -> u32 {
        count(self.metrics.skipped).unwrap_or(0).max(self.seen.skipped)
    }

    /// Resources that failed or could not be restarted.
    pub fn failures(&self) -> u32 {
        let said = count(self.metrics.failed).unwrap_or(0).saturating_add(count(self.metrics.failed_to_restart).unwrap_or(0));
        said.max(self.seen.failed.saturating_add(self.seen.failed_to_restart))
    }
}

/// A count out of a metric; `None` when it is none.
pub(super) fn count(metric: Option<f64>) -> Option<u32> {
    metric.filter(|number| (0.0..=f64::from(u32::MAX)).contains(number)).map(|number| number as u32)
}

//! The spots of a report Belay knows: which key leads where, and what may stand there.
//!
//! Formats 4 to 12 of Puppet's report share these names; what one of them lacks is simply absent. The
//! same report as PuppetDB's terminus sends it ([`Map::Command`]) has lists where Puppet has mappings, and
//! other names for a few fields.

/// A spot of the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spot {
    /// A mapping belongs here.
    Map(Map),
    /// A list belongs here.
    List(List),
    /// A single value belongs here.
    Field(Field),
    /// Anything may stand here; it is kept whole.
    Kept(Kept),
    /// Known, and of no use to Belay.
    Ignored,
    /// Not known: counted and passed over.
    Stranger,
}

/// Mappings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Map {
    #[default]
    Root,
    /// The root of a `store report` command.
    Command,
    Measure,
    Log,
    Metrics,
    ResourceMetrics,
    EventMetrics,
    TimeMetrics,
    Resources,
    Resource,
    Event,
}

/// Lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    Logs,
    Rows,
    Row,
    Events,
    Measures,
    Resources,
}

/// Values of events, which may be of any shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    Previous,
    Desired,
}

/// Single values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Host,
    Time,
    ConfigVersion,
    Uuid,
    Format,
    PuppetVersion,
    Status,
    Completed,
    Noop,
    NoopPending,
    Environment,
    Cached,
    LogLevel,
    LogMessage,
    LogSource,
    Cell,
    MeasureKind,
    MeasureName,
    MeasureValue,
    Title,
    ResourceType,
    Failed,
    FailedToRestart,
    Changed,
    OutOfSync,
    Skipped,
    Property,
    Message,
    Outcome,
    EventTime,
    Redacted,
}

impl Map {
    /// Where this key leads from here.
    pub fn child(self, key: &str) -> Spot {
        match self {
            Self::Root => root(key),
            Self::Command => command(key),
            Self::Measure => measure(key),
            Self::Log => log(key),
            Self::Metrics => metric(key),
            Self::ResourceMetrics | Self::EventMetrics | Self::TimeMetrics => match key {
                "values" => Spot::List(List::Rows),
                "name" | "label" => Spot::Ignored,
                _ => Spot::Stranger,
            },
            Self::Resources => Spot::Map(Self::Resource),
            Self::Resource => resource(key),
            Self::Event => event(key),
        }
    }

    /// Where it is, for complaints.
    pub fn path(self) -> &'static str {
        match self {
            Self::Root | Self::Command => "",
            Self::Measure => "metrics/*",
            Self::Log => "logs/*",
            Self::Metrics => "metrics",
            Self::ResourceMetrics => "metrics/resources",
            Self::EventMetrics => "metrics/events",
            Self::TimeMetrics => "metrics/time",
            Self::Resources => "resource_statuses",
            Self::Resource => "resource_statuses/*",
            Self::Event => "resource_statuses/*/events/*",
        }
    }
}

impl List {
    /// Where the entries of a list here lead.
    pub fn entry(self) -> Spot {
        match self {
            Self::Logs => Spot::Map(Map::Log),
            Self::Rows => Spot::List(Self::Row),
            Self::Row => Spot::Field(Field::Cell),
            Self::Events => Spot::Map(Map::Event),
            Self::Measures => Spot::Map(Map::Measure),
            Self::Resources => Spot::Map(Map::Resource),
        }
    }

    /// Where it is, for complaints.
    pub fn path(self) -> &'static str {
        match self {
            Self::Logs => "logs",
            Self::Rows | Self::Row => "metrics/*/values",
            Self::Events => "resource_statuses/*/events",
            Self::Measures => "metrics",
            Self::Resources => "resources",
        }
    }
}

impl Field {
    /// Where it is, for complaints.
    pub fn path(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Time => "time",
            Self::ConfigVersion => "configuration_version",
            Self::Uuid => "transaction_uuid",
            Self::Format => "report_format",
            Self::PuppetVersion => "puppet_version",
            Self::Status => "status",
            Self::Completed => "transaction_completed",
            Self::Noop => "noop",
            Self::NoopPending => "noop_pending",
            Self::Environment => "environment",
            Self::Cached => "cached_catalog_status",
            Self::LogLevel => "logs/*/level",
            Self::LogMessage => "logs/*/message",
            Self::LogSource => "logs/*/source",
            Self::Cell => "metrics/*/values",
            Self::MeasureKind => "metrics/*/category",
            Self::MeasureName => "metrics/*/name",
            Self::MeasureValue => "metrics/*/value",
            Self::Title => "resource_statuses/*/title",
            Self::ResourceType => "resource_statuses/*/resource_type",
            Self::Failed => "resource_statuses/*/failed",
            Self::FailedToRestart => "resource_statuses/*/failed_to_restart",
            Self::Changed => "resource_statuses/*/changed",
            Self::OutOfSync => "resource_statuses/*/out_of_sync",
            Self::Skipped => "resource_statuses/*/skipped",
            Self::Property => "resource_statuses/*/events/*/property",
            Self::Message => "resource_statuses/*/events/*/message",
            Self::Outcome => "resource_statuses/*/events/*/status",
            Self::EventTime => "resource_statuses/*/events/*/time",
            Self::Redacted => "resource_statuses/*/events/*/redacted",
        }
    }

    /// A bit of its own, to know which fields were there.
    pub fn bit(self) -> u64 {
        1 << (24 + self as u8)
    }
}

impl Spot {
    /// Where it is, for complaints.
    pub fn path(self) -> &'static str {
        match self {
            Self::Map(map) => map.path(),
            Self::List(list) => list.path(),
            Self::Field(field) => field.path(),
            Self::Kept(Kept::Previous) => "resource_statuses/*/events/*/previous_value",
            Self::Kept(Kept::Desired) => "resource_statuses/*/events/*/desired_value",
            Self::Ignored | Self::Stranger => "",
        }
    }

    /// A bit of its own, to notice a key that occurs twice; none for spots that may.
    pub fn bit(self) -> u64 {
        match self {
            Self::Ignored | Self::Stranger | Self::Map(Map::Resource) => 0,
            Self::Map(map) => 1 << (map as u8),
            Self::List(list) => 1 << (16 + list as u8),
            Self::Kept(kept) => 1 << (22 + kept as u8),
            Self::Field(field) => field.bit(),
        }
    }
}

fn root(key: &str) -> Spot {
    Spot::Field(match key {
        "host" => Field::Host,
        "time" => Field::Time,
        "configuration_version" => Field::ConfigVersion,
        "transaction_uuid" => Field::Uuid,
        "report_format" => Field::Format,
        "puppet_version" => Field::PuppetVersion,
        "status" => Field::Status,
        "transaction_completed" => Field::Completed,
        "noop" => Field::Noop,
        "noop_pending" => Field::NoopPending,
        "environment" => Field::Environment,
        "cached_catalog_status" => Field::Cached,
        "logs" => return Spot::List(List::Logs),
        "metrics" => return Spot::Map(Map::Metrics),
        "resource_statuses" => return Spot::Map(Map::Resources),
        "corrective_change" | "catalog_uuid" | "code_id" | "job_id" | "server_used" | "master_used" | "kind" | "external_times" => {
            return Spot::Ignored;
        }
        _ => return Spot::Stranger,
    })
}

/// The root of a `store report` command: certname for host, start_time for time, lists for mappings.
fn command(key: &str) -> Spot {
    match key {
        "certname" => Spot::Field(Field::Host),
        "start_time" => Spot::Field(Field::Time),
        "metrics" => Spot::List(List::Measures),
        "resources" => Spot::List(List::Resources),
        "end_time" | "producer" | "producer_timestamp" | "type" => Spot::Ignored,
        "host" | "time" | "resource_statuses" => Spot::Stranger,
        same => root(same),
    }
}

fn measure(key: &str) -> Spot {
    Spot::Field(match key {
        "category" => Field::MeasureKind,
        "name" => Field::MeasureName,
        "value" => Field::MeasureValue,
        _ => return Spot::Stranger,
    })
}

fn log(key: &str) -> Spot {
    match key {
        "level" => Spot::Field(Field::LogLevel),
        "message" => Spot::Field(Field::LogMessage),
        "source" => Spot::Field(Field::LogSource),
        "tags" | "time" | "file" | "line" | "pos" | "environment" | "node" | "issue_code" | "backtrace" | "version" => Spot::Ignored,
        _ => Spot::Stranger,
    }
}

fn metric(key: &str) -> Spot {
    match key {
        "resources" => Spot::Map(Map::ResourceMetrics),
        "events" => Spot::Map(Map::EventMetrics),
        "time" => Spot::Map(Map::TimeMetrics),
        // Any other name is a metric all the same: providers may add their own.
        _ => Spot::Ignored,
    }
}

fn resource(key: &str) -> Spot {
    Spot::Field(match key {
        "title" | "resource_title" => Field::Title,
        "resource_type" => Field::ResourceType,
        "failed" => Field::Failed,
        "failed_to_restart" => Field::FailedToRestart,
        "changed" => Field::Changed,
        "out_of_sync" => Field::OutOfSync,
        "skipped" => Field::Skipped,
        "events" => return Spot::List(List::Events),
        "file"
        | "line"
        | "resource"
        | "provider_used"
        | "containment_path"
        | "evaluation_time"
        | "tags"
        | "time"
        | "change_count"
        | "out_of_sync_count"
        | "corrective_change"
        | "node"
        | "version"
        | "current_values"
        | "skipped_reason"
        | "status"
        | "restarted"
        | "scheduled"
        | "source_description"
        | "default_log_level"
        | "timestamp"
        | "failed_dependencies" => return Spot::Ignored,
        _ => return Spot::Stranger,
    })
}

fn event(key: &str) -> Spot {
    Spot::Field(match key {
        "property" => Field::Property,
        "message" => Field::Message,
        "status" => Field::Outcome,
        "time" | "timestamp" => Field::EventTime,
        "redacted" => Field::Redacted,
        "previous_value" | "old_value" => return Spot::Kept(Kept::Previous),
        "desired_value" | "new_value" => return Spot::Kept(Kept::Desired),
        "audited"
        | "historical_value"
        | "name"
        | "corrective_change"
        | "resource"
        | "file"
        | "line"
        | "tags"
        | "source_description"
        | "default_log_level"
        | "invalidate_refreshes"
        | "version"
        | "node" => return Spot::Ignored,
        _ => return Spot::Stranger,
    })
}

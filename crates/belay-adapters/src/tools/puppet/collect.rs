//! The collector: takes a report in piece by piece and keeps the few fields Belay needs. No tree
//! of the whole document is ever built.
//!
//! What it refuses to know: which of the two formats the pieces come from, and what they mean.

use super::collected::{Collected, ConfigVersion, LogLine, RawEvent, Resource};
use super::spots::{Field, Kept, List, Map, Spot};
use super::value::{Builder, Value};
use super::walk::{Refusal, Scalar, Sink};
use crate::tools::redact::Clip;
use belay_core::model::report::EVENTS_MAX;

/// Errors of the log that are kept.
const ERRORS_MAX: usize = 200;
/// Resources that are kept.
const RESOURCES_MAX: usize = 20_000;
/// Paths of unknown keys that are kept.
const STRANGERS_MAX: usize = 20;
/// Begins Puppet's own line about a catalog that was applied to its end.
const APPLIED: &str = "Applied catalog in ";
/// Bytes of a short field (a name, a status, a time).
const FIELD_MAX: usize = 4096;

/// A mapping or a list that is open.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Map(Map),
    List(List),
}

/// What begins in the document.
#[derive(Clone, Copy)]
enum Begin {
    Map,
    List,
}

/// A list or mapping that is open.
#[derive(Clone, Copy)]
struct Frame {
    open: Open,
    /// Where the next value goes.
    next: Spot,
    /// One bit for each key that was there.
    keys: u64,
}

/// Takes a report in.
#[derive(Default)]
pub(super) struct Collector {
    out: Collected,
    frames: Vec<Frame>,
    /// Levels inside something that is passed over.
    passing: u32,
    building: Option<Builder>,
    line: LogLine,
    resource: Resource,
    event: RawEvent,
    kept_events: usize,
    row: (u32, String),
    /// Category and name of the measure that is open, in a command.
    measure: (Option<String>, Option<String>, Option<f64>),
    /// What the outermost mapping is.
    root: Map,
}

impl Collector {
    /// A collector of reports as the `store report` command has them.
    pub fn of_command() -> Self {
        Self { root: Map::Command, ..Self::default() }
    }

    /// The host, when it was named already.
    pub fn host(&self) -> Option<&str> {
        self.out.host.as_deref()
    }

    /// What was kept.
    pub fn finish(self) -> Collected {
        self.out
    }

    fn spot(&self) -> Spot {
        self.frames.last().map_or(Spot::Map(self.root), |frame| frame.next)
    }

    fn begin(&mut self, begin: Begin) -> Result<(), Refusal> {
        if self.passing > 0 {
            self.passing += 1;
            return Ok(());
        }
        let empty = match begin {
            Begin::Map => Value::Map(Vec::new()),
            Begin::List => Value::List(Vec::new()),
        };
        if let Some(builder) = &mut self.building {
            builder.open(empty);
            return Ok(());
        }
        let spot = self.spot();
        match (spot, begin) {
            (Spot::Map(map), Begin::Map) => self.frames.push(Frame { open: Open::Map(map), next: Spot::Stranger, keys: 0 }),
            (Spot::List(list), Begin::List) => {
                self.frames.push(Frame { open: Open::List(list), next: list.entry(), keys: 0 });
                self.row.0 = 0;
            }
            (Spot::Map(_), Begin::List) | (Spot::List(_), Begin::Map) => return not_a_report(spot),
            (Spot::Kept(_), Begin::Map | Begin::List) => {
                let mut builder = Builder::default();
                builder.open(empty);
                self.building = Some(builder);
            }
            (Spot::Field(_), Begin::Map | Begin::List) => {
                self.odd(spot, "a list or mapping where a single value belongs; passed over");
                self.passing = 1;
            }
            (Spot::Ignored | Spot::Stranger, Begin::Map | Begin::List) => self.passing = 1,
        }
        Ok(())
    }

    fn odd(&mut self, spot: Spot, text: &str) {
        if self.out.odd.len() < 100 {
            self.out.odd.push((spot.path(), text.to_owned()));
        }
    }

    fn stranger(&mut self, parent: Map, key: &str) {
        let shown: String = key.chars().take(60).collect();
        let place = match parent.path() {
            "" => shown,
            parent => format!("{parent}/{shown}"),
        };
        if let Some(count) = self.out.strangers.get_mut(&place) {
            *count += 1;
        } else if self.out.strangers.len() < STRANGERS_MAX {
            self.out.strangers.insert(place, 1);
        } else {
            self.out.more_strangers += 1;
        }
    }

    fn log_done(&mut self) {
        let line = std::mem::take(&mut self.line);
        if matches!(line.level.trim_start_matches(':'), "err" | "error" | "alert" | "emerg" | "crit") {
            if self.out.logs.errors.len() < ERRORS_MAX {
                self.out.logs.errors.push(line.clone());
            } else {
                self.out.logs.more_errors += 1;
            }
        }
        self.out.logs.applied |= line.is_puppets_own() && line.message.text.starts_with(APPLIED);
        self.out.logs.last = Some(line);
    }

    fn resource_done(&mut self, keys: u64) {
        let mut resource = std::mem::take(&mut self.resource);
        if self.root == Map::Command {
            as_status(&mut resource);
        }
        let seen = &mut self.out.seen;
        seen.resources += 1;
        seen.without_events += u32::from(keys & Spot::List(List::Events).bit() == 0);
        seen.skipped += u32::from(resource.skipped);
        seen.failed += u32::from(resource.failed);
        seen.failed_to_restart += u32::from(resource.failed_to_restart);
        seen.changed += u32::from(resource.changed);
        seen.out_of_sync += u32::from(resource.out_of_sync);
        let happened = !resource.events.is_empty() || resource.failed || resource.failed_to_restart;
        if happened && self.out.resources.len() < RESOURCES_MAX {
            self.out.resources.push(resource);
        }
    }

    fn event_done(&mut self) -> Result<(), Refusal> {
        let mut event = std::mem::take(&mut self.event);
        if self.root == Map::Command {
            (event.previous, event.desired) = (event.previous.inspected(), event.desired.inspected());
        }
        let Some(word) = &event.outcome else {
            return Refusal::new(format!("an event of {} without a status: truncated, or not a report of Puppet", self.resource.name));
        };
        if !matches!(word.as_str(), "success" | "failure" | "noop" | "audit") {
            return Refusal::new(format!("an event of {} has the unknown status `{word}`", self.resource.name));
        }
        self.out.seen.events += 1;
        if self.kept_events < EVENTS_MAX {
            self.kept_events += 1;
            self.resource.events.push(event);
        }
        Ok(())
    }

    fn cell(&mut self, scalar: Scalar<'_>) {
        let (column, name) = (self.row.0, &mut self.row.1);
        self.row.0 += 1;
        if column == 0 {
            name.clear();
            name.push_str(scalar.text().trim_start_matches(':'));
        }
        if column != 2 {
            return;
        }
        let name = std::mem::take(name);
        if let Some(Open::Map(metric)) = self.frames.iter().rev().nth(2).map(|frame| frame.open) {
            self.measured(metric, &name, finite(scalar));
        }
    }

    fn measured(&mut self, metric: Map, name: &str, number: Option<f64>) {
        let metrics = &mut self.out.metrics;
        match (metric, name) {
            (Map::ResourceMetrics, "total") => metrics.total = number,
            (Map::ResourceMetrics, "skipped") => metrics.skipped = number,
            (Map::ResourceMetrics, "failed") => metrics.failed = number,
            (Map::ResourceMetrics, "failed_to_restart") => metrics.failed_to_restart = number,
            (Map::ResourceMetrics, "changed") => metrics.changed = number,
            (Map::ResourceMetrics, "out_of_sync") => metrics.out_of_sync = number,
            (Map::EventMetrics, "total") => metrics.events = number,
            (Map::TimeMetrics, "total") => metrics.seconds = number,
            _ => {}
        }
    }

    fn measure_done(&mut self) {
        let (kind, name, number) = std::mem::take(&mut self.measure);
        let Some(Spot::Map(metric)) = kind.as_deref().map(|kind| Map::Metrics.child(kind)) else { return };
        self.measured(metric, name.as_deref().unwrap_or_default(), number);
    }

    /// Keeps a value of the event that is open.
    fn keep(&mut self, value: Value) {
        match self.spot() {
            Spot::Kept(Kept::Previous) => self.event.previous = value,
            Spot::Kept(Kept::Desired) => self.event.desired = value,
            Spot::Map(_) | Spot::List(_) | Spot::Field(_) | Spot::Ignored | Spot::Stranger => {}
        }
    }

    fn truth(&mut self, field: Field, scalar: Scalar<'_>) -> Option<bool> {
        let truth = scalar.truth();
        if truth.is_none() && scalar.some().is_some() {
            self.odd(Spot::Field(field), "neither `true` nor `false`; read as absent");
        }
        truth
    }

    fn put(&mut self, field: Field, scalar: Scalar<'_>) -> Result<(), Refusal> {
        match field {
            Field::Host => self.out.host = short(scalar)?,
            Field::Time => self.out.time = short(scalar)?,
            Field::ConfigVersion => {
                // A command writes numbers as texts.
                let scalar = if self.root == Map::Command { Scalar::Plain(scalar.text()) } else { scalar };
                self.out.version = config_version(scalar)?;
            }
            Field::Uuid => self.out.uuid = short(scalar)?,
            Field::Format => self.out.format = short(scalar)?,
            Field::PuppetVersion => self.out.puppet_version = short(scalar)?,
            Field::Status => self.out.status = short(scalar)?,
            Field::Completed => self.out.completed = self.truth(field, scalar),
            Field::Noop => self.out.noop = self.truth(field, scalar),
            Field::NoopPending => self.out.noop_pending = self.truth(field, scalar),
            Field::Environment => self.out.environment = short(scalar)?,
            Field::Cached => self.out.cached = short(scalar)?,
            Field::LogLevel => self.line.level = short(scalar)?.unwrap_or_default(),
            Field::LogMessage => self.line.message = Clip::of(scalar.text()),
            Field::LogSource => self.line.source = Clip::of(scalar.text()).text,
            Field::Cell => self.cell(scalar),
            Field::MeasureKind => self.measure.0 = short(scalar)?,
            Field::MeasureName => self.measure.1 = short(scalar)?,
            Field::MeasureValue => self.measure.2 = finite(scalar),
            Field::Title => self.resource.title = scalar.some().map(str::to_owned),
            Field::ResourceType => self.resource.kind = short(scalar)?,
            Field::Failed => self.resource.failed = self.truth(field, scalar) == Some(true),
            Field::FailedToRestart => self.resource.failed_to_restart = self.truth(field, scalar) == Some(true),
            Field::Changed => self.resource.changed = self.truth(field, scalar) == Some(true),
            Field::OutOfSync => self.resource.out_of_sync = self.truth(field, scalar) == Some(true),
            Field::Skipped => self.resource.skipped = self.truth(field, scalar) == Some(true),
            Field::Property => self.event.property = short(scalar)?,
            Field::Message => self.event.message = Clip::of(scalar.text()),
            Field::Outcome => self.event.outcome = short(scalar)?.map(|word| word.trim_start_matches(':').to_owned()),
            Field::EventTime => self.event.time = short(scalar)?,
            Field::Redacted => self.event.redacted = self.truth(field, scalar) == Some(true),
        }
        Ok(())
    }
}

impl Sink for Collector {
    fn open_map(&mut self) -> Result<(), Refusal> {
        self.begin(Begin::Map)
    }

    fn open_list(&mut self) -> Result<(), Refusal> {
        self.begin(Begin::List)
    }

    fn close(&mut self) -> Result<(), Refusal> {
        if self.passing > 0 {
            self.passing -= 1;
            return Ok(());
        }
        if let Some(builder) = &mut self.building {
            if let Some(value) = builder.close()? {
                self.building = None;
                self.keep(value);
            }
            return Ok(());
        }
        let Some(frame) = self.frames.pop() else {
            return Refusal::new("a list or mapping ends that never began");
        };
        match frame.open {
            Open::Map(Map::Log) => self.log_done(),
            Open::Map(Map::Resource) => self.resource_done(frame.keys),
            Open::Map(Map::Event) => self.event_done()?,
            Open::Map(Map::Measure) => self.measure_done(),
            Open::Map(Map::Root | Map::Command) => self.out.root_keys = frame.keys,
            Open::Map(Map::Metrics | Map::ResourceMetrics | Map::EventMetrics | Map::TimeMetrics | Map::Resources) | Open::List(_) => {}
        }
        Ok(())
    }

    fn key(&mut self, key: &str) -> Result<(), Refusal> {
        if self.passing > 0 {
            return Ok(());
        }
        if let Some(builder) = &mut self.building {
            builder.key(key);
            return Ok(());
        }
        let Some(Frame { open: Open::Map(map), next, keys }) = self.frames.last_mut() else {
            return Refusal::new("a key outside of any mapping");
        };
        *next = map.child(key);
        if *keys & next.bit() != 0 {
            return Refusal::new(format!("the key `{}` stands there twice", next.path()));
        }
        *keys |= next.bit();
        let (map, next) = (*map, *next);
        if next == Spot::Stranger {
            self.stranger(map, key);
        }
        if map == Map::Resources {
            self.resource.name = key.to_owned();
        }
        Ok(())
    }

    fn scalar(&mut self, scalar: Scalar<'_>) -> Result<(), Refusal> {
        if self.passing > 0 {
            return Ok(());
        }
        if let Some(builder) = &mut self.building {
            builder.put(Value::single(scalar));
            return Ok(());
        }
        if self.frames.is_empty() {
            return Refusal::new("not a report: a single value instead of a mapping");
        }
        let spot = self.spot();
        match spot {
            Spot::Field(field) => self.put(field, scalar)?,
            Spot::Kept(_) => self.keep(Value::single(scalar)),
            Spot::Ignored | Spot::Stranger => {}
            // Nothing where a list or mapping belongs: the same as an empty one.
            Spot::Map(_) | Spot::List(_) if scalar.some().is_none() => {}
            Spot::Map(_) | Spot::List(_) => return not_a_report(spot),
        }
        Ok(())
    }
}

fn not_a_report<T>(spot: Spot) -> Result<T, Refusal> {
    Refusal::new(format!("not a report: `{}` is not what it should be", spot.path()))
}

/// A command names a resource by type and title, and leaves what became of it to its events.
fn as_status(resource: &mut Resource) {
    let (kind, title) = (resource.kind.as_deref().unwrap_or_default(), resource.title.as_deref().unwrap_or_default());
    resource.name = format!("{kind}[{title}]");
    let has = |outcome: &str| resource.events.iter().any(|event| event.outcome.as_deref() == Some(outcome));
    (resource.failed, resource.changed) = (has("failure"), has("success"));
    resource.out_of_sync = resource.failed || resource.changed || has("noop");
}

fn finite(scalar: Scalar<'_>) -> Option<f64> {
    scalar.text().parse().ok().filter(|number: &f64| number.is_finite())
}

/// A short text; `None` for nothing.
fn short(scalar: Scalar<'_>) -> Result<Option<String>, Refusal> {
    match scalar.some() {
        Some(text) if text.len() > FIELD_MAX => Refusal::new(format!("a name, status or time of {} bytes", text.len())),
        text => Ok(text.map(str::to_owned)),
    }
}

fn config_version(scalar: Scalar<'_>) -> Result<Option<ConfigVersion>, Refusal> {
    let number = match scalar {
        Scalar::Plain(text) => text.parse().ok(),
        Scalar::Text(_) => None,
    };
    Ok(match number {
        Some(number) => Some(ConfigVersion::Number(number)),
        None => short(scalar)?.filter(|text| !text.trim().is_empty()).map(ConfigVersion::Text),
    })
}

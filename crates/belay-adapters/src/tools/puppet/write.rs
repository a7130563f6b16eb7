//! The way back: a report in the shape in which Puppet 7 sends it, out of a small description.
//! Simulators and demos send these through the same door as real ones.
//!
//! The shape (order of keys, quoting, base64 of file checksums, metrics, log lines) was copied from
//! recorded reports of puppet-agent 7.23.0.

mod emit;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use belay_core::model::ids::Digest;
use belay_core::model::report::EventOutcome;
use belay_core::model::time::{Span, Timestamp};

use emit::{Emitter, instant};

/// What is to be reported.
#[derive(Clone, Debug, PartialEq)]
pub struct ReportSpec {
    /// The host, as Puppet spells it.
    pub host: String,
    /// Start of the run, by the host's clock.
    pub started: Timestamp,
    /// Seconds it took.
    pub took_s: f64,
    /// The environment used.
    pub environment: String,
    /// Where the content comes from.
    pub version: VersionSpec,
    /// The id of the run.
    pub transaction_uuid: String,
    /// Whether something was really done.
    pub mode: Mode,
    /// How the run ended.
    pub ending: Ending,
    /// When a kept catalog had to be used: the error that was the cause.
    pub cached: Option<String>,
    /// The resources; none are written unless the run was [`Ending::Applied`].
    pub resources: Vec<ResourceSpec>,
}

/// The configuration version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VersionSpec {
    /// What a `config_version` script printed.
    Named(String),
    /// The time of the compile, which Puppet puts there without a script.
    CompileTime,
}

/// Whether a run is real.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Things are done.
    Real,
    /// A rehearsal (`--noop`).
    Noop,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The catalog was applied; the status follows from the events.
    Applied,
    /// There was no catalog: the server's error.
    FailedCompile(String),
    /// The prerun hook refused.
    Refused {
        /// Path of the hook.
        command: String,
        /// Its exit code.
        code: u8,
        /// What it said, on any number of lines.
        said: String,
    },
    /// The run broke off while it was applied: the error.
    Aborted(String),
}

/// A resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceSpec {
    /// Its type, for example `File`.
    pub kind: String,
    /// Its title.
    pub title: String,
    /// What became of it.
    pub state: ResourceState,
}

/// What became of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResourceState {
    /// It was as desired.
    Unchanged,
    /// It was not considered.
    Skipped,
    /// Something happened.
    Events(Vec<EventSpec>),
}

/// An event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventSpec {
    /// The parameter; `None` for a refresh.
    pub property: Option<String>,
    /// What was there.
    pub previous: String,
    /// What is desired; for the content of a file its checksum, `{sha256}HEX`.
    pub desired: String,
    /// Puppet's sentence.
    pub message: String,
    /// What became of it.
    pub outcome: EventOutcome,
}

impl ResourceSpec {
    /// As Puppet prints it: `File[/etc/app.conf]`.
    pub fn name(&self) -> String {
        format!("{}[{}]", self.kind, self.title)
    }

    fn events(&self) -> &[EventSpec] {
        match &self.state {
            ResourceState::Events(events) => events,
            ResourceState::Unchanged | ResourceState::Skipped => &[],
        }
    }

    fn count(&self, outcome: EventOutcome) -> usize {
        self.events().iter().filter(|event| event.outcome == outcome).count()
    }
}

/// The report as the YAML that Puppet 7 sends.
pub fn yaml(spec: &ReportSpec) -> Vec<u8> {
    let resources: &[ResourceSpec] = if spec.ending == Ending::Applied { &spec.resources } else { &[] };
    let writer = Writer { spec, resources, done: spec.ending == Ending::Applied };
    let mut out = Emitter::default();
    out.line(0, "--- !ruby/object:Puppet::Transaction::Report");
    writer.head(&mut out);
    writer.logs(&mut out);
    writer.metrics(&mut out);
    writer.statuses(&mut out);
    out.entry(0, "corrective_change", "false");
    if writer.done {
        out.text(0, "catalog_uuid", &uuid_of(&format!("catalog of {}", spec.transaction_uuid)));
    }
    out.entry(0, "cached_catalog_status", if spec.cached.is_some() && writer.done { "on_failure" } else { "not_used" });
    out.finish().into_bytes()
}

/// An id in the form of a UUID, made of a text; the same text gives the same id.
pub fn uuid_of(text: &str) -> String {
    let hex = Digest::of(text.as_bytes()).to_string();
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

struct Writer<'a> {
    spec: &'a ReportSpec,
    resources: &'a [ResourceSpec],
    /// The catalog was applied to its end.
    done: bool,
}

impl Writer<'_> {
    fn total(&self, outcome: EventOutcome) -> usize {
        self.resources.iter().map(|resource| resource.count(outcome)).sum()
    }

    fn status(&self) -> &'static str {
        match (self.done, self.total(EventOutcome::Failed), self.total(EventOutcome::Applied)) {
            (false, _, _) | (true, 1.., _) => "failed",
            (true, 0, 1..) => "changed",
            (true, 0, 0) => "unchanged",
        }
    }

    /// An instant of the run, after this part of its length.
    fn at(&self, part: f64) -> String {
        instant(self.spec.started + Span::from_ms((self.spec.took_s * part * 1000.0) as i64))
    }

    /// The version as Puppet writes it: its own number bare, a script's text quoted where needed.
    fn version(&self) -> String {
        match &self.spec.version {
            VersionSpec::Named(name) => name.clone(),
            VersionSpec::CompileTime => (self.spec.started.ms() / 1000).to_string(),
        }
    }

    fn head(&self, out: &mut Emitter) {
        let noop = self.spec.mode == Mode::Noop;
        let truth = |value: bool| if value { "true" } else { "false" };
        out.text(0, "host", &self.spec.host);
        out.entry(0, "time", &format!("'{}'", self.at(0.0)));
        match (&self.spec.version, self.done) {
            (_, false) => out.entry(0, "configuration_version", ""),
            (VersionSpec::CompileTime, true) => out.entry(0, "configuration_version", &self.version()),
            (VersionSpec::Named(name), true) => out.text(0, "configuration_version", name),
        }
        out.text(0, "transaction_uuid", &self.spec.transaction_uuid);
        out.entry(0, "report_format", "12");
        out.entry(0, "puppet_version", "7.23.0");
        out.entry(0, "status", self.status());
        out.entry(0, "transaction_completed", truth(self.done));
        out.entry(0, "noop", truth(noop));
        out.entry(0, "noop_pending", truth(self.total(EventOutcome::WouldApply) > 0));
        out.text(0, "environment", &self.spec.environment);
    }

    fn logs(&self, out: &mut Emitter) {
        let spec = self.spec;
        out.line(0, "logs:");
        let mut say = |level: &str, source: &str, message: &str| {
            out.line(0, &format!("- level: {level}"));
            out.text(1, "message", message);
            out.text(1, "source", source);
            out.line(1, "tags:");
            out.line(1, &format!("- {level}"));
            out.entry(1, "time", &format!("'{}'", self.at(0.9)));
            out.line(1, "file:");
            out.line(1, "line:");
        };
        say("info", "Puppet", &format!("Using environment '{}'", spec.environment));
        if let Some(error) = &spec.cached {
            say("err", "Puppet", &format!("Could not retrieve catalog from remote server: {error}"));
            say("info", "Puppet", &format!("Using cached catalog from environment '{}'", spec.environment));
        }
        match &spec.ending {
            Ending::Applied => {}
            Ending::FailedCompile(error) => {
                say("err", "Puppet", &format!("Could not retrieve catalog from remote server: {error}"));
                say("warning", "Puppet", "Not using cache on failed catalog");
                say("err", "Puppet", "Could not retrieve catalog; skipping run");
                return;
            }
            Ending::Refused { command, code, said } => {
                say("info", "Puppet", &format!("Caching catalog for {}", spec.host));
                say(
                    "err",
                    "Puppet",
                    &format!("Could not run command from prerun_command: Execution of '{command}' returned {code}: {said}"),
                );
                return;
            }
            Ending::Aborted(error) => {
                say("err", "Puppet", &format!("Failed to apply catalog: {error}"));
                return;
            }
        }
        if spec.mode == Mode::Real {
            say("info", "Puppet", &format!("Caching catalog for {}", spec.host));
        }
        say("info", "Puppet", &format!("Applying configuration version '{}'", self.version()));
        for resource in self.resources {
            for event in resource.events() {
                let level = if event.outcome == EventOutcome::Failed { "err" } else { "notice" };
                let property = event.property.as_deref().map(|property| format!("/{property}")).unwrap_or_default();
                say(level, &format!("/Stage[main]/Main/{}{property}", resource.name()), &event.message);
            }
        }
        say("notice", "Puppet", "Applied catalog in 0.50 seconds");
    }

    fn metrics(&self, out: &mut Emitter) {
        let with = |outcome| self.resources.iter().filter(|resource| resource.count(outcome) > 0).count();
        let skipped = self.resources.iter().filter(|resource| resource.state == ResourceState::Skipped).count();
        let (changed, failed, pending) = (with(EventOutcome::Applied), with(EventOutcome::Failed), with(EventOutcome::WouldApply));
        let resources = [
            ("total", self.resources.len()),
            ("skipped", skipped),
            ("failed", failed),
            ("failed_to_restart", 0),
            ("restarted", 0),
            ("changed", changed),
            ("out_of_sync", changed + failed + pending),
            ("scheduled", 0),
            ("corrective_change", 0),
        ];
        let all: usize = self.resources.iter().map(|resource| resource.events().len()).sum();
        let events = [
            ("total", all),
            ("failure", self.total(EventOutcome::Failed)),
            ("success", self.total(EventOutcome::Applied)),
            ("noop", self.total(EventOutcome::WouldApply)),
        ];
        let text = |rows: &[(&'static str, usize)]| rows.iter().map(|(name, value)| (*name, value.to_string())).collect::<Vec<_>>();
        out.line(0, "metrics:");
        out.metric("resources", &text(&resources));
        out.metric("time", &[("total", format!("{:?}", self.spec.took_s))]);
        out.metric("changes", &text(&[("total", self.total(EventOutcome::Applied))]));
        out.metric("events", &text(&events[..if events[3].1 > 0 { 4 } else { 3 }]));
    }

    fn statuses(&self, out: &mut Emitter) {
        if self.resources.is_empty() {
            return out.line(0, "resource_statuses: {}");
        }
        out.line(0, "resource_statuses:");
        for resource in self.resources {
            self.resource(resource, out);
        }
    }

    fn resource(&self, resource: &ResourceSpec, out: &mut Emitter) {
        let truth = |value: bool| if value { "true" } else { "false" };
        let (changed, failed) = (resource.count(EventOutcome::Applied), resource.count(EventOutcome::Failed));
        let pending = resource.count(EventOutcome::WouldApply);
        out.key(1, &resource.name());
        out.text(2, "title", &resource.title);
        out.text(2, "file", &format!("/etc/puppet/code/environments/{}/manifests/site.pp", self.spec.environment));
        out.entry(2, "line", "3");
        out.text(2, "resource", &resource.name());
        out.text(2, "resource_type", &resource.kind);
        out.entry(2, "provider_used", "");
        out.line(2, "containment_path:");
        out.item(2, "Stage[main]");
        out.item(2, "Main");
        out.item(2, &resource.name());
        out.entry(2, "evaluation_time", "0.000197972");
        out.line(2, "tags:");
        out.item(2, &resource.kind.to_ascii_lowercase());
        out.item(2, "class");
        out.entry(2, "time", &format!("'{}'", self.at(0.8)));
        out.entry(2, "failed", truth(failed > 0));
        out.entry(2, "failed_to_restart", "false");
        out.entry(2, "changed", truth(changed > 0));
        out.entry(2, "out_of_sync", truth(changed + failed + pending > 0));
        out.entry(2, "skipped", truth(resource.state == ResourceState::Skipped));
        out.entry(2, "change_count", &changed.to_string());
        out.entry(2, "out_of_sync_count", &(changed + failed + pending).to_string());
        match resource.events() {
            [] => out.line(2, "events: []"),
            events => {
                out.line(2, "events:");
                events.iter().for_each(|event| self.event(event, out));
            }
        }
        out.entry(2, "corrective_change", "false");
    }

    fn event(&self, event: &EventSpec, out: &mut Emitter) {
        out.line(2, "- audited: false");
        match &event.property {
            None => {
                for key in ["property", "previous_value", "desired_value"] {
                    out.entry(3, key, "");
                }
            }
            Some(property) => {
                out.text(3, "property", property);
                out.text(3, "previous_value", &event.previous);
                match property.as_str() {
                    // The one value that is not written as it is.
                    "content" => out.text(3, "desired_value", &STANDARD.encode(&event.desired)),
                    "returns" => {
                        out.line(3, "desired_value:");
                        out.item(3, &event.desired);
                    }
                    _ => out.text(3, "desired_value", &event.desired),
                }
            }
        }
        out.entry(3, "historical_value", "");
        out.text(3, "message", &event.message);
        out.text(3, "name", event.property.as_deref().map_or("refresh", |_| "changed"));
        let word = match event.outcome {
            EventOutcome::Applied => "success",
            EventOutcome::Failed => "failure",
            EventOutcome::WouldApply => "noop",
            EventOutcome::Audited => "audit",
        };
        out.entry(3, "status", word);
        out.entry(3, "time", &format!("'{}'", self.at(0.8)));
        out.entry(3, "redacted", "");
        out.entry(3, "corrective_change", "false");
    }
}

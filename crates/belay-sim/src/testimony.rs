//! What a simulated run testifies: written as real report bytes by the tool's adapter, and read
//! back by the same adapter's decoder. Nothing here invents a decoded report.

use std::collections::BTreeMap;

use belay_adapters::tools::mask::Masks;
use belay_adapters::tools::puppet::write::{self, EventSpec, ReportSpec, ResourceSpec, ResourceState, VersionSpec};
use belay_adapters::tools::{Tool, puppet};
use belay_core::model::ids::{Digest, Environment};
use belay_core::model::item::{Content, ItemKey, environment_content};
use belay_core::model::report::{Decoded, EventOutcome, Unreadable};
use belay_core::model::time::{Span, Timestamp};

/// How a simulated run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The configuration was applied, as far as it could be.
    Applied,
    /// It was only rehearsed.
    Rehearsed,
    /// None could be made; the text is the error.
    CompileError(String),
    /// None could be made, and the one kept from the last run was applied again.
    Cached(String),
    /// The gate did not let it go ahead; the text is the gate's own line.
    Refused(String),
}

/// What became of one thing that was not as desired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// It was set.
    Applied,
    /// It could not be set; the text is the error.
    Failed(String),
    /// It would have been set.
    WouldApply,
}

/// One thing that was not as desired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deed {
    /// The item.
    pub key: ItemKey,
    /// What was there.
    pub old: String,
    /// What is desired.
    pub new: String,
    /// What became of it.
    pub done: Done,
    /// When, by the host's clock.
    pub at: Timestamp,
}

/// What one simulated run says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Testimony {
    /// The host.
    pub host: String,
    /// The tool's own id of the run.
    pub run_id: String,
    /// Start, by the host's clock.
    pub started: Timestamp,
    /// How long it took.
    pub took: Span,
    /// The environment it was made in.
    pub environment: String,
    /// The name its content goes by.
    pub version: Option<String>,
    /// How it ended.
    pub ending: Ending,
    /// What was not as desired.
    pub deeds: Vec<Deed>,
    /// Services that were restarted because of it.
    pub restarted: Vec<String>,
    /// Everything that is managed, in order or not.
    pub managed: Vec<ItemKey>,
}

/// Bytes that could not be read back, or the report they are.
pub type ReadBack = Result<Decoded, Unreadable>;

/// The report, as the tool on the host would send it.
pub fn write(testimony: &Testimony) -> Vec<u8> {
    let (mode, ending, cached) = match &testimony.ending {
        Ending::Applied => (write::Mode::Real, write::Ending::Applied, None),
        Ending::Rehearsed => (write::Mode::Noop, write::Ending::Applied, None),
        Ending::CompileError(error) => (write::Mode::Real, write::Ending::FailedCompile(error.clone()), None),
        Ending::Refused(line) => (write::Mode::Real, refused(line), None),
        Ending::Cached(error) => (write::Mode::Real, write::Ending::Applied, Some(error.clone())),
    };
    let version = match &testimony.version {
        Some(name) => VersionSpec::Named(name.clone()),
        None => VersionSpec::CompileTime,
    };
    write::yaml(&ReportSpec {
        host: testimony.host.clone(),
        started: testimony.started,
        took_s: testimony.took.as_s(),
        environment: testimony.environment.clone(),
        version,
        transaction_uuid: testimony.run_id.clone(),
        mode,
        ending,
        cached,
        resources: resources(testimony),
    })
}

/// A run that our gate, as the tool's hook, did not let go ahead.
fn refused(line: &str) -> write::Ending {
    write::Ending::Refused { command: "/usr/bin/belay-agent gate".to_owned(), code: 11, said: line.to_owned() }
}

/// Reads a report as the door of the tool would.
///
/// # Errors
/// [`Unreadable`], as the tool's decoder says it.
pub fn read(bytes: &[u8]) -> ReadBack {
    tool().decode(bytes)
}

/// Reads quiet runs, those that found everything as desired, from one report each that was really
/// written and read: most runs of most fleets are quiet, and differ in host, id and time alone.
#[derive(Clone, Debug, Default)]
pub struct QuietReader {
    known: BTreeMap<(String, Option<String>, usize), Decoded>,
}

impl QuietReader {
    /// What the report of a quiet run says. Its digest stands for bytes that nobody wrote.
    pub fn read(&mut self, testimony: &Testimony) -> Decoded {
        let key = (testimony.environment.clone(), testimony.version.clone(), testimony.managed.len());
        let known = self.known.entry(key).or_insert_with(|| read(&write(testimony)).expect("the tool's own writer is read"));
        let mut decoded = known.clone();
        decoded.report.digest = Digest::of_parts([&*testimony.host, &testimony.run_id, &testimony.started.ms().to_string()]);
        decoded.report.host = testimony.host.clone();
        decoded.report.tool_run_id = testimony.run_id.clone();
        decoded.report.started = testimony.started;
        decoded
    }
}

impl Testimony {
    /// Whether it found everything as desired, in a configuration that has a name: the time of a
    /// compile differs from run to run.
    pub fn is_quiet(&self) -> bool {
        self.ending == Ending::Applied && self.deeds.is_empty() && self.version.is_some()
    }
}

/// The tool whose reports are simulated.
pub fn tool() -> &'static dyn Tool {
    &puppet::Puppet
}

/// The content that a text becomes when it is desired of an item.
pub fn content_of(key: &ItemKey, text: &str) -> Content {
    match Environment::parse(text) {
        Ok(environment) if key.is_environment() => environment_content(&environment),
        Ok(_) | Err(_) => {
            let content = puppet::items::content(&key.parameter, &desired(key, text), &Masks::of("no-host", &[]));
            content.unwrap_or_else(|| Digest::of(text.as_bytes()))
        }
    }
}

/// What a report says of a desired text: the checksum where it is the content of a file.
fn desired(key: &ItemKey, text: &str) -> String {
    if is_file_content(key) { checksum(text) } else { text.to_owned() }
}

fn is_file_content(key: &ItemKey) -> bool {
    &*key.kind == "File" && &*key.parameter == "content"
}

fn checksum(text: &str) -> String {
    use sha2::Digest as _;
    let hex: String = sha2::Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{{sha256}}{hex}")
}

fn resources(testimony: &Testimony) -> Vec<ResourceSpec> {
    let mut events: BTreeMap<(&str, &str), Vec<EventSpec>> = BTreeMap::new();
    for key in &testimony.managed {
        events.entry((&key.kind, &key.title)).or_default();
    }
    for deed in &testimony.deeds {
        events.entry((&deed.key.kind, &deed.key.title)).or_default().push(event(deed, &testimony.host));
    }
    for service in &testimony.restarted {
        events.entry(("Service", service)).or_default().push(refresh());
    }
    events
        .into_iter()
        .map(|((kind, title), events)| ResourceSpec {
            kind: kind.to_owned(),
            title: title.to_owned(),
            state: if events.is_empty() { ResourceState::Unchanged } else { ResourceState::Events(events) },
        })
        .collect()
}

/// What stands for the host's own name in the text of a template.
const OWN_NAME: &str = "{host}";

/// A file that was not there is created, and its checksum stands in the message alone.
fn event(deed: &Deed, host: &str) -> EventSpec {
    let own = |text: &str| desired(&deed.key, &text.replace(OWN_NAME, host));
    let (outcome, error) = match &deed.done {
        Done::Applied => (EventOutcome::Applied, None),
        Done::Failed(error) => (EventOutcome::Failed, Some(error.clone())),
        Done::WouldApply => (EventOutcome::WouldApply, None),
    };
    if is_file_content(&deed.key) && deed.old.is_empty() && outcome == EventOutcome::Applied {
        return EventSpec {
            property: Some("ensure".to_owned()),
            previous: "absent".to_owned(),
            desired: "file".to_owned(),
            message: format!("defined content as '{}'", own(&deed.new)),
            outcome,
        };
    }
    let (previous, desired) = (own(&deed.old), own(&deed.new));
    let said = format!("{} changed '{previous}' to '{desired}'", deed.key.parameter);
    EventSpec { property: Some(deed.key.parameter.to_string()), previous, desired, message: error.unwrap_or(said), outcome }
}

fn refresh() -> EventSpec {
    EventSpec {
        property: None,
        previous: String::new(),
        desired: String::new(),
        message: "Triggered 'refresh' from 1 event".to_owned(),
        outcome: EventOutcome::Applied,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::branch::parse_item;

    fn quiet(host: &str, started: i64) -> Testimony {
        Testimony {
            host: host.to_owned(),
            run_id: write::uuid_of(host),
            started: Timestamp::from_ms(started),
            took: Span::from_s(10),
            environment: "production".to_owned(),
            version: Some("v1".to_owned()),
            ending: Ending::Applied,
            deeds: Vec::new(),
            restarted: Vec::new(),
            managed: vec![parse_item("File[/etc/app.conf] content").unwrap()],
        }
    }

    #[test]
    fn a_quiet_run_reads_as_its_own_bytes_would() {
        let mut reader = QuietReader::default();
        reader.read(&quiet("web01", 1_795_305_600_000));
        let (second, mut short) = (quiet("web02", 1_795_309_200_000), None);
        for mut decoded in [reader.read(&second), read(&write(&second)).unwrap()] {
            decoded.report.digest = Digest::of(b"");
            assert_eq!(*short.get_or_insert(decoded.clone()), decoded);
        }
    }

    #[test]
    fn what_a_run_sets_reads_back_as_items_with_the_contents_expected() {
        let key = parse_item("File[/etc/app.conf] content").unwrap();
        let deed = |old: &str| Deed {
            key: key.clone(),
            old: old.to_owned(),
            new: "text 2 of {host}".to_owned(),
            done: Done::Applied,
            at: Timestamp::from_ms(0),
        };
        for old in ["", "text 1"] {
            let testimony = Testimony { deeds: vec![deed(old)], ..quiet("web01", 1_795_305_600_000) };
            let report = read(&write(&testimony)).unwrap().report;
            let content = report.events.iter().find(|event| event.item.as_ref() == Some(&key)).unwrap().content;
            assert_eq!(content, Some(content_of(&key, "text 2 of web01")), "from {old:?}");
        }
    }
}

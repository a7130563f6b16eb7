//! A report written and read back says what it was told to say.

use belay_adapters::tools::Tool;
use belay_adapters::tools::mask::Masks;
use belay_adapters::tools::puppet::write::{Ending, EventSpec, Mode, ReportSpec, ResourceSpec, ResourceState, VersionSpec, uuid_of, yaml};
use belay_adapters::tools::puppet::{Puppet, items};
use belay_core::model::report::{EventOutcome, Report, RunKind, Version};
use belay_core::model::time::Timestamp;
use proptest::prelude::*;

use crate::puppet_fixtures::fixture;

fn spec() -> ReportSpec {
    ReportSpec {
        host: "web07.example.com".to_owned(),
        started: Timestamp::from_ms(1_795_329_886_623),
        took_s: 13.71,
        environment: "r142".to_owned(),
        version: VersionSpec::Named("r142-94f21930c957".to_owned()),
        transaction_uuid: uuid_of("run 1 of web07"),
        mode: Mode::Real,
        ending: Ending::Applied,
        cached: None,
        resources: vec![resource("File", "/etc/app", ResourceState::Unchanged)],
    }
}

fn resource(kind: &str, title: &str, state: ResourceState) -> ResourceSpec {
    ResourceSpec { kind: kind.to_owned(), title: title.to_owned(), state }
}

fn event(property: Option<&str>, previous: &str, desired: &str, message: &str, outcome: EventOutcome) -> EventSpec {
    EventSpec {
        property: property.map(str::to_owned),
        previous: previous.to_owned(),
        desired: desired.to_owned(),
        message: message.to_owned(),
        outcome,
    }
}

fn read(spec: &ReportSpec) -> Report {
    let body = yaml(spec);
    let decoded = Puppet.decode(&body).unwrap_or_else(|unreadable| panic!("{unreadable}\n{}", String::from_utf8_lossy(&body)));
    assert_eq!(decoded.complaints, [], "{}", String::from_utf8_lossy(&body));
    decoded.report
}

#[test]
fn each_ending_reads_back_as_its_kind() {
    let with = |ending: Ending| read(&ReportSpec { ending, ..spec() }).kind;
    assert_eq!(with(Ending::Applied), RunKind::Unchanged);
    assert_eq!(
        with(Ending::FailedCompile("Error 500 on SERVER: Server Error: no class x".to_owned())),
        RunKind::FailedCompile("no class x".to_owned())
    );
    let refused =
        Ending::Refused { command: "/usr/bin/belay-agent gate".to_owned(), code: 10, said: "held by alice\nuntil 18:00".to_owned() };
    assert_eq!(with(refused), RunKind::Refused("held by alice | until 18:00".to_owned()));
    assert_eq!(with(Ending::Aborted("boom".to_owned())), RunKind::Aborted("Failed to apply catalog: boom".to_owned()));
    let cached = read(&ReportSpec { cached: Some("Error 500 on SERVER: broken commit".to_owned()), ..spec() });
    assert_eq!(
        cached.kind,
        RunKind::CachedCatalog("Could not retrieve catalog from remote server: Error 500 on SERVER: broken commit".to_owned())
    );
    let partial = ReportSpec { resources: vec![resource("Exec", "x", ResourceState::Skipped)], ..spec() };
    assert_eq!(read(&partial).kind, RunKind::Partial);
}

#[test]
fn fields_and_events_read_back_as_they_were_told() {
    let sum = "{sha256}61417c3d2aea710641f3cfa27b6ad60ee133ea836e6b6c49832193e7c58d7706";
    let spec = ReportSpec {
        resources: vec![
            resource(
                "File",
                "/etc/app.conf",
                ResourceState::Events(vec![event(
                    Some("content"),
                    "{sha256}00",
                    sum,
                    "content changed '{sha256}00' to 'x'",
                    EventOutcome::Applied,
                )]),
            ),
            resource(
                "Exec",
                "migrate: \"it\"",
                ResourceState::Events(vec![event(
                    Some("returns"),
                    "notrun",
                    "0",
                    "'x' returned 3\ninstead of one of [0]",
                    EventOutcome::Failed,
                )]),
            ),
            resource(
                "Service",
                "app",
                ResourceState::Events(vec![event(None, "", "", "Triggered 'refresh' from 1 event", EventOutcome::Applied)]),
            ),
        ],
        ..spec()
    };
    let report = read(&spec);
    assert_eq!(
        (report.kind, report.host.as_str(), report.tool_run_id.as_str()),
        (RunKind::Failed, "web07.example.com", spec.transaction_uuid.as_str())
    );
    assert_eq!((report.started, report.took.ms(), report.resources), (spec.started, 13_710, 3));
    assert_eq!(report.version, Version::Named("r142-94f21930c957".to_owned()));
    assert_eq!(report.environment.unwrap().as_str(), "r142");
    assert_eq!((report.events[0].new.as_str(), report.events[0].old.as_str()), (sum, "{sha256}00"));
    assert_eq!(report.failed.len(), 1);
    assert_eq!(report.failed[0].resource, "Exec[migrate: \"it\"]");
    assert_eq!(report.failed[0].message, "'x' returned 3 | instead of one of [0]");
    assert_eq!(report.events[2].item, None);
    assert_eq!(read(&ReportSpec { version: VersionSpec::CompileTime, ..spec }).version, Version::Unknown);
}

/// The keys of a report with their indentation, each once.
fn shape(yaml: &str) -> std::collections::BTreeSet<String> {
    let key = |line: &str| {
        let (indent, rest) = line.split_at(line.len() - line.trim_start_matches([' ', '-']).len());
        let key = rest.split_once(':').map(|(key, _)| key).filter(|key| key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))?;
        Some(format!("{indent}{key}"))
    };
    yaml.lines().filter_map(key).collect()
}

#[test]
fn a_written_report_has_the_keys_of_a_recorded_one() {
    let recorded = fixture("changed-env-switched");
    let events = vec![event(Some("ensure"), "absent", "file", "created", EventOutcome::Applied)];
    let written = yaml(&ReportSpec { resources: vec![resource("File", "/etc/app", ResourceState::Events(events))], ..spec() });
    let written = shape(std::str::from_utf8(&written).unwrap());
    let missing: Vec<_> = shape(&recorded).into_iter().filter(|key| !written.contains(key)).collect();
    assert_eq!(missing, Vec::<String>::new());
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,40}",
        "(?s)[a-z:#'\"\\-\\[\\]{}&*!|>%@`,? \n\t\u{1b}\u{e9}\u{1f600}]{0,40}",
        "[0-9.:_-]{1,12}",
        Just("null".to_owned()),
        Just("~".to_owned()),
        Just("true".to_owned()),
        "(/[a-z]{1,60}){1,5}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_text_in_any_place_reads_back(title in any_text(), desired in any_text(), message in any_text(), count in 1_usize..4) {
        let events = vec![event(Some("ensure"), "was", &desired, &message, EventOutcome::Applied); count];
        let title = format!("t{title}");
        let spec = ReportSpec { resources: vec![resource("Notify", &title, ResourceState::Events(events))], ..spec() };
        let body = yaml(&spec);
        let decoded = Puppet.decode(&body);
        prop_assert!(decoded.is_ok(), "{:?}\n{}", decoded, String::from_utf8_lossy(&body));
        let report = decoded.unwrap().report;
        prop_assert_eq!(report.events.len(), count);
        let masks = Masks::of("web07.example.com", &[]);
        prop_assert_eq!(report.events[0].item.clone().unwrap(), items::key("Notify", &title, "ensure", &masks));
        prop_assert_eq!(report.events[0].content, items::content("ensure", &desired, &masks));
    }
}

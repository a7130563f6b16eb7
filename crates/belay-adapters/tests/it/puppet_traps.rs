//! The known traps of the format, one test each.

use belay_adapters::tools::Tool;
use belay_adapters::tools::mask::Masks;
use belay_adapters::tools::puppet::{Puppet, items};
use belay_core::model::item::ItemKey;
use belay_core::model::report::{Event, EventOutcome, RunKind, Version};

use crate::puppet_fixtures::{fixture, recorded};
use crate::puppet_kinds::{decode, with};

const CONF: &str = "/opt/sitemonitor/etc/sitemonitor.conf";
const TEXT_141: &str = "{sha256}1bf3b7eda50f978f05173617f3a2cbfbaaf7d878912ec9f61cdea63c404fe6c2";
const TEXT_142: &str = "{sha256}61417c3d2aea710641f3cfa27b6ad60ee133ea836e6b6c49832193e7c58d7706";

fn masks() -> Masks {
    Masks::of("web01.example.com", &[])
}

fn event(yaml: &str, key: &ItemKey) -> Event {
    let events = decode(yaml).report.events;
    events.iter().find(|event| event.item.as_ref() == Some(key)).unwrap_or_else(|| panic!("{key} not in {events:#?}")).clone()
}

#[test]
fn the_base64_of_a_checksum_is_the_checksum() {
    let key = ItemKey::new("File", CONF, "content");
    let changed = event(&fixture("changed-env-switched"), &key);
    assert_eq!((changed.old.as_str(), changed.new.as_str()), (TEXT_141, TEXT_142));
    assert_eq!(changed.content, items::content("content", TEXT_142, &masks()));
    // A text that happens to be base64 of something else stays what it is.
    let yaml = with(
        "changed-env-switched",
        &[("e3NoYTI1Nn02MTQxN2MzZDJhZWE3MTA2NDFmM2NmYTI3YjZhZDYwZWUxMzNlYTgzNmU2YjZjNDk4MzIxOTNlN2M1OGQ3NzA2", "aGVsbG8gd29ybGQ=")],
    );
    assert_eq!(event(&yaml, &key).new, "aGVsbG8gd29ybGQ=");
}

#[test]
fn a_file_created_and_a_file_changed_later_are_the_same_item() {
    let key = ItemKey::new("File", CONF, "content");
    let created = event(&fixture("changed-first-run"), &key);
    let reset = event(&fixture("incident-4-reset-to-141"), &key);
    assert_eq!(created.content, reset.content);
    assert!(created.content.is_some());
    assert_ne!(created.content, event(&fixture("incident-2-manual-142"), &key).content);
    let ensured = event(&fixture("changed-first-run"), &ItemKey::new("File", CONF, "ensure"));
    assert_eq!(ensured.new, "file");
    assert_eq!(created.at, ensured.at);
}

#[test]
fn a_rehearsal_offers_the_content_that_the_real_run_applies() {
    let key = ItemKey::new("File", CONF, "content");
    let (rehearsed, applied) = (event(&fixture("noop-pending"), &key), event(&fixture("changed-env-switched"), &key));
    assert_eq!(rehearsed.content, applied.content);
    assert_eq!((rehearsed.outcome, applied.outcome), (EventOutcome::WouldApply, EventOutcome::Applied));
}

#[test]
fn a_refresh_sets_nothing_and_a_command_is_an_item() {
    let events = decode(&fixture("changed-env-switched")).report.events;
    let refresh = events.iter().find(|event| event.resource == "Service[sitemonitor]").unwrap();
    assert_eq!((refresh.item.as_ref(), refresh.content), (None, None));
    let command = event(&fixture("changed-env-switched"), &ItemKey::new("Exec", "record-release", "returns"));
    assert_eq!(command.new, "0");
    assert!(command.content.is_some());
}

#[test]
fn the_time_of_the_compile_is_not_a_version() {
    let version = |from: &str, to: &str| decode(&with("unchanged", &[(from, to)])).report.version;
    let line = "configuration_version: r141-c94b2e399d90";
    assert_eq!(version(line, line), Version::Named("r141-c94b2e399d90".to_owned()));
    // Started at 1795329821.
    assert_eq!(version(line, "configuration_version: 1795329830"), Version::Unknown);
    assert_eq!(version(line, "configuration_version: '1795329830'"), Version::Unknown);
    assert_eq!(version(line, "configuration_version: 1795000000"), Version::Named("1795000000".to_owned()));
    assert_eq!(version(line, "configuration_version: '4711'"), Version::Named("4711".to_owned()));
    assert_eq!(version(line, "configuration_version:"), Version::Unknown);
    assert_eq!(version(line, "configuration_version: ''"), Version::Unknown);
    // A kept catalog may have been compiled long ago.
    let kept = with(
        "unchanged",
        &[(line, "configuration_version: 1795000000"), ("cached_catalog_status: not_used", "cached_catalog_status: on_failure")],
    );
    assert_eq!(decode(&kept).report.version, Version::Unknown);
}

#[test]
fn redacted_values_are_opaque_and_stay_redacted() {
    let secret = event(&fixture("package-and-sensitive"), &ItemKey::new("File", "/opt/sitemonitor/etc/secret.conf", "ensure"));
    assert_eq!((secret.old.as_str(), secret.new.as_str(), secret.content), ("[redacted]", "[redacted]", None));
    let by_name = with(
        "incident-1-steady-141",
        &[("property: ensure", "property: password"), ("desired_value: running", "desired_value: hunter2hunter2")],
    );
    let secret = event(&by_name, &ItemKey::new("Service", "sitemonitor", "password"));
    assert_eq!((secret.new.as_str(), secret.content), ("[redacted]", None));
    let by_shape = with("incident-1-steady-141", &[("desired_value: running", "desired_value: 'url=https://a:s3cr3t@x token=abc'")]);
    let secret = event(&by_shape, &ItemKey::new("Service", "sitemonitor", "ensure"));
    assert_eq!((secret.new.as_str(), secret.content), ("url=https://a:[redacted]@x token=[redacted]", None));
}

#[test]
fn what_a_command_printed_does_not_leak_a_secret() {
    let yaml = with("failed-resource", &[("schema 141 is older than code 142", "password=hunter2 is wrong")]);
    assert!(!format!("{:?}", decode(&yaml)).contains("hunter2"));
}

#[test]
fn two_runs_of_one_catalog_are_two_runs() {
    let one = decode(&fixture("unchanged")).report;
    let uuid = one.tool_run_id.clone();
    let other = decode(&with("unchanged", &[(uuid.as_str(), "11111111-2222-4333-8444-555555555555")])).report;
    assert_ne!(one.tool_run_id, other.tool_run_id);
    assert_ne!(one.digest, other.digest);
    // Without an id the digest stands in for it.
    let line = format!("transaction_uuid: {uuid}");
    let none = decode(&with("unchanged", &[(line.as_str(), "transaction_uuid:")]));
    assert_eq!(none.report.tool_run_id, none.report.digest.to_string());
    assert_eq!(none.complaints.len(), 1);
}

#[test]
fn there_is_no_end_time_so_the_length_comes_from_the_metrics() {
    assert_eq!(decode(&fixture("changed-env-switched")).report.took.ms(), 13_710);
}

#[test]
fn latest_is_the_version_that_was_installed() {
    let yaml = |message: &str| {
        with(
            "package-and-sensitive",
            &[
                ("previous_value: purged", "previous_value: '1.1'"),
                ("desired_value: present", "desired_value: latest"),
                ("message: created\n      name: package_installed", message),
            ],
        )
    };
    let key = ItemKey::new("Package", "hello", "ensure");
    let one = event(&yaml("message: ensure changed '1.1' to '1.2'\n      name: package_changed"), &key);
    let two = event(&yaml("message: ensure changed '1.1' to '1.3'\n      name: package_changed"), &key);
    assert_eq!((one.new.as_str(), two.new.as_str()), ("1.2", "1.3"));
    assert_ne!(one.content, two.content);
}

#[test]
fn what_is_peculiar_to_the_host_does_not_make_the_item_another() {
    let at = |host: &str| {
        let yaml = with(
            "incident-1-steady-141",
            &[
                ("web01.example.com", host),
                ("Service[sitemonitor]", "Service[app-web01.example.com]"),
                ("title: sitemonitor", "title: app-web01.example.com"),
                ("desired_value: running", "desired_value: 'listen on web01.example.com'"),
            ],
        );
        let yaml = yaml.replace("web01.example.com", host);
        event(&yaml, &ItemKey::new("Service", "app-<host>", "ensure"))
    };
    let (one, two) = (at("web01.example.com"), at("web02.example.com"));
    assert_eq!(one.content, two.content);
    assert_eq!(two.resource, "Service[app-web02.example.com]");
    assert_eq!(two.new, "listen on web02.example.com");
}

#[test]
fn unchanged_resources_may_be_left_out_of_the_report() {
    let report = decode(&fixture("big200-unchanged-excluded")).report;
    assert_eq!((report.kind, report.resources), (RunKind::Unchanged, 207));
}

#[test]
fn formats_4_to_11_are_read_with_a_complaint_and_others_refused() {
    for format in ["4", "5", "6", "10", "11", "'11'"] {
        let decoded = decode(&with("changed-env-switched", &[("report_format: 12", &format!("report_format: {format}"))]));
        assert_eq!(decoded.report.kind, RunKind::Changed);
        assert_eq!(decoded.complaints.len(), 1, "{:?}", decoded.complaints);
    }
    for format in ["3", "13", "0", "-1", "twelve", "12.0", ""] {
        let yaml = with("unchanged", &[("report_format: 12", &format!("report_format: {format}"))]);
        let unreadable = Puppet.decode(yaml.as_bytes()).unwrap_err();
        assert!(unreadable.reason.contains("report_format") || unreadable.reason.contains("report format"), "{unreadable}");
        assert_eq!(unreadable.host.as_deref(), Some("web01.example.com"));
    }
}

#[test]
fn an_old_report_without_an_end_is_whole_only_when_its_counts_say_so() {
    let old = |format: &str| {
        with(
            "changed-env-switched",
            &[
                ("report_format: 12", format),
                ("\ncorrective_change: true\ncatalog_uuid: 0cead74a-b025-4297-8511-b9798908598c\ncached_catalog_status: not_used", ""),
            ],
        )
    };
    assert_eq!(decode(&old("report_format: 4")).report.kind, RunKind::Changed);
    for format in ["report_format: 6", "report_format: 11", "report_format: 12"] {
        assert!(Puppet.decode(old(format).as_bytes()).is_err(), "{format}");
    }
    let whole = old("report_format: 4");
    for (at, _) in whole.match_indices("\n  Schedule[").chain(whole.match_indices("\n    events")) {
        assert!(Puppet.decode(&whole.as_bytes()[..at]).is_err(), "cut at {at}");
    }
}

#[test]
fn what_a_report_cannot_do_without_makes_it_unreadable() {
    for (line, named) in [
        ("host: web01.example.com\n", "host"),
        ("status: unchanged\n", "status"),
        ("report_format: 12\n", "report_format"),
        ("time: '2026-11-22T06:43:41.861205935+00:00'\nconfig", "time"),
        ("resource_statuses:\n", ""),
    ] {
        let yaml = with("unchanged", &[(line, if line.ends_with("config") { "config" } else { "" })]);
        let unreadable = Puppet.decode(yaml.as_bytes()).unwrap_err();
        assert!(unreadable.reason.contains(named), "{unreadable}");
    }
    for (from, to) in [
        ("status: unchanged", "status: fine"),
        ("status: unchanged", "status:"),
        ("status: unchanged", "status: failed\nstatus: unchanged"),
        ("\nlogs:", "\nlogs: {}\nlogz:"),
        ("cached_catalog_status: not_used", "cached_catalog_status: not_use"),
        ("cached_catalog_status: not_used", "cached_catalog_status:"),
        ("host: web01.example.com", "host: ../../etc/x"),
        ("host: web01.example.com", "host: 'web 01'"),
        ("time: '2026-11-22T06:43:41.861205935+00:00'\nconfig", "time: yesterday\nconfig"),
    ] {
        let yaml = with("unchanged", &[(from, to)]);
        assert!(Puppet.decode(yaml.as_bytes()).is_err(), "{to} was taken");
    }
    let yaml = with("changed-env-switched", &[("status: success", "status: splendid")]);
    assert!(Puppet.decode(yaml.as_bytes()).unwrap_err().reason.contains("splendid"));
}

#[test]
fn aliases_to_texts_tags_symbols_and_long_keys_are_read() {
    let long = "x".repeat(200);
    let yaml = with(
        "changed-env-switched",
        &[
            (
                "    file: \"/etc/puppet/code/environments/r142/modules/sitemonitor/manifests/init.pp\"\n    line: 5",
                "    file: &1 \"/etc/init.pp\"\n    line: 5",
            ),
            (
                "    file: \"/etc/puppet/code/environments/r142/modules/sitemonitor/manifests/init.pp\"\n    line: 6",
                "    file: *1\n    line: 6",
            ),
            ("      desired_value:\n      - '0'", "      desired_value: !ruby/sym zero"),
            ("  Exec[record-release]:\n", &format!("  ? Exec[{long}]\n  : ")),
            ("    title: record-release\n", &format!("title: {long}\n")),
            ("      status: success", "      status: !ruby/sym success"),
            ("      message: Triggered 'refresh' from 1 event", "      message: !binary |-\n        VHJpZ2dlcmVkIP8="),
        ],
    );
    let report = decode(&yaml).report;
    assert_eq!(report.events[1].item, Some(ItemKey::new("Exec", &long, "returns")));
    assert_eq!(report.events[1].new, "zero");
    assert_eq!(report.events[2].message, "Triggered \u{fffd}");
}

#[test]
fn every_event_of_a_recorded_run_that_sets_something_has_an_item() {
    for (name, body) in recorded() {
        for event in Puppet.decode(&body).unwrap().report.events {
            assert_eq!(event.item.is_none(), event.message.starts_with("Triggered"), "{name}: {event:?}");
            assert!(event.at.is_some(), "{name}: {event:?}");
        }
    }
}

//! Hostile and damaged bytes: refused or read with a complaint, never a panic, never for long.

use belay_adapters::tools::Tool;
use belay_adapters::tools::puppet::Puppet;
use belay_core::model::report::{EventOutcome, RunKind, Unreadable};
use proptest::prelude::*;

use crate::convert;
use crate::puppet_fixtures::fixture;
use crate::puppet_kinds::{decode, with};

fn refused(body: &str) -> Unreadable {
    match Puppet.decode(body.as_bytes()) {
        Ok(decoded) => panic!("read as {:?}: {}", decoded.report.kind, body.chars().take(200).collect::<String>()),
        Err(unreadable) => unreadable,
    }
}

/// A report with something in front of its status.
fn laced(extra: &str) -> String {
    with("unchanged", &[("status: unchanged", &format!("{extra}\nstatus: unchanged"))])
}

#[test]
fn bombs_are_refused() {
    let laughs = "a: &a\n- lol\n- lol\nb: &b\n- *a\n- *a\nc: &c\n- *b\n- *b";
    assert!(refused(&laced(laughs)).reason.contains("alias to a list"));
    assert!(refused(&laced("a: &a [lol, lol]\nb: &b [*a, *a]\nc: &c [*b, *b]")).reason.contains("brackets"));
    assert!(refused(&laced("a: &a\n- *a")).reason.contains("alias to a list"));
    assert!(refused(&laced("a: &a {b: *a}")).reason.contains("brackets"));
    refused(&"---\n".repeat(1_000_000));
    assert!(refused(&format!("{}---\n- 1\n", fixture("unchanged"))).reason.contains("document"));
    for nested in ["[".repeat(10_000), "- ".repeat(10_000), "? ".repeat(10_000), format!("a: {}", "{a: ".repeat(10_000))] {
        refused(&nested);
        refused(&laced(&format!("x:\n  {nested}")));
    }
    let deep: String = (0..10_000).map(|level| format!("{}a:\n", " ".repeat(level.min(500)))).collect();
    assert!(refused(&deep).reason.contains("deep"));
    assert!(refused(&laced(&format!("a: &1 {}\nb:\n{}", "x".repeat(1_000_000), "- *1\n".repeat(100)))).reason.contains("bytes of text"));
    assert!(refused(&laced(&format!("a: [{}]", "a,".repeat(1_000_000)))).reason.contains("brackets"));
    assert!(refused(&laced(&format!("a:\n- [{}]", "a,".repeat(1_000_000)))).reason.contains("brackets"));
    assert!(refused(&laced(&format!("a: [x, [{}]]", "a,".repeat(1_000_000)))).reason.contains("brackets"));
    assert!(
        refused(&laced(&format!("a:\n{}", (0..100_002).map(|i| format!("- &a{i} x\n")).collect::<String>()))).reason.contains("anchors")
    );
    assert!(refused(&"x".repeat(33 * 1024 * 1024)).reason.contains("at most"));
    assert!(refused(&laced(&format!("a: {}", "x".repeat(13 * 1024 * 1024)))).reason.contains("a line of more"));
}

#[test]
fn bombs_in_json_are_refused() {
    for nested in ["[".repeat(10_000), "{\"a\":".repeat(10_000), format!("{{\"a\":{}", "[".repeat(10_000))] {
        refused(&nested);
    }
    let json = String::from_utf8(convert::json(&fixture("unchanged"))).unwrap();
    assert!(
        refused(&json.replacen('{', "{\"x\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]],", 1))
            .reason
            .contains("deep")
    );
    assert!(
        refused(&json.replacen("\"status\":\"unchanged\"", "\"status\":\"failed\",\"status\":\"unchanged\"", 1)).reason.contains("twice")
    );
    assert!(refused(&format!("{json}{json}")).reason.contains("JSON"));
    let unreadable = refused(&json[..json.len() / 2]);
    assert!(unreadable.reason.contains("truncated"), "{unreadable}");
    assert_eq!(unreadable.offset, (json.len() / 2) as u64);
}

#[test]
fn what_is_not_a_report_is_refused_with_a_reason() {
    for body in [
        "",
        " \n",
        "---\n",
        "null",
        "[]",
        "{}",
        "{\"host\":1}",
        "hello",
        "host: web01\n",
        "- a\n- b\n",
        "<html></html>",
        "\u{0}\u{0}",
        "%YAML 9.9\n---\n",
    ] {
        let unreadable = refused(body);
        assert!(!unreadable.reason.is_empty() && unreadable.offset <= body.len() as u64, "{body:?}: {unreadable}");
    }
}

#[test]
fn an_unreadable_report_names_the_host_and_the_offset() {
    let yaml = with("unchanged", &[("status: unchanged", "status: [")]);
    let unreadable = refused(&yaml);
    assert_eq!(unreadable.host.as_deref(), Some("web01.example.com"));
    let at = yaml.find("status: [").unwrap() as u64;
    assert!((at..at + 20).contains(&unreadable.offset), "{unreadable}, the bracket is at {at}");
    // Characters of several bytes before it do not shift the offset.
    let wide = yaml.replace("web01.example.com", "web01.example.com\nx\u{e9}\u{1f600}: \u{1f600}");
    let at = wide.find("status: [").unwrap() as u64;
    let unreadable = refused(&wide);
    assert!((at..at + 20).contains(&unreadable.offset), "{unreadable}, the bracket is at {at}");
}

#[test]
fn brackets_that_reports_do_have_are_read() {
    for extra in [
        "a: []",
        "a: {}",
        "a: ['0', \"]\", x]",
        "a: {b: [1, 2]}",
        "a:\n- []\n- - x",
        "a: '[[[['",
        "a: |-\n  [INFO] not closed\n  {neither\nb: x",
        "a: -[x",
        "a: x # [ [",
    ] {
        assert_eq!(decode(&laced(extra)).report.kind, RunKind::Unchanged, "{extra}");
    }
}

#[test]
fn bytes_that_are_not_text_are_read_with_a_complaint() {
    let whole = fixture("changed-env-switched");
    let event = "      message: Triggered 'refresh' from 1 event";
    let complaints = |body: Vec<u8>| {
        let decoded = Puppet.decode(&body).unwrap_or_else(|unreadable| panic!("{unreadable}"));
        assert_eq!(decoded.report.kind, RunKind::Changed);
        decoded.complaints.into_iter().map(|complaint| complaint.text).collect::<Vec<_>>().join("; ")
    };
    let marked = [b"\xef\xbb\xbf".as_slice(), whole.as_bytes()].concat();
    assert!(complaints(marked).contains("byte order mark"));
    assert!(complaints(whole.replace('\n', "\r\n").into_bytes()).contains("CR LF"));
    let at = whole.find(event).unwrap() + event.len();
    for (bytes, said) in [(b"\xff\xfe".as_slice(), "not UTF-8"), (b"\0", "NUL"), (b"\xed\xa0\x80", "not UTF-8")] {
        let body = [&whole.as_bytes()[..at], bytes, &whole.as_bytes()[at..]].concat();
        assert!(complaints(body).contains(said));
    }
}

#[test]
fn a_nul_does_not_end_the_report_early() {
    let yaml = with("failed-resource", &[("status: failed\n", "status: failed\n\0")]);
    assert!(Puppet.decode(yaml.as_bytes()).map_or(true, |decoded| decoded.report.kind == RunKind::Failed));
}

#[test]
fn lone_surrogates_are_read_with_a_complaint() {
    let message = "Triggered 'refresh' from 1 event";
    let yaml = with(
        "changed-env-switched",
        &[("      message: Triggered 'refresh' from 1 event", "      message: \"a \\ud800 \\ud83d\\ude00 b\"")],
    );
    let decoded = decode(&yaml);
    assert_eq!(decoded.report.events[2].message, "a \u{fffd} \u{1f600} b");
    assert_eq!(decoded.complaints.len(), 1, "{:?}", decoded.complaints);
    let json = String::from_utf8(convert::json(&fixture("changed-env-switched"))).unwrap();
    let decoded = decode(&json.replace(&format!("\"message\":\"{message}\""), "\"message\":\"a \\ud800 \\ud83d\\ude00 \\\\ud800 b\""));
    let events = decoded.report.events;
    assert!(events.iter().any(|event| event.message == "a \u{fffd} \u{1f600} \\ud800 b"), "{events:?}");
    assert_eq!(decoded.complaints.len(), 1, "{:?}", decoded.complaints);
}

#[test]
fn line_ends_of_yaml_1_1_do_not_swallow_the_next_key() {
    // As libyaml writes a text that ends in U+2028.
    let block = "      message: |\n        Triggered 'refresh'\u{2028}      name: refresh\n      status: success\n      time: '2026-11-22T06:45:00Z'";
    let plain = "      message: Triggered 'refresh' from 1 event\n      name: refresh\n      status: success\n      time: '2026-11-22T06:45:00.250122357+00:00'";
    let decoded = decode(&with("changed-env-switched", &[(plain, block)]));
    assert_eq!(decoded.report.events[2].message, "Triggered 'refresh'");
    assert_eq!(decoded.report.events[2].outcome, EventOutcome::Applied);
    assert_eq!(decoded.complaints.len(), 1, "{:?}", decoded.complaints);
}

#[test]
fn a_truncated_report_is_never_a_partial_run() {
    for name in ["big200-unchanged-excluded", "prerun-refused", "enc-strict-environment-mode"] {
        let yaml = fixture(name);
        let json = convert::json(&yaml);
        for whole in [yaml.as_bytes(), &json] {
            let end = whole.trim_ascii_end().len();
            for at in 0..end {
                assert!(Puppet.decode(&whole[..at]).is_err(), "{name} cut at {at} of {end}");
            }
            assert!(Puppet.decode(&whole[..end]).is_ok());
        }
    }
}

#[test]
fn a_log_line_of_ten_megabytes_is_shortened() {
    let long = "x y ".repeat(2_621_440);
    let event = ("message: Triggered 'refresh' from 1 event", format!("message: \"{long}\""));
    let text = decode(&with("changed-env-switched", &[(event.0, &event.1)])).report.events[2].message.clone();
    assert!(text.ends_with("(10485760 bytes in all)") && text.len() < 400, "{} bytes", text.len());
}

#[test]
fn hostile_text_is_stored_as_text_and_inert() {
    let nasty = "<script>alert(1)</script> '; drop table runs; -- {{7*7}} %s ${x} \\e[31m \\u202e =cmd() @channel \\r\\n * FAKE";
    let yaml = with(
        "changed-env-switched",
        &[
            ("message: Triggered 'refresh' from 1 event", &format!("message: \"{nasty}\"")),
            ("      previous_value: notrun", &format!("      previous_value: \"{nasty}\"")),
            ("    title: record-release", &format!("    title: \"{nasty}\"")),
            ("puppet_version: 7.23.0", &format!("puppet_version: \"{nasty}\"")),
            ("configuration_version: r142-94f21930c957", &format!("configuration_version: \"{nasty}\"")),
            ("environment: r142\nlogs", &format!("environment: \"{nasty}\"\nlogs")),
        ],
    );
    let decoded = decode(&yaml);
    let report = &decoded.report;
    assert_eq!(report.environment, None);
    let mut texts = vec![report.tool_version.clone(), format!("{:?}", report.version)];
    for event in &report.events {
        texts.extend([event.message.clone(), event.old.clone(), event.new.clone(), event.resource.clone()]);
        texts.extend(event.item.as_ref().map(|item| item.title.to_string()));
    }
    texts.extend(decoded.complaints.iter().flat_map(|complaint| [complaint.place.clone(), complaint.text.clone()]));
    for text in texts {
        assert!(!text.chars().any(|c| c.is_control() || c == '\u{202e}'), "{text:?}");
    }
    assert!(
        report.events[2].message.starts_with("<script>alert(1)</script> '; drop table runs; -- {{7*7}} %s ${x} \\u{1b}[31m \\u{202e}"),
        "{}",
        report.events[2].message
    );
}

#[test]
fn unknown_keys_by_the_thousand_give_few_complaints() {
    let strange: String = (0..5000).map(|i| format!("stranger{i}: x\n")).collect();
    let decoded = decode(&laced(strange.trim_end()));
    assert_eq!(decoded.report.kind, RunKind::Unchanged);
    assert!(decoded.complaints.len() <= 25, "{}", decoded.complaints.len());
    assert!(decoded.complaints.iter().any(|complaint| complaint.text.contains("4980 more keys")), "{:?}", decoded.complaints.last());
}

#[test]
fn more_events_than_are_kept_are_counted() {
    let one = "    - audited: false\n      property: mode\n      previous_value: '1'\n      desired_value: '2'\n      message: m\n      status: success\n";
    let many = with(
        "changed-env-switched",
        &[(
            "    - audited: false\n      property: returns\n",
            &format!("{}    - audited: false\n      property: returns\n", one.repeat(12_000)),
        )],
    );
    let decoded = decode(&many);
    assert_eq!(decoded.report.events.len(), 10_000);
    assert!(
        decoded.complaints.iter().any(|complaint| complaint.text.contains("12003 events; only the first 10000")),
        "{:?}",
        decoded.complaints
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_bytes_never_panic_and_stay_bounded(
        name in prop_oneof![Just("changed-env-switched"), Just("failed-resource"), Just("prerun-refused")],
        in_json in any::<bool>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..4), 1..8),
    ) {
        let yaml = fixture(name);
        let mut body = if in_json { convert::json(&yaml) } else { yaml.into_bytes() };
        for (at, byte, what) in changes {
            let at = at.index(body.len());
            match what {
                0 => body[at] = byte,
                1 => body.insert(at, byte),
                2 => _ = body.remove(at),
                _ => {
                    let end = (at + usize::from(byte)).min(body.len());
                    let copy = body[at..end].to_vec();
                    body.splice(at..at, copy);
                }
            }
        }
        match Puppet.decode(&body) {
            Ok(decoded) => {
                prop_assert!(decoded.complaints.len() <= 100);
                prop_assert!(decoded.report.events.iter().all(|event| event.message.len() < 2000 && event.old.len() < 2000 && event.new.len() < 2000));
            }
            Err(unreadable) => {
                prop_assert!(!unreadable.reason.is_empty());
                prop_assert!(unreadable.offset <= body.len() as u64);
            }
        }
    }

    #[test]
    fn arbitrary_yaml_like_text_never_panics(text in "(?s)[a-z:#'\"\\-\\[\\]{}&*!|>%@`,? \n\t0-9]{0,200}") {
        let _ = Puppet.decode(text.as_bytes());
        let _ = Puppet.decode(format!("--- !ruby/object:Puppet::Transaction::Report\nhost: a\n{text}").as_bytes());
    }
}

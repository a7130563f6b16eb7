//! Fault 16: what a report says cannot speak to the operator's terminal.

use belay_adapters::tools::puppet::write::{self, Ending, EventSpec, Mode, ReportSpec, ResourceSpec, ResourceState, VersionSpec};
use belay_core::model::report::EventOutcome;
use belay_core::model::time::Timestamp;

use crate::harness::Server;
use crate::reports::{DOOR, now_ms};
use crate::wire::Wire;

const HOSTILE: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m\u{202e}evil\u{2066}\u{200b}\r<script>";

fn report(n: i64) -> Vec<u8> {
    let event = EventSpec {
        property: Some("content".to_owned()),
        previous: HOSTILE.to_owned(),
        desired: format!("{HOSTILE}{n}"),
        message: HOSTILE.to_owned(),
        outcome: if n == 2 { EventOutcome::Failed } else { EventOutcome::Applied },
    };
    write::yaml(&ReportSpec {
        host: "web01".to_owned(),
        started: Timestamp::from_ms(now_ms() + n),
        took_s: 1.0,
        environment: "production".to_owned(),
        version: VersionSpec::Named(format!("v{n} {HOSTILE}")),
        transaction_uuid: write::uuid_of(&n.to_string()),
        mode: Mode::Real,
        ending: Ending::Applied,
        cached: None,
        resources: vec![ResourceSpec {
            kind: "File".to_owned(),
            title: format!("/etc/{HOSTILE}"),
            state: ResourceState::Events(vec![event]),
        }],
    })
}

#[test]
fn nothing_a_report_says_reaches_the_terminal_alive() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&dir.path().join("state"), &[]);
    let mut wire = Wire::connect(&server.socket()).unwrap();
    for n in 0..3 {
        let answer = wire.ask("POST", DOOR, &[], &report(n)).unwrap();
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    }
    let mut shown = String::new();
    for args in [&["changes"][..], &["show", "c-1"], &["show", "run-2"], &["show", "run-3"], &["why", "c-1"], &["why", "web01"], &["hosts"]]
    {
        for form in ["table", "json", "jsonl"] {
            let ended = server.ask(&[args, &["-o", form]].concat());
            let alive = ended
                .out
                .chars()
                .find(|c| (c.is_control() && *c != '\n') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{200b}'));
            assert_eq!(alive, None, "{args:?} as {form}: {:?}", ended.out);
            shown.push_str(&ended.out);
        }
    }
    assert!(shown.contains("evil"), "what is visible stays visible: {shown}");
}

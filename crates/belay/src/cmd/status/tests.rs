use std::collections::BTreeMap;

use belay_api::http::{HostRow, LastRunView, PolicyCount, ReleaseCount, SourceView, StoreView};

use super::*;
use crate::cmd::samples;
use crate::out::when::Zone;

fn utc() -> When {
    When::new(Zone::Utc)
}

fn class() -> ClassCount {
    let release = |release: Option<&str>, hosts: u32| ReleaseCount { release: release.map(str::to_owned), hosts };
    ClassCount {
        name: "web".to_owned(),
        hosts: 30,
        releases: vec![release(Some("141"), 15), release(None, 15)],
        signals: 2,
        enforce: "off".to_owned(),
        would_have_refused: Some("in 14 d 3 runs went that release-match would have refused, 2 that rejected would have".to_owned()),
    }
}

fn view() -> StatusView {
    StatusView {
        version: "0.1.0".to_owned(),
        started: "2026-11-22T02:00:00Z".to_owned(),
        at: "2026-11-22T02:15:30Z".to_owned(),
        policy: PolicyCount { classes: 1, signals: 2, must_have: 1, alerts: 1 },
        hosts: 30,
        hosts_in_trouble: 0,
        classes: vec![class()],
        open_changes: Vec::new(),
        rejected_24h: Vec::new(),
        holds: Vec::new(),
        catch: Vec::new(),
        feeds: vec![],
        dead_letters: 0,
        quarantined: 0,
        signals: Some(StoreView {
            series: 60,
            samples: 7200,
            bytes: 3 << 20,
            oldest: None,
            newest: Some("2026-11-22T02:15:28Z".to_owned()),
        }),
        sources: vec![SourceView {
            name: "p1".to_owned(),
            ok: true,
            last: Some("2026-11-22T02:15:28Z".to_owned()),
            series: 60,
            samples: 7200,
            refused: 0,
            text: None,
        }],
    }
}

#[test]
fn an_empty_state_says_what_is_watched_and_since_when() {
    insta::assert_snapshot!(whole(&view(), &utc(), Paint::plain()));
}

#[test]
fn what_was_rejected_comes_with_the_glance() {
    let troubled = StatusView {
        open_changes: vec![samples::row("c-3", "suspect")],
        rejected_24h: vec![samples::row("c-2", "rejected")],
        dead_letters: 1,
        quarantined: 4,
        ..view()
    };
    insta::assert_snapshot!(whole(&troubled, &utc(), Paint::plain()));
}

#[test]
fn a_class_shows_its_releases_and_changes() {
    insta::assert_snapshot!(of_class(&class(), &[samples::row("c-2", "rejected")], &utc(), Paint::plain()));
}

#[test]
fn a_host_shows_what_it_got_and_what_its_release_needs() {
    let last_run = LastRunView { kind: "changed".to_owned(), at: "2026-11-22T02:14:07Z".to_owned(), id: "run-61".to_owned() };
    let row = HostRow {
        name: "web16.example.com".to_owned(),
        class: "web".to_owned(),
        release: Some("142".to_owned()),
        environment: Some("production".to_owned()),
        version: Some("9f2c1e0".to_owned()),
        last_run: Some(last_run),
        last_applied: Some("2026-11-22T02:14:07Z".to_owned()),
        failing: 1,
        trouble: None,
    };
    let view = HostView {
        row,
        since: "2026-11-22T01:00:00Z".to_owned(),
        environment_due: Some("r142".to_owned()),
        items: 12,
        failing_resources: vec!["Service[app]".to_owned()],
        facts: BTreeMap::from([("role".to_owned(), "web\u{202e}".to_owned())]),
    };
    let run = RunRow {
        id: "run-61".to_owned(),
        host: "web16.example.com".to_owned(),
        class: "web".to_owned(),
        release: Some("142".to_owned()),
        tool: "puppet".to_owned(),
        kind: "changed".to_owned(),
        detail: None,
        started: "2026-11-22T02:14:07Z".to_owned(),
        started_ms: 0,
        took_s: 12.3,
        environment: Some("production".to_owned()),
        version: None,
        delta: 1,
        drift: 0,
        skewed: false,
        first: false,
        change: Some("c-2".to_owned()),
    };
    insta::assert_snapshot!(of_host(&view, &[run], &utc(), Paint::plain()));
}

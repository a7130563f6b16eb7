use belay_api::http::{EventView, FailedView, RunRow};

use super::*;
use crate::cmd::samples;
use crate::out::when::Zone;

#[test]
fn a_change_is_shown_on_one_screen() {
    insta::assert_snapshot!(of_change(&samples::view("c-2", "rejected"), &When::new(Zone::Utc), Paint::plain()));
}

#[test]
fn a_change_on_trial_says_how_to_follow_it() {
    insta::assert_snapshot!(of_change(&samples::view("c-2", "suspect"), &When::new(Zone::Utc), Paint::plain()));
}

#[test]
fn a_run_is_shown_with_its_events() {
    let row = RunRow {
        id: "run-61".to_owned(),
        host: "web16.example.com".to_owned(),
        class: "web".to_owned(),
        release: Some("142".to_owned()),
        tool: "puppet".to_owned(),
        kind: "failed".to_owned(),
        detail: Some("one resource failed".to_owned()),
        started: "2026-11-22T02:14:07Z".to_owned(),
        started_ms: 0,
        took_s: 12.34,
        environment: Some("production".to_owned()),
        version: None,
        delta: 1,
        drift: 0,
        skewed: true,
        first: false,
        change: Some("c-2".to_owned()),
    };
    let event = EventView {
        resource: "File[/etc/app/sitemonitor.conf]".to_owned(),
        parameter: Some("content".to_owned()),
        old: "{sha256}6fd1".to_owned(),
        new: "{sha256}0ab2".to_owned(),
        message: "content changed".to_owned(),
        outcome: "applied".to_owned(),
    };
    let failed = FailedView { resource: "Service[app]".to_owned(), message: "could not start \x1b[31mit".to_owned() };
    let view = RunView {
        row,
        tool_run_id: "5f0c8a4e-0000-4000-8000-000000000061".to_owned(),
        received: "2026-11-22T02:14:20Z".to_owned(),
        events: vec![event],
        event_count: 3,
        failed: vec![failed],
    };
    insta::assert_snapshot!(of_run(&view, &When::new(Zone::Utc), Paint::plain()));
}

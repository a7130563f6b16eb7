//! What reports are taken, and as what: faults 6 to 12 and 14.

use std::collections::BTreeMap;

use belay_core::decide::{Answer, Input};
use belay_core::model::ids::HostId;
use belay_core::model::principal::{Principal, Role};
use belay_core::model::report::RunKind;
use belay_core::model::time::{Span, Timestamp};
use belay_core::state::{Fact, NoteKind};

use crate::lab::{FILE, Lab, Told, told};

fn run(answer: &Answer) -> (u64, bool) {
    match answer {
        Answer::Run { run, duplicate } => (run.0, *duplicate),
        other => panic!("no run: {other:?}"),
    }
}

fn security_notes(lab: &Lab) -> usize {
    lab.journal.iter().filter(|(_, fact)| matches!(fact, Fact::Noted(note) if note.kind == NoteKind::Security)).count()
}

#[test]
fn the_same_report_a_hundred_times_is_one_run() {
    let mut lab = Lab::new();
    let report = told("web1", "production").file(FILE, "a").id("u1");
    let first = run(&lab.report(report.clone()));
    let started = lab.now - Span::from_s(10);
    for _ in 0..100 {
        lab.pass(Span::from_s(1));
        let again = Told { started: Some(started), ..report.clone() };
        assert_eq!(run(&lab.report(again)), (first.0, true));
    }
    assert_eq!(lab.state.counters.runs, 1);
}

#[test]
fn another_report_under_a_known_id_is_put_aside_and_noted() {
    let mut lab = Lab::new();
    lab.report(told("web1", "production").file(FILE, "a").id("u1"));
    let answer = lab.report(told("web1", "production").file(FILE, "b").id("u1"));
    assert!(matches!(answer, Answer::Conflict(_)), "{answer:?}");
    assert_eq!((lab.state.counters.runs, security_notes(&lab)), (1, 1));
}

#[test]
fn reports_out_of_order_leave_the_newest_content_whatever_the_order() {
    let base = Timestamp::from_ms(1_795_000_000_000);
    let reports = [
        told("web1", "production").file(FILE, "one").file("/etc/only-once", "x").started(base - Span::from_min(90)),
        told("web1", "production").file(FILE, "two").started(base - Span::from_min(60)),
        told("web1", "production").file(FILE, "three").started(base - Span::from_min(30)),
    ];
    let carried = |order: [usize; 3]| {
        let mut lab = Lab::new();
        for index in order {
            lab.report(reports[index].clone());
        }
        let host = &lab.state.hosts[&HostId::parse("web1").unwrap()];
        let items: BTreeMap<_, _> = host.items.iter().map(|(key, carried)| (key.to_string(), carried.content)).collect();
        (items, host.last_run.as_ref().map(|last| last.at))
    };
    let in_order = carried([0, 1, 2]);
    for order in [[2, 1, 0], [1, 2, 0], [0, 2, 1], [2, 0, 1]] {
        assert_eq!(carried(order), in_order, "{order:?}");
    }
}

#[test]
fn a_clock_that_is_off_is_flagged_and_one_in_the_future_is_not_believed() {
    let skewed = |ahead: Span| {
        let mut lab = Lab::new();
        let started = lab.now + ahead - Span::from_s(10);
        let answer = lab.report(told("web1", "production").file(FILE, "a").started(started));
        let flag = lab.journal.iter().find_map(|(_, fact)| match fact {
            Fact::RunRecorded { run, .. } => Some((run.skewed, run.started <= lab.now)),
            _ => None,
        });
        (matches!(answer, Answer::Run { .. }), flag)
    };
    assert_eq!(skewed(Span::from_s(30)), (true, Some((false, true))));
    assert_eq!(skewed(Span::from_min(3)), (true, Some((true, true))));
    assert_eq!(skewed(Span::from_min(-10)), (true, Some((true, true))));
    assert_eq!(skewed(Span::from_min(6)), (false, None));
    assert_eq!(skewed(Span::from_min(60 * 24)), (false, None));
}

#[test]
fn the_bounds_of_what_a_clock_may_say_are_exact() {
    let taken = |ahead_ms: i64| {
        let mut lab = Lab::new();
        let started = lab.now + Span::from_ms(ahead_ms) - Span::from_s(10);
        lab.report(told("web1", "production").started(started));
        lab.journal.iter().find_map(|(_, fact)| match fact {
            Fact::RunRecorded { run, .. } => Some(run.skewed),
            _ => None,
        })
    };
    let (two, five) = (120_000, 300_000);
    assert_eq!([two, two + 1, -two, -two - 1].map(taken), [Some(false), Some(true), Some(false), Some(true)]);
    assert_eq!([five, five + 1].map(taken), [Some(true), None]);
}

#[test]
fn a_clock_at_the_epoch_or_in_2106_breaks_nothing() {
    let mut lab = Lab::new();
    assert!(matches!(lab.report(told("web1", "production").started(Timestamp::from_ms(0))), Answer::Run { .. }));
    let future = Timestamp::from_ms(4_294_967_296_000);
    assert!(matches!(lab.report(told("web1", "production").started(future)), Answer::Unprocessable(_)));
    let host = &lab.state.hosts[&HostId::parse("web1").unwrap()];
    assert!(host.last_run.as_ref().unwrap().at <= lab.now, "a report from the future moved last seen");
    assert!(host.trouble.is_some());
}

#[test]
fn the_writers_clock_never_goes_back() {
    let mut lab = Lab::new();
    lab.report(told("web1", "production"));
    let before = lab.state.now;
    lab.pass(Span::from_min(-10));
    lab.report(told("web1", "production"));
    assert_eq!(lab.state.now, before);
}

#[test]
fn a_host_cannot_bring_a_report_for_another() {
    let mut lab = Lab::new();
    let sender = Principal::Host(HostId::parse("web2").unwrap());
    let answer = lab.report_as(sender, told("web1", "production"));
    assert!(matches!(answer, Answer::Forbidden(_)));
    assert_eq!((lab.state.hosts.len(), security_notes(&lab)), (0, 2));
}

#[test]
fn a_name_that_could_be_a_path_is_put_aside() {
    for name in ["../../etc/x", "a/b", "%2e%2e", "", "\u{1f600}"] {
        let mut lab = Lab::new();
        assert!(matches!(lab.report(told(name, "production")), Answer::Unprocessable(_)), "{name:?}");
        assert!(lab.state.hosts.is_empty());
    }
}

#[test]
fn upper_and_lower_case_are_one_host() {
    let mut lab = Lab::new();
    lab.report(told("Web1", "production"));
    lab.report(told("web1", "production"));
    assert_eq!(lab.state.hosts.len(), 1);
}

#[test]
fn facts_need_a_credential_that_speaks_for_the_host() {
    let mut lab = Lab::new();
    let principal = Principal::person("eve", Role::Viewer);
    let input = Input::Facts { principal, host: HostId::parse("web1").unwrap(), release: None, facts: BTreeMap::new() };
    assert!(matches!(lab.tell(&input), Answer::Forbidden(_)));
    assert!(lab.state.hosts.is_empty());
}

#[test]
fn the_same_facts_again_say_nothing_new() {
    let mut lab = Lab::new();
    lab.release("web1", "141");
    let facts = lab.journal.len();
    lab.release("web1", "141");
    assert_eq!(lab.journal.len(), facts);
}

#[test]
fn a_rehearsal_does_not_make_a_host_look_applied() {
    let mut lab = Lab::new();
    lab.report(told("web1", "production").kind(RunKind::NoopWouldChange));
    let host = &lab.state.hosts[&HostId::parse("web1").unwrap()];
    assert_eq!((host.last_applied, host.last_run.is_some()), (None, true));
}

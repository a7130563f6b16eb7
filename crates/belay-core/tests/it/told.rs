//! What hosts tell and people are told of it: lines of logs as evidence, locks of somebody else by
//! their age, and what a class that only observes would have refused.

use belay_core::decide::wake::{self, OBSERVED};
use belay_core::decide::{Answer, Input, Ruling};
use belay_core::explain::alert::alert;
use belay_core::host::talk::{HostStatus, Lock, Poll};
use belay_core::judge::judge;
use belay_core::model::alert::{Alert, Subject};
use belay_core::model::evidence::Evidence;
use belay_core::model::gate::Enforce;
use belay_core::model::ids::ChangeId;
use belay_core::model::log::{HOSTS_MAX, Line, PATTERNS_MAX};
use belay_core::model::report::RunKind;
use belay_core::model::time::{Span, Timestamp};
use belay_core::model::verdict::{Outcome, Standing};
use belay_core::state::{Fact, State};

use crate::catch::{A, B, configured, half_on_142};
use crate::holds::{id, poll, polls};
use crate::lab::{FILE, Lab, class, told};

fn line(pattern: &str, text: &str, since: Timestamp, at: Timestamp) -> Line {
    Line { log: "app".into(), pattern: pattern.into(), since, at, text: text.into() }
}

fn tells(lab: &mut Lab, host: &str, lines: Vec<Line>) -> Answer {
    let told = Poll { lines, ..poll(lab) };
    polls(lab, host, told)
}

fn text(alert: &Alert) -> String {
    alert.parts.iter().flat_map(|part| part.lines.clone()).collect::<Vec<_>>().join("\n")
}

fn lines_told(lab: &Lab) -> usize {
    lab.journal.iter().filter(|(_, fact)| matches!(fact, Fact::LineTold { .. })).count()
}

/// 141's files came to web1, which runs 142; the Change is open.
fn on_trial() -> Lab {
    let mut lab = half_on_142(Enforce::Off, true);
    lab.report(told("web1", "production").file(FILE, A).version("v1"));
    lab.pass(Span::from_s(30));
    lab
}

#[test]
fn a_line_new_on_the_changed_host_stands_in_the_alert_with_who_else_wrote_it() {
    let mut lab = on_trial();
    let now = lab.now;
    let new = line("dropped", "no target\u{1b}[2J: request dropped", now - Span::from_s(20), now);
    tells(&mut lab, "web1", vec![new.clone(), line("slow", "slow answer", now - Span::from_min(50), now)]);
    tells(&mut lab, "web2", vec![line("slow", "slow answer", now - Span::from_min(50), now)]);
    lab.conclude(2, Outcome::Rejected);
    let told_of = alert(&lab.state, &Subject::Change(ChangeId(2)), lab.now).unwrap();
    let logs: Vec<_> = told_of.parts.iter().filter(|part| part.heading == "Logs").flat_map(|part| part.lines.clone()).collect();
    assert_eq!(logs.len(), 1, "what was written before the change as well is no evidence: {logs:?}");
    assert!(logs[0].starts_with("app: \"no target [2J: request dropped\" on 1 of 1 changed hosts, on no other host; first "), "{logs:?}");
    let before = lines_told(&lab);
    tells(&mut lab, "web1", vec![new.clone()]);
    assert_eq!(lines_told(&lab), before, "the same host is counted once");
    tells(&mut lab, "web2", vec![new]);
    let told_of = alert(&lab.state, &Subject::Change(ChangeId(2)), lab.now).unwrap();
    assert!(text(&told_of).contains("on 1 of 1 changed hosts, on 1 other host;"), "{}", text(&told_of));
}

#[test]
fn a_host_that_writes_before_its_report_tells_that_it_changed_is_no_other() {
    let mut lab = on_trial();
    let now = lab.now;
    let new = line("dropped", "request dropped", now - Span::from_s(2), now);
    tells(&mut lab, "web1", vec![new.clone()]);
    tells(&mut lab, "web2", vec![new.clone()]);
    let logs = |lab: &Lab| text(&alert(&lab.state, &Subject::Change(ChangeId(2)), lab.now).unwrap());
    assert!(logs(&lab).contains("on 1 of 1 changed hosts, on 1 other host;"), "{}", logs(&lab));
    lab.report(told("web2", "production").file(FILE, A).version("v1"));
    assert!(logs(&lab).contains("on 1 of 2 changed hosts, on no other host;"), "{}", logs(&lab));
    tells(&mut lab, "web2", vec![new]);
    assert!(logs(&lab).contains("on 2 of 2 changed hosts, on no other host;"), "{}", logs(&lab));
}

#[test]
fn a_line_after_the_rejection_updates_the_alert_and_one_long_after_does_not() {
    let mut lab = on_trial();
    lab.conclude(2, Outcome::Rejected);
    lab.pass(Span::from_min(1));
    let alerts = |lab: &Lab| lab.journal.iter().filter(|(_, fact)| matches!(fact, Fact::EffectAsked { .. })).count();
    let before = alerts(&lab);
    let late = line("dropped", "request dropped", lab.now - Span::from_s(5), lab.now);
    tells(&mut lab, "web1", vec![late.clone()]);
    assert_eq!(alerts(&lab), before + 1);
    assert!(text(&alert(&lab.state, &Subject::Change(ChangeId(2)), lab.now).unwrap()).contains("request dropped"));
    lab.pass(Span::from_min(31));
    let before = lines_told(&lab);
    let other = line("other", "something else", lab.now, lab.now);
    tells(&mut lab, "web1", vec![other]);
    assert_eq!(lines_told(&lab), before);
}

#[test]
fn a_clock_that_is_off_does_not_make_an_old_line_new() {
    let mut lab = on_trial();
    // The host's clock is ten minutes ahead: by it the line of ten minutes ago is of just now.
    let ahead = lab.now + Span::from_min(10);
    let told = Poll { lines: vec![line("dropped", "old trouble", lab.now, ahead)], sent_at: ahead, ..poll(&lab) };
    polls(&mut lab, "web1", told);
    assert_eq!(lines_told(&lab), 0);
}

#[test]
fn what_is_kept_of_logs_is_bounded() {
    let mut lab = on_trial();
    for nth in 0..HOSTS_MAX + 10 {
        let host = format!("web{}", nth + 10);
        lab.enrol(&[&host], "142", "r142");
        let now = lab.now;
        let lines = (0..PATTERNS_MAX + 5).map(|nth| line(&format!("p{nth}"), &"x".repeat(4_000), now, now)).collect();
        tells(&mut lab, &host, lines);
    }
    let logs = &lab.state.changes[&ChangeId(2)].logs.0;
    assert_eq!(logs.len(), PATTERNS_MAX);
    assert!(logs.iter().all(|lines| lines.others.len() == HOSTS_MAX && lines.text.len() <= 300));
    let mut folded = State::default();
    lab.state.to_facts().iter().for_each(|(at, fact)| folded.apply(*at, fact));
    assert_eq!(folded.changes, lab.state.changes, "a snapshot keeps them");
}

fn locked(lab: &mut Lab, host: &str, message: &str, since: Option<Timestamp>) {
    let lock = Lock::Foreign { message: message.into(), since };
    let told = Poll { status: HostStatus { lock, ..HostStatus::default() }, ..poll(lab) };
    polls(lab, host, told);
}

#[test]
fn a_lock_of_somebody_else_is_told_of_once_it_is_a_day_old_and_never_lifted() {
    let mut lab = Lab::new();
    configured(&mut lab, Enforce::Off, false);
    lab.enrol(&["web1", "web2", "web3"], "141", "production");
    let begun = lab.now;
    locked(&mut lab, "web1", "bob: do not touch", Some(begun - Span::from_min(60)));
    locked(&mut lab, "web2", "bob: do not touch", None);
    let about = Subject::Foreign(class("web").name);
    lab.pass(Span::from_min(23 * 60 + 1));
    locked(&mut lab, "web2", "bob: do not touch", None);
    assert!(wake::due(&lab.state, lab.now), "web1's is a day old");
    lab.tell(&Input::Wake);
    let told_of = alert(&lab.state, &about, lab.now).unwrap();
    assert_eq!(told_of.title, "[FOREIGN-LOCK] somebody's own lock stops the tool on 1 hosts of class web for over 1 d: bob: do not touch");
    assert!(text(&told_of).contains("belay hold import web1"), "{}", text(&told_of));
    lab.pass(Span::from_min(60));
    lab.tell(&Input::Wake);
    assert_eq!(lab.state.foreign[&class("web").name].len(), 2, "one that says no date is as old as we know it to be");
    assert!(!wake::due(&lab.state, lab.now), "it is told once");
    for host in ["web1", "web2"] {
        let free = poll(&lab);
        polls(&mut lab, host, free);
    }
    lab.tell(&Input::Wake);
    assert!(lab.state.foreign.is_empty());
    assert_eq!(alert(&lab.state, &about, lab.now).unwrap().status, "resolved");
}

#[test]
fn a_host_cannot_make_its_lock_younger_or_older_than_it_is() {
    let mut lab = Lab::new();
    configured(&mut lab, Enforce::Off, false);
    lab.enrol(&["web1"], "141", "production");
    let future = lab.now + Span::from_min(600);
    locked(&mut lab, "web1", "bob", Some(future));
    let since = |lab: &Lab| match &lab.state.hosts[&id("web1")].agent.as_ref().unwrap().status.lock {
        Lock::Foreign { since, .. } => since.unwrap(),
        other => panic!("{other:?}"),
    };
    assert_eq!(since(&lab), lab.now, "no lock is of the future");
    let first = lab.now;
    lab.pass(Span::from_min(5));
    locked(&mut lab, "web1", "bob", None);
    assert_eq!(since(&lab), first);
    locked(&mut lab, "web1", "carol", None);
    assert_eq!(since(&lab), lab.now, "another lock");
}

#[test]
fn after_two_weeks_of_observing_people_are_told_once_what_enforcing_would_have_come_to() {
    let mut lab = half_on_142(Enforce::Off, true);
    lab.report(told("web1", "production").file(FILE, A).version("v1"));
    lab.conclude(2, Outcome::Rejected);
    lab.report(told("web2", "production").file(FILE, A).version("v1"));
    let about = Subject::Observed(class("web").name);
    let asked = |lab: &Lab| {
        let of = |fact: &Fact| matches!(fact, Fact::EffectAsked { effect } if format!("{:?}", effect.task).contains("Observed"));
        lab.journal.iter().filter(|(_, fact)| of(fact)).count()
    };
    lab.tell(&Input::Wake);
    assert_eq!(asked(&lab), 0, "not before two weeks are over");
    lab.pass(OBSERVED);
    assert!(wake::due(&lab.state, lab.now));
    lab.tell(&Input::Wake);
    let told_of = alert(&lab.state, &about, lab.now).unwrap();
    assert!(told_of.title.contains("enforcing would have refused 3 runs"), "{}", told_of.title);
    let text = text(&told_of);
    assert!(
        text.contains("\"release-match\" would have refused 2 runs") && text.contains("enforce = \"release-match\" for the class"),
        "{text}"
    );
    let once = asked(&lab);
    assert_eq!(once, 1, "db has no hosts, and the default class is nobody's");
    lab.pass(OBSERVED);
    lab.tell(&Input::Wake);
    assert_eq!(asked(&lab), once, "once");
}

#[test]
fn a_class_of_which_nothing_would_have_been_refused_is_told_of_as_well_and_one_that_enforces_is_not() {
    for (enforce, told_of) in [(Enforce::Off, true), (Enforce::ReleaseMatch, true), (Enforce::Rejected, false)] {
        let mut lab = half_on_142(enforce, true);
        lab.report(told("web3", "production").file(FILE, B).version("v3"));
        lab.pass(OBSERVED);
        lab.tell(&Input::Wake);
        let alert = alert(&lab.state, &Subject::Observed(class("web").name), lab.now);
        assert_eq!(alert.is_some(), told_of, "{enforce:?}");
        if let Some(alert) = alert {
            assert!(alert.title.contains("would have refused nothing"), "{}", alert.title);
        }
    }
}

#[test]
fn an_old_catalog_on_a_new_release_is_rejected_and_the_alert_says_that_it_was_a_cached_one() {
    let mut lab = half_on_142(Enforce::Off, true);
    for host in ["web1", "web2"] {
        let kind = RunKind::CachedCatalog("could not compile: Error 500 on SERVER".into());
        lab.report(told(host, "production").file(FILE, A).version("v1").kind(kind));
    }
    let trial = belay_core::decide::trial::trial_of(&lab.state, ChangeId(2)).unwrap();
    let nothing = Evidence { at: lab.now, windows: std::collections::BTreeMap::new() };
    let look = judge(&trial, &nothing);
    assert_eq!(look.standing, Standing::Final(Outcome::Rejected), "{look:#?}");
    lab.look(2, look.standing, look.findings, look.lacks);
    let told_of = alert(&lab.state, &Subject::Change(ChangeId(2)), lab.now).unwrap();
    assert!(told_of.title.contains("environment production does not belong to release 142"), "{}", told_of.title);
    let expected = "the tool applied an old catalog that it had kept on web1, web2: could not compile: Error 500 on SERVER";
    assert!(text(&told_of).contains(expected), "{}", text(&told_of));
    let runs = lab
        .journal
        .iter()
        .filter(|(_, fact)| matches!(fact, Fact::RunRecorded { run, .. } if matches!(run.kind, RunKind::CachedCatalog(_))));
    assert_eq!(runs.count(), 2, "a kind of run of its own");
}

#[test]
fn a_decision_is_bound_to_the_evidence_that_was_seen() {
    let mut lab = on_trial();
    let rules = |lab: &mut Lab, ruling, seen: Option<String>| {
        lab.tell(&Input::Override { principal: crate::lab::admin(), change: ChangeId(2), ruling, seen, reason: "I looked".into() })
    };
    let mark = |lab: &Lab| lab.state.changes[&ChangeId(2)].evidence_mark();
    let seen = mark(&lab);
    lab.report(told("web2", "production").file(FILE, A).version("v1"));
    assert_eq!(mark(&lab), seen, "another host is no other evidence");
    lab.conclude(2, Outcome::Rejected);
    let outdated = rules(&mut lab, Ruling::Accept, Some(seen));
    assert!(matches!(&outdated, Answer::Outdated(text) if text.contains("it is rejected since")), "{outdated:?}");
    assert_eq!(lab.state.changes[&ChangeId(2)].standing, Standing::Final(Outcome::Rejected));
    let seen = mark(&lab);
    let lines = belay_core::explain::why::change(&lab.state, ChangeId(2), lab.now).join("\n");
    assert!(lines.contains(&format!("--seen {seen}")), "{lines}");
    assert_eq!(rules(&mut lab, Ruling::Accept, Some(seen.clone())), Answer::Done);
    assert!(matches!(rules(&mut lab, Ruling::Reject, Some(seen)), Answer::Outdated(_)), "somebody else was faster");
    assert_eq!(rules(&mut lab, Ruling::Reject, None), Answer::Done, "who says nothing of it decides on what is there");
}

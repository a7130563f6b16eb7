//! Run health: what ails a host follows from the state and the time.

use std::sync::Arc;

use belay_core::decide::health::{Ailment, Severity, of_fleet};
use belay_core::decide::{Input, ailing};
use belay_core::explain::alert::alert;
use belay_core::host::talk::{HostStatus, Lock, Poll, RunLock, Schedule};
use belay_core::model::alert::{Alert, Attempt, Subject, Task};
use belay_core::model::ids::{Environment, HostId, Release};
use belay_core::model::policy::ClassPolicy;
use belay_core::model::principal::Actor;
use belay_core::model::report::RunKind;
use belay_core::model::time::Span;
use belay_core::model::verdict::Outcome;
use belay_core::state::{Fact, State};

use super::lab::{Lab, class, told};

fn lab() -> Lab {
    let mut lab = Lab::new();
    let environments =
        [("141", "production"), ("142", "r142")].map(|(r, e)| (Release::parse(r).unwrap(), Environment::parse(e).unwrap())).into();
    let mut policy = lab.state.policy.as_ref().clone();
    policy.classes = vec![ClassPolicy { environments, ..class("web") }];
    lab.tell(&Input::Policy { policy: Arc::new(policy), actor: Actor("test".into()) });
    lab.enrol(&["web01", "web02", "web03", "web04"], "141", "production");
    lab
}

fn ails(lab: &Lab, host: &str) -> Vec<(Ailment, Severity)> {
    let found = of_fleet(&lab.state, None, lab.now);
    found.get(&HostId::parse(host).unwrap()).map_or_else(Vec::new, |ails| ails.iter().map(|ails| (ails.what, ails.severity)).collect())
}

#[test]
fn a_host_that_was_applied_to_lately_is_well_and_goes_stale_with_time() {
    let mut lab = lab();
    assert!(of_fleet(&lab.state, None, lab.now).is_empty());
    lab.pass(Span::from_min(66));
    assert_eq!(ails(&lab, "web01"), [(Ailment::Stale, Severity::Warning)]);
    // A rehearsal makes it look fresh to others.
    lab.report(told("web01", "production").kind(RunKind::NoopUnchanged));
    assert_eq!(ails(&lab, "web01"), [(Ailment::Stale, Severity::Warning)]);
    lab.pass(Span::from_min(240));
    assert_eq!(ails(&lab, "web02"), [(Ailment::Stale, Severity::Critical)]);
    lab.report(told("web02", "production"));
    assert_eq!(ails(&lab, "web02"), []);
}

#[test]
fn each_way_in_which_a_run_is_not_well_has_its_word() {
    let mut lab = lab();
    lab.report(told("web01", "production").failing("Service[app]"));
    assert_eq!(ails(&lab, "web01"), [(Ailment::Failing, Severity::Critical)]);
    lab.report(told("web02", "production").kind(RunKind::FailedCompile("syntax error".into())));
    assert_eq!(ails(&lab, "web02"), [(Ailment::FailedCompile, Severity::Critical)]);
    lab.report(told("web03", "production").kind(RunKind::CachedCatalog("no server".into())));
    assert_eq!(ails(&lab, "web03")[0], (Ailment::CachedCatalog, Severity::Warning));
    lab.release("web04", "142");
    assert_eq!(ails(&lab, "web04"), [(Ailment::WrongEnvironment, Severity::Critical)]);
    let found = of_fleet(&lab.state, None, lab.now);
    let text = &found[&HostId::parse("web04").unwrap()][0].text;
    assert_eq!(text, "environment production was applied, and release 142 needs r142");
}

#[test]
fn what_would_change_does_not_wait_unseen_for_days() {
    let mut lab = lab();
    for _ in 0..50 {
        lab.pass(Span::from_min(60));
        lab.report(told("web01", "production").kind(RunKind::NoopWouldChange).file("/etc/a", "new"));
    }
    assert!(ails(&lab, "web01").contains(&(Ailment::Pending, Severity::Warning)), "{:?}", ails(&lab, "web01"));
}

#[test]
fn one_host_that_stays_behind_is_named_and_a_rollout_is_no_lag() {
    let mut lab = lab();
    lab.enrol(&["web05", "web06", "web07", "web08"], "141", "production");
    for host in ["web01", "web02", "web03", "web04", "web05", "web06", "web07"] {
        lab.report(told(host, "production").version("v2"));
    }
    lab.report(told("web08", "production").version("v1"));
    assert_eq!(ails(&lab, "web08"), [(Ailment::Lagging, Severity::Warning)]);
    assert_eq!(ails(&lab, "web01"), []);
    // Six of eight still carry v2; web01 has something new.
    lab.report(told("web01", "production").version("v3").file("/etc/new", "content"));
    assert!(lab.state.open_changes().next().is_some());
    assert_eq!(ails(&lab, "web08"), []);
}

/// Looks at the fleet as its driver does, once a minute.
fn minutes(lab: &mut Lab, minutes: i64) {
    for _ in 0..minutes {
        lab.pass(Span::from_min(1));
        if ailing::due(&lab.state, lab.now) {
            lab.tell(&Input::RunHealth);
        }
    }
}

fn of_ailment(lab: &Lab, ailment: Ailment) -> Alert {
    alert(&lab.state, &Subject::Ailing(ailment, class("web").name), lab.now).unwrap()
}

fn text(alert: &Alert) -> String {
    alert.parts.iter().flat_map(|part| part.lines.clone()).collect::<Vec<_>>().join("\n")
}

/// Messages that were asked for about an ailment of the class.
fn asked(lab: &Lab, ailment: Ailment) -> usize {
    let about = Subject::Ailing(ailment, class("web").name);
    let of = |fact: &Fact| matches!(fact, Fact::EffectAsked { effect } if matches!(&effect.task, Task::Notify { about: of, .. } if *of == about));
    lab.journal.iter().filter(|(_, fact)| of(fact)).count()
}

/// Whatever waits to be sent is sent.
fn sent(lab: &mut Lab) {
    for effect in lab.state.effects.keys().copied().collect::<Vec<_>>() {
        lab.tell(&Input::Tried { effect, attempt: Attempt::Done });
    }
}

fn fails(lab: &mut Lab, hosts: &[&str]) {
    for host in hosts {
        lab.report(told(host, "production").failing("Service[app]"));
    }
}

#[test]
fn hosts_that_fail_for_longer_than_a_run_takes_to_come_again_are_one_alert_until_all_are_well() {
    let mut lab = lab();
    fails(&mut lab, &["web01"]);
    minutes(&mut lab, 20);
    fails(&mut lab, &["web01", "web02"]);
    assert_eq!(asked(&lab, Ailment::Failing), 0, "one failed run wakes nobody up");
    minutes(&mut lab, 16);
    assert_eq!(asked(&lab, Ailment::Failing), 1);
    sent(&mut lab);
    let told_of = of_ailment(&lab, Ailment::Failing);
    assert_eq!(told_of.title, "[FAILING] resources fail on 1 of 4 hosts of class web: fails: Service[app]");
    assert!(told_of.firing && text(&told_of).contains("belay check --class web"), "{}", text(&told_of));
    minutes(&mut lab, 30);
    assert_eq!(asked(&lab, Ailment::Failing), 2, "twice as many are news, and nothing is repeated");
    sent(&mut lab);
    assert!(of_ailment(&lab, Ailment::Failing).title.contains("on 2 of 4 hosts"));
    lab.report(told("web01", "production"));
    minutes(&mut lab, 5);
    assert_eq!(asked(&lab, Ailment::Failing), 2, "that fewer hosts fail is not told");
    lab.report(told("web02", "production"));
    minutes(&mut lab, 2);
    assert_eq!(asked(&lab, Ailment::Failing), 3);
    let over = of_ailment(&lab, Ailment::Failing);
    assert_eq!((over.status, over.firing), ("resolved", false));
    assert!(lab.state.ailing.keys().all(|(_, ailment)| *ailment != Ailment::Failing), "nothing is left of it");
}

#[test]
fn what_a_hold_explains_is_not_told_and_stands_in_the_alert_of_the_others_with_its_words() {
    let mut lab = lab();
    crate::holds::place(&mut lab, "web01", 8);
    fails(&mut lab, &["web01"]);
    minutes(&mut lab, 40);
    assert_eq!(asked(&lab, Ailment::Failing), 0);
    fails(&mut lab, &["web02"]);
    minutes(&mut lab, 40);
    assert_eq!(asked(&lab, Ailment::Failing), 1);
    let told_of = of_ailment(&lab, Ailment::Failing);
    assert!(told_of.title.contains("on 1 of 4 hosts"), "{}", told_of.title);
    assert!(text(&told_of).contains("not counted: web01; h-1: held by alice"), "{}", text(&told_of));
    assert!(text(&told_of).contains("release 142 needs new files"), "{}", text(&told_of));
}

#[test]
fn what_a_change_tells_is_not_told_again_by_run_health() {
    let mut lab = lab();
    lab.report(told("web01", "production").version("v2").file("/etc/new", "content").failing("Service[app]"));
    assert!(lab.state.open_changes().next().is_some());
    minutes(&mut lab, 40);
    assert!(ails(&lab, "web01").contains(&(Ailment::Failing, Severity::Critical)));
    assert_eq!(asked(&lab, Ailment::Failing), 0);
    fails(&mut lab, &["web02"]);
    minutes(&mut lab, 40);
    assert_eq!(asked(&lab, Ailment::Failing), 1, "another host fails for a reason of its own");
}

#[test]
fn a_class_that_wants_to_hear_of_none_is_told_of_none() {
    let mut lab = lab();
    let mut policy = lab.state.policy.as_ref().clone();
    policy.classes[0].ailing = None;
    lab.tell(&Input::Policy { policy: Arc::new(policy), actor: Actor("test".into()) });
    fails(&mut lab, &["web01", "web02"]);
    minutes(&mut lab, 60);
    assert_eq!(asked(&lab, Ailment::Failing), 0);
}

#[test]
fn every_ailment_becomes_an_alert_but_those_that_have_one_of_their_own() {
    let mut lab = lab();
    lab.enrol(&["web05", "web06", "web07", "web08"], "141", "production");
    for host in ["web01", "web02", "web03", "web04", "web05", "web06", "web07"] {
        lab.report(told(host, "production").version("v2"));
    }
    lab.report(told("web08", "production").version("v1"));
    lab.release("web01", "142");
    lab.report(told("web02", "production").version("v2").kind(RunKind::FailedCompile("syntax error".into())));
    lab.report(told("web03", "production").version("v2").kind(RunKind::Aborted("no memory".into())));
    lab.report(told("web04", "production").version("v2").kind(RunKind::CachedCatalog("no server".into())));
    // A release and a compile error are Changes; once these are decided and not rejected, nothing else tells of the hosts.
    for change in lab.state.open_changes().map(|change| change.id.0).collect::<Vec<_>>() {
        lab.conclude(change, Outcome::Accepted);
    }
    let stood = |lab: &Lab, minutes: i64| lab.now - Span::from_min(minutes);
    let stuck = RunLock { since: stood(&lab, 30), limit: Some(Span::from_min(60)) };
    let lock = Lock::Foreign { message: "bob".into(), since: Some(lab.now) };
    tells(&mut lab, "web05", HostStatus { run_lock: Some(stuck), lock, ..HostStatus::default() });
    tells(&mut lab, "web06", HostStatus { schedule: Schedule::SwitchedOff("# */30 * * * *".into()), ..HostStatus::default() });
    assert!(ails(&lab, "web05").iter().all(|(what, _)| *what != Ailment::Stuck), "a run may last an hour");
    minutes(&mut lab, 31);
    assert!(ails(&lab, "web05").contains(&(Ailment::Stuck, Severity::Warning)), "{:?}", ails(&lab, "web05"));
    minutes(&mut lab, 40);
    let expected = [
        (Ailment::WrongEnvironment, "environment production was applied, and release 142 needs r142"),
        (Ailment::FailedCompile, "no configuration could be made: syntax error"),
        (Ailment::Broken, "its last run broke off: no memory"),
        (Ailment::CachedCatalog, "an old, kept configuration was applied: no server"),
        (Ailment::Stuck, "a run may last 1 h; its process is gone"),
        (Ailment::Unscheduled, "its schedule is switched off: # */30 * * * *"),
        (Ailment::Lagging, "it carries version v1, most of its class and release carry v2"),
    ];
    for (ailment, said) in expected {
        let told_of = of_ailment(&lab, ailment);
        assert_eq!((told_of.status, told_of.firing), (ailment.code(), true), "{}", told_of.title);
        assert!(text(&told_of).contains(said), "{said}: {}", text(&told_of));
        assert_eq!(asked(&lab, ailment), 1, "{}", told_of.title);
    }
    assert_eq!(asked(&lab, Ailment::Stale) + asked(&lab, Ailment::Disabled), 0, "they have limits and alerts of their own");
    // What is remembered of it survives a snapshot, with its times.
    let mut folded = State::default();
    lab.state.to_facts().iter().for_each(|(at, fact)| folded.apply(*at, fact));
    assert_eq!(folded.ailing, lab.state.ailing);
}

fn tells(lab: &mut Lab, host: &str, status: HostStatus) {
    let told = Poll { status, ..crate::holds::poll(lab) };
    crate::holds::polls(lab, host, told);
}

#[test]
fn a_lock_of_a_run_without_a_limit_is_no_ailment_and_none_is_of_the_future() {
    let mut lab = lab();
    let lock = RunLock { since: lab.now + Span::from_min(600), limit: None };
    tells(&mut lab, "web01", HostStatus { run_lock: Some(lock), ..HostStatus::default() });
    let known = |lab: &Lab| lab.state.hosts[&HostId::parse("web01").unwrap()].agent.as_ref().unwrap().status.run_lock.unwrap();
    assert_eq!(known(&lab).since, lab.now);
    minutes(&mut lab, 60);
    assert_eq!(ails(&lab, "web01"), []);
}

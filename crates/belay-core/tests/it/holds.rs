//! Holds as people meet them: placed, altered, broken by hand, expired and handed over.

use std::collections::BTreeSet;

use belay_core::decide::host_policy::host_policy;
use belay_core::decide::{Answer, HoldAsk, HoldEdit, Input, wake};
use belay_core::explain::alert::alert;
use belay_core::host::lock::LockEvent;
use belay_core::host::policy::Stand;
use belay_core::host::talk::{Event, Happened, HostStatus, Lock, Poll};
use belay_core::model::alert::Subject;
use belay_core::model::hold::{HoldScope, HoldState, Told};
use belay_core::model::ids::{HoldId, HostId};
use belay_core::model::policy::Pattern;
use belay_core::model::principal::{Actor, Principal, Role};
use belay_core::model::report::{EventOutcome, RunKind};
use belay_core::model::time::Span;

use crate::lab::{FILE, Lab, told};

pub fn person(name: &str, role: Role) -> Principal {
    Principal::person(name, role)
}

pub fn id(host: &str) -> HostId {
    HostId::parse(host).unwrap()
}

/// What an agent tells when nothing is wrong.
pub fn poll(lab: &Lab) -> Poll {
    Poll {
        agent: "0.1.0".into(),
        have: None,
        sent_at: lab.now,
        release: None,
        facts: None,
        status: HostStatus::default(),
        holds: vec![],
        events: vec![],
        results: vec![],
        lines: vec![],
    }
}

pub fn polls(lab: &mut Lab, host: &str, poll: Poll) -> Answer {
    lab.tell(&Input::Polled { principal: Principal::Host(id(host)), host: id(host), poll: Box::new(poll) })
}

fn ask(lab: &Lab, hosts: &str, hours: i64) -> HoldAsk {
    HoldAsk {
        scope: HoldScope { hosts: vec![Pattern::new(hosts)], classes: BTreeSet::new() },
        reason: "release 142 needs new files".into(),
        until: Some(lab.now + Span::from_min(hours * 60)),
        ..HoldAsk::default()
    }
}

pub fn place(lab: &mut Lab, hosts: &str, hours: i64) -> HoldId {
    let ask = Box::new(ask(lab, hosts, hours));
    match lab.tell(&Input::PlaceHold { principal: person("alice", Role::Operator), ask }) {
        Answer::Hold { hold, .. } => hold,
        other => panic!("{other:?}"),
    }
}

fn edit(lab: &mut Lab, who: Principal, hold: HoldId, seen: Option<u32>, edit: HoldEdit) -> Answer {
    lab.tell(&Input::EditHold { principal: who, hold, seen, edit, reason: "done".into() })
}

fn four() -> Lab {
    let mut lab = Lab::new();
    lab.enrol(&["web1", "web2", "web3", "web4"], "141", "production");
    lab.pass(Span::from_min(60));
    lab
}

/// The words of the alert about a hold.
fn words(lab: &Lab, hold: HoldId) -> String {
    let alert = alert(&lab.state, &Subject::Hold(hold), lab.now).unwrap();
    let parts: Vec<String> = alert.parts.iter().flat_map(|part| part.lines.clone()).collect();
    format!("{}\n{}", alert.title, parts.join("\n"))
}

#[test]
fn a_hold_on_nobody_without_a_reason_or_an_end_is_refused_with_the_remedy() {
    let mut lab = four();
    let mut refused = |change: &dyn Fn(&mut HoldAsk)| {
        let mut asked = ask(&lab, "web*", 8);
        change(&mut asked);
        let answer = lab.tell(&Input::PlaceHold { principal: person("alice", Role::Operator), ask: Box::new(asked) });
        answer.refusal().unwrap_or("taken").to_owned()
    };
    assert!(refused(&|ask| ask.scope.hosts = vec![Pattern::new("wbe*")]).contains("no host is meant by hosts wbe*"));
    assert!(refused(&|ask| ask.reason = "  ".into()).starts_with("reason: it is empty"));
    assert!(refused(&|ask| ask.until = None).starts_with("until: a hold needs an end"));
    assert!(refused(&|ask| ask.until = ask.until.map(|at| at - Span::from_min(9 * 60))).contains("is over"));
    assert!(refused(&|ask| ask.until = ask.until.map(|at| at + Span::from_min(200 * 24 * 60))).contains("at most"));
    assert!(refused(&|ask| ask.confirm = Some(3)).contains("3 hosts were counted, but 4 are meant"));
    assert!(refused(&|ask| ask.owner = Some("x".repeat(501))).starts_with("owner: it is longer"));
    let viewer = Input::PlaceHold { principal: person("victor", Role::Viewer), ask: Box::new(ask(&lab, "web*", 8)) };
    assert!(matches!(lab.tell(&viewer), Answer::Forbidden(_)));
}

#[test]
fn a_hold_on_a_large_part_of_the_fleet_has_to_be_meant() {
    let mut lab = Lab::new();
    let names: Vec<String> = (0..30).map(|n| format!("web{n}")).collect();
    lab.enrol(&names.iter().map(String::as_str).collect::<Vec<_>>(), "141", "production");
    let mut asked = ask(&lab, "web*", 8);
    let place = |lab: &mut Lab, ask: &HoldAsk| {
        lab.tell(&Input::PlaceHold { principal: person("alice", Role::Operator), ask: Box::new(ask.clone()) })
    };
    assert!(place(&mut lab, &asked).refusal().unwrap().contains("30 of 30 hosts are meant"));
    asked.confirm = Some(30);
    assert_eq!(place(&mut lab, &asked), Answer::Hold { hold: HoldId(1), revision: 1 });
}

#[test]
fn two_people_who_alter_one_hold_do_not_overwrite_each_other_blind() {
    let mut lab = four();
    let hold = place(&mut lab, "web*", 8);
    let later = lab.now + Span::from_min(20 * 60);
    assert_eq!(edit(&mut lab, person("bob", Role::Operator), hold, Some(1), HoldEdit::Extend(later)), Answer::Hold { hold, revision: 2 });
    assert!(matches!(edit(&mut lab, person("alice", Role::Operator), hold, Some(1), HoldEdit::Release), Answer::Outdated(_)));
    assert!(
        matches!(edit(&mut lab, person("bob", Role::Operator), hold, Some(2), HoldEdit::Release), Answer::Forbidden(_)),
        "it is not his"
    );
    assert_eq!(edit(&mut lab, person("alice", Role::Operator), hold, Some(2), HoldEdit::Release), Answer::Hold { hold, revision: 3 });
    assert!(matches!(edit(&mut lab, person("carol", Role::Approver), hold, None, HoldEdit::Release), Answer::Conflict(_)));
    assert!(host_policy(&lab.state, &id("web1"), lab.now).unwrap().holds.is_empty());
}

#[test]
fn a_lock_broken_by_hand_is_told_of_once_an_event_with_its_whole_context() {
    let mut lab = four();
    let hold = place(&mut lab, "web*", 8);
    let by = "logged in then: bob (pts/0 from 10.0.0.7), root (tty1)";
    let event = |lab: &Lab, number, put_back| Event {
        number,
        at: lab.now,
        what: Happened::Lock(LockEvent::Broken { holds: BTreeSet::from([hold]), put_back, by: Some(by.to_owned()) }),
    };
    let first = Poll { events: vec![event(&lab, 1, true)], ..poll(&lab) };
    assert_eq!(polls(&mut lab, "web1", first.clone()), Answer::Polled { ack: 1 });
    assert_eq!(polls(&mut lab, "web1", first), Answer::Polled { ack: 1 }, "told again, it counts once");
    assert_eq!(lab.state.holds[&hold].broken[&id("web1")].times, 1);
    assert!(
        words(&lab, hold).contains("[BROKEN] h-1 of alice (release 142 needs new files) was broken by hand on 1 of 4 hosts"),
        "{}",
        words(&lab, hold)
    );
    lab.pass(Span::from_min(10));
    let again = Poll { events: vec![event(&lab, 1, true), event(&lab, 2, false)], ..poll(&lab) };
    assert_eq!(polls(&mut lab, "web1", again), Answer::Polled { ack: 2 });
    let broken = &lab.state.holds[&hold].broken[&id("web1")];
    assert_eq!((broken.times, broken.put_back), (2, false));
    assert_eq!(broken.by.as_deref(), Some(by));
    assert!(words(&lab, hold).contains(&format!(", 2 times; not fought for any more; {by}")), "{}", words(&lab, hold));
    assert!(words(&lab, hold).contains("does not fight a person"), "{}", words(&lab, hold));
    assert!(words(&lab, hold).contains("do not re-enable, ask alice"), "{}", words(&lab, hold));
}

#[test]
fn a_host_speaks_for_itself_only_also_when_it_polls() {
    let mut lab = four();
    let asked = Input::Polled { principal: Principal::Host(id("web1")), host: id("web2"), poll: Box::new(poll(&lab)) };
    assert!(matches!(lab.tell(&asked), Answer::Forbidden(_)));
    assert!(lab.state.hosts[&id("web2")].agent.is_none());
}

/// Goes on minute by minute, as the server does, and answers what people were told when.
fn wake_for(lab: &mut Lab, minutes: i64) -> Vec<(i64, Told)> {
    let (begun, mut told) = (lab.now, vec![]);
    for _ in 0..minutes {
        lab.pass(Span::from_min(1));
        if wake::due(&lab.state, lab.now) {
            lab.tell(&Input::Wake);
            let now = lab.state.holds[&HoldId(1)].told;
            told.push((lab.now.since(begun).ms() / 60_000, now));
        }
        assert!(!wake::due(&lab.state, lab.now), "what was done is not due any more");
    }
    told
}

#[test]
fn people_are_warned_a_day_and_an_hour_before_and_paged_at_the_end_and_after_it() {
    let mut lab = four();
    place(&mut lab, "web*", 30);
    let mut told = wake_for(&mut lab, 32 * 60);
    // In between, hosts that do not answer are asked to rehearse once more.
    told.dedup_by_key(|(_, told)| *told);
    assert_eq!(told, [(360, Told::Early), (29 * 60, Told::Late), (30 * 60, Told::Expired), (31 * 60, Told::Escalated)]);
    assert_eq!(lab.state.holds[&HoldId(1)].state(lab.now), HoldState::Waiting, "it still holds");
    assert!(host_policy(&lab.state, &id("web1"), lab.now).unwrap().rehearse);
}

#[test]
fn an_expired_hold_is_handed_over_host_by_host_where_a_rehearsal_shows_nothing_unaccepted() {
    let mut lab = four();
    let hold = place(&mut lab, "web1", 1);
    let second = place(&mut lab, "web2", 1);
    wake_for(&mut lab, 61);
    lab.report(told("web1", "production").kind(RunKind::NoopUnchanged).version("v1"));
    assert_eq!(lab.state.holds[&hold].state(lab.now), HoldState::Released);
    let mut would = told("web2", "production").kind(RunKind::NoopWouldChange).version("v2").file(FILE, "new");
    would.contents[0].2 = EventOutcome::WouldApply;
    lab.report(would);
    assert_eq!(lab.state.holds[&second].state(lab.now), HoldState::Waiting);
    assert!(words(&lab, second).contains("a run would apply: File[/etc/app/sitemonitor.conf] content"), "{}", words(&lab, second));
    assert!(!host_policy(&lab.state, &id("web2"), lab.now).unwrap().rehearse, "it was rehearsed");
    let later = lab.now + Span::from_min(60);
    assert!(matches!(edit(&mut lab, person("alice", Role::Operator), second, None, HoldEdit::Extend(later)), Answer::Hold { .. }));
    assert!(lab.state.holds[&second].would_change.is_empty());
}

#[test]
fn a_rehearsal_before_the_end_or_of_the_wrong_environment_hands_nothing_over() {
    let mut lab = four();
    let hold = place(&mut lab, "web1", 1);
    lab.report(told("web1", "production").kind(RunKind::NoopUnchanged).version("v1"));
    assert!(lab.state.holds[&hold].stands());
    let before = lab.now;
    wake_for(&mut lab, 61);
    lab.report(told("web1", "production").kind(RunKind::NoopUnchanged).version("v1").started(before));
    assert!(lab.state.holds[&hold].stands(), "it was rehearsed before the end, and came late");
    lab.report(told("web1", "feature").kind(RunKind::NoopUnchanged).version("v1"));
    assert!(lab.state.holds[&hold].would_change[&id("web1")][0].contains("environment feature"));
}

#[test]
fn a_foreign_lock_is_shown_and_becomes_a_hold_only_when_somebody_says_so() {
    let mut lab = four();
    let lock = Lock::Foreign { message: "bob: upgrade".into(), since: None };
    let status = HostStatus { lock, ..HostStatus::default() };
    let told = Poll { status, ..poll(&lab) };
    polls(&mut lab, "web1", told);
    assert!(lab.state.holds.is_empty());
    let import = |lab: &Lab, host: &str| {
        let ask = HoldAsk { import: Some(id(host)), scope: HoldScope::default(), ..ask(lab, "x", 4) };
        Input::PlaceHold { principal: person("alice", Role::Operator), ask: Box::new(ask) }
    };
    let none = import(&lab, "web2");
    assert!(lab.tell(&none).refusal().unwrap().contains("no agent has told of web2"));
    let one = import(&lab, "web1");
    assert!(matches!(lab.tell(&one), Answer::Hold { .. }));
    assert_eq!(host_policy(&lab.state, &id("web1"), lab.now).unwrap().holds[0].imports.as_deref(), Some("bob: upgrade"));
}

/// A server that was restored from yesterday's backup begins a new history, and the holds that it
/// lost stand again as the hosts tell of them.
#[test]
fn a_restored_server_gets_its_lost_holds_back_from_the_hosts() {
    let mut lab = four();
    let backup = lab.state.clone();
    place(&mut lab, "web*", 8);
    let policy = host_policy(&lab.state, &id("web1"), lab.now).unwrap();
    lab.state = backup;
    assert!(host_policy(&lab.state, &id("web1"), lab.now).unwrap().holds.is_empty());
    for host in ["web1", "web2"] {
        let told = Poll { have: Some(policy.stand), holds: policy.holds.clone(), ..poll(&lab) };
        polls(&mut lab, host, told);
        let given = host_policy(&lab.state, &id(host), lab.now).unwrap();
        assert_eq!(given.holds, policy.holds, "{host}");
        assert!(given.stand > policy.stand && given.stand.incarnation == 1);
    }
    assert!(host_policy(&lab.state, &id("web3"), lab.now).unwrap().holds.is_empty(), "it has not told of it yet");
    let fresh = place(&mut lab, "web3", 1);
    assert_eq!(fresh, HoldId(2), "numbers are not given twice");
    let lie = Poll { have: Some(Stand { incarnation: 1, seq: 0 }), holds: policy.holds.clone(), ..poll(&lab) };
    polls(&mut lab, "web4", lie);
    assert!(host_policy(&lab.state, &id("web4"), lab.now).unwrap().holds.is_empty(), "a host of this history brings none back");
}

/// The same where whoever restored it said so: no host has to have a later stand first.
#[test]
fn a_restore_that_is_said_begins_the_new_history_at_once() {
    let mut lab = four();
    let backup = lab.state.clone();
    place(&mut lab, "web*", 8);
    let policy = host_policy(&lab.state, &id("web1"), lab.now).unwrap();
    let taken = backup.now;
    lab.state = backup;
    lab.tell(&Input::Restored { actor: Actor("alice".into()), taken });
    assert!(host_policy(&lab.state, &id("web3"), lab.now).unwrap().stand > policy.stand, "nothing of it is older than what hosts have");
    let told = Poll { have: Some(policy.stand), holds: policy.holds.clone(), ..poll(&lab) };
    polls(&mut lab, "web1", told);
    let given = host_policy(&lab.state, &id("web1"), lab.now).unwrap();
    assert_eq!((given.holds, given.stand.incarnation), (policy.holds, 1), "one history begins, and the lost hold stands again");
    let refused = lab.tell(&Input::BackUp { principal: person("bob", Role::Approver) });
    assert!(refused.refusal().unwrap().contains("admin"), "{refused:?}");
    assert_eq!(lab.tell(&Input::BackUp { principal: person("bob", Role::Admin) }), Answer::Done);
}

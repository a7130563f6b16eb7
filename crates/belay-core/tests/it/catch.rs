//! The catch as the night tells it: the gate at every level, the classifier, pins, reverts, what is
//! told of stale hosts and of Belay itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use belay_core::decide::host_policy::{classified, gate, host_policy};
use belay_core::decide::{Answer, HoldAsk, Input, PinAsk, reverts, wake};
use belay_core::explain::{alert::alert, why};
use belay_core::host::policy::RevertWay;
use belay_core::host::talk::{Asked, HostStatus, Poll, RevertResult};
use belay_core::model::alert::Subject;
use belay_core::model::gate::{Enforce, Gate, Offered, Why};
use belay_core::model::hold::HoldScope;
use belay_core::model::ids::{ChangeId, Environment, Release, RevertId};
use belay_core::model::item::{ItemKey, Items, Mark};
use belay_core::model::policy::{Pattern, Policy};
use belay_core::model::principal::{Actor, Role};
use belay_core::model::report::RunKind;
use belay_core::model::revert::Progress;
use belay_core::model::time::Span;
use belay_core::model::verdict::Outcome;

use crate::holds::{id, person, poll, polls};
use crate::lab::{FILE, Lab, class, content, flow, told};

pub const A: &str = "141's text";
pub const B: &str = "142's text";

fn environment(name: &str) -> Environment {
    Environment::parse(name).unwrap()
}

pub fn configured(lab: &mut Lab, enforce: Enforce, mapped: bool) {
    let mut web = class("web");
    web.enforce = enforce;
    web.stale = Some(Span::from_min(65));
    if mapped {
        web.environments =
            BTreeMap::from([("141", "production"), ("142", "r142")].map(|(r, e)| (Release::parse(r).unwrap(), environment(e))));
    }
    let receivers = lab.state.policy.receivers.clone();
    let policy = Policy { classes: vec![web, class("db")], signals: vec![flow("requests")], receivers, ..Policy::default() };
    lab.tell(&Input::Policy { policy: Arc::new(policy), actor: Actor("test".into()) });
}

/// Half of the class runs 142 with its files, accepted as c-1.
pub fn half_on_142(enforce: Enforce, mapped: bool) -> Lab {
    let mut lab = Lab::new();
    configured(&mut lab, enforce, mapped);
    for host in ["web1", "web2", "web3", "web4"] {
        lab.release(host, "141");
        lab.report(told(host, "production").file(FILE, A).version("v1"));
    }
    lab.pass(Span::from_min(60));
    for host in ["web1", "web2"] {
        lab.release(host, "142");
        lab.report(told(host, "r142").file(FILE, B).version("v2"));
    }
    lab.pass(Span::from_min(40));
    lab.conclude(1, Outcome::Accepted);
    lab
}

/// The same, and 141's files were put on web1, which was rejected as c-2.
fn rejected(enforce: Enforce, mapped: bool) -> Lab {
    let mut lab = half_on_142(enforce, mapped);
    lab.report(told("web1", "production").file(FILE, A).version("v1"));
    lab.conclude(2, Outcome::Rejected);
    assert_eq!(lab.mark("web", "142", FILE, A), Some(Mark::Rejected(ChangeId(2))));
    lab
}

fn file(text: &str) -> Items {
    Items::from([(ItemKey::new("File", FILE, "content"), content(text))])
}

fn offered(name: &str, text: &str) -> Offered {
    Offered { environment: Some(environment(name)), delta: Some(file(text)), ..Offered::default() }
}

#[test]
fn release_match_refuses_an_environment_of_another_release_and_nothing_else() {
    let lab = half_on_142(Enforce::ReleaseMatch, true);
    let ask = |host: &str, offered: &Offered| gate(&lab.state, &id(host), offered, lab.now).gate;
    assert_eq!(ask("web1", &offered("production", A)), Gate::Refused);
    assert_eq!(ask("web1", &offered("r142", "never seen")), Gate::Go);
    assert_eq!(ask("web3", &offered("production", A)), Gate::Go, "it runs 141");
    assert_eq!(ask("web1", &Offered { noop: true, ..offered("production", A) }), Gate::Go, "a rehearsal passes");
    let unchanged = Offered { environment: Some(environment("r142")), delta: Some(Items::new()), ..Offered::default() };
    assert_eq!(gate(&lab.state, &id("web1"), &unchanged, lab.now).why, [Why::EmptyDelta]);
}

#[test]
fn rejected_content_is_refused_to_the_release_it_was_rejected_for_only() {
    let lab = rejected(Enforce::Rejected, false);
    let ask = |host: &str, offered: &Offered| gate(&lab.state, &id(host), offered, lab.now);
    let answer = ask("web2", &offered("production", A));
    assert_eq!(answer.gate, Gate::Refused);
    assert!(matches!(&answer.why[0], Why::Rejected { change: ChangeId(2), .. }), "{answer:?}");
    assert_eq!(ask("web3", &offered("production", A)).gate, Gate::Go, "141 keeps its own");
    assert_eq!(ask("web2", &offered("r142", "never seen")).why, [Why::MayCome { items: 1 }]);
    let environment_only = Offered { environment: Some(environment("production")), ..Offered::default() };
    assert_eq!(ask("web2", &environment_only).gate, Gate::Refused, "the environment itself was rejected");
}

#[test]
fn an_observing_class_lets_everything_go_and_counts_what_it_would_have_refused() {
    let mut lab = rejected(Enforce::Off, true);
    let answer = gate(&lab.state, &id("web2"), &offered("production", A), lab.now);
    assert_eq!(answer.gate, Gate::Go);
    assert!(matches!(&answer.why[0], Why::Observing(stricter) if stricter.gate == Gate::Refused), "{answer:?}");
    let before = lab.state.would[&class("web").name];
    lab.report(told("web2", "production").file(FILE, A).version("v1"));
    let after = lab.state.would[&class("web").name];
    assert_eq!((after.release_match, after.rejected), (before.release_match + 1, before.rejected + 1));
}

#[test]
fn a_hold_closes_the_gate_at_every_level_and_break_glass_opens_it() {
    for enforce in Enforce::ALL {
        let mut lab = half_on_142(enforce, true);
        let ask = HoldAsk {
            scope: HoldScope { hosts: vec![Pattern::new("web1")], classes: BTreeSet::new() },
            reason: "by hand".into(),
            until: Some(lab.now + Span::from_min(60)),
            ..HoldAsk::default()
        };
        lab.tell(&Input::PlaceHold { principal: person("alice", Role::Operator), ask: Box::new(ask) });
        let held = gate(&lab.state, &id("web1"), &offered("r142", B), lab.now);
        assert_eq!(held.gate, Gate::Held, "{enforce:?}");
        let glass = Offered { break_glass: Some("the catch is wrong".into()), ..offered("r142", B) };
        let broken = gate(&lab.state, &id("web1"), &glass, lab.now);
        assert_eq!((broken.gate, broken.pages), (Gate::Go, true), "{enforce:?}");
    }
}

#[test]
fn the_classifier_names_an_environment_only_where_it_has_a_reason() {
    let mut lab = half_on_142(Enforce::Off, true);
    let given = |lab: &Lab, host: &str| classified(&lab.state, &id(host), lab.now).unwrap().environment.map(|name| name.to_string());
    assert_eq!(given(&lab, "web1").as_deref(), Some("r142"));
    assert_eq!(given(&lab, "web3").as_deref(), Some("production"));
    let pin = |name: &str, lab: &Lab| PinAsk {
        scope: HoldScope { hosts: vec![Pattern::new("web3")], classes: BTreeSet::new() },
        environment: Some(environment(name)),
        until: Some(lab.now + Span::from_min(60)),
        reason: "an early bird".into(),
    };
    let unknown = Input::Pin { principal: person("carol", Role::Approver), ask: Box::new(pin("nobody_declared", &lab)) };
    assert!(lab.tell(&unknown).refusal().unwrap().contains("declared for no release"));
    let known = Input::Pin { principal: person("carol", Role::Approver), ask: Box::new(pin("r142", &lab)) };
    assert_eq!(lab.tell(&known), Answer::Counted(1));
    assert_eq!(given(&lab, "web3").as_deref(), Some("r142"));
    lab.pass(Span::from_min(61));
    assert_eq!(given(&lab, "web3").as_deref(), Some("production"), "a pin ends by itself");
    lab.tell(&Input::Wake);
    assert!(lab.state.hosts[&id("web3")].pin.is_none());
    let lab = half_on_142(Enforce::Off, false);
    assert_eq!(given(&lab, "web1"), None);
}

#[test]
fn a_revert_pins_the_hosts_that_carry_it_and_its_own_trial_tells_whether_it_did_good() {
    let mut lab = rejected(Enforce::Rejected, true);
    let plan = reverts::plan(&lab.state, ChangeId(2)).unwrap();
    assert_eq!(plan.ways.keys().map(ToString::to_string).collect::<Vec<_>>(), ["web1"]);
    assert!(plan.restored.keys().any(|key| &*key.kind == "File"), "{plan:?}");
    let ask = |role| Input::Revert { principal: person("alice", role), change: ChangeId(2), reason: "the flow stopped".into() };
    assert!(matches!(lab.tell(&ask(Role::Viewer)), Answer::Forbidden(_)));
    assert_eq!(lab.tell(&ask(Role::Operator)), Answer::Revert(RevertId(1)));
    let policy = host_policy(&lab.state, &id("web1"), lab.now).unwrap();
    assert_eq!(policy.pin.as_ref().map(|pin| pin.environment.to_string()).as_deref(), Some("r142"));
    assert_eq!(policy.reverts[0].way, RevertWay::PinAndRun { environment: environment("r142") });
    lab.pass(Span::from_min(1));
    lab.report(told("web1", "r142").file(FILE, B).version("v2"));
    assert!(matches!(lab.state.reverts[&RevertId(1)].hosts[&id("web1")], Progress::Done(_)));
    let trial = lab.state.open_changes().next().expect("the return is on trial");
    assert!(trial.items.keys().all(|key| key.to_string() == "revert"), "{:?}", trial.items);
    let trial = trial.id;
    lab.pass(Span::from_min(40));
    lab.conclude(trial.0, Outcome::Accepted);
    let told = alert(&lab.state, &Subject::Change(ChangeId(2)), lab.now).unwrap();
    let done = told.parts.iter().find(|part| part.heading == "Done").unwrap().lines.join("\n");
    assert!(done.contains("r-1 of alice: 1 of 1 hosts went back; its own trial c-3 is accepted"), "{done}");
    assert!(lab.tell(&ask(Role::Operator)).refusal().unwrap().contains("carries nothing of it any more"));
}

#[test]
fn a_revert_that_fails_on_several_hosts_stops_and_one_that_is_not_answered_fails() {
    let mut lab = Lab::new();
    configured(&mut lab, Enforce::Off, true);
    let names: Vec<String> = (1..=14).map(|n| format!("web{n:02}")).collect();
    for host in &names {
        lab.release(host, "142");
        lab.report(told(host, "r142").file(FILE, B).version("v1"));
    }
    lab.pass(Span::from_min(60));
    for host in &names {
        lab.report(told(host, "production").file(FILE, A).version("v2"));
    }
    lab.conclude(1, Outcome::Rejected);
    let ask = Input::Revert { principal: person("alice", Role::Operator), change: ChangeId(1), reason: "bad".into() };
    assert_eq!(lab.tell(&ask), Answer::Revert(RevertId(1)));
    let asked = |lab: &Lab| lab.state.reverts[&RevertId(1)].count(|progress| matches!(progress, Progress::Asked(_)));
    assert_eq!(asked(&lab), 10, "not all at once");
    for host in &names[..3] {
        let result = RevertResult { id: RevertId(1), outcome: Err("no such environment".into()), said: String::new() };
        let told = Poll { results: vec![result], ..poll(&lab) };
        polls(&mut lab, host, told);
    }
    let revert = &lab.state.reverts[&RevertId(1)];
    assert!(revert.stopped.as_ref().unwrap().contains("failed on 3 of 14"), "{revert:?}");
    assert!(!revert.goes_on());
    assert!(host_policy(&lab.state, &id("web05"), lab.now).unwrap().reverts.is_empty());

    let mut lab = rejected(Enforce::Off, true);
    lab.tell(&Input::Revert { principal: person("alice", Role::Operator), change: ChangeId(2), reason: "bad".into() });
    lab.pass(Span::from_min(31));
    lab.tell(&Input::Wake);
    assert!(matches!(&lab.state.reverts[&RevertId(1)].hosts[&id("web1")], Progress::Failed(why) if why.contains("did not answer")));
}

#[test]
fn what_a_revert_cannot_bring_back_is_said_before() {
    let mut lab = half_on_142(Enforce::Off, false);
    let mut run = told("web3", "production").file(FILE, "new").version("v3");
    run.contents.push((ItemKey::new("Exec", "migrate", "returns"), "0".into(), belay_core::model::report::EventOutcome::Applied));
    lab.report(run);
    lab.conclude(2, Outcome::Rejected);
    let plan = reverts::plan(&lab.state, ChangeId(2)).unwrap();
    assert!(plan.cannot.iter().any(|(key, why)| &*key.kind == "Exec" && why.contains("stays run")), "{plan:?}");
    assert!(plan.remain.iter().any(|(key, why)| &*key.kind == "File" && why.contains("declare themselves")), "{plan:?}");
}

#[test]
fn a_file_that_comes_back_from_a_backup_is_held_against_the_next_run() {
    let mut lab = Lab::new();
    configured(&mut lab, Enforce::Off, false);
    lab.enrol(&["web1", "web2", "web3"], "141", "production");
    lab.pass(Span::from_min(60));
    lab.report(told("web1", "production").file(FILE, "old").version("v2"));
    lab.pass(Span::from_min(31));
    lab.conclude(1, Outcome::Accepted);
    lab.report(told("web1", "production").file(FILE, "bad").version("v3"));
    lab.conclude(2, Outcome::Rejected);
    // What the report said was there before, as a tool that keeps backups names it.
    let mut change = lab.state.changes[&ChangeId(2)].clone();
    let words = change.words.get_mut(&ItemKey::new("File", FILE, "content")).unwrap();
    words.old = format!("{{sha256}}{}", "ab".repeat(32));
    lab.state.changes.insert(ChangeId(2), change);
    let plan = reverts::plan(&lab.state, ChangeId(2)).unwrap();
    let files = BTreeMap::from([(FILE.to_owned(), "ab".repeat(32))]);
    assert_eq!(plan.ways[&id("web1")], RevertWay::Restore { files });
    assert_eq!(plan.held().count(), 1);
    let ask = Input::Revert { principal: person("alice", Role::Operator), change: ChangeId(2), reason: "bad".into() };
    assert_eq!(lab.tell(&ask), Answer::Revert(RevertId(1)));
    let policy = host_policy(&lab.state, &id("web1"), lab.now).unwrap();
    assert!(policy.pin.is_none() && policy.holds[0].reason.contains("r-1 takes back c-2"), "{policy:?}");
    assert_eq!(lab.state.reverts[&RevertId(1)].hold, Some(policy.holds[0].id));
    assert!(host_policy(&lab.state, &id("web2"), lab.now).unwrap().holds.is_empty());
}

#[test]
fn hosts_to_which_nothing_is_applied_are_told_of_with_the_hold_behind_it() {
    let mut lab = half_on_142(Enforce::Off, true);
    lab.report(told("web3", "production").kind(RunKind::Unchanged).version("v1"));
    lab.report(told("web4", "production").kind(RunKind::Unchanged).version("v1"));
    let ask = HoldAsk {
        scope: HoldScope { hosts: vec![Pattern::new("web1"), Pattern::new("web2")], classes: BTreeSet::new() },
        reason: "release 142 needs new files".into(),
        until: Some(lab.now + Span::from_min(8 * 60)),
        ..HoldAsk::default()
    };
    lab.tell(&Input::PlaceHold { principal: person("alice", Role::Operator), ask: Box::new(ask) });
    lab.pass(Span::from_min(30));
    assert!(wake::due(&lab.state, lab.now));
    lab.tell(&Input::Wake);
    let about = Subject::Stale(class("web").name);
    let told_of = alert(&lab.state, &about, lab.now).unwrap();
    assert!(
        told_of.title.starts_with("[STALE] nothing was applied for 1 h 5 min on 2 of 4 hosts of class web: held by alice until"),
        "{}",
        told_of.title
    );
    let text = told_of.parts.iter().flat_map(|part| part.lines.clone()).collect::<Vec<_>>().join("\n");
    assert!(text.contains("because release 142 needs new files; do not re-enable, ask alice (h-1)"), "{text}");
    for host in ["web1", "web2"] {
        lab.report(told(host, "r142").kind(RunKind::Unchanged).version("v2"));
    }
    lab.tell(&Input::Wake);
    assert_eq!(alert(&lab.state, &about, lab.now).unwrap().status, "resolved");
}

#[test]
fn belay_pages_when_it_is_itself_what_stops_the_tool() {
    let mut lab = Lab::new();
    configured(&mut lab, Enforce::ReleaseMatch, true);
    let names: Vec<String> = (1..=40).map(|n| format!("web{n:02}")).collect();
    let asks = |lab: &mut Lab, host: &str, answer| {
        let gate = Some(Asked { at: lab.now, answer, why: "refused: environment production".into() });
        let told =
            Poll { status: HostStatus { gate, ..HostStatus::default() }, release: Some(Release::parse("142").unwrap()), ..poll(lab) };
        polls(lab, host, told);
    };
    for host in &names[..30] {
        asks(&mut lab, host, Gate::Go);
    }
    for host in &names[30..] {
        asks(&mut lab, host, Gate::Deferred);
    }
    lab.tell(&Input::Wake);
    assert!(lab.state.breaker.is_none(), "deferred hosts do not count");
    for host in &names[30..] {
        asks(&mut lab, host, Gate::Refused);
    }
    lab.tell(&Input::Wake);
    assert_eq!(lab.state.breaker.map(|breaker| (breaker.refused, breaker.asked)), Some((10, 40)));
    let told_of = alert(&lab.state, &Subject::Breaker, lab.now).unwrap();
    assert!(told_of.title.contains("Belay itself is stopping configuration management: 10 of 40"), "{}", told_of.title);
    lab.pass(Span::from_min(61));
    lab.tell(&Input::Wake);
    assert!(lab.state.breaker.is_none());
}

#[test]
fn why_a_host_explains_its_hold_its_environment_and_what_its_gate_would_say() {
    let lab = rejected(Enforce::Rejected, true);
    let lines = why::host(&lab.state, &id("web1"), lab.now).join("\n");
    assert!(lines.contains("with enforce = \"rejected\", another run from environment production would be refused"), "{lines}");
    assert!(lines.contains("the classifier gives it environment r142: it runs release 142"), "{lines}");
}

//! So many hosts are asked to run or rehearse at a time, over all reverts and expired holds; the others wait their turn.

use std::collections::BTreeSet;
use std::sync::Arc;

use belay_core::decide::host_policy::host_policy;
use belay_core::decide::{Input, wake};
use belay_core::host::talk::{Poll, RevertResult};
use belay_core::model::gate::Enforce;
use belay_core::model::ids::{ChangeId, HoldId, RevertId};
use belay_core::model::policy::Policy;
use belay_core::model::principal::{Actor, Role};
use belay_core::model::report::RunKind;
use belay_core::model::revert::{PATIENCE, Progress};
use belay_core::model::time::Span;
use belay_core::model::verdict::Outcome;
use proptest::prelude::*;

use crate::catch::{A, B, configured};
use crate::holds::{id, person, place, poll, polls};
use crate::lab::{FILE, Lab, told};

/// A fleet of which the first eight got a Change that was rejected, and so many places.
fn fleet(slots: u32) -> (Lab, Vec<String>) {
    let mut lab = Lab::new();
    configured(&mut lab, Enforce::Off, true);
    let names: Vec<String> = (0..16).map(|n| format!("web{n:02}")).collect();
    for host in &names {
        lab.release(host, "142");
        lab.report(told(host, "r142").file(FILE, B).version("v1"));
    }
    lab.pass(Span::from_min(60));
    for host in &names[..8] {
        lab.report(told(host, "production").file(FILE, A).version("v2"));
    }
    lab.conclude(1, Outcome::Rejected);
    let policy = Policy { compile_slots: slots, ..(*lab.state.policy).clone() };
    lab.tell(&Input::Policy { policy: Arc::new(policy), actor: Actor("test".into()) });
    (lab, names)
}

fn take_back(lab: &mut Lab) {
    lab.tell(&Input::Revert { principal: person("alice", Role::Operator), change: ChangeId(1), reason: "bad".into() });
}

/// The hosts that the server asks now: each by the policy that it would get.
fn asked(lab: &Lab, names: &[String]) -> (BTreeSet<String>, BTreeSet<String>) {
    let policy = |name: &String| host_policy(&lab.state, &id(name), lab.now).unwrap();
    let rehearse = names.iter().filter(|name| policy(name).rehearse).cloned().collect();
    let revert = names.iter().filter(|name| !policy(name).reverts.is_empty()).cloned().collect();
    (rehearse, revert)
}

fn wake_up(lab: &mut Lab) {
    lab.tell(&Input::Wake);
}

fn rehearses(lab: &mut Lab, host: &str) {
    lab.report(told(host, "r142").kind(RunKind::NoopUnchanged).version("v1"));
}

#[test]
fn hosts_of_an_expired_hold_rehearse_a_few_at_a_time_until_all_have() {
    let (mut lab, names) = fleet(3);
    let hold = place(&mut lab, "web1*", 1);
    lab.pass(Span::from_min(61));
    wake_up(&mut lab);
    let mut rehearsed = BTreeSet::new();
    while lab.state.holds[&hold].stands() {
        let (now, _) = asked(&lab, &names);
        assert_eq!(now.len(), 3.min(6 - rehearsed.len()), "{rehearsed:?}");
        assert!(now.is_disjoint(&rehearsed), "nobody is asked twice who has answered");
        let first = now.first().unwrap().clone();
        rehearses(&mut lab, &first);
        rehearsed.insert(first);
        wake_up(&mut lab);
    }
    assert_eq!(rehearsed.len(), 6);
}

#[test]
fn a_host_that_does_not_answer_gives_its_place_back_and_is_asked_again_in_its_turn() {
    let (mut lab, names) = fleet(2);
    place(&mut lab, "web1*", 1);
    lab.pass(Span::from_min(61));
    let mut seen: Vec<BTreeSet<String>> = Vec::new();
    for _ in 0..4 {
        wake_up(&mut lab);
        assert!(!wake::due(&lab.state, lab.now), "what was done is not due any more");
        seen.push(asked(&lab, &names).0);
        lab.pass(PATIENCE + Span::from_ms(1));
        assert!(asked(&lab, &names).0.is_empty(), "nobody is asked beyond the patience there is");
    }
    assert!(seen.iter().all(|asked| asked.len() == 2), "{seen:?}");
    assert_eq!(seen[..3].iter().flatten().collect::<BTreeSet<_>>().len(), 6, "each has its turn: {seen:?}");
    assert_eq!(seen[3], seen[0], "and then again");
}

#[test]
fn going_back_and_rehearsing_share_the_places_and_going_back_comes_first() {
    let (mut lab, names) = fleet(4);
    place(&mut lab, "web1*", 1);
    lab.pass(Span::from_min(61));
    take_back(&mut lab);
    wake_up(&mut lab);
    let (rehearse, revert) = asked(&lab, &names);
    assert_eq!((rehearse.len(), revert.len()), (0, 4));
    let done = revert.first().unwrap().clone();
    let result = RevertResult { id: RevertId(1), outcome: Ok(()), said: String::new() };
    let told = Poll { results: vec![result], ..poll(&lab) };
    polls(&mut lab, &done, told);
    assert_eq!(asked(&lab, &names).1.len(), 4, "the next one's turn comes with the answer");
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Pass(i64),
    Wake,
    Place(usize),
    TakeBack,
    Rehearse(usize),
    Went(usize, bool),
    Release(usize),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => (1_i64..40).prop_map(Act::Pass),
        4 => Just(Act::Wake),
        1 => (0_usize..4).prop_map(Act::Place),
        1 => Just(Act::TakeBack),
        4 => (0_usize..16).prop_map(Act::Rehearse),
        3 => (0_usize..16, any::<bool>()).prop_map(|(host, done)| Act::Went(host, done)),
        1 => (1_usize..4).prop_map(Act::Release),
    ]
}

fn play(lab: &mut Lab, names: &[String], act: Act) {
    match act {
        Act::Pass(minutes) => lab.pass(Span::from_min(minutes)),
        Act::Wake => wake_up(lab),
        Act::Place(nth) => {
            let ask = ["web*", "web0*", "web1*", "web*5"][nth];
            place(lab, ask, 1);
        }
        Act::TakeBack => take_back(lab),
        Act::Rehearse(nth) => rehearses(lab, &names[nth]),
        Act::Went(nth, done) => {
            let outcome = if done { Ok(()) } else { Err("no".to_owned()) };
            let results = lab.state.reverts.keys().map(|id| RevertResult { id: *id, outcome: outcome.clone(), said: String::new() });
            let told = Poll { results: results.collect(), ..poll(lab) };
            polls(lab, &names[nth], told);
        }
        Act::Release(nth) => {
            let edit = belay_core::decide::HoldEdit::Release;
            let (principal, hold) = (person("carol", Role::Approver), HoldId(nth as u64));
            lab.tell(&Input::EditHold { principal, hold, seen: None, edit, reason: "done".into() });
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn never_are_more_asked_than_there_are_places(slots in 1_u32..6, acts in prop::collection::vec(act(), 1..60)) {
        let (mut lab, names) = fleet(slots);
        for act in acts {
            play(&mut lab, &names, act);
            let (rehearse, _) = asked(&lab, &names);
            let going = lab.state.reverts.values().filter(|revert| revert.stopped.is_none());
            let going: usize = going.map(|revert| revert.count(|progress| matches!(progress, Progress::Asked(_)))).sum();
            prop_assert!(rehearse.len() + going <= slots as usize, "{act:?}: {rehearse:?} and {going} go back, of {slots}");
        }
        // Who waits is not forgotten: where everybody is silent, each host under an expired hold has its turn.
        lab.pass(Span::from_min(24 * 60));
        let mut turns = BTreeSet::new();
        for _ in 0..64 {
            wake_up(&mut lab);
            turns.extend(asked(&lab, &names).0);
            lab.pass(PATIENCE + Span::from_ms(1));
        }
        for hold in lab.state.holds.values().filter(|hold| hold.stands()) {
            for host in lab.state.hosts.values().filter(|host| hold.holds(host) && !hold.would_change.contains_key(&host.id)) {
                prop_assert!(turns.contains(host.id.as_str()), "{} under {}", host.id, hold.id);
            }
        }
    }
}

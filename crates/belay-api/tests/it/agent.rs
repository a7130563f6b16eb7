//! The agent protocol: what is said is read back as it was said, by older and newer sides too.

use std::collections::{BTreeMap, BTreeSet};

use belay_api::agent::{PROTOCOL, PolicyBody, PollAnswer, PollBody, ProtocolRefused, speaks};
use belay_core::host::lock::LockEvent;
use belay_core::host::policy::{HostPolicy, Pin, RevertOrder, RevertWay, Stand};
use belay_core::host::talk::{Asked, BreakGlass, Event, Happened, HostStatus, Lock, Poll, RevertResult, Schedule};
use belay_core::model::closed::{Closed, ClosedBy, Closing};
use belay_core::model::gate::{Enforce, Gate, HoldOrder, Known};
use belay_core::model::ids::{ChangeId, ClassName, Digest, Environment, HoldId, HostId, Release, RevertId};
use belay_core::model::item::ItemKey;
use belay_core::model::log::Line;
use belay_core::model::time::{Span, Timestamp};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;

fn text() -> impl Strategy<Value = String> {
    "\\PC{0,24}"
}

fn at() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp::from_ms)
}

fn release() -> impl Strategy<Value = Release> {
    "[a-z0-9_][a-z0-9._-]{0,8}".prop_map(|name| Release::parse(&name).unwrap())
}

fn environment() -> impl Strategy<Value = Environment> {
    "[a-z0-9_][a-z0-9._-]{0,8}".prop_map(|name| Environment::parse(&name).unwrap())
}

fn host() -> impl Strategy<Value = HostId> {
    "[a-z0-9][a-z0-9.-]{0,12}".prop_map(|name| HostId::parse(&name).unwrap())
}

fn stand() -> impl Strategy<Value = Stand> {
    any::<(u64, u64)>().prop_map(|(incarnation, seq)| Stand { incarnation, seq })
}

prop_compose! {
    fn hold()(id in any::<u64>(), (owner, reason, contact) in (text(), text(), text()), ticket in option::of(text()), imports in option::of(text()), placed in at(), until in at()) -> HoldOrder {
        HoldOrder { id: HoldId(id), owner, reason, contact, ticket, placed, until, imports }
    }
}

fn known() -> impl Strategy<Value = Known> {
    prop_oneof![
        Just(Known::Adopted),
        Just(Known::Accepted),
        any::<u64>().prop_map(|id| Known::OnTrial(ChangeId(id))),
        any::<u64>().prop_map(|id| Known::Rejected(ChangeId(id))),
    ]
}

prop_compose! {
    fn item()(kind in text(), title in text(), parameter in text()) -> ItemKey { ItemKey::new(&kind, &title, &parameter) }
}

prop_compose! {
    fn pin()(environment in environment(), until in at(), reason in text(), by in text()) -> Pin { Pin { environment, until, reason, by } }
}

fn way() -> impl Strategy<Value = RevertWay> {
    prop_oneof![
        environment().prop_map(|environment| RevertWay::PinAndRun { environment }),
        btree_map(text(), text(), 0..3).prop_map(|files| RevertWay::Restore { files }),
        Just(RevertWay::Declared),
    ]
}

prop_compose! {
    fn revert()(id in any::<u64>(), way in way(), reason in text()) -> RevertOrder { RevertOrder { id: RevertId(id), way, reason } }
}

fn closing() -> impl Strategy<Value = Closing> {
    let by = prop_oneof![Just(ClosedBy::Hours), Just(ClosedBy::NotLeading), text().prop_map(ClosedBy::Freeze)];
    (at(), by, option::of(at())).prop_map(|(at, by, until)| Closing { at, closed: Closed { by, until } })
}

prop_compose! {
    fn policy()(
        (host, stand, issued, release) in (host(), stand(), at(), option::of(release())),
        (enforce, max_closed, poll_after) in (0..4_usize, any::<i64>(), any::<i64>()),
        (holds, environments, pin) in (vec(hold(), 0..3), btree_map(release(), environment(), 0..3), option::of(pin())),
        items in btree_map(item(), btree_map(any::<[u8; 16]>().prop_map(Digest), known(), 0..3), 0..6),
        closed in vec(closing(), 0..3),
        (wave_open, rehearse, wave, reverts) in (any::<bool>(), any::<bool>(), option::of(environment()), vec(revert(), 0..3)),
    ) -> HostPolicy {
        HostPolicy {
            host, stand, issued, class: ClassName::parse("web").unwrap(), release, enforce: Enforce::ALL[enforce],
            max_closed: Span::from_ms(max_closed), holds, environments, items, pin, wave_open, closed, wave, rehearse, reverts,
            poll_after: Span::from_ms(poll_after),
        }
    }
}

fn holds() -> impl Strategy<Value = BTreeSet<HoldId>> {
    btree_set(any::<u64>().prop_map(HoldId), 0..4)
}

prop_compose! {
    fn glass()(until in at(), reason in text(), by in text()) -> BreakGlass { BreakGlass { until, reason, by } }
}

fn happened() -> impl Strategy<Value = Happened> {
    prop_oneof![
        (holds(), any::<bool>(), option::of(text())).prop_map(|(holds, put_back, by)| Happened::Lock(LockEvent::Broken {
            holds,
            put_back,
            by
        })),
        (text(), option::of(at())).prop_map(|(message, since)| Happened::Lock(LockEvent::Foreign { message, since })),
        glass().prop_map(Happened::BreakGlass),
        text().prop_map(Happened::LetThrough),
    ]
}

fn lock() -> impl Strategy<Value = Lock> {
    prop_oneof![
        Just(Lock::Absent),
        holds().prop_map(Lock::Ours),
        (text(), option::of(at())).prop_map(|(message, since)| Lock::Foreign { message, since }),
    ]
}

fn schedule() -> impl Strategy<Value = Schedule> {
    prop_oneof![Just(Schedule::Unknown), text().prop_map(Schedule::There), text().prop_map(Schedule::SwitchedOff), Just(Schedule::Missing),]
}

prop_compose! {
    fn asked()(at in at(), answer in 0..4_usize, why in text()) -> Asked {
        Asked { at, answer: [Gate::Go, Gate::Deferred, Gate::Refused, Gate::Held][answer], why }
    }
}

prop_compose! {
    fn poll()(
        (agent, have, sent_at, release) in (text(), option::of(stand()), at(), option::of(release())),
        facts in option::of(btree_map("[a-z]{1,8}", text(), 0..4)),
        (lock, schedule, break_glass, running, gate) in (lock(), schedule(), option::of(glass()), any::<bool>(), option::of(asked())),
        holds in vec(hold(), 0..3),
        events in vec((any::<u64>(), at(), happened()).prop_map(|(number, at, what)| Event { number, at, what }), 0..4),
        results in vec((any::<u64>(), any::<bool>(), text(), text()), 0..3),
        lines in vec((text(), text(), at(), at(), text()), 0..3),
    ) -> Poll {
        let results = results.into_iter().map(|(id, done, why, said)| RevertResult {
            id: RevertId(id), outcome: if done { Ok(()) } else { Err(why) }, said,
        });
        Poll {
            agent, have, sent_at, release, facts, status: HostStatus { lock, schedule, break_glass, running, run_lock: None, gate }, holds, events,
            results: results.collect(),
            lines: lines.into_iter().map(|(log, pattern, since, at, text)| Line { log, pattern, since, at, text }).collect(),
        }
    }
}

/// As it comes out of the other end of the wire, with fields in it that only a newer side knows.
fn sent<T: serde::Serialize + serde::de::DeserializeOwned>(body: &T) -> T {
    let mut json = serde_json::to_value(body).unwrap();
    json["of_a_newer_side"] = serde_json::json!({"x": [1]});
    serde_json::from_str(&json.to_string()).unwrap()
}

proptest! {
    #[test]
    fn a_poll_is_read_back_as_it_was_sent(poll in poll(), host in host()) {
        let body = sent(&PollBody::of(&host, &poll));
        prop_assert_eq!(speaks(body.protocol), Ok(()));
        prop_assert_eq!(body.host().unwrap(), Some(host));
        prop_assert_eq!(body.poll().unwrap(), poll);
    }

    #[test]
    fn a_policy_is_read_back_as_it_was_given(policy in policy()) {
        prop_assert_eq!(sent(&PolicyBody::from(&policy)).policy().unwrap(), policy);
    }

    #[test]
    fn a_host_that_has_the_policy_is_not_given_it_again(policy in policy(), ack in any::<u64>(), other in option::of(stand())) {
        let same = sent(&PollAnswer::of(&policy, Some(policy.stand), ack)).reply().unwrap();
        prop_assert_eq!((same.stand, same.ack, same.issued, same.policy), (policy.stand, ack, policy.issued, None));
        prop_assume!(other != Some(policy.stand));
        let new = sent(&PollAnswer::of(&policy, other, ack)).reply().unwrap();
        prop_assert_eq!(new.policy, Some(policy));
    }
}

const OLDEST_POLL: &str = r#"{"protocol": 1, "sent_at_ms": 5}"#;

#[test]
fn what_an_older_side_leaves_out_has_a_default() {
    let body: PollBody = serde_json::from_str(OLDEST_POLL).unwrap();
    let poll = body.poll().unwrap();
    assert_eq!((poll.have, poll.facts, poll.status, body.host().unwrap()), (None, None, HostStatus::default(), None));
    let policy: PolicyBody = serde_json::from_str(
        r#"{"host": "web01", "stand": {"incarnation": 1, "seq": 2}, "issued_ms": 3, "class": "web", "enforce": "off",
            "max_closed_ms": 4, "poll_after_ms": 5}"#,
    )
    .unwrap();
    let policy = policy.policy().unwrap();
    assert!(policy.holds.is_empty() && policy.items.is_empty() && policy.reverts.is_empty() && !policy.wave_open && !policy.rehearse);
}

#[test]
fn an_older_agent_that_knows_nothing_of_the_hand_is_understood() {
    let text = r#"{"protocol": 1, "sent_at_ms": 5,
        "events": [{"number": 1, "at_ms": 2, "what": "lock-broken", "holds": ["h-3"], "put_back": true}]}"#;
    let poll = serde_json::from_str::<PollBody>(text).unwrap().poll().unwrap();
    let broken = LockEvent::Broken { holds: BTreeSet::from([HoldId(3)]), put_back: true, by: None };
    assert_eq!(poll.events[0].what, Happened::Lock(broken));
    let long = text.replace("true}", &format!("true, \"by\": \"{}\"}}", "x".repeat(5_000)));
    let refused = serde_json::from_str::<PollBody>(&long).unwrap().poll().unwrap_err();
    assert!(refused.iter().any(|error| error.pointer.ends_with("/by")), "{refused:?}");
}

#[test]
fn a_protocol_that_is_not_spoken_is_refused_by_name() {
    assert_eq!(speaks(PROTOCOL), Ok(()));
    assert_eq!(speaks(PROTOCOL + 1).map_err(ProtocolRefused::code), Err("protocol-too-new"));
    assert_eq!(speaks(0).map_err(ProtocolRefused::code), Err("protocol-too-old"));
    let newer = PollAnswer {
        protocol: PROTOCOL + 1,
        stand: Stand::default().into(),
        issued_ms: 0,
        ack: 0,
        results: Vec::new(),
        poll_after_ms: 0,
        wait_ms: 0,
        policy: None,
    };
    let refused = newer.reply().unwrap_err();
    assert!(refused.pointer == "/protocol" && refused.detail.contains("upgrade this side"), "{refused:?}");
}

#[test]
fn nothing_else_is_taken_for_nothing_new() {
    for other in ["{}", "[]", r#"{"protocol": 1}"#, r#"{"status": "ok"}"#, "<html>", ""] {
        assert!(serde_json::from_str::<PollAnswer>(other).is_err(), "{other}");
    }
}

#[test]
fn what_only_a_newer_server_knows_is_nothing_here() {
    let mut policy = serde_json::json!({
        "host": "web01", "stand": {"incarnation": 1, "seq": 2}, "issued_ms": 3, "class": "web", "enforce": "off",
        "max_closed_ms": 4, "poll_after_ms": 5,
        "items": [{"type": "File", "title": "/a", "parameter": "content", "contents": [
            {"hash": "00000000000000000000000000000000", "state": "half-accepted"},
            {"hash": "00000000000000000000000000000001", "state": "accepted", "change": "c-1"}]}],
        "reverts": [{"id": "r-1", "way": "by-telepathy", "strength": 3}, {"id": "r-2", "way": "declared"}],
    });
    let read = |policy: &serde_json::Value| serde_json::from_value::<PolicyBody>(policy.clone()).unwrap().policy();
    let taken = read(&policy).unwrap();
    assert_eq!(taken.items, BTreeMap::from([(ItemKey::new("File", "/a", "content"), BTreeMap::from([one_accepted()]))]));
    assert_eq!(taken.reverts.iter().map(|order| order.id).collect::<Vec<_>>(), [RevertId(2)]);
    policy["enforce"] = "everything".into();
    let refused = read(&policy).unwrap_err();
    assert_eq!(refused.pointer, "/enforce", "a level that is not understood is no level");
}

fn one_accepted() -> (Digest, Known) {
    let mut bytes = [0; 16];
    bytes[15] = 1;
    (Digest(bytes), Known::Accepted)
}

#[test]
fn what_cannot_be_taken_is_named_by_its_place() {
    let at = |json: &str| {
        let mut poll: serde_json::Value = serde_json::from_str(OLDEST_POLL).unwrap();
        let more: serde_json::Value = serde_json::from_str(json).unwrap();
        poll.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value::<PollBody>(poll).unwrap().poll().unwrap_err()[0].pointer.clone()
    };
    assert_eq!(at(r#"{"release": "a b"}"#), "/release");
    assert_eq!(at(r#"{"status": {"lock": {"is": "ours", "holds": ["c-1"]}}}"#), "/status/lock/holds/0");
    assert_eq!(at(r#"{"results": [{"id": "7", "done": true}]}"#), "/results/0/id");
    assert_eq!(at(r#"{"status": {"gate": {"at_ms": 1, "answer": "maybe", "why": ""}}}"#), "/status/gate/answer");
    let long = format!(r#"{{"events": [{{"number": 1, "at_ms": 1, "what": "let-through", "why": "{}"}}]}}"#, "x".repeat(5_000));
    assert_eq!(at(&long), "/events/0/why");
}

//! Closed times: outside the windows of a class and in a freeze no wave opens, and content that is not
//! accepted reaches no further host. What is accepted goes, and so does every way back.

use std::sync::Arc;

use belay_core::decide::host_policy::{classified, gate, host_policy};
use belay_core::decide::{Input, wake};
use belay_core::explain::{gate as words, why};
use belay_core::host::gate::{Server, gate_by};
use belay_core::model::closed::{Closed, ClosedBy, Freeze};
use belay_core::model::gate::{Gate, GateAnswer, Why};
use belay_core::model::hours::{Hours, Zone};
use belay_core::model::ids::{ChangeId, Environment, HostId};
use belay_core::model::policy::{Branches, ClassPolicy};
use belay_core::model::principal::Actor;
use belay_core::model::time::{Span, Timestamp};
use belay_core::model::verdict::{Judge, Outcome};
use belay_core::state::{Fact, Lead, State};

use crate::holds::id;
use crate::lab::{FILE, Lab, told};
use crate::waves::{fleet, may, names, offered, round, waves_open};

/// Every day from 09:00 to 16:00.
fn daily(class: &mut ClassPolicy) {
    let spans = (0..7).map(|day| (day * 1440 + 540, day * 1440 + 960)).collect();
    class.hours = Some(Hours { zone: Arc::new(Zone::utc()), spans });
}

/// A fleet whose class is open from 09:00 to 16:00, at 10:00 of a day.
fn by_day(alter: impl FnOnce(&mut ClassPolicy)) -> Lab {
    let mut lab = fleet(|class| {
        daily(class);
        alter(class);
    });
    at(&mut lab, 10);
    lab
}

/// The next time it is so late, with what time brings about.
fn at(lab: &mut Lab, hour: i64) {
    let day = Span::from_min(24 * 60);
    let on_day = lab.now.floor(day) + Span::from_min(60 * hour);
    lab.now = if on_day <= lab.now { on_day + day } else { on_day };
    lab.tell(&Input::Wake);
}

fn frozen(lab: &mut Lab, length: Span) {
    let from = lab.now;
    let freeze = Freeze { from, until: from + length, reason: "end of the year".to_owned(), classes: Vec::new() };
    let policy = belay_core::model::policy::Policy { freezes: vec![freeze], ..(*lab.state.policy).clone() };
    lab.tell(&Input::Policy { policy: Arc::new(policy), actor: Actor("test".into()) });
}

fn asked(lab: &Lab, host: &str, text: &str) -> GateAnswer {
    gate(&lab.state, &id(host), &offered(text), lab.now)
}

fn why_closed(answer: &GateAnswer) -> Option<&ClosedBy> {
    match answer.why.first() {
        Some(Why::Closed { closed, .. }) => Some(&closed.by),
        _ => None,
    }
}

#[test]
fn outside_its_windows_a_class_defers_what_nobody_has_seen_until_they_open() {
    let mut lab = by_day(|_| {});
    let first = names().into_iter().find(|host| may(&lab, host, "new")).unwrap();
    at(&mut lab, 17);
    let answer = asked(&lab, &first, "new");
    assert_eq!((answer.gate, why_closed(&answer)), (Gate::Deferred, Some(&ClosedBy::Hours)));
    let opens = lab.now + Span::from_min(16 * 60);
    assert_eq!(answer.until, Some(opens));
    assert!(words::sentence(&answer, lab.now).contains(&opens.to_string()), "{}", words::sentence(&answer, lab.now));
    assert!(words::remedy(&answer).is_some());
    assert!(may(&lab, &first, "old"), "what is accepted goes at any time");
    at(&mut lab, 9);
    assert_eq!(lab.now, opens);
    assert!(may(&lab, &first, "new"));
}

#[test]
fn a_wave_that_proved_good_at_night_opens_with_the_windows_and_not_before() {
    let mut lab = by_day(|_| {});
    assert_eq!(round(&mut lab, "new").len(), 1);
    at(&mut lab, 17);
    for _ in 0..3 {
        lab.conclude(1, Outcome::Accepted);
        lab.pass(Span::from_min(60));
        lab.tell(&Input::Wake);
    }
    assert_eq!(waves_open(&lab), 1);
    assert!(lab.state.changes[&ChangeId(1)].open(), "its trial goes on");
    let said = why::change(&lab.state, ChangeId(1), lab.now).join("\n");
    assert!(said.contains("no further wave opens"), "{said}");
    at(&mut lab, 9);
    lab.conclude(1, Outcome::Accepted);
    assert_eq!(waves_open(&lab), 2);
    assert_eq!(round(&mut lab, "new").len(), 5);
}

#[test]
fn an_open_wave_reaches_no_further_host_outside_the_windows() {
    let mut lab = by_day(|_| {});
    round(&mut lab, "new");
    lab.pass(Span::from_min(31));
    lab.conclude(1, Outcome::Accepted);
    assert_eq!(waves_open(&lab), 2);
    at(&mut lab, 16);
    assert_eq!(round(&mut lab, "new").len(), 0);
    at(&mut lab, 9);
    assert_eq!(round(&mut lab, "new").len(), 5);
}

#[test]
fn a_freeze_says_its_reason_and_its_end_and_holds_up_no_way_back() {
    let mut lab = fleet(|_| {});
    let first = round(&mut lab, "bad").into_iter().next().unwrap();
    frozen(&mut lab, Span::from_min(14 * 24 * 60));
    let answer = asked(&lab, &first, "other");
    assert_eq!(why_closed(&answer), Some(&ClosedBy::Freeze("end of the year".to_owned())));
    assert_eq!(answer.until, Some(lab.now + Span::from_min(14 * 24 * 60)));
    let said = why::host(&lab.state, &id(&first), lab.now).join("\n");
    assert!(said.contains("a freeze, end of the year"), "{said}");
    lab.conclude(1, Outcome::Rejected);
    assert!(!lab.state.changes[&ChangeId(1)].open(), "a rejection waits for nothing");
    assert!(matches!(asked(&lab, &first, "bad").why[0], Why::Rejected { .. }));
    assert!(may(&lab, &first, "old"), "the way back is open");
    lab.report(told(&first, "production").file(FILE, "old").version("v1"));
    lab.pass(Span::from_min(14 * 24 * 60));
    lab.tell(&Input::Wake);
    assert!(names().iter().any(|host| may(&lab, host, "other")), "it is over");
}

#[test]
fn hosts_hear_of_each_closing_and_opening_and_nothing_is_done_twice() {
    let mut lab = by_day(|_| {});
    let first = names().into_iter().find(|host| may(&lab, host, "new")).unwrap();
    let stand = |lab: &Lab| host_policy(&lab.state, &id(&first), lab.now).unwrap().stand;
    let open = stand(&lab);
    assert!(!wake::due(&lab.state, lab.now));
    lab.now = lab.now.floor(Span::from_min(24 * 60)) + Span::from_min(16 * 60);
    assert!(wake::due(&lab.state, lab.now), "the moment of closing is one to wake for");
    lab.tell(&Input::Wake);
    let closed = stand(&lab);
    assert!(closed > open);
    assert!(!wake::due(&lab.state, lab.now + Span::from_min(17 * 60 - 1)), "the night is nothing to wake for");
    lab.pass(Span::from_min(17 * 60));
    assert!(wake::due(&lab.state, lab.now));
    assert!(!may(&lab, &first, "new"), "opening takes a commit");
    lab.tell(&Input::Wake);
    assert!(may(&lab, &first, "new"));
    assert!(stand(&lab) > closed);
    assert!(!wake::due(&lab.state, lab.now));
}

#[test]
fn a_host_that_is_alone_closes_in_time_and_never_opens_by_itself() {
    let mut lab = by_day(|class| class.max_closed = Span::from_min(240));
    let first = names().into_iter().find(|host| may(&lab, host, "new")).unwrap();
    let known = host_policy(&lab.state, &id(&first), lab.now).unwrap();
    let alone = |policy: &belay_core::host::policy::HostPolicy, now: Timestamp| {
        gate_by(policy, None, None, &offered("new"), Server::Away(Span::from_min(60 * 24)), now)
    };
    let fresh =
        |policy: &belay_core::host::policy::HostPolicy, now: Timestamp| gate_by(policy, None, None, &offered("new"), Server::Fresh, now);
    let closes = lab.now.floor(Span::from_min(24 * 60)) + Span::from_min(16 * 60);
    let opens = closes + Span::from_min(17 * 60);
    assert_eq!(fresh(&known, closes + Span::from_ms(-1)).gate, Gate::Go);
    assert_eq!((fresh(&known, closes).gate, fresh(&known, closes).until), (Gate::Deferred, Some(opens)));
    let night = alone(&known, closes);
    assert_eq!((night.gate, why_closed(&night)), (Gate::Deferred, Some(&ClosedBy::Hours)), "also where the server is long away");
    assert_eq!(fresh(&known, opens).gate, Gate::Deferred, "an opening takes a word of the server");
    let after = alone(&known, opens);
    assert!(after.pages && matches!(after.why[0], Why::AwayTooLong { .. }), "the catch must not become the outage: {after:?}");
    at(&mut lab, 17);
    let closed = host_policy(&lab.state, &id(&first), lab.now).unwrap();
    assert!(!closed.wave_open, "an agent that knows no closed times waits as for its wave");
    assert_eq!(fresh(&closed, lab.now).until, Some(opens));
    assert_eq!(gate_by(&closed, None, None, &offered("old"), Server::Fresh, lab.now).gate, Gate::Go);
}

#[test]
fn the_classifier_moves_nobody_while_the_class_is_closed() {
    let name = |name: &str| Environment::parse(name).unwrap();
    let mut lab = by_day(|class| class.branches = Some(Branches { stable: name("production"), candidate: name("candidate") }));
    let on_candidate = |lab: &Lab| -> Vec<String> {
        let given = |host: &String| classified(&lab.state, &id(host), lab.now).unwrap().environment == Some(name("candidate"));
        names().into_iter().filter(given).collect()
    };
    let first = on_candidate(&lab);
    lab.report(told(&first[0], "candidate").file(FILE, "new").version("v2"));
    lab.pass(Span::from_min(31));
    lab.conclude(1, Outcome::Accepted);
    assert_eq!(on_candidate(&lab).len(), 5);
    at(&mut lab, 17);
    assert_eq!(on_candidate(&lab), first, "who has it keeps it, who had not got it yet waits");
    lab.conclude(1, Outcome::Rejected);
    assert_eq!(on_candidate(&lab).len(), 0, "a way back waits for nothing");
}

#[test]
fn a_configuration_closes_and_opens_at_once() {
    let mut lab = fleet(|_| {});
    let before = lab.state.policy.clone();
    frozen(&mut lab, Span::from_min(60));
    assert_eq!(names().iter().filter(|host| may(&lab, host, "new")).count(), 0);
    assert!(lab.journal.iter().any(|(_, fact)| matches!(fact, Fact::ClosedSet { closed: Some(_), .. })));
    lab.tell(&Input::Policy { policy: before, actor: Actor("test".into()) });
    assert!(lab.state.closed.is_empty());
    assert_eq!(names().iter().filter(|host| may(&lab, host, "new")).count(), 1);
}

#[test]
fn a_snapshot_knows_what_is_closed() {
    let mut lab = fleet(|_| {});
    frozen(&mut lab, Span::from_min(60));
    let mut again = State::default();
    lab.state.to_facts().iter().for_each(|(at, fact)| again.apply(*at, fact));
    assert_eq!(again.closed, lab.state.closed);
    assert_eq!(again.closed.len(), 1);
}

/// Decision 11: what a replica's minority may do.
#[test]
fn a_replica_that_does_not_lead_opens_nothing() {
    let mut lab = by_day(|_| {});
    let first: HostId = id(&round(&mut lab, "new").into_iter().next().unwrap());
    lab.pass(Span::from_min(31));
    let open: Vec<String> = names().into_iter().filter(|host| may(&lab, host, "new")).collect();
    lab.state.lead = Lead::Follows;
    let (facts, stand) = (lab.journal.len(), lab.state.counters.steered);
    lab.conclude(1, Outcome::Accepted);
    assert_eq!((waves_open(&lab), lab.journal.len()), (1, facts), "no wave opens");
    let still: Vec<String> = names().into_iter().filter(|host| may(&lab, host, "new")).collect();
    assert_eq!(still, open, "what was open stays open");
    at(&mut lab, 17);
    assert_eq!(asked(&lab, first.as_str(), "other").gate, Gate::Deferred, "closing goes by the clock");
    assert!(!wake::due(&lab.state, lab.now), "nothing is due where nothing can be decided");
    // The night, committed by the one that leads; then the morning, which is not.
    lab.state.lead = Lead::Leads;
    lab.tell(&Input::Wake);
    lab.state.lead = Lead::Follows;
    at(&mut lab, 10);
    let morning = asked(&lab, first.as_str(), "other");
    assert_eq!((morning.gate, why_closed(&morning)), (Gate::Deferred, Some(&ClosedBy::NotLeading)));
    assert!(lab.state.counters.steered > stand);
    lab.state.lead = Lead::Leads;
    lab.tell(&Input::Wake);
    assert_eq!(asked(&lab, first.as_str(), "other").gate, Gate::Go);
}

#[test]
fn the_first_wave_of_a_change_is_no_exception_where_nobody_leads() {
    let mut lab = fleet(|_| {});
    let first = names().into_iter().find(|host| may(&lab, host, "new")).unwrap();
    lab.state.lead = Lead::Follows;
    let answer = asked(&lab, &first, "new");
    let alone = Closed { by: ClosedBy::NotLeading, until: None };
    assert_eq!((answer.gate, &answer.why[0]), (Gate::Deferred, &Why::Closed { items: 1, closed: alone }));
    assert!(may(&lab, &first, "old"), "what is accepted goes");
    let policy = host_policy(&lab.state, &id(&first), lab.now).unwrap();
    let long = Server::Away(policy.max_closed);
    assert!(gate_by(&policy, None, None, &offered("new"), long, lab.now).pages, "without an end it gives way to max_closed");
}

#[test]
fn a_verdict_of_a_person_is_not_taken_where_nobody_leads() {
    let mut lab = fleet(|_| {});
    round(&mut lab, "new");
    lab.state.lead = Lead::Follows;
    let answer = lab.tell(&Input::Override {
        principal: crate::lab::admin(),
        change: ChangeId(1),
        ruling: belay_core::decide::Ruling::Accept,
        seen: None,
        reason: "I know it".to_owned(),
    });
    assert!(answer.refusal().is_some_and(|text| text.contains("does not lead")), "{answer:?}");
    assert!(lab.state.changes[&ChangeId(1)].verdict.as_ref().is_none_or(|verdict| verdict.by == Judge::Belay));
    assert!(lab.state.changes[&ChangeId(1)].open());
}

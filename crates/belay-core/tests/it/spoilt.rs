//! What a rejected Change leaves behind: a past that is not what its hosts usually do.

use belay_core::decide::Ruling;
use belay_core::decide::trial::trial_of;
use belay_core::judge::judge;
use belay_core::model::change::{Spoilt, Stay, Trial};
use belay_core::model::evidence::Evidence;
use belay_core::model::ids::ChangeId;
use belay_core::model::principal::Role;
use belay_core::model::signal::{Harm, SignalKind};
use belay_core::model::time::Span;
use belay_core::model::verdict::{Check, Finding, Gap, Look, Outcome, Says, Standing};

use crate::judging::{HORIZON, STEP, at, evidence, host, steady, trial};
use crate::lab::{FILE, Lab, told};

/// A trial of one host beside so many peers.
fn one(peers: usize) -> Trial {
    Trial { grace: STEP.times(3), ..trial(1, peers) }
}

/// The same host, after it carried a Change that was rejected from one step to another.
fn after(trial: Trial, from: i64, to: i64) -> Trial {
    let stay = Stay { change: ChangeId(9), from: at(from), to: at(to) };
    Trial { spoilt: Spoilt([(host("t0"), vec![stay])].into()), ..trial }
}

/// The same trial, of a gauge.
fn gauge(mut trial: Trial) -> Trial {
    trial.signals.iter_mut().for_each(|signal| (signal.kind, signal.harm) = (SignalKind::Gauge, Harm::Up));
    trial
}

/// The same evidence, of hosts that all can be reached to the end.
fn alive(mut evidence: Evidence) -> Evidence {
    let at = evidence.at;
    evidence.windows.values_mut().flat_map(|window| window.heard.values_mut()).for_each(|heard| *heard = at);
    evidence
}

fn of(look: &Look, check: Check) -> &Finding {
    look.findings.iter().find(|finding| finding.check == check).unwrap_or_else(|| panic!("no word of {check:?}: {look:#?}"))
}

/// A flow of four a step, of which one is now and then counted in the step after; so much past is known.
fn four(name: &str, step: i64, past: i64) -> Option<f64> {
    let late = step.rem_euclid(19) == i64::from(name.as_bytes()[0] % 19) + i64::from(name.as_bytes()[1] % 7);
    (step >= -past).then_some(if late { 3.0 } else { 4.0 })
}

/// How far the interval of an effect reaches.
fn width(finding: &Finding) -> f64 {
    finding.numbers.effect_high.unwrap() - finding.numbers.effect_low.unwrap()
}

#[test]
fn a_way_back_is_judged_by_the_past_before_what_was_rejected() {
    for standstill in 20..30 {
        let still = |name: &str, step: i64| name == "t0" && (-6 - standstill..-6).contains(&step);
        let value = |name: &str, step: i64| if still(name, step) { Some(0.0) } else { four(name, step, 100) };
        let told = after(one(2), -7 - standstill, -6);
        let look = judge(&told, &evidence(&told, HORIZON, value));
        assert_eq!(look.standing, Standing::Final(Outcome::Accepted), "{standstill}");
        let level = of(&look, Check::Level);
        assert!(level.numbers.effect_low.unwrap() > -1.0 && level.numbers.effect_high.unwrap() < 1.0, "{level:#?}");
        assert!(level.text.ends_with("; the time under c-9, which was rejected, is left out of the past"), "{}", level.text);
        let untold = judge(&one(2), &evidence(&one(2), HORIZON, value));
        assert!(width(of(&untold, Check::Level)) > 5.0 * width(level), "{untold:#?}");
    }
}

#[test]
fn a_host_that_is_sick_still_is_not_blamed_on_what_came_to_put_it_right() {
    let value = |name: &str, step: i64| if name == "t0" && step >= -20 { Some(0.0) } else { Some(steady(name, step)) };
    let told = after(one(6), -20, 0);
    assert_eq!(judge(&told, &evidence(&told, 20, value)).standing, Standing::Suspect);
    let end = judge(&told, &evidence(&told, HORIZON, value));
    assert_eq!(end.standing, Standing::Final(Outcome::Inconclusive(Gap::TooLittle)), "{end:#?}");
    let flow = of(&end, Check::FlowStopped);
    assert!(flow.says == Says::Suspicion && flow.text.ends_with("; it was so already under c-9, which was rejected"), "{flow:#?}");
}

#[test]
fn a_host_that_is_silent_still_is_not_blamed_on_what_came_to_put_it_right() {
    let value = |name: &str, step: i64| (name != "t0" || step < -20).then(|| steady(name, step));
    let told = after(one(6), -20, 0);
    let look = judge(&told, &alive(evidence(&told, HORIZON, value)));
    let vanished = of(&look, Check::Vanished);
    assert_eq!((look.standing, vanished.says), (Standing::Final(Outcome::Inconclusive(Gap::NoData)), Says::Suspicion), "{look:#?}");
}

#[test]
fn a_value_that_is_stuck_still_is_not_blamed_on_what_came_to_put_it_right() {
    let value = |name: &str, step: i64| Some(if name == "t0" && step >= -20 { 61.5 } else { steady(name, step) });
    let told = after(gauge(one(6)), -20, 0);
    let look = judge(&told, &evidence(&told, HORIZON, value));
    assert_eq!(of(&look, Check::Frozen).says, Says::Suspicion, "{look:#?}");
}

#[test]
fn what_was_rejected_and_did_no_harm_excuses_nothing() {
    for harmed in [0.0, 61.5] {
        let value = |name: &str, step: i64| Some(if name == "t0" && step >= 0 { harmed } else { steady(name, step) });
        let told = after(one(6), -20, 0);
        let look = judge(&told, &evidence(&told, HORIZON, value));
        assert_eq!(look.standing, Standing::Final(Outcome::Rejected), "{harmed}: {look:#?}");
    }
}

#[test]
fn what_stops_after_it_was_put_right_is_blamed_on_what_was_there_then() {
    let value =
        |name: &str, step: i64| Some(if name == "t0" && (step >= 10 || (-20..0).contains(&step)) { 0.0 } else { steady(name, step) });
    let told = after(one(6), -20, 0);
    assert_eq!(judge(&told, &evidence(&told, HORIZON, value)).standing, Standing::Final(Outcome::Rejected));
}

#[test]
fn a_host_that_was_well_in_between_shows_the_harm_of_the_next_change() {
    let value = |name: &str, step: i64| {
        if name == "t0" && ((-40..-20).contains(&step) || step >= 0) { Some(0.0) } else { Some(steady(name, step)) }
    };
    let told = after(one(6), -40, -20);
    let look = judge(&told, &evidence(&told, 20, value));
    assert_eq!((look.standing, of(&look, Check::FlowStopped).says), (Standing::Final(Outcome::Rejected), Says::Harm), "{look:#?}");
}

#[test]
fn harm_is_not_hidden_by_worse_harm_before() {
    let value = |name: &str, step: i64| {
        let times = match step {
            -45..-15 if name == "t0" => 3.0,
            0.. if name == "t0" => 1.6,
            _ => 1.0,
        };
        Some(times * (60.0 + 0.2 * (steady(name, step) - 60.0)))
    };
    let says = |trial: &Trial| of(&judge(trial, &evidence(trial, HORIZON, value)), Check::Level).says;
    let (blind, told) = (gauge(one(6)), after(gauge(one(6)), -45, -15));
    assert_eq!((says(&blind), says(&told)), (Says::Fine, Says::Harm));
}

#[test]
fn where_most_of_the_past_is_spoilt_it_is_the_past() {
    let value = |name: &str, step: i64| Some(steady(name, step));
    let told = after(one(6), -80, -10);
    let look = judge(&told, &evidence(&told, HORIZON, value));
    assert_eq!(look.standing, Standing::Final(Outcome::Accepted));
    assert!(!of(&look, Check::Level).text.contains("c-9"));
}

#[test]
fn two_rejected_changes_at_once_spoil_the_past_once() {
    let value = |name: &str, step: i64| Some(steady(name, step));
    let mut told = after(one(6), -50, -15);
    let stays = told.spoilt.0.get_mut(&host("t0")).unwrap();
    stays.push(Stay { change: ChangeId(8), ..stays[0] });
    let level = judge(&told, &evidence(&told, HORIZON, value));
    let text = &of(&level, Check::Level).text;
    assert!(text.ends_with("; the time under c-8 and c-9, which were rejected, is left out of the past"), "{text}");
}

#[test]
fn what_was_over_before_the_past_begins_is_not_told() {
    let value = |name: &str, step: i64| Some(steady(name, step));
    let told = after(one(6), -300, -200);
    let look = judge(&told, &evidence(&told, HORIZON, value));
    assert!(!of(&look, Check::Level).text.contains("c-9"), "{look:#?}");
}

/// A trial of three hosts, of which the first is known since it carried what was rejected, and stood still under it.
fn one_of_three(later: impl Fn(&str) -> f64) -> Look {
    let trial = Trial { grace: STEP.times(3), ..trial(3, 2) };
    let value = |name: &str, step: i64| match step {
        ..-30 if name == "t0" => None,
        ..0 if name == "t0" => Some(0.0),
        0.. => Some(later(name) * steady(name, step)),
        _ => Some(steady(name, step)),
    };
    let told = after(trial, -34, 0);
    judge(&told, &evidence(&told, HORIZON, value))
}

#[test]
fn a_host_that_is_known_under_what_was_rejected_alone_is_compared_with_nothing() {
    let look = one_of_three(|_| 1.0);
    assert_eq!(look.standing, Standing::Final(Outcome::Accepted), "{look:#?}");
    let level = of(&look, Check::Level);
    assert!(level.of == 2 && level.numbers.own_past.unwrap() > 55.0, "{level:#?}");
}

#[test]
fn the_others_show_the_harm_where_one_host_has_no_usual_past() {
    let look = one_of_three(|name| if ["t1", "t2"].contains(&name) { 0.0 } else { 1.0 });
    assert_eq!(look.standing, Standing::Final(Outcome::Rejected), "{look:#?}");
}

/// What the trial of a Change says of the past of a host under the first one.
fn stays(lab: &Lab, change: u64) -> Vec<Stay> {
    trial_of(&lab.state, ChangeId(change)).unwrap().spoilt.0.remove(&host("web1")).unwrap_or_default()
}

#[test]
fn a_host_carried_what_was_rejected_until_something_else_took_its_place() {
    let mut lab = Lab::new();
    lab.enrol(&["web1", "web2", "web3"], "141", "production");
    lab.pass(Span::from_min(60));
    lab.report(told("web1", "production").file(FILE, "bad").version("v2"));
    lab.pass(Span::from_min(5));
    lab.rule(Role::Approver, 1, Ruling::Reject, "it is broken");
    lab.pass(Span::from_min(5));
    lab.report(told("web1", "production").file("/etc/motd", "hello").version("v3"));
    assert_eq!(stays(&lab, 2), [], "it still carries it");
    lab.pass(Span::from_min(5));
    lab.report(told("web1", "production").file(FILE, "right").version("v4"));
    let onset = |change: u64| lab.state.changes[&ChangeId(change)].treated[&host("web1")].onset;
    let (bad, right) = (onset(1), onset(3));
    let stay = stays(&lab, 3)[0];
    assert_eq!((stay.change, stay.from), (ChangeId(1), bad));
    assert!(stay.to <= right && right.since(stay.to) <= Span::from_s(10), "{stay:?}");
    lab.pass(Span::from_min(45));
    lab.report(told("web1", "production").file(FILE, "better").version("v5"));
    assert_eq!(stays(&lab, 4), [stay], "what came after it was put right is no part of it");
    lab.pass(Span::from_min(30 * 60));
    lab.report(told("web1", "production").file(FILE, "best").version("v6"));
    assert_eq!(stays(&lab, 5), [], "its past does not reach so far");
}

#[test]
fn content_that_was_known_puts_a_host_right_as_well() {
    let mut lab = Lab::new();
    lab.enrol(&["web1", "web2", "web3"], "141", "production");
    let bring = |lab: &mut Lab, text: &str| {
        lab.pass(Span::from_min(20));
        lab.report(told("web1", "production").file(FILE, text));
    };
    bring(&mut lab, "good");
    lab.rule(Role::Approver, 1, Ruling::Accept, "it is good");
    bring(&mut lab, "bad");
    lab.rule(Role::Approver, 2, Ruling::Reject, "it is broken");
    bring(&mut lab, "good");
    assert_eq!(lab.state.open_changes().count(), 0, "what was accepted opens no Change");
    let back = lab.now;
    bring(&mut lab, "better");
    let to = stays(&lab, 3)[0].to;
    assert!(to <= back && back.since(to) <= Span::from_s(10), "{to:?} {back:?}");
}

#[test]
fn a_stay_from_a_record_that_ends_before_it_begins_is_none() {
    let told = after(one(6), -20, -30);
    let value = |name: &str, step: i64| Some(steady(name, step));
    assert_eq!(judge(&told, &evidence(&told, HORIZON, value)).standing, Standing::Final(Outcome::Accepted));
}

#[test]
fn a_host_that_got_it_again_did_not_leave() {
    let mut lab = Lab::new();
    lab.enrol(&["web1", "web2", "web3"], "141", "production");
    for text in ["bad", "other", "bad"] {
        lab.pass(Span::from_min(5));
        lab.report(told("web1", "production").file(FILE, text));
    }
    let treated = lab.state.changes.values().map(|change| &change.treated[&host("web1")]);
    treated.for_each(|treated| assert!(treated.left.is_none_or(|left| left > treated.onset), "{treated:?}"));
    assert_eq!(lab.state.changes[&ChangeId(1)].treated[&host("web1")].left, None);
}

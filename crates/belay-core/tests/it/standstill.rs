//! Hosts that stand still, and what that proves: of a Change that came in parts, of hosts that left
//! it, and of hosts that stood still before.

use belay_core::judge::judge;
use belay_core::model::change::Trial;
use belay_core::model::ids::{ChangeId, SignalName};
use belay_core::model::item::Mark;
use belay_core::model::signal::{Harm, SignalKind};
use belay_core::model::time::{Span, Timestamp};
use belay_core::model::verdict::{Check, Finding, Gap, Look, Numbers, Outcome, Says, Standing};

use crate::judging::{HORIZON, STEP, at, evidence, host, steady, trial};
use crate::lab::{FILE, Lab, told};

fn flow_finding(look: &Look) -> &Finding {
    look.findings.iter().find(|finding| finding.check == Check::FlowStopped).unwrap_or_else(|| panic!("no word of the flow: {look:#?}"))
}

fn judged(trial: &Trial, until: i64, still: impl Fn(&str, i64) -> bool + Copy) -> Look {
    judge(trial, &evidence(trial, until, |name, step| Some(if still(name, step) { 0.0 } else { steady(name, step) })))
}

#[test]
fn where_nothing_flowed_before_or_since_on_most_hosts_nothing_is_accepted() {
    let end = judged(&trial(3, 6), HORIZON, |name, _| name.starts_with('t'));
    assert_eq!(end.standing, Standing::Final(Outcome::Inconclusive(Gap::TooLittle)));
    let most_stand = judged(&trial(3, 6), HORIZON, |name, _| ["t0", "t1"].contains(&name));
    assert_eq!(most_stand.standing, Standing::Final(Outcome::Inconclusive(Gap::TooLittle)));
    let pairs = judged(&trial(4, 6), HORIZON, |name, _| ["t0", "t1"].contains(&name));
    assert_eq!(pairs.standing, Standing::Final(Outcome::Accepted), "one that stands by beside each that works is usual");
}

/// Two changed hosts, put back after four steps and after two beyond the change of each.
fn put_back() -> Trial {
    let mut trial = Trial { grace: STEP, ..trial(2, 0) };
    trial.treated.get_mut(&host("t0")).unwrap().left = Some(at(5));
    trial.treated.get_mut(&host("t1")).unwrap().left = Some(at(4));
    trial
}

#[test]
fn a_host_that_stood_still_until_it_left_agrees_with_one_that_shows_it_in_full() {
    let still = |name: &str, step: i64| if name == "t0" { (0..5).contains(&step) } else { (1..4).contains(&step) };
    let look = judged(&put_back(), 10, still);
    assert_eq!((look.standing, flow_finding(&look).hosts.len()), (Standing::Final(Outcome::Rejected), 2), "{look:#?}");
}

#[test]
fn a_host_that_went_on_until_it_left_does_not_agree_nor_does_one_that_pauses_like_that_by_habit() {
    let went_on = |name: &str, step: i64| name == "t0" && (0..5).contains(&step);
    assert_eq!(judged(&put_back(), 10, went_on).standing, Standing::Suspect);
    let habit = |name: &str, step: i64| went_on(name, step) || (name == "t1" && step.rem_euclid(9) < 2 && step < 4);
    assert_ne!(judged(&put_back(), 10, |name, step| habit(name, step - 1)).standing, Standing::Final(Outcome::Rejected));
}

#[test]
fn a_host_that_left_within_its_grace_speaks_for_nothing() {
    let mut trial = trial(2, 6);
    trial.treated.get_mut(&host("t1")).unwrap().left = Some(at(3));
    let look = judged(&trial, 12, |name, step| name == "t0" && step >= 0);
    assert_eq!((look.standing, flow_finding(&look).of), (Standing::Final(Outcome::Rejected), 1));
}

#[test]
fn hosts_that_stood_still_up_to_their_latest_content_are_named_and_the_look_is_as_it_was() {
    let still = |name: &str, step: i64| (name == "t0" && (-6..0).contains(&step)) || (name == "t1" && (-4..1).contains(&step));
    let end = judged(&trial(3, 6), HORIZON, still);
    assert_eq!(end.standing, Standing::Final(Outcome::Accepted));
    let found = flow_finding(&end);
    assert_eq!((found.says, found.hosts.clone(), found.since), (Says::Fine, vec![host("t0"), host("t1")], Some(at(-6))));
    assert!(found.text.contains("not so on 2 of them"), "{}", found.text);
}

#[test]
fn a_check_that_failed_up_to_the_latest_content_is_named_as_well() {
    let mut trial = trial(3, 6);
    trial.signals.iter_mut().for_each(|signal| (signal.kind, signal.harm) = (SignalKind::Check, Harm::Up));
    let value = |name: &str, step: i64| Some(f64::from(u8::from(name == "t0" && (-5..0).contains(&step))));
    let end = judge(&trial, &evidence(&trial, HORIZON, value));
    let found = end.findings.iter().find(|finding| finding.check == Check::CheckFailing).unwrap();
    assert_eq!((end.standing, found.hosts.clone()), (Standing::Final(Outcome::Accepted), vec![host("t0")]));
}

#[test]
fn a_restart_a_standstill_long_ago_and_one_that_peers_share_are_not_named() {
    let named = |still: fn(&str, i64) -> bool| flow_finding(&judged(&trial(3, 6), HORIZON, still)).hosts.len();
    assert_eq!(named(|name, step| name == "t0" && (-2..0).contains(&step)), 0, "no longer than a restart");
    assert_eq!(named(|name, step| name == "t0" && (-40..-30).contains(&step)), 0, "over long before");
    assert_eq!(named(|name, step| name != "t2" && (-6..0).contains(&step)), 0, "the peers as well");
    assert_eq!(named(|name, step| name == "t0" && (-6..0).contains(&step)), 1);
}

/// What the judge says of a host that is well and was not up to its latest content.
fn well_since(sick: Timestamp) -> Finding {
    Finding {
        check: Check::FlowStopped,
        signal: SignalName::parse("requests").ok(),
        says: Says::Fine,
        hosts: vec![host("web1")],
        of: 1,
        peers_alike: (0, 3),
        text: "requests goes on".into(),
        numbers: Numbers::default(),
        since: Some(sick),
    }
}

fn outcome(lab: &Lab, change: u64) -> Outcome {
    lab.state.changes[&ChangeId(change)].verdict.as_ref().unwrap().outcome
}

/// A release that came without its files, which followed eight minutes later; the host was sick from
/// `after` minutes on.
fn in_parts(after: i64) -> Lab {
    let mut lab = Lab::new();
    lab.enrol(&["web1", "web2", "web3", "web4"], "141", "production");
    lab.pass(Span::from_min(60));
    let came = lab.now;
    lab.release("web1", "142");
    lab.pass(Span::from_min(8));
    lab.report(told("web1", "r142").file(FILE, "for 142").version("v2"));
    lab.pass(Span::from_min(40));
    lab.look(1, Standing::Final(Outcome::Accepted), vec![well_since(came + Span::from_min(after))], vec![]);
    lab
}

#[test]
fn a_part_that_did_harm_before_the_next_one_came_keeps_a_change_from_being_accepted() {
    let lab = in_parts(1);
    assert_eq!(outcome(&lab, 1), Outcome::Inconclusive(Gap::Conflicting));
    assert_eq!(lab.mark("web", "142", FILE, "for 142"), Some(Mark::OnTrial(ChangeId(1))));
    let verdict = lab.state.changes[&ChangeId(1)].verdict.as_ref().unwrap();
    assert_eq!(verdict.findings[0].says, Says::Suspicion, "the reason is said");
}

#[test]
fn a_host_that_was_sick_before_any_part_came_was_cured_by_it() {
    assert_eq!(outcome(&in_parts(-5), 1), Outcome::Accepted);
}

#[test]
fn harm_that_files_did_before_their_release_came_is_not_held_against_the_release() {
    let mut lab = Lab::new();
    lab.enrol(&["web1", "web2", "web3", "web4"], "141", "production");
    lab.pass(Span::from_min(60));
    lab.release("web2", "142");
    lab.report(told("web1", "r142").file(FILE, "for 142").version("v2"));
    let sick = lab.now + Span::from_min(1);
    lab.pass(Span::from_min(8));
    lab.release("web1", "142");
    lab.report(told("web2", "r142").file(FILE, "for 142").version("v2"));
    lab.pass(Span::from_min(40));
    lab.look(1, Standing::Final(Outcome::Accepted), vec![well_since(sick)], vec![]);
    assert_eq!(outcome(&lab, 1), Outcome::Accepted);
}

#[test]
fn harm_of_content_that_nobody_carries_any_more_is_not_held_against_what_replaced_it() {
    let mut lab = Lab::new();
    lab.enrol(&["web1", "web2", "web3", "web4"], "141", "production");
    lab.pass(Span::from_min(60));
    lab.report(told("web1", "production").file(FILE, "bad").version("v2"));
    let sick = lab.now + Span::from_min(1);
    lab.pass(Span::from_min(8));
    lab.report(told("web1", "production").file(FILE, "good").version("v3"));
    lab.pass(Span::from_min(40));
    lab.look(2, Standing::Final(Outcome::Accepted), vec![well_since(sick)], vec![]);
    assert_eq!(outcome(&lab, 2), Outcome::Accepted);
    assert_eq!(lab.mark("web", "141", FILE, "good"), Some(Mark::Accepted(ChangeId(2))));
}

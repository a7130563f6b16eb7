//! Checks that fail now and then: what is too little on each changed host, and enough on all of them.

use belay_core::judge::judge;
use belay_core::model::change::Trial;
use belay_core::model::signal::{Harm, Signal, SignalKind};
use belay_core::model::verdict::{Check, Finding, Look, Outcome, Says, Standing};

use crate::judging::{at, evidence, host, trial};

fn checked(peers: usize) -> Trial {
    let mut trial = trial(4, peers);
    trial.signals = vec![Signal { kind: SignalKind::Check, harm: Harm::Up, ..trial.signals[0].clone() }];
    trial.treated.values_mut().for_each(|treated| treated.onset = at(0));
    trial
}

/// The look after twenty steps; `fails`: from how many places a host is not reached.
fn judged(trial: &Trial, fails: impl Fn(&str, i64) -> u8) -> Look {
    judge(trial, &evidence(trial, 20, |name, step| Some(f64::from(fails(name, step)))))
}

fn rate(look: &Look) -> &Finding {
    look.findings.iter().find(|finding| finding.check == Check::FailureRate).unwrap_or_else(|| panic!("no word of failures: {look:#?}"))
}

/// From one place every host is not reached once an hour, each at its own time.
fn by_itself(name: &str, step: i64) -> u8 {
    u8::from(step.rem_euclid(60) == name.bytes().map(i64::from).sum::<i64>() * 7 % 60)
}

/// Since the change, changed hosts are not reached from two places in two steps.
fn now_and_then(name: &str, step: i64) -> u8 {
    if name.starts_with('t') && [4, 6].contains(&step) { 2 } else { 0 }
}

#[test]
fn what_is_too_little_on_each_host_is_harm_where_all_show_it() {
    let look = judged(&checked(6), |name, step| by_itself(name, step).max(now_and_then(name, step)));
    let found = rate(&look);
    assert_eq!((look.standing, found.says, found.hosts.len()), (Standing::Final(Outcome::Rejected), Says::Harm, 4), "{found:#?}");
    assert!(found.text.contains("(e-value of all together 10^"), "{}", found.text);
    assert!(found.since >= Some(at(4)) && found.since <= Some(at(6)), "{:?}", found.since);
    let one = |name: &str, step: i64| by_itself(name, step).max(if name == "t0" { now_and_then(name, step) } else { 0 });
    assert_eq!(rate(&judged(&checked(6), one)).says, Says::Fine, "on one of them it is too little");
}

#[test]
fn hosts_that_failed_together_before_prove_nothing_by_it() {
    let together = |name: &str, step: i64| if name.starts_with('t') && [4, 6].contains(&step.rem_euclid(40)) { 2 } else { 0 };
    assert_eq!(rate(&judged(&checked(6), together)).says, Says::Fine);
}

#[test]
fn without_peers_hosts_that_fail_together_may_share_their_weather() {
    let fails = |name: &str, step: i64| by_itself(name, step).max(now_and_then(name, step));
    let three = |name: &str, step: i64| if ["t0", "t1", "t2"].contains(&name) { fails(name, step) } else { by_itself(name, step) };
    let says = |peers| rate(&judged(&checked(peers), three)).says;
    assert_eq!((says(6), says(0)), (Says::Harm, Says::Fine), "it takes twice the evidence");
    assert_eq!(rate(&judged(&checked(0), fails)).says, Says::Harm, "which four of them have");
    let peers_too = |name: &str, step: i64| by_itself(name, step).max(now_and_then(&name.replace('p', "t"), step));
    assert_eq!(rate(&judged(&checked(6), peers_too)).says, Says::Fine);
}

#[test]
fn one_host_that_fails_a_lot_does_not_speak_for_those_that_hardly_do() {
    let fails = |name: &str, step: i64| if name == "t0" && step >= 4 && step % 2 == 0 { 2 } else { by_itself(name, step) };
    let found = judged(&checked(6), fails);
    assert_eq!((rate(&found).says, rate(&found).hosts.as_slice()), (Says::Suspicion, &[host("t0")][..]), "{found:#?}");
}

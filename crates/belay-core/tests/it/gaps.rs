//! What was not seen: a past that is too short or not there, hosts that fall silent, peers of which values are missing. None of it is fine.

use belay_core::judge::judge;
use belay_core::model::change::Trial;
use belay_core::model::signal::{Harm, Signal, SignalKind};
use belay_core::model::verdict::{Check, Finding, Gap, Look, Outcome, Says, Standing};

use belay_stats::rng::Rng;

use crate::judging::{at, evidence, trial};

const ENDS: i64 = 10;

/// A short trial of a gauge that must be there, on so many hosts, which all change at step 0.
pub fn gauge(changed: usize, peers: usize) -> Trial {
    let mut trial = Trial { ends: at(ENDS), accept_from: at(ENDS), ..trial(changed, peers) };
    trial.treated.values_mut().for_each(|treated| treated.onset = at(0));
    trial.signals = vec![Signal { kind: SignalKind::Gauge, harm: Harm::Both, must_have: true, ..trial.signals[0].clone() }];
    trial
}

/// A load that all share, and a little noise of each one's own.
pub fn usual(name: &str, step: i64) -> f64 {
    let mut rng = Rng::new(7).fork(u64::try_from(step + 1_000).unwrap());
    let shared = rng.normal();
    let own = name.bytes().fold(step.unsigned_abs(), |sum, byte| sum * 31 + u64::from(byte));
    50.0 + 3.0 * shared + 0.3 * Rng::new(11).fork(own).normal()
}

pub fn looked(trial: &Trial, until: i64, value: impl Fn(&str, i64) -> Option<f64>) -> Look {
    judge(trial, &evidence(trial, until, value))
}

pub fn level(look: &Look) -> &Finding {
    look.findings.iter().find(|finding| finding.check == Check::Level).unwrap_or_else(|| panic!("no word of the level: {look:#?}"))
}

#[test]
fn what_is_whole_and_as_usual_is_accepted() {
    let look = looked(&gauge(3, 4), ENDS, |name, step| Some(usual(name, step)));
    assert_eq!(look.standing, Standing::Final(Outcome::Accepted), "{look:#?}");
    assert!(level(&look).text.starts_with("requests shows no harm beyond chance: "), "{}", level(&look).text);
}

#[test]
fn hosts_without_a_past_are_not_accepted_for_the_past_of_their_peers() {
    let new = |name: &str, step: i64| (step >= 0 || name.starts_with('p')).then(|| usual(name, step));
    let look = looked(&gauge(3, 4), ENDS, new);
    assert_eq!(look.standing, Standing::Final(Outcome::Inconclusive(Gap::TooLittle)), "{look:#?}");
}

#[test]
fn a_past_too_short_to_compare_a_level_with_is_told_and_nothing_is_accepted_on_it() {
    for steps in [12, 20, 30] {
        let look =
            looked(&gauge(3, 4), ENDS, |name, step| (step >= -steps).then(|| usual(name, step) + if step >= 0 { 40.0 } else { 0.0 }));
        assert_ne!(look.standing, Standing::Final(Outcome::Accepted), "{steps} steps: {look:#?}");
        assert_eq!(level(&look).says, Says::CannotTell(Gap::TooLittle));
        let text = format!("requests: its level was compared with nothing: {steps} values of past are too few");
        assert_eq!(level(&look).text, text);
    }
}

#[test]
fn hosts_that_fall_silent_are_not_accepted_for_what_they_showed_before() {
    let trial = Trial { ends: at(16), accept_from: at(16), ..gauge(3, 4) };
    let silent = |from: i64| move |name: &str, step: i64| (step < from || name != "t1").then(|| usual(name, step));
    let look = looked(&trial, 16, silent(10));
    assert_eq!(look.standing, Standing::Final(Outcome::Inconclusive(Gap::NoData)), "{look:#?}");
    assert!(look.lacks.iter().any(|lack| lack.must_have && lack.hosts.len() == 1), "{:?}", look.lacks);
    assert_eq!(looked(&trial, 16, silent(11)).standing, Standing::Final(Outcome::Accepted), "five steps are not six");
}

#[test]
fn a_blackout_of_everybody_makes_no_peer_less_of_one() {
    let shock = |name: &str, step: i64| (!(4..6).contains(&step)).then(|| usual(name, step) * if step >= 3 { 1.6 } else { 1.0 });
    let trial = Trial { ends: at(16), accept_from: at(16), ..gauge(3, 4) };
    for until in 4..=16 {
        let look = looked(&trial, until, shock);
        assert!(!matches!(look.standing, Standing::Final(Outcome::Rejected)), "after {until}: {look:#?}");
        assert!(!level(&look).text.contains("own past only"), "after {until}: {}", level(&look).text);
    }
}

#[test]
fn peers_of_which_some_values_are_missing_are_peers_at_every_look() {
    let trial = Trial { ends: at(30), accept_from: at(30), ..gauge(2, 3) };
    let lost = |name: &str, step: i64| step >= 0 && name.starts_with('p') && usual(name, step).to_bits().is_multiple_of(8);
    let value = |name: &str, step: i64| (!lost(name, step)).then(|| usual(name, step));
    for until in 4..=30 {
        let told = &looked(&trial, until, value);
        assert!(level(told).text.contains(" 3 peers"), "after {until}: {}", level(told).text);
    }
}

#[test]
fn every_second_step_missing_excludes_no_harm() {
    let trial = Trial { ends: at(16), accept_from: at(16), ..gauge(3, 4) };
    let look = looked(&trial, 16, |name, step| (step.rem_euclid(2) == 0).then(|| usual(name, step)));
    assert!(matches!(look.standing, Standing::Final(Outcome::Inconclusive(_))), "{look:#?}");
}

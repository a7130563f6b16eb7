//! Where there are no peers: a gauge that leaps as it never did, to where it never was.

use belay_core::judge::judge;
use belay_core::model::change::Trial;
use belay_core::model::signal::{Harm, Signal, SignalKind};
use belay_core::model::verdict::{Check, Finding, Gap, Says};

use belay_stats::rng::Rng;

use crate::judging::{STEP, at, evidence, host, trial};

/// As long as a past of 120 steps can say something of.
const ENDS: i64 = 10;

/// A short trial of a gauge on so many hosts, which all change at step 0.
fn gauge(changed: usize, peers: usize, harm: Harm) -> Trial {
    let mut trial = Trial { ends: at(ENDS), ..trial(changed, peers) };
    trial.treated.values_mut().for_each(|treated| treated.onset = at(0));
    trial.signals = vec![Signal { kind: SignalKind::Gauge, harm, ..trial.signals[0].clone() }];
    trial
}

/// Between 50 and 60, with leaps of 5 at most.
fn usual(step: i64) -> f64 {
    55.0 + 2.5 * if step.rem_euclid(7) < 3 { 1.0 } else { -1.0 } + if step.rem_euclid(40) == 0 { 2.5 } else { -2.5 }
}

/// What is found after a step, where changed hosts show this; peers are as usual.
fn found(trial: &Trial, until: i64, value: impl Fn(&str, i64) -> Option<f64>) -> Option<Finding> {
    let value = |name: &str, step: i64| if name.starts_with('t') && step >= 0 { value(name, step) } else { Some(usual(step)) };
    leap(trial, until, value)
}

fn leap(trial: &Trial, until: i64, value: impl Fn(&str, i64) -> Option<f64>) -> Option<Finding> {
    judge(trial, &evidence(trial, until, value)).findings.into_iter().find(|finding| finding.check == Check::Leap)
}

fn says(trial: &Trial, until: i64, value: impl Fn(&str, i64) -> Option<f64>) -> Option<Says> {
    found(trial, until, value).map(|finding| finding.says)
}

/// From a step on at a level.
fn at_level(level: f64, from: i64) -> impl Fn(&str, i64) -> Option<f64> {
    move |_, step| Some(if step >= from { level } else { usual(step) })
}

#[test]
fn four_steps_where_it_never_was_after_a_leap_like_none_before_are_harm() {
    let trial = gauge(2, 0, Harm::Up);
    let leapt = at_level(80.0, 3);
    let after = |until: i64| found(&trial, until, &leapt).expect("it is asked");
    assert_eq!((after(6).says, after(7).says), (Says::Fine, Says::Harm));
    let text = "requests leapt beyond all its past on 2 of 2 changed hosts; no peers to compare with, own past only; to 80.0, where 60.0 was the most";
    assert_eq!(after(7).text, text);
    assert_eq!((after(7).since, after(7).hosts), (Some(at(3)), vec![host("t0"), host("t1")]));
    assert_eq!(after(6).text, "requests made no leap on 2 changed hosts");
    let back = |_: &str, step: i64| Some(if (3..7).contains(&step) { 80.0 } else { usual(step) });
    assert_eq!(says(&trial, ENDS, back), Some(Says::Harm), "also when it is over");
    let gap = |name: &str, step: i64| leapt(name, step).filter(|_| step != 5);
    assert_eq!((says(&trial, 9, gap), says(&trial, 10, gap)), (Some(Says::Fine), Some(Says::Fine)), "what was not seen did not stay");
    assert_eq!(says(&trial, 7, |_, step| Some(if step >= 3 { 80.0 } else { 30.0 })), Some(Says::Harm), "from wherever it was");
}

#[test]
fn what_is_near_or_comes_slowly_or_is_better_is_no_leap() {
    let up = gauge(2, 0, Harm::Up);
    // A tenth of the past, twice: a fifth of its range above all of it.
    assert_eq!([61.5, 63.0].map(|level| says(&up, ENDS, at_level(level, 3))), [Some(Says::Fine); 2]);
    assert_eq!(says(&up, ENDS, |_, step| Some(56.0 + 3.0 * step as f64)), Some(Says::Fine), "it climbs");
    assert_eq!(says(&up, ENDS, at_level(30.0, 3)), Some(Says::Fine), "less is no harm");
    for harm in [Harm::Down, Harm::Both] {
        assert_eq!(says(&gauge(2, 0, harm), ENDS, at_level(30.0, 3)), Some(Says::Harm), "{harm:?}");
    }
    let constant = leap(&up, ENDS, |_, step| Some(if step >= 3 { 9.0 } else { 7.0 }));
    assert_eq!(constant.map(|finding| finding.says), Some(Says::Fine), "what never moved has no range: `level` and `drift` tell it");
}

#[test]
fn one_host_is_a_suspicion_and_alone_it_takes_twice_the_time() {
    let one =
        found(&gauge(3, 0, Harm::Up), ENDS, |name, step| at_level(80.0, if name == "t1" { 3 } else { 99 })(name, step)).expect("asked");
    assert_eq!((one.says, one.hosts, one.of), (Says::Suspicion, vec![host("t1")], 3));
    let alone = gauge(1, 0, Harm::Up);
    let after = |until| says(&alone, until, at_level(80.0, 2));
    assert_eq!((after(9), after(10)), (Some(Says::Suspicion), Some(Says::Harm)));
}

#[test]
fn a_leap_within_a_long_grace_is_seen_where_it_stays() {
    let stays = |grace: i64| {
        let trial = Trial { grace: STEP.times(grace), ..gauge(2, 0, Harm::Up) };
        says(&trial, ENDS, at_level(80.0, 1))
    };
    assert_eq!([2, 5, 6].map(stays), [Some(Says::Harm); 3]);
    let within = |_: &str, step: i64| Some(if step < 5 { 80.0 } else { usual(step) });
    assert_eq!(says(&Trial { grace: STEP.times(5), ..gauge(2, 0, Harm::Up) }, ENDS, within), Some(Says::Fine), "a restart");
}

#[test]
fn it_is_asked_without_peers_and_of_a_past_that_is_long_enough() {
    let leapt = at_level(80.0, 3);
    assert_eq!(says(&gauge(2, 2, Harm::Up), ENDS, &leapt), None, "two peers tell it better");
    assert_eq!(says(&gauge(2, 1, Harm::Up), ENDS, &leapt), Some(Says::Harm), "one is no comparison, and calm");
    let all = leap(&gauge(2, 1, Harm::Up), ENDS, |name, step| leapt(name, step));
    assert_eq!(all.map(|finding| finding.says), Some(Says::CannotTell(Gap::PeersSick)), "but it can say that it leapt as well");
    let longer = Trial { ends: at(ENDS + 1), ..gauge(2, 0, Harm::Up) };
    assert_eq!(says(&longer, ENDS, &leapt), None, "120 steps are less than twelve times eleven");
}

/// How many of a thousand series in which nothing happens leap: so much of a value is left a step later.
fn null_leaps(remembered: f64, heavy: bool) -> usize {
    let trial = gauge(1, 0, Harm::Both);
    let leaps = |seed: u64| {
        let mut rng = Rng::new(seed);
        let mut noise = || {
            // A normal number, or Student's t of 3 degrees.
            let of = if heavy { ((0..3).map(|_| rng.normal().powi(2)).sum::<f64>() / 3.0).sqrt() } else { 1.0 };
            rng.normal() / of
        };
        let mut value = 0.0;
        let series: Vec<f64> = (0..400)
            .map(|_| {
                value = remembered * value + noise();
                value
            })
            .collect();
        let shows = |_: &str, step: i64| Some(1000.0 + series[usize::try_from(step + 300).unwrap()]);
        leap(&trial, ENDS, shows).is_some_and(|finding| finding.says != Says::Fine)
    };
    (0..1000).filter(|seed| leaps(*seed)).count()
}

#[test]
fn series_in_which_nothing_happens_seldom_leap() {
    let found =
        [(0.8, false), (0.95, false), (1.0, false), (0.8, true), (0.95, true)].map(|(remembered, heavy)| null_leaps(remembered, heavy));
    // Half of the nominal 2 %.
    assert!(found.iter().all(|leaps| *leaps <= 10), "{found:?}");
}

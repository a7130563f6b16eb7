//! The judge asked about nothing: which trials are drawn, what a night comes to, and how it is told.

use std::collections::BTreeSet;

use belay_core::decide::Tally;
use belay_core::decide::selfcheck::{Pool, due};
use belay_core::decide::trial::trial_of;
use belay_core::decide::{Input, selfcheck};
use belay_core::explain::why;
use belay_core::judge::judge;
use belay_core::judge::relive::relive;
use belay_core::model::change::Trial;
use belay_core::model::ids::{ChangeId, ClassName, HostId, SignalName};
use belay_core::model::principal::Actor;
use belay_core::model::selfcheck::{Caution, SelfCheck, SignalCheck};
use belay_core::model::signal::{Harm, Reading, Signal, SignalKind};
use belay_core::model::time::{Span, Timestamp};
use belay_core::model::verdict::{Check, Says};
use belay_core::state::State;

use crate::judging::{evidence, steady, trial};
use crate::lab::{FILE, Lab, flow, told};

const HOUR: Span = Span::from_min(60);

fn web() -> ClassName {
    ClassName::parse("web").unwrap()
}

/// Twelve hosts, ten days; on the fifth a Change came to two of them.
fn grown() -> (Lab, Timestamp) {
    let mut lab = Lab::new();
    let began = lab.now;
    let names: Vec<String> = (0..12).map(|n| format!("web{n:02}")).collect();
    lab.enrol(&names.iter().map(String::as_str).collect::<Vec<_>>(), "142", "r142");
    lab.pass(HOUR.times(5 * 24));
    for name in ["web00", "web01"] {
        lab.report(told(name, "r142").file(FILE, "new").version("v2"));
    }
    lab.pass(HOUR.times(5 * 24));
    (lab, began)
}

fn drawn(lab: &Lab, stored: Timestamp, seed: u64) -> selfcheck::Drawn {
    Pool::of(&lab.state, &web(), lab.now).unwrap().draw(stored, lab.now, seed, 200).unwrap()
}

fn onsets(trial: &Trial) -> Vec<Timestamp> {
    trial.treated.values().map(|treated| treated.onset).collect()
}

#[test]
fn a_drawn_trial_is_one_in_which_nothing_happened() {
    let (lab, began) = grown();
    let class = lab.state.policy.class(&web());
    let drawn = drawn(&lab, began, 7);
    assert_eq!((drawn.trials.len(), drawn.apart), (200, 200));
    let changed: Vec<(&HostId, Timestamp)> =
        lab.state.changes.values().flat_map(|change| &change.treated).map(|(host, treated)| (host, treated.onset)).collect();
    assert_eq!(changed.len(), 2);
    let (mut sizes, mut near_the_change) = (BTreeSet::new(), 0);
    for trial in &drawn.trials {
        let first = onsets(trial).into_iter().min().unwrap();
        let from = first - Span::from_min(i64::from(class.past_steps));
        assert!(from >= began && trial.ends < lab.now, "all of it lies in the past that is stored");
        assert!(onsets(trial).iter().all(|onset| onset.since(first) < Span::from_min(10)));
        for (host, onset) in &changed {
            if *onset >= from && *onset <= trial.ends {
                near_the_change += 1;
                assert!(!trial.treated.contains_key(*host) && !trial.peers.contains_key(*host), "{host} changed in it");
            }
        }
        assert!(trial.treated.keys().all(|host| !trial.peers.contains_key(host)) && !trial.peers.is_empty());
        assert_eq!(trial.budget, Some(0.02), "as the next trial gets it");
        sizes.insert(trial.treated.len());
    }
    assert_eq!(sizes.into_iter().collect::<Vec<_>>(), [1, 2, 3], "up to a quarter of the class");
    assert!(near_the_change > 0, "or the test shows nothing");
    let splayed = drawn.trials.iter().filter(|trial| onsets(trial).into_iter().collect::<BTreeSet<_>>().len() > 1).count();
    assert!(splayed > 50, "hosts change at times of their own: {splayed}");
}

#[test]
fn the_same_seed_draws_the_same_and_another_one_others() {
    let (lab, began) = grown();
    assert_eq!(drawn(&lab, began, 7), drawn(&lab, began, 7));
    assert_ne!(drawn(&lab, began, 7).trials, drawn(&lab, began, 8).trials);
}

#[test]
fn times_are_apart_as_long_as_there_is_room_and_counted_where_there_is_not() {
    let (lab, began) = grown();
    let all = drawn(&lab, began, 3);
    let mut starts: Vec<Timestamp> = all.trials.iter().map(|trial| onsets(trial).into_iter().min().unwrap()).collect();
    starts.sort_unstable();
    assert!(starts.windows(2).all(|pair| pair[1].since(pair[0]) >= Span::from_min(42)));
    let short = drawn(&lab, lab.now - HOUR.times(8), 3);
    assert_eq!(short.trials.len(), 200);
    assert!(short.apart <= 5, "{}", short.apart);
}

#[test]
fn a_class_without_enough_past_is_skipped_with_the_reason() {
    let (lab, _) = grown();
    let pool = Pool::of(&lab.state, &web(), lab.now).unwrap();
    let why = pool.draw(lab.now - HOUR, lab.now, 1, 200).unwrap_err();
    assert!(why.starts_with("its past reaches back 1 h, and a trial needs 4 h"), "{why}");
    let db = Pool::of(&lab.state, &ClassName::parse("db").unwrap(), lab.now).unwrap_err();
    assert!(db.contains("none of its hosts"), "{db}");
}

#[test]
fn a_class_is_checked_once_a_night() {
    let mut lab = Lab::new();
    lab.enrol(&["web1", "web2"], "142", "r142");
    assert!(due(&lab.state, lab.now).is_empty(), "not before the first night");
    let mut checks = 0;
    for _ in 0..72 {
        lab.pass(HOUR);
        if due(&lab.state, lab.now) == [web()] {
            checks += 1;
            let hour = lab.now.ms().rem_euclid(24 * HOUR.ms()) / HOUR.ms();
            assert!((3..=6).contains(&hour), "{}", lab.now);
            night(&mut lab, 0, 0);
        }
    }
    assert_eq!(checks, 3);
}

/// Tells of a night in which `requests` raised so many false alarms in 200 trials, and so many more by plain checks.
fn night(lab: &mut Lab, compared: u32, plain: u32) -> SelfCheck {
    let found = SignalCheck { judged: 200, alarms: compared + plain, compared, suspicions: 3, ..SignalCheck::default() };
    let tally = Tally {
        seed: 9,
        drawn: 200,
        apart: 200,
        judged: 200,
        rejected: compared + plain,
        signals: [(SignalName::parse("requests").unwrap(), found)].into(),
        skipped: None,
    };
    lab.tell(&Input::SelfChecked { actor: Actor("belay".into()), class: web(), tally: Box::new(tally) });
    lab.state.selfchecks[&web()].clone()
}

fn caution(check: &SelfCheck) -> Option<Caution> {
    check.signals.values().next().unwrap().caution
}

#[test]
fn a_signal_that_misbehaves_gets_wider_thresholds_and_one_that_behaves_gets_them_back() {
    let (mut lab, _) = grown();
    // Two rejections are what the budget of one in fifty allows of 200 trials; nine are not chance.
    assert_eq!(caution(&night(&mut lab, 2, 0)), None);
    lab.pass(HOUR.times(24));
    let bad = night(&mut lab, 9, 0);
    assert_eq!(caution(&bad), Some(Caution { factor: 1.25, alarms: 9, checks: 200 }));
    assert!(bad.exceeds());
    let again = night(&mut lab, 9, 0);
    assert_eq!(caution(&again), caution(&bad), "once a night, however often somebody asks");
    for _ in 0..10 {
        lab.pass(HOUR.times(24));
        night(&mut lab, 9, 0);
    }
    assert_eq!(caution(&lab.state.selfchecks[&web()]).unwrap().factor.to_bits(), 3.0_f64.to_bits(), "never more than three times");
    let trial = trial_of(&lab.state, ChangeId(1)).unwrap();
    assert_eq!(
        trial.caution.factor(&SignalName::parse("requests").unwrap()).to_bits(),
        3.0_f64.to_bits(),
        "real trials are judged with it"
    );
    lab.pass(HOUR.times(24));
    let relaxed = caution(&night(&mut lab, 1, 0)).unwrap();
    assert!((relaxed.factor - 3.0 / 1.1).abs() < 1e-9 && relaxed.alarms == 9, "{relaxed:?}");
    let skipped = Tally::skipped(1, "no power".into());
    lab.tell(&Input::SelfChecked { actor: Actor("belay".into()), class: web(), tally: Box::new(skipped) });
    assert_eq!(caution(&lab.state.selfchecks[&web()]), Some(relaxed), "a night without a check changes nothing");
    for _ in 0..12 {
        lab.pass(HOUR.times(24));
        night(&mut lab, 0, 0);
    }
    assert_eq!(caution(&lab.state.selfchecks[&web()]), None);
}

#[test]
fn what_plain_checks_raise_is_counted_and_widens_nothing() {
    let (mut lab, _) = grown();
    let check = night(&mut lab, 0, 12);
    assert!(check.exceeds() && caution(&check).is_none());
    let said = why::change(&lab.state, ChangeId(1), lab.now).join("\n");
    assert!(said.contains("of 200 trials in which nothing had changed, 12 were rejected (6.0 %, 95 % between 3.1 and"), "{said}");
}

#[test]
fn a_self_check_is_folded_and_stands_in_the_snapshot() {
    let (mut lab, _) = grown();
    night(&mut lab, 9, 1);
    let fold = |facts: &[(Timestamp, belay_core::state::Fact)]| {
        let mut state = State::default();
        facts.iter().for_each(|(at, fact)| state.apply(*at, fact));
        state.selfchecks
    };
    assert_eq!(fold(&lab.journal), lab.state.selfchecks);
    assert_eq!(fold(&lab.state.to_facts()), lab.state.selfchecks);
}

fn latency() -> Signal {
    Signal { kind: SignalKind::Latency, harm: Harm::Up, reading: Reading::Value, ..flow("requests") }
}

#[test]
fn wider_thresholds_are_wider_and_every_finding_that_rests_on_them_says_so() {
    let mut trial = Trial { signals: vec![latency()], ..trial(4, 6) };
    // From the change on, a little more on the changed hosts than usual. Longer names, as no peer is to be the exact twin of one.
    let noise = |name: &str, step| steady(&name.replace('t', "treated-"), step);
    let seen = evidence(&trial, 30, |name, step| Some(noise(name, step) * if name.starts_with('t') && step >= 0 { 1.3 } else { 1.0 }));
    let level = |trial: &Trial| judge(trial, &seen).findings.into_iter().find(|finding| finding.check == Check::Level).unwrap();
    let plain = level(&trial);
    assert_eq!(plain.says, Says::Harm, "{}", plain.text);
    trial.caution.0.insert(latency().name, Caution { factor: 3.0, alarms: 7, checks: 200 });
    let wider = level(&trial);
    assert_ne!(wider.says, Says::Harm, "{}", wider.text);
    let words = "; thresholds 200 % wider: this signal raised 7 false alarms in 200 checks";
    assert!(wider.text.ends_with(words) && !plain.text.contains("wider"), "{}", wider.text);
}

#[test]
fn a_rejection_that_a_later_look_would_not_see_any_more_counts() {
    let trial = trial(4, 6);
    // The flow stops for ten steps on the changed hosts and comes back.
    let seen =
        evidence(&trial, 31, |name, step| Some(if name.starts_with('t') && (5..15).contains(&step) { 0.0 } else { steady(name, step) }));
    let relived = relive(&trial, &seen);
    assert!(relived.rejected);
    let said = relived.signals.values().next().unwrap();
    assert!(said.judged && said.harm, "{said:?}");
    let calm = relive(&trial, &evidence(&trial, 31, |name, step| Some(steady(name, step))));
    assert!(calm.judged() && !calm.rejected && calm.signals.values().all(|said| !said.harm), "{calm:?}");
    let dark = relive(&trial, &evidence(&trial, 31, |_, _| None));
    assert!(!dark.judged() && !dark.rejected, "{dark:?}");
}

//! The judge from outside: trials with known windows. Faults 40 to 45.

use std::collections::BTreeMap;

use belay_core::judge::judge;
use belay_core::model::change::{Failure, Nearness, Overlaps, Peer, Spoilt, Treated, Trial};
use belay_core::model::evidence::Evidence;
use belay_core::model::ids::{ChangeId, Environment, HostId, Release};
use belay_core::model::signal::{Harm, Missing, Reading, Sample, Series, Signal, SignalKind, Window};
use belay_core::model::time::{Span, Timestamp};
use belay_core::model::verdict::{Check, Gap, Look, Outcome, Says, Standing};
use belay_stats::rng::Rng;

use crate::lab::flow;

pub const STEP: Span = Span::from_min(1);
const PAST: i64 = 120;
pub const HORIZON: i64 = 30;

pub fn at(step: i64) -> Timestamp {
    Timestamp::from_ms(1_794_960_000_000) + STEP.times(step)
}

pub fn host(name: &str) -> HostId {
    HostId::parse(name).unwrap()
}

fn treated(onset: i64) -> Treated {
    Treated { onset: at(onset), run: None, skewed: false, environment: None, failures: BTreeMap::new(), compile_error: None, left: None }
}

/// A trial of `changed` hosts at step 0 (each a step later than the one before) beside `peers`.
pub fn trial(changed: usize, peers: usize) -> Trial {
    let peer = |_| Peer { nearness: Nearness::SameRelease, until: None, failing: vec![] };
    Trial {
        change: ChangeId(1),
        release: Some(Release::parse("142").unwrap()),
        treated: (0..changed).map(|i| (host(&format!("t{i}")), treated(i as i64))).collect(),
        peers: (0..peers).map(|i| (host(&format!("p{i}")), peer(i))).collect(),
        signals: vec![Signal { reading: Reading::Value, ..flow("requests") }],
        environment_due: None,
        grace: STEP.times(2),
        accept_from: at(5),
        ends: at(HORIZON),
        past_steps: 120,
        budget: None,
        caution: Default::default(),
        class_size: (changed + peers) as u32,
        confounder: None,
        overlaps: Overlaps::default(),
        spoilt: Spoilt::default(),
    }
}

/// The evidence up to step `until`: `value(host, step)` for every host.
pub fn evidence(trial: &Trial, until: i64, value: impl Fn(&str, i64) -> Option<f64>) -> Evidence {
    let names = trial.treated.keys().chain(trial.peers.keys());
    let series = |name: &HostId| {
        let samples: Vec<Sample> =
            (-PAST..until).filter_map(|step| value(name.as_str(), step).map(|value| Sample { at: at(step), value })).collect();
        if samples.is_empty() { Series::Missing(Missing::HostGone) } else { Series::Samples(samples) }
    };
    let hosts: BTreeMap<HostId, Series> = names.map(|name| (name.clone(), series(name))).collect();
    let heard = hosts.iter().filter_map(|(name, series)| Some((name.clone(), series.samples().last()?.at))).collect();
    let window = Window { step: STEP, from: at(-PAST), to: at(until), hosts, heard };
    let windows = trial.signals.iter().map(|signal| (signal.name.clone(), window.clone())).collect();
    Evidence { at: at(until), windows }
}

pub fn steady(name: &str, step: i64) -> f64 {
    let mut rng = Rng::new(u64::from_le_bytes(*b"belay---")).fork((step + 1000) as u64).fork(name.bytes().map(u64::from).sum());
    rng.poisson(60.0) as f64
}

fn outcome(look: &Look) -> Standing {
    look.standing
}

fn finding(look: &Look, check: Check) -> Says {
    look.findings.iter().find(|finding| finding.check == check).unwrap_or_else(|| panic!("{check:?} said nothing: {look:#?}")).says
}

/// The first step at which the trial stood otherwise than on trial, and how.
fn first_news(trial: &Trial, value: impl Fn(&str, i64) -> Option<f64> + Copy) -> (i64, Standing) {
    (1..=HORIZON)
        .map(|until| (until, judge(trial, &evidence(trial, until, value)).standing))
        .find(|(_, standing)| *standing != Standing::OnTrial)
        .expect("a trial ends at its horizon")
}

#[test]
fn a_steady_flow_is_accepted_once_harm_is_excluded_on_every_host_and_by_peers() {
    let first = |peers, bake, value: fn(&str, i64) -> Option<f64>| {
        let trial = Trial { accept_from: at(bake), ..trial(5, peers) };
        first_news(&trial, value)
    };
    let calm = |name: &str, step: i64| Some(steady(name, step));
    let accepted = Standing::Final(Outcome::Accepted);
    // The last host changes at step 4 and is past its grace at 6; each must have shown six steps.
    assert_eq!(first(6, 5, calm), (12, accepted));
    assert_eq!(first(6, 20, calm), (20, accepted), "never before the bake is over");
    assert_eq!(first(0, 5, calm), (HORIZON, accepted), "without peers at the horizon");
    let gap = |name: &str, step: i64| Some(steady(name, step)).filter(|_| name != "t3" || step != 9);
    assert_eq!(first(6, 5, gap), (HORIZON, accepted), "a value that was not seen is waited for");
    let less = |name: &str, step: i64| Some(steady(name, step) * if name.starts_with('t') && step >= 0 { 0.93 } else { 1.0 });
    let news = first(6, 5, less);
    assert!(news.1 != accepted || news.0 == HORIZON, "near the margin it is not certain yet: {news:?}");
}

#[test]
fn nothing_is_accepted_early_while_a_flow_rests() {
    let trial = Trial { accept_from: at(5), ..trial(1, 6) };
    let flow = |seed: u64, rate: f64, name: &str, step: i64| {
        let mut rng = Rng::new(seed).fork((step + 1000) as u64).fork(name.bytes().map(u64::from).sum());
        Some(rng.poisson(rate) as f64)
    };
    let accepted = Standing::Final(Outcome::Accepted);
    for (seed, rate) in (0..6).flat_map(|seed| [0.8, 1.2, 2.0].map(|rate| (seed, rate))) {
        // A lull of all hosts, in which the flow of the changed one stops for good.
        let lull = |name: &str, step: i64| {
            let rests = (4..14).contains(&step) || (name.starts_with('t') && step >= 4);
            if rests { Some(0.0) } else { flow(seed, rate, name, step) }
        };
        let news = first_news(&trial, lull);
        assert_ne!(news.1, accepted, "seed {seed}, {rate} a step: {news:?}");
        // One that only rests for moments is not held by that.
        let news = first_news(&trial, |name, step| flow(seed, rate, name, step));
        assert!(news.1 == accepted && news.0 <= 10, "seed {seed}, {rate} a step: {news:?}");
    }
}

#[test]
fn a_flow_that_stops_on_changed_hosts_only_is_rejected_within_a_few_steps() {
    let trial = trial(5, 6);
    let value = |name: &str, step: i64| {
        let onset: i64 = name.strip_prefix('t').map_or(i64::MAX, |n| n.parse().unwrap());
        Some(if step > onset { 0.0 } else { steady(name, step) })
    };
    let (step, standing) = first_news(&trial, value);
    let look = judge(&trial, &evidence(&trial, 8, value));
    assert_eq!(finding(&look, Check::FlowStopped), Says::Harm);
    let found = look.findings.iter().find(|f| f.check == Check::FlowStopped).unwrap();
    assert_eq!((found.hosts.len(), found.peers_alike), (5, (0, 6)), "{found:#?}");
    assert!(step <= 6, "{step} {standing:?}");
}

#[test]
fn one_changed_host_of_many_is_suspicion_and_ends_inconclusive() {
    let trial = trial(5, 6);
    let value = |name: &str, step: i64| Some(if name == "t0" && step > 0 && step < 12 { 0.0 } else { steady(name, step) });
    let look = judge(&trial, &evidence(&trial, 10, value));
    assert_eq!((outcome(&look), finding(&look, Check::FlowStopped)), (Standing::Suspect, Says::Suspicion));
    let end = judge(&trial, &evidence(&trial, HORIZON, value));
    assert_eq!(outcome(&end), Standing::Final(Outcome::Inconclusive(Gap::Conflicting)));
}

#[test]
fn a_single_changed_host_speaks_for_its_wave_only_after_twice_the_time() {
    let trial = trial(1, 6);
    let value = |name: &str, step: i64| Some(if name == "t0" && step >= 0 { 0.0 } else { steady(name, step) });
    let looks: Vec<Standing> = (1..10).map(|until| judge(&trial, &evidence(&trial, until, value)).standing).collect();
    let suspect = looks.iter().position(|s| *s == Standing::Suspect);
    let rejected = looks.iter().position(|s| *s == Standing::Final(Outcome::Rejected)).expect("rejected in the end");
    assert!(suspect.is_some_and(|suspect| suspect < rejected), "{looks:?}");
}

#[test]
fn a_storm_that_stops_the_peers_as_well_is_not_the_change() {
    let trial = trial(5, 6);
    let value = |name: &str, step: i64| Some(if step >= 6 { 0.0 } else { steady(name, step) });
    let end = judge(&trial, &evidence(&trial, HORIZON, value));
    assert_eq!(outcome(&end), Standing::Final(Outcome::Inconclusive(Gap::PeersSick)));
}

#[test]
fn a_flow_that_halves_against_its_peers_is_rejected() {
    let trial = trial(5, 6);
    let value = |name: &str, step: i64| {
        Some(if name.starts_with('t') && step >= 0 { (steady(name, step) / 2.0).floor() } else { steady(name, step) })
    };
    let look = judge(&trial, &evidence(&trial, 20, value));
    assert_eq!((outcome(&look), finding(&look, Check::FlowShare)), (Standing::Final(Outcome::Rejected), Says::Harm));
}

#[test]
fn a_halving_that_the_peers_share_is_accepted() {
    let trial = trial(5, 6);
    let value = |name: &str, step: i64| Some(if step >= 5 { (steady(name, step) / 2.0).floor() } else { steady(name, step) });
    let end = judge(&trial, &evidence(&trial, HORIZON, value));
    assert_eq!(outcome(&end), Standing::Final(Outcome::Accepted), "{end:#?}");
}

#[test]
fn missing_data_never_lead_to_accepted() {
    let trial = trial(5, 6);
    let silent = judge(&trial, &evidence(&trial, HORIZON, |name, step| (!name.starts_with('t') || step < 1).then(|| steady(name, step))));
    assert_eq!(outcome(&silent), Standing::Final(Outcome::Inconclusive(Gap::NoData)));
    assert_eq!((silent.lacks[0].why, silent.lacks[0].must_have), (Missing::HostGone, true));
    let nothing = judge(&trial, &evidence(&trial, HORIZON, |_, _| None));
    assert_eq!(outcome(&nothing), Standing::Final(Outcome::Inconclusive(Gap::NoData)));
    let no_window = judge(&trial, &Evidence { at: at(HORIZON), windows: BTreeMap::new() });
    assert_eq!(outcome(&no_window), Standing::Final(Outcome::Inconclusive(Gap::NoData)));
}

#[test]
fn no_signals_and_no_past_and_no_peers_are_never_accepted_either() {
    let mut bare = trial(5, 6);
    bare.signals.clear();
    assert_eq!(outcome(&judge(&bare, &evidence(&bare, HORIZON, |_, _| None))), Standing::Final(Outcome::Inconclusive(Gap::NoSignals)));
    let newborn = trial(5, 0);
    let end = judge(&newborn, &evidence(&newborn, HORIZON, |name, step| (step >= 0).then(|| steady(name, step))));
    assert_eq!(outcome(&end), Standing::Final(Outcome::Inconclusive(Gap::TooLittle)));
    let mut skewed = trial(2, 6);
    skewed.treated.values_mut().for_each(|treated| treated.skewed = true);
    let end = judge(&skewed, &evidence(&skewed, HORIZON, |name, step| Some(steady(name, step))));
    assert_eq!(outcome(&end), Standing::Final(Outcome::Inconclusive(Gap::TooLittle)));
}

#[test]
fn a_signal_that_vanishes_from_living_hosts_while_peers_have_it_is_rejected() {
    let trial = trial(3, 6);
    let mut evidence = evidence(&trial, 12, |name, step| (!name.starts_with('t') || step < 1).then(|| steady(name, step)));
    for window in evidence.windows.values_mut() {
        window.heard.values_mut().for_each(|heard| *heard = at(12));
    }
    let look = judge(&trial, &evidence);
    assert_eq!((outcome(&look), finding(&look, Check::Vanished)), (Standing::Final(Outcome::Rejected), Says::Harm));
}

#[test]
fn a_gauge_that_freezes_is_rejected_and_one_that_was_always_constant_is_not() {
    let mut trial = trial(3, 6);
    trial.signals = vec![Signal { kind: SignalKind::Gauge, harm: Harm::Both, ..trial.signals[0].clone() }];
    let frozen = |name: &str, step: i64| Some(if name.starts_with('t') && step >= 2 { 42.5 } else { steady(name, step) });
    let look = judge(&trial, &evidence(&trial, 15, frozen));
    assert_eq!((outcome(&look), finding(&look, Check::Frozen)), (Standing::Final(Outcome::Rejected), Says::Harm));
    let constant = judge(&trial, &evidence(&trial, HORIZON, |_, _| Some(7.0)));
    assert_eq!(outcome(&constant), Standing::Final(Outcome::Accepted));
}

#[test]
fn a_check_that_begins_to_fail_is_rejected_and_one_that_always_failed_is_not() {
    let mut trial = trial(3, 6);
    trial.signals = vec![Signal { kind: SignalKind::Check, harm: Harm::Up, ..trial.signals[0].clone() }];
    let failing = judge(&trial, &evidence(&trial, 10, |name, step| Some(f64::from(u8::from(name.starts_with('t') && step >= 2)))));
    assert_eq!((outcome(&failing), finding(&failing, Check::CheckFailing)), (Standing::Final(Outcome::Rejected), Says::Harm));
    let always = judge(&trial, &evidence(&trial, HORIZON, |_, _| Some(1.0)));
    assert_eq!(outcome(&always), Standing::Final(Outcome::Accepted));
}

#[test]
fn a_restart_within_the_grace_is_expected() {
    let trial = trial(5, 6);
    let value = |name: &str, step: i64| {
        let onset: i64 = name.strip_prefix('t').map_or(i64::MAX, |n| n.parse().unwrap());
        Some(if step >= onset && step < onset + 2 { 0.0 } else { steady(name, step) })
    };
    assert_eq!(first_news(&trial, value), (12, Standing::Final(Outcome::Accepted)));
}

#[test]
fn the_same_resource_failing_on_two_hosts_or_twice_on_one_rejects_and_once_on_one_does_not() {
    let judged = |failures: &[(&str, u32)], peer_fails: bool| {
        let mut trial = trial(3, 3);
        for (name, times) in failures {
            let failure = Failure { times: *times, message: "No such file".into() };
            trial.treated.get_mut(&host(name)).unwrap().failures.insert("Service[app]".into(), failure);
        }
        if peer_fails {
            trial.peers.get_mut(&host("p0")).unwrap().failing.push("Service[app]".into());
        }
        judge(&trial, &evidence(&trial, 5, |name, step| Some(steady(name, step)))).standing
    };
    assert_eq!(judged(&[("t0", 1), ("t1", 1)], false), Standing::Final(Outcome::Rejected));
    assert_eq!(judged(&[("t0", 2)], false), Standing::Final(Outcome::Rejected));
    assert_eq!(judged(&[("t0", 1)], false), Standing::Suspect);
    assert_eq!(judged(&[("t0", 1), ("t1", 1)], true), Standing::OnTrial);
}

#[test]
fn the_same_compile_error_on_two_hosts_rejects_at_once_and_on_one_never_accepts() {
    let judged = |hosts: &[&str], until: i64| {
        let mut trial = trial(2, 3);
        for name in hosts {
            trial.treated.get_mut(&host(name)).unwrap().compile_error = Some("Syntax error".into());
        }
        if hosts.len() == 1 {
            trial.treated.retain(|name, _| name.as_str() == hosts[0]);
        }
        judge(&trial, &evidence(&trial, until, |name, step| Some(steady(name, step)))).standing
    };
    assert_eq!(judged(&["t0", "t1"], 1), Standing::Final(Outcome::Rejected));
    assert_eq!(judged(&["t0"], HORIZON), Standing::Final(Outcome::Inconclusive(Gap::RunsFailed)));
}

#[test]
fn an_environment_that_does_not_belong_to_the_release_rejects_at_once() {
    let judged = |got: &str| {
        let mut trial = trial(2, 3);
        trial.environment_due = Environment::parse("r142").ok();
        trial.treated.values_mut().for_each(|treated| treated.environment = Environment::parse(got).ok());
        judge(&trial, &evidence(&trial, 1, |name, step| Some(steady(name, step)))).standing
    };
    assert_eq!(judged("production"), Standing::Final(Outcome::Rejected));
    assert_eq!(judged("r142"), Standing::OnTrial);
    assert_eq!(judged("r142_0123abcd"), Standing::OnTrial);
}

#[test]
fn harm_that_another_change_may_have_done_is_confounded() {
    let mut trial = trial(5, 6);
    let onsets = trial.treated.iter().map(|(host, treated)| (host.clone(), treated.onset));
    trial.overlaps.0.insert(ChangeId(2), onsets.collect());
    let value = |name: &str, step: i64| Some(if name.starts_with('t') && step >= 4 { 0.0 } else { steady(name, step) });
    assert_eq!(outcome(&judge(&trial, &evidence(&trial, 15, value))), Standing::Suspect);
    let end = judge(&trial, &evidence(&trial, HORIZON, value));
    assert_eq!(outcome(&end), Standing::Final(Outcome::Inconclusive(Gap::Confounded)));
}

#[test]
fn values_that_are_not_finite_count_as_missing() {
    let trial = trial(5, 6);
    let value = |name: &str, step: i64| Some(if name.starts_with('t') && step >= 3 { f64::NAN } else { steady(name, step) });
    let end = judge(&trial, &evidence(&trial, HORIZON, value));
    assert_ne!(outcome(&end), Standing::Final(Outcome::Accepted));
}

#[test]
fn where_everybody_changed_the_own_past_decides_and_the_finding_says_so() {
    let trial = trial(5, 0);
    let value = |name: &str, step: i64| Some(if step >= 6 { 0.0 } else { steady(name, step) });
    let look = judge(&trial, &evidence(&trial, 15, value));
    assert_eq!(outcome(&look), Standing::Final(Outcome::Rejected));
    assert!(look.findings[0].text.contains("own past only"), "{}", look.findings[0].text);
}

#[test]
fn values_at_the_edge_of_what_a_number_can_be_break_nothing() {
    let trial = trial(4, 4);
    for odd in [1e308, f64::MAX, 5e-324, -1e308] {
        let value = |name: &str, step: i64| Some(if name.starts_with('t') && step % 7 == 0 { odd } else { steady(name, step) });
        let end = judge(&trial, &evidence(&trial, HORIZON, value));
        assert!(matches!(end.standing, Standing::Final(_)), "{odd}");
    }
}

#[test]
fn a_host_that_left_the_change_is_no_evidence_for_it() {
    let mut trial = trial(4, 6);
    trial.treated.values_mut().for_each(|treated| treated.left = Some(at(6)));
    let end = judge(&trial, &evidence(&trial, HORIZON, |name, step| Some(steady(name, step))));
    assert_eq!(outcome(&end), Standing::Final(Outcome::Inconclusive(Gap::TooLittle)));
}

#[test]
fn one_peer_without_data_does_not_silence_the_comparison_of_flows() {
    let trial = trial(5, 6);
    let value = |name: &str, step: i64| match name {
        "p0" => None,
        _ if name.starts_with('t') && step >= 0 => Some((steady(name, step) / 2.0).floor()),
        _ => Some(steady(name, step)),
    };
    assert_eq!(outcome(&judge(&trial, &evidence(&trial, 25, value))), Standing::Final(Outcome::Rejected));
}

#[test]
fn one_peer_that_goes_wild_does_not_reject_a_change_on_others() {
    let trial = trial(5, 6);
    let value = |name: &str, step: i64| Some(if name == "p0" && step >= 2 { steady(name, step) * 10.0 } else { steady(name, step) });
    assert_eq!(outcome(&judge(&trial, &evidence(&trial, HORIZON, value))), Standing::Final(Outcome::Accepted));
}

#[test]
fn a_flow_that_is_dry_since_the_change_is_never_accepted_whatever_gaps_the_past_had() {
    let trial = trial(5, 0);
    let value = |name: &str, step: i64| {
        let gap = (-100..-65).contains(&step);
        let onset: i64 = name.strip_prefix('t').map_or(i64::MAX, |n| n.parse().unwrap());
        Some(if gap || step >= onset { 0.0 } else { steady(name, step) })
    };
    assert_ne!(outcome(&judge(&trial, &evidence(&trial, HORIZON, value))), Standing::Final(Outcome::Accepted));
}

#[test]
fn a_change_that_kills_some_of_its_hosts_is_never_accepted() {
    let trial = trial(10, 6);
    let dead = |name: &str| ["t0", "t1", "t2", "t3"].contains(&name);
    let value = |name: &str, step: i64| (!dead(name) || step < 3).then(|| steady(name, step));
    assert_eq!(outcome(&judge(&trial, &evidence(&trial, HORIZON, value))), Standing::Final(Outcome::Inconclusive(Gap::NoData)));
}

#[test]
fn errors_that_fall_to_nothing_are_no_harm() {
    let mut trial = trial(3, 6);
    trial.signals = vec![Signal { kind: SignalKind::Gauge, harm: Harm::Up, ..trial.signals[0].clone() }];
    let value = |name: &str, step: i64| Some(if name.starts_with('t') && step >= 2 { 0.0 } else { steady(name, step) });
    assert_eq!(outcome(&judge(&trial, &evidence(&trial, HORIZON, value))), Standing::Final(Outcome::Accepted));
}

#[test]
fn a_failure_that_peers_share_hides_no_other_that_they_do_not() {
    let mut trial = trial(5, 3);
    let failure = |times| Failure { times, message: "no".into() };
    for treated in trial.treated.values_mut() {
        treated.failures.insert("Exec[apt-get update]".into(), failure(1));
    }
    for name in ["t0", "t1", "t2", "t3"] {
        trial.treated.get_mut(&host(name)).unwrap().failures.insert("Service[app]".into(), failure(1));
    }
    trial.peers.get_mut(&host("p0")).unwrap().failing.push("Exec[apt-get update]".into());
    let look = judge(&trial, &evidence(&trial, 5, |name, step| Some(steady(name, step))));
    assert_eq!(outcome(&look), Standing::Final(Outcome::Rejected));
    assert!(look.findings[0].text.contains("Service[app]"), "{}", look.findings[0].text);
}

//! Where there are no peers, the other signals of the same hosts tell how busy they are.

use std::collections::BTreeMap;

use belay_core::judge::{Watch, judge};
use belay_core::model::change::Trial;
use belay_core::model::evidence::Evidence;
use belay_core::model::ids::{HostId, SignalName};
use belay_core::model::signal::{Harm, Reading, Sample, Series, Signal, SignalKind, Window};
use belay_core::model::verdict::{Check, Look, Outcome, Says, Standing};
use belay_stats::rng::Rng;

use crate::judging::{HORIZON, STEP, at, trial};
use crate::lab::flow;

const PAST: i64 = 400;
const SIGNALS: [&str; 3] = ["latency", "cpu", "network"];

/// Hosts whose signals are as busy as they are: what a host does wanders for hours, and each signal has a little noise of its own.
struct Fleet {
    trial: Trial,
    /// What each signal of each host shows, from the first step on.
    rows: BTreeMap<(&'static str, HostId), Vec<f64>>,
}

impl Fleet {
    fn of(seed: u64, changed: usize, peers: usize) -> Self {
        Self::with(seed, changed, peers, &SIGNALS, &SIGNALS)
    }

    /// With these signals, of which these are as busy as their host; the others wander by themselves.
    fn with(seed: u64, changed: usize, peers: usize, signals: &[&'static str], busy: &[&str]) -> Self {
        let signal = |name: &str| Signal { kind: SignalKind::Gauge, harm: Harm::Up, reading: Reading::Value, ..flow(name) };
        let onsets = |mut trial: Trial| {
            trial.treated.values_mut().for_each(|treated| treated.onset = at(0));
            trial
        };
        let trial = Trial { signals: signals.iter().map(|name| signal(name)).collect(), ..onsets(trial(changed, peers)) };
        let mut rng = Rng::new(seed);
        let (mut load, mut own, mut rows) = (0.0, vec![0.0; signals.len()], BTreeMap::new());
        for _ in -PAST..HORIZON {
            load = 0.95 * load + 0.05 * rng.normal();
            own.iter_mut().for_each(|own| *own = 0.95 * *own + 0.05 * rng.normal());
            for host in trial.treated.keys().chain(trial.peers.keys()) {
                for (name, own) in signals.iter().copied().zip(&own) {
                    let level = if busy.contains(&name) { load } else { *own };
                    let value = 100.0 * f64::exp(level + 0.02 * rng.normal());
                    rows.entry((name, host.clone())).or_insert_with(Vec::new).push(value);
                }
            }
        }
        Self { trial, rows }
    }

    /// Moves these signals of all changed hosts from the end of the grace on.
    fn moved(mut self, signals: &[&str], by: f64) -> Self {
        let since = usize::try_from(PAST + 2).unwrap();
        let treated = |host: &HostId| self.trial.treated.contains_key(host);
        let rows = self.rows.iter_mut().filter(|((name, host), _)| signals.contains(name) && treated(host));
        rows.for_each(|(_, row)| row[since..].iter_mut().for_each(|value| *value *= by));
        self
    }

    fn evidence(&self, from: i64, until: i64) -> Evidence {
        let sample = |row: &Vec<f64>, step: i64| Sample { at: at(step), value: row[usize::try_from(PAST + step).unwrap()] };
        let window = |signal: &Signal| {
            let mine = self.rows.iter().filter(|((name, _), _)| *name == signal.name.as_str());
            let hosts: BTreeMap<HostId, Series> = mine
                .map(|((_, host), row)| (host.clone(), Series::Samples((from..until).map(|step| sample(row, step)).collect())))
                .collect();
            let heard = hosts.keys().map(|host| (host.clone(), at(until))).collect();
            Window { step: STEP, from: at(from), to: at(until), hosts, heard }
        };
        let windows: BTreeMap<SignalName, Window> = self.trial.signals.iter().map(|signal| (signal.name.clone(), window(signal))).collect();
        Evidence { at: at(until), windows }
    }

    fn judged(&self) -> Look {
        judge(&self.trial, &self.evidence(-PAST, HORIZON))
    }
}

fn says(look: &Look, check: Check, signal: &str) -> Option<Says> {
    let found =
        look.findings.iter().find(|finding| finding.check == check && finding.signal.as_ref().is_some_and(|name| name.as_str() == signal));
    found.map(|finding| finding.says)
}

#[test]
fn harm_that_load_would_hide_is_found_beside_the_other_signals_and_only_where_it_is() {
    let (mut found, mut own, mut others) = (0, 0, 0);
    for seed in 0..20 {
        let look = Fleet::of(seed, 3, 0).moved(&["latency"], 1.25).judged();
        let harm = |check, signal| usize::from(says(&look, check, signal) == Some(Says::Harm));
        found += harm(Check::Relation, "latency");
        own += harm(Check::Level, "latency").max(harm(Check::Drift, "latency"));
        others += harm(Check::Relation, "cpu") + harm(Check::Relation, "network");
        if harm(Check::Relation, "latency") > 0 {
            assert_eq!(look.standing, Standing::Final(Outcome::Rejected));
            let relation = look.findings.iter().find(|finding| finding.check == Check::Relation).unwrap();
            assert!(relation.since.is_some_and(|since| since >= at(0)), "without a beginning nobody could be blamed");
            let text = &relation.text;
            assert!(text.contains("does not move with the other signals of its hosts as it did"), "{text}");
        }
    }
    assert!(found >= 14 && own <= 6 && others == 0, "{found} {own} {others} of 20");
}

#[test]
fn load_that_goes_up_in_all_signals_breaks_no_relation() {
    for seed in 0..20 {
        let look = Fleet::of(seed, 3, 0).moved(&SIGNALS, 1.6).judged();
        for signal in SIGNALS {
            assert_eq!(says(&look, Check::Relation, signal), Some(Says::Fine), "seed {seed}: {look:#?}");
        }
    }
}

#[test]
fn hosts_that_differ_are_named_with_what_they_show_themselves() {
    let mut said = 0;
    for seed in 0..10 {
        let fleet = Fleet::of(seed, 4, 0).moved(&["latency"], 1.6);
        // Two of the four fall instead: the mean hardly moves.
        let mut fleet = fleet;
        let since = usize::try_from(PAST + 2).unwrap();
        let fallen = fleet.rows.iter_mut().filter(|((name, host), _)| *name == "latency" && ["t2", "t3"].contains(&host.as_str()));
        fallen.for_each(|(_, row)| row[since..].iter_mut().for_each(|value| *value *= 0.62 / 1.6));
        let look = fleet.judged();
        let relation = look.findings.iter().find(|finding| finding.check == Check::Relation && finding.says != Says::Fine);
        let Some(relation) = relation.filter(|relation| relation.hosts.len() < 4) else { continue };
        said += 1;
        let named: Vec<&str> = relation.hosts.iter().map(HostId::as_str).collect();
        assert!(named.iter().all(|host| ["t0", "t1"].contains(host)), "{named:?}");
        assert!(
            relation.since.is_some() && relation.numbers.effect.is_none() && relation.numbers.p.is_some_and(|p| p < 0.05),
            "{relation:#?}"
        );
    }
    assert!(said >= 5, "{said} of 10");
}

#[test]
fn of_many_hosts_every_signal_is_asked() {
    let signals = ["a", "b", "c", "d", "e", "latency"];
    for knows in ["a", "e"] {
        let found = |seed: u64| {
            let look = Fleet::with(seed, 20, 0, &signals, &[knows, "latency"]).moved(&["latency"], 1.25).judged();
            says(&look, Check::Relation, "latency") == Some(Says::Harm)
        };
        let found = (0..6).filter(|seed| found(*seed)).count();
        assert!(found >= 4, "{knows}: {found} of 6");
    }
}

#[test]
fn peers_say_it_better() {
    let look = Fleet::of(1, 3, 4).moved(&["latency"], 1.25).judged();
    assert_eq!((says(&look, Check::Relation, "latency"), look.standing), (None, Standing::Final(Outcome::Rejected)));
}

#[test]
fn a_watch_fed_step_by_step_says_of_relations_what_one_look_says() {
    for (seed, by) in [(1, 1.0), (2, 1.25), (3, 1.25)] {
        let fleet = Fleet::of(seed, 2, 0).moved(&["latency"], by);
        let mut watch = Watch::begin(&fleet.trial, &fleet.evidence(-PAST, 0));
        for until in 1..=HORIZON {
            let look = watch.look(&fleet.evidence(until - 1, until));
            let fresh = judge(&fleet.trial, &fleet.evidence(-PAST, until));
            assert_eq!(look, fresh, "seed {seed}, step {until}");
        }
    }
}

#[test]
fn signals_that_come_late_or_not_at_all_break_nothing() {
    for seed in 0..12 {
        let mut fleet = Fleet::of(seed, 3, 0).moved(&["latency"], 1.25);
        // Hosts change one after the other, and the windows of the other signals end behind that of the first.
        fleet.trial.treated.values_mut().zip([0, 2, 5]).for_each(|(treated, step)| treated.onset = at(step));
        let mut rng = Rng::new(seed);
        let mut watch = Watch::begin(&fleet.trial, &fleet.evidence(-PAST, 0));
        let mut seen = BTreeMap::from(SIGNALS.map(|name| (name, 0)));
        for until in 1..=HORIZON {
            let mut whole = fleet.evidence(-PAST, until);
            let mut new = Evidence { at: at(until), windows: BTreeMap::new() };
            for name in SIGNALS {
                let to = match name {
                    "latency" => until,
                    "cpu" if seed % 3 == 0 => 0,
                    _ => (until - rng.below(3) as i64).max(seen[name]),
                };
                let key = SignalName::parse(name).unwrap();
                whole.windows.insert(key.clone(), fleet.evidence(-PAST, to).windows.remove(&key).unwrap());
                if to > seen[name] {
                    new.windows.insert(key.clone(), fleet.evidence(seen[name], to).windows.remove(&key).unwrap());
                    seen.insert(name, to);
                }
            }
            let (look, fresh) = (watch.look(&new), judge(&fleet.trial, &whole));
            assert_eq!((look.standing, look.findings), (fresh.standing, fresh.findings), "seed {seed}, step {until}");
        }
    }
}

//! What judging a case costs: from scratch, and one sample further. `cargo bench -p belay-core`.
//!
//! The case is one as they come: three signals (two gauges, a count) of 900 samples in steps of five minutes, ten hosts of which four
//! changed after three days, a day as season, load that all share, and noise that remembers (AR 0.8).

use belay_core::judge::Watch;
use belay_core::model::change::{Nearness, Overlaps, Peer, Spoilt, Treated, Trial};
use belay_core::model::evidence::Evidence;
use belay_core::model::ids::{ChangeId, HostId, SignalName};
use belay_core::model::signal::{Harm, Reading, Sample, Series, Signal, SignalKind, Window};
use belay_core::model::time::{Span, Timestamp};
use belay_stats::Rng;
use divan::counter::ItemsCount;
use std::collections::BTreeMap;

const STEP: Span = Span::from_min(5);
const DAY: usize = 288;
const STEPS: usize = 900;
const HORIZON: usize = 48;
const PAST: usize = STEPS - HORIZON;
const TREATED: usize = 4;
const HOSTS: usize = 10;

fn main() {
    divan::main();
}

/// A case: its trial, and a row of values for each signal and host.
struct Case {
    trial: Trial,
    rows: Vec<Vec<Vec<f64>>>,
}

impl Case {
    /// Where the changed hosts are harmed, their level rises by `harm` after the grace.
    fn of(harm: f64) -> Case {
        let kinds = [("latency", SignalKind::Gauge), ("memory", SignalKind::Gauge), ("errors", SignalKind::Count)];
        let signals = kinds.iter().map(|(name, kind)| signal(name, *kind)).collect();
        let peer = |_| Peer { nearness: Nearness::SameRelease, until: None, failing: Vec::new() };
        let trial = Trial {
            change: ChangeId(1),
            release: None,
            treated: (0..TREATED).map(|i| (host(i), treated())).collect(),
            peers: (TREATED..HOSTS).map(|i| (host(i), peer(i))).collect(),
            signals,
            environment_due: None,
            grace: STEP.times(2),
            accept_from: at(STEPS),
            ends: at(STEPS),
            past_steps: PAST as u32,
            budget: None,
            caution: Default::default(),
            class_size: HOSTS as u32,
            confounder: None,
            overlaps: Overlaps::default(),
            spoilt: Spoilt::default(),
        };
        let rows = kinds.iter().enumerate().map(|(i, (_, kind))| rows(i as u64, *kind == SignalKind::Count, harm)).collect();
        Case { trial, rows }
    }

    fn evidence(&self, from: usize, to: usize) -> Evidence {
        let series = |row: &Vec<f64>| Series::Samples((from..to).map(|t| Sample { at: at(t), value: row[t] }).collect());
        let window = |rows: &Vec<Vec<f64>>| Window {
            step: STEP,
            from: at(from),
            to: at(to),
            hosts: rows.iter().enumerate().map(|(i, row)| (host(i), series(row))).collect(),
            heard: (0..HOSTS).map(|i| (host(i), at(to))).collect(),
        };
        let windows = self.trial.signals.iter().zip(&self.rows).map(|(signal, rows)| (signal.name.clone(), window(rows)));
        Evidence { at: at(to), windows: windows.collect() }
    }
}

fn at(step: usize) -> Timestamp {
    Timestamp::from_ms(1_794_960_000_000) + STEP.times(step as i64)
}

fn host(index: usize) -> HostId {
    let group = if index < TREATED { "changed" } else { "peer" };
    HostId::parse(&format!("{group}-{index:02}.example.net")).expect("a name")
}

fn treated() -> Treated {
    Treated { onset: at(PAST), run: None, skewed: false, environment: None, failures: BTreeMap::new(), compile_error: None, left: None }
}

fn signal(name: &str, kind: SignalKind) -> Signal {
    Signal {
        name: SignalName::parse(name).expect("a name"),
        classes: Vec::new(),
        kind,
        harm: if kind == SignalKind::Count { Harm::Up } else { Harm::Both },
        must_have: true,
        select: String::new(),
        host_label: String::new(),
        reading: Reading::Value,
        step: STEP,
        weight: Default::default(),
    }
}

/// Values of all hosts of a signal: a shared day and load, each host's own level and noise.
fn rows(seed: u64, counts: bool, harm: f64) -> Vec<Vec<f64>> {
    let mut rng = Rng::new(seed);
    let mut load = 0.0;
    let mut own = [0.0; HOSTS];
    let levels: Vec<f64> = (0..HOSTS).map(|_| if counts { 20.0 + 20.0 * rng.unit() } else { 80.0 + 40.0 * rng.unit() }).collect();
    let mut rows = vec![Vec::new(); HOSTS];
    for t in 0..STEPS {
        let hour = (t % DAY) as f64 / DAY as f64 * std::f64::consts::TAU;
        load = 0.8 * load + 0.03 * rng.normal();
        for (i, row) in rows.iter_mut().enumerate() {
            own[i] = 0.8 * own[i] + 0.03 * rng.normal();
            let worse = if i < TREATED && t >= PAST + 2 { 1.0 + harm } else { 1.0 };
            let value = levels[i] * worse * (0.3 * hour.sin() + load + own[i]).exp();
            row.push(if counts { rng.poisson(value) as f64 } else { value });
        }
    }
    rows
}

/// By how much the level of the changed hosts rises where they are harmed: then peers are judged as if they had changed.
const HARM: f64 = 0.5;

/// Everything at once, as after a restart or in a self-check: [`Watch::begin`] and one look.
#[divan::bench]
fn from_scratch(bencher: divan::Bencher) {
    begin_and_look(bencher, 0.0);
}

#[divan::bench]
fn from_scratch_harmed(bencher: divan::Bencher) {
    begin_and_look(bencher, HARM);
}

/// The looks of a trial, one a sample, by a watch that is prepared and has looked twice: an item is one look.
#[divan::bench]
fn looks(bencher: divan::Bencher) {
    all_looks(bencher, 0.0);
}

#[divan::bench]
fn looks_harmed(bencher: divan::Bencher) {
    all_looks(bencher, HARM);
}

fn begin_and_look(bencher: divan::Bencher, harm: f64) {
    let case = Case::of(harm);
    let (past, since) = (case.evidence(0, PAST), case.evidence(PAST, STEPS));
    bencher.bench_local(|| Watch::begin(&case.trial, &past).look(&since));
}

fn all_looks(bencher: divan::Bencher, harm: f64) {
    let case = Case::of(harm);
    let mut watch = Watch::begin(&case.trial, &case.evidence(0, PAST));
    let _ = watch.look(&case.evidence(PAST, PAST + 1));
    let news: Vec<Evidence> = (PAST + 1..STEPS).map(|t| case.evidence(t, t + 1)).collect();
    let (second, rest) = news.split_first().expect("more than one look");
    // A copy has no room to grow: it makes some at its first look, which is not measured.
    let begun = || {
        let mut watch = watch.clone();
        let _ = watch.look(second);
        watch
    };
    let all = |watch: &mut Watch| rest.iter().map(|new| watch.look(new).findings.len()).sum::<usize>();
    bencher.with_inputs(begun).input_counter(|_| ItemsCount::new(HORIZON - 2)).bench_local_refs(all);
}

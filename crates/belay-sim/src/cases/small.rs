//! Cases of small and lasting harm in hard series: 2.5 to 6 SD of the day-to-day noise, beside noise that remembers for hours and has
//! heavy tails, days that differ from host to host, and peers that follow well or hardly. Shocks to all strike one signal or each. Same
//! form as the other cases.

use belay_stats::Rng;
use serde_json::{Value, json};

use super::{GRACE, HORIZON};

/// What happens, and whether it is harm. Nothing comes up most often: a rate of false rejections needs many.
const KINDS: [(&str, bool); 12] = [
    ("clean", false),
    ("clean", false),
    ("clean", false),
    ("shock_in_all", false),
    ("shock_in_one", false),
    ("restart_blip", false),
    ("small_shift", true),
    ("small_shift", true),
    ("small_delayed", true),
    ("small_ramp", true),
    ("small_partial", true),
    ("small_variance", true),
];

/// Steps of a day, of five minutes each, and of the past.
const DAY: usize = 288;
const PAST: usize = 3 * DAY;
const SIGNALS: usize = 3;

/// What the hosts of a case have in common, and what befalls them.
struct Setting {
    rng: Rng,
    kind: &'static str,
    treated: usize,
    peers: usize,
    /// How much of its movement a host shares with all.
    shared: f64,
    /// The signal that is harmed, or struck alone.
    affected: usize,
    /// Steps after the change at which harm begins, and its size in SD.
    delay: usize,
    delta: f64,
    /// When a shock strikes, and how far it takes everybody.
    shock: (usize, f64),
}

/// The case of a seed, as one JSON object.
pub fn small(seed: u64) -> Value {
    let mut rng = Rng::new(0x736d_616c).fork(seed);
    let (kind, bad) = KINDS[rng.below(KINDS.len() as u64) as usize];
    let treated = if kind == "small_partial" { [2, 4][rng.below(2) as usize] } else { [1, 2, 4][rng.below(3) as usize] };
    let peers = if kind.starts_with("shock") { [3, 6][rng.below(2) as usize] } else { [0, 3, 6, 6][rng.below(4) as usize] };
    let sign = if rng.chance(0.5) { 1.0 } else { -1.0 };
    let mut setting = Setting {
        kind,
        treated,
        peers,
        shared: [0.2, 0.6, 0.9][rng.below(3) as usize],
        affected: rng.below(SIGNALS as u64) as usize,
        delay: if kind == "small_delayed" { 14 + rng.below(14) as usize } else { GRACE },
        delta: sign * (2.5 + 3.5 * rng.unit()),
        shock: (PAST + rng.below(20) as usize, sign * (0.2 + 0.4 * rng.unit())),
        rng,
    };
    let signals: Vec<Value> = (0..SIGNALS).map(|signal| setting.signal(signal)).collect();
    let affected: Vec<String> = if bad { vec![format!("gauge{}", setting.affected)] } else { Vec::new() };
    json!({
        "id": format!("small-{seed:06}"),
        "split": "made",
        "source": "seed",
        "step_s": 300,
        "past": PAST,
        "horizon": HORIZON,
        "grace": GRACE,
        "season": DAY,
        "signals": signals,
        "label": {
            "bad": bad,
            "expect": if bad { "rejected" } else { "accepted" },
            "kind": kind,
            "onset": bad.then_some(setting.delay),
            "affected": affected,
            "delta": setting.delta.abs(),
            "k": treated,
            "m": peers,
            "same_role": setting.shared > 0.5,
        },
    })
}

impl Setting {
    fn signal(&mut self, signal: usize) -> Value {
        let steps = PAST + HORIZON;
        let memory = [0.8, 0.9, 0.97][self.rng.below(3) as usize];
        let phase = self.rng.unit() * std::f64::consts::TAU;
        let mut load = 0.0;
        let common: Vec<f64> = (0..steps).map(|_| follow(&mut load, memory, self.rng.normal())).collect();
        let mut rows: Vec<Vec<f64>> = (0..self.treated + self.peers).map(|host| self.host(signal, host, memory, phase, &common)).collect();
        let peers = rows.split_off(self.treated);
        json!({"name": format!("gauge{signal}"), "kind": "gauge", "direction": "both", "must_have": true, "treated": rows, "control": peers})
    }

    fn host(&mut self, signal: usize, host: usize, memory: f64, phase: f64, common: &[f64]) -> Vec<f64> {
        let level = 50.0 * self.rng.normal().exp();
        let (day, noise) = (0.2 + 0.2 * self.rng.unit(), 0.03 + 0.05 * self.rng.unit());
        let mut own = 0.0;
        let value = |(t, common): (usize, &f64)| {
            let angle = (t % DAY) as f64 / DAY as f64 * std::f64::consts::TAU + phase;
            // A normal law of a scale that varies: tails as heavy as those of recorded series.
            let heavy = self.rng.normal() * (0.5 * self.rng.normal()).exp();
            let moved = self.shared * common + (1.0 - self.shared * self.shared).sqrt() * follow(&mut own, memory, heavy);
            let harm = self.befallen(signal, host, t);
            let usual = level * (day * angle.sin() + noise * moved + self.struck(signal, t)).exp();
            // Six digits are what agents send.
            let scatter = level * noise * harm * if self.kind == "small_variance" { self.rng.normal() } else { 1.0 };
            ((usual + scatter).max(0.0) * 1e4).round() / 1e4
        };
        common.iter().enumerate().map(value).collect()
    }

    /// By how many SD of its noise a host is harmed at a step.
    fn befallen(&self, signal: usize, host: usize, t: usize) -> f64 {
        let Some(since) = t.checked_sub(PAST).filter(|_| host < self.treated && signal == self.affected) else { return 0.0 };
        let harmed = since >= self.delay;
        match self.kind {
            "restart_blip" if since < GRACE => 8.0,
            "small_shift" | "small_delayed" | "small_variance" if harmed => self.delta,
            "small_partial" if harmed && host == 0 => 1.6 * self.delta,
            "small_ramp" if harmed => self.delta * ((since - self.delay + 1) as f64 / 30.0).min(1.0),
            _ => 0.0,
        }
    }

    fn struck(&self, signal: usize, t: usize) -> f64 {
        let (at, size) = self.shock;
        let here = self.kind == "shock_in_all" || (self.kind == "shock_in_one" && signal == self.affected);
        if here && t >= at { size } else { 0.0 }
    }
}

/// The next value of a series that remembers, of SD 1 in the long run.
fn follow(last: &mut f64, memory: f64, noise: f64) -> f64 {
    *last = memory * *last + (1.0 - memory * memory).sqrt() * noise;
    *last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_case_and_every_kind_comes_up() {
        let mut kinds = std::collections::BTreeSet::new();
        for seed in 0..120 {
            let case = small(seed);
            kinds.insert(case["label"]["kind"].as_str().unwrap().to_owned());
            let rows = |signal: &Value| signal["treated"].as_array().unwrap().len() + signal["control"].as_array().unwrap().len();
            assert_eq!(rows(&case["signals"][0]) as u64, case["label"]["k"].as_u64().unwrap() + case["label"]["m"].as_u64().unwrap());
            assert!(seed > 2 || case == small(seed), "seed {seed}");
        }
        assert_eq!(kinds.len(), 9, "{kinds:?}");
    }
}

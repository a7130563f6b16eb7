//! Cases for the judge, made from seeds: what recorded data do not hold. One to 200 changed hosts, none to 20 peers, steps of 15 seconds
//! to five minutes, flows, counters with restarts, hosts that change one after the other. Same form as the recorded ones (`docs/judge.md`),
//! with the truth beside it; a judge never reads that.

pub mod moments;
pub mod small;

use belay_core::judge::window::resample;
use belay_core::model::signal::Reading;
use belay_core::model::time::{Span, Timestamp};
use belay_stats::Rng;
use serde_json::{Value, json};

/// Steps after the change.
const HORIZON: usize = 48;
/// Steps after a host's own change in which a restart is expected.
const GRACE: usize = 2;

/// What happens, and whether it is harm.
const KINDS: [(&str, bool); 12] = [
    ("clean", false),
    ("fleet_shock", false),
    ("restart_blip", false),
    ("improvement", false),
    ("staggered_clean", false),
    ("shock_in_splay", false),
    ("level_shift", true),
    ("flow_stop", true),
    ("flow_share", true),
    ("error_burst", true),
    ("partial", true),
    ("staggered_shift", true),
];

/// What all hosts of a case have in common.
struct Setting {
    rng: Rng,
    kind: &'static str,
    bad: bool,
    step_s: u32,
    past: usize,
    treated: usize,
    peers: usize,
    /// Steps after the first change at which each treated host has its own.
    onsets: Vec<usize>,
    /// Steps after a host's own change at which harm begins.
    delay: usize,
    /// The common movement of all hosts, on a logarithmic scale.
    common: Vec<f64>,
}

/// The case of a seed, as one JSON object.
pub fn case(seed: u64) -> Value {
    let mut setting = Setting::draw(seed);
    let signals = vec![setting.gauge(), setting.flow(), setting.errors()];
    let affected: Vec<&str> = match setting.kind {
        "level_shift" | "partial" | "staggered_shift" => vec!["load"],
        "flow_stop" | "flow_share" => vec!["requests"],
        "error_burst" => vec!["errors"],
        _ => vec![],
    };
    let first = setting.onsets.first().copied().unwrap_or(0);
    json!({
        "id": format!("made-{seed:06}"),
        "split": "made",
        "source": "seed",
        "step_s": setting.step_s,
        "past": setting.past,
        "horizon": HORIZON,
        "grace": GRACE,
        "season": 86_400 / setting.step_s,
        "onsets": setting.onsets,
        "signals": signals,
        "label": {
            "bad": setting.bad,
            "expect": if setting.bad { "rejected" } else { "accepted" },
            "kind": setting.kind,
            "onset": setting.bad.then_some(first + setting.delay),
            "affected": affected,
            "delta": 8,
            "k": setting.treated,
            "m": setting.peers,
            "same_role": true,
        },
    })
}

impl Setting {
    fn draw(seed: u64) -> Self {
        let mut rng = Rng::new(0x6361_7365).fork(seed);
        let (kind, bad) = KINDS[rng.below(KINDS.len() as u64) as usize];
        let step_s = [15, 60, 300][rng.below(3) as usize];
        let past = if step_s == 300 { 864 } else { 240 };
        let several = matches!(kind, "partial" | "staggered_clean" | "shock_in_splay" | "staggered_shift");
        let sizes: &[usize] = if several { &[4, 12, 40, 200] } else { &[1, 2, 4, 12, 40, 200] };
        let treated = sizes[rng.below(sizes.len() as u64) as usize];
        // What only peers can tell apart needs them.
        let needs = matches!(kind, "fleet_shock" | "shock_in_splay" | "flow_share");
        let peers = if needs { [3, 6, 20][rng.below(3) as usize] } else { [0, 3, 6, 20][rng.below(4) as usize] };
        let splay = if several && kind != "partial" { 8 } else { 1 };
        let mut onsets: Vec<usize> = (0..treated).map(|_| rng.below(splay) as usize).collect();
        onsets.sort_unstable();
        let lead = onsets.first().copied().unwrap_or(0);
        onsets.iter_mut().for_each(|onset| *onset -= lead);
        let delay = if kind == "error_burst" { 2 + rng.below(20) as usize } else { GRACE };
        let mut setting = Self { rng, kind, bad, step_s, past, treated, peers, onsets, delay, common: Vec::new() };
        setting.common = setting.common_movement();
        setting
    }

    fn steps(&self) -> usize {
        self.past + HORIZON
    }

    /// A day, a slow wander, and the shock of the kinds that have one.
    fn common_movement(&mut self) -> Vec<f64> {
        let day = 86_400.0 / f64::from(self.step_s);
        let phase = self.rng.unit() * std::f64::consts::TAU;
        let shock = match self.kind {
            "fleet_shock" => Some(self.rng.below(20) as usize),
            "shock_in_splay" => Some(3),
            _ => None,
        };
        let size = (0.2 + 0.4 * self.rng.unit()) * if self.rng.chance(0.5) { 1.0 } else { -1.0 };
        let mut wander = 0.0;
        (0..self.steps())
            .map(|t| {
                wander = 0.97 * wander + 0.01 * self.rng.normal();
                let struck = shock.is_some_and(|at| t >= self.past + at);
                0.3 * (std::f64::consts::TAU * t as f64 / day + phase).sin() + wander + if struck { size } else { 0.0 }
            })
            .collect()
    }

    /// Steps since a treated host's own change; none before it, and none of a peer.
    fn since(&self, host: usize, t: usize) -> Option<usize> {
        (host < self.treated).then(|| t.checked_sub(self.past + self.onsets[host]))?
    }

    fn harmed(&self, host: usize, t: usize) -> bool {
        self.since(host, t).is_some_and(|since| since >= self.delay)
    }

    /// The rows of a signal: `value(host, step)` drawn for each host.
    fn rows(&mut self, mut series: impl FnMut(&mut Self, usize) -> Vec<f64>) -> (Value, Value) {
        let rounded = |values: Vec<f64>| values.into_iter().map(|v| (v * 1e4).round() / 1e4).collect::<Vec<f64>>();
        let mut rows: Vec<Vec<f64>> = (0..self.treated + self.peers).map(|host| rounded(series(self, host))).collect();
        let peers = rows.split_off(self.treated);
        (json!(rows), json!(peers))
    }

    /// A gauge: follows what all do, with noise of its own that is correlated.
    fn gauge(&mut self) -> Value {
        let (treated, control) = self.rows(|setting, host| {
            let level = 50.0 * (0.5 * setting.rng.normal()).exp();
            let (mut own, noise) = (0.0, 0.02);
            let spread = noise / (1.0_f64 - 0.64).sqrt();
            (0..setting.steps())
                .map(|t| {
                    own = 0.8 * own + noise * setting.rng.normal();
                    let shifted = match setting.kind {
                        "level_shift" | "staggered_shift" => setting.harmed(host, t),
                        "partial" => host == 0 && setting.harmed(host, t),
                        _ => false,
                    };
                    let blip = setting.kind == "restart_blip" && setting.since(host, t).is_some_and(|since| since < GRACE);
                    let shift = if shifted || blip { 8.0 * spread } else { 0.0 };
                    level * (setting.common[t] + own + shift).exp()
                })
                .collect()
        });
        json!({"name": "load", "kind": "gauge", "direction": "both", "must_have": true, "treated": treated, "control": control})
    }

    /// A flow, read from a counter that restarts now and then, and at each host's change.
    fn flow(&mut self) -> Value {
        let (treated, control) = self.rows(|setting, host| {
            let rate = 20.0 + 60.0 * setting.rng.unit();
            let (mut counter, mut raw) = (1000.0, vec![(0, 1000.0)]);
            let step_ms = i64::from(setting.step_s) * 1000;
            for t in 0..setting.steps() {
                let harmed = setting.harmed(host, t);
                let part = match setting.kind {
                    "flow_stop" if harmed => 0.0,
                    "flow_share" if harmed => 0.6,
                    _ => 1.0,
                };
                let restarts = setting.since(host, t) == Some(0) || setting.rng.chance(0.005);
                counter = if restarts { 0.0 } else { counter } + setting.rng.poisson(rate * setting.common[t].exp() * part) as f64;
                raw.push((step_ms * (t as i64 + 1), counter));
            }
            let (from, to) = (Timestamp::from_ms(step_ms), Timestamp::from_ms(step_ms * (setting.steps() as i64 + 1)));
            resample(&raw, Reading::Counter, Span::from_ms(step_ms), from, to).into_iter().map(|sample| sample.value).collect()
        });
        json!({"name": "requests", "kind": "flow", "direction": "down", "must_have": true, "treated": treated, "control": control})
    }

    /// Errors, counted.
    fn errors(&mut self) -> Value {
        let (treated, control) = self.rows(|setting, host| {
            let rate = 2.0;
            (0..setting.steps())
                .map(|t| {
                    let burst = setting.kind == "error_burst"
                        && setting.since(host, t).is_some_and(|s| (setting.delay..setting.delay + 8).contains(&s));
                    let better = setting.kind == "improvement" && setting.since(host, t).is_some();
                    let rate = rate * setting.common[t].exp() * if burst { 8.0 } else { 1.0 } * if better { 0.0 } else { 1.0 };
                    setting.rng.poisson(rate) as f64
                })
                .collect()
        });
        json!({"name": "errors", "kind": "count", "direction": "up", "must_have": true, "treated": treated, "control": control})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_case_and_every_row_is_whole() {
        for seed in 0..40 {
            let case = case(seed);
            assert_eq!(case, super::case(seed));
            let steps = case["past"].as_u64().unwrap() as usize + HORIZON;
            for signal in case["signals"].as_array().unwrap() {
                for side in ["treated", "control"] {
                    assert!(
                        signal[side].as_array().unwrap().iter().all(|row| row.as_array().unwrap().len() == steps),
                        "seed {seed} {side}"
                    );
                }
            }
            assert_eq!(case["onsets"].as_array().unwrap().len(), case["label"]["k"].as_u64().unwrap() as usize);
        }
    }

    #[test]
    fn every_kind_comes_up() {
        let kinds: std::collections::BTreeSet<String> = (0..300).map(|seed| Setting::draw(seed).kind.to_owned()).collect();
        assert_eq!(kinds.len(), KINDS.len(), "{kinds:?}");
    }
}

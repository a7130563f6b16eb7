//! Recorded cases at other moments: what is recorded before a change is turned, so that a change is pretended at another moment of it, and
//! harm or something harmless is put into the steps after it. What the hosts did by themselves is as real as it was, with incidents that
//! nobody labelled, and one seam where its ends were joined. Kinds, sizes and how often each comes up are those of the recorded cases, but
//! that no data are missing, and that the steepest hours of the day are moments as any other.

use belay_stats::Rng;
use belay_stats::robust::mad;
use serde_json::{Value, json};

use super::{GRACE, HORIZON};

/// What happens, whether it is harm, and how often it comes up.
const KINDS: [(&str, bool, u64); 13] = [
    ("level_shift", true, 24),
    ("ramp", true, 11),
    ("variance", true, 25),
    ("flatline_zero", true, 20),
    ("stuck", true, 17),
    ("error_burst", true, 15),
    ("delayed", true, 14),
    ("periodic_dip", true, 16),
    ("partial", true, 17),
    ("clean", false, 47),
    ("fleet_shock", false, 30),
    ("restart_blip", false, 34),
    ("improvement", false, 31),
];

/// A count whose past hardly varies, and failures out of three places: what a robust SD stands for there.
const COUNT_SD_MIN: f64 = 0.31;
const CHECK_SD: f64 = 0.15;
/// Places that a check is made from.
const PLACES: f64 = 3.0;
/// Steps over which a ramp grows.
const RAMP: f64 = 30.0;

type Row = Vec<Option<f64>>;

/// One signal, turned.
struct Signal {
    name: Value,
    kind: String,
    direction: Value,
    must_have: Value,
    treated: Vec<Row>,
    peers: Vec<Row>,
}

/// A recorded case, turned.
struct Moment {
    rng: Rng,
    /// Steps before the moment, and of a day.
    past: usize,
    season: usize,
    signals: Vec<Signal>,
}

/// What befalls the changed hosts: a size in robust SD at each step after the change.
struct Harm {
    kind: &'static str,
    sizes: [f64; HORIZON],
    onset: usize,
    delta: f64,
}

/// The case of a seed, made of one of the recorded ones, as one JSON object; none where that has too little past.
#[must_use]
pub fn moment(recorded: &[Value], seed: u64) -> Option<Value> {
    let mut rng = Rng::new(0x6d6f_6d65).fork(seed);
    let of = recorded.get(rng.below(recorded.len() as u64) as usize)?;
    let mut moment = Moment::of(of, rng)?;
    let (treated, peers) = (moment.signals.first()?.treated.len(), moment.signals.first()?.peers.len());
    let fits = |kind: &str| match kind {
        "partial" => treated > 1,
        "fleet_shock" => peers > 0,
        _ => true,
    };
    let (kind, bad, _) = drawn(&mut moment.rng, |kind| fits(kind));
    let harm = if bad { Some(moment.harm(kind)) } else { None };
    let affected = harm.as_ref().map(|harm| moment.strike(harm));
    if !bad {
        moment.stir(kind);
    }
    Some(json!({
        "id": format!("moment-{seed:06}"),
        "split": "moments",
        "source": of["id"],
        "step_s": of["step_s"],
        "past": moment.past,
        "horizon": HORIZON,
        "grace": GRACE,
        "season": moment.season,
        "signals": moment.signals.iter().map(Signal::written).collect::<Vec<_>>(),
        "label": {
            "bad": bad,
            "expect": if bad { "rejected" } else { "accepted" },
            "kind": kind,
            "onset": harm.as_ref().map(|harm| harm.onset),
            "affected": affected.into_iter().map(|place| moment.signals[place].name.clone()).collect::<Vec<_>>(),
            "delta": harm.as_ref().map(|harm| harm.delta),
            "k": treated,
            "m": peers,
            "same_role": of["label"]["same_role"],
        },
    }))
}

/// A kind, as often as each comes up among those that fit.
fn drawn(rng: &mut Rng, fits: impl Fn(&str) -> bool) -> (&'static str, bool, u64) {
    let fitting: Vec<_> = KINDS.into_iter().filter(|(kind, _, _)| fits(kind)).collect();
    let mut left = rng.below(fitting.iter().map(|(_, _, often)| often).sum());
    let at = fitting.iter().position(|(_, _, often)| {
        let here = left < *often;
        left = left.saturating_sub(*often);
        here
    });
    fitting[at.unwrap_or(0)]
}

impl Moment {
    fn of(recorded: &Value, mut rng: Rng) -> Option<Self> {
        let number = |key: &str| usize::try_from(recorded[key].as_u64()?).ok();
        let (whole, season) = (number("past")?, number("season")?);
        let past = whole.checked_sub(HORIZON).filter(|past| *past > 2 * season)?;
        let turn = rng.below(whole as u64) as usize;
        let row = |row: &Value| -> Option<Row> {
            let mut values: Row = row.as_array()?.get(..whole)?.iter().map(Value::as_f64).collect();
            values.rotate_left(turn);
            Some(values)
        };
        let rows = |rows: &Value| rows.as_array()?.iter().map(row).collect::<Option<Vec<_>>>();
        let signal = |signal: &Value| {
            Some(Signal {
                name: signal["name"].clone(),
                kind: signal["kind"].as_str()?.to_owned(),
                direction: signal["direction"].clone(),
                must_have: signal["must_have"].clone(),
                treated: rows(&signal["treated"])?,
                peers: rows(&signal["control"])?,
            })
        };
        let signals = recorded["signals"].as_array()?.iter().map(signal).collect::<Option<Vec<_>>>()?;
        Some(Self { rng, past, season, signals })
    }

    fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.rng.below(of.len() as u64) as usize]
    }

    fn harm(&mut self, kind: &'static str) -> Harm {
        let delta: f64 = match kind {
            "ramp" | "delayed" | "variance" => self.one_of(&[4.0, 4.0, 8.0]),
            "level_shift" => self.one_of(&[2.0, 4.0, 8.0]),
            _ => 8.0,
        };
        let onset = match kind {
            "flatline_zero" => self.one_of(&[GRACE, 12]),
            "delayed" => 14 + self.rng.below(15) as usize,
            "error_burst" => GRACE + self.rng.below(23) as usize,
            _ => GRACE,
        };
        let length = if kind == "error_burst" { 4 + self.rng.below(7) as usize } else { HORIZON };
        let size = |step: usize| match step.checked_sub(onset).filter(|since| *since < length) {
            Some(since) => match kind {
                "ramp" => delta * (since as f64 / RAMP).min(1.0),
                "periodic_dip" if since % 6 < 2 => -delta,
                "periodic_dip" => 0.0,
                _ => delta,
            },
            None => 0.0,
        };
        Harm { kind, sizes: std::array::from_fn(size), onset, delta }
    }

    /// Puts harm into one signal, and says which.
    fn strike(&mut self, harm: &Harm) -> usize {
        let gauges = |signal: &&(usize, &Signal)| signal.1.kind == "gauge";
        let only_gauges = matches!(harm.kind, "variance" | "flatline_zero" | "stuck" | "periodic_dip");
        let places: Vec<usize> =
            self.signals.iter().enumerate().filter(|signal| !only_gauges || gauges(&signal)).map(|(place, _)| place).collect();
        let place = self.one_of(&places);
        let up = self.signals[place].direction == "up" || harm.kind == "periodic_dip" || self.rng.chance(0.5);
        let hosts = self.signals[place].treated.len();
        let only = (harm.kind == "partial").then(|| self.rng.below(hosts as u64) as usize);
        for host in (0..hosts).filter(|host| only.is_none_or(|only| only == *host)) {
            let (past, season) = (self.past, self.season);
            let signal = &mut self.signals[place];
            let sd = signal.sd(host, past, season) * if up { 1.0 } else { -1.0 };
            let row = &mut signal.treated[host];
            let last = row[past + GRACE - 1];
            for (size, value) in harm.sizes.iter().zip(&mut row[past..]) {
                *value = match (harm.kind, *value) {
                    (_, value) if *size == 0.0 => value,
                    ("flatline_zero", Some(_)) => Some(0.0),
                    ("stuck", Some(_)) => last,
                    ("variance", Some(value)) => Some(value + sd * size * self.rng.normal()),
                    (_, Some(value)) => Some(moved(&mut self.rng, &signal.kind, value, sd * size)),
                    (_, None) => None,
                };
            }
            signal.kept_possible(host, past);
        }
        place
    }

    /// Does what harms nobody.
    fn stir(&mut self, kind: &str) {
        let from = self.past + self.rng.below(20) as usize;
        let factor = (0.2 + 0.4 * self.rng.unit()).copysign(if self.rng.chance(0.5) { 1.0 } else { -1.0 }).exp();
        for signal in &mut self.signals {
            for host in 0..signal.treated.len() {
                let blip = 8.0 * signal.sd(host, self.past, self.season);
                let after = &mut signal.treated[host][self.past..];
                match kind {
                    "restart_blip" if signal.kind == "gauge" => after[..GRACE].iter_mut().flatten().for_each(|value| *value += blip),
                    "improvement" if signal.kind != "gauge" => after.iter_mut().flatten().for_each(|value| *value = 0.0),
                    _ => {}
                }
            }
            if kind == "fleet_shock" {
                let rows = signal.treated.iter_mut().chain(&mut signal.peers);
                let after = rows.flat_map(|row| &mut row[from..]).flatten();
                match signal.kind.as_str() {
                    "gauge" => after.for_each(|value| *value *= factor),
                    "count" if factor > 1.0 => after.for_each(|value| *value += self.rng.poisson(*value * (factor - 1.0)) as f64),
                    "count" => after.for_each(|value| *value = (0..*value as u64).filter(|_| self.rng.chance(factor)).count() as f64),
                    _ => {}
                }
            }
        }
    }
}

/// A value, moved: a gauge by so much, a count by events that come on top, a check by places that fail.
fn moved(rng: &mut Rng, kind: &str, value: f64, by: f64) -> f64 {
    match kind {
        "count" => value + rng.poisson(by.max(0.0)) as f64,
        "check" => (value + (0..PLACES as u64).filter(|_| rng.chance((by / PLACES).clamp(0.0, 1.0))).count() as f64).min(PLACES),
        _ => value + by,
    }
}

impl Signal {
    /// The robust SD of what a host does from day to day.
    fn sd(&self, host: usize, past: usize, season: usize) -> f64 {
        let row = &self.treated[host][..past];
        let differences: Vec<f64> = row.iter().zip(&row[season..]).filter_map(|(a, b)| Some((*b)? - (*a)?)).collect();
        let sd = mad(&differences).unwrap_or(0.0) / std::f64::consts::SQRT_2;
        match self.kind.as_str() {
            "check" => CHECK_SD,
            "count" => sd.max(COUNT_SD_MIN),
            _ => sd,
        }
    }

    /// What never was below zero does not get there.
    fn kept_possible(&mut self, host: usize, past: usize) {
        let (before, after) = self.treated[host].split_at_mut(past);
        if before.iter().flatten().all(|value| *value >= 0.0) {
            after.iter_mut().flatten().for_each(|value| *value = value.max(0.0));
        }
    }

    fn written(&self) -> Value {
        let Signal { name, kind, direction, must_have, treated, peers } = self;
        json!({"name": name, "kind": kind, "direction": direction, "must_have": must_have, "treated": treated, "control": peers})
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Two hosts, two peers, and three signals of three days of a hundred steps.
    fn recorded() -> Value {
        let row = |host: usize, signal: usize| -> Vec<f64> {
            let mut rng = Rng::new((10 * signal + host) as u64);
            let level = [100.0, 5.0, 0.02][signal];
            (0..300 + HORIZON).map(|_| if signal == 0 { level + rng.normal() } else { rng.poisson(level) as f64 }).collect()
        };
        let signal = |i: usize, name: &str, kind: &str, direction: &str| {
            let rows = |hosts: std::ops::Range<usize>| hosts.map(|host| row(host, i)).collect::<Vec<_>>();
            json!({"name": name, "kind": kind, "direction": direction, "must_have": true, "treated": rows(0..2), "control": rows(2..4)})
        };
        let signals = [signal(0, "m1", "gauge", "both"), signal(1, "errors", "count", "up"), signal(2, "probe", "check", "up")];
        json!({"id": "dev-1-00000", "step_s": 300, "past": 300, "season": 100, "signals": signals, "label": {"same_role": true}})
    }

    #[test]
    fn every_kind_comes_up_in_cases_that_are_whole_and_the_same_each_time() {
        let recorded = [recorded()];
        let mut kinds = BTreeSet::new();
        for seed in 0..200 {
            let case = moment(&recorded, seed).expect("it has past enough");
            assert_eq!(Some(&case), moment(&recorded, seed).as_ref());
            let (label, signals) = (&case["label"], case["signals"].as_array().unwrap());
            kinds.insert(label["kind"].as_str().unwrap().to_owned());
            assert_eq!((label["bad"] == true, label["onset"].is_null()), (label["affected"] != json!([]), label["bad"] == false));
            let rows = signals.iter().flat_map(|signal| ["treated", "control"].map(|side| signal[side].as_array().unwrap())).flatten();
            let mut rows = rows.map(|row| row.as_array().unwrap());
            assert!(rows.all(|row| row.len() == 300 && row.iter().all(|value| value.as_f64().is_some_and(|value| value >= 0.0))));
        }
        assert_eq!(kinds.len(), KINDS.len(), "{kinds:?}");
    }

    #[test]
    fn harm_is_as_large_as_its_label_says_and_the_past_is_only_turned() {
        let recorded = [recorded()];
        let shift = |case: &Value| {
            let label = &case["label"];
            label["kind"] == "level_shift" && label["affected"] == json!(["m1"]) && label["delta"] == 8.0
        };
        let cases: Vec<Value> = (0..600).filter_map(|seed| moment(&recorded, seed)).filter(shift).collect();
        assert!(!cases.is_empty());
        for case in cases {
            let row: Vec<f64> = case["signals"][0]["treated"][0].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect();
            let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
            let (before, after) = (mean(&row[..252]), mean(&row[252 + GRACE..]));
            assert!(((after - before).abs() - 8.0).abs() < 2.0, "noise of SD 1, so 8: {before} {after}");
            assert!((before - 100.0).abs() < 0.5, "{before}");
        }
    }

    #[test]
    fn what_has_too_little_past_makes_no_case() {
        let mut short = recorded();
        short["season"] = json!(130);
        assert_eq!(moment(&[short], 1), None);
        assert_eq!(moment(&[], 1), None);
    }
}

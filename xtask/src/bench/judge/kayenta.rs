//! The rule of Kayenta's judge (spinnaker/kayenta, `kayenta-judge`), written anew from its description: per metric the interval of Mann
//! and Whitney against the peers, the share of metrics that pass, one look at the end.
//!
//! Hosts differ in level, so each is scaled by the mean of its own past: without that the rule rejects nearly everything. Where there are
//! no peers the same number of samples before the change stands in for them.

use super::cases::{Case, Signal, Worse};
use super::scorer::Verdict;
use super::series;

/// The two-sided 98 % quantile of the normal distribution.
const Z_98: f64 = 2.326_347_874;
/// The part of the estimated shift that the interval must exclude.
const TOLERANCE: f64 = 0.25;
const PASS_MARK: f64 = 75.0;

/// What a metric is classified as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Pass,
    Fail,
    NoData,
}

pub fn kayenta(case: &Case) -> Verdict {
    let classes: Vec<Class> = case.signals.iter().map(|signal| of_signal(case, signal)).collect();
    let last = case.signals.iter().flat_map(|signal| &signal.treated).map(Vec::len).max().unwrap_or(case.past) - 1;
    match marks(&classes) {
        // Without any data there is nothing to give marks for.
        None => Verdict::Inconclusive,
        Some(marks) if marks >= PASS_MARK => Verdict::Accepted,
        Some(_) => Verdict::Rejected { at: last.saturating_sub(case.past) as f64 },
    }
}

/// The share of metrics that pass, of those with data: what is silent has no say.
fn marks(classes: &[Class]) -> Option<f64> {
    let count = |wanted: Class| classes.iter().filter(|class| **class == wanted).count() as f64;
    let with_data = count(Class::Pass) + count(Class::Fail);
    (with_data > 0.0).then(|| count(Class::Pass) / with_data * 100.0)
}

fn of_signal(case: &Case, signal: &Signal) -> Class {
    let present = |values: &[f64]| values.iter().copied().filter(|value| value.is_finite()).collect::<Vec<f64>>();
    let from = case.past + case.grace;
    let changed = series::mean_of(&scaled(&signal.treated, case.past));
    let control = if signal.peers.is_empty() {
        let samples = changed.len().saturating_sub(case.past).min(case.past);
        present(&changed[case.past - samples..case.past])
    } else {
        present(series::mean_of(&scaled(&signal.peers, case.past)).get(from..).unwrap_or_default())
    };
    classify(&present(changed.get(from..).unwrap_or_default()), &control, signal.worse)
}

fn scaled(rows: &[Vec<f64>], past: usize) -> Vec<Vec<f64>> {
    let scale = |row: &Vec<f64>| {
        let level = series::mean(row[..past].iter().copied()).abs();
        // What was always zero has no level of its own.
        let level = if level > 0.0 { level } else { 1.0 };
        row.iter().map(|value| value / level).collect()
    };
    rows.iter().map(scale).collect()
}

fn classify(changed: &[f64], control: &[f64], worse: Worse) -> Class {
    if changed.is_empty() || control.is_empty() {
        return Class::NoData;
    }
    let shift = Shift::between(changed, control);
    let bound = TOLERANCE * shift.estimate.abs();
    let (high, low) = (shift.low > bound, shift.high < -bound);
    let failed = match worse {
        Worse::Both => high || low,
        Worse::Up => high,
        Worse::Down => low,
    };
    if failed { Class::Fail } else { Class::Pass }
}

/// By how much the first sample lies above the second (Hodges and Lehmann, "Estimates of location based on rank tests", 1963).
#[derive(Clone, Copy, Debug, PartialEq)]
struct Shift {
    estimate: f64,
    low: f64,
    high: f64,
}

impl Shift {
    /// Of two samples that are not empty.
    fn between(a: &[f64], b: &[f64]) -> Shift {
        let mut differences: Vec<f64> = a.iter().flat_map(|x| b.iter().map(move |y| x - y)).collect();
        differences.sort_by(f64::total_cmp);
        let (n, last) = (differences.len(), differences.len() - 1);
        let half = Z_98 * spread(a, b);
        let cut = ((n as f64 / 2.0 - half).round().max(0.0) as usize).min(last / 2);
        Shift { estimate: f64::midpoint(differences[last / 2], differences[n / 2]), low: differences[cut], high: differences[last - cut] }
    }
}

/// The standard deviation of the number of pairs in which one sample is larger, less what ties take from it.
fn spread(a: &[f64], b: &[f64]) -> f64 {
    let mut both = [a, b].concat();
    both.sort_by(f64::total_cmp);
    let cubes = |group: &[f64]| (group.len() as f64).powi(3) - group.len() as f64;
    let ties: f64 = both.chunk_by(|x, y| x == y).map(cubes).sum();
    let (m, n, all) = (a.len() as f64, b.len() as f64, both.len() as f64);
    (m * n / 12.0 * (all + 1.0 - ties / (all * (all - 1.0)))).max(0.0).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(from: f64, samples: usize) -> Vec<f64> {
        (0..samples).map(|t| from + (t * 7 % 10) as f64 / 10.0).collect()
    }

    #[test]
    fn the_interval_is_the_one_of_the_rank_test() {
        // By hand: 100 differences 3.5 + (i - j), without ties a spread of sqrt(100 * 21 / 12) = 13.2; 50 - 2.33 * 13.2 cuts 19 at each
        // end, and 15 of them are below i - j = -4, 21 are not above it.
        let (a, b): (Vec<f64>, Vec<f64>) = (1..=10).map(|i| (f64::from(i) + 3.5, f64::from(i))).unzip();
        let shift = Shift::between(&a, &b);
        assert_eq!((shift.estimate, shift.low, shift.high), (3.5, -0.5, 7.5));
        assert_eq!(Shift::between(&[2.0; 5], &[2.0; 9]), Shift { estimate: 0.0, low: 0.0, high: 0.0 });
    }

    #[test]
    fn a_shift_fails_in_the_direction_of_harm_only() {
        let (up, down, control) = (line(2.0, 40), line(0.0, 40), line(1.0, 40));
        for (changed, worse, class) in [
            (&up, Worse::Both, Class::Fail),
            (&up, Worse::Up, Class::Fail),
            (&up, Worse::Down, Class::Pass),
            (&down, Worse::Both, Class::Fail),
            (&down, Worse::Up, Class::Pass),
            (&control, Worse::Both, Class::Pass),
        ] {
            assert_eq!(classify(changed, &control, worse), class, "{worse:?}");
        }
        assert_eq!(classify(&[], &control, Worse::Both), Class::NoData);
    }

    #[test]
    fn one_of_three_fails_the_mark_and_silence_has_no_say() {
        use Class::{Fail, NoData, Pass};
        assert_eq!(marks(&[Pass, Pass, NoData]), Some(100.0));
        assert!(marks(&[Pass, Pass, Fail]).is_some_and(|marks| marks < PASS_MARK));
        assert_eq!(marks(&[NoData, NoData]), None);
    }

    #[test]
    fn levels_do_not_matter_and_the_look_is_at_the_end() {
        let peers = vec![line(1.0, 100), line(1.0, 100).iter().map(|v| v * 9.0).collect()];
        let case = |treated: Vec<f64>, peers: Vec<Vec<f64>>| Case {
            past: 50,
            grace: 2,
            season: 50,
            signals: vec![Signal { worse: Worse::Both, treated: vec![treated], peers }],
        };
        let times_five: Vec<f64> = line(1.0, 100).iter().map(|v| v * 5.0).collect();
        let mut stepped = times_five.clone();
        stepped[50..].iter_mut().for_each(|v| *v *= 2.0);
        for peers in [peers, Vec::new()] {
            assert_eq!(kayenta(&case(times_five.clone(), peers.clone())), Verdict::Accepted);
            assert_eq!(kayenta(&case(stepped.clone(), peers)), Verdict::Rejected { at: 49.0 });
        }
    }
}

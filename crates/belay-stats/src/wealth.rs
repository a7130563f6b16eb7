//! An anytime-valid bet against "nothing changed": whitened residuals, and capital that grows only if they stop being usual.
//!
//! Residuals are whitened by an autoregression of order three fitted on the past; the innovations are bet on against a Student t (see
//! [`crate::law`]): shifts of several sizes, and scales on the side of harm. The mean of the capitals is an e-process (Vovk and
//! Wang, "E-values: calibration, combination and applications", 2021; Waudby-Smith and Ramdas, 2024; redistribution of a part at every
//! step for late onsets: Shin, Ramdas and Rinaldo, "E-detectors", 2022). Half of the capital is kept back, which is as fair a bet as
//! any: quiet steps cannot eat it, so that harm that begins late finds something to be bet on it. The null is fitted, so the capital is
//! only nearly an e-value: its threshold is raised to what placebo stretches of the past reach.

use crate::law::Law;
use crate::ridge::Ridge;
use crate::robust::{centre_and_mad, finite, quantile};
use crate::share::Direction;

/// Order of the autoregression.
pub const ORDER: usize = 3;
/// Shifts that are bet on, in standardised units.
const SHIFTS: [f64; 4] = [0.5, 1.0, 2.0, 4.0];
/// Scales that are bet on.
const SCALES: [f64; 2] = [3.0, 8.0];
/// The part of the capital that is shared out anew at each step.
const SHARED: f64 = 0.02;
/// The part of the capital that is bet on nothing.
const KEPT_BACK: f64 = 0.5;
/// All bets there are.
const BETS: usize = 2 * SHIFTS.len() + SCALES.len();
/// What one step may do to a bet. Against a heavy law none gains more than 911 by one step; against a light one none may either, so that one
/// glitch proves nothing. Less gained is as fair a bet.
const MOST: f64 = 1e3;
const LEAST: f64 = 1e-13;
/// Innovations are standardised by a little more than their estimated size.
const WIDER: f64 = 1.1;

/// Makes innovations of residuals, standardised by the past.
#[derive(Debug, Clone, PartialEq)]
pub struct Whitener {
    ar: [f64; ORDER],
    centre: f64,
    /// Robust size of an innovation.
    pub scale: f64,
}

impl Whitener {
    /// Fits on the past (NaN is missing); `heavy` is the part of the plain SD below which the scale never falls.
    #[must_use]
    pub fn fit(past: &[f64], heavy: f64) -> Option<Whitener> {
        Some(Self::fit_and_follow(past, heavy)?.0)
    }

    /// As [`Whitener::fit`], and the standardised innovations of the past from the step on that has [`ORDER`] before it.
    #[must_use]
    pub fn fit_and_follow(past: &[f64], heavy: f64) -> Option<(Whitener, Vec<f64>)> {
        let zero = |v: f64| if v.is_finite() { v } else { 0.0 };
        if past.len() < 30 {
            return None;
        }
        let there: Vec<f64> = past.iter().map(|v| zero(*v)).collect();
        let rows = past.len() - ORDER;
        let lags: [&[f64]; ORDER] = std::array::from_fn(|i| &there[ORDER - 1 - i..][..rows]);
        let found = Ridge { lambda: 1e-6, intercept: false, solves: 4 }.fit(&lags, &past[ORDER..])?;
        let mut whitener = Whitener { ar: [found[0], found[1], found[2]], centre: 0.0, scale: 1.0 };
        // Where a value is missing so is its innovation; before others it stands for nothing, as in `there`.
        let next = |(t, y): (usize, &f64)| y - whitener.ar[0] * there[t + 2] - whitener.ar[1] * there[t + 1] - whitener.ar[2] * there[t];
        let all: Vec<f64> = past[ORDER..].iter().enumerate().map(next).collect();
        let mut innovations = finite(&all);
        let n = innovations.len() as f64;
        let mean = innovations.iter().sum::<f64>() / n;
        let sd = (innovations.iter().map(|w| (w - mean).powi(2)).sum::<f64>() / n).sqrt();
        let (centre, mad) = centre_and_mad(&mut innovations, sd)?;
        whitener.centre = centre;
        whitener.scale = mad.max(heavy * sd).max(0.001);
        let standardised = all.iter().map(|w| (w - whitener.centre) / (WIDER * whitener.scale)).collect();
        Some((whitener, standardised))
    }

    /// The standardised innovation of a value, given those before it, the latest first; NaN where the value is missing.
    #[must_use]
    pub fn next(&self, value: f64, before: [f64; ORDER]) -> f64 {
        let lag = |i: usize| if before[i].is_finite() { before[i] } else { 0.0 };
        let innovation = value - self.ar[0] * lag(0) - self.ar[1] * lag(1) - self.ar[2] * lag(2);
        (innovation - self.centre) / (WIDER * self.scale)
    }
}

/// The capital of all bets while innovations arrive.
#[derive(Debug, Clone, PartialEq)]
pub struct Wealth {
    capital: [f64; BETS],
    kept_back: f64,
    direction: Direction,
    law: Law,
    ln_e: f64,
}

impl Wealth {
    /// Begins with what is not kept back in equal parts on each bet.
    #[must_use]
    pub fn new(direction: Direction, law: Law) -> Wealth {
        Wealth { capital: begun(direction), kept_back: KEPT_BACK, direction, law, ln_e: 0.0 }
    }

    /// Takes the next standardised innovation; NaN says nothing.
    pub fn step(&mut self, z: f64) {
        if z.is_finite() {
            let factors = factors(z, self.direction, self.law);
            self.capital.iter_mut().zip(&factors).for_each(|(capital, factor)| *capital *= factor);
        }
        let total = total(&self.capital) + self.kept_back;
        self.ln_e += total.ln();
        let left = (1.0 - SHARED) / total;
        self.capital.iter_mut().zip(begun(self.direction)).for_each(|(capital, begun)| *capital = *capital * left + SHARED * begun);
        self.kept_back = self.kept_back * left + SHARED * KEPT_BACK;
    }

    /// The natural logarithm of the evidence after the steps so far.
    #[must_use]
    pub fn ln_e(&self) -> f64 {
        self.ln_e
    }
}

/// What each bet begins with; nothing on those the other way where that is no harm.
fn begun(direction: Direction) -> [f64; BETS] {
    let bets = if direction == Direction::Both { BETS } else { SHIFTS.len() + SCALES.len() };
    std::array::from_fn(|i| if i < bets { (1.0 - KEPT_BACK) / bets as f64 } else { 0.0 })
}

/// The likelihood ratios of all bets: shifts towards harm, wider scales on the side of harm only, so that an improvement earns nothing,
/// and shifts the other way, which are bet on where both are harm.
fn factors(z: f64, direction: Direction, law: Law) -> [f64; BETS] {
    let z = if direction == Direction::Down { -z } else { z };
    let narrow = direction != Direction::Both && z <= 0.0;
    let mut below = [0.0; BETS];
    let mut gain = [1.0; BETS];
    for (i, shift) in SHIFTS.iter().enumerate() {
        below[i] = z - shift;
        below[i + SHIFTS.len() + SCALES.len()] = z + shift;
    }
    for (i, c) in SCALES.iter().enumerate() {
        below[i + SHIFTS.len()] = if narrow { z } else { z / c };
        gain[i + SHIFTS.len()] = if direction == Direction::Both { 1.0 / c } else { 2.0 / (1.0 + c) };
    }
    let usual = law.kernel(z);
    let mut ratios = below.map(|z| usual / law.kernel(z));
    law.raise(&mut ratios);
    ratios.iter_mut().zip(gain).for_each(|(ratio, gain)| *ratio = (*ratio * gain).clamp(LEAST, MOST));
    ratios
}

/// How many placebo stretches of `length` innovations, one begun every `stride` steps, there are in so many.
#[must_use]
pub fn stretches(innovations: usize, length: usize, stride: usize) -> usize {
    innovations.checked_sub(length).map_or(0, |room| room / stride.max(1) + 1)
}

/// How far the evidence gets where nothing happened: the most over each placebo stretch of `length` innovations, one begun every
/// `stride` steps.
///
/// What a bet makes of an innovation is the same in all stretches, and computed once; capitals are left as they grow, so that their sum
/// is the evidence and no step needs a logarithm.
#[must_use]
pub fn guard(innovations: &[f64], length: usize, stride: usize, direction: Direction, law: Law) -> Vec<f64> {
    let begins = (0..stretches(innovations.len(), length, stride)).map(|i| i * stride.max(1));
    let factors: Vec<[f64; BETS]> =
        innovations.iter().map(|z| if z.is_finite() { factors(*z, direction, law) } else { [1.0; BETS] }).collect();
    let begun = begun(direction);
    let largest = |from: usize| {
        let (mut capital, mut kept_back) = (begun, KEPT_BACK);
        let (mut most, mut shed) = (f64::NEG_INFINITY, 0.0);
        let mut most_since = 0.0_f64;
        for factors in &factors[from..from + length] {
            capital.iter_mut().zip(factors).for_each(|(capital, factor)| *capital *= factor);
            let total = total(&capital) + kept_back;
            most_since = most_since.max(total);
            let shared = SHARED * total;
            capital.iter_mut().zip(&begun).for_each(|(capital, begun)| *capital = *capital * (1.0 - SHARED) + shared * begun);
            kept_back = kept_back * (1.0 - SHARED) + shared * KEPT_BACK;
            if !(1e-200..1e200).contains(&total) {
                most = f64::max(most, shed + most_since.ln());
                shed += total.ln();
                most_since = 0.0;
                capital.iter_mut().chain([&mut kept_back]).for_each(|capital| *capital /= total);
            }
        }
        most.max(shed + most_since.ln())
    };
    begins.map(largest).collect()
}

/// The sum of all capitals, by halves.
fn total(c: &[f64; BETS]) -> f64 {
    ((c[0] + c[1]) + (c[2] + c[3])) + ((c[4] + c[5]) + (c[6] + c[7])) + (c[8] + c[9])
}

/// What nearly all placebo stretches stay below: the 98 % quantile of their maxima; infinite where there are none.
#[must_use]
pub fn reached(maxima: &[f64]) -> f64 {
    quantile(maxima, 0.98).unwrap_or(f64::INFINITY)
}

/// The threshold of a guarded process: what validity asks for, and more than what placebo stretches reached. `streams` take part in the
/// budget of which `alpha` is the part of this one.
#[must_use]
pub fn threshold(reached: f64, alpha: f64, streams: f64) -> f64 {
    (1.0 / alpha).ln().max(reached + 0.5 * streams.max(1.0).ln() + 0.7)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::law::Nature;
    use crate::rng::Rng;

    /// The law of innovations that are normal.
    fn light() -> Law {
        let mut rng = Rng::new(7);
        Law::of(Nature::Counted, &(0..500).map(|_| rng.normal()).collect::<Vec<_>>())
    }

    #[test]
    fn the_evidence_agrees_with_the_reference() {
        let table = include_str!("../reference/wealth.tsv");
        let mut seen = 0;
        for line in table.lines().filter(|line| !line.starts_with('#')) {
            let cells: Vec<Vec<f64>> = line.split('\t').map(|c| c.split(' ').map(|v| v.parse().unwrap()).collect()).collect();
            let direction = if cells[0][0] == 1.0 { Direction::Both } else { Direction::Up };
            let law = if cells[0][1] == 3.0 { Law::HEAVY } else { light() };
            assert_eq!(law.freedom(), cells[0][1]);
            let mut wealth = Wealth::new(direction, law);
            for (z, expected) in cells[1].iter().zip(&cells[2]) {
                wealth.step(*z);
                assert!((wealth.ln_e() - expected).abs() <= 1e-10 * expected.abs().max(1.0), "{} {expected}", wealth.ln_e());
                seen += 1;
            }
        }
        assert_eq!(seen, 120);
    }

    #[test]
    fn the_guard_reaches_what_the_process_reaches_over_each_stretch() {
        let mut rng = Rng::new(3);
        let mut innovations: Vec<f64> = (0..300).map(|_| rng.normal()).collect();
        innovations[50] = f64::NAN;
        innovations[100..260].iter_mut().for_each(|z| *z *= 1e4);
        for (direction, law) in [(Direction::Both, Law::HEAVY), (Direction::Up, light()), (Direction::Down, Law::HEAVY)] {
            let maxima = guard(&innovations, 120, 12, direction, law);
            assert_eq!((maxima.len(), stretches(300, 120, 12)), (16, 16));
            for (i, most) in maxima.iter().enumerate() {
                let mut wealth = Wealth::new(direction, law);
                let looks = innovations[12 * i..12 * i + 120].iter().map(|z| {
                    wealth.step(*z);
                    wealth.ln_e()
                });
                let expected = looks.fold(f64::NEG_INFINITY, f64::max);
                assert!((most - expected).abs() <= 1e-9 * expected.abs().max(1.0), "{most} {expected}");
            }
        }
        assert_eq!((guard(&innovations[..119], 120, 12, Direction::Up, Law::HEAVY), stretches(119, 120, 12)), (vec![], 0));
    }

    #[test]
    fn an_improvement_earns_nothing_where_only_the_other_side_is_harm() {
        let run = |direction, z: f64| {
            let mut wealth = Wealth::new(direction, Law::HEAVY);
            (0..20).for_each(|_| wealth.step(z));
            wealth.ln_e()
        };
        assert!(run(Direction::Up, -6.0) < 0.0 && run(Direction::Down, 6.0) < 0.0);
        assert!(run(Direction::Up, 6.0) > 5.0 && run(Direction::Down, -6.0) > 5.0 && run(Direction::Both, -6.0) > 5.0);
    }

    #[test]
    fn quiet_steps_do_not_eat_what_late_harm_is_bet_with() {
        let mut wealth = Wealth::new(Direction::Both, Law::HEAVY);
        (0..46).for_each(|_| wealth.step(0.0));
        assert!(wealth.ln_e() > -1.3, "{}", wealth.ln_e());
        (0..4).for_each(|_| wealth.step(6.0));
        assert!(wealth.ln_e() > 5.0, "{}", wealth.ln_e());
    }

    #[test]
    fn light_steps_prove_more_and_one_alone_still_buys_little() {
        let after = |law, steps: usize, z: f64| {
            let mut wealth = Wealth::new(Direction::Up, law);
            (0..20).for_each(|_| wealth.step(0.0));
            (0..steps).for_each(|_| wealth.step(z));
            wealth.ln_e()
        };
        assert!(after(light(), 8, 3.0) > after(Law::HEAVY, 8, 3.0) + 5.0, "{} {}", after(light(), 8, 3.0), after(Law::HEAVY, 8, 3.0));
        assert!(after(light(), 1, 100.0) < 3.0, "{}", after(light(), 1, 100.0));
    }

    #[test]
    fn whitening_finds_the_autoregression_and_one_step_alone_buys_little() {
        let mut rng = Rng::new(11);
        let mut series = vec![0.0];
        for t in 1..2_000 {
            let next = 0.8 * series[t - 1] + rng.normal();
            series.push(next);
        }
        let whitener = Whitener::fit(&series, 0.25).unwrap();
        assert!((whitener.ar.iter().sum::<f64>() - 0.8).abs() < 0.05 && (whitener.scale - 1.0).abs() < 0.1, "{whitener:?}");
        let mut wealth = Wealth::new(Direction::Both, Law::HEAVY);
        wealth.step(1e6);
        assert!(wealth.ln_e() < 5.0, "{}", wealth.ln_e());
    }
}

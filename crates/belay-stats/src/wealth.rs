//! An anytime-valid bet against "nothing changed": whitened residuals, and capital that grows only if they stop being usual.
//!
//! Residuals are whitened by an autoregression of order three fitted on the past; the innovations are bet on against a Student t with
//! three degrees of freedom: shifts of several sizes, and scales on the side of harm. The mean of the capitals is an e-process (Vovk and
//! Wang, "E-values: calibration, combination and applications", 2021; Waudby-Smith and Ramdas, 2024; redistribution of a part at every
//! step for late onsets: Shin, Ramdas and Rinaldo, "E-detectors", 2022). The null is fitted, so the capital is only nearly an e-value:
//! its threshold is raised to what placebo stretches of the past reach.

use crate::ridge::Ridge;
use crate::robust::{mad, median, quantile};
use crate::share::Direction;

/// Order of the autoregression.
const ORDER: usize = 3;
/// Shifts that are bet on, in standardised units.
const SHIFTS: [f64; 4] = [0.5, 1.0, 2.0, 4.0];
/// Scales that are bet on.
const SCALES: [f64; 2] = [3.0, 8.0];
/// The part of the capital that is shared out anew at each step.
const SHARED: f64 = 0.02;
/// What one step may do to the logarithm of a bet.
const STEP_MAX: f64 = 30.0;
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
        let zero = |v: f64| if v.is_finite() { v } else { 0.0 };
        if past.len() < 30 {
            return None;
        }
        let rows: Vec<f64> = (ORDER..past.len()).flat_map(|t| [zero(past[t - 1]), zero(past[t - 2]), zero(past[t - 3])]).collect();
        let found = Ridge { lambda: 1e-6, intercept: false, solves: 4 }.fit(&rows, &past[ORDER..], ORDER)?;
        let mut whitener = Whitener { ar: [found[0], found[1], found[2]], centre: 0.0, scale: 1.0 };
        let innovations: Vec<f64> = (ORDER..past.len()).map(|t| whitener.innovation(past, t)).filter(|w| w.is_finite()).collect();
        let n = innovations.len() as f64;
        let mean = innovations.iter().sum::<f64>() / n;
        let sd = (innovations.iter().map(|w| (w - mean).powi(2)).sum::<f64>() / n).sqrt();
        whitener.centre = median(&innovations)?;
        whitener.scale = mad(&innovations)?.max(heavy * sd).max(0.001);
        Some(whitener)
    }

    fn innovation(&self, series: &[f64], t: usize) -> f64 {
        let lag = |i: usize| if t >= i && series[t - i].is_finite() { series[t - i] } else { 0.0 };
        series[t] - self.ar[0] * lag(1) - self.ar[1] * lag(2) - self.ar[2] * lag(3)
    }

    /// The innovation at step `t` of a series, in the unit of the series, minus its usual centre; NaN where the value is missing.
    #[must_use]
    pub fn at(&self, series: &[f64], t: usize) -> f64 {
        self.innovation(series, t) - self.centre
    }

    /// As [`Whitener::at`], in standardised units.
    #[must_use]
    pub fn standardised(&self, series: &[f64], t: usize) -> f64 {
        self.at(series, t) / (WIDER * self.scale)
    }
}

/// The capital of all bets while innovations arrive.
#[derive(Debug, Clone, PartialEq)]
pub struct Wealth {
    capital: [f64; 10],
    bets: usize,
    direction: Direction,
    ln_e: f64,
}

impl Wealth {
    /// Begins with equal capitals.
    #[must_use]
    pub fn new(direction: Direction) -> Wealth {
        let bets = if direction == Direction::Both { 10 } else { 6 };
        let mut capital = [0.0; 10];
        capital[..bets].fill(1.0 / bets as f64);
        Wealth { capital, bets, direction, ln_e: 0.0 }
    }

    /// Takes the next standardised innovation; NaN says nothing.
    pub fn step(&mut self, z: f64) {
        let mut total = 0.0;
        for (i, capital) in self.capital[..self.bets].iter_mut().enumerate() {
            if z.is_finite() {
                *capital *= factor(i, z, self.direction);
            }
            total += *capital;
        }
        self.ln_e += total.ln();
        let (kept, share) = ((1.0 - SHARED) / total, SHARED / self.bets as f64);
        self.capital[..self.bets].iter_mut().for_each(|capital| *capital = *capital * kept + share);
    }

    /// The natural logarithm of the evidence after the steps so far.
    #[must_use]
    pub fn ln_e(&self) -> f64 {
        self.ln_e
    }
}

/// The likelihood ratio of a bet: a shift, or a wider scale on the side of harm only, so that an improvement earns nothing.
fn factor(bet: usize, z: f64, direction: Direction) -> f64 {
    let z = if direction == Direction::Down { -z } else { z };
    let usual = 1.0 + z * z / 3.0;
    let ratio = if bet < SHIFTS.len() {
        square(usual / (1.0 + square(z - SHIFTS[bet]) / 3.0))
    } else if bet < SHIFTS.len() + SCALES.len() {
        let c = SCALES[bet - SHIFTS.len()];
        match direction {
            Direction::Both => square(usual / (1.0 + square(z / c) / 3.0)) / c,
            Direction::Up | Direction::Down if z > 0.0 => 2.0 / (1.0 + c) * square(usual / (1.0 + square(z / c) / 3.0)),
            Direction::Up | Direction::Down => 2.0 / (1.0 + c),
        }
    } else {
        square(usual / (1.0 + square(z + SHIFTS[bet - SHIFTS.len() - SCALES.len()]) / 3.0))
    };
    ratio.clamp((-STEP_MAX).exp(), STEP_MAX.exp())
}

fn square(x: f64) -> f64 {
    x * x
}

/// How far the evidence gets where nothing happened: the `q`-quantile over placebo stretches of `length` innovations, one begun every
/// `stride` steps. `None` if there are fewer than `least`.
#[must_use]
pub fn guard(innovations: &[f64], length: usize, stride: usize, direction: Direction, least: usize) -> Option<Vec<f64>> {
    let largest = |from: usize| {
        let mut wealth = Wealth::new(direction);
        let mut most = f64::NEG_INFINITY;
        for z in &innovations[from..from + length] {
            wealth.step(*z);
            most = most.max(wealth.ln_e());
        }
        most
    };
    let room = innovations.len().checked_sub(length)?;
    let maxima: Vec<f64> = (0..=room).step_by(stride.max(1)).map(largest).collect();
    (maxima.len() >= least).then_some(maxima)
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
    use crate::rng::Rng;

    #[test]
    fn the_evidence_agrees_with_the_reference() {
        let table = include_str!("../reference/wealth.tsv");
        let mut seen = 0;
        for line in table.lines().filter(|line| !line.starts_with('#')) {
            let cells: Vec<Vec<f64>> = line.split('\t').map(|c| c.split(' ').map(|v| v.parse().unwrap()).collect()).collect();
            let direction = if cells[0][0] == 1.0 { Direction::Both } else { Direction::Up };
            let mut wealth = Wealth::new(direction);
            for (z, expected) in cells[1].iter().zip(&cells[2]) {
                wealth.step(*z);
                assert!((wealth.ln_e() - expected).abs() <= 1e-10 * expected.abs().max(1.0), "{} {expected}", wealth.ln_e());
                seen += 1;
            }
        }
        assert_eq!(seen, 60);
    }

    #[test]
    fn an_improvement_earns_nothing_where_only_the_other_side_is_harm() {
        let run = |direction, z: f64| {
            let mut wealth = Wealth::new(direction);
            (0..20).for_each(|_| wealth.step(z));
            wealth.ln_e()
        };
        assert!(run(Direction::Up, -6.0) < 0.0 && run(Direction::Down, 6.0) < 0.0);
        assert!(run(Direction::Up, 6.0) > 5.0 && run(Direction::Down, -6.0) > 5.0 && run(Direction::Both, -6.0) > 5.0);
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
        let mut wealth = Wealth::new(Direction::Both);
        wealth.step(1e6);
        assert!(wealth.ln_e() < 5.0, "{}", wealth.ln_e());
    }
}

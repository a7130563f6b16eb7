//! Placebo changes in time: how large an effect looks when there was none.
//!
//! The statistic is asked of many moments of the past at which nothing happened. They carry the same autocorrelation, season and drift
//! as the moment in question, which no formula for independent samples does (Bertrand, Duflo and Mullainathan, "How much should we
//! trust differences-in-differences estimates?", 2004; Chernozhukov, Wuethrich and Zhu, "An exact and robust conformal inference method
//! for counterfactual and synthetic controls", 2021). The maximum over all window lengths and all looks is inside the calibration:
//! looking after every sample is paid for.

use crate::robust::{MAD_TO_SD, median_in_place, quantile_of_sorted};
use crate::share::Direction;

/// Window lengths over which an effect is averaged, in steps.
pub const WIDTHS: [usize; 5] = [1, 3, 6, 12, 24];

/// The spread changes slowly from look to look: it is measured at every so many.
const STRIDE: usize = 4;

/// The part of a window that must be there.
const PRESENT: f64 = 0.6;

/// Placebo changes that are needed before their quantiles are believed.
pub const PLACEBOS_MIN: usize = 24;

/// The shape of a question: what is compared with what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Steps before a change whose median is the level before it.
    pub base: usize,
    /// Steps after a change that do not count.
    pub grace: usize,
    /// Steps after a change that are looked at.
    pub horizon: usize,
}

/// Means over windows that end at each step; `[look][width]`, NaN where undefined.
pub type Means = Vec<[f64; WIDTHS.len()]>;

impl Shape {
    /// The means of `v`, the values since a change minus the level before it, over the last steps at each look.
    #[must_use]
    pub fn means(&self, v: &[f64]) -> Means {
        let mut sums = Vec::with_capacity(v.len() + 1);
        let (mut sum, mut count) = (0.0, 0.0);
        sums.push((sum, count));
        for (h, value) in v.iter().enumerate() {
            if h >= self.grace && value.is_finite() {
                sum += value;
                count += 1.0;
            }
            sums.push((sum, count));
        }
        let mean = |h: usize, width: usize| {
            if h + 1 < self.grace + width {
                return f64::NAN;
            }
            let (now, then) = (sums[h + 1], sums[h + 1 - width]);
            let there = now.1 - then.1;
            if there >= (PRESENT * width as f64).max(1.0) { (now.0 - then.0) / there } else { f64::NAN }
        };
        (0..v.len()).map(|h| WIDTHS.map(|width| mean(h, width))).collect()
    }

    /// The level before step `at`: the median of the last values before it; NaN if none is there.
    #[must_use]
    pub fn level(&self, series: &[f64], at: usize) -> f64 {
        let mut before: Vec<f64> = series[at.saturating_sub(self.base)..at].iter().copied().filter(|v| v.is_finite()).collect();
        median_in_place(&mut before).unwrap_or(f64::NAN)
    }

    /// The moments of a past of `until` steps, from `from` on, at which a placebo change is asked.
    #[must_use]
    pub fn moments(&self, from: usize, until: usize) -> Vec<usize> {
        let first = from + self.base;
        let room = until.saturating_sub(self.horizon).saturating_sub(first);
        let stride = (room / 64).clamp(1, 4);
        (first..(first + room)).step_by(stride).collect()
    }
}

/// The side of harm: how bad a deviation is.
#[must_use]
pub fn side(direction: Direction, z: f64) -> f64 {
    match direction {
        Direction::Both => z.abs(),
        Direction::Up => z,
        Direction::Down => -z,
    }
}

/// How large the statistic is where nothing happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Reference {
    /// Usual size of each mean, `[look][width]`.
    spread: Means,
    /// Quantiles of the largest standardised deviation of a placebo: 50, 90 and 98 %.
    pub quantiles: [f64; 3],
    /// Scale of the exponential tail beyond the 90 % quantile.
    pub slope: f64,
    /// Placebo changes it rests on.
    pub placebos: usize,
    direction: Direction,
}

impl Reference {
    /// Calibrates on placebo changes, each given by its [`Means`]; `floor` is the smallest noise of one value that is believed.
    /// `None` if there are fewer than [`PLACEBOS_MIN`].
    #[must_use]
    pub fn of(placebos: &[Means], floor: f64, direction: Direction) -> Option<Reference> {
        let looks = placebos.first()?.len();
        if placebos.len() < PLACEBOS_MIN {
            return None;
        }
        let raw = interpolated(placebos, looks);
        let spread = smoothed(&raw, floor);
        let mut reference = Reference { spread, quantiles: [0.0; 3], slope: 0.0, placebos: placebos.len(), direction };
        let mut largest: Vec<f64> = placebos
            .iter()
            .map(|m| reference.deviations(m).into_iter().fold(f64::NEG_INFINITY, f64::max))
            .filter(|g| g.is_finite())
            .collect();
        if largest.len() < PLACEBOS_MIN {
            return None;
        }
        largest.sort_unstable_by(f64::total_cmp);
        reference.quantiles = [0.5, 0.9, 0.98].map(|q| quantile_of_sorted(&largest, q).unwrap_or(f64::INFINITY));
        reference.slope = ((reference.quantiles[1] - reference.quantiles[0]) / 5f64.ln()).max(0.25);
        Some(reference)
    }

    /// The largest standardised deviation towards harm at each look, over the window lengths; minus infinity where none is defined.
    #[must_use]
    pub fn deviations(&self, means: &Means) -> Vec<f64> {
        let worst = |(mean, spread): (&[f64; 5], &[f64; 5])| {
            let sides = mean.iter().zip(spread).map(|(x, d)| side(self.direction, x / d));
            sides.filter(|z| z.is_finite()).fold(f64::NEG_INFINITY, f64::max)
        };
        means.iter().zip(&self.spread).map(worst).collect()
    }

    /// The deviation that a placebo exceeds at any look with probability `alpha`, by the tail beyond the 90 % quantile.
    #[must_use]
    pub fn threshold(&self, alpha: f64) -> f64 {
        let tail = self.quantiles[1] + self.slope * (0.1 / alpha).ln();
        self.quantiles[2].max(tail)
    }

    /// The tail value of a largest deviation: how often a placebo is at least as large (1 below the median).
    #[must_use]
    pub fn p_value(&self, largest: f64) -> f64 {
        let [q50, q90, _] = self.quantiles;
        if largest >= q90 {
            0.1 * (-(largest - q90) / self.slope).exp()
        } else if largest <= q50 {
            0.5 + 0.5 * f64::from(u8::from(largest < q50))
        } else {
            0.5 - 0.4 * (largest - q50) / (q90 - q50)
        }
    }

    /// The usual size of the mean over the window length with this index at a look.
    #[must_use]
    pub fn spread(&self, look: usize, width: usize) -> f64 {
        self.spread[look.min(self.spread.len() - 1)][width]
    }
}

/// The spread at every look, measured at every [`STRIDE`]th and at the last.
fn interpolated(placebos: &[Means], looks: usize) -> Means {
    let grid: Vec<usize> = (0..looks).step_by(STRIDE).chain([looks - 1]).collect();
    let measured: Means = grid.iter().map(|&h| std::array::from_fn(|w| spread(placebos, h, w))).collect();
    let between = |h: usize, w: usize| {
        let (below, above) = (measured[h / STRIDE][w], measured[(h.div_ceil(STRIDE)).min(grid.len() - 1)][w]);
        let part = (h % STRIDE) as f64 / STRIDE as f64;
        if below.is_finite() { below + part * (above - below) } else { above }
    };
    let defined = |h: usize, w: usize| placebos.iter().any(|m| m[h][w].is_finite());
    (0..looks).map(|h| std::array::from_fn(|w| if defined(h, w) { between(h, w) } else { f64::NAN })).collect()
}

fn spread(placebos: &[Means], h: usize, w: usize) -> f64 {
    let mut sizes: Vec<f64> = placebos.iter().map(|m| m[h][w].abs()).filter(|x| x.is_finite()).map(|x| x.min(1e9)).collect();
    if sizes.is_empty() {
        return f64::NAN;
    }
    let rms = (sizes.iter().map(|x| x * x).sum::<f64>() / sizes.len() as f64).sqrt();
    (0.5 * rms).max(MAD_TO_SD * median_in_place(&mut sizes).unwrap_or(0.0))
}

fn smoothed(raw: &Means, floor: f64) -> Means {
    let overall: [f64; WIDTHS.len()] = std::array::from_fn(|w| {
        let there = || raw.iter().map(|row| row[w]).filter(|d| d.is_finite());
        there().sum::<f64>() / there().count().max(1) as f64
    });
    let one = |d: f64, w: usize| if d.is_finite() { (0.5 * d + 0.5 * overall[w]).max(floor / (WIDTHS[w] as f64).sqrt()) } else { f64::NAN };
    raw.iter().map(|row| std::array::from_fn(|w| one(row[w], w))).collect()
}

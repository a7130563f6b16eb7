//! Placebo changes in time: how large an effect looks when there was none.
//!
//! The statistic is asked of many moments of the past at which nothing happened. They carry the same autocorrelation, season and drift
//! as the moment in question, which no formula for independent samples does (Bertrand, Duflo and Mullainathan, "How much should we
//! trust differences-in-differences estimates?", 2004; Chernozhukov, Wuethrich and Zhu, "An exact and robust conformal inference method
//! for counterfactual and synthetic controls", 2021). The maximum over all window lengths and all looks is inside the calibration:
//! looking after every sample is paid for.

mod reference;

pub use self::reference::Reference;
use crate::medians;
use crate::ridge::dot;
use crate::robust::{MAD_TO_SD, finite, median_in_place, middle_within};
use crate::share::Direction;

/// Window lengths over which an effect is averaged, in steps.
pub const WIDTHS: [usize; 5] = [1, 3, 6, 12, 24];

/// The spread changes slowly from look to look: it is measured at every so many.
const STRIDE: usize = 8;

/// No deviation counts for more than this.
const CLIPPED: f64 = 1e9;

/// The median size of what is normal, as a part of its root mean square.
const NORMAL: f64 = 1.0 / MAD_TO_SD;

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

/// Means over windows that end at a step, one for each of [`WIDTHS`]; NaN where undefined.
pub type Means = [f64; WIDTHS.len()];

impl Shape {
    /// The level before step `at`: the median of the values in the steps just before it, or of as many last ones where those steps have
    /// none; NaN if none is there.
    #[must_use]
    pub fn level(&self, series: &[f64], at: usize) -> f64 {
        let mut before = finite(&series[at.saturating_sub(self.base)..at]);
        if before.is_empty() {
            before = series[..at].iter().rev().copied().filter(|value| value.is_finite()).take(self.base).collect();
        }
        median_in_place(&mut before).unwrap_or(f64::NAN)
    }

    /// As [`Shape::level`], before each of several moments in ascending order: the values before them are kept sorted from one to the next.
    fn levels(&self, series: &[f64], moments: &[usize]) -> Vec<f64> {
        if let ([first, second, .., last], medians::WINDOW) = (moments, self.base)
            && second - first == medians::BLOCK
            && let Some(all) = medians::of_windows(&series[first - self.base..*last])
        {
            return all;
        }
        let mut sorted: Vec<f64> = Vec::with_capacity(self.base + 1);
        let (mut from, mut to) = (0, 0);
        let mut level = |at: usize| {
            let begin = at.saturating_sub(self.base);
            let (gone, come) = (&series[from..begin.min(to)], &series[to.max(begin)..at]);
            // Mostly as many come as go: then each takes the place of one that goes.
            let replaced = gone.len().min(come.len());
            gone[..replaced].iter().zip(&come[..replaced]).for_each(|(gone, come)| replace(&mut sorted, *gone, *come));
            gone[replaced..].iter().for_each(|gone| replace(&mut sorted, *gone, f64::NAN));
            come[replaced..].iter().for_each(|come| replace(&mut sorted, f64::NAN, *come));
            (from, to) = (begin, at);
            match sorted.len() {
                0 => f64::NAN,
                n => 0.5 * (sorted[(n - 1) / 2] + sorted[n / 2]),
            }
        };
        moments.iter().map(|at| level(*at)).collect()
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

/// Puts a value in the place of another among sorted ones; what is not finite is not among them, and stays out.
fn replace(sorted: &mut Vec<f64>, gone: f64, come: f64) {
    // Counted without a branch: where it lies is never foreseen.
    let place = |sorted: &[f64], v: f64| sorted.iter().map(|x| u64::from(*x < v)).sum::<u64>() as usize;
    let mut at = match (gone.is_finite(), come.is_finite()) {
        (false, false) => return,
        (true, false) => {
            let _ = sorted.remove(place(sorted, gone));
            return;
        }
        (false, true) => {
            sorted.push(come);
            sorted.len() - 1
        }
        (true, true) => place(sorted, gone),
    };
    while at + 1 < sorted.len() && sorted[at + 1] < come {
        sorted[at] = sorted[at + 1];
        at += 1;
    }
    while at > 0 && sorted[at - 1] > come {
        sorted[at] = sorted[at - 1];
        at -= 1;
    }
    sorted[at] = come;
}

/// Sums of the values since a moment, so that the mean over any window is one difference.
#[derive(Debug, Clone, Default)]
pub struct Running {
    /// Sum and number of the values so far, after each step.
    sums: Vec<(f64, f64)>,
}

impl Running {
    /// Takes the next value, and gives the means over the windows that end with it.
    pub fn push(&mut self, shape: &Shape, value: f64) -> Means {
        let h = self.sums.len();
        let (mut sum, mut count) = self.sums.last().copied().unwrap_or((0.0, 0.0));
        if h >= shape.grace && value.is_finite() {
            sum += value;
            count += 1.0;
        }
        if self.sums.len() == self.sums.capacity() {
            self.sums.reserve(48);
        }
        self.sums.push((sum, count));
        WIDTHS.map(|width| {
            if h + 1 < shape.grace + width {
                return f64::NAN;
            }
            let then = if h < width { (0.0, 0.0) } else { self.sums[h - width] };
            mean_of(width, (sum, count), then)
        })
    }

    /// Forgets the steps from this one on.
    pub fn truncate(&mut self, steps: usize) {
        self.sums.truncate(steps);
    }
}

/// Sums of what several did since a moment, step by step beside each other.
#[derive(Debug, Clone, Default)]
pub struct Beside {
    many: usize,
    steps: usize,
    /// Sum and number of the values so far, after each step for each of them.
    sums: Vec<(f64, f64)>,
}

impl Beside {
    /// Takes the next values: as many at every step.
    pub fn push(&mut self, shape: &Shape, values: &[f64]) {
        self.many = values.len();
        if self.sums.len() + self.many > self.sums.capacity() {
            self.sums.reserve(48 * self.many);
        }
        let counts = self.steps >= shape.grace;
        for value in values {
            let (sum, count) = self.sums.len().checked_sub(self.many).map_or((0.0, 0.0), |before| self.sums[before]);
            self.sums.push(if counts && value.is_finite() { (sum + value, count + 1.0) } else { (sum, count) });
        }
        self.steps += 1;
    }

    /// The means over the window of this width that ends with the last step, of those that are there.
    pub fn means(&self, shape: &Shape, width: usize, out: &mut Vec<f64>) {
        out.clear();
        let width = WIDTHS[width];
        if self.steps < shape.grace + width {
            return;
        }
        let last = &self.sums[(self.steps - 1) * self.many..];
        let begin = (self.steps - 1).checked_sub(width).map(|before| &self.sums[before * self.many..][..self.many]);
        let mean = |j: usize| mean_of(width, last[j], begin.map_or((0.0, 0.0), |begin| begin[j]));
        out.extend((0..self.many).map(mean).filter(|mean| mean.is_finite()));
    }

    /// Forgets the steps from this one on.
    pub fn truncate(&mut self, steps: usize) {
        self.steps = self.steps.min(steps);
        self.sums.truncate(self.steps * self.many);
    }
}

fn mean_of(width: usize, now: (f64, f64), then: (f64, f64)) -> f64 {
    let there = now.1 - then.1;
    if there >= (PRESENT * width as f64).max(1.0) { (now.0 - then.0) / there } else { f64::NAN }
}

/// What came before a moment, laid out for placebo changes: the means over all windows, whatever the level before them was.
struct Past {
    /// The means over the windows that end at a step, counted from the first that is used: all widths beside each other, so that what
    /// is added up for one need not wait for the other.
    means: Vec<Means>,
    /// The first step after each placebo change, counted likewise, and the level before it.
    changes: Vec<(usize, f64)>,
    shape: Shape,
}

impl Past {
    fn of(series: &[f64], from: usize, shape: Shape) -> Past {
        // Sums are taken from where the series ends up, so that one that stands still moves by nothing at all.
        let level = Some(shape.level(series, series.len())).filter(|level| level.is_finite()).unwrap_or(0.0);
        let mut sums = Vec::with_capacity(series.len() - from + 1);
        let (mut sum, mut count) = (0.0, 0.0);
        sums.push((sum, count));
        for value in &series[from..] {
            if value.is_finite() {
                sum += value - level;
                count += 1.0;
            }
            sums.push((sum, count));
        }
        let mean =
            |step: usize, width: usize| (step + 1).checked_sub(width).map_or(f64::NAN, |then| mean_of(width, sums[step + 1], sums[then]));
        let means = (0..series.len() - from).map(|step| WIDTHS.map(|width| mean(step, width))).collect();
        let moments = shape.moments(from, series.len());
        let levels = shape.levels(series, &moments);
        Past { means, changes: moments.iter().map(|at| at - from).zip(levels.iter().map(|l| l - level)).collect(), shape }
    }

    /// The first look at which a window of this width is wholly after the grace.
    fn first(&self, width: usize) -> usize {
        self.shape.grace + WIDTHS[width] - 1
    }

    /// The usual size of each mean at every look, measured at every [`STRIDE`]th and at the last.
    fn spread(&self) -> Vec<Means> {
        let looks = self.shape.horizon;
        let grid: Vec<usize> = (0..looks).step_by(STRIDE).chain([looks - 1]).collect();
        let mut sizes = Vec::with_capacity(self.changes.len());
        let mut near: Means = [NORMAL; WIDTHS.len()];
        let measured: Vec<Means> = grid.iter().map(|&h| self.spread_at(h, &mut sizes, &mut near)).collect();
        let between = |h: usize, w: usize| {
            let (i, j) = (h / STRIDE, h.div_ceil(STRIDE).min(grid.len() - 1));
            let (below, above) = (measured[i][w], measured[j][w]);
            let part = (h - grid[i]) as f64 / (grid[j] - grid[i]).max(1) as f64;
            if below.is_finite() { below + part * (above - below) } else { above }
        };
        let defined =
            |h: usize, w: usize| h >= self.first(w) && self.changes.iter().any(|(at, level)| (self.means[at + h][w] - level).is_finite());
        (0..looks).map(|h| std::array::from_fn(|w| if defined(h, w) { between(h, w) } else { f64::NAN })).collect()
    }

    /// For each width the larger of half the RMS and the scaled median of how far the placebo changes moved by this look. `near` is what
    /// part of the RMS the median was at the look before: it will not have changed much.
    fn spread_at(&self, look: usize, sizes: &mut Vec<f64>, near: &mut Means) -> Means {
        std::array::from_fn(|w| {
            if look < self.first(w) {
                return f64::NAN;
            }
            sizes.clear();
            sizes.extend(self.changes.iter().map(|(at, level)| (self.means[at + look][w] - level).abs()));
            let mut squares = dot(sizes, sizes);
            if squares.is_nan() || squares > CLIPPED {
                // Some are missing, or beyond all measure.
                sizes.retain(|size| size.is_finite());
                sizes.iter_mut().for_each(|size| *size = size.min(CLIPPED));
                squares = dot(sizes, sizes);
            }
            let rms = (squares / sizes.len() as f64).sqrt();
            let Some((lower, upper)) = middle_within(sizes, 0.8 * near[w] * rms, 1.25 * near[w] * rms) else { return f64::NAN };
            let median = f64::midpoint(lower, upper);
            near[w] = if rms > 0.0 { median / rms } else { near[w] };
            (0.5 * rms).max(MAD_TO_SD * median)
        })
    }

    /// The largest standardised deviation of each placebo change over each width, of those that have any; `inverse`: one by the usual
    /// size of each mean.
    fn largest(&self, inverse: &[Means], direction: Direction) -> Vec<Means> {
        let worst = |(at, level): &(usize, f64)| farthest(&self.means[*at..at + self.shape.horizon], *level, inverse, direction);
        self.changes.iter().map(worst).filter(|g| g.iter().any(|z| z.is_finite())).collect()
    }
}

/// Of each width the largest of these means towards harm, in its own unit; minus infinity where none is defined.
fn farthest(means: &[Means], level: f64, inverse: &[Means], direction: Direction) -> Means {
    match direction {
        Direction::Both => largest_of(means, inverse, |x, i| ((x - level) * i).abs()),
        Direction::Up => largest_of(means, inverse, |x, i| (x - level) * i),
        Direction::Down => largest_of(means, inverse, |x, i| (level - x) * i),
    }
}

/// The largest of each width; NaN says nothing.
fn largest_of(means: &[Means], inverse: &[Means], of: impl Fn(f64, f64) -> f64) -> Means {
    let mut best = [f64::NEG_INFINITY; WIDTHS.len()];
    for (means, inverse) in means.iter().zip(inverse) {
        for w in 0..WIDTHS.len() {
            let z = of(means[w], inverse[w]);
            best[w] = if z > best[w] { z } else { best[w] };
        }
    }
    best
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

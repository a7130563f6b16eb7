//! What placebo changes of a past come to: how far each mean usually lies off, how far the largest of them reaches, and what that says of
//! the change in question.

use super::{Means, PLACEBOS_MIN, Past, Shape, WIDTHS, side};
use crate::robust::{quantile_in_place, quantile_of_sorted};
use crate::share::Direction;

/// So many stretches of the past, each as long as a trial, that do not overlap are enough to say how far placebos reach.
const FEW: f64 = 6.0;
/// By how much thresholds grow where there are fewer: what few values say of a spread is uncertain, and a quantile made of it is larger by
/// a part that falls with their number, as Student's are than normal ones. Half a day of past under a trial of a third of it had called
/// nothing harm two and a half times as often as promised without.
const SCARCE: f64 = 4.5;
const SCARCE_MOST: f64 = 2.0;

/// The least that a width reaches beside the others, and in its own usual sizes: a series that went only one way may reach next to nothing
/// over a long window, and that must not make the others look far.
const REACH_LEAST: f64 = 0.9;
const REACHED_LEAST: f64 = 0.5;
/// By how much thresholds grow since placebo changes are held against units that were measured on themselves: they look tamer than they are.
const SAME: f64 = 1.1;

/// How large the statistic is where nothing happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Reference {
    /// Usual size of each mean, `[look][width]`.
    spread: Vec<Means>,
    /// How far each width reaches beside the others, in such sizes.
    reach: Means,
    /// One by both: what a mean is multiplied with to be a deviation.
    unit: Vec<Means>,
    /// Quantiles of the largest standardised deviation of a placebo: 50, 90 and 98 %.
    pub quantiles: [f64; 3],
    /// Scale of the exponential tail beyond the 90 % quantile.
    pub slope: f64,
    /// Placebo changes it rests on.
    pub placebos: usize,
    /// What thresholds are multiplied by where few of these do not overlap, from 1 to 2.
    scarce: f64,
    direction: Direction,
}

impl Reference {
    /// Calibrates on the placebo changes of a past that can be used `from` a step on; `floor` is the smallest noise of one value that is
    /// believed. `None` if there are fewer than [`PLACEBOS_MIN`].
    #[must_use]
    pub fn of(series: &[f64], from: usize, shape: Shape, floor: f64, direction: Direction) -> Option<Reference> {
        let past = Past::of(series, from, shape);
        if past.changes.len() < PLACEBOS_MIN || shape.horizon == 0 {
            return None;
        }
        let spread = smoothed(&past.spread(), floor);
        let mut unit: Vec<Means> = spread.iter().map(|row| row.map(|size| 1.0 / size)).collect();
        let by_width = past.largest(&unit, direction);
        if by_width.len() < PLACEBOS_MIN {
            return None;
        }
        let reach = reach(&by_width);
        let beside = reach.map(|reach| 1.0 / reach);
        unit.iter_mut().flat_map(|row| row.iter_mut().zip(&beside)).for_each(|(unit, beside)| *unit *= beside);
        let over_all = |z: &Means| z.iter().zip(&beside).map(|(z, beside)| z * beside).fold(f64::NEG_INFINITY, f64::max);
        let mut largest: Vec<f64> = by_width.iter().map(over_all).collect();
        largest.sort_unstable_by(f64::total_cmp);
        let quantiles = [0.5, 0.9, 0.98].map(|q| quantile_of_sorted(&largest, q).unwrap_or(f64::INFINITY));
        let slope = ((quantiles[1] - quantiles[0]) / 5f64.ln()).max(0.25);
        let there = series[from..].iter().filter(|value| value.is_finite()).count();
        let apart = there as f64 / shape.horizon.saturating_sub(shape.grace).max(1) as f64;
        let scarce = (1.0 + SCARCE * (1.0 / apart - 1.0 / FEW)).clamp(1.0, SCARCE_MOST);
        Some(Reference { spread, reach, unit, quantiles, slope, placebos: largest.len(), scarce, direction })
    }

    /// The largest standardised deviation towards harm at a look, over the window lengths, of each beside what it reaches; minus infinity
    /// where none is defined.
    #[must_use]
    pub fn deviation(&self, look: usize, means: &Means) -> f64 {
        self.furthest(look, means, self.direction)
    }

    /// The same in either direction.
    #[must_use]
    pub fn distance(&self, look: usize, means: &Means) -> f64 {
        self.furthest(look, means, Direction::Both)
    }

    fn furthest(&self, look: usize, means: &Means, direction: Direction) -> f64 {
        let Some(unit) = self.unit.get(look) else { return f64::NEG_INFINITY };
        let sides = means.iter().zip(unit).map(|(mean, unit)| side(direction, mean * unit));
        sides.filter(|z| z.is_finite()).fold(f64::NEG_INFINITY, f64::max)
    }

    /// The deviation that a placebo exceeds at any look with probability `alpha`, by the tail beyond the 90 % quantile. More is asked of
    /// a past that holds few stretches as long as a trial.
    #[must_use]
    pub fn threshold(&self, alpha: f64) -> f64 {
        let tail = self.quantiles[1] + self.slope * (0.1 / alpha).ln();
        SAME * self.scarce * self.quantiles[2].max(tail)
    }

    /// The tail value of a largest deviation: how often a placebo is at least as large (1 below the median).
    #[must_use]
    pub fn p_value(&self, largest: f64) -> f64 {
        let ([q50, q90, _], largest) = (self.quantiles, largest / (SAME * self.scarce));
        // Series that stand still have all their deviations at one place, or beside it by rounding: that is nothing unusual.
        if largest <= q50 + 1e-9 {
            if largest < q50 - 1e-9 { 1.0 } else { 0.5 }
        } else if largest >= q90 {
            0.1 * (-(largest - q90) / self.slope).exp()
        } else {
            0.5 - 0.4 * (largest - q50) / (q90 - q50)
        }
    }

    /// The usual size of the mean over the window length with this index at a look.
    #[must_use]
    pub fn spread(&self, look: usize, width: usize) -> f64 {
        self.spread[look.min(self.spread.len() - 1)][width]
    }

    /// How many of its usual sizes a mean over this window length must be, to be beyond the threshold at a budget.
    #[must_use]
    pub fn sizes(&self, width: usize, alpha: f64) -> f64 {
        self.threshold(alpha) * self.reach[width]
    }
}

fn smoothed(raw: &[Means], floor: f64) -> Vec<Means> {
    let overall: Means = std::array::from_fn(|w| {
        let there = || raw.iter().map(|row| row[w]).filter(|d| d.is_finite());
        there().sum::<f64>() / there().count().max(1) as f64
    });
    let one = |d: f64, w: usize| if d.is_finite() { (0.5 * d + 0.5 * overall[w]).max(floor / (WIDTHS[w] as f64).sqrt()) } else { f64::NAN };
    raw.iter().map(|row| std::array::from_fn(|w| one(row[w], w))).collect()
}

/// How far placebo changes reach over each width, beside the other widths: their 90 % quantile in geometric means of all.
///
/// Single steps of a series that spikes reach far beyond their usual size, and its long windows never do. In units of their usual size
/// alone the spikes of the past hide a lasting step that no window of it ever came near. So each width is measured by what it reaches
/// itself (Westfall and Young, "Resampling-based multiple testing", 1993: of statistics with unlike tails the smallest tail value is to be
/// compared, not the largest value). No width counts for much more than it did: few long windows fit into a past.
fn reach(largest: &[Means]) -> Means {
    let mut all = Vec::with_capacity(largest.len());
    let of = |w: usize| {
        all.clear();
        all.extend(largest.iter().map(|z| z[w]).filter(|z| z.is_finite()));
        quantile_in_place(&mut all, 0.9).filter(|reached| *reached > 0.0).map(|reached| reached.max(REACHED_LEAST))
    };
    let reached: [Option<f64>; WIDTHS.len()] = std::array::from_fn(of);
    let logs = || reached.iter().flatten().map(|reach| reach.ln());
    let usual = (logs().sum::<f64>() / logs().count().max(1) as f64).exp();
    reached.map(|reach| reach.map_or(1.0, |reach| (reach / usual).max(REACH_LEAST)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    const SHAPE: Shape = Shape { base: 24, grace: 2, horizon: 48 };

    /// Quiet, but for a step in twenty that goes this far.
    fn spiky(seed: u64, spike: f64) -> Vec<f64> {
        let mut rng = Rng::new(seed);
        (0..900).map(|_| 0.05 * rng.normal() + if rng.unit() < 0.05 { spike } else { 0.0 }).collect()
    }

    #[test]
    fn spikes_of_the_past_do_not_hide_what_lasts() {
        // A spike for one step, and a good third of it that lasts.
        let (spike, lasting) = ([1.5, 0.5, 0.25, 0.125, 0.0625], [0.6; WIDTHS.len()]);
        let references: Vec<Reference> =
            (0..40).map(|seed| Reference::of(&spiky(seed, 1.5), 0, SHAPE, 0.02, Direction::Both).unwrap()).collect();
        let how_often = |holds: &dyn Fn(&Reference) -> bool| references.iter().filter(|reference| holds(reference)).count();
        let p = |of: &Reference, means: &Means| of.p_value(of.deviation(47, means));
        let found = [how_often(&|of| p(of, &lasting) < 0.02), how_often(&|of| p(of, &spike) < 0.02)];
        assert!(found[0] >= 30 && found[1] == 0, "{found:?}");
    }

    #[test]
    fn each_width_is_held_against_what_it_reaches_and_none_counts_for_much_more_than_it_did() {
        let of = |spike: f64| Reference::of(&spiky(1, spike), 0, SHAPE, 0.02, Direction::Both).unwrap().reach;
        let (calm, spiky) = (of(0.0), of(1.5));
        assert!(spiky[0] > 1.2 * calm[0] && spiky[4] < spiky[0], "{calm:?} {spiky:?}");
        assert!(calm.iter().chain(&spiky).all(|reach| *reach >= REACH_LEAST));
        let still = Reference::of(&[1.0; 900], 0, SHAPE, 0.02, Direction::Both).unwrap();
        assert_eq!(still.reach, [1.0; WIDTHS.len()], "what never moved reaches nowhere");
        // What went only one way reaches nearly nothing over a long window, and the others no further for it.
        let reached = reach(&[[3.0, 2.0, 1.5, 1.0, 1e-9]; 40]);
        assert!(reached[0] < 3.0 && reached[4] == REACH_LEAST, "{reached:?}");
    }
}

//! What steps are like where nothing happened: a Student t, heavy where values vary in proportion and as light as its past where they
//! are counted.
//!
//! Gauges have incidents of their own, and a past of days holds few of them: their steps are always taken to be as heavy as three degrees
//! of freedom. Roots of counts are nearly normal (Anscombe, 1948) as far as their rate stands still. How far it does not is seen in every
//! step, so the likeliest of a few laws is taken: against a heavy law ten steps at three times the usual size prove little.

/// How values vary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nature {
    /// Noise in proportion to the level.
    Proportional,
    /// Counts.
    Counted,
}

impl Nature {
    /// The part of the plain SD below which the size of an innovation never falls.
    #[must_use]
    pub const fn heavy(self) -> f64 {
        match self {
            Nature::Proportional => 0.25,
            Nature::Counted => 0.5,
        }
    }
}

/// A Student t that innovations are bet against. Its degrees of freedom are one less than a power of two, so that a likelihood ratio is
/// a ratio of kernels squared a few times.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Law {
    /// Degrees of freedom.
    freedom: f64,
    /// How often a ratio of kernels is squared to be one of likelihoods: `2^squares` is half of the degrees of freedom and one.
    squares: u32,
    /// The logarithm of the density at zero.
    ln_peak: f64,
}

/// From heavy to nearly normal.
const LAWS: [Law; 3] = [
    Law { freedom: 3.0, squares: 1, ln_peak: -1.000_888_849_623_510_3 },
    Law { freedom: 7.0, squares: 2, ln_peak: -0.954_534_150_571_375 },
    Law { freedom: 15.0, squares: 3, ln_peak: -0.935_592_919_166_911_6 },
];

impl Law {
    /// The heaviest: three degrees of freedom.
    pub const HEAVY: Law = LAWS[0];

    /// The law of standardised innovations of the past (NaN is missing).
    #[must_use]
    pub fn of(nature: Nature, innovations: &[f64]) -> Law {
        match nature {
            Nature::Proportional => Self::HEAVY,
            Nature::Counted => {
                let likelihood = |law: &Law| innovations.iter().filter(|z| z.is_finite()).map(|z| law.ln_density(*z)).sum::<f64>();
                // Of equals the heavier.
                let by_weight = LAWS.iter().rev().map(|law| (law, likelihood(law)));
                by_weight.max_by(|a, b| a.1.total_cmp(&b.1)).map_or(Self::HEAVY, |(law, _)| *law)
            }
        }
    }

    /// Degrees of freedom.
    #[must_use]
    pub fn freedom(&self) -> f64 {
        self.freedom
    }

    fn ln_density(&self, z: f64) -> f64 {
        self.ln_peak - 0.5 * (self.freedom + 1.0) * self.kernel(z).ln()
    }

    /// What the density falls with: 1 at zero.
    pub(crate) fn kernel(&self, z: f64) -> f64 {
        1.0 + z * z / self.freedom
    }

    /// Ratios of kernels, the usual one above: made ratios of densities.
    pub(crate) fn raise<const N: usize>(&self, ratios: &mut [f64; N]) {
        for _ in 0..self.squares {
            ratios.iter_mut().for_each(|ratio| *ratio *= *ratio);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn a_density_is_one_in_all() {
        for law in LAWS {
            assert_eq!(2f64.powi(law.squares as i32), f64::midpoint(law.freedom, 1.0));
            let whole: f64 = (-400_000..=400_000).map(|i| law.ln_density(f64::from(i) * 0.001).exp() * 0.001).sum();
            assert!((whole - 1.0).abs() < 1e-6, "{law:?}: {whole}");
        }
    }

    #[test]
    fn counts_have_the_law_of_their_past_and_what_varies_in_proportion_the_heaviest() {
        let mut rng = Rng::new(5);
        let light: Vec<f64> = (0..600).map(|i| if i % 50 == 0 { f64::NAN } else { rng.normal() }).collect();
        // A ratio of a normal and the root of a mean of squares of others is a Student t.
        let heavy: Vec<f64> = (0..600).map(|_| rng.normal() / ((0..3).map(|_| rng.normal().powi(2)).sum::<f64>() / 3.0).sqrt()).collect();
        assert_eq!(Law::of(Nature::Counted, &light), LAWS[2]);
        assert_eq!(Law::of(Nature::Counted, &heavy), Law::HEAVY);
        assert_eq!(Law::of(Nature::Proportional, &light), Law::HEAVY);
        assert_eq!(Law::of(Nature::Counted, &[]).freedom(), 3.0, "nothing is known");
    }
}

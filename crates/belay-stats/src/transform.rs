//! Scales on which noise is alike at every level: the logarithm for what varies in proportion, the root for what is counted.
//!
//! A shift on such a scale is brought back into the unit of the values by [`Scale::shifted`], so that an effect can be told in words
//! everybody knows. NaN stands for a missing value and stays NaN.

use crate::robust::median_in_place;

/// Keeps the logarithm away from minus infinity: a tenth of the usual level.
const LOG_OFFSET: f64 = 0.1;

/// Keeps a level above zero.
const SMALLEST: f64 = 1e-12;

/// Values beyond it are no longer told apart, so that nothing computed from them overflows.
const LIMIT: f64 = 1e6;

/// A scale with the level it was made for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scale {
    /// `ln(x / level + 0.1)`, for values that vary in proportion and are not below zero.
    Log {
        /// The usual size of a value, above zero.
        level: f64,
    },
    /// `sqrt(x + 3/8)`, for counts (Anscombe, "The transformation of Poisson, binomial and negative-binomial data", 1948).
    Root,
    /// `asinh(x / spread)`, for values of both signs: straight near zero, a logarithm far from it.
    Signed {
        /// The usual size of a value, above zero.
        level: f64,
    },
}

impl Scale {
    /// The scale for values that vary in proportion: the logarithm, or the inverse hyperbolic sine where the past goes below zero.
    #[must_use]
    pub fn proportional(past: &[f64]) -> Scale {
        let mut sizes: Vec<f64> = past.iter().filter(|x| x.is_finite()).map(|x| x.abs()).collect();
        let median = median_in_place(&mut sizes).unwrap_or(0.0);
        if past.iter().any(|x| *x < 0.0) { Scale::Signed { level: median + SMALLEST } } else { Scale::of_level(median) }
    }

    /// The scale for values that vary in proportion and are not below zero, of which this is the median.
    #[must_use]
    pub fn of_level(median: f64) -> Scale {
        Scale::Log { level: median + SMALLEST }
    }

    /// A value on this scale; NaN stays NaN.
    #[must_use]
    pub fn of(&self, x: f64) -> f64 {
        if x.is_nan() {
            return f64::NAN;
        }
        let y = match *self {
            Scale::Log { level } => (x.max(0.0) / level + LOG_OFFSET).ln(),
            Scale::Root => (x.max(0.0) + 0.375).sqrt(),
            Scale::Signed { level } => (x / level).asinh(),
        };
        y.clamp(-LIMIT, LIMIT)
    }

    /// What a value becomes when it is moved by `shift` on this scale, in the unit of the value.
    #[must_use]
    pub fn shifted(&self, x: f64, shift: f64) -> f64 {
        match *self {
            Scale::Log { level } => level * ((x.max(0.0) / level + LOG_OFFSET) * shift.exp() - LOG_OFFSET).max(0.0),
            Scale::Root => {
                let root = ((x.max(0.0) + 0.375).sqrt() + shift).max(0.0);
                (root * root - 0.375).max(0.0)
            }
            Scale::Signed { level } => level * ((x / level).asinh() + shift).sinh(),
        }
    }

    /// The value that lies at `y` on this scale.
    #[must_use]
    pub fn inverse(&self, y: f64) -> f64 {
        match *self {
            Scale::Log { level } => level * (y.exp() - LOG_OFFSET).max(0.0),
            Scale::Root => (y.max(0.0) * y.max(0.0) - 0.375).max(0.0),
            Scale::Signed { level } => level * y.sinh(),
        }
    }

    /// The smallest noise of one value that is believed on this scale: 2 % of the level, or a twentieth of a root.
    #[must_use]
    pub fn floor(&self) -> f64 {
        match self {
            Scale::Log { .. } | Scale::Signed { .. } => 0.02,
            Scale::Root => 0.05,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_missing_value_stays_missing() {
        for scale in [Scale::Log { level: 2.0 }, Scale::Root, Scale::Signed { level: 2.0 }] {
            assert!(scale.of(f64::NAN).is_nan());
            assert!(scale.of(f64::MAX).is_finite() && scale.of(0.0).is_finite());
        }
    }

    #[test]
    fn a_past_below_zero_gets_a_scale_that_knows_signs() {
        assert_eq!(Scale::proportional(&[4.0, 2.0, f64::NAN, 3.0]), Scale::Log { level: 3.0 + 1e-12 });
        assert!(matches!(Scale::proportional(&[4.0, -2.0]), Scale::Signed { .. }));
    }

    proptest! {
        #[test]
        fn a_shift_is_undone_by_its_reading(x in 0.5f64..1e5, y in 0.5f64..1e5) {
            for scale in [Scale::Log { level: 100.0 }, Scale::Root, Scale::Signed { level: 100.0 }] {
                let back = scale.shifted(x, scale.of(y) - scale.of(x));
                prop_assert!((back - y).abs() <= 1e-6 * y, "{:?} {} {} {}", scale, x, y, back);
            }
        }
    }
}

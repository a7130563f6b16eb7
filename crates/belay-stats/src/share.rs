//! An anytime-valid test of a share: did the treated part of a flow fall, or rise, against its peers?
//!
//! At each step the treated and the peers count something; under the null the treated part of the total stays what it was in the past,
//! whatever the total does. A storm that doubles everything, or a night that halves it, cancels out of the share. The test may be looked
//! at after every step: `ln E >= ln(1/alpha)` at *any* look has probability at most about `alpha` under the null (Ville's inequality).
//!
//! **Null.** Given the total `n`, the treated count `x` is binomial with odds `p/(1-p)`. Real flows are noisier: the variance is
//! `phi` times the binomial one. `phi >= 1` is estimated from Pearson residuals of the past, multiplied by `(1+r)/(1-r)` for their lag-1
//! correlation `r`, and widened to its upper 90 % bound because a short past estimates it badly. Counts are divided by `phi`
//! (quasi-likelihood). Where a step is larger than the past ones, the part of `phi` above 1 grows with it: noise that is proportional to
//! the flow does not shrink relative to a larger flow.
//!
//! **The share is fitted.** `p` is not known, it was estimated from the past. Plugging the estimate in would turn its error into
//! evidence against every long trial. So the null is the predictive one: the mean over `p` drawn from the Beta posterior of the past
//! (both counts plus a half), taken at 61 nodes on the logit scale. In the Gaussian limit this is the group-invariant Bayes factor,
//! an e-process whatever the true `p` (Perez-Ortiz, Lardy, de Heide and Grünwald, "E-statistics, group invariance and anytime-valid
//! testing", 2022). Evidence then saturates at the information of the past, as it must.
//!
//! **Alternatives.** The odds are multiplied by one of a few ratios, from step `s` on, `s` in 0, 1, 2, 4, 8, ... (a harm that sets in
//! late). E is the weighted mean of their likelihood ratios (the method of mixtures: Robbins, "Statistical methods related to the law of
//! the iterated logarithm", 1970; as betting: Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", 2024).
//!
//! **One step is never enough.** What one step may add to a bet is limited to 4 nats, whatever it counted, so that one glitch cannot
//! reject at any `alpha` up to 1 %. This only lowers E.
//!
//! **Measured** (2,000 seeded nulls, 60 looks, level 1 %): 0-0.2 % of nulls rejected with a past of 100 steps (Poisson; wandering with 15 %
//! of own noise; own noise correlated at 0.6), 2.3 % with a past of only 20 steps of such correlated noise. A past of 10 to 12 steps
//! keeps the claim and pays with power: the loss of half the flow may then go unnoticed for 60 steps, a total stop is still found in 2 to
//! 4 (medians). With a past of 100 steps the loss of half is found in 4 to 7 steps, a total stop in 2.

mod process;

#[cfg(test)]
mod calibration;

pub use process::{Direction, Effect, ShareProcess};

/// Steps with a flow that the past must have, or nothing is fitted.
pub const MIN_PAST_STEPS: usize = 10;

/// The correlation between steps that is believed at most: beyond it the past has no independent steps to speak of.
const MAX_CORRELATION: f64 = 0.95;

/// The normal quantile of the upper bound taken for `phi`: 90 %, one-sided.
const PHI_BOUND_Z: f64 = 1.2816;

/// What the past says about the share: fitted once, then every [`ShareProcess`] begins from it.
#[derive(Debug, Clone, PartialEq)]
pub struct ShareTest {
    /// The treated part of the total in the past, in `(0, 1)`.
    pub share: f64,
    /// How many times noisier than binomial the share is taken to be (>= 1), at a step of the average size of the past.
    pub phi: f64,
    /// The average total of a step of the past.
    pub mean_total: f64,
    /// What the past is worth, in independent counts: treated and peers.
    effective: (f64, f64),
}

impl ShareTest {
    /// Fits the null to the past: one pair (treated count, peer count) a step, in order of time, missing steps left out.
    ///
    /// `None` if fewer than [`MIN_PAST_STEPS`] steps have a flow, or if the treated or the peers never had one: a share of nothing
    /// cannot fall. Steps that are negative or not finite are left out.
    #[must_use]
    pub fn fit(past: &[(f64, f64)]) -> Option<ShareTest> {
        let steps: Vec<(f64, f64)> = past.iter().copied().filter(|&step| has_flow(step)).collect();
        let treated: f64 = steps.iter().map(|s| s.0).sum();
        let peers: f64 = steps.iter().map(|s| s.1).sum();
        if steps.len() < MIN_PAST_STEPS || treated <= 0.0 || peers <= 0.0 {
            return None;
        }
        let total = treated + peers;
        let phi = overdispersion(&steps, treated / total);
        let mut test = ShareTest { share: 0.0, phi, mean_total: total / steps.len() as f64, effective: (0.0, 0.0) };
        for &(x, y) in &steps {
            let phi_here = test.phi_at(x + y);
            test.effective.0 += x / phi_here;
            test.effective.1 += y / phi_here;
        }
        test.share = test.effective.0 / (test.effective.0 + test.effective.1);
        Some(test)
    }

    /// A process that begins with no evidence, for harm in `direction` of the treated share.
    #[must_use]
    pub fn begin(&self, direction: Direction) -> ShareProcess {
        ShareProcess::new(self.clone(), direction)
    }

    /// The overdispersion of a step with this total.
    fn phi_at(&self, total: f64) -> f64 {
        1.0 + (self.phi - 1.0) * (total / self.mean_total).max(1.0)
    }
}

/// A step says something about a share only if something flowed at all.
fn has_flow((treated, peers): (f64, f64)) -> bool {
    treated.is_finite() && peers.is_finite() && treated >= 0.0 && peers >= 0.0 && treated + peers > 0.0
}

/// The upper 90 % bound of the variance of the share relative to the binomial one, with the correlation of the steps counted in.
fn overdispersion(steps: &[(f64, f64)], share: f64) -> f64 {
    let residual = |&(x, y): &(f64, f64)| (x - (x + y) * share) / ((x + y) * share * (1.0 - share)).sqrt();
    let residuals: Vec<f64> = steps.iter().map(residual).collect();
    let n = residuals.len() as f64;
    let squares: f64 = residuals.iter().map(|r| r * r).sum();
    if squares <= 0.0 {
        return 1.0;
    }
    let products: f64 = residuals.windows(2).map(|pair| pair[0] * pair[1]).sum();
    let raw = products / squares;
    // The estimate is biased downwards by about (1 + 3r)/n (Kendall 1954): a short past hides its correlation.
    let r = (raw + (1.0 + 3.0 * raw) / n).clamp(0.0, MAX_CORRELATION);
    let phi = squares / (n - 1.0);
    phi.max(1.0) * (1.0 + r) / (1.0 - r) * upper_bound_factor((n - 1.0) * (1.0 - r) / (1.0 + r))
}

/// By how much a variance estimated with so many degrees of freedom is multiplied to reach its upper 90 % bound (the cube-root
/// approximation of Wilson and Hilferty, 1931).
fn upper_bound_factor(freedom: f64) -> f64 {
    let v = 2.0 / (9.0 * freedom.max(2.0));
    let root = 1.0 - v - PHI_BOUND_Z * v.sqrt();
    1.0 / (root * root * root)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steady(steps: usize) -> Vec<(f64, f64)> {
        (0..steps).map(|i| (20.0 + (i % 3) as f64, 60.0 - (i % 3) as f64)).collect()
    }

    #[test]
    fn too_little_past_fits_nothing() {
        assert_eq!(ShareTest::fit(&steady(9)), None);
        assert!(ShareTest::fit(&steady(10)).is_some());
        let mut with_empty_steps = steady(9);
        with_empty_steps.extend([(0.0, 0.0); 50]);
        assert_eq!(ShareTest::fit(&with_empty_steps), None, "a step without a flow is not a step");
        assert_eq!(ShareTest::fit(&[(0.0, 9.0); 40]), None, "a share of nothing cannot fall");
        assert_eq!(ShareTest::fit(&[(9.0, 0.0); 40]), None, "nothing to compare with");
        assert_eq!(ShareTest::fit(&[(f64::NAN, 9.0); 40]), None);
    }

    #[test]
    fn a_short_or_correlated_past_is_believed_less() {
        let short = ShareTest::fit(&steady(10)).unwrap();
        let long = ShareTest::fit(&steady(300)).unwrap();
        assert!(short.phi > 1.5 * long.phi, "{} {}", short.phi, long.phi);
        let wave = |i: usize, period: usize| if (i / period).is_multiple_of(2) { (30.0, 50.0) } else { (10.0, 70.0) };
        let alternating: Vec<_> = (0..200).map(|i| wave(i, 1)).collect();
        let slow: Vec<_> = (0..200).map(|i| wave(i, 20)).collect();
        let (alternating, slow) = (ShareTest::fit(&alternating).unwrap(), ShareTest::fit(&slow).unwrap());
        assert!(slow.phi > 8.0 * alternating.phi, "{} {}", slow.phi, alternating.phi);
    }

    #[test]
    fn a_larger_step_is_not_believed_to_be_less_noisy() {
        let noisy: Vec<_> = (0..100).map(|i| if i % 2 == 0 { (300.0, 500.0) } else { (200.0, 600.0) }).collect();
        let test = ShareTest::fit(&noisy).unwrap();
        assert!(test.phi_at(8_000.0) > 9.0 * test.phi);
        assert_eq!(test.phi_at(1.0), test.phi);
    }
}

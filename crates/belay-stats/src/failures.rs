//! An exact, anytime-valid test of failures: does something that either works or fails now fail more often than it did, and than others do?
//!
//! **Null.** Each step fails with at most the probability that the past allows: the upper 90 % bound (Clopper and Pearson, 1934) of how
//! often a step failed after one that had not, and, since outages last, that of how often one failed after one that had. Where any peer
//! fails in the same step, it may fail as often as peers do, by Laplace's rule: what comes over all is nobody's harm.
//!
//! **Bets.** Odds 3, 10, 30 and 300 times as large. Each bet is a likelihood ratio of two Bernoulli laws, so its capital is a
//! supermartingale under every null below the bound (monotone likelihood ratio), and so is their mean: `P(sup E >= 1/alpha) <= alpha`
//! (Ville, 1939). A fiftieth is shared out anew at each step, for failures that begin late (Shin, Ramdas and Rinaldo, 2022).
//!
//! **Guard.** Outages that come in clusters obey no such law. So the evidence must also exceed what stretches of the own past, as long as
//! the trial, ever reached.

use crate::binomial::clopper_pearson;

/// Odds that are bet on, relative to those of the null.
const ODDS: [f64; 4] = [3.0, 10.0, 30.0, 300.0];
/// The part of the capital that is shared out anew at each step.
const SHARED: f64 = 0.02;
/// Steps of the past that are needed.
pub const MIN_PAST_STEPS: usize = 30;
/// What the bounds of the null leave out.
const BOUND: f64 = 0.1;
/// How much further than the past it must reach: a factor of two.
const BEYOND: f64 = 0.7;

/// What the past says about failures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FailureTest {
    /// The most that a step may fail after one that worked.
    pub fresh: f64,
    /// The most that a step may fail after one that failed.
    pub lasting: f64,
    /// The largest evidence that a stretch of the past reached, natural logarithm.
    pub reached: f64,
}

impl FailureTest {
    /// Fits the null to the past, one step after the other (none is missing), for a trial of `length` steps. None if fewer than
    /// [`MIN_PAST_STEPS`] are there.
    #[must_use]
    pub fn fit(past: &[Option<bool>], length: usize) -> Option<FailureTest> {
        if past.iter().flatten().count() < MIN_PAST_STEPS {
            return None;
        }
        let pairs = |before: bool| past.windows(2).filter(move |pair| pair[0] == Some(before)).filter_map(|pair| pair[1]);
        let bound = |before: bool| {
            let (failed, asked) = (pairs(before).filter(|failed| *failed).count() as u64, pairs(before).count() as u64);
            // What was never seen is not known: then a failure that lasts says no more than that it began.
            if asked == 0 { 1.0 } else { clopper_pearson(failed, asked, 2.0 * BOUND).1 }
        };
        let mut test = FailureTest { fresh: bound(false), lasting: bound(true), reached: 0.0 };
        let stretch = length.max(1);
        let reached = |from: usize| {
            let mut process = test.begin();
            let steps = past[from..(from + stretch).min(past.len())].iter();
            steps.map(|step| process.step(*step, (0, 0))).fold(0.0, f64::max)
        };
        let stretches = (0..past.len()).step_by(stretch.div_ceil(2));
        test.reached = stretches.map(reached).fold(0.0, f64::max);
        Some(test)
    }

    /// A process without evidence.
    #[must_use]
    pub fn begin(&self) -> FailureProcess {
        FailureProcess { test: *self, capital: [1.0 / ODDS.len() as f64; ODDS.len()], ln_e: 0.0, failed: false }
    }

    /// What the evidence has to reach at a budget, natural logarithm.
    #[must_use]
    pub fn threshold(&self, alpha: f64) -> f64 {
        let beyond = if self.reached > 0.0 { self.reached + BEYOND } else { 0.0 };
        (1.0 / alpha).ln().max(beyond)
    }
}

/// The evidence while steps arrive.
#[derive(Debug, Clone, PartialEq)]
pub struct FailureProcess {
    test: FailureTest,
    capital: [f64; ODDS.len()],
    ln_e: f64,
    failed: bool,
}

impl FailureProcess {
    /// Takes a step, failed or not (none is missing and says nothing), with how many peers failed in it, of how many. The evidence after
    /// it, natural logarithm.
    pub fn step(&mut self, failed: Option<bool>, peers: (u32, u32)) -> f64 {
        let Some(failed) = failed else { return self.ln_e };
        let own = if self.failed { self.test.lasting } else { self.test.fresh };
        let others = if peers.0 > 0 { f64::from(peers.0 + 1) / f64::from(peers.1 + 2) } else { 0.0 };
        let null = own.max(others).clamp(1e-6, 1.0);
        self.failed = failed;
        // What may always fail proves nothing by failing, and nothing by working.
        if null < 1.0 {
            self.bet(failed, null);
        }
        self.ln_e
    }

    fn bet(&mut self, failed: bool, null: f64) {
        let mut total = 0.0;
        for (capital, odds) in self.capital.iter_mut().zip(ODDS) {
            let more = odds * null / (1.0 - null + odds * null);
            *capital *= if failed { more / null } else { (1.0 - more) / (1.0 - null) };
            total += *capital;
        }
        self.ln_e += total.ln();
        let (kept, share) = ((1.0 - SHARED) / total, SHARED / ODDS.len() as f64);
        self.capital.iter_mut().for_each(|capital| *capital = *capital * kept + share);
    }

    /// The natural logarithm of the evidence.
    #[must_use]
    pub fn ln_e(&self) -> f64 {
        self.ln_e
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    fn past(steps: usize, fails: impl Fn(usize) -> bool) -> Vec<Option<bool>> {
        (0..steps).map(|i| Some(fails(i))).collect()
    }

    #[test]
    fn it_is_worth_one_on_average_over_all_that_can_happen() {
        let test = FailureTest { fresh: 0.05, lasting: 0.4, reached: 0.0 };
        let mean = |scale: f64| -> f64 {
            (0..1_u32 << 12)
                .map(|bits| {
                    let (mut process, mut chance, mut before) = (test.begin(), 1.0, false);
                    for step in 0..12 {
                        let failed = bits >> step & 1 == 1;
                        let p = scale * if before { test.lasting } else { test.fresh };
                        chance *= if failed { p } else { 1.0 - p };
                        process.step(Some(failed), (0, 6));
                        before = failed;
                    }
                    chance * process.ln_e().exp()
                })
                .sum()
        };
        assert!((mean(1.0) - 1.0).abs() < 1e-9, "{}", mean(1.0));
        assert!(mean(0.5) < 1.0, "a better past than the bound earns less: {}", mean(0.5));
    }

    #[test]
    fn nulls_with_outages_are_rejected_no_more_often_than_the_budget_says() {
        let (mut rejected, trials, alpha) = (0, 2_000, 0.02);
        for seed in 0..trials {
            let mut rng = Rng::new(seed);
            let mut failing = false;
            let mut series = || {
                let p = if failing { 0.6 } else { 0.01 };
                failing = rng.unit() < p;
                Some(failing)
            };
            let past: Vec<Option<bool>> = (0..300).map(|_| series()).collect();
            let test = FailureTest::fit(&past, 48).unwrap();
            let mut process = test.begin();
            rejected += u32::from((0..48).any(|_| process.step(series(), (0, 6)) >= test.threshold(alpha)));
        }
        assert!(f64::from(rejected) <= 1.5 * alpha * trials as f64, "{rejected} of {trials}");
    }

    #[test]
    fn flapping_is_found_though_no_failure_lasts() {
        let test = FailureTest::fit(&past(240, |_| false), 48).unwrap();
        let mut process = test.begin();
        let at = (0..48).find(|i| process.step(Some(i % 4 == 0), (0, 6)) >= test.threshold(0.005));
        assert!(at.is_some_and(|at| at <= 8), "{at:?}");
    }

    #[test]
    fn what_it_always_did_and_what_peers_do_too_is_no_evidence() {
        let flaps = |i: usize| i.is_multiple_of(5);
        let test = FailureTest::fit(&past(240, flaps), 48).unwrap();
        let mut process = test.begin();
        assert!((0..48).all(|i| process.step(Some(flaps(i)), (0, 6)) < test.threshold(0.02)));
        let test = FailureTest::fit(&past(240, |_| false), 48).unwrap();
        let mut process = test.begin();
        assert!((0..48).all(|i| process.step(Some(i % 6 == 0), (if i % 3 == 0 { 4 } else { 0 }, 6)) < test.threshold(0.02)));
        let mut process = test.begin();
        process.step(None, (0, 0));
        assert_eq!(process.ln_e(), 0.0, "a missing step says nothing");
    }

    #[test]
    fn a_short_past_fits_nothing_and_clusters_raise_the_bar() {
        assert_eq!(FailureTest::fit(&past(29, |_| false), 48), None);
        assert_eq!(FailureTest::fit(&vec![None; 500], 48), None);
        let calm = FailureTest::fit(&past(600, |i| i.is_multiple_of(75)), 48).unwrap();
        let clusters = FailureTest::fit(&past(600, |i| i > 300 && i < 316 && i.is_multiple_of(2)), 48).unwrap();
        assert!(clusters.threshold(0.02) > calm.threshold(0.02) + 0.5, "{clusters:?} {calm:?}");
    }
}

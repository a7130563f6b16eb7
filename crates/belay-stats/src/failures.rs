//! An exact, anytime-valid test of failures: does something that either works or fails now fail more often than it did, and than others do?
//!
//! **Null.** Each step fails with at most the probability that the past allows: the upper 90 % bound (Clopper and Pearson, 1934) of how
//! often a step failed after one that had not, and, since outages last, the 50 % bound of how often one failed after one that had. Where any peer
//! fails in the same step, it may fail as often as peers do, by Laplace's rule: what comes over all is nobody's harm. Steps of the past
//! in which a third of them failed say nothing of what the series does by itself, and are left out of these bounds.
//!
//! **Grades.** A step that fails badly (from several places at once, or critically) is bet on by itself too, with a null of its own: half of
//! the capital asks whether steps fail, half whether they fail badly. The mean of both is as good as either, less `ln 2`.
//!
//! **Bets.** Odds 3, 10, 30 and 300 times as large. Each bet is a likelihood ratio of two Bernoulli laws, so its capital is a
//! supermartingale under every null below the bound (monotone likelihood ratio), and so is their mean: `P(sup E >= 1/alpha) <= alpha`
//! (Ville, 1939). For failures that begin late a fiftieth is shared out anew at each step (Shin, Ramdas and Rinaldo, 2022), and half of
//! the capital is bet on nothing, so that steps that work do not eat it.
//!
//! **Guard.** Outages that come in clusters obey no such law. So the evidence must also exceed what stretches of the own past, as long as
//! the trial, ever reached.
//!
//! **Several.** As far as peers tell what came over all, hosts fail each by itself: then the product of what they show is evidence as
//! well, and finds what is too little on each. Hosts that fail together all the same did so before: the product must exceed what it
//! reached over stretches of their past ([`reached_together`]).

use crate::binomial::clopper_pearson;

/// Odds that are bet on, relative to those of the null; the first are no bet, as what is kept back is.
const ODDS: [f64; 5] = [1.0, 3.0, 10.0, 30.0, 300.0];
/// What each begins with.
const BEGUN: [f64; ODDS.len()] = [0.5, 0.125, 0.125, 0.125, 0.125];
/// The part of the capital that is shared out anew at each step.
const SHARED: f64 = 0.02;
/// Steps of the past that are needed.
pub const MIN_PAST_STEPS: usize = 30;
/// What the bounds of the null leave out: of how often a step fails after one that worked, and after one that failed. Of the latter a past
/// holds few, and the most they allow would be nearly everything.
const BOUND: f64 = 0.1;
const LASTING: f64 = 0.5;
/// How much further than the past it must reach: a factor of two.
const BEYOND: f64 = 0.7;

/// How a step went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// It worked.
    Works,
    /// It failed.
    Fails,
    /// It failed from several places at once, or critically.
    Badly,
}

/// From which grade on a step counts, for each of the two things that are bet on.
const GRADES: [Grade; 2] = [Grade::Fails, Grade::Badly];

/// A step: how it went, nothing where it is missing, and how peers fared in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Step {
    /// How it went.
    pub own: Option<Grade>,
    /// Peers that failed, of how many that were seen.
    pub peers: (u32, u32),
}

/// A step in which one peer in so many failed was struck by something that came over all.
const SHARED_BY_ONE_IN: u32 = 3;

impl Step {
    fn shared(&self) -> bool {
        let (failed, asked) = self.peers;
        failed > 0 && failed * SHARED_BY_ONE_IN >= asked
    }
}

/// The most that a step may fail.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Null {
    /// After one that worked.
    pub fresh: f64,
    /// After one that failed.
    pub lasting: f64,
}

/// What the past says about failures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FailureTest {
    /// How often a step may fail, and how often badly.
    pub nulls: [Null; GRADES.len()],
    /// The largest evidence that a stretch of the past reached, natural logarithm.
    pub reached: f64,
}

impl FailureTest {
    /// Fits the null to the past, one step after the other, for a trial of `length` steps. None if fewer than [`MIN_PAST_STEPS`] are
    /// there.
    #[must_use]
    pub fn fit(past: &[Step], length: usize) -> Option<FailureTest> {
        if past.iter().filter(|step| step.own.is_some()).count() < MIN_PAST_STEPS {
            return None;
        }
        let test = FailureTest { nulls: std::array::from_fn(|grade| Null::fit(past, grade)), reached: 0.0 };
        Some(FailureTest { reached: reached_together(&[(test, past)], length), ..test })
    }

    /// A process without evidence.
    #[must_use]
    pub fn begin(&self) -> FailureProcess {
        FailureProcess { stakes: self.nulls.map(Stake::on) }
    }

    /// What the evidence has to reach at a budget, natural logarithm.
    #[must_use]
    pub fn threshold(&self, alpha: f64) -> f64 {
        threshold(self.reached, alpha)
    }
}

/// What evidence has to reach at a budget where stretches of the past reached so much; natural logarithms.
#[must_use]
pub fn threshold(reached: f64, alpha: f64) -> f64 {
    let beyond = if reached > 0.0 { reached + BEYOND } else { 0.0 };
    (1.0 / alpha).ln().max(beyond)
}

/// The largest evidence that hosts reached together, natural logarithm, over stretches of their past as long as a trial of `length`
/// steps. All pasts end at the same step.
#[must_use]
pub fn reached_together(hosts: &[(FailureTest, &[Step])], length: usize) -> f64 {
    let (stretch, steps) = (length.max(1), hosts.iter().map(|(_, past)| past.len()).min().unwrap_or(0));
    let reached = |from: usize| {
        let mut processes: Vec<FailureProcess> = hosts.iter().map(|(test, _)| test.begin()).collect();
        let mut all =
            |step: usize| processes.iter_mut().zip(hosts).map(|(process, (_, past))| process.step(past[past.len() - steps + step])).sum();
        (from..(from + stretch).min(steps)).map(&mut all).fold(0.0, f64::max)
    };
    (0..steps).step_by(stretch.div_ceil(2)).map(reached).fold(0.0, f64::max)
}

impl Null {
    fn fit(past: &[Step], grade: usize) -> Null {
        let fails = |step: &Step| step.own.map(|own| own >= GRADES[grade]);
        let bound = |before: bool, bound: f64| {
            let alone = past.windows(2).filter(|pair| fails(&pair[0]) == Some(before) && !pair[1].shared());
            let (failed, asked) =
                alone.filter_map(|pair| fails(&pair[1])).fold((0, 0), |(failed, asked), fails| (failed + u64::from(fails), asked + 1));
            // What was never seen is not known: then a failure that lasts says no more than that it began.
            if asked == 0 { 1.0 } else { clopper_pearson(failed, asked, 2.0 * bound).1 }
        };
        Null { fresh: bound(false, BOUND), lasting: bound(true, LASTING) }
    }
}

/// The evidence while steps arrive.
#[derive(Debug, Clone, PartialEq)]
pub struct FailureProcess {
    stakes: [Stake; GRADES.len()],
}

impl FailureProcess {
    /// Takes a step; one that is missing says nothing. The evidence after it, natural logarithm.
    pub fn step(&mut self, step: Step) -> f64 {
        if let Some(own) = step.own {
            self.stakes.iter_mut().zip(GRADES).for_each(|(stake, grade)| stake.take(own >= grade, step.peers));
        }
        self.ln_e()
    }

    /// The natural logarithm of the evidence.
    #[must_use]
    pub fn ln_e(&self) -> f64 {
        let [a, b] = [self.stakes[0].ln_e, self.stakes[1].ln_e];
        a.max(b) + (0.5 + 0.5 * (-(a - b).abs()).exp()).ln()
    }
}

/// The capital of the bets on failures of one grade.
#[derive(Debug, Clone, PartialEq)]
struct Stake {
    null: Null,
    capital: [f64; ODDS.len()],
    ln_e: f64,
    failed: bool,
}

impl Stake {
    fn on(null: Null) -> Stake {
        Stake { null, capital: BEGUN, ln_e: 0.0, failed: false }
    }

    fn take(&mut self, failed: bool, (peers, asked): (u32, u32)) {
        let own = if self.failed { self.null.lasting } else { self.null.fresh };
        let others = if peers > 0 { f64::from(peers + 1) / f64::from(asked + 2) } else { 0.0 };
        let null = own.max(others).clamp(1e-6, 1.0);
        self.failed = failed;
        // What may always fail proves nothing by failing, and nothing by working.
        if null < 1.0 {
            self.bet(failed, null);
        }
    }

    fn bet(&mut self, failed: bool, null: f64) {
        let mut total = 0.0;
        for (capital, odds) in self.capital.iter_mut().zip(ODDS) {
            let more = odds * null / (1.0 - null + odds * null);
            *capital *= if failed { more / null } else { (1.0 - more) / (1.0 - null) };
            total += *capital;
        }
        self.ln_e += total.ln();
        let left = (1.0 - SHARED) / total;
        self.capital.iter_mut().zip(BEGUN).for_each(|(capital, begun)| *capital = *capital * left + SHARED * begun);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    /// A step beside six peers of which some failed.
    fn step(failed: bool, peers: u32) -> Step {
        Step { own: Some(if failed { Grade::Fails } else { Grade::Works }), peers: (peers, 6) }
    }

    fn past(steps: usize, fails: impl Fn(usize) -> bool) -> Vec<Step> {
        (0..steps).map(|i| step(fails(i), 0)).collect()
    }

    #[test]
    fn it_is_worth_one_on_average_over_all_that_can_happen() {
        let nulls = [Null { fresh: 0.05, lasting: 0.4 }, Null { fresh: 0.02, lasting: 0.3 }];
        let test = FailureTest { nulls, reached: 0.0 };
        let mean = |scale: f64| -> f64 {
            (0..3_u32.pow(7))
                .map(|outcomes| {
                    let (mut process, mut chance, mut before, mut rest) = (test.begin(), 1.0, Grade::Works, outcomes);
                    for _ in 0..7 {
                        let grade = [Grade::Works, Grade::Fails, Grade::Badly][rest as usize % 3];
                        rest /= 3;
                        let p = |i: usize| scale * if before >= GRADES[i] { nulls[i].lasting } else { nulls[i].fresh };
                        chance *= [1.0 - p(0), p(0) - p(1), p(1)][grade as usize];
                        process.step(Step { own: Some(grade), peers: (0, 6) });
                        before = grade;
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
                step(failing, 0)
            };
            let past: Vec<Step> = (0..300).map(|_| series()).collect();
            let test = FailureTest::fit(&past, 48).unwrap();
            let mut process = test.begin();
            rejected += u32::from((0..48).any(|_| process.step(series()) >= test.threshold(alpha)));
        }
        assert!(f64::from(rejected) <= 1.5 * alpha * trials as f64, "{rejected} of {trials}");
    }

    #[test]
    fn flapping_is_found_though_no_failure_lasts() {
        let test = FailureTest::fit(&past(240, |_| false), 48).unwrap();
        let mut process = test.begin();
        let at = (0..48).find(|i| process.step(step(i % 4 == 0, 0)) >= test.threshold(0.005));
        assert!(at.is_some_and(|at| at <= 8), "{at:?}");
    }

    #[test]
    fn bad_failures_are_found_where_light_ones_are_usual() {
        let test = FailureTest::fit(&past(240, |i| i.is_multiple_of(4)), 48).unwrap();
        let find = |own: Grade| {
            let mut process = test.begin();
            (0..48).find(|i| {
                let own = Some(if i % 4 == 0 { own } else { Grade::Works });
                process.step(Step { own, peers: (0, 6) }) >= test.threshold(0.005)
            })
        };
        assert_eq!(find(Grade::Fails), None);
        assert!(find(Grade::Badly).is_some_and(|at| at <= 12), "{:?}", find(Grade::Badly));
    }

    #[test]
    fn what_it_always_did_and_what_peers_do_too_is_no_evidence() {
        let flaps = |i: usize| i.is_multiple_of(5);
        let test = FailureTest::fit(&past(240, flaps), 48).unwrap();
        let mut process = test.begin();
        assert!((0..48).all(|i| process.step(step(flaps(i), 0)) < test.threshold(0.02)));
        let test = FailureTest::fit(&past(240, |_| false), 48).unwrap();
        let mut process = test.begin();
        assert!((0..48).all(|i| process.step(step(i % 6 == 0, if i % 3 == 0 { 4 } else { 0 })) < test.threshold(0.02)));
        let mut process = test.begin();
        process.step(Step::default());
        assert_eq!(process.ln_e(), 0.0, "a missing step says nothing");
    }

    #[test]
    fn what_came_over_all_in_the_past_does_not_excuse_what_comes_over_one() {
        let outages = |peers: u32| (0..480).map(|i| step(i % 24 < 4, if i % 24 < 4 { peers } else { 0 })).collect::<Vec<_>>();
        let find = |past: &[Step]| {
            let test = FailureTest::fit(past, 48).unwrap();
            let mut process = test.begin();
            (0..48).find(|i| process.step(step(i % 5 == 0, 0)) >= test.threshold(0.005))
        };
        let (with_all, alone) = (find(&outages(5)), find(&outages(0)));
        assert!(with_all.is_some_and(|at| at <= 15) && alone.is_none(), "{with_all:?} {alone:?}");
    }

    #[test]
    fn of_many_peers_some_always_flap_and_that_blinds_nobody() {
        for p in [0.02, 0.08, 0.12] {
            let mut rng = Rng::new(7);
            let mut flapping = |own: f64| Step {
                own: Some(if rng.unit() < own { Grade::Fails } else { Grade::Works }),
                peers: ((0..50).filter(|_| rng.unit() < p).count() as u32, 50),
            };
            let past: Vec<Step> = (0..480).map(|_| flapping(p)).collect();
            let test = FailureTest::fit(&past, 48).unwrap();
            let mut process = test.begin();
            let at = (0..48).find(|_| process.step(flapping(0.6)) >= test.threshold(0.003));
            assert!(at.is_some_and(|at| at <= 24), "{p}: {at:?} {test:?}");
        }
    }

    #[test]
    fn hosts_that_always_failed_together_raise_the_bar_for_all_of_them() {
        let apart = |host: usize| past(480, |i| i % 60 == 13 * host);
        let alike = |_: usize| past(480, |i| i % 60 == 0);
        let reached = |of: &dyn Fn(usize) -> Vec<Step>| {
            let pasts: Vec<Vec<Step>> = (0..4).map(of).collect();
            let hosts: Vec<_> = pasts.iter().map(|past| (FailureTest::fit(past, 48).unwrap(), &past[..])).collect();
            (reached_together(&hosts, 48), hosts[0].0.reached)
        };
        let ((apart, one), (alike, _)) = (reached(&apart), reached(&alike));
        assert!(one > 0.0 && apart < 2.0 * one && alike > 3.9 * one, "{one} {apart} {alike}");
        assert_eq!(reached_together(&[], 48), 0.0);
    }

    #[test]
    fn a_short_past_fits_nothing_and_clusters_raise_the_bar() {
        assert_eq!(FailureTest::fit(&past(29, |_| false), 48), None);
        assert_eq!(FailureTest::fit(&vec![Step::default(); 500], 48), None);
        let calm = FailureTest::fit(&past(600, |i| i.is_multiple_of(75)), 48).unwrap();
        let clusters = FailureTest::fit(&past(600, |i| i > 300 && i < 316 && i.is_multiple_of(2)), 48).unwrap();
        assert!(clusters.threshold(0.1) > calm.threshold(0.1) + 0.5, "{clusters:?} {calm:?}");
    }
}

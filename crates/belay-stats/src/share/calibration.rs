//! The claims of the test, measured on seeded sequences: how often a null is rejected, how soon a harm is found.

use super::{Direction, Effect, ShareTest};
use crate::rng::Rng;

type Steps = Vec<(f64, f64)>;

const RUNS: u64 = 2_000;
const LOOKS: usize = 60;

/// A flow whose total wanders (shared by treated and peers) and whose two parts have noise of their own.
#[derive(Clone, Copy)]
struct Flow {
    past: usize,
    treated_rate: f64,
    peer_rate: f64,
    /// Standard deviation of the shared AR(1) log-intensity, with coefficient 0.8; 0 is a constant rate.
    shared_sd: f64,
    /// Standard deviation of the log-noise of each part.
    own_sd: f64,
    /// Lag-1 correlation of the parts' own noise.
    own_correlation: f64,
}

const POISSON: Flow = Flow { past: 100, treated_rate: 20.0, peer_rate: 60.0, shared_sd: 0.0, own_sd: 0.0, own_correlation: 0.0 };
const WANDERING: Flow = Flow { shared_sd: 0.4, own_sd: 0.15, ..POISSON };
const LARGE: Flow = Flow { treated_rate: 2_000.0, peer_rate: 9_000.0, ..WANDERING };

impl Flow {
    /// The past, then `future` steps in which the treated rate is multiplied by `factor(h)`.
    fn draw(self, seed: u64, future: usize, factor: impl Fn(usize) -> f64) -> (Steps, Steps) {
        let mut rng = Rng::new(seed);
        let mut shared = 0.0;
        let (mut own_x, mut own_y) = (rng.normal(), rng.normal());
        let innovation = (1.0 - self.own_correlation * self.own_correlation).sqrt();
        let mut steps = Vec::new();
        for i in 0..self.past + future {
            shared = 0.8 * shared + 0.6 * rng.normal();
            own_x = self.own_correlation * own_x + innovation * rng.normal();
            own_y = self.own_correlation * own_y + innovation * rng.normal();
            let effect = if i < self.past { 1.0 } else { factor(i - self.past) };
            let x = rng.poisson(self.treated_rate * effect * (self.shared_sd * shared + self.own_sd * own_x).exp());
            let y = rng.poisson(self.peer_rate * (self.shared_sd * shared + self.own_sd * own_y).exp());
            steps.push((x as f64, y as f64));
        }
        let later = steps.split_off(self.past);
        (steps, later)
    }

    /// The first look (from 1) at which level 0.01 is reached, if any.
    fn found(self, seed: u64, direction: Direction, looks: usize, factor: impl Fn(usize) -> f64) -> Option<usize> {
        let (past, future) = self.draw(seed, looks, factor);
        let mut process = ShareTest::fit(&past)?.begin(direction);
        future
            .iter()
            .position(|&(x, y)| {
                process.step(x, y);
                process.ln_e() >= 100f64.ln()
            })
            .map(|at| at + 1)
    }

    fn rate_of_null_rejections(self, direction: Direction, runs: u64) -> f64 {
        let rejected = (0..runs).filter(|&seed| self.found(seed, direction, LOOKS, |_| 1.0).is_some()).count();
        rejected as f64 / runs as f64
    }

    /// The share of 500 runs in which the harm is found within `looks`.
    fn power(self, direction: Direction, looks: usize, factor: impl Fn(usize) -> f64) -> f64 {
        let found = (0..500).filter(|&seed| self.found(seed + 90_000, direction, looks, &factor).is_some()).count();
        found as f64 / 500.0
    }
}

#[track_caller]
fn assert_calibrated(name: &str, flow: Flow, directions: &[Direction]) {
    // The flows that ask for every direction carry the claim; half as many runs tell whether another one is far off.
    let runs = if directions.len() == EACH.len() { RUNS } else { RUNS / 2 };
    for &direction in directions {
        let rate = flow.rate_of_null_rejections(direction, runs);
        assert!(rate <= 0.02, "{name} {direction:?}: {rate}");
    }
}

const EACH: [Direction; 3] = [Direction::Down, Direction::Up, Direction::Both];

#[test]
fn a_poisson_null_is_rejected_in_at_most_two_percent_of_runs() {
    assert_calibrated("past 100", POISSON, &EACH);
    assert_calibrated("past 10", Flow { past: 10, ..POISSON }, &[Direction::Both]);
    assert_calibrated("rare", Flow { treated_rate: 0.5, peer_rate: 2.0, ..POISSON }, &[Direction::Up]);
}

#[test]
fn a_wandering_noisy_null_is_rejected_in_at_most_two_percent_of_runs() {
    assert_calibrated("past 100", WANDERING, &EACH);
    assert_calibrated("past 12", Flow { past: 12, ..WANDERING }, &[Direction::Both]);
    assert_calibrated("large counts", LARGE, &[Direction::Both]);
    assert_calibrated("treated are the many", Flow { treated_rate: 900.0, peer_rate: 30.0, ..WANDERING }, &[Direction::Down]);
}

#[test]
fn correlated_noise_of_the_parts_stays_within_the_claim() {
    assert_calibrated("correlated", Flow { own_correlation: 0.6, treated_rate: 200.0, peer_rate: 600.0, ..WANDERING }, &[Direction::Both]);
}

#[test]
fn a_fall_to_half_is_found_within_twenty_steps() {
    for (name, flow) in [("poisson", POISSON), ("wandering", WANDERING), ("large", LARGE)] {
        for direction in [Direction::Down, Direction::Both] {
            let power = flow.power(direction, 20, |_| 0.5);
            assert!(power >= 0.95, "{name} {direction:?}: {power}");
        }
    }
}

#[test]
fn a_total_stop_is_found_within_four_steps_and_never_by_one() {
    for flow in [POISSON, WANDERING, LARGE] {
        assert!(flow.power(Direction::Down, 4, |_| 0.0) >= 0.98);
        assert_eq!(flow.power(Direction::Down, 1, |_| 0.0), 0.0, "one glitch is not a rejection");
    }
}

#[test]
fn a_harm_that_sets_in_late_is_found() {
    let power = WANDERING.power(Direction::Down, 60, |h| if h < 35 { 1.0 } else { 0.4 });
    assert!(power >= 0.95, "{power}");
}

#[test]
fn a_rise_is_no_evidence_of_a_fall() {
    assert_eq!(WANDERING.power(Direction::Down, 60, |_| 3.0), 0.0);
    assert!(WANDERING.power(Direction::Up, 20, |_| 2.0) >= 0.95);
}

#[test]
fn a_storm_that_hits_both_parts_is_no_evidence() {
    let (past, _) = POISSON.draw(1, 0, |_| 1.0);
    let mut process = ShareTest::fit(&past).unwrap().begin(Direction::Both);
    for _ in 0..60 {
        process.step(200.0, 600.0);
        process.step(0.0, 0.0);
    }
    assert!(process.ln_e() < 1.0, "{}", process.ln_e());
}

#[test]
fn the_interval_covers_the_truth_and_a_stop_has_an_upper_bound() {
    let mut missed = 0;
    for seed in 0..400 {
        let (past, future) = WANDERING.draw(seed, 40, |_| 0.6);
        let mut process = ShareTest::fit(&past).unwrap().begin(Direction::Down);
        assert_eq!(process.effect(0.05), None);
        let outside = |e: Effect| e.low > 0.6 || e.high < 0.6 || e.low > e.odds_ratio || e.high < e.odds_ratio;
        missed += u32::from(future.iter().any(|&(x, y)| {
            process.step(x, y);
            process.effect(0.05).is_some_and(outside)
        }));
    }
    assert!(missed <= 20, "{missed} of 400 intervals ever missed the truth at 5 %");
    let (past, _) = POISSON.draw(3, 0, |_| 1.0);
    let mut process = ShareTest::fit(&past).unwrap().begin(Direction::Down);
    (0..10).for_each(|_| process.step(0.0, 60.0));
    let effect = process.effect(0.05).unwrap();
    assert!(effect.low == 0.0 && effect.high < 0.2 && effect.odds_ratio < 0.02, "{effect:?}");
    assert!(effect.share_now == 0.0 && (effect.share_before - 0.25).abs() < 0.02);
}

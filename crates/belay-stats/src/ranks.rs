//! The rank test of two samples, with ties, and the shift between them with its interval.
//!
//! It takes samples as independent. Most series in time are not: over those it rejects far too often, whatever its level says. It is
//! here for samples that are (one value a host), and to show what others' judges do.

use crate::normal;

/// The result of a rank test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RankTest {
    /// Pairs in which the first sample is larger, ties by half.
    pub u: f64,
    /// Standardised, with ties and a continuity correction of a half; its sign is that of the shift.
    pub z: f64,
    /// Two-sided, by the normal approximation.
    pub p: f64,
}

/// A shift between two samples, with an interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shift {
    /// The median of all differences (Hodges and Lehmann, "Estimates of location based on rank tests", 1963).
    pub estimate: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// The test of Mann and Whitney ("On a test of whether one of two random variables is stochastically larger than the other", 1947).
/// `None` if a sample is empty; NaN is not expected. Where all values are equal z is 0 and p is 1.
#[must_use]
pub fn mann_whitney(a: &[f64], b: &[f64]) -> Option<RankTest> {
    if a.is_empty() || b.is_empty() {
        return None;
    }
    let (a, b) = (sorted(a), sorted(b));
    let (u, ties) = compare(&a, &b);
    let (m, n) = (a.len() as f64, b.len() as f64);
    let sd = spread(m, n, ties);
    let away = u - m * n / 2.0;
    let z = if sd > 0.0 { away.signum() * (away.abs() - 0.5).max(0.0) / sd } else { 0.0 };
    Some(RankTest { u, z, p: (2.0 * normal::upper_tail(z.abs())).min(1.0) })
}

/// The shift of `a` against `b`, with the interval that the rank test at the two-sided normal quantile `z` does not reject (1.96: 95 %).
/// `None` if a sample is empty.
#[must_use]
pub fn shift(a: &[f64], b: &[f64], z: f64) -> Option<Shift> {
    if a.is_empty() || b.is_empty() {
        return None;
    }
    let (a, b) = (sorted(a), sorted(b));
    let mut differences: Vec<f64> = a.iter().flat_map(|x| b.iter().map(move |y| x - y)).collect();
    let (_, ties) = compare(&a, &b);
    let half = z * spread(a.len() as f64, b.len() as f64, ties);
    let cut = (differences.len() as f64 / 2.0 - half).round().max(0.0) as usize;
    let last = differences.len() - 1;
    let cut = cut.min(last / 2);
    let low = nth(&mut differences, cut);
    let high = nth(&mut differences[cut..], last - 2 * cut);
    let middle = &mut differences[cut..=last - cut];
    let estimate = crate::robust::median_in_place(middle)?;
    Some(Shift { estimate, low, high })
}

fn nth(values: &mut [f64], index: usize) -> f64 {
    *values.select_nth_unstable_by(index, f64::total_cmp).1
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut values = values.to_vec();
    values.sort_unstable_by(f64::total_cmp);
    values
}

/// U of the first sample, and the sum of t^3 - t over groups of equal values; both samples sorted.
fn compare(a: &[f64], b: &[f64]) -> (f64, f64) {
    let (mut i, mut j) = (0, 0);
    let (mut u, mut ties) = (0.0, 0.0);
    while i < a.len() || j < b.len() {
        let value = match (a.get(i), b.get(j)) {
            (Some(x), Some(y)) => x.min(*y),
            (Some(x), None) => *x,
            (None, Some(y)) => *y,
            (None, None) => break,
        };
        let from_a = a[i..].iter().take_while(|x| **x == value).count();
        let from_b = b[j..].iter().take_while(|y| **y == value).count();
        if from_a + from_b == 0 {
            break;
        }
        u += from_a as f64 * (j as f64 + from_b as f64 / 2.0);
        let t = (from_a + from_b) as f64;
        ties += t * t * t - t;
        i += from_a;
        j += from_b;
    }
    (u, ties)
}

fn spread(m: f64, n: f64, ties: f64) -> f64 {
    let all = m + n;
    (m * n / 12.0 * (all + 1.0 - ties / (all * (all - 1.0)).max(1.0))).max(0.0).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn equal_samples_say_nothing() {
        let test = mann_whitney(&[3.0; 8], &[3.0; 5]).unwrap();
        assert_eq!((test.u, test.z, test.p), (20.0, 0.0, 1.0));
        assert_eq!(mann_whitney(&[], &[1.0]), None);
        assert_eq!(shift(&[2.0], &[0.5], 1.96), Some(Shift { estimate: 1.5, low: 1.5, high: 1.5 }));
    }

    #[test]
    fn tests_and_shifts_agree_with_the_reference() {
        let table = include_str!("../reference/ranks.tsv");
        let mut seen = 0;
        for line in table.lines().filter(|line| !line.starts_with('#')) {
            let cells: Vec<&str> = line.split('\t').collect();
            let list = |cell: &str| -> Vec<f64> { cell.split(' ').map(|v| v.parse().unwrap()).collect() };
            let (a, b) = (list(cells[0]), list(cells[1]));
            let expected: Vec<f64> = cells[2..].iter().map(|v| v.parse().unwrap()).collect();
            let test = mann_whitney(&a, &b).unwrap();
            assert_eq!(test.u, expected[0]);
            assert!((test.p - expected[1]).abs() <= 1e-10, "{} {}", test.p, expected[1]);
            assert!((shift(&a, &b, 1.96).unwrap().estimate - expected[2]).abs() <= 1e-12);
            seen += 1;
        }
        assert_eq!(seen, 40);
    }

    proptest! {
        #[test]
        fn the_other_way_round_is_the_same_test(a in prop::collection::vec(-9i8..9, 1..20), b in prop::collection::vec(-9i8..9, 1..20)) {
            let wide = |v: &[i8]| -> Vec<f64> { v.iter().map(|x| f64::from(*x)).collect() };
            let (a, b) = (wide(&a), wide(&b));
            let (one, other) = (mann_whitney(&a, &b).unwrap(), mann_whitney(&b, &a).unwrap());
            prop_assert_eq!(one.u + other.u, (a.len() * b.len()) as f64);
            prop_assert_eq!((one.z, one.p), (-other.z, other.p));
            let (one, other) = (shift(&a, &b, 1.96).unwrap(), shift(&b, &a, 1.96).unwrap());
            prop_assert_eq!((one.low, one.estimate, one.high), (-other.high, -other.estimate, -other.low));
        }
    }
}

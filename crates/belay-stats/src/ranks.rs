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
/// `None` if a sample is empty or not finite.
#[must_use]
pub fn shift(a: &[f64], b: &[f64], z: f64) -> Option<Shift> {
    if a.is_empty() || b.is_empty() || a.iter().chain(b).any(|v| !v.is_finite()) {
        return None;
    }
    let (a, b) = (sorted(a), sorted(b));
    let (_, ties) = compare(&a, &b);
    let half = z * spread(a.len() as f64, b.len() as f64, ties);
    let last = a.len() * b.len() - 1;
    let cut = ((last + 1) as f64 / 2.0 - half).round().max(0.0) as usize;
    let cut = cut.min(last / 2);
    let mut differences = Differences::of(&a, &b);
    let lower = differences.nth(last / 2);
    let upper = if last % 2 == 0 { lower } else { differences.following(lower, last / 2) };
    let estimate = if lower == upper { lower } else { f64::midpoint(lower, upper) };
    Some(Shift { estimate, low: differences.nth(cut), high: differences.nth(last - cut) })
}

/// All differences between two sorted samples: a matrix whose rows and columns are sorted, so that an order statistic is found without
/// making all of its elements.
struct Differences<'v> {
    a: &'v [f64],
    b: &'v [f64],
    /// In each row what is still in question: elements from the first of these to before the second, in ascending order.
    rows: Vec<(usize, usize)>,
    /// In each row how many elements are below the pivot, and how many not above it.
    counts: Vec<(usize, usize)>,
    left: Vec<f64>,
}

/// So few elements in question are selected from as they are.
const FEW: usize = 192;

impl<'v> Differences<'v> {
    fn of(a: &'v [f64], b: &'v [f64]) -> Self {
        let (rows, counts) = (Vec::with_capacity(a.len()), Vec::with_capacity(a.len()));
        Self { a, b, rows, counts, left: Vec::with_capacity(FEW) }
    }

    /// An element of a row, in ascending order.
    fn at(&self, row: usize, place: usize) -> f64 {
        self.a[row] - self.b[self.b.len() - 1 - place]
    }

    /// The order statistic of this rank, from 0: a pivot is taken from the middle of what is in question, and what lies on its wrong side
    /// is dropped from every row at once.
    fn nth(&mut self, rank: usize) -> f64 {
        self.rows.clear();
        self.rows.resize(self.a.len(), (0, self.b.len()));
        let mut dropped = 0;
        while self.in_question() > FEW {
            let pivot = self.middle();
            let (below, not_above) = self.count(pivot);
            if rank < below {
                self.rows.iter_mut().zip(&self.counts).for_each(|(row, count)| row.1 = row.1.min(count.0));
            } else if rank >= not_above {
                self.rows.iter_mut().zip(&self.counts).for_each(|(row, count)| row.0 = row.0.max(count.1));
                dropped = not_above;
            } else {
                return pivot;
            }
        }
        self.left.clear();
        for (x, (from, to)) in self.a.iter().zip(&self.rows) {
            let places = self.b.len() - to..self.b.len() - from;
            self.left.extend(self.b[places].iter().map(|y| x - y));
        }
        *self.left.select_nth_unstable_by(rank - dropped, f64::total_cmp).1
    }

    /// The order statistic after the one of this rank, which is `value`.
    fn following(&mut self, value: f64, rank: usize) -> f64 {
        let (_, not_above) = self.count(value);
        if rank + 1 < not_above {
            return value;
        }
        let above = self.counts.iter().enumerate().filter(|(_, (_, place))| *place < self.b.len());
        above.map(|(row, (_, place))| self.at(row, *place)).fold(f64::INFINITY, f64::min)
    }

    fn in_question(&self) -> usize {
        self.rows.iter().map(|(from, to)| to - from).sum()
    }

    /// The middle element of the row in which half of what is in question is reached.
    fn middle(&self) -> f64 {
        let half = self.in_question() / 2;
        let mut seen = 0;
        let reached = self.rows.iter().position(|(from, to)| {
            seen += to - from;
            seen > half
        });
        let row = reached.unwrap_or(0);
        self.at(row, (self.rows[row].0 + self.rows[row].1) / 2)
    }

    /// Counts what lies below a pivot and not above it; each row has no more of either than the row before.
    fn count(&mut self, pivot: f64) -> (usize, usize) {
        self.counts.clear();
        let (mut below, mut not_above) = (self.b.len(), self.b.len());
        let mut sums = (0, 0);
        for row in 0..self.a.len() {
            while below > 0 && self.at(row, below - 1) >= pivot {
                below -= 1;
            }
            while not_above > 0 && self.at(row, not_above - 1) > pivot {
                not_above -= 1;
            }
            self.counts.push((below, not_above));
            sums = (sums.0 + below, sums.1 + not_above);
        }
        sums
    }
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
        fn an_order_statistic_of_the_differences_is_that_of_all_of_them(
            a in prop::collection::vec(-50i8..50, 1..25), b in prop::collection::vec(-50i8..50, 1..25),
        ) {
            let wide = |v: &[i8]| -> Vec<f64> { v.iter().map(|x| f64::from(*x) / 7.0).collect() };
            let (a, b) = (sorted(&wide(&a)), sorted(&wide(&b)));
            let all = sorted(&a.iter().flat_map(|x| b.iter().map(move |y| x - y)).collect::<Vec<_>>());
            let mut differences = Differences::of(&a, &b);
            for (rank, expected) in all.iter().enumerate() {
                prop_assert_eq!(differences.nth(rank), *expected);
                if let Some(next) = all.get(rank + 1) {
                    prop_assert_eq!(differences.following(*expected, rank), *next);
                }
            }
        }

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

//! The medians of many windows that overlap, all at once.
//!
//! Windows of [`WINDOW`] values, each begun [`BLOCK`] after the one before, share most of their blocks. Blocks are put in order, merged to
//! pairs and to fours, by networks of comparisons (Batcher, "Sorting networks and their applications", 1968) that do the same to every
//! window: what lies at one place in all of them is a row, and rows are compared as a whole, without a branch that nobody could foresee.

/// Values of a window.
pub(crate) const WINDOW: usize = 24;
/// Values between the beginnings of two windows.
pub(crate) const BLOCK: usize = 4;

/// What is sorted, place by place: the smallest values of all, the second smallest, and so on.
type Rows = Vec<Vec<f64>>;

/// The median of every window of a series, each begun [`BLOCK`] values after the one before. `None` where a value is missing.
pub(crate) fn of_windows(series: &[f64]) -> Option<Vec<f64>> {
    if series.len() < WINDOW || !series.iter().all(|v| v.is_finite()) {
        return None;
    }
    let mut blocks: Rows = (0..BLOCK).map(|place| series.chunks_exact(BLOCK).map(|block| block[place]).collect()).collect();
    [(0, 1), (2, 3), (0, 2), (1, 3), (1, 2)].into_iter().for_each(|(i, j)| exchange(&mut blocks, i, j));
    let pairs = merged(&blocks, 1);
    let fours = merged(&pairs, 2);
    let windows = series.len() / BLOCK - WINDOW / BLOCK + 1;
    // A window is four blocks and the pair that follows.
    let last = (&fours, &pairs, 4);
    let (lower, upper) = (smallest(last, WINDOW / 2, windows), smallest(last, WINDOW / 2 + 1, windows));
    Some(lower.iter().zip(&upper).map(|(lower, upper)| 0.5 * (lower + upper)).collect())
}

/// Each with the one that begins so many blocks later, in order.
fn merged(rows: &Rows, later: usize) -> Rows {
    let length = rows[0].len() - later;
    // The second one is reversed: both together rise and fall, and are put in order by halves.
    let first = rows.iter().map(|row| row[..length].to_vec());
    let mut both: Rows = first.chain(rows.iter().rev().map(|row| row[later..].to_vec())).collect();
    let mut half = rows.len();
    while half > 0 {
        (0..both.len()).filter(|place| place & half == 0).for_each(|place| exchange(&mut both, place, place + half));
        half /= 2;
    }
    both
}

/// The `k`-th smallest of each of so many windows of two sorted parts, of which the second begins so many blocks later: of all ways to
/// take `k` values from the front of both, one takes the smallest ones, and the others reach higher.
fn smallest((first, second, later): (&Rows, &Rows, usize), k: usize, windows: usize) -> Vec<f64> {
    let mut least = first[k - 1][..windows].to_vec();
    for taken in 1..=second.len().min(k) {
        let ours = first[k - taken - 1][..windows].iter();
        let reached = ours.zip(&second[taken - 1][later..]).map(|(a, b)| if *a > *b { *a } else { *b });
        least.iter_mut().zip(reached).for_each(|(least, reached)| *least = if reached < *least { reached } else { *least });
    }
    least
}

/// Puts the smaller of each two values into the first of two rows.
fn exchange(rows: &mut Rows, i: usize, j: usize) {
    let (before, from) = rows.split_at_mut(j);
    for (a, b) in before[i].iter_mut().zip(&mut from[0]) {
        (*a, *b) = if *b < *a { (*b, *a) } else { (*a, *b) };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::robust::median;

    proptest! {
        #[test]
        fn they_are_the_medians(series in prop::collection::vec(prop_oneof![4 => -3.0f64..3.0, 1 => Just(0.0)], WINDOW..200)) {
            let found = of_windows(&series).unwrap();
            let expected: Vec<f64> = series.windows(WINDOW).step_by(BLOCK).map(|window| median(window).unwrap()).collect();
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn of_too_few_values_or_missing_ones_there_are_none() {
        assert_eq!(of_windows(&[1.0; WINDOW - 1]), None);
        assert_eq!(of_windows(&[1.0; WINDOW]), Some(vec![1.0]));
        let mut series = [1.0; 2 * WINDOW];
        series[40] = f64::NAN;
        assert_eq!(of_windows(&series), None);
    }
}

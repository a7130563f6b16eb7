//! Runs of zeros and of exact repeats.
//!
//! A value that stands still, or stays at zero, says more than its size. A missing value ends a run: what was not seen is neither a zero
//! nor a repeat. Values are compared with `==`, so `-0.0` is a zero and NaN repeats nothing.

/// Counts runs while values arrive one by one; the state is a plain value that can be copied.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct RunCounter {
    /// Zeros in a row, up to and including the last value.
    pub zeros: usize,
    /// Values in a row that equal the one before, up to and including the last value: six repeats are seven equal values.
    pub repeats: usize,
    /// The last value, if it was present: what the next one is compared with.
    pub last: Option<f64>,
}

impl RunCounter {
    /// A counter whose runs start at zero, but whose first value is compared with `last`. For runs that start to count at a moment
    /// (a change) although values were seen before it.
    #[must_use]
    pub fn starting_after(last: Option<f64>) -> RunCounter {
        RunCounter { zeros: 0, repeats: 0, last }
    }

    /// Takes the next value; `None` is a missing value and ends both runs.
    pub fn push(&mut self, value: Option<f64>) {
        self.zeros = if value == Some(0.0) { self.zeros + 1 } else { 0 };
        self.repeats = if value.is_some() && value == self.last { self.repeats + 1 } else { 0 };
        self.last = value;
    }
}

/// The longest run of zeros in `values`; a missing value ends a run. 0 if there is none.
#[must_use]
pub fn longest_zero_run(values: &[Option<f64>]) -> usize {
    longest(values, |c| c.zeros)
}

/// The longest run of exact repeats in `values` (values equal to the one before: seven equal values are six repeats); a missing value
/// ends a run. 0 if no value repeats.
#[must_use]
pub fn longest_repeat_run(values: &[Option<f64>]) -> usize {
    longest(values, |c| c.repeats)
}

fn longest(values: &[Option<f64>], of: impl Fn(&RunCounter) -> usize) -> usize {
    let mut counter = RunCounter::default();
    let mut longest = 0;
    for &value in values {
        counter.push(value);
        longest = longest.max(of(&counter));
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    const X: Option<f64> = None;

    fn some(values: &[f64]) -> Vec<Option<f64>> {
        values.iter().copied().map(Some).collect()
    }

    #[test]
    fn six_repeats_are_seven_equal_values() {
        assert_eq!(longest_repeat_run(&some(&[5.0; 7])), 6);
        assert_eq!(longest_repeat_run(&some(&[1.0, 2.0, 2.0, 3.0, 3.0, 3.0])), 2);
        assert_eq!(longest_repeat_run(&some(&[1.0])), 0);
        assert_eq!(longest_repeat_run(&[]), 0);
    }

    #[test]
    fn a_missing_value_ends_a_run() {
        let z = Some(0.0);
        assert_eq!(longest_zero_run(&[z, z, X, z]), 2);
        assert_eq!(longest_repeat_run(&[z, z, X, z]), 1);
        assert_eq!(longest_repeat_run(&[X, X, X]), 0, "nothing seen is not a repeat");
    }

    #[test]
    fn negative_zero_is_zero_and_nan_repeats_nothing() {
        assert_eq!(longest_zero_run(&some(&[0.0, -0.0])), 2);
        assert_eq!(longest_repeat_run(&some(&[f64::NAN, f64::NAN, f64::NAN])), 0);
    }

    #[test]
    fn a_run_that_starts_at_a_moment_is_compared_with_the_value_before_it() {
        let mut counter = RunCounter::starting_after(Some(4.0));
        counter.push(Some(4.0));
        assert_eq!((counter.repeats, counter.zeros), (1, 0));
        let mut fresh = RunCounter::default();
        fresh.push(Some(4.0));
        assert_eq!(fresh.repeats, 0);
    }
}

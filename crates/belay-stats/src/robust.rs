//! Robust location and scale: median, MAD and quantiles.
//!
//! Values are ordered by [`f64::total_cmp`], so the result is defined for every input (a NaN sorts to the end by its sign; callers
//! leave NaN out). Nothing is skipped: pass the values that are present. An empty slice has no location and no scale: `None`.

/// What turns the median absolute deviation of a normal sample into an estimate of its standard deviation: `1 / Phi^-1(3/4)`.
pub const MAD_TO_SD: f64 = 1.4826;

/// The median: the middle value, or the mean of the two middle values. `None` if `values` is empty.
///
/// Selects instead of sorting: linear time, one copy of the input.
#[must_use]
pub fn median(values: &[f64]) -> Option<f64> {
    median_in_place(&mut values.to_vec())
}

/// The median of `values`, which are left in another order. `None` if empty. Saves the copy of [`median`] in inner loops.
#[must_use]
pub fn median_in_place(values: &mut [f64]) -> Option<f64> {
    middle_in_place(values).map(|(lower, upper)| midpoint(lower, upper))
}

/// The two values in the middle of `values`, which are left in another order: the same one twice where their number is odd. `None` if
/// empty.
#[must_use]
pub fn middle_in_place(values: &mut [f64]) -> Option<(f64, f64)> {
    if values.is_empty() {
        return None;
    }
    let upper_at = values.len() / 2;
    let odd = values.len() % 2 == 1;
    let (below, upper, _) = values.select_nth_unstable_by(upper_at, f64::total_cmp);
    let upper = *upper;
    if odd {
        return Some((upper, upper));
    }
    let lower = below.iter().copied().max_by(f64::total_cmp)?;
    Some((lower, upper))
}

/// The median absolute deviation from the median, times 1.4826 ([`MAD_TO_SD`]), in the unit of `values`. `None` if empty.
///
/// 0 when more than half of the values are equal: callers that divide by it add their own floor.
#[must_use]
pub fn mad(values: &[f64]) -> Option<f64> {
    mad_in_place(&mut values.to_vec())
}

/// The [`mad`] of `values`, which are overwritten. `None` if empty.
#[must_use]
pub fn mad_in_place(values: &mut [f64]) -> Option<f64> {
    let centre = median_in_place(values)?;
    for v in &mut *values {
        *v = (*v - centre).abs();
    }
    median_in_place(values).map(|m| m * MAD_TO_SD)
}

/// The `q`-quantile with linear interpolation between order statistics at position `q (n - 1)` (definition 7 of Hyndman and Fan,
/// "Sample quantiles in statistical packages", 1996). `q` is clamped to `0..=1`. `None` if `values` is empty or `q` is NaN.
#[must_use]
pub fn quantile(values: &[f64], q: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    quantile_of_sorted(&sorted, q)
}

/// As [`quantile`], of values that are already in ascending order (by `total_cmp`): for asking several quantiles of one sample.
#[must_use]
pub fn quantile_of_sorted(sorted: &[f64], q: f64) -> Option<f64> {
    if sorted.is_empty() || q.is_nan() {
        return None;
    }
    let position = q.clamp(0.0, 1.0) * (sorted.len() - 1) as f64;
    let below = position.floor();
    let (low, high) = (sorted[below as usize], sorted[position.ceil() as usize]);
    let fraction = position - below;
    // At an order statistic exactly: no arithmetic, so that infinite neighbours do not make a NaN.
    Some(if fraction == 0.0 || low == high { low } else { low + (high - low) * fraction })
}

/// The mean, as a plain sum divided by the number of values. `None` if empty.
#[must_use]
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The middle between `a` and `b` that neither overflows nor leaves the interval.
fn midpoint(a: f64, b: f64) -> f64 {
    if a == b { a } else { f64::midpoint(a, b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_empty_slice_has_no_location_and_no_scale() {
        assert_eq!(median(&[]), None);
        assert_eq!(mad(&[]), None);
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(mean(&[]), None);
    }

    #[test]
    fn the_median_of_an_even_number_is_the_mean_of_the_middle_two() {
        assert_eq!(median(&[3.0, 1.0, 4.0, 2.0]), Some(2.5));
        assert_eq!(median(&[9.0, 1.0, 5.0]), Some(5.0));
        assert_eq!(median(&[f64::MAX, f64::MAX]), Some(f64::MAX));
    }

    #[test]
    fn the_mad_of_equal_values_is_zero_and_ignores_one_outlier() {
        assert_eq!(mad(&[7.0; 5]), Some(0.0));
        let calm = mad(&[1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(calm, Some(MAD_TO_SD));
        assert_eq!(mad(&[1.0, 2.0, 3.0, 4.0, 1e300]), calm);
    }

    #[test]
    fn quantiles_interpolate_linearly_at_q_times_n_minus_one() {
        let v = [10.0, 20.0, 30.0, 40.0, 50.0];
        assert_eq!(quantile(&v, 0.0), Some(10.0));
        assert_eq!(quantile(&v, 1.0), Some(50.0));
        assert_eq!(quantile(&v, 0.1), Some(14.0));
        assert_eq!(quantile(&v, 0.98), Some(49.2));
        assert_eq!(quantile(&v, f64::NAN), None);
    }

    proptest! {
        #[test]
        fn the_median_is_the_half_quantile(values in prop::collection::vec(-1e6f64..1e6, 1..60)) {
            let (m, q) = (median(&values).unwrap(), quantile(&values, 0.5).unwrap());
            prop_assert!((m - q).abs() <= 1e-9 * m.abs().max(1.0), "{} {}", m, q);
        }

        #[test]
        fn quantiles_rise_with_q_and_stay_inside_the_sample(
            values in prop::collection::vec(-1e6f64..1e6, 1..60), a in 0.0f64..=1.0, b in 0.0f64..=1.0,
        ) {
            let (low, high) = (quantile(&values, a.min(b)).unwrap(), quantile(&values, a.max(b)).unwrap());
            prop_assert!(low <= high + 1e-9);
            prop_assert!(quantile(&values, 0.0).unwrap() <= low && high <= quantile(&values, 1.0).unwrap());
        }

        #[test]
        fn order_does_not_matter(values in prop::collection::vec(any::<f64>(), 1..40)) {
            let mut reversed = values.clone();
            reversed.reverse();
            prop_assert_eq!(median(&values).map(f64::to_bits), median(&reversed).map(f64::to_bits));
        }
    }
}

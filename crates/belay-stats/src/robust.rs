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
    if values.len() >= MANY
        && let Some(middle) = counted_out(values)
    {
        return Some(middle);
    }
    let at = values.len() / 2;
    Some(selected(values, at, values.len() % 2 == 1))
}

/// From so many values on, counting them out beats selecting among them.
const MANY: usize = 48;

/// As [`middle_in_place`], of finite values whose middle is thought to lie between two bounds: only those between them are put in order.
/// Wrong bounds, or such that are not numbers, cost time and change nothing.
#[must_use]
pub fn middle_within(values: &mut [f64], low: f64, high: f64) -> Option<(f64, f64)> {
    let mut near = [0.0; NEAR];
    let (mut below, mut taken) = (0, 0);
    for v in &*values {
        near[taken % NEAR] = *v;
        below += usize::from(*v < low);
        taken += usize::from(*v >= low && *v <= high);
    }
    let (at, one) = (values.len() / 2, values.len() % 2 == 1);
    let first = if one { at } else { at.saturating_sub(1) };
    if taken < NEAR && below <= first && at < below + taken {
        return Some(selected(&mut near[..taken], at - below, one));
    }
    middle_in_place(values)
}

/// The median of finite values, and their [`mad`], given their root mean square: of errors around zero it tells where both are to be
/// looked for. The values are overwritten. `None` if empty.
#[must_use]
pub fn centre_and_mad(values: &mut [f64], rms: f64) -> Option<(f64, f64)> {
    let middle = |(lower, upper)| midpoint(lower, upper);
    let centre = middle_within(values, -0.12 * rms, 0.12 * rms).map(middle)?;
    values.iter_mut().for_each(|v| *v = (*v - centre).abs());
    let middle = middle_within(values, 0.55 * rms, 0.73 * rms).map(middle)?;
    Some((centre, middle * MAD_TO_SD))
}

/// Room for values near a guess.
const NEAR: usize = 128;

/// The value at a place of the order, and the one before it; twice the same where only one is asked.
fn selected(values: &mut [f64], at: usize, one: bool) -> (f64, f64) {
    let (below, upper, _) = values.select_nth_unstable_by(at, f64::total_cmp);
    let upper = *upper;
    let lower = if one { upper } else { below.iter().copied().max_by(f64::total_cmp).unwrap_or(upper) };
    (lower, upper)
}

/// Buckets of equal width between the smallest and the largest value.
const BUCKETS: usize = 128;

/// The middle of many values: they are counted by bucket, and only those in the bucket of the middle are put in order. `None` where
/// buckets cannot tell them apart.
fn counted_out(values: &[f64]) -> Option<(f64, f64)> {
    let (least, most) = range(values)?;
    let part = (BUCKETS - 1) as f64 / (most - least);
    if !(part.is_finite() && part > 0.0) {
        return None;
    }
    // Added to 2^52 a number is rounded to a whole one in the lowest bits. Larger values never get a smaller bucket.
    let bucket = |v: f64| ((v - least) * part + 4_503_599_627_370_496.0).to_bits() as usize % BUCKETS;
    let mut counts = [0_u32; BUCKETS];
    values.iter().for_each(|v| counts[bucket(*v)] += 1);
    let at = values.len() / 2;
    let one = values.len() % 2 == 1;
    let (mut before, mut first) = (0, 0);
    while before + counts[first] as usize <= if one { at } else { at - 1 } {
        before += counts[first] as usize;
        first += 1;
    }
    let (mut there, mut last) = (counts[first] as usize, first);
    while before + there <= at {
        last += 1;
        there += counts[last] as usize;
    }
    let mut few = [0.0; MANY];
    let mut many = Vec::new();
    let room = if there < MANY {
        &mut few[..=there]
    } else {
        many.resize(there + 1, 0.0);
        &mut many[..]
    };
    let mut taken = 0;
    for v in values {
        room[taken] = *v;
        let bucket = bucket(*v);
        taken += usize::from(first <= bucket && bucket <= last);
    }
    Some(selected(&mut room[..there], at - before, one))
}

/// The largest value, in lanes: minus infinity of none, and NaN says nothing.
#[must_use]
pub fn largest(values: &[f64]) -> f64 {
    let larger = |most: f64, v: f64| if v > most { v } else { most };
    let (many, rest) = values.as_chunks::<8>();
    let mut most = [f64::NEG_INFINITY; 8];
    many.iter().for_each(|chunk| (0..8).for_each(|lane| most[lane] = larger(most[lane], chunk[lane])));
    most.into_iter().chain(rest.iter().copied()).fold(f64::NEG_INFINITY, larger)
}

/// The smallest and the largest value, in lanes; `None` if any is not finite.
fn range(values: &[f64]) -> Option<(f64, f64)> {
    const LANES: usize = 4;
    let (mut least, mut most, mut finite) = ([f64::INFINITY; LANES], [f64::NEG_INFINITY; LANES], true);
    let mut take = |lane: usize, v: f64| {
        least[lane] = if v < least[lane] { v } else { least[lane] };
        most[lane] = if v > most[lane] { v } else { most[lane] };
        finite &= v.is_finite();
    };
    let mut chunks = values.chunks_exact(LANES);
    chunks.by_ref().for_each(|chunk| (0..LANES).for_each(|lane| take(lane, chunk[lane])));
    chunks.remainder().iter().enumerate().for_each(|(lane, v)| take(lane, *v));
    let (least, most) = (least.into_iter().fold(f64::INFINITY, f64::min), most.into_iter().fold(f64::NEG_INFINITY, f64::max));
    finite.then_some((least, most))
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

/// As [`quantile`], of values whose order may be lost: for asking one quantile of a sample, in time that grows as it does.
#[must_use]
pub fn quantile_in_place(values: &mut [f64], q: f64) -> Option<f64> {
    if values.is_empty() || q.is_nan() {
        return None;
    }
    let position = q.clamp(0.0, 1.0) * (values.len() - 1) as f64;
    let (_, low, above) = values.select_nth_unstable_by(position.floor() as usize, f64::total_cmp);
    let high = above.iter().copied().min_by(f64::total_cmp).unwrap_or(*low);
    quantile_of_sorted(&[*low, high], position.fract())
}

/// The values that are there: those that are finite, in their order.
#[must_use]
pub fn finite(values: &[f64]) -> Vec<f64> {
    // Mostly all are: room for all of them is made at once.
    let mut there = Vec::with_capacity(values.len());
    there.extend(values.iter().copied().filter(|v| v.is_finite()));
    there
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
        assert_eq!(quantile_in_place(&mut [], 0.5), None);
    }

    proptest! {
        #[test]
        fn a_quantile_is_the_same_whether_values_are_sorted_or_not(
            mut values in prop::collection::vec(-1e6f64..1e6, 1..60),
            q in 0.0f64..=1.0,
        ) {
            prop_assert_eq!(quantile(&values, q), quantile_in_place(&mut values, q));
        }

        #[test]
        fn the_median_is_the_half_quantile(values in prop::collection::vec(-1e6f64..1e6, 1..60)) {
            let (m, q) = (median(&values).unwrap(), quantile(&values, 0.5).unwrap());
            prop_assert!((m - q).abs() <= 1e-9 * m.abs().max(1.0), "{} {}", m, q);
        }

        #[test]
        fn counting_out_finds_what_selecting_finds(
            values in prop::collection::vec(prop_oneof![
                8 => -3f64..3.0, 2 => Just(0.0), 1 => Just(-0.0), 1 => any::<f64>(), 1 => 1e9f64..1e12,
            ], 48..400),
        ) {
            let (at, one) = (values.len() / 2, values.len() % 2 == 1);
            let expected = selected(&mut values.clone(), at, one);
            let found = middle_in_place(&mut values.clone()).unwrap();
            prop_assert_eq!((found.0.to_bits(), found.1.to_bits()), (expected.0.to_bits(), expected.1.to_bits()));
            let calm: Vec<f64> = values.iter().map(|v| v.clamp(-4.0, 1e6)).filter(|v| !v.is_nan()).collect();
            let (at, one) = (calm.len() / 2, calm.len() % 2 == 1);
            let expected = selected(&mut calm.clone(), at, one);
            if let Some(found) = counted_out(&calm) {
                prop_assert_eq!((found.0.to_bits(), found.1.to_bits()), (expected.0.to_bits(), expected.1.to_bits()));
            }
        }

        #[test]
        fn a_guess_changes_nothing(values in prop::collection::vec(0f64..3.0, 1..200), guess in prop_oneof![0f64..3.0, Just(f64::NAN)]) {
            let expected = middle_in_place(&mut values.clone());
            prop_assert_eq!(middle_within(&mut values.clone(), guess, 1.3 * guess), expected);
            let near = median(&values).unwrap();
            prop_assert_eq!(middle_within(&mut values.clone(), 0.9 * near, 1.1 * near), expected);
            let (centre, spread) = centre_and_mad(&mut values.clone(), guess).unwrap();
            prop_assert_eq!((Some(centre), Some(spread)), (median(&values), mad(&values)));
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

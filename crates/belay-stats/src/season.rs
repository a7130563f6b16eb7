//! What a series usually is at this time of its season: the mean over earlier seasons, never over what is to be judged.

/// At each step the mean of `y` at the same phase in all earlier seasons of `length` steps, 0 where there is none. Only steps before
/// `until` are ever averaged: the column of a step after a change knows nothing of the time since. NaN is missing.
#[must_use]
pub fn seasonal(y: &[f64], length: usize, until: usize) -> Vec<f64> {
    seasonal_beyond(y, length, until, 0)
}

/// As [`seasonal`], and so many steps beyond the end.
#[must_use]
pub fn seasonal_beyond(y: &[f64], length: usize, until: usize, beyond: usize) -> Vec<f64> {
    let length = length.max(1);
    let mut sums = vec![(0.0, 0u32); length];
    let mut out = Vec::with_capacity(y.len() + beyond);
    let usual = |(sum, count): &(f64, u32)| if *count > 0 { *sum / f64::from(*count) } else { 0.0 };
    for (season, values) in y.chunks(length).enumerate() {
        let known = until.saturating_sub(season * length).min(values.len());
        out.extend(sums[..values.len()].iter().map(usual));
        for ((sum, count), value) in sums.iter_mut().zip(&values[..known]) {
            let there = value.is_finite();
            *sum += if there { *value } else { 0.0 };
            *count += u32::from(there);
        }
    }
    let last = y.len() % length;
    out.extend((0..beyond).map(|step| usual(&sums[(last + step) % length])));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_is_the_mean_of_its_earlier_seasons_and_never_of_what_comes_after_the_end() {
        let y = [1.0, 2.0, 3.0, f64::NAN, 5.0, 6.0, 100.0, 100.0, 0.0, 0.0];
        assert_eq!(seasonal(&y, 2, 6), [0.0, 0.0, 1.0, 2.0, 2.0, 2.0, 3.0, 4.0, 3.0, 4.0]);
    }
}

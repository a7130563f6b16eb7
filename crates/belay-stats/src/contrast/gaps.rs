//! Peers of which a value is missing now and then.

/// So many steps the last value of a peer stands for those that are missing. What stands in for a peer is a guess from what others do, and
/// only as good as they are like it; a scrape that failed is bridged better by what the peer itself showed last. Where all peers
/// are missing nothing is bridged: that they stand still is not known.
const HELD: usize = 3;

/// Whether any of the peers is there.
pub(super) fn told(mut values: impl Iterator<Item = f64>) -> bool {
    values.any(f64::is_finite)
}

/// The last value of a series, or where it may be held the one that stands for it; NaN where there is none.
pub(super) fn last(values: &[f64], hold: bool) -> f64 {
    let back = if hold { HELD } else { 0 };
    values.iter().rev().take(back + 1).copied().find(|value| value.is_finite()).unwrap_or(f64::NAN)
}

/// Series whose short gaps hold what was there before them, where any of the series is there.
pub(super) fn held(mut rows: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    let missing = |row: &Vec<f64>| row.iter().any(|value| !value.is_finite());
    if !rows.iter().any(missing) {
        return rows;
    }
    let steps = rows.iter().map(Vec::len).min().unwrap_or(0);
    let any: Vec<bool> = (0..steps).map(|step| told(rows.iter().map(|row| row[step]))).collect();
    for row in &mut rows {
        let filled = (0..row.len()).map(|step| last(&row[..=step], any.get(step) == Some(&true))).collect();
        *row = filled;
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    const GONE: f64 = f64::NAN;

    #[test]
    fn a_short_gap_holds_what_was_there_and_a_long_one_or_one_of_all_does_not() {
        let rows = held(vec![vec![1.0, GONE, GONE, GONE, GONE, 2.0, GONE], vec![5.0, 6.0, 7.0, 8.0, 9.0, GONE, GONE]]);
        assert_eq!(rows[0][..4], [1.0; 4]);
        assert!(rows[0][4].is_nan() && rows[0][5] == 2.0, "four steps are too long: {rows:?}");
        assert_eq!(rows[1][5], 9.0);
        assert!(rows.iter().all(|row| row[6].is_nan()), "nobody was seen: {rows:?}");
    }
}

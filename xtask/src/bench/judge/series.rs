//! Rows made one, and what is usual in a row. Missing values (NaN) are left out everywhere.

/// The mean over hosts at each sample; missing only where all are.
pub fn mean_of(rows: &[Vec<f64>]) -> Vec<f64> {
    let steps = rows.first().map_or(0, Vec::len);
    (0..steps).map(|t| mean(rows.iter().map(|row| row[t]))).collect()
}

/// NaN of nothing.
pub fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, n) = values.filter(|value| value.is_finite()).fold((0.0, 0u32), |(sum, n), value| (sum + value, n + 1));
    if n == 0 { f64::NAN } else { sum / f64::from(n) }
}

/// Mean and standard deviation (divided by n).
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    mean: f64,
    deviation: f64,
}

impl Spread {
    /// None if no value is there.
    pub fn of(values: &[f64]) -> Option<Spread> {
        let centre = mean(values.iter().copied());
        let variance = mean(values.iter().map(|value| (value - centre).powi(2)));
        // Where nothing ever moved, every movement is without measure.
        centre.is_finite().then_some(Spread { mean: centre, deviation: variance.sqrt().max(1e-9) })
    }

    pub fn z(self, value: f64) -> f64 {
        (value - self.mean) / self.deviation
    }
}

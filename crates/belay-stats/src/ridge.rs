//! Robust ridge regression: what a series should be, given others.
//!
//! The columns may be sums of each other; the ridge makes the equations solvable and keeps columns that explain nothing near zero.
//! Outliers of the past are weighed down (Huber, "Robust estimation of a location parameter", 1964) by iterated reweighting.

use crate::robust::MAD_TO_SD;
use crate::robust::median_in_place;

/// How a regression is made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ridge {
    /// The penalty on every coefficient but the first of an intercept, on columns scaled to SD 1.
    pub lambda: f64,
    /// Whether the first column is an intercept: neither scaled nor penalised.
    pub intercept: bool,
    /// Solves: the first with equal weights, every later one with Huber weights from the one before.
    pub solves: usize,
}

/// Weights fall beyond so many SD of the residuals.
const HUBER: f64 = 2.0;

impl Ridge {
    /// The coefficients, in the unit of the columns. `x` holds `y.len()` rows of `columns` values; rows with a NaN target are left out.
    ///
    /// `None` if no row is left or the equations cannot be solved.
    #[must_use]
    pub fn fit(&self, x: &[f64], y: &[f64], columns: usize) -> Option<Vec<f64>> {
        let kept: Vec<usize> = (0..y.len()).filter(|&i| y[i].is_finite()).collect();
        if kept.is_empty() || columns == 0 {
            return None;
        }
        let scale = self.scales(x, &kept, columns);
        let mut rows = Vec::with_capacity(kept.len() * columns);
        for &i in &kept {
            rows.extend(x[i * columns..(i + 1) * columns].iter().zip(&scale).map(|(v, s)| v / s));
        }
        let target: Vec<f64> = kept.iter().map(|&i| y[i]).collect();
        let mut weights = vec![1.0; target.len()];
        let mut found = None;
        for solve in 0..self.solves.max(1) {
            let coefficients = self.solve(&rows, &target, &weights, columns)?;
            if solve + 1 < self.solves {
                reweigh(&rows, &target, &coefficients, &mut weights);
            }
            found = Some(coefficients);
        }
        found.map(|c| c.iter().zip(&scale).map(|(c, s)| c / s).collect())
    }

    fn scales(&self, x: &[f64], kept: &[usize], columns: usize) -> Vec<f64> {
        let n = kept.len() as f64;
        let sd = |j: usize| {
            let mean = kept.iter().map(|&i| x[i * columns + j]).sum::<f64>() / n;
            (kept.iter().map(|&i| (x[i * columns + j] - mean).powi(2)).sum::<f64>() / n).sqrt() + 1e-9
        };
        (0..columns)
            .map(|j| {
                if self.intercept && j == 0 {
                    1.0
                } else if self.intercept {
                    sd(j)
                } else {
                    1.0
                }
            })
            .collect()
    }

    fn solve(&self, rows: &[f64], target: &[f64], weights: &[f64], p: usize) -> Option<Vec<f64>> {
        let mut gram = vec![0.0; p * p];
        let mut right = vec![0.0; p];
        for ((row, y), w) in rows.chunks_exact(p).zip(target).zip(weights) {
            for i in 0..p {
                let wi = w * row[i];
                right[i] += wi * y;
                for (g, v) in gram[i * p..=i * p + i].iter_mut().zip(row) {
                    *g += wi * v;
                }
            }
        }
        for i in usize::from(self.intercept)..p {
            gram[i * p + i] += self.lambda;
        }
        cholesky_solve(&mut gram, &mut right, p).then_some(right)
    }
}

fn reweigh(rows: &[f64], target: &[f64], coefficients: &[f64], weights: &mut [f64]) {
    let p = coefficients.len();
    let residuals: Vec<f64> = rows.chunks_exact(p).zip(target).map(|(row, y)| y - dot(row, coefficients)).collect();
    let mut scratch = residuals.clone();
    let centre = median_in_place(&mut scratch).unwrap_or(0.0);
    scratch.iter_mut().zip(&residuals).for_each(|(s, r)| *s = (r - centre).abs());
    let sigma = MAD_TO_SD * median_in_place(&mut scratch).unwrap_or(0.0) + 1e-9;
    for (w, r) in weights.iter_mut().zip(&residuals) {
        *w = (HUBER * sigma / r.abs()).min(1.0);
    }
}

/// The scalar product.
#[must_use]
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Solves `gram * x = right` in place, of which the lower half is given; false if the matrix is not positive.
fn cholesky_solve(gram: &mut [f64], right: &mut [f64], p: usize) -> bool {
    for j in 0..p {
        for k in 0..j {
            let factor = gram[j * p + k];
            for i in j..p {
                gram[i * p + j] -= gram[i * p + k] * factor;
            }
        }
        let pivot = gram[j * p + j];
        if !(pivot > 1e-300 && pivot.is_finite()) {
            return false;
        }
        let root = pivot.sqrt();
        for i in j..p {
            gram[i * p + j] /= root;
        }
    }
    for i in 0..p {
        let below: f64 = (0..i).map(|k| gram[i * p + k] * right[k]).sum();
        right[i] = (right[i] - below) / gram[i * p + i];
    }
    for i in (0..p).rev() {
        let above: f64 = (i + 1..p).map(|k| gram[k * p + i] * right[k]).sum();
        right[i] = (right[i] - above) / gram[i * p + i];
    }
    right.iter().all(|v| v.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coefficients_agree_with_the_reference() {
        let table = include_str!("../reference/ridge.tsv");
        let mut seen = 0;
        for line in table.lines().filter(|line| !line.starts_with('#')) {
            let cells: Vec<Vec<f64>> = line.split('\t').map(|c| c.split(' ').map(|v| v.parse().unwrap()).collect()).collect();
            let columns = cells[2].len();
            let found = Ridge { lambda: 5.0, intercept: true, solves: 3 }.fit(&cells[0], &cells[1], columns).unwrap();
            for (a, b) in found.iter().zip(&cells[2]) {
                assert!((a - b).abs() <= 1e-7 * b.abs().max(1.0), "{found:?} {:?}", cells[2]);
            }
            seen += 1;
        }
        assert_eq!(seen, 6);
    }

    #[test]
    fn rows_without_a_target_are_left_out_and_nothing_is_made_of_none() {
        let x = [1.0, 0.0, 1.0, 1.0, 1.0, 2.0, 1.0, 9.0];
        let fit = |y: &[f64]| Ridge { lambda: 0.0, intercept: true, solves: 1 }.fit(&x[..2 * y.len()], y, 2);
        let line = fit(&[1.0, 3.0, 5.0]).unwrap();
        assert_eq!(fit(&[1.0, 3.0, 5.0, f64::NAN]).unwrap(), line);
        assert!((line[0] - 1.0).abs() < 1e-9 && (line[1] - 2.0).abs() < 1e-9, "{line:?}");
        assert_eq!(fit(&[f64::NAN; 3]), None);
    }
}

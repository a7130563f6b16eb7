//! Robust ridge regression: what a series should be, given others.
//!
//! The columns may be sums of each other; the ridge makes the equations solvable and keeps columns that explain nothing near zero.
//! Outliers of the past are weighed down (Huber, "Robust estimation of a location parameter", 1964) by iterated reweighting.
//!
//! Products of columns are what costs, and regressions of several targets share columns: they are given once. What differs from them (a
//! row without a target, a row weighed down) is added or taken away row by row, as such rows are few.

use crate::robust::centre_and_mad;

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

/// The lower half of the products of each two columns over their first rows.
#[derive(Debug, Clone)]
pub struct Products {
    gram: Vec<f64>,
    columns: usize,
    rows: usize,
}

impl Products {
    /// Of these columns over their first `rows`; `known` has those that are known already.
    #[must_use]
    pub fn of(columns: &[&[f64]], rows: usize, known: impl Fn(usize, usize) -> Option<f64>) -> Products {
        let p = columns.len();
        let mut gram = vec![0.0; p * p];
        for i in 0..p {
            for j in 0..=i {
                gram[i * p + j] = known(i, j).unwrap_or_else(|| dot(&columns[i][..rows], &columns[j][..rows]));
            }
        }
        Products { gram, columns: p, rows }
    }

    /// The product of two columns.
    #[must_use]
    pub fn at(&self, i: usize, j: usize) -> f64 {
        self.gram[i.max(j) * self.columns + i.min(j)]
    }
}

impl Ridge {
    /// The coefficients, in the unit of the columns, which should lie around zero. Rows with a NaN target are left out.
    ///
    /// `None` if no row is left or the equations cannot be solved.
    #[must_use]
    pub fn fit(&self, columns: &[&[f64]], target: &[f64]) -> Option<Vec<f64>> {
        self.fit_with(columns, target, Products::of(columns, target.len(), |_, _| None))
    }

    /// As [`Ridge::fit`], of columns whose products are known.
    #[must_use]
    pub fn fit_with(&self, columns: &[&[f64]], target: &[f64], products: Products) -> Option<Vec<f64>> {
        let mut system = System::of(columns, target, products)?;
        let scale = self.scales(&system);
        let mut found = system.solve(self, &scale, &[])?;
        let mut weighed = Vec::new();
        for _ in 1..self.solves {
            system.reweigh(&found, &mut weighed);
            found = system.solve(self, &scale, &weighed)?;
        }
        Some(found)
    }

    fn scales(&self, system: &System<'_>) -> Vec<f64> {
        let (p, n) = (system.columns.len(), system.kept.len() as f64);
        let sd = |j: usize| {
            let mean = system.gram[j * p] / n;
            (system.gram[j * p + j] / n - mean * mean).max(0.0).sqrt() + 1e-9
        };
        (0..p).map(|j| if self.intercept && j > 0 { sd(j) } else { 1.0 }).collect()
    }
}

/// The equations with equal weights, and what is needed to weigh rows down.
struct System<'c> {
    columns: &'c [&'c [f64]],
    /// The target, 0 where it is missing.
    target: Vec<f64>,
    /// The rows that have one.
    kept: Vec<usize>,
    gram: Vec<f64>,
    right: Vec<f64>,
    residuals: Vec<f64>,
    scratch: Vec<f64>,
}

impl<'c> System<'c> {
    fn of(columns: &'c [&'c [f64]], target: &[f64], products: Products) -> Option<Self> {
        let rows = target.len();
        let mut kept = Vec::with_capacity(rows);
        kept.extend((0..rows).filter(|&t| target[t].is_finite()));
        if kept.is_empty() || columns.is_empty() {
            return None;
        }
        let target: Vec<f64> = target.iter().map(|y| if y.is_finite() { *y } else { 0.0 }).collect();
        let right = columns.iter().map(|column| dot(&column[..rows], &target)).collect();
        let mut system =
            Self { columns, gram: products.gram, right, residuals: vec![0.0; rows], scratch: Vec::with_capacity(kept.len()), target, kept };
        let mut row = vec![0.0; columns.len()];
        let mut kept = system.kept.iter().copied().peekable();
        for t in 0..rows.max(products.rows) {
            let (is, was) = (kept.next_if_eq(&t).is_some(), t < products.rows);
            if is != was {
                take_row(columns, t, &mut row);
                add(&mut system.gram, &row, if is { 1.0 } else { -1.0 });
            }
        }
        Some(system)
    }

    /// Solves with these rows weighed down: each with its weight minus 1.
    fn solve(&self, ridge: &Ridge, scale: &[f64], weighed: &[(usize, f64)]) -> Option<Vec<f64>> {
        let p = self.columns.len();
        let (mut gram, mut right) = (self.gram.clone(), self.right.clone());
        let mut row = vec![0.0; p];
        for (t, less) in weighed {
            take_row(self.columns, *t, &mut row);
            add(&mut gram, &row, *less);
            let part = less * self.target[*t];
            right.iter_mut().zip(&row).for_each(|(r, x)| *r += part * x);
        }
        for i in 0..p {
            right[i] /= scale[i];
            gram[i * p..=i * p + i].iter_mut().zip(scale).for_each(|(g, s)| *g /= s * scale[i]);
        }
        for i in usize::from(ridge.intercept)..p {
            gram[i * p + i] += ridge.lambda;
        }
        let solved = cholesky_solve(&mut gram, &mut right, p);
        right.iter_mut().zip(scale).for_each(|(c, s)| *c /= s);
        solved.then_some(right)
    }

    /// The rows that Huber's weights weigh down, given a solution.
    fn reweigh(&mut self, coefficients: &[f64], weighed: &mut Vec<(usize, f64)>) {
        residuals(&self.target, self.columns, coefficients, &mut self.residuals);
        let residuals = &self.residuals;
        self.scratch.clear();
        if self.kept.len() == residuals.len() {
            self.scratch.extend_from_slice(residuals);
        } else {
            self.scratch.extend(self.kept.iter().map(|&t| residuals[t]));
        }
        let rms = (dot(&self.scratch, &self.scratch) / self.scratch.len().max(1) as f64).sqrt();
        let bar = HUBER * (centre_and_mad(&mut self.scratch, rms).map_or(0.0, |(_, mad)| mad) + 1e-9);
        weighed.clear();
        let beyond = self.kept.iter().filter(|&&t| residuals[t].abs() > bar);
        weighed.extend(beyond.map(|&t| (t, bar / residuals[t].abs() - 1.0)));
    }
}

fn take_row(columns: &[&[f64]], t: usize, row: &mut [f64]) {
    row.iter_mut().zip(columns).for_each(|(x, column)| *x = column[t]);
}

/// Adds a row to the lower half of the products, so many times.
fn add(gram: &mut [f64], row: &[f64], times: f64) {
    let p = row.len();
    for i in 0..p {
        let part = times * row[i];
        gram[i * p..=i * p + i].iter_mut().zip(row).for_each(|(g, x)| *g += part * x);
    }
}

/// What is left of a target when its prediction is taken away. Columns are at least as long as the target.
pub fn residuals(target: &[f64], columns: &[&[f64]], coefficients: &[f64], out: &mut Vec<f64>) {
    out.clear();
    out.extend_from_slice(target);
    let (many, rest) = out.as_chunks_mut::<LANES>();
    let whole = LANES * many.len();
    // Few at a time, so that they stay at hand until all columns were taken away.
    for (i, few) in many.iter_mut().enumerate() {
        let mut left = *few;
        for (column, c) in columns.iter().zip(coefficients) {
            let column = &column[LANES * i..][..LANES];
            (0..LANES).for_each(|lane| left[lane] -= c * column[lane]);
        }
        *few = left;
    }
    for (column, c) in columns.iter().zip(coefficients) {
        rest.iter_mut().zip(&column[whole..]).for_each(|(r, x)| *r -= c * x);
    }
}

/// Values that are worked on side by side.
const LANES: usize = 8;

/// The scalar product, summed in lanes.
#[must_use]
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; LANES];
    let (mut left, mut right) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    for (a, b) in left.by_ref().zip(right.by_ref()) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f64 = left.remainder().iter().zip(right.remainder()).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f64>() + rest
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
            let columns = transposed(&cells[0], cells[2].len());
            let columns: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
            let found = Ridge { lambda: 5.0, intercept: true, solves: 3 }.fit(&columns, &cells[1]).unwrap();
            for (a, b) in found.iter().zip(&cells[2]) {
                assert!((a - b).abs() <= 1e-7 * b.abs().max(1.0), "{found:?} {:?}", cells[2]);
            }
            seen += 1;
        }
        assert_eq!(seen, 6);
    }

    fn transposed(rows: &[f64], columns: usize) -> Vec<Vec<f64>> {
        (0..columns).map(|j| rows.chunks_exact(columns).map(|row| row[j]).collect()).collect()
    }

    #[test]
    fn products_over_fewer_or_more_rows_than_the_target_has_make_no_difference() {
        let columns: [&[f64]; 2] = [&[1.0; 6], &[-2.0, 0.5, 3.0, -1.0, 0.25, 9.0]];
        let target = [1.0, f64::NAN, 4.0, -7.0, 2.0];
        let ridge = Ridge { lambda: 5.0, intercept: true, solves: 3 };
        let expected = ridge.fit(&columns, &target).unwrap();
        for rows in [2, 4, 6] {
            let found = ridge.fit_with(&columns, &target, Products::of(&columns, rows, |_, _| None)).unwrap();
            assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-12), "{found:?} {expected:?}");
        }
    }

    #[test]
    fn rows_without_a_target_are_left_out_and_nothing_is_made_of_none() {
        let x: [&[f64]; 2] = [&[1.0; 4], &[0.0, 1.0, 2.0, 9.0]];
        let fit = |y: &[f64]| Ridge { lambda: 0.0, intercept: true, solves: 1 }.fit(&x, y);
        let line = fit(&[1.0, 3.0, 5.0]).unwrap();
        let with_a_gap = fit(&[1.0, 3.0, 5.0, f64::NAN]).unwrap();
        assert!(with_a_gap.iter().zip(&line).all(|(a, b)| (a - b).abs() < 1e-9), "{with_a_gap:?}");
        assert!((line[0] - 1.0).abs() < 1e-9 && (line[1] - 2.0).abs() < 1e-9, "{line:?}");
        assert_eq!(fit(&[f64::NAN; 3]), None);
    }
}

//! Series that share a calendar, and what one of them should be given the others.
//!
//! A series is predicted from a panel of others (their mean, their median, each of them) and from its own season. The regression is
//! made on the past alone, once; every later step costs one scalar product. NaN is missing. Where a member of the panel is missing the
//! median of the others stands in for it; where all are missing nothing is predicted.

use crate::ridge::{Ridge, dot};
use crate::robust::median_in_place;
use crate::season::seasonal;

/// Members that enter the regression one by one, at most.
pub const MEMBERS_MAX: usize = 12;

/// The least penalty on the coefficients: enough to make sums of columns solvable, and little enough to leave a twin its weight. What
/// tells a twin from the mean of all is a small part of the variance; a penalty of 5 took half of it away.
const LAMBDA_MIN: f64 = 0.2;
/// The largest: a short past is fitted too well by many columns, and what follows then looks worse than it is.
const LAMBDA_MAX: f64 = 5.0;
/// A past of so many steps is short.
const SHORT: f64 = 100.0;

/// Steps with a target value that a regression needs for each of its columns.
const STEPS_A_COLUMN: usize = 4;

/// Others that share the calendar of a target.
#[derive(Debug, Clone, Default)]
pub struct Panel {
    members: Vec<Vec<f64>>,
    mean: Vec<f64>,
    median: Vec<f64>,
}

impl Panel {
    /// A panel of these series, all of the same length.
    #[must_use]
    pub fn of(members: Vec<Vec<f64>>) -> Panel {
        let steps = members.first().map_or(0, Vec::len);
        let mut panel = Panel { members, mean: Vec::with_capacity(steps), median: Vec::with_capacity(steps) };
        let mut present = Vec::with_capacity(panel.members.len());
        for t in 0..steps {
            present.clear();
            present.extend(panel.members.iter().map(|m| m[t]).filter(|v| v.is_finite()));
            let n = present.len() as f64;
            panel.mean.push(if present.is_empty() { f64::NAN } else { present.iter().sum::<f64>() / n });
            panel.median.push(small_median(&mut present));
        }
        panel
    }

    /// The panel without one of its members.
    #[must_use]
    pub fn without(&self, member: usize) -> Panel {
        let rest = self.members.iter().enumerate().filter(|(i, _)| *i != member).map(|(_, m)| m.clone());
        Panel::of(rest.collect())
    }

    /// How many members it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether it has no member.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// A member's series.
    #[must_use]
    pub fn member(&self, index: usize) -> &[f64] {
        &self.members[index]
    }

    /// The median of the members that are there at a step; NaN where none is.
    #[must_use]
    pub fn median(&self, step: usize) -> f64 {
        self.median.get(step).copied().unwrap_or(f64::NAN)
    }

    fn regressors(&self, t: usize, chosen: &[usize], season: f64, row: &mut Vec<f64>) -> bool {
        row.clear();
        row.push(1.0);
        if !self.members.is_empty() {
            if !self.median[t].is_finite() {
                return false;
            }
            row.push(self.mean[t]);
            row.push(self.median[t]);
            row.extend(chosen.iter().map(|&i| self.members[i][t]).map(|v| if v.is_finite() { v } else { self.median[t] }));
        }
        row.push(season);
        true
    }

    /// The members that enter one by one: all of them, or those whose ranks follow the target's best (Spearman).
    fn choose(&self, target: &[f64], until: usize) -> Vec<usize> {
        if self.members.len() <= MEMBERS_MAX {
            return (0..self.members.len()).collect();
        }
        let own = ranks(&target[..until]);
        let mut by: Vec<(f64, usize)> = self.members.iter().enumerate().map(|(i, m)| (product(&own, &ranks(&m[..until])), i)).collect();
        by.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        by.into_iter().take(MEMBERS_MAX).map(|(_, i)| i).collect()
    }
}

/// Centred ranks, 0 where a value is missing.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).filter(|&i| values[i].is_finite()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let centre = (order.len() as f64 - 1.0) / 2.0;
    let mut ranks = vec![0.0; values.len()];
    for (rank, &i) in order.iter().enumerate() {
        ranks[i] = rank as f64 - centre;
    }
    ranks
}

fn product(a: &[f64], b: &[f64]) -> f64 {
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt().max(1e-12)
}

/// The median of a few values by insertion; NaN of none.
fn small_median(values: &mut [f64]) -> f64 {
    if values.len() > 24 {
        return median_in_place(values).unwrap_or(f64::NAN);
    }
    for i in 1..values.len() {
        let mut j = i;
        while j > 0 && values[j - 1] > values[j] {
            values.swap(j - 1, j);
            j -= 1;
        }
    }
    let n = values.len();
    match n {
        0 => f64::NAN,
        _ if n % 2 == 1 => values[n / 2],
        _ => 0.5 * (values[n / 2 - 1] + values[n / 2]),
    }
}

/// The calendar of a prediction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Calendar {
    /// Steps of a season, where the past holds at least two.
    pub season: Option<usize>,
    /// The first step that is not the past any more.
    pub until: usize,
}

/// What a target should be, fitted on its past.
#[derive(Debug, Clone)]
pub struct Predictor {
    coefficients: Vec<f64>,
    chosen: Vec<usize>,
    /// The seasonal column over the past and one season beyond it.
    season: Vec<f64>,
    until: usize,
    length: usize,
}

/// The penalty for a past of so many steps.
fn penalty(steps: usize) -> f64 {
    let short = SHORT / steps.max(1) as f64;
    (LAMBDA_MAX * short * short).clamp(LAMBDA_MIN, LAMBDA_MAX)
}

impl Predictor {
    /// Fits on the past of `target`; `None` if it has too few values.
    #[must_use]
    pub fn fit(target: &[f64], panel: &Panel, calendar: Calendar) -> Option<Predictor> {
        let until = calendar.until.min(target.len());
        let chosen = panel.choose(target, until);
        let length = calendar.season.unwrap_or(1);
        let season = match calendar.season {
            Some(length) => {
                let mut extended = target[..until].to_vec();
                extended.resize(until + length, f64::NAN);
                seasonal(&extended, length, until)
            }
            None => Vec::new(),
        };
        let from = calendar.season.unwrap_or(0).min(until);
        let mut predictor = Predictor { coefficients: Vec::new(), chosen, season, until, length };
        let (mut x, mut y, mut row) = (Vec::new(), Vec::with_capacity(until - from), Vec::new());
        for (t, value) in target.iter().enumerate().take(until).skip(from) {
            if value.is_finite() && panel.regressors(t, &predictor.chosen, predictor.season_at(t), &mut row) {
                x.extend_from_slice(&row);
                y.push(*value);
            }
        }
        let columns = if y.is_empty() { 0 } else { x.len() / y.len() };
        if y.len() < STEPS_A_COLUMN * columns.max(3) {
            return None;
        }
        predictor.coefficients = Ridge { lambda: penalty(y.len()), intercept: true, solves: 3 }.fit(&x, &y, columns)?;
        Some(predictor)
    }

    fn season_at(&self, t: usize) -> f64 {
        if self.season.is_empty() {
            return 0.0;
        }
        let beyond = t.saturating_sub(self.until) % self.length;
        self.season[if t < self.until { t } else { self.until + beyond }]
    }

    /// Target minus prediction at the steps `from..target.len()`; NaN where either is missing.
    #[must_use]
    pub fn residuals(&self, target: &[f64], panel: &Panel, from: usize) -> Vec<f64> {
        self.residuals_since(target, panel, from, 0)
    }

    /// As [`Predictor::residuals`], where target and panel begin at step `origin` of the calendar.
    #[must_use]
    pub fn residuals_since(&self, target: &[f64], panel: &Panel, from: usize, origin: usize) -> Vec<f64> {
        let mut row = Vec::with_capacity(self.coefficients.len());
        let residual = |t: usize| {
            let known = target[t].is_finite() && panel.regressors(t, &self.chosen, self.season_at(origin + t), &mut row);
            if known { target[t] - dot(&row, &self.coefficients) } else { f64::NAN }
        };
        (from..target.len()).map(residual).collect()
    }
}

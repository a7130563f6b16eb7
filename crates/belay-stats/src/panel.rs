//! Series that share a calendar, and what one of them should be given the others.
//!
//! A series is predicted from a panel of others (their mean, their median, each of them) and from its own season. The regression is
//! made on the past alone, once; every later step costs one scalar product. NaN is missing. Where a member of the panel is missing the
//! median of the others stands in for it; where all are missing nothing is predicted.

use crate::ridge::{Products, Ridge, dot, residuals};
use crate::robust::median_in_place;
use crate::season::seasonal_beyond;

/// Members that enter the regression one by one, at most.
pub const MEMBERS_MAX: usize = 12;

/// The least penalty on the coefficients: enough to make sums of columns solvable, and little enough to leave a twin its weight. What
/// tells a twin from the mean of all is a small part of the variance; a penalty of 5 took half of it away.
const LAMBDA_MIN: f64 = 0.2;
/// The largest: a short past is fitted too well by many columns, and what follows then looks worse than it is.
const LAMBDA_MAX: f64 = 5.0;
/// A past of so many steps is short.
const SHORT: f64 = 100.0;

/// So many members are few.
const FEW: usize = 24;

/// Steps with a target value that a regression needs for each of its columns.
const STEPS_A_COLUMN: usize = 4;

/// Others that share the calendar of a target.
#[derive(Debug, Clone, Default)]
pub struct Panel {
    members: Vec<Vec<f64>>,
    mean: Vec<f64>,
    median: Vec<f64>,
    /// Room for the values of one step.
    present: Vec<f64>,
}

impl Panel {
    /// A panel of these series, all of the same length.
    #[must_use]
    pub fn of(members: Vec<Vec<f64>>) -> Panel {
        let steps = members.first().map_or(0, Vec::len);
        let mut panel = Panel { members, mean: Vec::with_capacity(steps), median: Vec::with_capacity(steps), present: Vec::new() };
        (0..steps).for_each(|t| panel.sum_up(t));
        panel
    }

    /// A panel of so many members that nothing is known of yet.
    #[must_use]
    pub fn empty(members: usize) -> Panel {
        Panel { members: vec![Vec::new(); members], ..Panel::default() }
    }

    /// Adds a step: a value for each member.
    pub fn push(&mut self, values: impl Iterator<Item = f64>) {
        let step = self.mean.len();
        self.members.iter_mut().zip(values).for_each(|(member, value)| member.push(value));
        if !self.members.is_empty() {
            self.sum_up(step);
        }
    }

    /// Forgets the steps from this one on.
    pub fn truncate(&mut self, steps: usize) {
        self.members.iter_mut().chain([&mut self.mean, &mut self.median]).for_each(|series| series.truncate(steps));
    }

    fn sum_up(&mut self, step: usize) {
        let there = self.members.iter().map(|m| m[step]).filter(|v| v.is_finite());
        if self.members.len() > FEW {
            self.present.clear();
            self.present.extend(there);
            let n = self.present.len() as f64;
            self.mean.push(if self.present.is_empty() { f64::NAN } else { self.present.iter().sum::<f64>() / n });
            self.median.push(median_in_place(&mut self.present).unwrap_or(f64::NAN));
            return;
        }
        // Few are put in order as they come.
        let (mut sorted, mut n, mut sum) = ([0.0; FEW], 0, -0.0);
        for v in there {
            // The smaller stays and the larger goes on, without a branch that nobody could foresee.
            let mut last = v;
            for place in &mut sorted[..n] {
                let (least, most) = if last < *place { (last, *place) } else { (*place, last) };
                (*place, last) = (least, most);
            }
            sorted[n] = last;
            sum += v;
            n += 1;
        }
        self.mean.push(if n == 0 { f64::NAN } else { sum / n as f64 });
        self.median.push(match n {
            0 => f64::NAN,
            _ if n % 2 == 1 => sorted[n / 2],
            _ => 0.5 * (sorted[n / 2 - 1] + sorted[n / 2]),
        });
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

    /// How many steps it knows; any number where it has no member.
    fn steps(&self) -> usize {
        if self.members.is_empty() { usize::MAX } else { self.mean.len() }
    }

    /// Whether anything can be predicted at a step.
    fn known(&self, step: usize) -> bool {
        self.members.is_empty() || self.median.get(step).is_some_and(|median| median.is_finite())
    }

    /// What stands for a member at a step.
    fn stand_in(&self, member: usize, step: usize) -> f64 {
        let value = self.members[member][step];
        if value.is_finite() { value } else { self.median[step] }
    }
}

/// The columns that regressions on a panel share, made once for all targets: an intercept, the mean, the median, and each member. Rows
/// at which nothing is known are 0 throughout.
#[derive(Debug, Clone)]
pub struct Design {
    from: usize,
    columns: Vec<Vec<f64>>,
    /// What was taken away from each column, so that it lies around zero.
    centres: Vec<f64>,
    /// Products over the rows before the origin, where all columns enter all regressions.
    products: Option<Products>,
    origin: usize,
    /// The ranks of each member before the origin, where not all of them can enter.
    ranks: Vec<Vec<f64>>,
}

impl Design {
    /// For targets whose pasts end between `origin` and `until`; the first season is left out.
    #[must_use]
    pub fn of(panel: &Panel, season: Option<usize>, origin: usize, until: usize) -> Design {
        let until = until.min(panel.steps()).max(origin);
        let from = season.unwrap_or(0).min(origin);
        let known: Vec<bool> = (from..until).map(|t| panel.known(t)).collect();
        let ones = known.iter().map(|known| f64::from(u8::from(*known))).collect();
        let rows = known.iter().filter(|known| **known).count().max(1) as f64;
        let mut design = Design { from, columns: vec![ones], centres: vec![0.0], products: None, origin, ranks: Vec::new() };
        if !panel.is_empty() {
            let medians = &panel.median[from..until];
            for series in [&panel.mean, &panel.median].into_iter().chain(&panel.members) {
                let value = |((value, median), known): ((&f64, &f64), &bool)| match (*known, value.is_finite()) {
                    (true, true) => *value,
                    (true, false) => *median,
                    (false, _) => 0.0,
                };
                let mut column: Vec<f64> = series[from..until].iter().zip(medians).zip(&known).map(value).collect();
                let centre = dot(&column, &design.columns[0]) / rows;
                column.iter_mut().zip(&known).for_each(|(v, known)| *v -= if *known { centre } else { 0.0 });
                design.columns.push(column);
                design.centres.push(centre);
            }
        }
        if panel.len() <= MEMBERS_MAX {
            let columns: Vec<&[f64]> = design.columns.iter().map(Vec::as_slice).collect();
            design.products = Some(Products::of(&columns, origin - from, |_, _| None));
        } else {
            design.ranks = panel.members.iter().map(|member| ranks(&member[..origin])).collect();
        }
        design
    }

    /// The members that enter one by one: all of them, or those whose ranks follow the target's best (Spearman).
    fn choose(&self, panel: &Panel, target: &[f64]) -> Vec<usize> {
        if panel.len() <= MEMBERS_MAX {
            return (0..panel.len()).collect();
        }
        let own = ranks(target);
        let follows = |(i, member): (usize, &Vec<f64>)| {
            let again = if target.len() == self.origin { None } else { Some(ranks(&member[..target.len()])) };
            (product(&own, again.as_ref().unwrap_or(&self.ranks[i])), i)
        };
        let mut by: Vec<(f64, usize)> = panel.members.iter().enumerate().map(follows).collect();
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
    /// Fits on the past of `target`, and says what of that past it leaves unexplained (NaN in the first season, and where target or panel
    /// are missing); `None` if it has too few values.
    #[must_use]
    pub fn fit(target: &[f64], panel: &Panel, design: &Design, calendar: Calendar) -> Option<(Predictor, Vec<f64>)> {
        let until = calendar.until.min(target.len());
        let from = design.from;
        let chosen = design.choose(panel, &target[..until]);
        let length = calendar.season.unwrap_or(1);
        let season = match calendar.season {
            Some(length) => seasonal_beyond(&target[..until], length, until, length),
            None => Vec::new(),
        };
        let mut own = vec![0.0; until - from];
        let mut centre = 0.0;
        if !season.is_empty() {
            centre = season[from..until].iter().sum::<f64>() / (until - from).max(1) as f64;
            own.iter_mut().enumerate().filter(|(i, _)| panel.known(from + i)).for_each(|(i, v)| *v = season[from + i] - centre);
        }
        let y: Vec<f64> = (from..until).map(|t| if panel.known(t) { target[t] } else { f64::NAN }).collect();
        let shared: Vec<usize> = (0..design.columns.len().min(3)).chain(chosen.iter().map(|member| member + 3)).collect();
        let columns: Vec<&[f64]> = shared.iter().map(|&j| &design.columns[j][..]).chain([&own[..]]).collect();
        let there = y.iter().filter(|v| v.is_finite()).count();
        if there < STEPS_A_COLUMN * columns.len().max(3) {
            return None;
        }
        let known = |i: usize, j: usize| Some(design.products.as_ref()?.at(*shared.get(i)?, *shared.get(j)?));
        let products = Products::of(&columns, design.origin - from, known);
        let mut coefficients = Ridge { lambda: penalty(there), intercept: true, solves: 3 }.fit_with(&columns, &y, products)?;
        let mut left = Vec::with_capacity(y.len());
        residuals(&y, &columns, &coefficients, &mut left);
        left.splice(..0, std::iter::repeat_n(f64::NAN, from));
        let centres = shared.iter().map(|&j| design.centres[j]).chain([centre]);
        coefficients[0] -= centres.zip(&coefficients).map(|(centre, c)| centre * c).sum::<f64>();
        Some((Predictor { coefficients, chosen, season, until, length }, left))
    }

    fn season_at(&self, t: usize) -> f64 {
        if self.season.is_empty() {
            return 0.0;
        }
        let beyond = t.saturating_sub(self.until) % self.length;
        self.season[if t < self.until { t } else { self.until + beyond }]
    }

    /// Target minus prediction at step `t` of a panel that begins at step `origin` of the calendar; NaN where either is missing.
    #[must_use]
    pub fn residual(&self, value: f64, panel: &Panel, t: usize, origin: usize) -> f64 {
        if !value.is_finite() || !panel.known(t) {
            return f64::NAN;
        }
        let (first, rest) = self.coefficients.split_at(1);
        let mut predicted = first[0];
        if let ([mean, median, members @ .., _], false) = (rest, panel.is_empty()) {
            predicted += mean * panel.mean[t] + median * panel.median[t];
            predicted += members.iter().zip(&self.chosen).map(|(c, &member)| c * panel.stand_in(member, t)).sum::<f64>();
        }
        let season = rest.last().map_or(0.0, |c| c * self.season_at(origin + t));
        value - predicted - season
    }
}

//! Verdicts held against the truth, by the definitions that come with the cases (`score.py` beside them).

use std::collections::BTreeMap;

use super::cases::{Label, Truth};
use crate::bench::wilson::wilson;

/// What a judge says of a case.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    Accepted,
    /// Decided so many samples after the change.
    Rejected {
        at: f64,
    },
    Inconclusive,
}

/// Cases of a kind: all, and those that were rejected (bad ones: not before their harm began).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    pub hits: u64,
    pub of: u64,
}

impl Share {
    pub fn value(self) -> f64 {
        self.hits as f64 / self.of.max(1) as f64
    }

    fn count(&mut self, hit: bool) {
        self.hits += u64::from(hit);
        self.of += 1;
    }
}

/// A lasting step is clear from so many robust standard deviations on: what is asked of a judge is asked of these.
const CLEAR: f64 = 4.0;

/// Verdicts, counted.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub bad_kinds: BTreeMap<String, Share>,
    pub good_kinds: BTreeMap<String, Share>,
    /// Those of the kind `level_shift` that are clear. Not a figure of `score.py`.
    pub clear_shifts: Share,
    /// Bad cases that were rejected before their harm began: right by luck, and so false.
    pub early: u64,
    /// Inconclusive, of all cases with complete data.
    pub undecided: Share,
    pub missing: Missing,
    delays: Vec<f64>,
}

/// What became of cases with missing data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Missing {
    pub accepted: u64,
    pub rejected: u64,
    pub inconclusive: u64,
}

impl Missing {
    pub fn all(self) -> u64 {
        self.accepted + self.rejected + self.inconclusive
    }
}

impl Tally {
    pub fn add(&mut self, label: &Label, verdict: Verdict) {
        match label.truth {
            Truth::Missing => {
                return match verdict {
                    Verdict::Accepted => self.missing.accepted += 1,
                    Verdict::Rejected { .. } => self.missing.rejected += 1,
                    Verdict::Inconclusive => self.missing.inconclusive += 1,
                };
            }
            Truth::Good => {
                self.good_kinds.entry(label.kind.clone()).or_default().count(matches!(verdict, Verdict::Rejected { .. }));
            }
            Truth::Bad { onset } => {
                let delay = if let Verdict::Rejected { at } = verdict { Some(at - onset) } else { None };
                let found = delay.filter(|delay| *delay >= 0.0);
                self.bad_kinds.entry(label.kind.clone()).or_default().count(found.is_some());
                if label.kind == "level_shift" && label.size >= CLEAR {
                    self.clear_shifts.count(found.is_some());
                }
                self.early += u64::from(delay.is_some() && found.is_none());
                self.delays.extend(found);
            }
        }
        self.undecided.count(verdict == Verdict::Inconclusive);
    }

    /// All cases, those with missing data included.
    pub fn cases(&self) -> u64 {
        self.undecided.of + self.missing.all()
    }

    /// True rejections of bad cases.
    pub fn found(&self) -> Share {
        sum(&self.bad_kinds)
    }

    /// Rejections of good cases.
    pub fn false_ones(&self) -> Share {
        sum(&self.good_kinds)
    }

    pub fn precision(&self) -> f64 {
        let found = self.found().hits;
        Share { hits: found, of: found + self.false_ones().hits + self.early }.value()
    }

    pub fn f1(&self) -> f64 {
        let (precision, recall) = (self.precision(), self.found().value());
        2.0 * precision * recall / (precision + recall).max(1e-9)
    }

    /// The share of good cases that were rejected lies between, at 95 %.
    pub fn false_interval(&self) -> (f64, f64) {
        let Share { hits, of } = self.false_ones();
        wilson(hits, of)
    }

    /// Samples from the beginning of harm to its rejection, with linear interpolation; none if nothing was found.
    pub fn delay(&self, quantile: f64) -> Option<f64> {
        let mut delays = self.delays.clone();
        delays.sort_by(f64::total_cmp);
        let place = quantile * delays.len().checked_sub(1)? as f64;
        let (low, high) = (delays[place.floor() as usize], delays[place.ceil() as usize]);
        Some(low + (place - place.floor()) * (high - low))
    }
}

fn sum(kinds: &BTreeMap<String, Share>) -> Share {
    kinds.values().fold(Share::default(), |sum, kind| Share { hits: sum.hits + kind.hits, of: sum.of + kind.of })
}

#[cfg(test)]
mod tests;

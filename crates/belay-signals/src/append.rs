//! One append: checked whole, drafted, then committed.
//!
//! [`Plan::make`] decides everything and changes nothing; [`Plan::draft`] says it in the words of the log; after the record is in the file
//! [`Plan::commit`] does the same to memory. What a replay of the record would do is exactly what commit does.

use crate::STALE;
use crate::error::Refused;
use crate::head::{Head, Key, SeriesId};
use crate::limits::Limits;
use crate::record::{Draft, NextNumbers};
use crate::series::Tally;
use crate::symbols::InSegment;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A series in a request.
#[derive(Debug, Clone, Copy)]
pub struct SeriesIn<'a> {
    /// Name and value, ascending by name, each name once, `__name__` among them. A label with an empty value counts as absent.
    pub labels: &'a [(String, String)],
    /// Time (ms since 1970) and value, in any order. A staleness marker is the NaN with the bits [`crate::STALE`].
    pub samples: &'a [(i64, f64)],
}

/// What became of the samples of a request, or of all requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Appended {
    /// Samples at times their series did not have before.
    pub samples: u64,
    /// Samples that were there already, to the bit.
    pub duplicates: u64,
    /// Samples that replaced another value at the same time: two writers, or one that changed its mind.
    pub conflicts: u64,
    /// Staleness markers among all of them.
    pub stale_markers: u64,
    /// NaN (markers apart) and infinities among all of them: stored, for the reader to leave out.
    pub not_finite: u64,
    /// New samples that were older than the newest of their series.
    pub out_of_order: u64,
    /// Samples left out because they are older than the retention.
    pub too_old: u64,
    /// Series that were new.
    pub new_series: u64,
}

impl Appended {
    pub(crate) fn add(&mut self, other: &Appended) {
        self.samples += other.samples;
        self.duplicates += other.duplicates;
        self.conflicts += other.conflicts;
        self.stale_markers += other.stale_markers;
        self.not_finite += other.not_finite;
        self.out_of_order += other.out_of_order;
        self.too_old += other.too_old;
        self.new_series += other.new_series;
    }
}

/// Labels as the head wants them: no empty values.
type Pairs<'a> = Vec<(&'a str, &'a str)>;

#[derive(Debug, Clone, Copy)]
enum Target {
    Known(SeriesId),
    /// The n-th new series of this request.
    New(usize),
}

/// A request that may be done.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    source: &'a str,
    rows: Vec<(Target, &'a [(i64, f64)])>,
    new: Vec<Pairs<'a>>,
    /// Samples older than this are left out.
    oldest: i64,
    counted: Appended,
}

/// A plan in the words of the log.
#[derive(Debug)]
pub(crate) struct Drafted {
    pub(crate) draft: Draft,
    /// Numbers in the segment: of the new series, and of known ones that the segment did not know yet.
    new: Vec<u32>,
    known: BTreeMap<SeriesId, u32>,
}

impl<'a> Plan<'a> {
    /// Checks the whole request against the limits. Changes nothing.
    pub(crate) fn make(head: &Head, limits: &Limits, source: &'a str, series: &[SeriesIn<'a>], now_ms: i64) -> Result<Plan<'a>, Refused> {
        let oldest = now_ms.saturating_sub(limits.retention_ms).max(head.floor.unwrap_or(i64::MIN));
        let mut plan = Plan { source, rows: Vec::with_capacity(series.len()), new: Vec::new(), oldest, counted: Appended::default() };
        let mut new_by_key: HashMap<Key, usize> = HashMap::new();
        let (mut pairs, mut scratch) = (Vec::new(), Vec::new());
        for one in series {
            pairs.clear();
            pairs.extend(one.labels.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name.as_str(), value.as_str())));
            let kept = plan.check_samples(one, limits, now_ms)?;
            let key = head.key(&pairs, &mut scratch);
            let target = match head.find(key) {
                Some(id) => Target::Known(id),
                None => {
                    check_labels(one, limits)?;
                    if kept == 0 {
                        continue;
                    }
                    let next = plan.new.len();
                    let n = *new_by_key.entry(key).or_insert(next);
                    if n == next {
                        plan.new.push(pairs.clone());
                    }
                    Target::New(n)
                }
            };
            if kept > 0 {
                plan.rows.push((target, one.samples));
            }
        }
        plan.check_caps(head, limits)?;
        plan.counted.new_series = plan.new.len() as u64;
        Ok(plan)
    }

    /// Counts the samples; returns how many are young enough.
    fn check_samples(&mut self, one: &SeriesIn<'_>, limits: &Limits, now_ms: i64) -> Result<usize, Refused> {
        let mut kept = 0;
        for &(t, v) in one.samples {
            let ahead_ms = t.saturating_sub(now_ms);
            if ahead_ms > limits.max_future_ms {
                return Err(Refused::Future { series: written(one.labels), time_ms: t, ahead_ms, limit_ms: limits.max_future_ms });
            }
            if t < self.oldest {
                self.counted.too_old += 1;
                continue;
            }
            kept += 1;
            if v.to_bits() == STALE {
                self.counted.stale_markers += 1;
            } else if !v.is_finite() {
                self.counted.not_finite += 1;
            }
        }
        Ok(kept)
    }

    fn check_caps(&self, head: &Head, limits: &Limits) -> Result<(), Refused> {
        if self.new.is_empty() {
            return Ok(());
        }
        let wanted = head.series_of_source(self.source) + self.new.len();
        if wanted > limits.max_series_per_source {
            let (label, values) = self.widest_label(head);
            let limit = limits.max_series_per_source;
            return Err(Refused::TooManySeriesOfSource { source_name: cut(self.source, 80), wanted, limit, label, values });
        }
        let wanted = head.len() + self.new.len();
        if wanted > limits.max_series {
            let (label, values) = self.widest_label(head);
            return Err(Refused::TooManySeries { wanted, limit: limits.max_series, label, values });
        }
        Ok(())
    }

    /// The label of the new series that has the most values, stored ones included.
    fn widest_label(&self, head: &Head) -> (String, usize) {
        let mut new_values: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for &(name, value) in self.new.iter().flatten() {
            if head.postings(name, value).is_empty() {
                new_values.entry(name).or_default().insert(value);
            } else {
                new_values.entry(name).or_default();
            }
        }
        let counts = new_values.into_iter().map(|(name, values)| (cut(name, 80), head.values_of(name) + values.len()));
        counts.max_by_key(|(_, values)| *values).unwrap_or_default()
    }

    /// Nothing to write.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// What it comes to, if there is nothing to write.
    pub(crate) fn appended(&self) -> Appended {
        self.counted
    }

    /// The record that says it, for the segment that will give the numbers `next`.
    pub(crate) fn draft(&self, head: &Head, segment: u64, next: NextNumbers, base: i64) -> Drafted {
        let mut draft = Draft::new(segment, next, base);
        let new = self.new.iter().map(|pairs| draft.define(self.source, pairs, head)).collect();
        let mut drafted = Drafted { draft, new, known: BTreeMap::new() };
        let mut young = Vec::new();
        for &(target, samples) in &self.rows {
            let (number, hint) = match target {
                Target::New(n) => (drafted.new[n], Default::default()),
                Target::Known(id) => {
                    let Some(series) = head.series(id) else { continue };
                    let number = match drafted.known.get(&id) {
                        Some(&number) => number,
                        None if series.defined.segment == segment => series.defined.number,
                        None => {
                            let labels = head.labels(series);
                            let labels: Pairs<'_> = labels.iter().map(|(name, value)| (&**name, &**value)).collect();
                            let number = drafted.draft.define(head.symbols.text(series.source), &labels, head);
                            drafted.known.insert(id, number);
                            number
                        }
                    };
                    (number, series.hint())
                }
            };
            if samples.iter().all(|&(t, _)| t >= self.oldest) {
                drafted.draft.row(number, samples.iter().copied(), hint);
            } else {
                young.clear();
                young.extend(self.young(samples));
                drafted.draft.row(number, young.iter().copied(), hint);
            }
        }
        drafted
    }

    fn young(&self, samples: &'a [(i64, f64)]) -> impl Iterator<Item = (i64, f64)> + use<'a> {
        let oldest = self.oldest;
        samples.iter().copied().filter(move |&(t, _)| t >= oldest)
    }

    /// The record is in the file: makes it visible.
    pub(crate) fn commit(&self, drafted: &Drafted, head: &mut Head) -> Appended {
        let segment = drafted.draft.segment();
        let new_ids: Vec<SeriesId> = self.new.iter().map(|pairs| head.define(pairs, self.source)).collect();
        let known = drafted.known.iter().map(|(&id, &number)| (id, number));
        for (id, number) in new_ids.iter().copied().zip(drafted.new.iter().copied()).chain(known) {
            if let Some(series) = head.series_mut(id) {
                series.defined = InSegment { segment, number };
            }
        }
        drafted.draft.settle(head);
        let mut tally = Tally::default();
        for &(target, samples) in &self.rows {
            let id = match target {
                Target::Known(id) => id,
                Target::New(n) => new_ids[n],
            };
            head.insert(id, self.young(samples), &mut tally);
        }
        let Tally { stored, duplicates, conflicts, out_of_order } = tally;
        Appended { samples: stored, duplicates, conflicts, out_of_order, ..self.counted }
    }
}

/// Only asked of labels that are not stored yet: stored ones were checked when they came.
fn check_labels(one: &SeriesIn<'_>, limits: &Limits) -> Result<(), Refused> {
    let bad = |why| Refused::BadLabels { series: written(one.labels), why };
    if one.labels.len() > limits.max_labels_per_series {
        let (found, limit) = (one.labels.len(), limits.max_labels_per_series);
        return Err(Refused::TooManyLabels { series: written(one.labels), found, limit });
    }
    for (name, value) in one.labels {
        let found = name.len().max(value.len());
        if found > limits.max_label_bytes {
            return Err(Refused::LabelTooLong { label: cut(name, 80), found, limit: limits.max_label_bytes });
        }
        if name.is_empty() {
            return Err(bad("a label without a name"));
        }
    }
    if one.labels.windows(2).any(|pair| pair[0].0 >= pair[1].0) {
        return Err(bad("labels must be ascending by name, each name once"));
    }
    if !one.labels.iter().any(|(name, value)| name == "__name__" && !value.is_empty()) {
        return Err(bad("no __name__"));
    }
    Ok(())
}

/// A label set for a message: bounded, whatever it holds.
fn written(labels: &[(String, String)]) -> String {
    let mut text = String::from("{");
    for (at, (name, value)) in labels.iter().enumerate() {
        if at > 0 {
            text.push_str(", ");
        }
        if text.len() > 600 {
            text.push('…');
            break;
        }
        text.push_str(&format!(r#"{}="{}""#, cut(name, 80), cut(value, 120)));
    }
    text.push('}');
    text
}

/// The first characters, with everything escaped that a terminal or a log might obey.
fn cut(text: &str, most: usize) -> String {
    let mut cut: String = text.chars().take(most).flat_map(char::escape_debug).collect();
    if text.chars().nth(most).is_some() {
        cut.push('…');
    }
    cut
}

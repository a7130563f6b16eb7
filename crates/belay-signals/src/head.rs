//! All series in memory, and the index that finds them: label -> value -> series.
//!
//! Knows nothing of files. Both an append and the replay of the log end here, through the same three calls ([`Head::find`],
//! [`Head::define`], [`Head::insert`]), so that what is read after a restart is what was read before.

use crate::error::SelectError;
use crate::matcher::{Compiled, Matcher};
use crate::series::{Series, Tally};
use crate::symbols::{Symbol, Symbols};
use std::collections::hash_map::{Entry, RandomState};
use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher, BuildHasherDefault, Hasher};
use std::sync::Arc;

/// The number of a series in memory. Never used twice while the store is open.
pub(crate) type SeriesId = u32;

/// The labels of a series: name and value, ascending by name, `__name__` among them.
pub type Labels = Arc<[(Arc<str>, Arc<str>)]>;

/// What a label set is found by: two hashes of it, each with a secret of its own. Two different label sets with one key are less likely
/// than a bit that flips in memory, and nobody outside can search for them; so the texts are not compared at every append.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key(u64, u64);

type Postings = HashMap<Symbol, Vec<SeriesId>>;

#[derive(Debug, Default)]
pub(crate) struct Head {
    pub(crate) symbols: Symbols,
    /// By [`SeriesId`]; a series that retention dropped leaves a hole of 8 bytes until the next start.
    slots: Vec<Option<Box<Series>>>,
    by_key: HashMap<Key, SeriesId, BuildHasherDefault<AlreadyHashed>>,
    /// Label name -> label value -> series, ascending.
    index: HashMap<Symbol, Postings>,
    by_source: HashMap<Symbol, usize>,
    hashers: [RandomState; 2],
    live: usize,
    /// Samples in memory.
    pub(crate) samples: u64,
    /// Nothing older is shown, although a chunk or a segment may still hold it.
    pub(crate) floor: Option<i64>,
}

impl Head {
    pub(crate) fn len(&self) -> usize {
        self.live
    }

    pub(crate) fn series(&self, id: SeriesId) -> Option<&Series> {
        self.slots.get(id as usize)?.as_deref()
    }

    pub(crate) fn series_mut(&mut self, id: SeriesId) -> Option<&mut Series> {
        self.slots.get_mut(id as usize)?.as_deref_mut()
    }

    /// Every series with its number, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (SeriesId, &Series)> {
        self.slots.iter().enumerate().filter_map(|(id, slot)| Some((id as SeriesId, slot.as_deref()?)))
    }

    pub(crate) fn series_of_source(&self, source: &str) -> usize {
        self.symbols.get(source).and_then(|s| self.by_source.get(&s)).copied().unwrap_or(0)
    }

    /// How many values a label has over all series.
    pub(crate) fn values_of(&self, label: &str) -> usize {
        self.symbols.get(label).and_then(|name| self.index.get(&name)).map_or(0, HashMap::len)
    }

    /// The key of a label set. `scratch` is overwritten: the one buffer of a caller that asks often.
    pub(crate) fn key(&self, labels: &[(&str, &str)], scratch: &mut Vec<u8>) -> Key {
        scratch.clear();
        for (name, value) in labels {
            // Neither byte occurs in UTF-8, so no two label sets are written alike.
            scratch.extend_from_slice(name.as_bytes());
            scratch.push(0xff);
            scratch.extend_from_slice(value.as_bytes());
            scratch.push(0xfe);
        }
        let half = |state: &RandomState| {
            let mut hasher = state.build_hasher();
            hasher.write(scratch);
            hasher.finish()
        };
        Key(half(&self.hashers[0]), half(&self.hashers[1]))
    }

    /// The series with this label set. Labels with an empty value are not labels: the caller leaves them out.
    pub(crate) fn find(&self, key: Key) -> Option<SeriesId> {
        self.by_key.get(&key).copied()
    }

    /// The series with these labels (ascending by name), made if it is not there yet.
    pub(crate) fn define(&mut self, labels: &[(&str, &str)], source: &str) -> SeriesId {
        let key = self.key(labels, &mut Vec::new());
        if let Some(id) = self.find(key) {
            return id;
        }
        let id = self.slots.len() as SeriesId;
        let symbols = &mut self.symbols;
        let pairs: Box<[_]> = labels.iter().map(|(name, value)| (symbols.acquire(name), symbols.acquire(value))).collect();
        let source = symbols.acquire(source);
        for &(name, value) in &pairs {
            self.index.entry(name).or_default().entry(value).or_default().push(id);
        }
        *self.by_source.entry(source).or_default() += 1;
        self.by_key.insert(key, id);
        self.slots.push(Some(Box::new(Series::new(pairs, source))));
        self.live += 1;
        id
    }

    /// Gives samples to a series. False if there is no such series.
    pub(crate) fn insert(&mut self, id: SeriesId, samples: impl IntoIterator<Item = (i64, f64)>, tally: &mut Tally) -> bool {
        let before = tally.stored;
        let Some(series) = self.series_mut(id) else { return false };
        series.insert(samples, tally);
        self.samples += tally.stored - before;
        true
    }

    /// Raises the floor: what is older is no longer shown, whole chunks of it are forgotten, and series without samples with them.
    pub(crate) fn drop_before(&mut self, floor: i64) {
        if self.floor.is_some_and(|old| old >= floor) {
            return;
        }
        self.floor = Some(floor);
        let mut empty = BTreeSet::new();
        for (id, slot) in self.slots.iter_mut().enumerate() {
            if let Some(series) = slot {
                self.samples -= series.drop_before(floor);
                if series.is_empty() {
                    empty.insert(id as SeriesId);
                }
            }
        }
        self.remove(&empty);
    }

    fn remove(&mut self, ids: &BTreeSet<SeriesId>) {
        let mut touched = BTreeSet::new();
        for &id in ids {
            let Some(series) = self.slots[id as usize].take() else { continue };
            self.live -= 1;
            let text = |symbol| &**self.symbols.text(symbol);
            let labels: Vec<(&str, &str)> = series.labels.iter().map(|&(name, value)| (text(name), text(value))).collect();
            let key = self.key(&labels, &mut Vec::new());
            self.by_key.remove(&key);
            if let Entry::Occupied(mut entry) = self.by_source.entry(series.source) {
                *entry.get_mut() -= 1;
                if *entry.get() == 0 {
                    entry.remove();
                }
            }
            self.symbols.release(series.source);
            touched.extend(series.labels.iter().copied());
            series.labels.iter().for_each(|&(name, value)| {
                self.symbols.release(name);
                self.symbols.release(value);
            });
        }
        for (name, value) in touched {
            let Entry::Occupied(mut values) = self.index.entry(name) else { continue };
            if let Entry::Occupied(mut postings) = values.get_mut().entry(value) {
                postings.get_mut().retain(|id| !ids.contains(id));
                if postings.get().is_empty() {
                    postings.remove();
                }
            }
            if values.get().is_empty() {
                values.remove();
            }
        }
    }

    /// The series that meet every condition, ascending by number.
    pub(crate) fn matching(&self, matchers: &[Matcher]) -> Result<Vec<SeriesId>, SelectError> {
        let compiled: Vec<Compiled<'_>> = matchers.iter().map(Compiled::new).collect::<Result<_, _>>()?;
        // What an absent label meets too cannot be looked up, only tested.
        let (in_index, mut to_test): (Vec<_>, Vec<_>) = compiled.iter().partition(|c| !c.accepts(""));
        let (exact, patterns): (Vec<_>, Vec<_>) = in_index.into_iter().partition(|c| c.only_value().is_some());
        let mut lists: Vec<&[SeriesId]> = exact.iter().map(|c| self.postings(c.label, c.only_value().unwrap_or_default())).collect();
        lists.sort_by_key(|list| list.len());
        let mut ids: Vec<SeriesId> = match (lists.split_first(), patterns.split_first()) {
            (Some((shortest, others)), _) => {
                to_test.extend(&patterns);
                others.iter().fold(shortest.to_vec(), |ids, others| intersect(ids, others))
            }
            (None, Some((first, others))) => {
                to_test.extend(others);
                self.having(first)
            }
            (None, None) => self.iter().map(|(id, _)| id).collect(),
        };
        for compiled in to_test {
            self.retain(&mut ids, compiled);
        }
        Ok(ids)
    }

    /// Keeps the series that meet the condition; each value is tested once.
    fn retain(&self, ids: &mut Vec<SeriesId>, compiled: &Compiled<'_>) {
        let name = self.symbols.get(compiled.label);
        let without = compiled.accepts("");
        let mut verdicts: HashMap<Symbol, bool> = HashMap::new();
        ids.retain(|&id| {
            let Some(series) = self.series(id) else { return false };
            let value = series.labels.iter().find(|(label, _)| Some(*label) == name).map(|&(_, value)| value);
            value.map_or(without, |value| *verdicts.entry(value).or_insert_with(|| compiled.accepts(self.symbols.text(value))))
        });
    }

    /// The series with this value of this label, ascending.
    pub(crate) fn postings(&self, label: &str, value: &str) -> &[SeriesId] {
        let found = || self.index.get(&self.symbols.get(label)?)?.get(&self.symbols.get(value)?);
        found().map_or(&[], Vec::as_slice)
    }

    /// The series that have the label with a value that meets the condition, ascending. (A series has one value of a label.)
    fn having(&self, compiled: &Compiled<'_>) -> Vec<SeriesId> {
        let Some(values) = self.symbols.get(compiled.label).and_then(|name| self.index.get(&name)) else { return Vec::new() };
        let matching = values.iter().filter(|(value, _)| compiled.accepts(self.symbols.text(**value)));
        let mut ids: Vec<SeriesId> = matching.flat_map(|(_, ids)| ids.iter().copied()).collect();
        ids.sort_unstable();
        ids
    }

    /// The labels of a series, for the outside.
    pub(crate) fn labels(&self, series: &Series) -> Labels {
        series.labels.iter().map(|&(name, value)| (self.symbols.text(name).clone(), self.symbols.text(value).clone())).collect()
    }

    /// Orders by labels as their texts do, but looks only at texts that differ.
    pub(crate) fn order(&self, a: &Series, b: &Series) -> std::cmp::Ordering {
        let differing = a.labels.iter().zip(&*b.labels).find(|(x, y)| x != y);
        match differing {
            Some((&(an, av), &(bn, bv))) => {
                let text = |symbol| &**self.symbols.text(symbol);
                (text(an), text(av)).cmp(&(text(bn), text(bv)))
            }
            None => a.labels.len().cmp(&b.labels.len()),
        }
    }

    /// An estimate of the memory in use, bytes.
    pub(crate) fn memory(&self) -> usize {
        let series: usize = self.iter().map(|(_, s)| s.memory() + s.labels.len() * size_of::<SeriesId>()).sum();
        series + self.slots.capacity() * 8 + self.by_key.capacity() * size_of::<(Key, SeriesId)>() + self.symbols.len() * 120
    }
}

/// The members of `ids` that are also in `others`; both ascending.
fn intersect(mut ids: Vec<SeriesId>, others: &[SeriesId]) -> Vec<SeriesId> {
    ids.retain(|id| others.binary_search(id).is_ok());
    ids
}

/// The keys are good hashes already.
#[derive(Debug, Default)]
struct AlreadyHashed(u64);

impl Hasher for AlreadyHashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.0 = self.0.rotate_left(8) ^ u64::from(byte));
    }

    fn write_u64(&mut self, half: u64) {
        self.0 = self.0.rotate_left(1) ^ half;
    }
}

#[cfg(test)]
mod tests;

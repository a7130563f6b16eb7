//! One series in memory: chunks of encoded samples, in ascending order of time, one sample per time.
//!
//! New samples go to the open chunk as they come. A late one (older than the newest) is merged into the chunk it belongs to, which is
//! decoded and written again: rare, and bounded by the size of a chunk.

use crate::STALE;
use crate::codec::{Decoder, Encoder, Hint};
use crate::symbols::{InSegment, Symbol};

/// Samples after which a chunk is sealed. A read decodes whole chunks from their start: longer ones are smaller, shorter ones quicker.
const CHUNK: u32 = 120;

/// What happened to samples on their way in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) stored: u64,
    pub(crate) duplicates: u64,
    pub(crate) conflicts: u64,
    pub(crate) out_of_order: u64,
}

#[derive(Debug)]
struct Chunk {
    start: i64,
    end: i64,
    count: u32,
    bytes: Box<[u8]>,
}

/// The chunk that still grows; its end is the time of its encoder.
#[derive(Debug)]
struct Open {
    start: i64,
    count: u32,
    encoder: Encoder,
    bytes: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) labels: Box<[(Symbol, Symbol)]>,
    /// Who sent it first; its cap pays for it.
    pub(crate) source: Symbol,
    pub(crate) defined: InSegment,
    /// The newest sample that is not a staleness marker.
    pub(crate) last_present: Option<i64>,
    sealed: Vec<Chunk>,
    open: Open,
}

impl Series {
    pub(crate) fn new(labels: Box<[(Symbol, Symbol)]>, source: Symbol) -> Series {
        let open = Open { start: 0, count: 0, encoder: Encoder::new(0, Hint::default()), bytes: Vec::new() };
        Series { labels, source, defined: InSegment::default(), last_present: None, sealed: Vec::new(), open }
    }

    pub(crate) fn hint(&self) -> Hint {
        self.open.encoder.hint()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.open.count == 0 && self.sealed.is_empty()
    }

    /// The time of the newest sample, a staleness marker included.
    fn last(&self) -> Option<i64> {
        if self.open.count > 0 { Some(self.open.encoder.time()) } else { self.sealed.last().map(|c| c.end) }
    }

    /// Is any chunk of it within `from..=to`?
    pub(crate) fn overlaps(&self, from: i64, to: i64) -> bool {
        let at = self.sealed.partition_point(|c| c.end < from);
        self.sealed.get(at).is_some_and(|c| c.start <= to)
            || (self.open.count > 0 && self.open.start <= to && self.open.encoder.time() >= from)
    }

    /// Takes samples in the order they arrived. At a time that is there already, the same bits are a duplicate, another value replaces
    /// the old one: the last write wins, counted as a conflict.
    pub(crate) fn insert(&mut self, samples: impl IntoIterator<Item = (i64, f64)>, tally: &mut Tally) {
        let mut late = Vec::new();
        for (t, v) in samples {
            match self.last() {
                Some(last) if t > last => self.push(t, v),
                None => self.push(t, v),
                Some(last) if t == last && late.is_empty() && self.open.count > 0 && self.open.encoder.bits() == v.to_bits() => {
                    tally.duplicates += 1;
                    continue;
                }
                Some(_) => {
                    late.push((t, v));
                    continue;
                }
            }
            tally.stored += 1;
            if v.to_bits() != STALE {
                self.last_present = Some(t);
            }
        }
        if !late.is_empty() {
            self.merge(late, tally);
        }
    }

    fn push(&mut self, t: i64, v: f64) {
        let open = &mut self.open;
        if open.count == 0 {
            open.start = t;
            open.encoder = Encoder::new(t, open.encoder.hint());
        }
        if open.bytes.capacity() - open.bytes.len() < 12 {
            // In small steps: doubling would waste half of the memory of many small series.
            open.bytes.reserve_exact(12 + open.bytes.len() / 4);
        }
        open.encoder.push(&mut open.bytes, t, v);
        open.count += 1;
        if open.count >= CHUNK {
            self.seal();
        }
    }

    fn seal(&mut self) {
        let open = &mut self.open;
        let bytes = std::mem::take(&mut open.bytes).into_boxed_slice();
        self.sealed.push(Chunk { start: open.start, end: open.encoder.time(), count: open.count, bytes });
        open.count = 0;
    }

    /// Merges samples that are not newer than the newest, each into the first chunk that ends at or after it.
    fn merge(&mut self, mut late: Vec<(i64, f64)>, tally: &mut Tally) {
        late.sort_by_key(|&(t, _)| t);
        let mut late = late.as_slice();
        while let Some(&(first, _)) = late.first() {
            let at = self.sealed.partition_point(|c| c.end < first);
            let here = match self.sealed.get(at) {
                Some(chunk) => late.partition_point(|&(t, _)| t <= chunk.end),
                None => late.len(),
            };
            let (into_this, rest) = late.split_at(here);
            late = rest;
            self.merge_into(at, into_this, tally);
        }
        self.last_present = self.find_last_present();
    }

    /// Merges `late` (ascending; of equal times the last counts) into chunk `at`; `at` past the sealed ones is the open chunk.
    fn merge_into(&mut self, at: usize, late: &[(i64, f64)], tally: &mut Tally) {
        let mut old = Vec::new();
        match self.sealed.get(at) {
            Some(chunk) => chunk.decode(&mut old),
            None => self.open.decode(&mut old),
        }
        let changes = |tally: &Tally| tally.stored + tally.conflicts;
        let before = changes(tally);
        let merged = merge_sorted(&old, late, tally);
        if changes(tally) == before {
            return;
        }
        let Some(_) = self.sealed.get(at) else {
            self.open.count = 0;
            self.open.bytes.clear();
            // Sealed on the way where it grew too long; the last part stays open.
            merged.into_iter().for_each(|(t, v)| self.push(t, v));
            return;
        };
        let pieces = if merged.len() > 2 * CHUNK as usize { CHUNK as usize } else { merged.len() };
        self.sealed.splice(at..=at, merged.chunks(pieces).map(Chunk::of).collect::<Vec<_>>());
    }

    fn find_last_present(&self) -> Option<i64> {
        let mut samples = Vec::new();
        self.open.decode(&mut samples);
        let present = |samples: &[(i64, f64)]| samples.iter().rev().find(|(_, v)| v.to_bits() != STALE).map(|&(t, _)| t);
        present(&samples).or_else(|| {
            self.sealed.iter().rev().find_map(|chunk| {
                samples.clear();
                chunk.decode(&mut samples);
                present(&samples)
            })
        })
    }

    /// Appends the samples of `from..=to` to `out`, ascending.
    pub(crate) fn read(&self, from: i64, to: i64, out: &mut Vec<(i64, f64)>) {
        let first = self.sealed.partition_point(|c| c.end < from);
        for chunk in self.sealed[first..].iter().take_while(|c| c.start <= to) {
            decode_within(&chunk.bytes, chunk.start, chunk.count, from, to, out);
        }
        if self.open.count > 0 && self.open.start <= to && self.open.encoder.time() >= from {
            decode_within(&self.open.bytes, self.open.start, self.open.count, from, to, out);
        }
    }

    /// Forgets chunks that end before `floor`; returns how many samples that were.
    pub(crate) fn drop_before(&mut self, floor: i64) -> u64 {
        let gone = self.sealed.partition_point(|c| c.end < floor);
        let mut dropped: u64 = self.sealed.drain(..gone).map(|c| u64::from(c.count)).sum();
        if self.open.count > 0 && self.open.encoder.time() < floor {
            dropped += u64::from(self.open.count);
            self.open.count = 0;
            self.open.bytes = Vec::new();
        }
        dropped
    }

    /// Bytes of encoded samples, and what they need around them; an estimate.
    pub(crate) fn memory(&self) -> usize {
        let sealed: usize = self.sealed.iter().map(|c| c.bytes.len()).sum();
        let around = size_of::<Series>() + self.sealed.capacity() * size_of::<Chunk>() + self.labels.len() * size_of::<(Symbol, Symbol)>();
        sealed + self.open.bytes.capacity() + around
    }
}

impl Chunk {
    fn of(samples: &[(i64, f64)]) -> Chunk {
        let start = samples.first().map_or(0, |s| s.0);
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(start, Hint::default());
        samples.iter().for_each(|&(t, v)| encoder.push(&mut bytes, t, v));
        Chunk { start, end: encoder.time(), count: samples.len() as u32, bytes: bytes.into_boxed_slice() }
    }

    fn decode(&self, out: &mut Vec<(i64, f64)>) {
        decode_within(&self.bytes, self.start, self.count, i64::MIN, i64::MAX, out);
    }
}

impl Open {
    fn decode(&self, out: &mut Vec<(i64, f64)>) {
        decode_within(&self.bytes, self.start, self.count, i64::MIN, i64::MAX, out);
    }
}

fn decode_within(bytes: &[u8], start: i64, count: u32, from: i64, to: i64, out: &mut Vec<(i64, f64)>) {
    let mut decoder = Decoder::new(bytes, start);
    out.reserve(count as usize);
    for _ in 0..count {
        match decoder.next() {
            Ok((t, _)) if t < from => {}
            Ok((t, v)) if t <= to => out.push((t, v)),
            Ok(_) => break,
            Err(malformed) => unreachable!("a chunk of our own in memory: {malformed}"),
        }
    }
}

/// Two ascending runs into one with a sample per time; `new` wins over `old`, and the last of `new` over the ones before it.
fn merge_sorted(old: &[(i64, f64)], new: &[(i64, f64)], tally: &mut Tally) -> Vec<(i64, f64)> {
    let mut merged: Vec<(i64, f64)> = Vec::with_capacity(old.len() + new.len());
    let mut old = old.iter().copied().peekable();
    for &(t, v) in new {
        while let Some(older) = old.next_if(|&(at, _)| at <= t) {
            merged.push(older);
        }
        match merged.last_mut() {
            Some(last) if last.0 == t && last.1.to_bits() == v.to_bits() => tally.duplicates += 1,
            Some(last) if last.0 == t => {
                last.1 = v;
                tally.conflicts += 1;
            }
            _ => {
                merged.push((t, v));
                tally.stored += 1;
                tally.out_of_order += 1;
            }
        }
    }
    merged.extend(old);
    merged
}

#[cfg(test)]
mod tests;

//! What a frame of the log says: definitions of strings and series, then samples. Or: the floor was raised.
//!
//! A segment stands alone: it numbers the strings and series it uses itself, from 0, in the order of their first use, so that it can
//! be dropped without a look at the others. All numbers are varints.
//!
//! ```text
//! data  = 1, first string, strings { length, bytes }, first series, series { source, labels { name, value } },
//!         base time, rows { series - last series - 1, samples, stream }
//! floor = 2, time
//! ```

use crate::codec::{Cursor, Decoder, Encoder, Hint, Malformed, put_varint, put_zigzag};
use crate::head::{Head, SeriesId};
use crate::series::Tally;
use crate::symbols::InSegment;
use std::collections::HashMap;
use std::sync::Arc;

const DATA: u8 = 1;
const FLOOR: u8 = 2;

/// More definitions than this in one segment are not ours.
const MAX_NUMBER: u64 = 1 << 28;

/// The numbers a segment will give next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct NextNumbers {
    pub(crate) symbol: u32,
    pub(crate) series: u32,
}

/// A data record while it is written. What it defines is in force only once the record is in the file: see [`Draft::settle`].
#[derive(Debug)]
pub(crate) struct Draft {
    segment: u64,
    first: NextNumbers,
    next: NextNumbers,
    symbols: Vec<u8>,
    series: Vec<u8>,
    rows: Vec<u8>,
    row_count: u64,
    base: i64,
    last_row: i64,
    newest: Option<i64>,
    new_symbols: HashMap<Arc<str>, u32>,
}

impl Draft {
    /// An empty record for this segment; `base` is a time near those of the samples.
    pub(crate) fn new(segment: u64, first: NextNumbers, base: i64) -> Draft {
        Draft {
            segment,
            first,
            next: first,
            symbols: Vec::new(),
            series: Vec::new(),
            rows: Vec::new(),
            row_count: 0,
            base,
            last_row: -1,
            newest: None,
            new_symbols: HashMap::new(),
        }
    }

    fn symbol(&mut self, text: &str, head: &Head) -> u32 {
        if let Some(number) = head.symbols.number_in(text, self.segment).or_else(|| self.new_symbols.get(text).copied()) {
            return number;
        }
        let number = self.next.symbol;
        self.next.symbol += 1;
        put_varint(&mut self.symbols, text.len() as u64);
        self.symbols.extend_from_slice(text.as_bytes());
        self.new_symbols.insert(Arc::from(text), number);
        number
    }

    /// Defines a series in this segment; returns its number.
    pub(crate) fn define(&mut self, source: &str, labels: &[(&str, &str)], head: &Head) -> u32 {
        let source = self.symbol(source, head);
        let mut bytes = std::mem::take(&mut self.series);
        put_varint(&mut bytes, u64::from(source));
        put_varint(&mut bytes, labels.len() as u64);
        for (name, value) in labels {
            put_varint(&mut bytes, u64::from(self.symbol(name, head)));
            put_varint(&mut bytes, u64::from(self.symbol(value, head)));
        }
        self.series = bytes;
        self.next.series += 1;
        self.next.series - 1
    }

    /// Appends the samples of the series with this number.
    pub(crate) fn row(&mut self, number: u32, samples: impl ExactSizeIterator<Item = (i64, f64)>, hint: Hint) {
        put_zigzag(&mut self.rows, i64::from(number) - self.last_row - 1);
        self.last_row = i64::from(number);
        put_varint(&mut self.rows, samples.len() as u64);
        let mut encoder = Encoder::new(self.base, hint);
        for (t, v) in samples {
            encoder.push(&mut self.rows, t, v);
            self.newest = self.newest.max(Some(t));
        }
        self.row_count += 1;
    }

    /// The segment it is for.
    pub(crate) fn segment(&self) -> u64 {
        self.segment
    }

    /// Bytes so far, about.
    pub(crate) fn len(&self) -> usize {
        self.symbols.len() + self.series.len() + self.rows.len()
    }

    /// The time of the newest sample in it.
    pub(crate) fn newest(&self) -> Option<i64> {
        self.newest
    }

    /// The numbers the segment gives next once this record is in it.
    pub(crate) fn next(&self) -> NextNumbers {
        self.next
    }

    /// Appends the record to `out`.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.push(DATA);
        put_varint(out, u64::from(self.first.symbol));
        put_varint(out, u64::from(self.next.symbol - self.first.symbol));
        out.extend_from_slice(&self.symbols);
        put_varint(out, u64::from(self.first.series));
        put_varint(out, u64::from(self.next.series - self.first.series));
        out.extend_from_slice(&self.series);
        put_zigzag(out, self.base);
        put_varint(out, self.row_count);
        out.extend_from_slice(&self.rows);
    }

    /// The record is in the file: remembers which strings the segment knows now. (Series remember it themselves.)
    pub(crate) fn settle(&self, head: &mut Head) {
        for (text, &number) in &self.new_symbols {
            if let Some(symbol) = head.symbols.get(text) {
                head.symbols.set_defined(symbol, InSegment { segment: self.segment, number });
            }
        }
    }
}

/// The record of a raised floor.
pub(crate) fn write_floor(floor: i64, out: &mut Vec<u8>) {
    out.push(FLOOR);
    put_zigzag(out, floor);
}

/// What the numbers of one segment stand for; holes where the defining record was lost.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    symbols: Vec<Option<Arc<str>>>,
    pub(crate) series: Vec<Option<SeriesId>>,
}

impl Numbers {
    pub(crate) fn next(&self) -> NextNumbers {
        NextNumbers { symbol: self.symbols.len() as u32, series: self.series.len() as u32 }
    }

    /// The strings with the numbers the segment gave them.
    pub(crate) fn symbols(&self) -> impl Iterator<Item = (u32, &Arc<str>)> {
        self.symbols.iter().enumerate().filter_map(|(number, text)| Some((number as u32, text.as_ref()?)))
    }

    fn symbol(&self, number: u64) -> Option<&str> {
        self.symbols.get(usize::try_from(number).ok()?)?.as_deref()
    }
}

/// What reading records came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) tally: Tally,
    /// The time of the newest sample.
    pub(crate) newest: Option<i64>,
    /// The highest floor.
    pub(crate) floor: Option<i64>,
    /// Samples of series whose definition was lost.
    pub(crate) orphans: u64,
}

/// Reads one record into `head`.
pub(crate) fn read(payload: &[u8], numbers: &mut Numbers, head: &mut Head, read: &mut Read) -> Result<(), Malformed> {
    let mut cursor = Cursor::new(payload);
    match cursor.byte()? {
        DATA => {
            read_symbols(&mut cursor, numbers)?;
            read_series(&mut cursor, numbers, head)?;
            read_rows(&mut cursor, numbers, head, read)?;
        }
        FLOOR => read.floor = read.floor.max(Some(cursor.zigzag()?)),
        _ => return Err(Malformed),
    }
    if cursor.rest.is_empty() { Ok(()) } else { Err(Malformed) }
}

/// Makes `items` as long as `first`, with holes for what was lost before. A number that is given anew ends what it stood for.
fn start_at<T>(items: &mut Vec<Option<T>>, first: u64) -> Result<(), Malformed> {
    if first > MAX_NUMBER {
        return Err(Malformed);
    }
    items.resize_with(first as usize, || None);
    Ok(())
}

fn read_symbols(cursor: &mut Cursor<'_>, numbers: &mut Numbers) -> Result<(), Malformed> {
    let (first, count) = (cursor.varint()?, cursor.varint()?);
    start_at(&mut numbers.symbols, first)?;
    for _ in 0..count {
        let length = usize::try_from(cursor.varint()?).map_err(|_| Malformed)?;
        let text = std::str::from_utf8(cursor.take(length)?).map_err(|_| Malformed)?;
        numbers.symbols.push(Some(Arc::from(text)));
    }
    Ok(())
}

fn read_series(cursor: &mut Cursor<'_>, numbers: &mut Numbers, head: &mut Head) -> Result<(), Malformed> {
    let (first, count) = (cursor.varint()?, cursor.varint()?);
    start_at(&mut numbers.series, first)?;
    for _ in 0..count {
        let source = numbers.symbol(cursor.varint()?);
        let label_count = cursor.varint()?;
        let mut labels = Vec::new();
        let mut lost = false;
        for _ in 0..label_count {
            match (numbers.symbol(cursor.varint()?), numbers.symbol(cursor.varint()?)) {
                (Some(name), Some(value)) => labels.push((name, value)),
                _ => lost = true,
            }
        }
        // Half a label set would be another series: better none than a wrong one.
        let id = source.filter(|_| !lost).map(|source| head.define(&labels, source));
        numbers.series.push(id);
    }
    Ok(())
}

fn read_rows(cursor: &mut Cursor<'_>, numbers: &Numbers, head: &mut Head, read: &mut Read) -> Result<(), Malformed> {
    let base = cursor.zigzag()?;
    let count = cursor.varint()?;
    let mut last_row = -1i64;
    let mut samples = Vec::new();
    for _ in 0..count {
        let row = cursor.zigzag()?.wrapping_add(last_row).wrapping_add(1);
        last_row = row;
        let in_row = cursor.varint()?;
        samples.clear();
        let mut decoder = Decoder::new(cursor.rest, base);
        for _ in 0..in_row {
            samples.push(decoder.next()?);
        }
        cursor.rest = decoder.rest();
        read.newest = samples.iter().map(|&(t, _)| t).max().max(read.newest);
        let id = usize::try_from(row).ok().and_then(|row| numbers.series.get(row).copied().flatten());
        if !id.is_some_and(|id| head.insert(id, samples.iter().copied(), &mut read.tally)) {
            read.orphans += in_row;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample_record(head: &Head) -> Draft {
        let mut draft = Draft::new(1, NextNumbers::default(), 1_000);
        let up = draft.define("s", &[("__name__", "up"), ("host", "a")], head);
        let down = draft.define("s", &[("__name__", "down"), ("host", "a")], head);
        draft.row(down, [(1_000, 1.0), (2_000, 2.0)].into_iter(), Hint::default());
        draft.row(up, [(500, 3.0)].into_iter(), Hint::default());
        draft
    }

    #[test]
    fn a_record_comes_back_and_defines_each_string_once() {
        let mut head = Head::default();
        let draft = sample_record(&head);
        assert_eq!(draft.next(), NextNumbers { symbol: 6, series: 2 });
        let mut bytes = Vec::new();
        draft.write(&mut bytes);
        let (mut numbers, mut got) = (Numbers::default(), Read::default());
        read(&bytes, &mut numbers, &mut head, &mut got).unwrap();
        assert_eq!((got.tally.stored, got.newest, got.orphans), (3, Some(2_000), 0));
        assert_eq!(numbers.next(), draft.next());
        let id = head.find(head.key(&[("__name__", "down"), ("host", "a")], &mut Vec::new())).unwrap();
        let mut samples = Vec::new();
        head.series(id).unwrap().read(i64::MIN, i64::MAX, &mut samples);
        assert_eq!(samples, [(1_000, 1.0), (2_000, 2.0)]);
    }

    #[test]
    fn a_row_without_its_definition_is_an_orphan_and_invents_no_series() {
        let mut head = Head::default();
        let mut draft = Draft::new(1, NextNumbers { symbol: 9, series: 4 }, 0);
        draft.row(3, [(1, 1.0)].into_iter(), Hint::default());
        let mut bytes = Vec::new();
        draft.write(&mut bytes);
        let mut got = Read::default();
        read(&bytes, &mut Numbers::default(), &mut head, &mut got).unwrap();
        assert_eq!((got.orphans, head.len()), (1, 0));
    }

    #[test]
    fn a_floor_is_a_record() {
        let mut bytes = Vec::new();
        write_floor(77, &mut bytes);
        let mut got = Read::default();
        read(&bytes, &mut Numbers::default(), &mut Head::default(), &mut got).unwrap();
        assert_eq!(got.floor, Some(77));
    }

    proptest! {
        #[test]
        fn a_damaged_record_never_panics(at in 0usize..200, with in any::<u8>(), cut in 0usize..200) {
            let mut bytes = Vec::new();
            sample_record(&Head::default()).write(&mut bytes);
            let at = at % bytes.len();
            bytes[at] ^= with;
            bytes.truncate(bytes.len() - cut % bytes.len());
            // Whatever it says, it must come to an end; counts are bounded by the bytes that are there.
            let _ = read(&bytes, &mut Numbers::default(), &mut Head::default(), &mut Read::default());
        }
    }
}

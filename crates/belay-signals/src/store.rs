//! The store: one writer at a time, readers beside it.
//!
//! An append is checked whole, written to the log whole, then made visible whole; readers wait only for the last part. Locks are always
//! taken in this order: writer, then memory.

use crate::append::{Appended, Plan, SeriesIn};
use crate::compact::{self, Compacted};
use crate::error::{Refused, SelectError, StoreError};
use crate::head::{Head, Labels};
use crate::limits::Limits;
use crate::log::{Log, sync_dir};
use crate::matcher::Matcher;
use crate::record;
use crate::replay::{self, Recovered};
use crate::series::Series;
use crate::symbols::Symbol;
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// A series in an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesOut {
    /// Its labels, ascending by name.
    pub labels: Labels,
    /// Time (ms since 1970) and value, ascending by time, one per time. Staleness markers are in it, as the NaN with the bits
    /// [`crate::STALE`], and other NaN and infinities as they came: the reader leaves them out.
    pub samples: Vec<(i64, f64)>,
}

/// What the store holds and has taken in. Totals count from the moment it was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Series in memory.
    pub series: usize,
    /// Samples in memory.
    pub samples: u64,
    /// Bytes of the log on disk.
    pub log_bytes: u64,
    /// Files of the log.
    pub segments: usize,
    /// Nothing older than this (ms since 1970) is shown.
    pub floor_ms: Option<i64>,
    /// What all appends came to.
    pub total: Appended,
    /// Appends refused because the request was at fault.
    pub refused_total: u64,
    /// Appends that could not be written.
    pub failed_total: u64,
}

/// The embedded store of signals. Shared by reference between threads; [`Store::open`] starts none.
#[derive(Debug)]
pub struct Store {
    limits: Limits,
    /// Held as long as the store lives: the directory is ours.
    _lock: File,
    writer: Mutex<Log>,
    memory: RwLock<Memory>,
}

/// What readers see.
#[derive(Debug, Default)]
struct Memory {
    head: Head,
    log_bytes: u64,
    segments: usize,
    total: Appended,
    refused: u64,
    failed: u64,
}

impl Memory {
    fn measure(&mut self, log: &Log) {
        self.log_bytes = log.bytes();
        self.segments = log.segments();
    }
}

impl Store {
    /// Opens the store in `dir`, which is made if it is not there, takes an exclusive lock on it, and reads the log.
    ///
    /// # Errors
    /// [`StoreError::InUse`] if another store has the directory, [`StoreError::NewerFormat`] if a later build wrote it (nothing is
    /// touched then), [`StoreError::Io`] if it cannot be read or made. Damaged data is no error: see [`Recovered`].
    pub fn open(dir: &Path, limits: Limits) -> Result<(Store, Recovered), StoreError> {
        fs::create_dir_all(dir).map_err(StoreError::io("cannot create", dir))?;
        let lock_path = dir.join("LOCK");
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&lock_path);
        let lock = lock.map_err(StoreError::io("cannot open", &lock_path))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => StoreError::InUse(dir.to_owned()),
            TryLockError::Error(error) => StoreError::io("cannot lock", &lock_path)(error),
        })?;
        let (head, log, recovered) = replay::open(dir, limits.segment_bytes)?;
        let mut memory = Memory { head, ..Memory::default() };
        memory.measure(&log);
        Ok((Store { limits, _lock: lock, writer: Mutex::new(log), memory: RwLock::new(memory) }, recovered))
    }

    /// Takes in the samples of one request, all or none. When it returns they are in the log (process death loses nothing; power loss
    /// loses at most what came since the last [`Store::sync`]) and every select sees them.
    ///
    /// Samples may come in any order and late. At a time a series already has, the same bits are a duplicate; another value replaces
    /// the old one (the last write wins) and is counted as a conflict. What is older than the retention is left out and counted.
    ///
    /// # Errors
    /// See [`Refused`]; nothing of the request is stored or visible then.
    pub fn append(&self, source: &str, series: &[SeriesIn<'_>], now_ms: i64) -> Result<Appended, Refused> {
        let mut log = self.writer()?;
        let done = self.append_to(&mut log, source, series, now_ms);
        if let Err(refused) = &done
            && let Ok(mut memory) = self.memory_mut()
        {
            match refused {
                Refused::NotWritten(_) => memory.failed += 1,
                _ => memory.refused += 1,
            }
        }
        done
    }

    fn append_to(&self, log: &mut Log, source: &str, series: &[SeriesIn<'_>], now_ms: i64) -> Result<Appended, Refused> {
        let memory = self.memory()?;
        let plan = Plan::make(&memory.head, &self.limits, source, series, now_ms)?;
        if plan.is_empty() {
            drop(memory);
            let appended = plan.appended();
            self.memory_mut()?.total.add(&appended);
            return Ok(appended);
        }
        let active = log.open_segment(now_ms, memory.head.floor)?;
        let drafted = plan.draft(&memory.head, active.header.number, active.next, now_ms);
        drop(memory);
        log.write(&drafted.draft)?;
        let mut memory = self.memory_mut()?;
        let appended = plan.commit(&drafted, &mut memory.head);
        memory.total.add(&appended);
        memory.measure(log);
        Ok(appended)
    }

    /// Writes everything through to the device: what bounds the loss at a power loss. Appends go on meanwhile.
    ///
    /// # Errors
    /// After a failure nobody knows what the system dropped, so every later append and sync is refused with [`StoreError::Broken`]: end the
    /// process, or open the store again.
    pub fn sync(&self) -> Result<(), StoreError> {
        let to_sync = self.writer()?.take_unsynced()?;
        let done = to_sync.sync();
        if done.is_err() {
            self.writer()?.sync_failed();
        }
        done
    }

    /// The series that meet all conditions, each with its samples from `from_ms` to `to_ms`, both included; ascending by labels. Series
    /// without a sample in that time are left out. All of it is from one moment: an append is in it whole or not at all.
    ///
    /// # Errors
    /// A bad pattern, or more series or samples than [`Limits`] allows.
    pub fn select(&self, matchers: &[Matcher], from_ms: i64, to_ms: i64) -> Result<Vec<SeriesOut>, SelectError> {
        let memory = self.memory().map_err(|_| SelectError::Poisoned)?;
        let head = &memory.head;
        let from = from_ms.max(head.floor.unwrap_or(i64::MIN));
        let found = self.capped(head, matchers, from_ms, to_ms)?;
        let mut left = self.limits.max_select_samples;
        let mut answer = Vec::with_capacity(found.len());
        for series in found {
            let mut samples = Vec::new();
            series.read(from, to_ms, &mut samples);
            if samples.is_empty() {
                continue;
            }
            let limit = self.limits.max_select_samples;
            left = left.checked_sub(samples.len()).ok_or(SelectError::TooManySamples { limit })?;
            answer.push(SeriesOut { labels: head.labels(series), samples });
        }
        Ok(answer)
    }

    /// The labels of the series that meet all conditions and may have samples in that time (whole chunks are looked at, not samples),
    /// ascending.
    ///
    /// # Errors
    /// As [`Store::select`].
    pub fn series(&self, matchers: &[Matcher], from_ms: i64, to_ms: i64) -> Result<Vec<Labels>, SelectError> {
        let memory = self.memory().map_err(|_| SelectError::Poisoned)?;
        let head = &memory.head;
        let found = self.capped(head, matchers, from_ms, to_ms)?;
        Ok(found.into_iter().map(|series| head.labels(series)).collect())
    }

    /// The names of all labels of the series that meet all conditions and may have samples in that time, ascending.
    ///
    /// # Errors
    /// A bad pattern.
    pub fn label_names(&self, matchers: &[Matcher], from_ms: i64, to_ms: i64) -> Result<Vec<Arc<str>>, SelectError> {
        let memory = self.memory().map_err(|_| SelectError::Poisoned)?;
        let head = &memory.head;
        let found = matching(head, matchers, from_ms, to_ms)?;
        Ok(texts(head, found.iter().flat_map(|series| series.labels.iter().map(|&(name, _)| name))))
    }

    /// The values of one label over the series that meet all conditions and may have samples in that time, ascending.
    ///
    /// # Errors
    /// A bad pattern.
    pub fn label_values(&self, label: &str, matchers: &[Matcher], from_ms: i64, to_ms: i64) -> Result<Vec<Arc<str>>, SelectError> {
        let memory = self.memory().map_err(|_| SelectError::Poisoned)?;
        let head = &memory.head;
        let Some(label) = head.symbols.get(label) else { return Ok(Vec::new()) };
        let found = matching(head, matchers, from_ms, to_ms)?;
        Ok(texts(head, found.iter().filter_map(|series| series.labels.iter().find(|(name, _)| *name == label).map(|&(_, value)| value))))
    }

    /// The time (ms since 1970) of the newest sample of any series in which `label` has this value; `None` if there is none. Tells "the
    /// host is gone" from "this series is gone". Staleness markers are not a sign of life and do not count.
    #[must_use]
    pub fn last_seen(&self, label: &str, value: &str) -> Option<i64> {
        let memory = self.memory().ok()?;
        let head = &memory.head;
        let times = head.postings(label, value).iter().filter_map(|&id| head.series(id)?.last_present);
        times.max().filter(|&t| head.floor.is_none_or(|floor| t >= floor))
    }

    /// Retention: nothing older than `ms` is shown from now on, also after a restart. Segments of the log are removed once all of their
    /// samples are older, so the disk follows by whole segments.
    ///
    /// # Errors
    /// If the floor cannot be written (then nothing was dropped), or a file cannot be removed (then the rest was; call it again).
    pub fn drop_before(&self, ms: i64) -> Result<(), StoreError> {
        let mut log = self.writer()?;
        let old_floor = self.memory()?.head.floor;
        if old_floor.is_none_or(|old| old < ms) {
            if log.segments() > 0 {
                // The clock of the log, not of the world: a day is not ended by a floor.
                log.open_segment(i64::MIN, old_floor)?;
                log.write_frame(|frame| record::write_floor(ms, frame))?;
            }
            self.memory_mut()?.head.drop_before(ms);
        }
        let done = log.drop_before(ms);
        self.memory_mut()?.measure(&log);
        done
    }

    /// Puts the oldest closed segment that was not yet compacted into its short form: about a third of the bytes, same samples. `None` if
    /// there is none left. For a timer; reads and appends go on meanwhile. Not to be called by two threads at once: the second waits
    /// for nothing and may do the same work in vain.
    ///
    /// # Errors
    /// If files cannot be read or written; the old segment is then still in place.
    pub fn compact(&self) -> Result<Option<Compacted>, StoreError> {
        let (number, before, path) = {
            let log = self.writer()?;
            let Some(segment) = log.closed.iter().find(|c| !c.settled) else { return Ok(None) };
            (segment.number, segment.bytes, log.path(segment.number))
        };
        let floor = self.memory()?.head.floor;
        let rewritten = compact::rewrite(&path, floor)?;
        let mut log = self.writer()?;
        let after = match rewritten {
            Some(new) if log.replace(number, &new.path, new.bytes)? => new.bytes,
            Some(_) => before,
            None => {
                log.closed.iter_mut().filter(|c| c.number == number).for_each(|c| c.settled = true);
                before
            }
        };
        self.memory_mut()?.measure(&log);
        drop(log);
        if let Some(dir) = path.parent() {
            sync_dir(dir)?;
        }
        Ok(Some(Compacted { before, after }))
    }

    /// What the store holds and has taken in.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let m = self.memory.read().unwrap_or_else(PoisonError::into_inner);
        Stats {
            series: m.head.len(),
            samples: m.head.samples,
            log_bytes: m.log_bytes,
            segments: m.segments,
            floor_ms: m.head.floor,
            total: m.total,
            refused_total: m.refused,
            failed_total: m.failed,
        }
    }

    /// An estimate of the memory in use, bytes. Looks at every series: not for every request.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.memory.read().unwrap_or_else(PoisonError::into_inner).head.memory()
    }

    /// The series that [`matching`] finds, if they are not too many for one answer, ascending by labels.
    fn capped<'h>(&self, head: &'h Head, matchers: &[Matcher], from: i64, to: i64) -> Result<Vec<&'h Series>, SelectError> {
        let mut found = matching(head, matchers, from, to)?;
        let limit = self.limits.max_select_series;
        if found.len() > limit {
            return Err(SelectError::TooManySeries { found: found.len(), limit });
        }
        found.sort_by(|a, b| head.order(a, b));
        Ok(found)
    }

    fn writer(&self) -> Result<MutexGuard<'_, Log>, StoreError> {
        self.writer.lock().map_err(|_| StoreError::Poisoned)
    }

    fn memory(&self) -> Result<RwLockReadGuard<'_, Memory>, StoreError> {
        self.memory.read().map_err(|_| StoreError::Poisoned)
    }

    fn memory_mut(&self) -> Result<RwLockWriteGuard<'_, Memory>, StoreError> {
        self.memory.write().map_err(|_| StoreError::Poisoned)
    }
}

/// The series that meet all conditions and may have samples in that time.
fn matching<'h>(head: &'h Head, matchers: &[Matcher], from: i64, to: i64) -> Result<Vec<&'h Series>, SelectError> {
    let from = from.max(head.floor.unwrap_or(i64::MIN));
    let ids = head.matching(matchers)?;
    Ok(ids.into_iter().filter_map(|id| head.series(id)).filter(|series| series.overlaps(from, to)).collect())
}

/// Each text once, ascending.
fn texts(head: &Head, symbols: impl Iterator<Item = Symbol>) -> Vec<Arc<str>> {
    let unique: BTreeSet<Symbol> = symbols.collect();
    let mut texts: Vec<Arc<str>> = unique.into_iter().map(|symbol| head.symbols.text(symbol).clone()).collect();
    texts.sort_unstable();
    texts
}

//! What the tests share: a directory with a store, and readable series.

use belay_signals::{Appended, Limits, Matcher, Recovered, Refused, SeriesIn, SeriesOut, Store, StoreError};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Some day in 2026, ms since 1970.
pub const NOW: i64 = 1_790_000_000_000;
pub const DAY: i64 = 86_400_000;

pub type LabelSet = Vec<(String, String)>;

/// Series (as text) -> time -> bits of the value.
pub type Content = BTreeMap<String, BTreeMap<i64, u64>>;

/// `__name__` and more labels, sorted.
pub fn labels(name: &str, more: &[(&str, &str)]) -> LabelSet {
    let mut labels: LabelSet = more.iter().map(|&(n, v)| (n.to_owned(), v.to_owned())).collect();
    labels.push(("__name__".to_owned(), name.to_owned()));
    labels.sort();
    labels
}

pub struct World {
    pub dir: TempDir,
    pub store: Store,
    pub recovered: Recovered,
}

pub fn world(limits: Limits) -> World {
    let dir = tempfile::tempdir().unwrap();
    let (store, recovered) = Store::open(dir.path(), limits).unwrap();
    World { dir, store, recovered }
}

impl World {
    /// Opens a copy of the directory, as it would be found if the process died now.
    pub fn after_death(&self, limits: Limits) -> World {
        let dir = tempfile::tempdir().unwrap();
        for path in files(self.dir.path()) {
            std::fs::copy(&path, dir.path().join(path.file_name().unwrap())).unwrap();
        }
        let (store, recovered) = Store::open(dir.path(), limits).unwrap();
        World { dir, store, recovered }
    }

    /// Closes the store and opens it again.
    pub fn reopen(self, limits: Limits) -> World {
        let World { dir, store, .. } = self;
        drop(store);
        let (store, recovered) = opened(dir.path(), &limits);
        World { dir, store, recovered }
    }

    /// One sample of one series.
    pub fn put(&self, labels: &LabelSet, t: i64, v: f64, now: i64) -> Result<Appended, Refused> {
        self.store.append("test", &[SeriesIn { labels, samples: &[(t, v)] }], now)
    }

    pub fn content(&self) -> Content {
        content(&self.store)
    }
}

/// The store that was just closed here, once nobody holds its lock: a process that another test starts has every open file of this
/// one, for the moment between its fork and its exec.
fn opened(dir: &Path, limits: &Limits) -> (Store, Recovered) {
    for _ in 0..500 {
        match Store::open(dir, limits.clone()) {
            Err(StoreError::InUse(_)) => std::thread::sleep(std::time::Duration::from_millis(2)),
            other => return other.unwrap(),
        }
    }
    Store::open(dir, limits.clone()).unwrap()
}

/// Segment files and leftovers, by name.
pub fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.file_name().is_some_and(|name| name != "LOCK"));
    files.sort();
    files
}

pub fn content(store: &Store) -> Content {
    let all = store.select(&[], i64::MIN, i64::MAX).unwrap();
    all.into_iter().map(|series| (text(&series), series.samples.iter().map(|&(t, v)| (t, v.to_bits())).collect())).collect()
}

pub fn text(series: &SeriesOut) -> String {
    series.labels.iter().map(|(name, value)| format!("{name}={value};")).collect()
}

pub fn names(store: &Store, matchers: &[Matcher]) -> Vec<String> {
    store.select(matchers, i64::MIN, i64::MAX).unwrap().iter().map(text).collect()
}

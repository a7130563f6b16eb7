//! The store of signals as the server uses it: never on a thread that must not wait, and with a
//! count of what each source sends.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use belay_core::model::time::Timestamp;
use belay_signals::{Limits, Store, StoreError};
use tokio::sync::Semaphore;

/// The folder of the store in the state directory.
pub const FOLDER: &str = "signals";
/// Questions to the store and appends that run at one time.
const THREADS: usize = 4;

/// What a source has sent since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceCount {
    /// When it last sent something that was taken.
    pub last: Option<Timestamp>,
    /// Series in its largest request.
    pub series: u64,
    /// Samples taken.
    pub samples: u64,
    /// Requests refused.
    pub refused: u64,
    /// Why the last one was refused, until one is taken.
    pub error: Option<String>,
}

/// The store of signals.
pub struct Signals {
    store: Arc<Store>,
    threads: Arc<Semaphore>,
    sources: Mutex<BTreeMap<String, SourceCount>>,
    retention_ms: i64,
}

impl Signals {
    /// Opens the store of a state directory.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(state_dir: &Path, limits: Limits) -> Result<Self, StoreError> {
        let retention_ms = limits.retention_ms;
        let (store, recovered) = Store::open(&state_dir.join(FOLDER), limits)?;
        tracing::info!(?recovered, "the store of signals is open");
        Ok(Self { store: Arc::new(store), threads: Arc::new(Semaphore::new(THREADS)), sources: Mutex::default(), retention_ms })
    }

    /// Does something with the store on a thread that may wait; `None` when the server is stopping.
    /// A panic there is passed on.
    pub async fn on_thread<R: Send + 'static>(&self, work: impl FnOnce(&Store) -> R + Send + 'static) -> Option<R> {
        let permit = Arc::clone(&self.threads).acquire_owned().await.ok()?;
        let store = Arc::clone(&self.store);
        let task = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work(&store)
        });
        match task.await {
            Ok(done) => Some(done),
            Err(failed) if failed.is_panic() => std::panic::resume_unwind(failed.into_panic()),
            Err(_) => None,
        }
    }

    /// Writes samples through to the device.
    ///
    /// # Errors
    /// After one the store must not be used any more.
    pub async fn sync(&self) -> Result<(), StoreError> {
        self.on_thread(Store::sync).await.unwrap_or(Ok(()))
    }

    /// Forgets samples beyond the retention, and puts one closed segment of the log into its short
    /// form.
    ///
    /// # Errors
    /// When files cannot be changed.
    pub async fn tidy(&self, now: Timestamp) -> Result<(), StoreError> {
        let before = now.ms().saturating_sub(self.retention_ms);
        let work = move |store: &Store| store.drop_before(before).and_then(|()| store.compact().map(drop));
        self.on_thread(work).await.unwrap_or(Ok(()))
    }

    /// The store itself, for questions that are answered at once.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Counts what a source sent and that it was taken.
    pub fn taken(&self, source: &str, at: Timestamp, series: u64, samples: u64) {
        self.count(source, |count| {
            count.last = Some(at);
            count.series = count.series.max(series);
            count.samples += samples;
            count.error = None;
        });
    }

    /// Counts what a source sent and that it was refused.
    pub fn refused(&self, source: &str, why: &str) {
        self.count(source, |count| {
            count.refused += 1;
            count.error = Some(why.to_owned());
        });
    }

    /// What each source has sent since the start.
    pub fn sources(&self) -> BTreeMap<String, SourceCount> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn count(&self, source: &str, change: impl FnOnce(&mut SourceCount)) {
        change(self.sources.lock().unwrap_or_else(PoisonError::into_inner).entry(source.to_owned()).or_default());
    }
}

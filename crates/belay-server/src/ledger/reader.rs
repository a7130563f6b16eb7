//! Readers: a few read-only connections that views share. They see what was committed, nothing else.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use thiserror::Error;
use tokio::sync::Semaphore;

use super::LedgerError;
use super::error::Doing;
use super::rows::Reader;

/// How long a question waits for a free connection.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why a question to the ledger was not answered.
#[derive(Debug, Error)]
pub enum Busy {
    /// All readers were busy for too long.
    #[error("the ledger's readers are busy; ask again in a few seconds")]
    Full,
    /// The question was not finished because the server stops.
    #[error("the server is stopping")]
    Stopping,
    /// The ledger could not be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// A bounded pool of readers. Connections are opened when first needed.
pub struct Readers {
    path: PathBuf,
    permits: Arc<Semaphore>,
    free: Arc<Mutex<Vec<Reader>>>,
}

impl Readers {
    /// A pool of at most `most` readers of the ledger in this file.
    pub fn new(path: &Path, most: usize) -> Self {
        Self { path: path.to_owned(), permits: Arc::new(Semaphore::new(most)), free: Arc::default() }
    }

    /// Asks a question on a thread where waiting is allowed.
    ///
    /// # Errors
    /// See [`Busy`].
    pub async fn ask<R: Send + 'static>(
        &self,
        question: impl FnOnce(&Reader) -> Result<R, LedgerError> + Send + 'static,
    ) -> Result<R, Busy> {
        let permit = tokio::time::timeout(PATIENCE, Arc::clone(&self.permits).acquire_owned()).await;
        let permit = permit.map_err(|_| Busy::Full)?.map_err(|_| Busy::Stopping)?;
        let (path, free) = (self.path.clone(), Arc::clone(&self.free));
        let task = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let known = free.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let reader = known.map_or_else(|| open(&path), Ok)?;
            let answer = question(&reader)?;
            free.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
            Ok(answer)
        });
        task.await.map_err(|_| Busy::Stopping)?
    }
}

/// Opens a reader of the ledger in this file.
///
/// # Errors
/// When it cannot be opened.
pub fn open(path: &Path) -> Result<Reader, LedgerError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags).doing("open the ledger for reading")?;
    conn.busy_timeout(Duration::from_secs(5)).doing("set a reader's busy timeout")?;
    conn.pragma_update(None, "query_only", true).doing("make a reader read only")?;
    Ok(Reader::new(conn))
}

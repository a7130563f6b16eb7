//! Backups: the ledger and the log of signals as of one moment, in one compressed file that says what is in it.
//!
//! It is a `.tar.gz`, so that anybody can look into it: `ledger.db`, `signals/segment-N.log`, and last `manifest.json` with
//! the SHA-256 of each. What ends before the manifest is no backup. The ledger is copied first: no sample that its verdicts
//! rest on is missing then, and samples that came later do no harm.

mod restore;
mod take;
mod tar;

use std::io::{self, Read};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::ledger::LedgerError;

pub use restore::{Restored, restore, verify};
pub use take::{room, take};

/// The form of a backup that this build writes, and the newest it reads.
pub const FORM: u32 = 1;
/// The name of what says what is in a backup.
const MANIFEST: &str = "manifest.json";
/// The folder of samples in a backup.
const SIGNALS: &str = "signals/";
/// No manifest is longer.
const MANIFEST_MAX: u64 = 16 << 20;
/// More files than this are in no backup.
const FILES_MAX: usize = 100_000;

/// What a backup says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The form of the backup.
    pub form: u32,
    /// The version of Belay that took it.
    pub belay: String,
    /// When it was taken, RFC 3339 in UTC.
    pub taken: String,
    /// The same, in milliseconds since the epoch.
    pub taken_ms: i64,
    /// The ledger's format: the number of its newest migration.
    pub ledger_format: u32,
    /// The number of the last fact in it.
    pub facts: u64,
    /// The files, in their order.
    pub files: Vec<Entry>,
}

/// A file in a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its name in the state directory.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256, hexadecimal.
    pub sha256: String,
}

impl Manifest {
    /// The bytes of all its files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }
}

/// Why a backup could not be taken, read or put back.
#[derive(Debug, Error)]
pub enum BackupError {
    /// The file is no backup, or not a whole one.
    #[error("it is no whole backup: {0}")]
    Broken(String),
    /// A later build took it.
    #[error("it was taken by a newer Belay ({belay}): {what} {found}, this build understands {known}. Restore it with that version")]
    Newer {
        /// That version.
        belay: String,
        /// What is newer.
        what: &'static str,
        /// What was found.
        found: u32,
        /// What is understood.
        known: u32,
    },
    /// The directory to restore into is in use.
    #[error("{} is not empty ({found}): a backup is restored into a new directory, so that nothing is overwritten", dir.display())]
    Occupied {
        /// The directory.
        dir: PathBuf,
        /// Something in it.
        found: String,
    },
    /// There is not enough room.
    #[error("the copy of the ledger needs {needed} MiB beside it, and {} has {free} MiB to spare: make room on that disk", dir.display())]
    NoRoom {
        /// The directory.
        dir: PathBuf,
        /// What is needed.
        needed: u64,
        /// What there is.
        free: u64,
    },
    /// Another backup is being taken.
    #[error("another backup is being taken: wait until it is done")]
    Busy,
    /// The ledger could not be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The store of signals could not be read.
    #[error(transparent)]
    Signals(#[from] belay_signals::StoreError),
    /// A file could not be read or written.
    #[error("could not {doing}: {source}")]
    Io {
        /// What was tried.
        doing: String,
        /// What the system said.
        source: io::Error,
    },
}

impl BackupError {
    fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }
}

/// Reads on, and adds up what was read.
struct Summed<R> {
    inner: R,
    sum: Sha256,
    bytes: u64,
}

impl<R: Read> Summed<R> {
    fn new(inner: R) -> Self {
        Self { inner, sum: Sha256::new(), bytes: 0 }
    }

    fn entry(self, name: String) -> Entry {
        let sha256 = self.sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Entry { name, bytes: self.bytes, sha256 }
    }
}

impl<R: Read> Read for Summed<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(into)?;
        self.sum.update(&into[..read]);
        self.bytes += read as u64;
        Ok(read)
    }
}

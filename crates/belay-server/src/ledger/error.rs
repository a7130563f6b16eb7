//! What can go wrong with a ledger, in words that name the remedy.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why a ledger could not be opened, read or written.
#[derive(Debug, Error)]
pub enum LedgerError {
    /// Another process owns the state directory.
    #[error(
        "{} is in use by process {pid}: a ledger has one server at a time. Stop that one, or choose another state directory",
        dir.display()
    )]
    Locked {
        /// The directory.
        dir: PathBuf,
        /// The process that holds it, or `unknown`.
        pid: String,
    },
    /// A newer build wrote it.
    #[error(
        "ledger format {found} was written by a newer Belay; this build understands {known}. Install that version or restore \
         the backup that was made before the upgrade ({})",
        backup.display()
    )]
    Newer {
        /// The format found.
        found: u32,
        /// The newest format understood.
        known: u32,
        /// Where that backup lies, if it was kept.
        backup: PathBuf,
    },
    /// The file is a database of something else.
    #[error("{} is not a Belay ledger (application id {found:#x}). Choose another state directory", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Its application id.
        found: i64,
    },
    /// A migration that was applied is not the one this build knows.
    #[error(
        "migration {number} of this ledger is not the one this build knows (recorded {recorded}, known {known}). The ledger was \
         written by a build that was never released: restore a backup made by a released one"
    )]
    Altered {
        /// Its number.
        number: u32,
        /// The checksum in the ledger.
        recorded: String,
        /// The checksum of this build's text.
        known: String,
    },
    /// A row of facts does not say what was written.
    #[error("fact {seq} is damaged: {why}. Restore the last backup of the ledger; the hosts will report again")]
    Damaged {
        /// Its number.
        seq: u64,
        /// What is wrong with it.
        why: String,
    },
    /// No snapshot could be read, and the facts before it are not complete.
    #[error("the ledger's facts begin at {found}, but {expected} was expected, and no snapshot covers the gap")]
    Gap {
        /// The first fact found.
        found: u64,
        /// The first fact needed.
        expected: u64,
    },
    /// The database engine failed.
    #[error("could not {doing}: {source}")]
    Sqlite {
        /// What was tried.
        doing: &'static str,
        /// What it said.
        source: rusqlite::Error,
    },
    /// The file system failed.
    #[error("could not {doing} ({}): {source}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On which file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

/// Says what was tried when the database engine fails.
pub(super) trait Doing<T> {
    fn doing(self, doing: &'static str) -> Result<T, LedgerError>;
}

impl<T> Doing<T> for rusqlite::Result<T> {
    fn doing(self, doing: &'static str) -> Result<T, LedgerError> {
        self.map_err(|source| LedgerError::Sqlite { doing, source })
    }
}

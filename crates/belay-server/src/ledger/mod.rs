//! The ledger: what was acknowledged, on disk. Facts, their projections for views, the inbox, and
//! evidence, in one SQLite file that one process writes.
//!
//! It decides nothing. Its one invariant: what [`Ledger::commit`] answered `Ok` to survives process
//! death and power loss, whole; what it answered `Err` to, or never answered, is there whole or not
//! at all.

mod check;
mod commit;
mod error;
mod inbox;
mod load;
mod lock;
mod migrate;
mod news;
mod offers;
mod once;
mod project;
mod prune;
mod reader;
mod rows;
mod snapshot;

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use belay_core::model::ids::InboxId;
use rusqlite::{Connection, OpenFlags};

pub use check::{Finding, LedgerChecked, Repair, check, repair};
pub use commit::{Batch, Blob, Committed, RawCopy};
pub use error::LedgerError;
pub use inbox::{Deposit, Left, Waiting};
pub use lock::StateLock;
pub use migrate::MIGRATIONS;
pub use news::NewsFilter;
pub use offers::{Offer, Text};
pub use once::{Claim, Kept, Request};
pub use prune::{Pruned, Retention};
pub use reader::{Busy, Readers, open as open_reader};
pub use rows::{Audit, ChangeFilter, EffectRecord, NoteRecord, PageOf, QuarantineRecord, RawRecord, Reader, RunFilter, gzip};
pub use snapshot::pack;

use error::Doing;

/// The name of the ledger's file in the state directory.
pub const FILE: &str = "ledger.db";

/// What the ledger is about to do: where tests make it fail, wait, or take a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Open a transaction.
    Begin,
    /// Write a row.
    Row,
    /// Commit.
    Commit,
    /// Answer that it was committed.
    Committed,
}

/// Called before each operation on the ledger. `Err` makes the operation fail.
pub type Hook = Arc<dyn Fn(Op) -> rusqlite::Result<()> + Send + Sync>;

/// The ledger, open for writing.
pub struct Ledger {
    conn: Connection,
    path: PathBuf,
    /// The last fact's number.
    last: u64,
    /// The newest snapshot's.
    snapshot: u64,
    waiting: Waiting,
    hook: Option<Hook>,
    _lock: StateLock,
}

impl Ledger {
    /// Opens the ledger of a state directory for writing, making it if there is none.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn open(dir: &Path, hook: Option<Hook>) -> Result<Self, LedgerError> {
        let lock = StateLock::take(dir)?;
        let path = dir.join(FILE);
        create(&path)?;
        let mut conn = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)
            .doing("open the ledger")?;
        settle(&conn)?;
        migrate::migrate(&mut conn, &path, MIGRATIONS)?;
        let last = newest(&conn, "SELECT coalesce(max(seq), 0) FROM facts")?;
        let snapshot = newest(&conn, "SELECT coalesce(max(seq), 0) FROM snapshots")?;
        let waiting = Waiting::read(&conn)?;
        Ok(Self { conn, path, last, snapshot, waiting, hook, _lock: lock })
    }

    /// The ledger's file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The number of the last fact.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// How many facts came after the newest snapshot.
    pub fn since_snapshot(&self) -> u64 {
        self.last.saturating_sub(self.snapshot)
    }

    /// The rows of the inbox that wait.
    pub fn waiting(&self) -> &Waiting {
        &self.waiting
    }

    /// Whether a row of the inbox still waits.
    pub fn waits(&self, id: InboxId) -> bool {
        self.waiting.has(id)
    }
}

fn step(hook: Option<&Hook>, op: Op) -> Result<(), LedgerError> {
    match hook {
        Some(hook) => hook(op).doing("write the ledger"),
        None => Ok(()),
    }
}

/// The file is made before the database engine opens it, so that nobody else can ever read it.
fn create(path: &Path) -> Result<(), LedgerError> {
    let io = |source| LedgerError::Io { doing: "make the ledger", path: path.to_owned(), source };
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path).map(drop).map_err(io)
}

/// Every commit is synced: an acknowledgement must survive power loss.
fn settle(conn: &Connection) -> Result<(), LedgerError> {
    conn.busy_timeout(Duration::from_secs(10)).doing("set the ledger's busy timeout")?;
    conn.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).doing("set the ledger's journal mode")?;
    conn.pragma_update(None, "synchronous", "FULL").doing("set the ledger's durability")?;
    conn.pragma_update(None, "foreign_keys", true).doing("set the ledger's foreign keys")?;
    conn.pragma_update_and_check(None, "journal_size_limit", 64 << 20, |_| Ok(())).doing("bound the ledger's journal")?;
    // Bytes that pass through the inbox are gone again before they would be written a second time.
    conn.pragma_update_and_check(None, "wal_autocheckpoint", 8_000, |_| Ok(())).doing("set the pace of the ledger's checkpoints")?;
    conn.set_prepared_statement_cache_capacity(64);
    Ok(())
}

fn newest(conn: &Connection, sql: &str) -> Result<u64, LedgerError> {
    let found: i64 = conn.query_row(sql, [], |row| row.get(0)).doing("find the newest fact")?;
    Ok(found.unsigned_abs())
}

/// A number as the ledger stores it. Numbers are counted up from one and never reach the limit.
fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

//! What views ask the ledger. Lists are paged by key, newest first, in an order that never changes.

use std::io::{Read, Write};

use axum::body::Bytes;
use belay_api::journal;
use belay_core::model::change::Change;
use belay_core::model::ids::{ChangeId, ClassName, Digest, EffectId, HostId, InboxId, RunId};
use belay_core::model::run::Run;
use belay_core::model::time::Timestamp;
use belay_core::state::Fact;
use flate2::Compression;
use flate2::write::GzEncoder;
use rusqlite::{Connection, OptionalExtension, Row, ToSql};

use super::error::Doing;
use super::inbox::{Left, principal_from_text};
use super::{LedgerError, int};

/// The most rows of one page.
pub const PAGE_MAX: usize = 500;
/// The most bytes that evidence may have after it was inflated.
const EVIDENCE_MAX: u64 = 256 << 20;

/// A page of a list, newest first.
#[derive(Clone, Debug, PartialEq)]
pub struct PageOf<T> {
    /// Its items.
    pub items: Vec<T>,
    /// Where the next page goes on: pass it as `before`. `None` when this is the last page.
    pub next: Option<u64>,
}

/// Which runs.
#[derive(Clone, Debug, Default)]
pub struct RunFilter {
    /// Of this host.
    pub host: Option<HostId>,
    /// Of this Change.
    pub change: Option<ChangeId>,
}

/// Which Changes.
#[derive(Clone, Debug, Default)]
pub struct ChangeFilter {
    /// Of this class.
    pub class: Option<ClassName>,
    /// Standing so: `on trial`, `suspect`, `accepted`, `rejected` or `inconclusive`.
    pub standing: Option<String>,
    /// Opened since then.
    pub since: Option<Timestamp>,
}

/// Which lines of the audit.
#[derive(Clone, Debug, Default)]
pub struct Audit {
    /// Of this kind: `security`, `warning` or `info`.
    pub kind: Option<String>,
}

/// A line of the audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteRecord {
    /// The fact it comes from.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// How serious it is: `security`, `warning` or `info`.
    pub kind: String,
    /// The kind of that fact.
    pub fact: String,
    /// Who did it.
    pub actor: String,
    /// The host it is about, if any.
    pub host: Option<String>,
    /// In plain words.
    pub text: String,
}

/// A message of the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectRecord {
    /// Its number, for example `e-3`.
    pub id: String,
    /// What it tells of.
    pub about: String,
    /// Where to.
    pub receiver: String,
    /// When it was asked for.
    pub asked: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// What the last attempt said.
    pub last_error: Option<String>,
    /// `waiting`, `done`, `discarded` or `dead`.
    pub state: String,
}

impl EffectRecord {
    /// Where it stands, in a word.
    pub fn word(&self) -> &str {
        match self.state.as_str() {
            "done" => "delivered",
            "dead" => "given up",
            other => other,
        }
    }
}

/// Bytes that were put aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuarantineRecord {
    /// The fact that says so.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// The row of the inbox that held them.
    pub inbox: Option<InboxId>,
    /// The host they are from, when it is one of ours.
    pub host: Option<String>,
    /// Hash of the bytes.
    pub digest: String,
    /// Why.
    pub reason: String,
    /// The first bytes.
    pub head: Vec<u8>,
    /// How many bytes there were.
    pub size: u64,
}

/// A report as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawRecord {
    /// The tool that wrote it.
    pub tool: String,
    /// Its bytes.
    pub body: Vec<u8>,
}

/// A connection that only reads.
pub struct Reader {
    pub(super) conn: Connection,
}

/// Conditions of a list, put together from the filters that are set.
#[derive(Default)]
pub(super) struct Conditions {
    sql: String,
    values: Vec<Box<dyn ToSql>>,
}

impl Conditions {
    pub(super) fn and(&mut self, column: &str, operator: &str, value: Option<impl ToSql + 'static>) {
        if let Some(value) = value {
            self.values.push(Box::new(value));
            self.sql.push_str(if self.values.len() == 1 { " WHERE " } else { " AND " });
            self.sql.push_str(&format!("{column} {operator} ?{}", self.values.len()));
        }
    }

    /// What is of this value, or of none.
    pub(super) fn of_or_none(&mut self, column: &str, value: Option<impl ToSql + 'static>) {
        if let Some(value) = value {
            self.values.push(Box::new(value));
            self.sql.push_str(if self.values.len() == 1 { " WHERE " } else { " AND " });
            self.sql.push_str(&format!("({column} = ?{} OR {column} IS NULL)", self.values.len()));
        }
    }

    pub(super) fn sql(&self) -> &str {
        &self.sql
    }
}

impl Reader {
    pub(super) fn new(conn: Connection) -> Self {
        Self { conn }
    }

    /// Runs, newest first.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn runs(&self, filter: &RunFilter, before: Option<u64>, limit: usize) -> Result<PageOf<Run>, LedgerError> {
        let mut conditions = Conditions::default();
        conditions.and("r.host", "=", filter.host.as_ref().map(HostId::to_string));
        conditions.and("r.change", "=", filter.change.map(|change| int(change.0)));
        conditions.and("r.id", "<", before.map(int));
        let sql = "SELECT r.id, f.form, f.body FROM runs r JOIN facts f ON f.seq = r.seq";
        let rows = self.page(sql, &conditions, "r.id", limit, |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, String>(2)?)))?;
        page(rows, limit, |(id, form, body)| Ok((id, run(id, form, &body)?)))
    }

    /// A run by its number.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn run(&self, id: RunId) -> Result<Option<Run>, LedgerError> {
        let sql = "SELECT r.id, f.form, f.body FROM runs r JOIN facts f ON f.seq = r.seq WHERE r.id = ?1";
        let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get::<_, String>(2)?));
        let found: Option<(i64, u32, String)> = self.conn.query_row(sql, [int(id.0)], read).optional().doing("read a run")?;
        found.map(|(id, form, body)| run(id, form, &body)).transpose()
    }

    /// Changes, newest first, also those that the state no longer holds.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn changes(&self, filter: &ChangeFilter, before: Option<u64>, limit: usize) -> Result<PageOf<Change>, LedgerError> {
        let mut conditions = Conditions::default();
        conditions.and("class", "=", filter.class.as_ref().map(ClassName::to_string));
        conditions.and("standing", "=", filter.standing.clone());
        conditions.and("opened", ">=", filter.since.map(Timestamp::ms));
        conditions.and("id", "<", before.map(int));
        let sql = "SELECT id, form, body FROM changes";
        let rows = self.page(sql, &conditions, "id", limit, |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, String>(2)?)))?;
        page(rows, limit, |(id, form, body)| Ok((id, change(id, form, &body)?)))
    }

    /// A Change by its number.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn change(&self, id: ChangeId) -> Result<Option<Change>, LedgerError> {
        let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get::<_, String>(2)?));
        let sql = "SELECT id, form, body FROM changes WHERE id = ?1";
        let found: Option<(i64, u32, String)> = self.conn.query_row(sql, [int(id.0)], read).optional().doing("read a Change")?;
        found.map(|(id, form, body)| change(id, form, &body)).transpose()
    }

    /// The audit, newest first.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn audit(&self, filter: &Audit, before: Option<u64>, limit: usize) -> Result<PageOf<NoteRecord>, LedgerError> {
        let mut conditions = Conditions::default();
        conditions.and("kind", "=", filter.kind.clone());
        conditions.and("seq", "<", before.map(int));
        let rows = self.page("SELECT seq, at, kind, fact, actor, host, text FROM notes", &conditions, "seq", limit, note)?;
        page(rows, limit, |note| Ok((int(note.seq), note)))
    }

    /// Messages of the outbox, newest first: those on their way, those delivered, those given up.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn effects(&self, before: Option<u64>, limit: usize) -> Result<PageOf<EffectRecord>, LedgerError> {
        let mut conditions = Conditions::default();
        conditions.and("id", "<", before.map(int));
        let sql = "SELECT id, about, receiver, asked, attempts, last_error, state FROM effects";
        let rows = self.page(sql, &conditions, "id", limit, effect)?;
        page(rows, limit, |(id, record)| Ok((id, record)))
    }

    /// What was put aside, newest first.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn quarantine(&self, before: Option<u64>, limit: usize) -> Result<PageOf<QuarantineRecord>, LedgerError> {
        let mut conditions = Conditions::default();
        conditions.and("seq", "<", before.map(int));
        let sql = "SELECT seq, at, inbox, host, digest, reason, head, size FROM quarantine";
        let rows = self.page(sql, &conditions, "seq", limit, quarantined)?;
        page(rows, limit, |record| Ok((int(record.seq), record)))
    }

    /// How many rows the quarantine has.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn quarantined(&self) -> Result<u64, LedgerError> {
        let count: i64 = self.conn.query_row("SELECT count(*) FROM quarantine", [], |row| row.get(0)).doing("count the quarantine")?;
        Ok(count.unsigned_abs())
    }

    /// Evidence by its hash, inflated.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn evidence(&self, digest: Digest) -> Result<Option<Vec<u8>>, LedgerError> {
        let sql = "SELECT body FROM blobs WHERE digest = ?1";
        let gzip: Option<Vec<u8>> = self.conn.query_row(sql, [digest.to_string()], |row| row.get(0)).optional().doing("read evidence")?;
        gzip.map(|gzip| inflate(&gzip)).transpose()
    }

    /// A report as it came, by its hash.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn raw(&self, digest: Digest) -> Result<Option<RawRecord>, LedgerError> {
        let read = |row: &Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?));
        let sql = "SELECT tool, body FROM raw WHERE digest = ?1";
        let found = self.conn.query_row(sql, [digest.to_string()], read).optional().doing("read a report")?;
        found.map(|(tool, gzip)| Ok(RawRecord { tool, body: inflate(&gzip)? })).transpose()
    }

    /// The oldest rows of the inbox, at most `limit`, each with how often somebody began to read it.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn inbox(&self, limit: usize) -> Result<Vec<(InboxId, u32)>, LedgerError> {
        let mut statement = self.conn.prepare_cached("SELECT id, state FROM inbox ORDER BY id LIMIT ?1").doing("list the inbox")?;
        let read = |row: &Row<'_>| Ok((InboxId(row.get::<_, i64>(0)?.unsigned_abs()), row.get(1)?));
        let rows = statement.query_map([int(limit as u64)], read).doing("list the inbox")?;
        rows.collect::<rusqlite::Result<_>>().doing("list the inbox")
    }

    /// A row of the inbox with its bytes; `None` when it is done with.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn left(&self, id: InboxId) -> Result<Option<Left>, LedgerError> {
        let sql = "SELECT received, tool, principal, body, state, head FROM inbox WHERE id = ?1";
        let read = |row: &Row<'_>| {
            Ok(Left {
                id,
                received: Timestamp::from_ms(row.get(0)?),
                tool: row.get(1)?,
                principal: principal_from_text(&row.get::<_, String>(2)?),
                body: row.get(3)?,
                tries: row.get(4)?,
                head: row.get(5)?,
            })
        };
        self.conn.query_row(sql, [int(id.0)], read).optional().doing("read the inbox")
    }

    /// The ledger's format.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn format(&self) -> Result<u32, LedgerError> {
        super::migrate::format(&self.conn)
    }

    /// Rows of a statement that begins with these conditions' values.
    pub(super) fn rows_of<T>(
        &self,
        sql: &str,
        conditions: &Conditions,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, LedgerError> {
        let mut statement = self.conn.prepare_cached(sql).doing("list")?;
        let rows = statement.query_map(rusqlite::params_from_iter(&conditions.values), read).doing("list")?;
        rows.collect::<rusqlite::Result<_>>().doing("list")
    }

    pub(super) fn page<T>(
        &self,
        select: &str,
        conditions: &Conditions,
        key: &str,
        limit: usize,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, LedgerError> {
        let one_more = limit.clamp(1, PAGE_MAX).saturating_add(1);
        let sql = format!("{select}{} ORDER BY {key} DESC LIMIT {one_more}", conditions.sql);
        self.rows_of(&sql, conditions, read)
    }
}

/// One row more than wanted was read: it tells whether there is another page.
pub(super) fn page<R, T>(
    mut rows: Vec<R>,
    limit: usize,
    item: impl FnMut(R) -> Result<(i64, T), LedgerError>,
) -> Result<PageOf<T>, LedgerError> {
    let limit = limit.clamp(1, PAGE_MAX);
    let more = rows.len() > limit;
    rows.truncate(limit);
    let items: Vec<(i64, T)> = rows.into_iter().map(item).collect::<Result<_, _>>()?;
    let next = items.last().filter(|_| more).map(|(key, _)| key.unsigned_abs());
    Ok(PageOf { items: items.into_iter().map(|(_, item)| item).collect(), next })
}

pub(super) fn run(id: i64, form: u32, body: &str) -> Result<Run, LedgerError> {
    match journal::decode("run-recorded", form, body) {
        Ok(Fact::RunRecorded { run, .. }) => Ok(*run),
        Ok(other) => Err(damaged(id, format!("{} where a run was expected", other.kind()))),
        Err(bad) => Err(damaged(id, bad.to_string())),
    }
}

pub(super) fn change(id: i64, form: u32, body: &str) -> Result<Change, LedgerError> {
    match journal::decode("change-restored", form, body) {
        Ok(Fact::ChangeRestored { change, .. }) => Ok(*change),
        Ok(other) => Err(damaged(id, format!("{} where a Change was expected", other.kind()))),
        Err(bad) => Err(damaged(id, bad.to_string())),
    }
}

fn damaged(id: i64, why: String) -> LedgerError {
    LedgerError::Damaged { seq: id.unsigned_abs(), why }
}

fn note(row: &Row<'_>) -> rusqlite::Result<NoteRecord> {
    Ok(NoteRecord {
        seq: row.get::<_, i64>(0)?.unsigned_abs(),
        at: Timestamp::from_ms(row.get(1)?),
        kind: row.get(2)?,
        fact: row.get(3)?,
        actor: row.get(4)?,
        host: row.get(5)?,
        text: row.get(6)?,
    })
}

fn effect(row: &Row<'_>) -> rusqlite::Result<(i64, EffectRecord)> {
    let id: i64 = row.get(0)?;
    let record = EffectRecord {
        id: EffectId(id.unsigned_abs()).to_string(),
        about: row.get(1)?,
        receiver: row.get(2)?,
        asked: Timestamp::from_ms(row.get(3)?),
        attempts: row.get(4)?,
        last_error: row.get(5)?,
        state: row.get(6)?,
    };
    Ok((id, record))
}

fn quarantined(row: &Row<'_>) -> rusqlite::Result<QuarantineRecord> {
    Ok(QuarantineRecord {
        seq: row.get::<_, i64>(0)?.unsigned_abs(),
        at: Timestamp::from_ms(row.get(1)?),
        inbox: row.get::<_, Option<i64>>(2)?.map(|id| InboxId(id.unsigned_abs())),
        host: row.get(3)?,
        digest: row.get(4)?,
        reason: row.get(5)?,
        head: row.get(6)?,
        size: row.get::<_, i64>(7)?.unsigned_abs(),
    })
}

/// What is kept is kept packed. Writing to memory does not fail; were it to, nothing would be kept of it.
pub fn gzip(bytes: &[u8]) -> Option<Bytes> {
    let mut out = GzEncoder::new(Vec::new(), Compression::fast());
    out.write_all(bytes).ok()?;
    out.finish().ok().map(Bytes::from)
}

pub(super) fn inflate(gzip: &[u8]) -> Result<Vec<u8>, LedgerError> {
    let mut out = Vec::new();
    let read = flate2::bufread::GzDecoder::new(gzip).take(EVIDENCE_MAX).read_to_end(&mut out);
    read.map(|_| out).map_err(|bad| LedgerError::Damaged { seq: 0, why: format!("kept bytes cannot be inflated: {bad}") })
}

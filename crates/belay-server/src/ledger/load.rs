//! Loading: the newest snapshot that can be read, and every fact after it.

use belay_api::journal;
use belay_core::model::ids::{Digest, HostId, RunId};
use belay_core::model::run::Run;
use belay_core::model::time::Timestamp;
use belay_core::state::State;
use rusqlite::{OptionalExtension, Row, params};

use super::error::Doing;
use super::{Ledger, LedgerError, commit, int, snapshot};

pub(super) struct FactRow {
    pub(super) seq: u64,
    pub(super) at: Timestamp,
    pub(super) kind: String,
    pub(super) form: u32,
    pub(super) body: String,
    pub(super) crc: u32,
}

impl Ledger {
    /// The state as of the last commit, and the number of its last fact.
    ///
    /// # Errors
    /// A damaged fact is refused, never skipped. A damaged snapshot is passed over for an older one.
    pub fn load(&self) -> Result<(State, u64), LedgerError> {
        let (mut state, from) = self.newest_snapshot()?;
        let mut seq = from;
        let sql = "SELECT seq, at, kind, form, body, crc FROM facts WHERE seq > ?1 ORDER BY seq";
        let mut statement = self.conn.prepare(sql).doing("read the facts")?;
        let rows = statement.query_map([int(from)], fact_row).doing("read the facts")?;
        for row in rows {
            let row = row.doing("read the facts")?;
            let expected = seq.saturating_add(1);
            if row.seq != expected {
                return Err(LedgerError::Gap { found: row.seq, expected });
            }
            apply(&mut state, &row)?;
            seq = row.seq;
        }
        Ok((state, seq))
    }

    /// The run recorded under a host and a tool's own id, with the hash of its report.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn earlier(&self, host: &HostId, tool: &str, tool_run_id: &str) -> Result<Option<(RunId, Digest)>, LedgerError> {
        let sql = "SELECT id, digest FROM runs WHERE host = ?1 AND tool = ?2 AND tool_run_id = ?3";
        let mut statement = self.conn.prepare_cached(sql).doing("look for an earlier run")?;
        let read = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?));
        let found = statement.query_row(params![host.as_str(), tool, tool_run_id], read).optional().doing("look for an earlier run")?;
        Ok(found.and_then(|(id, digest)| Some((RunId(id.unsigned_abs()), Digest::parse(&digest)?))))
    }

    /// A run by its number, in full.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn recorded(&self, id: RunId) -> Result<Option<Run>, LedgerError> {
        let sql = "SELECT r.id, f.form, f.body FROM runs r JOIN facts f ON f.seq = r.seq WHERE r.id = ?1";
        let mut statement = self.conn.prepare_cached(sql).doing("read a run")?;
        let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get::<_, String>(2)?));
        let found: Option<(i64, u32, String)> = statement.query_row([int(id.0)], read).optional().doing("read a run")?;
        found.map(|(id, form, body)| super::rows::run(id, form, &body)).transpose()
    }

    /// Keeps a snapshot of the state as of fact `seq`. The two newest are kept.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub fn keep_snapshot(&mut self, seq: u64, gzip: &[u8]) -> Result<(), LedgerError> {
        let tx = self.conn.transaction().doing("begin to keep a snapshot")?;
        tx.execute("INSERT OR REPLACE INTO snapshots (seq, body) VALUES (?1, ?2)", params![int(seq), gzip]).doing("keep a snapshot")?;
        let old = "DELETE FROM snapshots WHERE seq NOT IN (SELECT seq FROM snapshots ORDER BY seq DESC LIMIT 2)";
        tx.execute(old, []).doing("drop an old snapshot")?;
        tx.commit().doing("commit a snapshot")?;
        self.snapshot = self.snapshot.max(seq);
        Ok(())
    }

    fn newest_snapshot(&self) -> Result<(State, u64), LedgerError> {
        let mut statement = self.conn.prepare("SELECT seq, body FROM snapshots ORDER BY seq DESC").doing("read the snapshots")?;
        let mut rows = statement.query([]).doing("read the snapshots")?;
        while let Some(row) = rows.next().doing("read the snapshots")? {
            let seq = row.get::<_, i64>(0).doing("read a snapshot")?.unsigned_abs();
            let body = row.get_ref(1).doing("read a snapshot")?.as_blob().map_err(rusqlite::Error::from).doing("read a snapshot")?;
            match snapshot::unpack(body) {
                Ok(state) => return Ok((state, seq)),
                Err(why) => tracing::error!(seq, why, "a snapshot is damaged and is passed over for an older one"),
            }
        }
        Ok((State::default(), 0))
    }
}

pub(super) fn fact_row(row: &Row<'_>) -> rusqlite::Result<FactRow> {
    Ok(FactRow {
        seq: row.get::<_, i64>(0)?.unsigned_abs(),
        at: Timestamp::from_ms(row.get(1)?),
        kind: row.get(2)?,
        form: row.get(3)?,
        body: row.get(4)?,
        crc: row.get(5)?,
    })
}

fn apply(state: &mut State, row: &FactRow) -> Result<(), LedgerError> {
    if commit::checksum(row.seq, row.at, &row.kind, row.form, &row.body) != row.crc {
        return Err(LedgerError::Damaged { seq: row.seq, why: "its checksum does not fit its text".to_owned() });
    }
    let fact = journal::decode(&row.kind, row.form, &row.body)
        .map_err(|bad| LedgerError::Damaged { seq: row.seq, why: format!("{} in form {}: {bad}", row.kind, row.form) })?;
    state.apply(row.at, &fact);
    Ok(())
}

//! Looking at a ledger row by row: is the file whole, do its facts fold, are snapshots that fold, is what is kept by its hash what it
//! was? One moment is looked at, read only, also beside a server that writes.

use std::path::Path;

use belay_api::journal;
use belay_core::model::ids::Digest;
use belay_core::state::{Fact, State};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, params};

use super::error::Doing;
use super::load::{FactRow, fact_row};
use super::{LedgerError, MIGRATIONS, StateLock, commit, int, migrate, rows, snapshot};

/// More findings than this are counted, not listed.
const LISTED: usize = 100;

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What, and where.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
    /// What can be repaired without losing anything that cannot be made again.
    pub repair: Option<Repair>,
}

/// What can be repaired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Repair {
    /// The indexes are made again from the rows.
    Reindex,
    /// A snapshot is forgotten: the facts are folded from the one before, or from the first.
    ForgetSnapshot(u64),
    /// Evidence that is not what was kept is forgotten: its verdict stands, and nothing false is shown for it.
    ForgetEvidence(String),
}

/// What a look at a ledger found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LedgerChecked {
    /// Its format.
    pub format: u32,
    /// Facts that fold.
    pub facts: u64,
    /// Snapshots that are that fold.
    pub snapshots: u64,
    /// Evidence that is what was kept.
    pub evidence: u64,
    /// What is not as it should be.
    pub findings: Vec<Finding>,
    /// So many more that are not listed.
    pub more: u64,
}

impl LedgerChecked {
    fn found(&mut self, what: impl Into<String>, remedy: &str, repair: Option<Repair>) {
        if self.findings.len() < LISTED {
            self.findings.push(Finding { what: what.into(), remedy: remedy.to_owned(), repair });
        } else {
            self.more += 1;
        }
    }

    /// A file that the engine cannot read is a finding; one that it may not is an error.
    fn unless_damaged(&mut self, failed: LedgerError) -> Result<(), LedgerError> {
        match &failed {
            LedgerError::Sqlite { source: rusqlite::Error::SqliteFailure(code, _), .. }
                if matches!(code.code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) =>
            {
                self.found(format!("ledger.db: {failed}"), RESTORE, None);
                Ok(())
            }
            _ => Err(failed),
        }
    }
}

const RESTORE: &str = "restore the last backup into a new directory: belay restore FILE --into DIR; hosts report again";
const REPAIR: &str = "belay fsck --repair, while the server is stopped";

/// Looks at the ledger in this file. `seen` is told of so many facts, of all.
///
/// # Errors
/// When it cannot be read at all, or is none of this build. Damage is no error.
pub fn check(path: &Path, seen: &mut dyn FnMut(u64, u64)) -> Result<LedgerChecked, LedgerError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags).doing("open the ledger for reading")?;
    let mut checked = LedgerChecked::default();
    if let Err(failed) = look(&conn, path, &mut checked, seen) {
        checked.unless_damaged(failed)?;
    }
    Ok(checked)
}

fn look(conn: &Connection, path: &Path, checked: &mut LedgerChecked, seen: &mut dyn FnMut(u64, u64)) -> Result<(), LedgerError> {
    conn.busy_timeout(std::time::Duration::from_secs(5)).doing("set a reader's busy timeout")?;
    // Everything that follows sees one moment.
    let moment = conn.unchecked_transaction().doing("begin to look at the ledger")?;
    checked.format = migrate::known_format(&moment, path, MIGRATIONS)?;
    integrity(&moment, checked)?;
    match fold(&moment, checked, seen) {
        Ok(Some(state)) => tables(&moment, &state, checked)?,
        Ok(None) => {}
        Err(failed) => checked.unless_damaged(failed)?,
    }
    evidence(&moment, checked)
}

fn integrity(conn: &Connection, checked: &mut LedgerChecked) -> Result<(), LedgerError> {
    let doing = "check the ledger's integrity";
    let mut statement = conn.prepare(&format!("PRAGMA integrity_check({LISTED})")).doing(doing)?;
    let mut said = statement.query([]).doing(doing)?;
    while let Some(row) = said.next().doing(doing)? {
        let text: String = row.get(0).doing(doing)?;
        if text == "ok" {
            continue;
        }
        let index = text.contains("missing from index") || text.contains("wrong # of entries in index");
        let (remedy, repair) = if index { (REPAIR, Some(Repair::Reindex)) } else { (RESTORE, None) };
        checked.found(format!("ledger.db: {text}"), remedy, repair);
    }
    Ok(())
}

/// Folds all facts; none where one is damaged. Snapshots are compared as the fold passes them.
fn fold(conn: &Connection, checked: &mut LedgerChecked, seen: &mut dyn FnMut(u64, u64)) -> Result<Option<State>, LedgerError> {
    let doing = "read the facts";
    let all: i64 = conn.query_row("SELECT count(*) FROM facts", [], |row| row.get(0)).doing(doing)?;
    let mut statement = conn.prepare("SELECT seq, at, kind, form, body, crc FROM facts ORDER BY seq").doing(doing)?;
    let mut facts = statement.query([]).doing(doing)?;
    let (mut state, mut seq, mut whole) = (State::default(), 0_u64, true);
    while let Some(row) = facts.next().doing(doing)? {
        let read = fact_row(row);
        let place = row.get::<_, i64>(0).map_or(seq + 1, i64::unsigned_abs);
        if place != seq + 1 {
            checked.found(format!("facts {} to {} are missing", seq + 1, place - 1), RESTORE, None);
            whole = false;
        }
        seq = place;
        match read.map_err(|bad| bad.to_string()).and_then(|row| decoded(&row).map(|fact| (row.at, fact))) {
            Ok((at, fact)) if whole => {
                state.apply(at, &fact);
                checked.facts += 1;
            }
            Ok(_) => {}
            Err(why) => {
                checked.found(format!("fact {seq} is damaged: {why}"), RESTORE, None);
                whole = false;
            }
        }
        if whole {
            compare(conn, seq, &state, checked)?;
        }
        seen(seq, all.unsigned_abs());
    }
    let beyond = "SELECT seq FROM snapshots WHERE seq > ?1";
    if let Some(beyond) = conn.query_row(beyond, [int(seq)], |row| row.get::<_, i64>(0)).optional().doing("read the snapshots")? {
        checked.found(format!("there is a snapshot of fact {beyond}, and the last fact is {seq}: facts are missing"), RESTORE, None);
    }
    Ok(whole.then_some(state))
}

fn decoded(row: &FactRow) -> Result<Fact, String> {
    if commit::checksum(row.seq, row.at, &row.kind, row.form, &row.body) != row.crc {
        return Err("its checksum does not fit its text".to_owned());
    }
    journal::decode(&row.kind, row.form, &row.body).map_err(|bad| format!("{} in form {}: {bad}", row.kind, row.form))
}

fn compare(conn: &Connection, seq: u64, state: &State, checked: &mut LedgerChecked) -> Result<(), LedgerError> {
    let doing = "read a snapshot";
    let mut statement = conn.prepare_cached("SELECT body FROM snapshots WHERE seq = ?1").doing(doing)?;
    let Some(body) = statement.query_row([int(seq)], |row| row.get::<_, Vec<u8>>(0)).optional().doing(doing)? else { return Ok(()) };
    let wrong = match snapshot::unpack(&body) {
        Ok(kept) if kept.to_facts() == state.to_facts() => {
            checked.snapshots += 1;
            return Ok(());
        }
        Ok(_) => "is not what the facts come to".to_owned(),
        Err(why) => format!("is damaged: {why}"),
    };
    checked.found(format!("the snapshot of fact {seq} {wrong}"), REPAIR, Some(Repair::ForgetSnapshot(seq)));
    Ok(())
}

/// What views read is what the facts say.
fn tables(conn: &Connection, state: &State, checked: &mut LedgerChecked) -> Result<(), LedgerError> {
    let runs: i64 = conn.query_row("SELECT count(*) FROM runs", [], |row| row.get(0)).doing("count the runs")?;
    if runs.unsigned_abs() != state.counters.runs {
        checked.found(format!("there are {runs} rows of runs, and the facts tell of {}", state.counters.runs), RESTORE, None);
    }
    for change in state.changes.values() {
        let sql = "SELECT form, body FROM changes WHERE id = ?1";
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get::<_, String>(1)?));
        let row: Option<(u32, String)> = conn.query_row(sql, params![int(change.id.0)], read).optional().doing("read a Change")?;
        let kept = row.and_then(|(form, body)| rows::change(int(change.id.0), form, &body).ok());
        if kept.as_ref() != Some(change) {
            checked.found(format!("the row of {} is not what the facts say of it", change.id), RESTORE, None);
        }
    }
    Ok(())
}

fn evidence(conn: &Connection, checked: &mut LedgerChecked) -> Result<(), LedgerError> {
    let doing = "read evidence";
    let mut statement = conn.prepare("SELECT digest, body FROM blobs").doing(doing)?;
    let mut blobs = statement.query([]).doing(doing)?;
    while let Some(row) = blobs.next().doing(doing)? {
        let (name, body): (String, Vec<u8>) = (row.get(0).doing(doing)?, row.get(1).doing(doing)?);
        match rows::inflate(&body) {
            Ok(bytes) if Digest::of(&bytes).to_string() == name => checked.evidence += 1,
            Ok(_) | Err(_) => {
                let what = format!("evidence {name} is not what its name says: it was damaged");
                checked.found(what, REPAIR, Some(Repair::ForgetEvidence(name)));
            }
        }
    }
    Ok(())
}

/// Repairs what can be repaired in a ledger that no server has open; what was done, in words.
///
/// # Errors
/// When a server has it, or it cannot be written.
pub fn repair(dir: &Path, findings: &[Finding]) -> Result<Vec<String>, LedgerError> {
    let _lock = StateLock::take(dir)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut conn = Connection::open_with_flags(dir.join(super::FILE), flags).doing("open the ledger to repair it")?;
    let tx = conn.transaction().doing("begin the repair")?;
    let (mut done, mut reindexed) = (Vec::new(), false);
    for repair in findings.iter().filter_map(|finding| finding.repair.as_ref()) {
        let doing = "repair the ledger";
        match repair {
            Repair::Reindex if reindexed => {}
            Repair::Reindex => {
                tx.execute_batch("REINDEX").doing(doing)?;
                done.push("made the indexes again".to_owned());
                reindexed = true;
            }
            Repair::ForgetSnapshot(seq) => {
                tx.execute("DELETE FROM snapshots WHERE seq = ?1", [int(*seq)]).doing(doing)?;
                done.push(format!("forgot the snapshot of fact {seq}"));
            }
            Repair::ForgetEvidence(name) => {
                tx.execute("DELETE FROM blobs WHERE digest = ?1", [name]).doing(doing)?;
                done.push(format!("forgot evidence {name}"));
            }
        }
    }
    tx.commit().doing("commit the repair")?;
    Ok(done)
}

//! Migrations: numbered, checksummed, forward only. All that are missing are applied in one
//! transaction, after a copy of the ledger was made beside it, unless the ledger is new.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use belay_core::model::ids::Digest;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::LedgerError;
use super::error::Doing;

/// `BLAY`: marks a database file as a ledger of Belay.
const APPLICATION: i64 = 0x424c_4159;

/// A step from one format to the next. Its number is the format it leads to.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// The format it leads to.
    pub number: u32,
    /// What it does.
    pub sql: &'static str,
}

/// All migrations, in order.
pub const MIGRATIONS: &[Migration] = &[
    Migration { number: 1, sql: include_str!("../../migrations/001.sqlite.sql") },
    Migration { number: 2, sql: include_str!("../../migrations/002.sqlite.sql") },
    Migration { number: 3, sql: include_str!("../../migrations/003.sqlite.sql") },
];

/// Brings a ledger to the newest format. Answers the format it had.
///
/// # Errors
/// A newer, foreign or altered ledger is refused and left as it is.
pub fn migrate(conn: &mut Connection, path: &Path, migrations: &[Migration]) -> Result<u32, LedgerError> {
    let had = known_format(conn, path, migrations)?;
    let newest = migrations.last().map_or(0, |last| last.number);
    let missing: Vec<_> = migrations.iter().filter(|m| m.number > had).collect();
    let Some(first) = missing.first() else { return Ok(had) };
    if had > 0 {
        backup(conn, &backup_path(path, first.number))?;
    }
    let tx = conn.transaction_with_behavior(TransactionBehavior::Exclusive).doing("begin the migration")?;
    for migration in missing {
        tx.execute_batch(migration.sql).doing("apply a migration")?;
        let insert = "INSERT INTO meta (key, value) VALUES (?1, ?2)";
        tx.execute(insert, params![key(migration.number), checksum(migration)]).doing("record a migration")?;
    }
    tx.pragma_update(None, "application_id", APPLICATION).doing("mark the ledger")?;
    tx.pragma_update(None, "user_version", newest).doing("record the format")?;
    tx.commit().doing("commit the migration")?;
    Ok(had)
}

/// The format of a ledger that this build understands.
///
/// # Errors
/// A newer, foreign or altered ledger is refused.
pub(super) fn known_format(conn: &Connection, path: &Path, migrations: &[Migration]) -> Result<u32, LedgerError> {
    let had = format(conn)?;
    let newest = migrations.last().map_or(0, |last| last.number);
    if had > newest {
        return Err(LedgerError::Newer { found: had, known: newest, backup: backup_path(path, newest.saturating_add(1)) });
    }
    if had == 0 {
        refuse_foreign(conn, path)?;
    }
    for known in migrations.iter().filter(|m| m.number <= had) {
        check(conn, known)?;
    }
    Ok(had)
}

/// The format of a ledger; 0 when it is new.
pub(super) fn format(conn: &Connection) -> Result<u32, LedgerError> {
    conn.pragma_query_value(None, "user_version", |row| row.get(0)).doing("read the ledger's format")
}

fn refuse_foreign(conn: &Connection, path: &Path) -> Result<(), LedgerError> {
    let found: i64 = conn.pragma_query_value(None, "application_id", |row| row.get(0)).doing("read the ledger's mark")?;
    let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).doing("look into the ledger")?;
    if tables > 0 && found != APPLICATION {
        return Err(LedgerError::Foreign { path: path.to_owned(), found });
    }
    Ok(())
}

fn check(conn: &Connection, known: &Migration) -> Result<(), LedgerError> {
    let recorded: Option<String> = conn
        .query_row("SELECT value FROM meta WHERE key = ?1", [key(known.number)], |row| row.get(0))
        .optional()
        .doing("read a migration's checksum")?;
    let recorded = recorded.unwrap_or_else(|| "none".to_owned());
    let sum = checksum(known);
    if recorded == sum { Ok(()) } else { Err(LedgerError::Altered { number: known.number, recorded, known: sum }) }
}

/// Copies the ledger as it stands. A copy left by an attempt that did not get further is replaced.
fn backup(conn: &Connection, to: &Path) -> Result<(), LedgerError> {
    match std::fs::remove_file(to) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            return Err(LedgerError::Io { doing: "replace an old backup", path: to.to_owned(), source });
        }
        _ => {}
    }
    let text = to.to_str().ok_or_else(|| LedgerError::Io {
        doing: "name the backup",
        path: to.to_owned(),
        source: std::io::Error::new(std::io::ErrorKind::InvalidInput, "the path is not UTF-8"),
    })?;
    conn.execute("VACUUM INTO ?1", [text]).doing("back up the ledger before its migration")?;
    let io = |source| LedgerError::Io { doing: "keep the backup", path: to.to_owned(), source };
    let file = std::fs::File::open(to).map_err(io)?;
    file.set_permissions(std::fs::Permissions::from_mode(0o600)).map_err(io)?;
    file.sync_all().map_err(io)
}

fn backup_path(ledger: &Path, number: u32) -> PathBuf {
    let mut name = ledger.as_os_str().to_owned();
    name.push(format!(".before-{number:03}"));
    PathBuf::from(name)
}

fn key(number: u32) -> String {
    format!("migration.{number:03}")
}

fn checksum(migration: &Migration) -> String {
    Digest::of(migration.sql.as_bytes()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &[Migration] = &[MIGRATIONS[0]];
    const TWO: &[Migration] = &[MIGRATIONS[0], Migration { number: 2, sql: "ALTER TABLE notes ADD COLUMN extra TEXT;" }];

    #[test]
    fn an_older_ledger_is_copied_first_and_a_newer_one_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.db");
        let mut conn = Connection::open(&path).unwrap();
        assert_eq!(migrate(&mut conn, &path, ONE).unwrap(), 0);
        conn.execute("INSERT INTO meta VALUES ('x', 'y')", []).unwrap();
        assert_eq!(migrate(&mut conn, &path, TWO).unwrap(), 1);
        assert_eq!(migrate(&mut conn, &path, TWO).unwrap(), 2);
        let copy = Connection::open(dir.path().join("ledger.db.before-002")).unwrap();
        assert_eq!(format(&copy).unwrap(), 1);
        assert_eq!(copy.query_row("SELECT value FROM meta WHERE key = 'x'", [], |r| r.get::<_, String>(0)).unwrap(), "y");
        let refused = migrate(&mut conn, &path, ONE).unwrap_err().to_string();
        assert!(refused.contains("ledger format 2 was written by a newer Belay; this build understands 1"), "{refused}");
        assert!(refused.contains("ledger.db.before-002"), "{refused}");
    }

    #[test]
    fn the_ledger_of_every_former_format_is_brought_to_the_newest_with_what_it_holds() {
        for had in 1..MIGRATIONS.len() {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("ledger.db");
            let mut conn = Connection::open(&path).unwrap();
            migrate(&mut conn, &path, &MIGRATIONS[..had]).unwrap();
            let insert = "INSERT INTO inbox (received, tool, principal, body, state) VALUES (1, 'tool', '{}', x'00', 0)";
            conn.execute(insert, []).unwrap();
            assert_eq!(migrate(&mut conn, &path, MIGRATIONS).unwrap() as usize, had);
            assert_eq!(conn.query_row("SELECT head FROM inbox", [], |row| row.get::<_, String>(0)).unwrap(), "");
            conn.execute("INSERT INTO texts VALUES ('d', 1, 1, 1, x'00')", []).unwrap();
            conn.execute("INSERT INTO news (seq, at, kind, text) VALUES (1, 1, 'verdict', 'c-1 accepted')", []).unwrap();
            conn.execute("INSERT INTO once (who, key, at) VALUES ('alice', 'k', 1)", []).unwrap();
        }
    }

    #[test]
    fn a_migration_that_fails_leaves_nothing_behind() {
        let bad: &[Migration] = &[MIGRATIONS[0], Migration { number: 2, sql: "CREATE TABLE a (b TEXT); SELECT nonsense;" }];
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.db");
        let mut conn = Connection::open(&path).unwrap();
        migrate(&mut conn, &path, ONE).unwrap();
        migrate(&mut conn, &path, bad).unwrap_err();
        assert_eq!(migrate(&mut conn, &path, ONE).unwrap(), 1);
        assert!(conn.execute("INSERT INTO a VALUES ('x')", []).is_err());
    }

    #[test]
    fn an_altered_migration_and_a_foreign_file_are_refused() {
        let altered: &[Migration] = &[Migration { number: 1, sql: "SELECT 1;" }];
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.db");
        let mut conn = Connection::open(&path).unwrap();
        migrate(&mut conn, &path, ONE).unwrap();
        assert!(matches!(migrate(&mut conn, &path, altered), Err(LedgerError::Altered { number: 1, .. })));
        let mut other = Connection::open_in_memory().unwrap();
        other.execute_batch("CREATE TABLE photos (x)").unwrap();
        assert!(matches!(migrate(&mut other, &path, MIGRATIONS), Err(LedgerError::Foreign { .. })));
    }
}

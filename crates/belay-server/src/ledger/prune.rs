//! Pruning: what may be forgotten, in small steps, so that the writer is never away for long.

use belay_core::model::time::{Span, Timestamp};
use rusqlite::params;

use super::error::Doing;
use super::{Ledger, LedgerError, int};

/// Rows of each table that one step deletes at most.
const STEP: i64 = 200;

/// How long bytes are kept, and how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Age of reports as they came, and of the quarantine.
    pub raw: Span,
    /// Bytes of reports as they came.
    pub raw_bytes: u64,
    /// Rows of the quarantine.
    pub quarantine_rows: u64,
    /// Age of what hosts were offered, and of its texts, since they were last offered.
    pub offers: Span,
    /// Bytes of texts.
    pub texts_bytes: u64,
    /// Age of evidence, counted from the last verdict that rests on it.
    pub evidence: Span,
}

impl Default for Retention {
    fn default() -> Self {
        let day = Span::from_min(24 * 60);
        Self {
            raw: day.times(30),
            raw_bytes: 20 << 30,
            quarantine_rows: 10_000,
            evidence: day.times(400),
            offers: day.times(60),
            texts_bytes: 2 << 30,
        }
    }
}

/// What a step deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Rows, of all tables.
    pub rows: usize,
    /// There may be more to delete.
    pub more: bool,
}

impl Ledger {
    /// Deletes at most a few hundred rows that are beyond the limits.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub fn prune(&mut self, now: Timestamp, keep: &Retention) -> Result<Pruned, LedgerError> {
        let tx = self.conn.transaction().doing("begin to prune")?;
        let before = |span: Span| (now - span).ms();
        let mut pruned = Pruned::default();
        let mut delete = |sql: &str, limit: i64| -> Result<(), LedgerError> {
            let rows = tx.execute(sql, params![limit, STEP]).doing("prune")?;
            pruned.rows += rows;
            pruned.more |= rows >= usize::try_from(STEP).unwrap_or(usize::MAX);
            Ok(())
        };
        delete("DELETE FROM raw WHERE digest IN (SELECT digest FROM raw WHERE at < ?1 ORDER BY at LIMIT ?2)", before(keep.raw))?;
        delete("DELETE FROM blobs WHERE digest IN (SELECT digest FROM blobs WHERE at < ?1 ORDER BY at LIMIT ?2)", before(keep.evidence))?;
        delete("DELETE FROM quarantine WHERE seq IN (SELECT seq FROM quarantine WHERE at < ?1 ORDER BY at LIMIT ?2)", before(keep.raw))?;
        let rows: i64 = tx.query_row("SELECT count(*) FROM quarantine", [], |row| row.get(0)).doing("prune")?;
        let surplus = rows.saturating_sub(int(keep.quarantine_rows)).max(0);
        delete("DELETE FROM quarantine WHERE seq IN (SELECT seq FROM quarantine ORDER BY seq LIMIT min(?1, ?2))", surplus)?;
        let stored = |sql: &str| tx.query_row(sql, [], |row| row.get::<_, i64>(0)).doing("prune");
        let too_much_raw = stored("SELECT coalesce(sum(stored), 0) FROM raw")? > int(keep.raw_bytes);
        if too_much_raw {
            delete("DELETE FROM raw WHERE digest IN (SELECT digest FROM raw WHERE at <= ?1 ORDER BY at LIMIT ?2)", i64::MAX)?;
        }
        delete("DELETE FROM offers WHERE host IN (SELECT host FROM offers WHERE at < ?1 ORDER BY at LIMIT ?2)", before(keep.offers))?;
        delete("DELETE FROM texts WHERE digest IN (SELECT digest FROM texts WHERE at < ?1 ORDER BY at LIMIT ?2)", before(keep.offers))?;
        let too_many_texts = stored("SELECT coalesce(sum(stored), 0) FROM texts")? > int(keep.texts_bytes);
        if too_many_texts {
            delete("DELETE FROM texts WHERE digest IN (SELECT digest FROM texts WHERE at <= ?1 ORDER BY at LIMIT ?2)", i64::MAX)?;
        }
        delete(
            "DELETE FROM once WHERE at < ?1 AND (who, key) IN (SELECT who, key FROM once WHERE at < ?1 LIMIT ?2)",
            before(super::once::KEPT),
        )?;
        delete("DELETE FROM news WHERE seq IN (SELECT seq FROM news WHERE at < ?1 ORDER BY seq LIMIT ?2)", before(keep.evidence))?;
        pruned.more |= too_much_raw || too_many_texts;
        tx.commit().doing("commit pruning")?;
        Ok(pruned)
    }
}

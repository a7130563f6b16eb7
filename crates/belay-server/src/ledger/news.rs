//! News: what happened that is worth showing, in the words it was told in at the time.

use belay_api::http::NewsView;
use belay_core::model::ids::{ClassName, HostId};
use belay_core::model::time::{Span, Timestamp};
use belay_core::state::{Fact, State};
use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::error::Doing;
use super::rows::{Conditions, PageOf, Reader, page};
use super::{LedgerError, int};

/// After so long the same of a host is news again.
const AGAIN: Span = Span::from_min(24 * 60);

/// Which news.
#[derive(Clone, Debug, Default)]
pub struct NewsFilter {
    /// Of this class.
    pub class: Option<ClassName>,
    /// Of this host.
    pub host: Option<HostId>,
}

/// Writes what a fact has to tell, if it has. `after` is the state with the whole commit applied. Answers whether it did.
pub(super) fn keep(tx: &Transaction<'_>, seq: u64, at: Timestamp, fact: &Fact, after: &State) -> Result<bool, LedgerError> {
    let Some(news) = NewsView::of(after, seq, at, fact) else { return Ok(false) };
    // A host tells of its last run again and again.
    if matches!(fact, Fact::HostTold { .. }) {
        let last = "SELECT text FROM news WHERE host = ?1 AND kind = ?2 AND at > ?3 ORDER BY seq DESC LIMIT 1";
        let told: Option<String> = tx
            .query_row(last, params![news.host, news.kind, (at - AGAIN).ms()], |row| row.get(0))
            .optional()
            .doing("look for what was told last")?;
        if told.as_ref() == Some(&news.text) {
            return Ok(false);
        }
    }
    let insert = "INSERT INTO news (seq, at, kind, class, host, change, hold, text) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let row = params![int(seq), at.ms(), news.kind, news.class, news.host, news.change, news.hold, news.text];
    tx.prepare_cached(insert).and_then(|mut s| s.execute(row)).doing("write the news")?;
    Ok(true)
}

const COLUMNS: &str = "SELECT seq, at, kind, class, host, change, hold, text FROM news";

impl Reader {
    /// News, newest first.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn news(&self, filter: &NewsFilter, before: Option<u64>, limit: usize) -> Result<PageOf<NewsView>, LedgerError> {
        let mut conditions = conditions(filter);
        conditions.and("seq", "<", before.map(int));
        let rows = self.page(COLUMNS, &conditions, "seq", limit, row)?;
        page(rows, limit, |news| Ok((int(news.seq), news)))
    }

    /// The first news after a number, oldest first, at most `limit`.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn news_since(&self, filter: &NewsFilter, since: u64, limit: usize) -> Result<Vec<NewsView>, LedgerError> {
        let mut conditions = conditions(filter);
        conditions.and("seq", ">", Some(int(since)));
        self.rows_of(&format!("{COLUMNS}{} ORDER BY seq LIMIT {}", conditions.sql(), limit), &conditions, row)
    }

    /// The number of the last fact, from which somebody who begins to listen goes on.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn last(&self) -> Result<u64, LedgerError> {
        let last: i64 =
            self.conn.query_row("SELECT coalesce(max(seq), 0) FROM facts", [], |row| row.get(0)).doing("find the newest fact")?;
        Ok(last.unsigned_abs())
    }
}

fn conditions(filter: &NewsFilter) -> Conditions {
    let mut conditions = Conditions::default();
    // What is about no class in particular concerns everybody.
    conditions.of_or_none("class", filter.class.as_ref().map(ClassName::to_string));
    conditions.and("host", "=", filter.host.as_ref().map(HostId::to_string));
    conditions
}

fn row(row: &Row<'_>) -> rusqlite::Result<NewsView> {
    Ok(NewsView {
        seq: row.get::<_, i64>(0)?.unsigned_abs(),
        at: Timestamp::from_ms(row.get(1)?).to_string(),
        kind: row.get(2)?,
        class: row.get(3)?,
        host: row.get(4)?,
        change: row.get(5)?,
        hold: row.get(6)?,
        text: row.get(7)?,
    })
}

//! What an outpost does for the hosts it classifies: it fetches what they are classified by, so that it
//! answers while the server is away. Tables, where the server gives them: one is put beside the one that
//! holds, and takes its place at the time the server says, on all outposts. What the server does not mention
//! stays as it was last known: a restored server may have lost hosts, and a host without an answer would get
//! another environment.

use std::time::Duration;

use belay_api::agent::{PoliciesAsk, Relayed, TableAsk, TableTold};
use belay_core::host::policy::Stand;
use belay_core::host::table::Shelf;
use belay_core::model::ids::HostId;
use belay_core::model::table::TableId;
use belay_core::model::time::Span;

use crate::config::ServerConfig;
use crate::kept::Kept;
use crate::server::{Client, Failed};

/// The longest time an answer may be kept back.
const WAIT_MAX: Span = Span::from_s(20);
/// How long an answer may take beyond that.
const LIMIT: Duration = Duration::from_secs(30);
/// The most pages of one table.
const PAGES_MAX: usize = 1_000;

/// What is known of the server from one question to the next.
#[derive(Debug, Default)]
pub struct Session {
    /// Where policies stand, where they are of no table.
    have: Option<Stand>,
    /// How long the next answer may be kept back.
    wait: Span,
}

/// What came of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turned {
    /// How many policies are new.
    pub written: usize,
    /// When to ask again.
    pub again: Again,
}

/// When to ask again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// At once: the server waits to hear of it.
    AtOnce,
    /// Soon: answers are kept back, or something is about to come.
    Soon,
    /// After a while.
    Later,
}

/// Asks once, and keeps what comes. `over` says whether it is to end.
///
/// # Errors
/// There is no answer, it cannot be taken, or what came cannot be kept. What was kept before counts.
pub fn turn(kept: &Kept, server: &ServerConfig, own: &HostId, session: &mut Session, over: &dyn Fn() -> bool) -> Result<Turned, Failed> {
    let client = Client::open(server).map_err(local)?;
    let asking = Asking { kept, client: &client, own, over };
    let shelf = kept.settle_table().map_err(local)?;
    let limit = LIMIT + Duration::from_millis(u64::try_from(session.wait.ms()).unwrap_or(0));
    let ask = PoliciesAsk { table: Some(asking.says(&shelf, None)), ..PoliciesAsk::of(session.have, session.wait, None) };
    let first = client.policies(&ask, limit)?;
    session.wait = first.wait.min(WAIT_MAX);
    match first.table {
        None => {
            let stand = first.stand;
            let written = asking.as_they_come(first)?;
            session.have = Some(stand);
            Ok(Turned { written, again: if session.wait == Span::ZERO { Again::Later } else { Again::Soon } })
        }
        Some(told) => {
            session.have = None;
            asking.tables(first, told)
        }
    }
}

struct Asking<'a> {
    kept: &'a Kept,
    client: &'a Client,
    own: &'a HostId,
    over: &'a dyn Fn() -> bool,
}

impl Asking<'_> {
    fn says(&self, shelf: &Shelf, page: Option<TableId>) -> TableAsk {
        let body = |table: Option<TableId>| table.map(Into::into);
        TableAsk { host: self.own.to_string(), stored: body(shelf.stored()), in_force: body(shelf.in_force()), page: body(page) }
    }

    /// What is said of tables.
    fn tables(&self, first: Relayed, told: TableTold) -> Result<Turned, Failed> {
        if let Some(force) = told.force {
            self.kept.table_told(force, told.now).map_err(local)?;
        }
        let Some(table) = told.given else { return Ok(Turned { written: 0, again: Again::Soon }) };
        let shelf = self.kept.settle_table().map_err(local)?;
        if shelf.takes(table) {
            return Ok(Turned { written: self.store(table, first)?, again: Again::AtOnce });
        }
        if shelf.next.is_some() {
            // The table before it is about to hold: by this host's clock a moment later than by the server's.
            return Ok(Turned { written: 0, again: Again::Soon });
        }
        let have = shelf.base.map_or_else(|| "none".to_owned(), |base| base.to_string());
        Err(failed(format!("the server gives table {table}, which is not later than {have} that holds here: it was not taken")))
    }

    /// Puts a table beside the one that holds, page by page.
    fn store(&self, table: TableId, mut page: Relayed) -> Result<usize, Failed> {
        let mut storing = self.kept.begin_table(table).map_err(local)?;
        for _ in 0..PAGES_MAX {
            storing.keep(&page.policies).map_err(local)?;
            let Some(after) = page.next else { return storing.finish().map_err(local) };
            page = self.next(after, Some(table))?;
            if page.table.and_then(|told| told.given) != Some(table) {
                return Err(failed(format!("table {table} is not given any more: it is begun anew")));
            }
        }
        Err(failed(format!("table {table} has more than {PAGES_MAX} pages: it was not taken")))
    }

    /// Policies of a server without tables count as they come. Where something was decided between two pages, the stand
    /// is the first page's: the next question brings all of them again.
    fn as_they_come(&self, mut page: Relayed) -> Result<usize, Failed> {
        let mut written = 0;
        if !page.policies.is_empty() {
            self.kept.leave_tables().map_err(local)?;
        }
        loop {
            written += self.kept.keep_of_others(&page.policies).map_err(local)?;
            let Some(after) = page.next else { return Ok(written) };
            page = self.next(after, None)?;
        }
    }

    fn next(&self, after: String, table: Option<TableId>) -> Result<Relayed, Failed> {
        if (self.over)() {
            return Err(failed("ended before all of them had come".to_owned()));
        }
        let table = table.map(|table| self.says(&self.kept.shelf(), Some(table)));
        self.client.policies(&PoliciesAsk { table, ..PoliciesAsk::of(None, Span::ZERO, Some(after)) }, LIMIT)
    }
}

fn local(why: anyhow::Error) -> Failed {
    failed(format!("{why:#}"))
}

fn failed(text: String) -> Failed {
    Failed { status: None, retry_after: None, text }
}

//! Tables of an outpost, as files. `policies/` is the base, `tables/N/` lies beside it, and `table.json` says
//! which of them counts from when. Each step leaves on the disk what gives one table's answers for all hosts.

use std::path::PathBuf;

use anyhow::{Context, Result};
use belay_api::agent::TableBody;
use belay_core::host::policy::HostPolicy;
use belay_core::host::table::{Next, Shelf};
use belay_core::model::ids::HostId;
use belay_core::model::table::{InForce, TableId};
use belay_core::model::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::Kept;
use super::policy::{Held, POLICY_MAX, bytes_of, is_new};
use crate::clock::Moment;
use crate::durable::{self, Sync};

const MARK: &str = "table.json";
const BASE: &str = "policies";
const BESIDE: &str = "tables";

/// The mark, as it lies on the disk.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Mark {
    #[serde(default)]
    base: Option<TableBody>,
    #[serde(default)]
    next: Option<NextMark>,
    /// When the time was told from which it holds, for a host that never heard of the server otherwise.
    #[serde(default)]
    told: Option<ToldMark>,
}

#[derive(Debug, Serialize, Deserialize)]
struct NextMark {
    table: TableBody,
    #[serde(default)]
    from_ms: Option<i64>,
    #[serde(default)]
    moving: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct ToldMark {
    at: Moment,
    server_ms: i64,
}

/// Called before each step on the disk; a test ends the work there, as a crash does.
type Pace<'a> = &'a mut dyn FnMut() -> Result<()>;

/// A table that is being put beside the base, page by page.
pub struct Storing<'a> {
    kept: &'a Kept,
    table: TableId,
    written: usize,
}

impl Kept {
    /// What lies here. A mark that cannot be read is none: the base counts, and the next table is stored anew.
    pub fn shelf(&self) -> Shelf {
        self.mark().shelf()
    }

    fn mark(&self) -> Mark {
        self.load(MARK).ok().flatten().unwrap_or_default()
    }

    /// The bytes of another host's policy, of the table that counts now.
    pub(super) fn policy_of_other(&self, host: &HostId) -> Result<Option<Vec<u8>>> {
        let mark = self.mark();
        // What is moved meanwhile is gone here only once it lies in the base.
        let beside = mark.shelf().beside(self.time_of(&mark)).map(|table| self.beside(table).join(format!("{host}.json")));
        match beside.map(|path| durable::read(&path, POLICY_MAX)).transpose()?.flatten() {
            Some(bytes) => Ok(Some(bytes)),
            None => durable::read(&self.policy_path(Some(host)), POLICY_MAX),
        }
    }

    /// The time as the server has it. A host that was never answered as itself knows it from its mark.
    fn time_of(&self, mark: &Mark) -> Timestamp {
        match (&mark.told, self.contact()) {
            (Some(told), None) => Timestamp::from_ms(told.server_ms) + Moment::now().since(&told.at),
            _ => self.server_time(),
        }
    }

    /// Takes the time from which a table holds. It is durable before this answers.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn table_told(&self, force: InForce, server: Timestamp) -> Result<()> {
        let shelf = self.shelf();
        let after = shelf.told(force);
        if after == shelf {
            return Ok(());
        }
        let told = Some(ToldMark { at: Moment::now(), server_ms: server.ms() });
        self.save(MARK, &Mark { told, ..Mark::of(after) }, Sync::Yes)
    }

    /// Moves the table that holds into the base, so that there is room beside it. Answers do not alter by it.
    ///
    /// # Errors
    /// Something cannot be moved; then the rest counts from where it lies.
    pub fn settle_table(&self) -> Result<Shelf> {
        self.settle_table_at(&mut || Ok(()))
    }

    fn settle_table_at(&self, pace: Pace<'_>) -> Result<Shelf> {
        let mark = self.mark();
        let shelf = mark.shelf();
        let (Some(table), Some(moving)) = (shelf.beside(self.time_of(&mark)), shelf.moving(self.time_of(&mark))) else { return Ok(shelf) };
        durable::folder(&self.path(BASE), 0o755)?;
        if moving != shelf {
            pace()?;
            // From here on no clock takes it back: the base is about to be of two tables.
            self.save(MARK, &Mark::of(moving), Sync::Yes)?;
        }
        for name in names(&self.beside(table))? {
            pace()?;
            let (from, to) = (self.beside(table).join(&name), self.path(BASE).join(&name));
            std::fs::rename(&from, &to).with_context(|| format!("cannot move {} to {}", from.display(), to.display()))?;
        }
        pace()?;
        durable::sync_all(&self.path(BASE))?;
        pace()?;
        self.save(MARK, &Mark::of(moving.moved()), Sync::Yes)?;
        pace()?;
        self.sweep_tables(None)?;
        Ok(moving.moved())
    }

    /// Begins to put a table beside the base. Nothing counts of it before it was finished and told to hold.
    ///
    /// # Errors
    /// Its folder cannot be made.
    pub fn begin_table(&self, table: TableId) -> Result<Storing<'_>> {
        let shelf = self.shelf();
        let kept = shelf.next.map(|next| next.table).filter(|next| *next != table);
        self.sweep_tables(kept)?;
        durable::folder(&self.beside(table), 0o755)?;
        Ok(Storing { kept: self, table, written: 0 })
    }

    /// Forgets tables: policies came from a server that knows none, and count as they come.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn leave_tables(&self) -> Result<()> {
        if self.shelf() != Shelf::default() {
            self.save(MARK, &Mark::default(), Sync::Yes)?;
            self.sweep_tables(None)?;
        }
        Ok(())
    }

    fn beside(&self, table: TableId) -> PathBuf {
        self.path(BESIDE).join(format!("{}-{}", table.incarnation, table.number))
    }

    /// Removes what lies beside the base and is not named by the mark.
    fn sweep_tables(&self, but: Option<TableId>) -> Result<()> {
        let but = but.map(|table| self.beside(table));
        for name in names(&self.path(BESIDE))? {
            let path = self.path(BESIDE).join(name);
            if but.as_ref() != Some(&path) {
                std::fs::remove_dir_all(&path).with_context(|| format!("cannot remove {}", path.display()))?;
            }
        }
        Ok(())
    }
}

impl Storing<'_> {
    /// Puts a page of it there: those that say something else than the base.
    ///
    /// # Errors
    /// One cannot be written.
    pub fn keep(&mut self, policies: &[HostPolicy]) -> Result<()> {
        self.keep_at(policies, &mut || Ok(()))
    }

    fn keep_at(&mut self, policies: &[HostPolicy], pace: Pace<'_>) -> Result<()> {
        for policy in policies {
            let new = Held { policy: policy.clone(), orphans: Vec::new() };
            if is_new(&self.kept.policy_path(Some(&policy.host)), &new) {
                pace()?;
                let path = self.kept.beside(self.table).join(format!("{}.json", policy.host));
                durable::write(&path, &bytes_of(&new)?, 0o644, Sync::No)?;
                self.written += 1;
            }
        }
        Ok(())
    }

    /// All of it is there: it may be told that it is stored. Says how many policies of it are new.
    ///
    /// # Errors
    /// It is not on the disk.
    pub fn finish(self) -> Result<usize> {
        self.finish_at(&mut || Ok(()))
    }

    fn finish_at(self, pace: Pace<'_>) -> Result<usize> {
        pace()?;
        durable::sync_all(&self.kept.beside(self.table))?;
        pace()?;
        let shelf = self.kept.shelf().with(self.table);
        self.kept.save(MARK, &Mark::of(shelf), Sync::Yes)?;
        pace()?;
        self.kept.sweep_tables(Some(self.table))?;
        Ok(self.written)
    }
}

impl Mark {
    fn of(shelf: Shelf) -> Self {
        let next = |next: Next| NextMark { table: next.table.into(), from_ms: next.from.map(Timestamp::ms), moving: next.moving };
        Self { base: shelf.base.map(Into::into), next: shelf.next.map(next), told: None }
    }

    fn shelf(&self) -> Shelf {
        let next = |next: &NextMark| Next { table: next.table.into(), from: next.from_ms.map(Timestamp::from_ms), moving: next.moving };
        Shelf { base: self.base.map(Into::into), next: self.next.as_ref().map(next) }
    }
}

/// Names in a folder; none where it is not there.
fn names(folder: &std::path::Path) -> Result<Vec<std::ffi::OsString>> {
    let cannot = || format!("cannot look into {}", folder.display());
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(cannot),
    };
    entries.map(|entry| entry.map(|entry| entry.file_name()).with_context(cannot)).collect()
}

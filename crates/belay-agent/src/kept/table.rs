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
    /// When the time was told from which it holds.
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

    /// The time as the server has it: what it said with the time of the switch, and what has passed since. Nothing that
    /// came by another road is needed, which may be older, and may be none.
    fn time_of(&self, mark: &Mark) -> Timestamp {
        match &mark.told {
            Some(told) => Timestamp::from_ms(told.server_ms) + Moment::now().since(&told.at),
            None => self.server_time(),
        }
    }

    /// Takes the time from which a table holds. It is durable before this answers.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn table_told(&self, force: InForce, server: Timestamp) -> Result<()> {
        let mark = self.mark();
        let (shelf, after) = (mark.shelf(), mark.shelf().told(force));
        // After a restart with a clock of long ago its time would not come: the server's clock is told anew.
        let late = after.next.is_some_and(|next| next.table == force.table) && server >= force.from;
        if after == shelf && !(late && shelf.beside(self.time_of(&mark)).is_none()) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    use belay_core::host::policy::Stand;
    use belay_core::model::gate::Enforce;
    use belay_core::model::ids::{ClassName, Release};
    use belay_core::model::time::Span;

    use super::super::LastGood;

    const HOSTS: [&str; 4] = ["web01", "web02", "web03", "web04"];

    fn table(number: u64) -> TableId {
        TableId { incarnation: 1, number }
    }

    /// The policies of a table: its release says which. One host has the same in all of them.
    fn policies(number: u64) -> Vec<HostPolicy> {
        let policy = |host: &str| HostPolicy {
            host: HostId::parse(host).unwrap(),
            stand: Stand { incarnation: 1, seq: number },
            issued: Timestamp::from_ms(0),
            class: ClassName::parse("web").unwrap(),
            release: Release::parse(&if host == "web04" { "same".to_owned() } else { number.to_string() }).ok(),
            enforce: Enforce::Off,
            max_closed: Span::from_min(60),
            holds: Vec::new(),
            environments: BTreeMap::new(),
            items: BTreeMap::new(),
            pin: None,
            wave_open: false,
            closed: Vec::new(),
            wave: None,
            rehearse: false,
            reverts: Vec::new(),
            poll_after: Span::from_min(1),
        };
        HOSTS.into_iter().map(policy).collect()
    }

    /// What each host is classified by.
    fn answers(kept: &Kept) -> Vec<String> {
        let own = HostId::parse("ps1").unwrap();
        let answer = |host: &str| match kept.last_good(&own, &HostId::parse(host).unwrap()) {
            LastGood::Good(held) => held.policy.release.map(|release| release.to_string()).unwrap_or_default(),
            LastGood::Never => "nothing".to_owned(),
            LastGood::Corrupt(why) => panic!("{why}"),
        };
        HOSTS.into_iter().map(answer).collect()
    }

    fn of(number: u64) -> Vec<String> {
        let number = number.to_string();
        vec![number.clone(), number.clone(), number, "same".to_owned()]
    }

    /// The whole way of a table. Ends where the pace says so, as a crash does.
    fn way(kept: &Kept, number: u64, pace: Pace<'_>) -> Result<()> {
        let shelf = kept.settle_table_at(pace)?;
        if shelf.takes(table(number)) {
            let mut storing = kept.begin_table(table(number))?;
            storing.keep_at(&policies(number), pace)?;
            storing.finish_at(pace)?;
        }
        pace()?;
        kept.table_told(InForce { table: table(number), from: Timestamp::from_ms(1) }, Timestamp::from_ms(2))?;
        kept.settle_table_at(pace)?;
        Ok(())
    }

    #[test]
    fn a_table_counts_when_it_was_told_to_and_not_before() {
        let dir = tempfile::tempdir().unwrap();
        let kept = Kept::new(dir.path());
        kept.make().unwrap();
        let store = |number: u64| {
            let mut storing = kept.begin_table(table(number)).unwrap();
            storing.keep(&policies(number)).unwrap();
            storing.finish().unwrap()
        };
        assert_eq!((store(1), answers(&kept)), (4, vec!["nothing".to_owned(); 4]), "nobody said that it holds");
        let server = Timestamp::from_ms(5_000);
        kept.table_told(InForce { table: table(1), from: server }, server).unwrap();
        assert_eq!(answers(&kept), of(1));
        kept.settle_table().unwrap();
        assert_eq!((store(2), answers(&kept)), (3, of(1)), "what says the same is not written again");
        kept.table_told(InForce { table: table(2), from: server + Span::from_ms(300) }, server).unwrap();
        assert_eq!(answers(&kept), of(1), "its time has not come");
        assert!(kept.settle_table().unwrap().next.is_some());
        std::thread::sleep(std::time::Duration::from_millis(400));
        assert_eq!(answers(&kept), of(2));
        assert_eq!(kept.settle_table().unwrap(), Shelf { base: Some(table(2)), next: None });
        assert_eq!((answers(&kept), names(&kept.path(BESIDE)).unwrap().len()), (of(2), 0));
        let (hour, later) = (Span::from_min(60), |server| InForce { table: table(3), from: server + Span::from_min(60) });
        store(3);
        kept.table_told(later(server), server).unwrap();
        kept.table_told(later(server), server).unwrap();
        assert_eq!(answers(&kept), of(2));
        kept.table_told(later(server), server + hour).unwrap();
        assert_eq!(answers(&kept), of(3), "the server says that its time has come, whatever the clock here says");
        kept.settle_table().unwrap();
        kept.leave_tables().unwrap();
        assert_eq!((kept.shelf(), answers(&kept)), (Shelf::default(), of(3)));
    }

    #[test]
    fn wherever_it_is_ended_all_hosts_are_of_one_table_and_it_goes_on_from_there() {
        let mut points = 0;
        for end in 0.. {
            let dir = tempfile::tempdir().unwrap();
            let kept = Kept::new(dir.path());
            kept.make().unwrap();
            way(&kept, 1, &mut || Ok(())).unwrap();
            let mut steps = 0;
            let ended = way(&kept, 2, &mut || {
                assert!([of(1), of(2)].contains(&answers(&kept)), "before step {steps}: {:?}", answers(&kept));
                steps += 1;
                if steps > end { Err(anyhow::anyhow!("a crash")) } else { Ok(()) }
            });
            let after = answers(&kept);
            assert!([of(1), of(2)].contains(&after), "ended before step {end}: {after:?}");
            if after == of(2) {
                // The system starts anew with a clock of long ago: what holds still holds.
                assert!(kept.shelf().next.is_none_or(|next| next.moving || next.from.is_some()));
            }
            way(&kept, 3, &mut || Ok(())).unwrap();
            assert_eq!(answers(&kept), of(3), "ended before step {end}, and went on");
            points = end;
            if ended.is_ok() {
                break;
            }
        }
        assert!(points >= 12, "{points} points at which it was ended");
    }

    #[test]
    fn a_clock_that_is_set_back_takes_nothing_back_that_was_begun_to_be_moved() {
        let dir = tempfile::tempdir().unwrap();
        let kept = Kept::new(dir.path());
        kept.make().unwrap();
        way(&kept, 1, &mut || Ok(())).unwrap();
        let mut moves = 0;
        let ended = way(&kept, 2, &mut || {
            moves += usize::from(kept.shelf().next.is_some_and(|next| next.moving));
            if moves > 2 { Err(anyhow::anyhow!("a crash amidst moving")) } else { Ok(()) }
        });
        assert!(ended.is_err());
        let contact = serde_json::json!({
            "at": {"at_ms": 0, "boot": "", "up_ms": 0}, "issued_ms": -9_000_000_000_000_000i64, "stand": {"incarnation": 1, "seq": 1},
            "enforce": "off", "holds": 0, "max_closed_ms": 0, "poll_after_ms": 0
        });
        std::fs::write(kept.path("contact.json"), contact.to_string()).unwrap();
        assert!(kept.server_time() < Timestamp::from_ms(0), "a clock of long ago");
        assert_eq!(answers(&kept), of(2));
    }

    #[test]
    fn a_mark_that_is_damaged_leaves_the_base() {
        let dir = tempfile::tempdir().unwrap();
        let kept = Kept::new(dir.path());
        kept.make().unwrap();
        way(&kept, 1, &mut || Ok(())).unwrap();
        std::fs::write(kept.path(MARK), "{").unwrap();
        assert_eq!((kept.shelf(), answers(&kept)), (Shelf::default(), of(1)));
        way(&kept, 2, &mut || Ok(())).unwrap();
        assert_eq!(answers(&kept), of(2));
    }
}

//! Once a second: what the holds want of the lock, and whether the tool has written a report.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use belay_adapters::tools;
use belay_core::host::talk::Lock;
use belay_core::model::gate::HoldOrder;
use belay_core::model::report::RunKind;

use super::{Shared, Trouble, say};
use crate::ask::CATALOG_MAX;
use crate::kept::LastGood;
use crate::spool::Watched;
use crate::{clock, durable, lock};

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(1);

/// What is watched.
pub struct Watch {
    shared: Arc<Shared>,
    report: Watched,
    holds: Vec<HoldOrder>,
    policy: Option<SystemTime>,
    blind: bool,
    trouble: Trouble,
    spooling: Trouble,
    lock: Option<Lock>,
}

impl Watch {
    /// Begins to watch.
    pub fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            report: Watched::default(),
            holds: Vec::new(),
            policy: None,
            blind: false,
            trouble: Trouble::default(),
            spooling: Trouble::default(),
            lock: None,
        }
    }

    /// Watches until the end.
    pub fn run(&mut self) {
        while !self.shared.stop.wait(EVERY) {
            self.look();
        }
    }

    /// Looks once.
    pub fn look(&mut self) {
        self.read_holds();
        match self.settle() {
            Ok(()) => self.trouble.over("the lock is as it should be again"),
            Err(why) => self.trouble.is(&format!("{why:#}")),
        }
        match self.spool() {
            Ok(()) => self.spooling.over("reports are spooled again"),
            Err(why) => {
                self.report.forget();
                self.spooling.is(&format!("a report cannot be kept: {why:#}"));
            }
        }
    }

    /// The holds of the last policy, read again when its file is another one. While it cannot be
    /// read, those that were known stand.
    fn read_holds(&mut self) {
        let shared = &self.shared;
        let written = shared.kept.path("policy.json").metadata().and_then(|about| about.modified()).ok();
        if written.is_some() && written == self.policy {
            return;
        }
        match shared.kept.last_good(&shared.config.host, &shared.config.host) {
            LastGood::Good(held) => {
                self.holds = held.effective().holds;
                (self.policy, self.blind) = (written, false);
            }
            LastGood::Never => self.holds.clear(),
            LastGood::Corrupt(_) if self.policy.is_none() => self.blind = true,
            LastGood::Corrupt(_) => {}
        }
    }

    fn settle(&mut self) -> anyhow::Result<()> {
        let (shared, now) = (&self.shared, clock::now());
        let holds = if shared.kept.glass(now).is_some() { &[][..] } else { self.holds.as_slice() };
        // Where the policy cannot be read and no hold is known of, a lock of ours stands for one that is not known.
        if self.blind && shared.kept.glass(now).is_none() {
            return Ok(());
        }
        let guard = shared.kept.guard()?;
        let before = shared.kept.notes(now).next;
        let lock = lock::settle(&shared.kept, &guard, &shared.bound, &shared.config.people, holds, now)?;
        if shared.kept.notes(now).next != before {
            shared.tell.ring();
        }
        drop(guard);
        if self.lock.as_ref() != Some(&lock) {
            if self.lock.is_some() || lock != Lock::Absent {
                say(&format!("the tool's lock: {}", words(&lock)));
            }
            self.lock = Some(lock);
        }
        lock::banner(&shared.config, &shared.kept, &shared.bound, &self.holds, now)
    }

    fn spool(&mut self) -> anyhow::Result<()> {
        let shared = &self.shared;
        let Some(report) = self.report.news(&shared.bound.places.report)? else { return Ok(()) };
        let matters = shared.bound.tool.changed(&report);
        if shared.spool.take(&report, matters, clock::now())? {
            shared.send.ring();
            applied(shared, &report);
        }
        Ok(())
    }
}

/// Remembers the catalog that lies there as the one that was applied, where this report is of a run
/// that applied it whole: the next one is compared with it. Only a run that applied a catalog names it.
fn applied(shared: &Shared, report: &[u8]) {
    let read = || -> Option<()> {
        let catalog = durable::read(&shared.bound.places.catalog, CATALOG_MAX).ok()??;
        let catalog = shared.bound.tool.parted(&catalog, &shared.config.host).ok()?;
        let uuid = catalog.uuid.as_deref().filter(|uuid| uuid.len() >= 16)?;
        report.windows(uuid.len()).any(|part| part == uuid.as_bytes()).then_some(())?;
        let decoded = tools::by_name(shared.bound.tool.name())?.decode(report).ok()?;
        let whole = matches!(decoded.report.kind, RunKind::Changed | RunKind::Unchanged | RunKind::CachedCatalog(_));
        whole.then_some(())?;
        let guard = shared.kept.guard().ok()?;
        shared.kept.note_applied(&guard, &catalog).ok()
    };
    _ = read();
}

fn words(lock: &Lock) -> String {
    match lock {
        Lock::Absent => "none".to_owned(),
        Lock::Ours(holds) => format!("ours, for {}", holds.iter().map(|hold| hold.to_string()).collect::<Vec<_>>().join(", ")),
        Lock::Foreign { message, .. } => format!("somebody else's: {message}"),
    }
}

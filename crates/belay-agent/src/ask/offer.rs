//! What the run would apply, as far as it can be told before it does.

use std::path::{Path, PathBuf};

use belay_adapters::tools::host::{OfferedCatalog, UnreadableCatalog};
use belay_core::host::policy::HostPolicy;
use belay_core::model::gate::{Known, Offered};
use belay_core::model::ids::{Environment, HostId};
use belay_core::model::item::Items;

use super::Question;
use crate::bound::Bound;
use crate::durable;
use crate::kept::Kept;

/// The largest catalog that is read, in bytes.
pub const CATALOG_MAX: u64 = 256 * 1024 * 1024;
/// How far up the processes are looked at that asked.
const ANCESTORS_MAX: usize = 8;

/// What the run would apply.
pub(super) struct Offer {
    pub noop: bool,
    /// The run is limited to what installs and configures Belay itself.
    own: bool,
    environment: Option<Environment>,
    catalog: Option<OfferedCatalog>,
    /// What the catalog is compared with; none where it is not known what was applied.
    applied: Option<OfferedCatalog>,
}

/// What a question offers. What cannot be read is noted and done without: then it is not known what
/// would be applied.
pub(super) fn of(bound: &Bound, kept: &Kept, question: &Question, host: &HostId, notes: &mut Vec<String>) -> Offer {
    let above = if question.argv.is_empty() { ancestors() } else { Vec::new() };
    let argv = &question.argv;
    let noop = question.noop || bound.tool.is_noop(argv) || above.iter().any(|process| bound.tool.is_noop(&process.argv));
    let own = bound.tool.is_own(argv) || above.iter().any(|process| bound.tool.is_own(&process.argv));
    let environment = question.environment.clone().or_else(|| bound.tool.environment_of(argv));
    let path = question.catalog.clone().or_else(|| bound.tool.catalog_of(argv)).or_else(|| asked_by_a_run(bound, &above));
    // A rehearsal does not replace the catalog: the one that lies there is another run's.
    let read = path.filter(|_| !noop && !own).map(|path| read(bound, kept, &path, host));
    let (catalog, applied) = match read {
        Some(Ok((catalog, applied))) => (Some(catalog), applied),
        Some(Err(why)) => {
            notes.push(format!("it is not known what would be applied: {why}"));
            (None, None)
        }
        None => (None, None),
    };
    Offer { noop, own, environment, catalog, applied }
}

/// What is new in the catalog of this path, and what of the applied one it is to be compared with;
/// all of it where that is not known.
fn read(bound: &Bound, kept: &Kept, path: &Path, host: &HostId) -> Result<(OfferedCatalog, Option<OfferedCatalog>), String> {
    let bytes = durable::read(path, CATALOG_MAX).map_err(|why| format!("{why:#}"))?;
    let bytes = bytes.ok_or_else(|| format!("there is no {}", path.display()))?;
    let unreadable = |why: UnreadableCatalog| format!("{}: {why}", path.display());
    if let Some(applied) = kept.applied() {
        let news = bound.tool.news(&bytes, host, applied.known()).map_err(unreadable)?;
        if let Some(beside) = applied.setting(&news.against) {
            return Ok((news.catalog, Some(beside)));
        }
    }
    Ok((bound.tool.offered(&bytes, host).map_err(unreadable)?, None))
}

/// The catalog that the tool keeps, where it is one of the tool's runs that asks: then it is the one
/// about to be applied. At any other time it is the last run's, and says nothing of the next.
fn asked_by_a_run(bound: &Bound, above: &[Process]) -> Option<PathBuf> {
    let pid = durable::read(&bound.places.running, 64).ok()??;
    let pid: u32 = String::from_utf8(pid).ok()?.trim().parse().ok()?;
    above.iter().any(|process| process.pid == pid).then(|| bound.places.catalog.clone())
}

impl Offer {
    /// That the content itself asks for the gate to be opened: why.
    pub fn break_glass(&self) -> Option<&String> {
        self.catalog.as_ref().and_then(|catalog| catalog.break_glass.as_ref())
    }

    /// What the gate is asked about, by this policy.
    pub fn by(&self, policy: &HostPolicy) -> Offered {
        if self.noop {
            return Offered { noop: true, ..Offered::default() };
        }
        if self.own {
            // An upgrade of Belay does not wait for its own gate; a hold stands all the same.
            return Offered { delta: Some(Items::new()), ..Offered::default() };
        }
        let Some(catalog) = &self.catalog else {
            return Offered { environment: self.environment.clone(), ..Offered::default() };
        };
        let mut offered = catalog.against(self.applied.as_ref(), &|key, content| policy.known(key, content) != Known::Unseen);
        if self.applied.is_none()
            && let Some(delta) = &mut offered.delta
        {
            // It is not known what is new here: only what is known of its key can be weighed.
            let all = delta.len();
            delta.retain(|key, _| policy.items.contains_key(key));
            offered.opaque = offered.opaque.saturating_add(u32::try_from(all - delta.len()).unwrap_or(u32::MAX));
        }
        if offered.environment.is_none() {
            offered.environment.clone_from(&self.environment);
        }
        offered
    }
}

/// A process that asked, or asked for the one that asked.
struct Process {
    pid: u32,
    argv: Vec<String>,
}

/// The processes above this one, nearest first.
fn ancestors() -> Vec<Process> {
    let mut found = Vec::new();
    let mut pid = std::os::unix::process::parent_id();
    while pid > 1 && found.len() < ANCESTORS_MAX {
        let Ok(Some(line)) = durable::read(&PathBuf::from(format!("/proc/{pid}/cmdline")), 1 << 20) else { break };
        let argv = line.split(|byte| *byte == 0).filter(|word| !word.is_empty());
        found.push(Process { pid, argv: argv.map(|word| String::from_utf8_lossy(word).into_owned()).collect() });
        pid = parent_of(pid).unwrap_or(0);
    }
    found
}

fn parent_of(pid: u32) -> Option<u32> {
    let stat = durable::read(&PathBuf::from(format!("/proc/{pid}/stat")), 1 << 16).ok()??;
    let stat = String::from_utf8_lossy(&stat).into_owned();
    // The name in the middle may hold anything, blanks and brackets too.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

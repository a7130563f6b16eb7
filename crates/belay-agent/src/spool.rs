//! Reports on their way to the server: copied from where the tool writes them, once and in order,
//! and kept until the server has them. Each is one file; its name says its number, whether it
//! matters, and by which digest it is known.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Result;
use belay_core::host::spool::{Entry, next, to_drop};
use belay_core::model::ids::Digest;
use belay_core::model::time::Timestamp;

use crate::durable::{self, Sync};
use crate::kept::Kept;

/// The largest report that is taken, in bytes.
pub const REPORT_MAX: u64 = 64 * 1024 * 1024;
/// The most reports put aside that are kept.
const ASIDE_MAX: usize = 20;
/// The most files that are listed.
const FILES_MAX: usize = 100_000;

/// The spool.
#[derive(Clone, Debug)]
pub struct Spool {
    dir: PathBuf,
    aside: PathBuf,
    seen: PathBuf,
}

/// A report in the spool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spooled {
    /// What the order of the spool depends on.
    pub entry: Entry,
    /// By which the report is known.
    pub digest: Digest,
    /// Where it lies.
    pub path: PathBuf,
}

impl Spool {
    /// The spool of a folder; makes it where it is not there.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn open(kept: &Kept) -> Result<Self> {
        kept.make()?;
        let spool = Self { dir: kept.path("spool"), aside: kept.path("spool/aside"), seen: kept.path("seen") };
        // A report may hold what is nobody's business.
        durable::folder(&spool.dir, 0o700)?;
        durable::folder(&spool.aside, 0o700)?;
        Ok(spool)
    }

    /// All reports in it, oldest first.
    pub fn list(&self) -> Vec<Spooled> {
        let Ok(files) = std::fs::read_dir(&self.dir) else { return Vec::new() };
        let mut found: Vec<Spooled> = files.take(FILES_MAX).filter_map(|file| spooled(file.ok()?.path())).collect();
        found.sort_by_key(|one| one.entry.number);
        found
    }

    /// The one to send next.
    pub fn next(&self) -> Option<Spooled> {
        let all = self.list();
        let entries: Vec<Entry> = all.iter().map(|one| one.entry).collect();
        let number = next(&entries)?;
        all.into_iter().find(|one| one.entry.number == number)
    }

    /// Takes a report, unless it is the one that was taken last; says whether it did.
    ///
    /// # Errors
    /// It cannot be written: nothing was taken, and it is to be tried again.
    pub fn take(&self, report: &[u8], matters: bool, now: Timestamp) -> Result<bool> {
        let digest = Digest::of(report);
        let all = self.list();
        let seen = self.seen();
        // The report is written before it is noted as seen: after a crash in between it is found in the spool.
        let last = all.last().map(|one| (one.entry.number, one.digest)).max(seen);
        if let Some((number, known)) = last
            && known == digest
        {
            self.note_seen(number, digest)?;
            return Ok(false);
        }
        let number = last.map_or(1, |(number, _)| number + 1);
        let name = format!("{:012}.{}.{digest}.report", number, if matters { 'm' } else { 'u' });
        durable::write(&self.dir.join(name), report, 0o600, Sync::Yes)?;
        self.note_seen(number, digest)?;
        for number in to_drop(&self.list().iter().map(|one| one.entry).collect::<Vec<_>>(), now) {
            for one in all.iter().filter(|one| one.entry.number == number) {
                durable::remove(&one.path)?;
            }
        }
        Ok(true)
    }

    /// A report's bytes.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(&self, one: &Spooled) -> Result<Vec<u8>> {
        Ok(durable::read(&one.path, REPORT_MAX)?.unwrap_or_default())
    }

    /// The server has it.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn taken(&self, one: &Spooled) -> Result<()> {
        durable::remove(&one.path)
    }

    /// The server will never take it: the last few are kept for people.
    ///
    /// # Errors
    /// It cannot be moved.
    pub fn put_aside(&self, one: &Spooled) -> Result<()> {
        if let Some(name) = one.path.file_name() {
            durable::shift(&one.path, &self.aside.join(name))?;
        }
        let mut aside: Vec<PathBuf> = std::fs::read_dir(&self.aside)?.filter_map(|file| Some(file.ok()?.path())).collect();
        aside.sort();
        for old in aside.iter().take(aside.len().saturating_sub(ASIDE_MAX)) {
            durable::remove(old)?;
        }
        Ok(())
    }

    fn seen(&self) -> Option<(u64, Digest)> {
        let text = String::from_utf8(durable::read(&self.seen, 256).ok()??).ok()?;
        let (number, digest) = text.trim().split_once(' ')?;
        Some((number.parse().ok()?, Digest::parse(digest)?))
    }

    fn note_seen(&self, number: u64, digest: Digest) -> Result<()> {
        if self.seen() == Some((number, digest)) {
            return Ok(());
        }
        durable::write(&self.seen, format!("{number} {digest}\n").as_bytes(), 0o600, Sync::Yes)
    }
}

fn spooled(path: PathBuf) -> Option<Spooled> {
    let name = path.file_name()?.to_str()?;
    let mut parts = name.strip_suffix(".report")?.split('.');
    let (number, matters, digest) = (parts.next()?.parse().ok()?, parts.next()? != "u", Digest::parse(parts.next()?)?);
    let about = path.metadata().ok()?;
    let since = about.modified().ok()?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    let spooled = Timestamp::from_ms(i64::try_from(since.as_millis()).ok()?);
    Some(Spooled { entry: Entry { number, bytes: about.len(), spooled, matters }, digest, path })
}

/// Tells a new report from one that was there before, cheaply: by its time and size.
#[derive(Debug, Default)]
pub struct Watched {
    last: Option<(SystemTime, u64)>,
}

impl Watched {
    /// The report, if it is another than last time and whole.
    ///
    /// # Errors
    /// It is there and cannot be read; it is not looked at again until it is another one.
    pub fn news(&mut self, path: &Path) -> Result<Option<Vec<u8>>> {
        let Some(before) = stamp(path) else { return Ok(None) };
        if self.last == Some(before) {
            return Ok(None);
        }
        let bytes = durable::read(path, REPORT_MAX).inspect_err(|_| self.last = Some(before))?;
        // A report that is being written looks otherwise a moment later.
        if stamp(path) != Some(before) {
            return Ok(None);
        }
        self.last = Some(before);
        Ok(bytes.filter(|bytes| !bytes.is_empty()))
    }

    /// What was read could not be kept: it is read again.
    pub fn forget(&mut self) {
        self.last = None;
    }
}

fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let about = path.metadata().ok()?;
    Some((about.modified().ok()?, about.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(spool: &Spool) -> Vec<u64> {
        spool.list().iter().map(|one| one.entry.number).collect()
    }

    #[test]
    fn reports_are_taken_once_and_in_order_through_crashes() {
        let dir = tempfile::tempdir().unwrap();
        let kept = Kept::new(dir.path());
        let now = crate::clock::now();
        let spool = Spool::open(&kept).unwrap();
        assert!(spool.take(b"one", true, now).unwrap());
        assert!(!spool.take(b"one", true, now).unwrap());
        assert!(spool.take(b"two", false, now).unwrap());
        // A crash after the report was written and before it was noted.
        std::fs::write(kept.path("seen"), format!("1 {}\n", Digest::of(b"one"))).unwrap();
        let spool = Spool::open(&kept).unwrap();
        assert!(!spool.take(b"two", false, now).unwrap());
        assert_eq!(numbers(&spool), [1, 2]);
        let first = spool.next().unwrap();
        assert_eq!(spool.read(&first).unwrap(), b"one");
        spool.taken(&first).unwrap();
        spool.put_aside(&spool.next().unwrap()).unwrap();
        assert_eq!(spool.next(), None);
        assert!(!Spool::open(&kept).unwrap().take(b"two", false, now).unwrap(), "what was sent is not sent again");
        assert!(spool.take(b"one", true, now).unwrap(), "the same again later is another run");
        assert_eq!(numbers(&spool), [3]);
    }

    #[test]
    fn a_file_is_news_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("report");
        let mut watched = Watched::default();
        assert_eq!(watched.news(&path).unwrap(), None);
        std::fs::write(&path, "one").unwrap();
        assert_eq!(watched.news(&path).unwrap().unwrap(), b"one");
        assert_eq!(watched.news(&path).unwrap(), None);
        std::fs::write(&path, "two!").unwrap();
        assert!(watched.news(&path).unwrap().is_some());
    }
}

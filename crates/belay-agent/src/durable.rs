//! Files that survive: written whole or not at all, read within a bound.

use std::ffi::OsString;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How long another process of ours may be waited for.
const GUARD_WAIT: Duration = Duration::from_secs(2);

/// How a file ends that is not in its place yet.
const PART: &str = ".part";

/// Whether a file has to be on the disk before the caller goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sync {
    /// It has.
    Yes,
    /// It has to be whole, and may be the older one after a loss of power.
    No,
}

/// Whether a file that is there already is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum There {
    Replace,
    Keep,
}

/// A file's bytes; `None` when there is none.
///
/// # Errors
/// It cannot be read, is no plain file, or is larger than `max`.
pub fn read(path: &Path, max: u64) -> Result<Option<Vec<u8>>> {
    let file = match OpenOptions::new().read(true).custom_flags(NONBLOCK).open(path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let about = file.metadata().with_context(|| format!("cannot look at {}", path.display()))?;
    if !about.is_file() {
        bail!("{} is not a plain file", path.display());
    }
    if about.len() > max {
        bail!("{} has {} bytes; at most {max} are read", path.display(), about.len());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(about.len()).unwrap_or(0));
    file.take(max + 1).read_to_end(&mut bytes).with_context(|| format!("cannot read {}", path.display()))?;
    if bytes.len() as u64 > max {
        bail!("{} grew beyond {max} bytes while it was read", path.display());
    }
    Ok(Some(bytes))
}

/// Opening a pipe somebody put there must not wait for its other end (`O_NONBLOCK`; no effect on
/// plain files).
const NONBLOCK: i32 = 0o4000;

/// Writes a file whole: beside its place, then moved there. Its folder has to exist.
///
/// # Errors
/// The file or its folder cannot be written.
pub fn write(path: &Path, bytes: &[u8], mode: u32, sync: Sync) -> Result<()> {
    put(path, bytes, mode, sync, There::Replace).map(|_| ())
}

/// Writes a file whole unless there is one; says whether it did.
///
/// # Errors
/// The file or its folder cannot be written.
pub fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<bool> {
    put(path, bytes, mode, Sync::Yes, There::Keep)
}

fn put(path: &Path, bytes: &[u8], mode: u32, sync: Sync, there: There) -> Result<bool> {
    let beside = beside(path)?;
    let done = (|| -> std::io::Result<bool> {
        _ = std::fs::remove_file(&beside);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside)?;
        file.write_all(bytes)?;
        if sync == Sync::Yes {
            file.sync_all()?;
        }
        match there {
            There::Replace => std::fs::rename(&beside, path)?,
            // A link, unlike a rename, never takes the place of what somebody else put there.
            There::Keep => match std::fs::hard_link(&beside, path) {
                Ok(()) => std::fs::remove_file(&beside)?,
                Err(error) if error.kind() == ErrorKind::AlreadyExists => return std::fs::remove_file(&beside).map(|()| false),
                Err(error) => return Err(error),
            },
        }
        if sync == Sync::Yes { sync_folder(path).map(|()| true) } else { Ok(true) }
    })();
    if done.is_err() {
        _ = std::fs::remove_file(&beside);
    }
    done.with_context(|| format!("cannot write {}", path.display()))
}

/// Removes a file; it may be gone already.
///
/// # Errors
/// It is there and stays.
pub fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Ok(()) => sync_folder(path).with_context(|| format!("cannot remove {}", path.display())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot remove {}", path.display())),
    }
}

/// Moves a file within one file system.
///
/// # Errors
/// It cannot be moved.
pub fn shift(from: &Path, to: &Path) -> Result<()> {
    std::fs::rename(from, to).and_then(|()| sync_folder(to)).with_context(|| format!("cannot move {} to {}", from.display(), to.display()))
}

/// Makes a folder and those above it.
///
/// # Errors
/// It cannot be made.
pub fn folder(path: &Path, mode: u32) -> Result<()> {
    DirBuilder::new().recursive(true).mode(mode).create(path).with_context(|| format!("cannot make the folder {}", path.display()))
}

/// Has everything on the disk that was written to the file system of this folder: one call for thousands of files.
///
/// # Errors
/// Something could not be written.
pub fn sync_all(folder: &Path) -> Result<()> {
    let open = File::open(folder).with_context(|| format!("cannot open {}", folder.display()))?;
    rustix::fs::syncfs(&open).with_context(|| format!("{} cannot be brought to the disk", folder.display()))
}

fn sync_folder(path: &Path) -> std::io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

fn beside(path: &Path) -> Result<PathBuf> {
    let name = path.file_name().with_context(|| format!("{} is no file's name", path.display()))?;
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}-{:?}{PART}", std::process::id(), std::thread::current().id()));
    Ok(path.with_file_name(hidden))
}

/// Removes what was begun beside its place in this folder and never moved there: the process that
/// wrote it was ended. What is younger than `age` may still be in the making.
pub fn sweep(folder: &Path, age: Duration) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let old = entry.metadata().and_then(|about| about.modified()).is_ok_and(|at| at.elapsed().is_ok_and(|passed| passed >= age));
        if name.starts_with('.') && name.ends_with(PART) && old {
            _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Only one of our processes alters the state at a time: held until dropped.
pub struct Guard(#[expect(dead_code, reason = "the lock goes when the file is closed")] File);

/// Waits a moment for the right to alter the state.
///
/// # Errors
/// The file cannot be opened (who is not root may not alter the state), or another process keeps it.
pub fn guard(path: &Path) -> Result<Guard> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path);
    let file = file.with_context(|| format!("cannot open {}: are you root?", path.display()))?;
    let since = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Guard(file)),
            Err(TryLockError::WouldBlock) if since.elapsed() < GUARD_WAIT => std::thread::sleep(Duration::from_millis(2)),
            Err(TryLockError::WouldBlock) => bail!("another belay-agent keeps {} for more than {GUARD_WAIT:?}", path.display()),
            Err(TryLockError::Error(error)) => return Err(error).with_context(|| format!("cannot lock {}", path.display())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_whole_and_read_within_its_bound() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        assert_eq!(read(&path, 10).unwrap(), None);
        write(&path, b"one", 0o600, Sync::Yes).unwrap();
        write(&path, b"two", 0o600, Sync::No).unwrap();
        assert_eq!(read(&path, 3).unwrap().unwrap(), b"two");
        assert!(read(&path, 2).unwrap_err().to_string().contains("at most 2"));
        assert!(read(dir.path(), 10).unwrap_err().to_string().contains("not a plain file"));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
        remove(&path).unwrap();
        remove(&path).unwrap();
    }

    #[test]
    fn what_a_process_left_behind_is_swept() {
        let dir = tempfile::tempdir().unwrap();
        for name in [".a.1-ThreadId(1).part", "b.part", ".c"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        sweep(dir.path(), Duration::from_secs(60));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 3);
        sweep(dir.path(), Duration::ZERO);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn what_somebody_else_put_there_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        assert!(write_new(&path, b"ours", 0o644).unwrap());
        assert!(!write_new(&path, b"again", 0o644).unwrap());
        assert_eq!(read(&path, 10).unwrap().unwrap(), b"ours");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn the_state_is_altered_by_one_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("guard");
        let held = guard(&path).unwrap();
        assert!(guard(&path).is_err());
        drop(held);
        assert!(guard(&path).is_ok());
    }
}

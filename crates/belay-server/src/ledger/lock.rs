//! The lock of a state directory: one process at a time writes to a ledger. The kernel lets go of
//! the lock when the process ends, however it ends, so a stale file can never keep a server away.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use super::LedgerError;

const NAME: &str = "lock";

/// Held while a process owns a state directory.
#[derive(Debug)]
pub struct StateLock {
    _file: File,
}

impl StateLock {
    /// Makes the directory if needed and takes its lock.
    ///
    /// # Errors
    /// [`LedgerError::Locked`] names the process that holds it.
    pub fn take(dir: &Path) -> Result<Self, LedgerError> {
        let io = |source| LedgerError::Io { doing: "make the state directory", path: dir.to_owned(), source };
        std::fs::DirBuilder::new().recursive(true).mode(0o750).create(dir).map_err(io)?;
        let path = dir.join(NAME);
        let io = |source| LedgerError::Io { doing: "lock the state directory", path: path.clone(), source };
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LedgerError::Locked { dir: dir.to_owned(), pid: holder(&mut file) }),
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
        let pid = std::process::id().to_string();
        file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(pid.as_bytes())).map_err(io)?;
        Ok(Self { _file: file })
    }
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.take(20).read_to_string(&mut text);
    match read {
        Ok(_) if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) => text,
        _ => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_owner_is_refused_and_told_who_holds_it() {
        let dir = tempfile::tempdir().unwrap();
        let first = StateLock::take(dir.path()).unwrap();
        let refused = StateLock::take(dir.path()).unwrap_err().to_string();
        assert!(refused.contains(&format!("process {}", std::process::id())), "{refused}");
        drop(first);
        StateLock::take(dir.path()).unwrap();
    }
}

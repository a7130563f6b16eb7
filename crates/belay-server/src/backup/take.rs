//! Taking a backup, also while a server writes.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use belay_core::model::time::Timestamp;
use flate2::Compression;
use flate2::write::GzEncoder;
use rusqlite::backup::Backup;
use rusqlite::{Connection, OpenFlags};

use super::{BackupError, Entry, FORM, MANIFEST, Manifest, SIGNALS, Summed, tar};
use crate::disk;
use crate::ledger::{self, LedgerError};
use crate::signals;

/// The copy of the ledger, while it is made. One that death left behind is replaced by the next.
const COPY: &str = "backup.tmp";

/// Writes a backup of a state directory. The caller sees to it that no two are taken at one time.
///
/// # Errors
/// See [`BackupError`]; what was written until then is no backup, and is recognised as none.
pub fn take(state_dir: &Path, taken: Timestamp, out: impl Write) -> Result<Manifest, BackupError> {
    let copy = Copied::of(state_dir)?;
    let mut archive =
        Archive { out: GzEncoder::new(out, Compression::fast()), mtime_s: taken.ms().max(0).unsigned_abs() / 1000, files: Vec::new() };
    let bytes = copy.file.metadata().map_err(BackupError::io("look at the copy of the ledger"))?.len();
    archive.append(ledger::FILE, &copy.file, bytes)?;
    for path in belay_signals::segments(&state_dir.join(signals::FOLDER))? {
        match File::open(&path) {
            Ok(file) => archive.segment(&path, &file)?,
            // It was forgotten in the meantime, as what is old is.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(BackupError::io(format!("open {}", path.display()))(error)),
        }
    }
    let manifest = Manifest {
        form: FORM,
        belay: env!("CARGO_PKG_VERSION").to_owned(),
        taken: taken.to_string(),
        taken_ms: taken.ms(),
        ledger_format: copy.format,
        facts: copy.facts,
        files: archive.files.clone(),
    };
    archive.finish(&manifest).map_err(BackupError::io("write the backup"))?;
    Ok(manifest)
}

/// The ledger as of one moment. Its file has no name any more: it is gone with this, however the process ends.
struct Copied {
    file: File,
    format: u32,
    facts: u64,
}

impl Copied {
    fn of(state_dir: &Path) -> Result<Self, BackupError> {
        let (from, to) = (state_dir.join(ledger::FILE), state_dir.join(COPY));
        room(state_dir)?;
        let doing = || format!("make {}", to.display());
        match std::fs::remove_file(&to) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(BackupError::io(doing())(error)),
            Ok(()) | Err(_) => {}
        }
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&to).map_err(BackupError::io(doing()))?;
        let unnamed = Unnamed(to);
        let sqlite = |source| LedgerError::Sqlite { doing: "copy the ledger", source };
        let (format, facts) = copy(&from, &unnamed.0).map_err(sqlite)?;
        let file = File::open(&unnamed.0).map_err(BackupError::io("open the copy of the ledger"))?;
        Ok(Self { file, format, facts })
    }
}

/// A file whose name goes as soon as this does.
struct Unnamed(PathBuf);

impl Drop for Unnamed {
    fn drop(&mut self) {
        // What stays is replaced by the next backup.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// The engine's own copying, in one step: it reads one moment, however much is written meanwhile.
fn copy(from: &Path, to: &Path) -> rusqlite::Result<(u32, u64)> {
    let reading = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let from = Connection::open_with_flags(from, reading)?;
    from.busy_timeout(std::time::Duration::from_secs(10))?;
    let mut to = Connection::open(to)?;
    Backup::new(&from, &mut to)?.step(-1)?;
    // One file: without this the copy would want a log of its own beside it.
    to.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()))?;
    let format = to.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let facts: i64 = to.query_row("SELECT coalesce(max(seq), 0) FROM facts", [], |row| row.get(0))?;
    Ok((format, facts.unsigned_abs()))
}

/// Whether there is room for the copy of the ledger: it must not take what is kept for what a server has to write.
///
/// # Errors
/// [`BackupError::NoRoom`], or why the ledger cannot be found.
pub fn room(state_dir: &Path) -> Result<(), BackupError> {
    let from = state_dir.join(ledger::FILE);
    let needed = std::fs::metadata(&from).map_err(BackupError::io(format!("find the ledger {}", from.display())))?.len();
    let free = disk::room(state_dir).map_or(u64::MAX, |room| room.free.saturating_sub(disk::RESERVED));
    if needed <= free {
        return Ok(());
    }
    Err(BackupError::NoRoom { dir: state_dir.to_owned(), needed: needed.div_ceil(1 << 20), free: free >> 20 })
}

/// A backup in the making.
struct Archive<W: Write> {
    out: GzEncoder<W>,
    mtime_s: u64,
    files: Vec<Entry>,
}

impl<W: Write> Archive<W> {
    /// A segment as long as it is now: what is written to it from here on is not in this backup.
    fn segment(&mut self, path: &Path, file: &File) -> Result<(), BackupError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let bytes = file.metadata().map_err(BackupError::io(format!("look at {}", path.display())))?.len();
        self.append(&format!("{SIGNALS}{name}"), file, bytes)
    }

    fn append(&mut self, name: &str, file: impl Read, bytes: u64) -> Result<(), BackupError> {
        // A write that failed is cut off again by the server: what is short then is filled up, and is no frame.
        let mut whole = Summed::new(file.chain(io::repeat(0)).take(bytes));
        let header = tar::Header { name: name.to_owned(), bytes };
        let written = header
            .write(&mut self.out, self.mtime_s)
            .and_then(|()| io::copy(&mut whole, &mut self.out))
            .and_then(|_| tar::pad(&mut self.out, bytes));
        written.map_err(BackupError::io(format!("write {name} into the backup")))?;
        self.files.push(whole.entry(name.to_owned()));
        Ok(())
    }

    fn finish(mut self, manifest: &Manifest) -> io::Result<()> {
        let text = serde_json::to_vec_pretty(manifest)?;
        tar::Header { name: MANIFEST.to_owned(), bytes: text.len() as u64 }.write(&mut self.out, self.mtime_s)?;
        self.out.write_all(&text)?;
        tar::pad(&mut self.out, text.len() as u64)?;
        tar::end(&mut self.out)?;
        self.out.finish()?.flush()
    }
}

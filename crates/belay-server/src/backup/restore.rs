//! Reading a backup: to see whether it is whole, or to put it back.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use belay_core::decide::{Input, decide};
use belay_core::model::principal::Actor;
use belay_core::model::time::Timestamp;
use flate2::read::MultiGzDecoder;

use super::{BackupError, Entry, FILES_MAX, FORM, MANIFEST, MANIFEST_MAX, Manifest, SIGNALS, Summed, tar};
use crate::ledger::{self, Batch, Ledger, MIGRATIONS, StateLock};
use crate::signals;

/// What follows the manifest is less than this: what fills its block, and the end.
const AFTER_MAX: u64 = 16 << 10;

/// What was put back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// What the backup says of itself.
    pub manifest: Manifest,
    /// The history that begins with it.
    pub incarnation: u64,
    /// The number of the last fact now.
    pub facts: u64,
}

/// Reads a backup through and compares every file with what the backup says of it.
///
/// # Errors
/// When it is no whole backup of this build or an earlier one.
pub fn verify(archive: impl Read) -> Result<Manifest, BackupError> {
    read(archive, &mut |_, bytes| io::copy(bytes, &mut io::sink()).map(drop))
}

/// Puts a backup into a directory, which is made where there is none, and must be empty; then begins another history there, so that
/// hosts tell of what came after the backup. After an error the directory is as empty as before.
///
/// # Errors
/// See [`BackupError`].
pub fn restore(archive: impl Read, into: &Path, actor: Actor, now: Timestamp) -> Result<Restored, BackupError> {
    refuse_occupied(into)?;
    let lock = StateLock::take(into)?;
    let restored = unpack(archive, into).and_then(|manifest| {
        // The ledger takes the lock for itself.
        drop(lock);
        begin(into, &manifest, actor, now).map(|(incarnation, facts)| Restored { manifest, incarnation, facts })
    });
    if restored.is_err() {
        clear(into);
    }
    restored
}

fn refuse_occupied(into: &Path) -> Result<(), BackupError> {
    let mut entries = match std::fs::read_dir(into) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(BackupError::io(format!("look into {}", into.display()))(error)),
    };
    match entries.next() {
        None => Ok(()),
        Some(entry) => {
            let found = entry.map(|entry| entry.file_name().to_string_lossy().into_owned()).unwrap_or_default();
            Err(BackupError::Occupied { dir: into.to_owned(), found })
        }
    }
}

/// It was empty before: everything in it is ours.
fn clear(into: &Path) {
    for entry in std::fs::read_dir(into).into_iter().flatten().flatten() {
        let path = entry.path();
        let removed = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
        if let Err(error) = removed {
            tracing::warn!(%error, path = %path.display(), "what was restored in vain could not be removed");
        }
    }
}

fn unpack(archive: impl Read, into: &Path) -> Result<Manifest, BackupError> {
    let folder = into.join(signals::FOLDER);
    DirBuilder::new().mode(0o750).create(&folder).map_err(BackupError::io(format!("make {}", folder.display())))?;
    let manifest = read(archive, &mut |name, bytes| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(into.join(name))?;
        io::copy(bytes, &mut file)?;
        file.flush().and_then(|()| file.sync_all())
    })?;
    let synced = [folder.as_path(), into].into_iter().try_for_each(|dir| File::open(dir)?.sync_all());
    synced.map_err(BackupError::io(format!("sync {}", into.display())))?;
    Ok(manifest)
}

/// Goes through a backup. Each file is given to `each`; what it leaves is read all the same.
fn read(archive: impl Read, each: &mut dyn FnMut(&str, &mut dyn Read) -> io::Result<()>) -> Result<Manifest, BackupError> {
    let mut archive = MultiGzDecoder::new(io::BufReader::with_capacity(1 << 16, archive));
    let mut found: Vec<Entry> = Vec::new();
    loop {
        let header = tar::Header::read(&mut archive).map_err(BackupError::Broken)?;
        let Some(tar::Header { name, bytes }) = header else {
            return Err(BackupError::Broken("it ends without its manifest".to_owned()));
        };
        if name == MANIFEST {
            return compared(&mut archive, bytes, &found);
        }
        if !is_ours(&name) || found.len() >= FILES_MAX || found.iter().any(|entry| entry.name == name) {
            return Err(BackupError::Broken(format!("{name:?} does not belong into one")));
        }
        let mut body = Summed::new((&mut archive).take(bytes));
        each(&name, &mut body).map_err(|error| unreadable(&name, error))?;
        let entry = body.entry(name);
        if entry.bytes != bytes {
            return Err(BackupError::Broken("it ends in the middle".to_owned()));
        }
        tar::skip_padding(&mut archive, bytes).map_err(BackupError::Broken)?;
        found.push(entry);
    }
}

/// Bytes that cannot be unpacked are the backup's fault; a disk that is full is not.
fn unreadable(name: &str, error: io::Error) -> BackupError {
    match error.kind() {
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => BackupError::Broken(tar::cut(&error)),
        _ => BackupError::io(format!("restore {name}"))(error),
    }
}

/// Only names that a backup is made of: nothing of it ends up elsewhere.
fn is_ours(name: &str) -> bool {
    let segment = |rest: &str| rest.strip_prefix("segment-").and_then(|rest| rest.strip_suffix(".log")).is_some_and(is_number);
    name == ledger::FILE || name.strip_prefix(SIGNALS).is_some_and(segment)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.len() <= 20 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn compared(archive: &mut impl Read, bytes: u64, found: &[Entry]) -> Result<Manifest, BackupError> {
    if bytes > MANIFEST_MAX {
        return Err(BackupError::Broken("its manifest is too long".to_owned()));
    }
    let mut text = Vec::new();
    archive.take(bytes).read_to_end(&mut text).map_err(|error| BackupError::Broken(tar::cut(&error)))?;
    // Only at the end of the packed bytes is their own checksum compared, which is the manifest's too.
    let after = io::copy(&mut archive.take(AFTER_MAX), &mut io::sink()).map_err(|error| BackupError::Broken(tar::cut(&error)))?;
    if after == AFTER_MAX {
        return Err(BackupError::Broken("it goes on after its manifest".to_owned()));
    }
    let manifest: Manifest =
        serde_json::from_slice(&text).map_err(|error| BackupError::Broken(format!("its manifest cannot be read: {error}")))?;
    let newest = MIGRATIONS.last().map_or(0, |last| last.number);
    for (what, found, known) in [("its form is", manifest.form, FORM), ("the ledger's format is", manifest.ledger_format, newest)] {
        if found > known {
            return Err(BackupError::Newer { belay: manifest.belay, what, found, known });
        }
    }
    if let Some((said, _)) = manifest.files.iter().zip(found).find(|(said, found)| said != found) {
        return Err(BackupError::Broken(format!("{} is not what the manifest says: it was damaged", said.name)));
    }
    if manifest.files.len() != found.len() || !found.iter().any(|entry| entry.name == ledger::FILE) {
        return Err(BackupError::Broken("files are missing that the manifest names".to_owned()));
    }
    Ok(manifest)
}

/// Opens the ledger, which brings an older one to this build's format, folds it, and begins the new history in it.
fn begin(dir: &Path, manifest: &Manifest, actor: Actor, now: Timestamp) -> Result<(u64, u64), BackupError> {
    let mut ledger = Ledger::open(dir, None)?;
    let (mut state, _) = ledger.load()?;
    let now = now.max(state.now);
    let (facts, _) = decide(&state, now, &Input::Restored { actor, taken: Timestamp::from_ms(manifest.taken_ms) });
    facts.iter().for_each(|fact| state.apply(now, fact));
    let batch = Batch { facts: facts.into_iter().map(|fact| (now, fact)).collect(), ..Batch::default() };
    let committed = ledger.commit(&batch, &state)?;
    Ok((state.counters.incarnation, committed.last))
}

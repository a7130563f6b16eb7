//! The log on disk: a directory of segments, the last of which grows.
//!
//! Knows files, not samples. One call of [`Log::write`] is one `write` of one checksummed frame at the end of the open segment; when it
//! returns, process death loses nothing. A write that fails is cut off again, so that the file ends with the last whole frame and the
//! next attempt begins where this one did.

use crate::error::StoreError;
use crate::record::{Draft, NextNumbers};
use crate::segment::{HEADER_BYTES, Header, begin_frame, finish_frame};
use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

const DAY_MS: i64 = 86_400_000;

/// The segment that grows.
#[derive(Debug)]
pub(crate) struct Active {
    pub(crate) file: File,
    pub(crate) header: Header,
    /// Where the last whole frame ends.
    pub(crate) bytes: u64,
    /// The newest sample in it.
    pub(crate) newest: Option<i64>,
    pub(crate) next: NextNumbers,
    /// Written since the last sync.
    pub(crate) dirty: bool,
    /// A failed write may have left bytes after the last whole frame.
    pub(crate) ragged: bool,
}

/// A segment that grows no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Closed {
    pub(crate) number: u64,
    pub(crate) bytes: u64,
    /// The newest sample in it; `None` if it has none, or could not be read.
    pub(crate) newest: Option<i64>,
    /// Nothing to be gained from compacting it: it was, or it is damaged and kept as it is.
    pub(crate) settled: bool,
}

#[derive(Debug)]
pub(crate) struct Log {
    dir: PathBuf,
    segment_bytes: u64,
    pub(crate) active: Option<Active>,
    /// Ascending by number.
    pub(crate) closed: Vec<Closed>,
    last_number: u64,
    last_day: i64,
    /// Closed, but not yet synced.
    unsynced: Vec<(u64, File)>,
    /// A file was made, renamed or removed since the directory was synced.
    dir_dirty: bool,
    /// A sync failed. What the system dropped is unknown, so nothing may be acknowledged any more.
    broken: bool,
    frame: Vec<u8>,
}

/// What a sync has to write through, taken out so that no lock is held meanwhile.
#[derive(Debug)]
pub(crate) struct ToSync {
    files: Vec<(PathBuf, File)>,
    dir: Option<PathBuf>,
}

impl ToSync {
    /// Writes it through.
    pub(crate) fn sync(self) -> Result<(), StoreError> {
        for (path, file) in &self.files {
            file.sync_data().map_err(StoreError::io("cannot sync", path))?;
        }
        match self.dir {
            Some(dir) => sync_dir(&dir),
            None => Ok(()),
        }
    }
}

impl Log {
    pub(crate) fn new(dir: &Path, segment_bytes: u64, closed: Vec<Closed>, active: Option<Active>, last_number: u64) -> Log {
        let last_day = active.as_ref().map_or(0, |a| a.header.day);
        Log {
            dir: dir.to_owned(),
            segment_bytes,
            active,
            closed,
            last_number,
            last_day,
            unsynced: Vec::new(),
            dir_dirty: true,
            broken: false,
            frame: Vec::new(),
        }
    }

    /// All bytes of the log.
    pub(crate) fn bytes(&self) -> u64 {
        self.closed.iter().map(|c| c.bytes).sum::<u64>() + self.active.as_ref().map_or(0, |a| a.bytes)
    }

    pub(crate) fn segments(&self) -> usize {
        self.closed.len() + usize::from(self.active.is_some())
    }

    pub(crate) fn path(&self, number: u64) -> PathBuf {
        segment_path(&self.dir, number)
    }

    /// The open segment for a write at `now_ms`: begun if there is none, or if the day is over or it is full. A clock that goes back
    /// begins none.
    pub(crate) fn open_segment(&mut self, now_ms: i64, floor: Option<i64>) -> Result<&mut Active, StoreError> {
        if self.broken {
            return Err(StoreError::Broken);
        }
        let day = now_ms.div_euclid(DAY_MS).max(self.last_day);
        self.repair()?;
        if let Some(active) = self.active.take_if(|a| a.header.day < day || a.bytes >= self.segment_bytes) {
            self.close(active);
        }
        let active = match self.active.take() {
            Some(active) => active,
            None => self.begin(day, floor)?,
        };
        Ok(self.active.insert(active))
    }

    fn close(&mut self, active: Active) {
        let number = active.header.number;
        self.closed.push(Closed { number, bytes: active.bytes, newest: active.newest, settled: false });
        if active.dirty {
            self.unsynced.push((number, active.file));
        }
    }

    /// Cuts off what a failed write may have left.
    fn repair(&mut self) -> Result<(), StoreError> {
        let Some(active) = self.active.as_mut().filter(|a| a.ragged) else { return Ok(()) };
        let path = segment_path(&self.dir, active.header.number);
        active.file.set_len(active.bytes).map_err(StoreError::io("cannot cut off a failed write from", &path))?;
        active.ragged = false;
        Ok(())
    }

    fn begin(&mut self, day: i64, floor: Option<i64>) -> Result<Active, StoreError> {
        let number = self.last_number + 1;
        let path = self.path(number);
        let header = Header { number, nonce: nonce(), day, floor, compacted: false };
        let file = OpenOptions::new().write(true).create_new(true).open(&path).map_err(StoreError::io("cannot create", &path))?;
        if let Err(error) = file.write_all_at(&header.write(), 0) {
            // Should this fail too, the next start finds a file that is too short for a header, and removes it.
            drop(fs::remove_file(&path));
            self.last_number = number;
            return Err(StoreError::io("cannot write", &path)(error));
        }
        self.last_number = number;
        self.last_day = day;
        self.dir_dirty = true;
        let bytes = HEADER_BYTES as u64;
        Ok(Active { file, header, bytes, newest: None, next: NextNumbers::default(), dirty: true, ragged: false })
    }

    /// Writes a data record, drafted for the segment that [`Log::open_segment`] gave, to its end.
    pub(crate) fn write(&mut self, draft: &Draft) -> Result<(), StoreError> {
        self.write_frame(|frame| draft.write(frame))?;
        if let Some(active) = &mut self.active {
            active.next = draft.next();
            active.newest = active.newest.max(draft.newest());
        }
        Ok(())
    }

    /// Writes a record to the end of the open segment.
    pub(crate) fn write_frame(&mut self, record: impl FnOnce(&mut Vec<u8>)) -> Result<(), StoreError> {
        let path = self.path(self.last_number);
        let Some(active) = &mut self.active else {
            return Err(StoreError::io("no open segment", &path)(io::Error::from(io::ErrorKind::NotFound)));
        };
        begin_frame(&mut self.frame);
        record(&mut self.frame);
        if !finish_frame(&mut self.frame, active.header.nonce) {
            return Err(StoreError::io("too large a record for", &path)(io::Error::from(io::ErrorKind::FileTooLarge)));
        }
        if let Err(error) = active.file.write_all_at(&self.frame, active.bytes) {
            // A disk that is full can still be cut; if not, the next write tries again before it writes.
            active.ragged = active.file.set_len(active.bytes).is_err();
            return Err(StoreError::io("cannot write", &path)(error));
        }
        active.bytes += self.frame.len() as u64;
        active.dirty = true;
        // One huge request should not be remembered as memory for ever.
        self.frame.shrink_to(1 << 20);
        Ok(())
    }

    /// Takes out what has to be synced. If that fails, tell [`Log::sync_failed`].
    pub(crate) fn take_unsynced(&mut self) -> Result<ToSync, StoreError> {
        if self.broken {
            return Err(StoreError::Broken);
        }
        let mut files = Vec::new();
        if let Some(active) = self.active.as_mut().filter(|a| a.dirty) {
            let path = segment_path(&self.dir, active.header.number);
            let file = active.file.try_clone().map_err(StoreError::io("cannot open again", &path))?;
            active.dirty = false;
            files.push((path, file));
        }
        let closed = std::mem::take(&mut self.unsynced);
        files.extend(closed.into_iter().map(|(number, file)| (segment_path(&self.dir, number), file)));
        let dir = std::mem::take(&mut self.dir_dirty).then(|| self.dir.clone());
        Ok(ToSync { files, dir })
    }

    pub(crate) fn sync_failed(&mut self) {
        self.broken = true;
    }

    /// Removes the closed segments whose samples are all older than `floor`. A segment without samples, or that could not be read, goes
    /// with the first one after it.
    pub(crate) fn drop_before(&mut self, floor: i64) -> Result<(), StoreError> {
        let old = |c: &Closed| c.newest.is_some_and(|newest| newest < floor);
        let unknown_until = self.closed.iter().rposition(old).unwrap_or(0);
        let mut kept = Vec::with_capacity(self.closed.len());
        let mut failed = None;
        for (at, segment) in std::mem::take(&mut self.closed).into_iter().enumerate() {
            if !old(&segment) && (segment.newest.is_some() || at >= unknown_until) {
                kept.push(segment);
                continue;
            }
            let path = self.path(segment.number);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    kept.push(segment);
                    failed.get_or_insert_with(|| StoreError::io("cannot remove", &path)(error));
                }
                Ok(()) | Err(_) => {
                    self.dir_dirty = true;
                    self.unsynced.retain(|(number, _)| *number != segment.number);
                }
            }
        }
        self.closed = kept;
        failed.map_or(Ok(()), Err)
    }

    /// Puts a compacted file into the place of a closed segment, if it is still there and no larger; else removes the new file.
    pub(crate) fn replace(&mut self, number: u64, with: &Path, bytes: u64) -> Result<bool, StoreError> {
        let path = self.path(number);
        let Some(segment) = self.closed.iter_mut().find(|c| c.number == number) else {
            return fs::remove_file(with).map(|()| false).map_err(StoreError::io("cannot remove", with));
        };
        if bytes >= segment.bytes {
            segment.settled = true;
            return fs::remove_file(with).map(|()| false).map_err(StoreError::io("cannot remove", with));
        }
        fs::rename(with, &path).map_err(StoreError::io("cannot rename", with))?;
        segment.settled = true;
        segment.bytes = bytes;
        self.unsynced.retain(|(unsynced, _)| *unsynced != number);
        self.dir_dirty = true;
        Ok(true)
    }
}

/// Where a segment is.
pub(crate) fn segment_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("segment-{number:010}.log"))
}

/// The number in the name of a segment file.
pub(crate) fn segment_number(name: &str) -> Option<u64> {
    name.strip_prefix("segment-")?.strip_suffix(".log")?.parse().ok()
}

/// Makes names in the directory survive a power loss.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), StoreError> {
    File::open(dir).and_then(|d| d.sync_all()).map_err(StoreError::io("cannot sync", dir))
}

/// Another number for each file; nobody outside can know it.
pub(crate) fn nonce() -> u32 {
    RandomState::new().build_hasher().finish() as u32
}

#[cfg(test)]
mod tests;

//! Looking at a log without opening it: nothing is locked and nothing changed, so that it can be done beside a store that writes.
//!
//! A segment stands for itself (its numbers are its own), so one is read at a time, into a head that is thrown away.

use crate::error::StoreError;
use crate::head::Head;
use crate::log::segment_path;
use crate::replay::{Damage, list, read_frames};
use crate::segment::{BadHeader, Header};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// More damages than this are counted, not listed.
const LISTED: usize = 100;

/// What a look at a log found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checked {
    /// Segment files read.
    pub segments: usize,
    /// Bytes of them.
    pub bytes: u64,
    /// Bytes at the end of the last segment that are no whole frame: a write that death interrupted, or one that goes on.
    pub torn_bytes: u64,
    /// Bytes elsewhere that are no whole frame (at most 100 entries).
    pub damage: Vec<Damage>,
    /// Bytes of all damage.
    pub damaged_bytes: u64,
    /// Samples whose series is defined in a damaged frame.
    pub orphans: u64,
}

/// The files of the log in `dir`, oldest first; none where there is no such directory. The last may grow while it is read: what it holds
/// up to any length is what death would have left.
///
/// # Errors
/// When the directory cannot be listed.
pub fn segments(dir: &Path) -> Result<Vec<PathBuf>, StoreError> {
    if !dir.exists() {
        return Ok(Vec::new());
    }
    let (numbers, _) = list(dir)?;
    Ok(numbers.into_iter().map(|number| segment_path(dir, number)).collect())
}

/// Looks at every frame of every segment in `dir`. `seen` is told of the bytes of each file that was read.
///
/// # Errors
/// When a file cannot be read. Damaged data is no error.
pub fn check(dir: &Path, seen: &mut dyn FnMut(u64)) -> Result<Checked, StoreError> {
    let mut checked = Checked::default();
    let paths = segments(dir)?;
    for (at, path) in paths.iter().enumerate() {
        let file = match fs::read(path) {
            Ok(file) => file,
            // It was forgotten in the meantime, as what is old is.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(StoreError::io("cannot read", path)(error)),
        };
        checked.segments += 1;
        checked.bytes += file.len() as u64;
        checked.segment(path, &file, at + 1 == paths.len());
        seen(file.len() as u64);
    }
    Ok(checked)
}

impl Checked {
    /// Whether nothing that was written is missing.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.damaged_bytes == 0 && self.orphans == 0
    }

    fn segment(&mut self, path: &Path, file: &[u8], is_last: bool) {
        let header = match Header::read(file) {
            Ok(header) => header,
            Err(BadHeader::Short) if is_last => {
                self.torn_bytes += file.len() as u64;
                return;
            }
            Err(BadHeader::Short | BadHeader::Damaged | BadHeader::Newer(_)) => {
                self.damaged(path, 0, file.len());
                return;
            }
        };
        let contents = read_frames(file, &header, &mut Head::default());
        self.orphans += contents.read.orphans;
        for (from, to) in contents.damage {
            if is_last && from >= contents.end {
                self.torn_bytes += (to - from) as u64;
            } else {
                self.damaged(path, from, to);
            }
        }
    }

    fn damaged(&mut self, path: &Path, from: usize, to: usize) {
        let bytes = to.saturating_sub(from) as u64;
        self.damaged_bytes += bytes;
        if self.damage.len() < LISTED {
            let file = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
            self.damage.push(Damage { file, offset: from as u64, bytes });
        }
    }
}

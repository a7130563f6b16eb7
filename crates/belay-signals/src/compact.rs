//! Compaction of one closed segment: the same samples, put together by series, in a third of the bytes.
//!
//! The log receives one sample of many series at a time, which is quick to write and long to store. Once a segment grows no more it is
//! read into a head of its own, with the same code as at a start, and written again. The new file takes the old one's place by a
//! rename, after it was synced: at every moment there is one whole segment with this number.

use crate::error::StoreError;
use crate::head::Head;
use crate::log::nonce;
use crate::record::{Draft, NextNumbers};
use crate::replay::read_frames;
use crate::segment::{Header, begin_frame, finish_frame};
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// Frames are ended after this many bytes: damage then costs this much.
const FRAME_BYTES: usize = 256 << 10;

/// What a compaction came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compacted {
    /// Bytes of the segment before.
    pub before: u64,
    /// Bytes of it now; the same if nothing was gained.
    pub after: u64,
}

/// A new file beside the old one, complete and synced.
pub(crate) struct Rewritten {
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
}

/// Writes the samples of the segment at `path` that are not older than `floor` to a new file. `None` if the segment is damaged: it is
/// kept as it is.
pub(crate) fn rewrite(path: &Path, floor: Option<i64>) -> Result<Option<Rewritten>, StoreError> {
    let file = fs::read(path).map_err(StoreError::io("cannot read", path))?;
    let Ok(header) = Header::read(&file) else { return Ok(None) };
    let mut head = Head::default();
    let contents = read_frames(&file, &header, &mut head);
    if !contents.damage.is_empty() || contents.read.orphans > 0 {
        return Ok(None);
    }
    drop(file);
    let new_path = path.with_extension("log.tmp");
    let floor = floor.max(contents.read.floor);
    let header = Header { nonce: nonce(), floor, compacted: true, ..header };
    let bytes = write_file(&new_path, &header, &mut head, floor).map_err(StoreError::io("cannot write", &new_path))?;
    Ok(Some(Rewritten { path: new_path, bytes }))
}

fn write_file(path: &Path, header: &Header, head: &mut Head, floor: Option<i64>) -> Result<u64, std::io::Error> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    out.write_all(&header.write())?;
    let mut bytes = header.write().len() as u64;
    let mut frame = Vec::new();
    let mut draft: Option<Draft> = None;
    let mut next = NextNumbers::default();
    let mut samples = Vec::new();
    let ids: Vec<_> = head.iter().map(|(id, _)| id).collect();
    for (at, &id) in ids.iter().enumerate() {
        let Some(series) = head.series(id) else { continue };
        samples.clear();
        series.read(floor.unwrap_or(i64::MIN), i64::MAX, &mut samples);
        if let Some(&(first, _)) = samples.first() {
            let draft = draft.get_or_insert_with(|| Draft::new(header.number, next, first));
            let labels = head.labels(series);
            let labels: Vec<(&str, &str)> = labels.iter().map(|(name, value)| (&**name, &**value)).collect();
            let number = draft.define(head.symbols.text(series.source), &labels, head);
            draft.row(number, samples.iter().copied(), series.hint());
        }
        let complete = |draft: &mut Draft| draft.len() >= FRAME_BYTES || at + 1 == ids.len();
        if let Some(draft) = draft.take_if(complete) {
            begin_frame(&mut frame);
            draft.write(&mut frame);
            if !finish_frame(&mut frame, header.nonce) {
                return Err(std::io::ErrorKind::FileTooLarge.into());
            }
            out.write_all(&frame)?;
            bytes += frame.len() as u64;
            draft.settle(head);
            next = draft.next();
        }
    }
    let file = out.into_inner().map_err(|error| error.into_error())?;
    file.sync_all()?;
    Ok(bytes)
}

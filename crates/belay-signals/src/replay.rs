//! Opening a directory: what is there, is it ours, what does it say?
//!
//! Nothing is changed before every file was recognised. Then the segments are read in order. Bytes that are no whole frame at the end of
//! the last segment are a write that death interrupted: cut off and reported. Anywhere else they are damage: reported, never served,
//! and the file is left as it is.

use crate::error::StoreError;
use crate::head::Head;
use crate::log::{Active, Closed, Log, segment_number, segment_path};
use crate::record::{self, Numbers, Read};
use crate::segment::{BadHeader, FORMAT, Found, HEADER_BYTES, Header, Scan};
use crate::symbols::InSegment;
use std::fs::{self, OpenOptions};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// More damages than this are counted, not listed.
const LISTED: usize = 100;

/// Bytes in the middle of the log that are no whole frame. What they held is lost; nothing of it is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The name of the file.
    pub file: String,
    /// Where it begins, from the start of the file.
    pub offset: u64,
    /// How long it is.
    pub bytes: u64,
}

/// What was found when the store was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Segment files read.
    pub segments: usize,
    /// Samples read, later ones at the same time of a series not counted again.
    pub samples: u64,
    /// Series with samples.
    pub series: usize,
    /// Bytes of interrupted writes cut off the end. Never acknowledged; normal after process death.
    pub torn_bytes: u64,
    /// Damage in the middle (at most 100 entries): a disk that loses or changes bytes.
    pub damage: Vec<Damage>,
    /// Bytes of all damage.
    pub damaged_bytes: u64,
    /// Samples left out because the frame that defines their series is damaged.
    pub orphans: u64,
}

impl Recovered {
    /// Nothing acknowledged is known to be missing.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.damaged_bytes == 0 && self.orphans == 0
    }

    fn damaged(&mut self, path: &Path, offset: u64, bytes: u64) {
        self.damaged_bytes += bytes;
        if self.damage.len() < LISTED {
            let file = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
            self.damage.push(Damage { file, offset, bytes });
        }
    }
}

/// Reads everything in `dir`, which is locked, into a new head and a log that can be continued.
pub(crate) fn open(dir: &Path, segment_bytes: u64) -> Result<(Head, Log, Recovered), StoreError> {
    let (numbers, leftovers) = list(dir)?;
    for &number in &numbers {
        refuse_newer(&segment_path(dir, number))?;
    }
    for path in &leftovers {
        fs::remove_file(path).map_err(StoreError::io("cannot remove", path))?;
    }
    let mut replay = Replay { dir, head: Head::default(), closed: Vec::new(), active: None, floor: None, recovered: Recovered::default() };
    for (at, &number) in numbers.iter().enumerate() {
        replay.segment(number, at + 1 == numbers.len())?;
    }
    let Replay { mut head, closed, active, floor, mut recovered, .. } = replay;
    if let Some(floor) = floor {
        head.drop_before(floor);
    }
    recovered.samples = head.samples;
    recovered.series = head.len();
    let last_number = numbers.last().copied().unwrap_or(0);
    Ok((head, Log::new(dir, segment_bytes, closed, active, last_number), recovered))
}

/// The numbers of the segments, ascending, and files that an interrupted compaction left.
pub(crate) fn list(dir: &Path) -> Result<(Vec<u64>, Vec<PathBuf>), StoreError> {
    let mut numbers = Vec::new();
    let mut leftovers = Vec::new();
    for entry in fs::read_dir(dir).map_err(StoreError::io("cannot list", dir))? {
        let entry = entry.map_err(StoreError::io("cannot list", dir))?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        match name.strip_suffix(".tmp") {
            Some(target) if segment_number(target).is_some() => leftovers.push(entry.path()),
            Some(_) => {}
            None => numbers.extend(segment_number(name)),
        }
    }
    numbers.sort_unstable();
    Ok((numbers, leftovers))
}

fn refuse_newer(path: &Path) -> Result<(), StoreError> {
    let mut start = Vec::new();
    let file = fs::File::open(path).map_err(StoreError::io("cannot open", path))?;
    file.take(HEADER_BYTES as u64).read_to_end(&mut start).map_err(StoreError::io("cannot read", path))?;
    match Header::read(&start) {
        Err(BadHeader::Newer(found)) => Err(StoreError::NewerFormat { path: path.to_owned(), found, known: FORMAT }),
        Ok(_) | Err(BadHeader::Short | BadHeader::Damaged) => Ok(()),
    }
}

/// What the frames of one file came to.
pub(crate) struct Contents {
    pub(crate) numbers: Numbers,
    pub(crate) read: Read,
    /// Where the last intact frame ends.
    pub(crate) end: usize,
    /// Ranges that are no intact frame, those at the end of the file included.
    pub(crate) damage: Vec<(usize, usize)>,
}

/// Reads all frames of a segment file into `head`.
pub(crate) fn read_frames(file: &[u8], header: &Header, head: &mut Head) -> Contents {
    let mut contents = Contents { numbers: Numbers::default(), read: Read::default(), end: HEADER_BYTES, damage: Vec::new() };
    contents.read.floor = header.floor;
    for found in Scan::new(file, header) {
        match found {
            Found::Payload { payload, end } => {
                let start = contents.end;
                contents.end = end;
                if record::read(payload, &mut contents.numbers, head, &mut contents.read).is_err() {
                    // Its checksum is right and it makes no sense: not ours, or a bug. Either way not to be passed over in silence.
                    contents.damage.push((start, end));
                }
            }
            Found::Damage { from, to } => contents.damage.push((from, to)),
        }
    }
    contents
}

struct Replay<'a> {
    dir: &'a Path,
    head: Head,
    closed: Vec<Closed>,
    active: Option<Active>,
    floor: Option<i64>,
    recovered: Recovered,
}

impl Replay<'_> {
    fn segment(&mut self, number: u64, is_last: bool) -> Result<(), StoreError> {
        let path = segment_path(self.dir, number);
        let file = fs::read(&path).map_err(StoreError::io("cannot read", &path))?;
        let bytes = file.len() as u64;
        self.recovered.segments += 1;
        let header = match Header::read(&file) {
            Ok(header) => header,
            Err(BadHeader::Short) if is_last => {
                // Death came while it was begun: there was no frame in it yet.
                self.recovered.torn_bytes += bytes;
                return fs::remove_file(&path).map_err(StoreError::io("cannot remove", &path));
            }
            Err(BadHeader::Short | BadHeader::Damaged | BadHeader::Newer(_)) => {
                self.recovered.damaged(&path, 0, bytes);
                self.closed.push(Closed { number, bytes, newest: None, settled: true });
                return Ok(());
            }
        };
        let mut contents = read_frames(&file, &header, &mut self.head);
        self.floor = self.floor.max(contents.read.floor);
        self.recovered.orphans += contents.read.orphans;
        let torn = if is_last { contents.damage.extract_if(.., |d| d.0 >= contents.end).map(|(from, to)| to - from).sum() } else { 0 };
        self.recovered.torn_bytes += torn as u64;
        for &(from, to) in &contents.damage {
            self.recovered.damaged(&path, from as u64, (to - from) as u64);
        }
        if is_last && contents.damage.is_empty() && contents.read.orphans == 0 && !header.compacted {
            self.active = Some(self.continue_in(&path, header, &contents, torn > 0)?);
            return Ok(());
        }
        let settled = header.compacted || torn > 0 || !contents.damage.is_empty() || contents.read.orphans > 0;
        self.closed.push(Closed { number, bytes, newest: contents.read.newest, settled });
        Ok(())
    }

    /// The last segment goes on where its last whole frame ends, with the numbers it has given.
    fn continue_in(&mut self, path: &Path, header: Header, contents: &Contents, torn: bool) -> Result<Active, StoreError> {
        let file = OpenOptions::new().write(true).open(path).map_err(StoreError::io("cannot open", path))?;
        let bytes = contents.end as u64;
        if torn {
            file.set_len(bytes).map_err(StoreError::io("cannot cut off a torn write from", path))?;
        }
        let segment = header.number;
        for (number, text) in contents.numbers.symbols() {
            if let Some(symbol) = self.head.symbols.get(text) {
                self.head.symbols.set_defined(symbol, InSegment { segment, number });
            }
        }
        for (number, id) in contents.numbers.series.iter().enumerate() {
            if let Some(series) = id.and_then(|id| self.head.series_mut(id)) {
                series.defined = InSegment { segment, number: number as u32 };
            }
        }
        let (newest, next) = (contents.read.newest, contents.numbers.next());
        Ok(Active { file, header, bytes, newest, next, dirty: true, ragged: false })
    }
}

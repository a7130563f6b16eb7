//! A file of cases, one JSON object a line, packed by gzip or not; whatever is wrong is told with file and line.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io::{BufRead, BufReader, Cursor, Read};
use std::os::fd::AsFd;
use std::path::Path;
use std::rc::Rc;

use anyhow::Context;

use super::case::Case;
use crate::fault::{Fault, fault};

/// A line of a file of cases may be so long.
const LINE_MAX: u64 = 256 << 20;
/// How packed files begin (RFC 1952). The name of a file says nothing of its content, and a pipe has none.
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// How some editors begin a file of UTF-8.
const BOM: char = '\u{feff}';

/// A file of cases while it is read.
pub struct Cases {
    place: String,
    metadata: Metadata,
    taken: Rc<Cell<u64>>,
    reader: BufReader<Box<dyn Read>>,
    line: String,
    number: usize,
    /// The lines of the ids that were read.
    known: BTreeMap<String, usize>,
}

impl Cases {
    /// Opens a file; `-` is standard input.
    ///
    /// # Errors
    /// When it cannot be opened or read.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let stdin = path == Path::new("-");
        let place = if stdin { "standard input".to_owned() } else { path.display().to_string() };
        let file = if stdin { std::io::stdin().as_fd().try_clone_to_owned().map(File::from) } else { File::open(path) };
        let file = file.with_context(|| format!("could not open {place}"))?;
        let doing = || format!("could not read {place}");
        let metadata = file.metadata().with_context(doing)?;
        let taken = Rc::new(Cell::new(0));
        let mut file = Counted { file, taken: Rc::clone(&taken) };
        let mut head = Vec::new();
        file.by_ref().take(GZIP.len() as u64).read_to_end(&mut head).with_context(doing)?;
        let packed = head == GZIP;
        let whole = Cursor::new(head).chain(file);
        let bytes: Box<dyn Read> = if packed { Box::new(flate2::read::MultiGzDecoder::new(whole)) } else { Box::new(whole) };
        Ok(Self { place, metadata, taken, reader: BufReader::new(bytes), line: String::new(), number: 0, known: BTreeMap::new() })
    }

    /// The next case, checked; none at the end.
    ///
    /// # Errors
    /// When the file cannot be read, or a line is no case.
    pub fn read(&mut self) -> anyhow::Result<Option<Case>> {
        loop {
            self.line.clear();
            self.number += 1;
            let read = self.reader.by_ref().take(LINE_MAX).read_line(&mut self.line);
            let read = read.with_context(|| format!("could not read {}", self.at()))?;
            if read == 0 {
                return if self.known.is_empty() { Err(self.empty()) } else { Ok(None) };
            }
            if read as u64 == LINE_MAX && !self.line.ends_with('\n') {
                return Err(Fault::new(format!("{}: the line is longer than {} MiB", self.at(), LINE_MAX >> 20)).into());
            }
            let text = if self.number == 1 { self.line.trim_start_matches(BOM) } else { &self.line };
            if !text.trim().is_empty() {
                let case = parse(text.trim(), &self.at())?;
                self.note(&case)?;
                return Ok(Some(case));
            }
        }
    }

    /// The line that was read last, as errors name it.
    pub fn at(&self) -> String {
        format!("{}:{}", self.place, self.number)
    }

    /// What it is called.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// What the system says of the file.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// How many bytes of the file were read.
    pub fn taken(&self) -> u64 {
        self.taken.get()
    }

    /// The id that ends like this, if one alone does.
    pub fn ending(&self, end: &str) -> Option<&str> {
        let mut ids = self.known.keys().filter(|id| id.ends_with(end));
        ids.next().filter(|_| ids.next().is_none()).map(String::as_str)
    }

    /// Verdicts are known by the ids of their cases: of two that are called the same, neither could be told.
    fn note(&mut self, case: &Case) -> anyhow::Result<()> {
        match self.known.insert(case.id.clone(), self.number) {
            Some(first) => {
                let text = format!("{}: case {}: line {first} has a case of this id already", self.at(), case.id);
                Err(fault(text, "give each case an id of its own"))
            }
            None => Ok(()),
        }
    }

    fn empty(&self) -> anyhow::Error {
        fault(format!("there is no case in {}", self.place), "a file of cases holds one JSON object a line: docs/judge.md#formats")
    }
}

fn parse(text: &str, at: &str) -> anyhow::Result<Case> {
    let case: Case = serde_json::from_str(text).map_err(|bad| no_json(text, at, &bad))?;
    case.check().map_err(|wrong| Fault::new(format!("{at}: {wrong}")).help("docs/judge.md#formats says what a case holds"))?;
    Ok(case)
}

/// The parser counts lines of its own, and has seen one alone: its column is of use, its line would contradict the file's.
fn no_json(text: &str, at: &str, bad: &serde_json::Error) -> Fault {
    let said = bad.to_string();
    let said = said.split_once(" at line ").map_or(said.as_str(), |(said, _)| said);
    let fault = Fault::new(format!("{at} is no case: {said} (column {})", bad.column()));
    if bad.is_syntax() && ["NaN", "Infinity"].iter().any(|word| text.contains(word)) {
        return fault.help("NaN and Infinity are no JSON: write null where data are missing");
    }
    fault.help("docs/judge.md#formats says what a case holds")
}

/// A file, and how much of it was read.
struct Counted {
    file: File,
    taken: Rc<Cell<u64>>,
}

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read(into)?;
        self.taken.set(self.taken.get() + read as u64);
        Ok(read)
    }
}

//! Counts lines of logs by declared patterns. A log is read from its end on, through its rotation,
//! within a budget; a line is never too long, and no pattern can take more than linear time.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use belay_adapters::tools::redact::clean;
use belay_core::model::log;

use super::recent::Recent;
use super::samples::{Outbox, series};
use super::{Shared, Trouble, say};
use crate::clock;
use crate::config::LogFile;

/// How often logs are read.
const EVERY: Duration = Duration::from_secs(1);
/// How much of a log is read at a time, in bytes.
const BUDGET: usize = 8 * 1024 * 1024;
/// The longest line that is looked at whole, in bytes; of a longer one its beginning.
const LINE_MAX: usize = 64 * 1024;
/// The name of the counter.
const COUNTER: &str = "belay_log_lines_total";

/// Counts until the end.
pub(super) fn run(shared: &Arc<Shared>, outbox: &Outbox) {
    let mut logs: Vec<Counted> = shared.config.logs.iter().map(Counted::new).collect();
    let mut trouble = Trouble::default();
    while !shared.stop.wait(EVERY) {
        let mut due = false;
        for log in &mut logs {
            if log.read(&shared.recent) {
                // The first line after a quiet hour: if a change was the cause, people want it with the verdict.
                shared.tell.ring();
            }
            if log.sent.is_none_or(|sent| sent.elapsed() >= log.config.every) {
                log.sent = Some(Instant::now());
                due = true;
                let gone = outbox.add(log.samples(shared.config.host.as_str()));
                if gone > 0 {
                    trouble.is("samples wait too long: the oldest were let go");
                }
            }
        }
        if due && logs.iter().any(|log| log.altered) {
            if let Err(why) = shared.kept.note_lines(&shared.recent.all()) {
                say(&format!("warning: lines of logs cannot be kept: {why:#}"));
            }
            logs.iter_mut().for_each(|log| log.altered = false);
        }
    }
}

/// A log with its counts.
struct Counted<'a> {
    config: &'a LogFile,
    reader: Reader,
    counts: Vec<u64>,
    altered: bool,
    sent: Option<Instant>,
}

impl<'a> Counted<'a> {
    fn new(config: &'a LogFile) -> Self {
        let patterns = config.patterns.len();
        let mut reader = Reader::default();
        reader.open_at_end(config);
        Self { config, reader, counts: vec![0; patterns], altered: false, sent: None }
    }

    /// Counts the lines that are new; says whether any of them is news.
    fn read(&mut self, recent: &Recent) -> bool {
        let (counts, config, altered) = (&mut self.counts, self.config, &mut self.altered);
        let mut news = false;
        self.reader.lines(config, &mut |line| {
            for (nth, (name, pattern)) in config.patterns.iter().enumerate() {
                if pattern.is_match(line) {
                    counts[nth] += 1;
                    news |= recent.matched(&config.name, name, clean(&String::from_utf8_lossy(line), log::LINE_MAX), clock::now());
                    *altered = true;
                }
            }
        });
        news
    }

    fn samples(&self, host: &str) -> Vec<belay_adapters::sources::facade::WireSeries> {
        let at = clock::now().ms();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let one = |((pattern, _), count): (&(String, _), &u64)| {
            let labels = vec![pair("__name__", COUNTER), pair("log", &self.config.name), pair("pattern", pattern)];
            series(labels, &[pair("host", host)], at, *count as f64)
        };
        self.config.patterns.iter().zip(&self.counts).map(one).collect()
    }
}

/// Follows a file through its rotation.
#[derive(Default)]
struct Reader {
    file: Option<(File, u64)>,
    offset: u64,
    part: Vec<u8>,
    /// The rest of a line that was too long is passed over.
    skipping: bool,
}

impl Reader {
    fn open_at_end(&mut self, config: &LogFile) {
        self.open(config);
        if let Some((file, _)) = &mut self.file {
            self.offset = file.seek(SeekFrom::End(0)).unwrap_or(0);
        }
    }

    fn open(&mut self, config: &LogFile) {
        self.offset = 0;
        self.part.clear();
        self.skipping = false;
        self.file = File::open(&config.file).ok().and_then(|file| {
            let about = file.metadata().ok().filter(std::fs::Metadata::is_file)?;
            Some((file, about.ino()))
        });
    }

    /// Gives each line that is new, without its end.
    fn lines(&mut self, config: &LogFile, each: &mut dyn FnMut(&[u8])) {
        if self.file.is_none() {
            // It was not there: when it comes, all of it is new.
            self.open(config);
        }
        self.rest(each);
        let there = config.file.metadata().ok();
        let other = match (&self.file, &there) {
            (Some((_, inode)), Some(about)) => about.ino() != *inode,
            (Some(_), None) | (None, _) => false,
        };
        if other {
            // What was written to the old one after the last look was read above; then the new one from its beginning.
            self.open(config);
            self.rest(each);
        } else if there.is_some_and(|about| about.len() < self.offset) {
            // Cut short in place.
            self.open(config);
            self.rest(each);
        }
    }

    fn rest(&mut self, each: &mut dyn FnMut(&[u8])) {
        let Some((file, _)) = &mut self.file else { return };
        let mut chunk = [0; 16 * 1024];
        let mut budget = BUDGET;
        while budget > 0 {
            let Ok(n @ 1..) = file.read(&mut chunk) else { break };
            self.offset += n as u64;
            budget = budget.saturating_sub(n);
            let mut bytes = &chunk[..n];
            while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
                add(&mut self.part, &bytes[..end]);
                if !std::mem::take(&mut self.skipping) {
                    each(&self.part);
                }
                self.part.clear();
                bytes = &bytes[end + 1..];
            }
            if !self.skipping {
                add(&mut self.part, bytes);
                if self.part.len() >= LINE_MAX {
                    each(&self.part);
                    self.part.clear();
                    self.skipping = true;
                }
            }
        }
    }
}

fn add(part: &mut Vec<u8>, bytes: &[u8]) {
    let room = LINE_MAX.saturating_sub(part.len()).min(bytes.len());
    part.extend_from_slice(&bytes[..room]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::path::Path;

    fn config(file: &Path) -> LogFile {
        let pattern = |text| regex::bytes::Regex::new(text).unwrap();
        LogFile {
            name: "app".to_owned(),
            file: file.to_owned(),
            patterns: vec![("dropped".to_owned(), pattern("request dropped")), ("error".to_owned(), pattern("ERROR"))],
            every: Duration::from_secs(15),
        }
    }

    fn append(path: &Path, bytes: &[u8]) {
        std::fs::OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(bytes).unwrap();
    }

    #[test]
    fn lines_are_counted_once_from_the_end_on_and_through_rotation() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("app.log");
        append(&path, b"ERROR request dropped, of yesterday\n");
        let config = config(&path);
        let mut log = Counted::new(&config);
        let recent = Recent::default();
        log.read(&recent);
        assert_eq!(log.counts, [0, 0]);
        append(&path, b"ERROR request dropped\nERROR request dro");
        log.read(&recent);
        assert_eq!(log.counts, [1, 1], "half a line is no line yet");
        append(&path, b"pped\n");
        std::fs::rename(&path, dir.path().join("app.log.1")).unwrap();
        append(&path, b"ERROR other\n");
        log.read(&recent);
        assert_eq!(log.counts, [2, 3], "the rest of the old one and all of the new one");
        std::fs::write(&path, b"ERROR a\n").unwrap();
        log.read(&recent);
        assert_eq!(log.counts, [2, 4], "cut short in place");
        assert_eq!(log.samples("web01")[0].samples[0].1, 2.0);
        assert_eq!(recent.told(clock::now()).iter().find(|line| line.pattern == "dropped").unwrap().text, "ERROR request dropped");
    }

    #[test]
    fn a_line_that_never_ends_takes_no_memory_and_hides_nothing_behind_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("app.log");
        append(&path, b"");
        let config = config(&path);
        let mut log = Counted::new(&config);
        let recent = Recent::default();
        append(&path, b"ERROR ");
        append(&path, &vec![b'x'; 3 * LINE_MAX]);
        append(&path, b" request dropped\nrequest dropped\n");
        log.read(&recent);
        assert_eq!(log.counts, [1, 1]);
        assert!(log.reader.part.capacity() <= 2 * LINE_MAX);
    }

    #[test]
    fn a_log_that_comes_later_is_new_as_a_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("app.log");
        let config = config(&path);
        let mut log = Counted::new(&config);
        let recent = Recent::default();
        log.read(&recent);
        append(&path, b"ERROR\xff\n");
        log.read(&recent);
        assert_eq!(log.counts, [0, 1]);
    }
}

//! The order of a host's spool: reports go out in the order they were written, each until it is
//! acknowledged. When there is no room left, the oldest reports of runs that changed nothing go
//! first; those of runs that changed something are never dropped.

use crate::model::time::{Span, Timestamp};

/// Reports are kept at least this long while the server is away.
pub const KEEP: Span = Span::from_min(7 * 24 * 60);
/// Bytes the spool may hold.
pub const BYTES_MAX: u64 = 256 * 1024 * 1024;

/// A report in the spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number: reports are numbered as they are written.
    pub number: u64,
    /// Its size.
    pub bytes: u64,
    /// When it was written.
    pub spooled: Timestamp,
    /// Whether its run changed something, or failed, or could not be told.
    pub matters: bool,
}

/// What became of a report that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The server has it: it leaves the spool.
    Taken,
    /// The server will never take it: it is put aside, so that those behind it can go.
    PutAside,
    /// Not now: it stays, and so do those behind it.
    Later,
}

/// What an answer of the server (its status) means for a report; `None` when there was none.
pub fn sent(status: Option<u16>) -> Sent {
    match status {
        Some(200..=299) => Sent::Taken,
        // The same run under other bytes: the server keeps the first and has noted the second.
        Some(409) => Sent::Taken,
        Some(400 | 413 | 415 | 422) => Sent::PutAside,
        Some(_) | None => Sent::Later,
    }
}

/// The report to send next: the oldest.
pub fn next(entries: &[Entry]) -> Option<u64> {
    entries.iter().map(|entry| entry.number).min()
}

/// The reports to drop so that the spool keeps its bounds, oldest first.
pub fn to_drop(entries: &[Entry], now: Timestamp) -> Vec<u64> {
    let mut idle: Vec<&Entry> = entries.iter().filter(|entry| !entry.matters).collect();
    idle.sort_by_key(|entry| entry.number);
    let mut bytes: u64 = entries.iter().map(|entry| entry.bytes).sum();
    let mut dropped = Vec::new();
    for entry in idle {
        if bytes <= BYTES_MAX && now.since(entry.spooled) <= KEEP {
            continue;
        }
        bytes -= entry.bytes;
        dropped.push(entry.number);
    }
    dropped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: u64, mib: u64, days: i64, matters: bool) -> Entry {
        Entry { number, bytes: mib * 1024 * 1024, spooled: Timestamp::from_ms(0) + Span::from_min(days * 24 * 60), matters }
    }

    #[test]
    fn unchanged_runs_go_first_and_changed_ones_never() {
        let entries = [entry(1, 100, 0, true), entry(2, 100, 0, false), entry(3, 100, 0, false), entry(4, 1, 0, false)];
        assert_eq!(to_drop(&entries, Timestamp::from_ms(0)), [2]);
        let late = Timestamp::from_ms(0) + Span::from_min(8 * 24 * 60);
        assert_eq!(to_drop(&entries, late), [2, 3, 4], "and what is too old, but for what matters");
        assert_eq!(next(&entries), Some(1));
    }

    #[test]
    fn only_what_the_server_can_never_take_is_put_aside() {
        assert_eq!([Some(200), Some(202), Some(409)].map(sent), [Sent::Taken; 3]);
        assert_eq!([Some(400), Some(413)].map(sent), [Sent::PutAside; 2]);
        assert_eq!([None, Some(401), Some(403), Some(429), Some(500), Some(503), Some(507)].map(sent), [Sent::Later; 7]);
    }
}

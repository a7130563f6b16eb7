//! Hours: when the waves of a class may open, by the clock on the wall (`windows` in the
//! configuration; a Window is something else, it holds a signal's values).
//!
//! Time zones are data here: whoever loads a configuration hands in when the offset changes. What
//! counts is what the clock on the wall shows. So hours that begin in an hour which is skipped begin
//! with the jump, hours within it do not come that day, and an hour that is repeated counts twice.

use std::sync::Arc;

use super::time::{Span, Timestamp};

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;
const WEEK: i64 = 7 * DAY;
/// The epoch was a Thursday; weeks are counted from a Monday.
const FIRST_MONDAY: i64 = 4 * DAY;
/// Nothing is looked for further ahead: hours come every week, except where a jump swallows them.
const AHEAD: Span = Span::from_ms(15 * DAY);

/// Minutes of a week.
pub const WEEK_MINUTES: u32 = 7 * 24 * 60;

/// A time zone: its offset from UTC, and when it changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// Its name, as it was configured.
    pub name: String,
    /// The offset before any of the changes.
    pub first: Span,
    /// When the offset changes, and to what; in the order of time.
    pub changes: Vec<(Timestamp, Span)>,
}

impl Zone {
    /// UTC: an offset of nothing, that never changes.
    pub fn utc() -> Self {
        Self { name: "UTC".to_owned(), first: Span::ZERO, changes: Vec::new() }
    }

    fn offset(&self, now: Timestamp) -> Span {
        let passed = self.changes.partition_point(|(at, _)| *at <= now);
        passed.checked_sub(1).and_then(|last| self.changes.get(last)).map_or(self.first, |(_, offset)| *offset)
    }

    fn next_change(&self, after: Timestamp) -> Option<Timestamp> {
        self.changes.get(self.changes.partition_point(|(at, _)| *at <= after)).map(|(at, _)| *at)
    }

    /// What the clock on the wall shows, as the instant at which UTC shows it.
    pub fn wall(&self, now: Timestamp) -> Timestamp {
        now + self.offset(now)
    }

    /// The first instant at which the clock on the wall shows this or later: a time that is skipped
    /// is the jump, of a time that is repeated it is the first.
    pub fn first_at(&self, wall: Timestamp) -> Timestamp {
        let mut begins: Option<Timestamp> = None;
        let mut offset = self.first;
        for (at, next) in &self.changes {
            let shown = reached(wall, offset, begins);
            if shown < *at {
                return shown;
            }
            (begins, offset) = (Some(*at), *next);
        }
        reached(wall, offset, begins)
    }

    /// The last instant at which the clock on the wall shows this; a time that is skipped is the jump.
    pub fn last_at(&self, wall: Timestamp) -> Timestamp {
        let first = self.first_at(wall);
        let again = self.changes.iter().rev().map(|(_, offset)| wall - *offset);
        again.filter(|at| self.wall(*at) == wall).max().map_or(first, |at| at.max(first))
    }
}

/// When a clock of this offset, that begins to show time then, reaches `wall`.
fn reached(wall: Timestamp, offset: Span, begins: Option<Timestamp>) -> Timestamp {
    let at = wall - offset;
    begins.map_or(at, |begins| begins.max(at))
}

/// The hours of a week.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hours {
    /// Where the clock hangs.
    pub zone: Arc<Zone>,
    /// From minute to minute of a week that begins on Monday at midnight. An end that is not later
    /// than its beginning lies in the next week.
    pub spans: Vec<(u32, u32)>,
}

impl Hours {
    /// Whether it is within these hours.
    pub fn are_on(&self, now: Timestamp) -> bool {
        let minute = self.in_week(now) / MINUTE;
        self.spans.iter().any(|(from, to)| {
            let (from, to) = (i64::from(*from), i64::from(*to));
            if from < to { from <= minute && minute < to } else { from <= minute || minute < to }
        })
    }

    /// The first instant, now or later, at which it is within these hours (`on`) or is not.
    pub fn next(&self, on: bool, now: Timestamp) -> Option<Timestamp> {
        let mut at = now;
        while at <= now + AHEAD {
            if self.are_on(at) == on {
                return Some(at);
            }
            let bound = at + self.to_next_bound(at);
            at = self.zone.next_change(at).map_or(bound, |change| change.min(bound));
        }
        None
    }

    /// Milliseconds since Monday at midnight, by the clock on the wall.
    fn in_week(&self, now: Timestamp) -> i64 {
        (self.zone.wall(now).ms() - FIRST_MONDAY).rem_euclid(WEEK)
    }

    /// How long it is until hours begin or end, were the offset never to change.
    fn to_next_bound(&self, now: Timestamp) -> Span {
        let into = self.in_week(now);
        let ahead = |minute: &u32| (i64::from(*minute) * MINUTE - into - 1).rem_euclid(WEEK) + 1;
        let bounds = self.spans.iter().flat_map(|(from, to)| [ahead(from), ahead(to)]);
        Span::from_ms(bounds.min().unwrap_or(WEEK))
    }
}

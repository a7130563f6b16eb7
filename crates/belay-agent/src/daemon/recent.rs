//! The last lines that matched each pattern of each log: kept to be shown on the host, told to the
//! server as evidence, and remembered over a restart, so that an old trouble does not look new.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use belay_core::model::log::{LINE_MAX, Line, PATTERNS_MAX};
use belay_core::model::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};

/// Lines of a pattern that are kept.
const KEPT: usize = 5;
/// After so long without any, the next line is news, and lines older than this are not told.
const QUIET: Span = Span::from_min(60);

/// What a pattern matched last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Matched {
    /// Since when lines come: the first after a quiet hour.
    since_ms: i64,
    /// When the last one came.
    at_ms: i64,
    /// The last few, oldest first.
    lines: VecDeque<String>,
}

/// By log and by pattern.
pub(super) type Logs = BTreeMap<String, BTreeMap<String, Matched>>;

/// What all patterns matched last, for the threads that ask.
#[derive(Debug, Default)]
pub(super) struct Recent(Mutex<Logs>);

impl Recent {
    /// What was kept before a restart.
    pub fn new(kept: Logs) -> Self {
        Self(Mutex::new(kept))
    }

    /// A line was matched; says whether that is news: the first after a quiet hour.
    pub fn matched(&self, log: &str, pattern: &str, line: String, now: Timestamp) -> bool {
        let mut logs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let matched = logs.entry(log.to_owned()).or_default().entry(pattern.to_owned()).or_default();
        let news = matched.lines.is_empty() || now.since(Timestamp::from_ms(matched.at_ms)) > QUIET;
        if news {
            matched.since_ms = now.ms();
        }
        matched.at_ms = now.ms();
        if matched.lines.len() >= KEPT {
            matched.lines.pop_front();
        }
        matched.lines.push_back(line);
        news
    }

    /// All that is kept, to be written down.
    pub fn all(&self) -> Logs {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The newest line of each pattern that was matched within the hour, the newest first.
    pub fn told(&self, now: Timestamp) -> Vec<Line> {
        let logs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let each = logs.iter().flat_map(|(log, patterns)| patterns.iter().map(move |(pattern, matched)| (log, pattern, matched)));
        let line = |(log, pattern, matched): (&String, &String, &Matched)| {
            let text = matched.lines.back()?.chars().take(LINE_MAX).collect();
            let (since, at) = (Timestamp::from_ms(matched.since_ms), Timestamp::from_ms(matched.at_ms));
            (now.since(at) <= QUIET).then(|| Line { log: log.clone(), pattern: pattern.clone(), since, at, text })
        };
        let mut lines: Vec<Line> = each.filter_map(line).collect();
        lines.sort_by_key(|line| std::cmp::Reverse(line.at));
        lines.truncate(PATTERNS_MAX);
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(min: i64) -> Timestamp {
        Timestamp::from_ms(min * 60_000)
    }

    #[test]
    fn the_first_line_after_a_quiet_hour_is_news_also_over_a_restart() {
        let recent = Recent::default();
        assert!(recent.matched("app", "error", "a".to_owned(), at(0)));
        assert!(!recent.matched("app", "error", "b".to_owned(), at(50)));
        let again = Recent::new(recent.all());
        assert!(!again.matched("app", "error", "c".to_owned(), at(100)), "an old trouble is not new after a restart");
        assert_eq!(again.told(at(101))[0].since, at(0));
        assert!(again.matched("app", "error", "d".to_owned(), at(200)));
        let told = again.told(at(201));
        assert_eq!((told.len(), told[0].since, told[0].text.as_str()), (1, at(200), "d"));
        assert!(again.told(at(300)).is_empty(), "what is old is not told");
    }

    #[test]
    fn what_is_kept_and_told_is_bounded() {
        let recent = Recent::default();
        for nth in 0..100 {
            let pattern = format!("p{}", nth % 30);
            recent.matched("app", &pattern, "x".repeat(2 * LINE_MAX), at(nth));
        }
        let told = recent.told(at(100));
        assert_eq!(told.len(), PATTERNS_MAX);
        assert!(told.iter().all(|line| line.text.chars().count() == LINE_MAX));
        assert!(recent.all()["app"].values().all(|matched| matched.lines.len() <= KEPT));
    }
}

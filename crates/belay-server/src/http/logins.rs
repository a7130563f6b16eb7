//! How often somebody may try to log in: as one name, and all together. Who asks is not known before, so what is counted
//! is what was typed, whether there is such an account or not.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use belay_core::model::ids::Digest;
use belay_core::model::time::{Span, Timestamp};

/// Attempts as one name that may fail within [`OF_NAME_IN`].
const OF_NAME: u32 = 10;
const OF_NAME_IN: Span = Span::from_min(10);
/// Attempts of everybody that may fail within [`OF_ALL_IN`].
const OF_ALL: u32 = 100;
const OF_ALL_IN: Span = Span::from_min(1);
/// Refused attempts that the audit is told of within [`OF_ALL_IN`]: each is a record.
const NOTED: u32 = 10;
/// Names that are counted at one time.
const NAMES: usize = 10_000;

/// Counts attempts to log in.
#[derive(Debug, Default)]
pub struct Logins(Mutex<Counted>);

#[derive(Debug, Default)]
struct Counted {
    names: BTreeMap<Digest, Window>,
    all: Window,
}

/// Attempts since then.
#[derive(Clone, Copy, Debug)]
struct Window {
    since: Timestamp,
    failed: u32,
}

impl Default for Window {
    fn default() -> Self {
        Self { since: Timestamp::from_ms(0), failed: 0 }
    }
}

/// An attempt that may be made. It counts as failed until it is said to have succeeded.
#[derive(Debug)]
pub struct Attempt {
    name: Digest,
    /// The audit is to be told if it fails.
    pub noted: bool,
}

impl Window {
    /// The window now: another one when its time is over.
    fn at(self, now: Timestamp, lasts: Span) -> Self {
        if now.since(self.since) >= lasts { Self { since: now, failed: 0 } } else { self }
    }
}

impl Logins {
    /// Counts an attempt as this name.
    ///
    /// # Errors
    /// After how long to try again.
    pub fn begin(&self, name: &str, now: Timestamp) -> Result<Attempt, Span> {
        let name = Digest::of(name.as_bytes());
        let mut counted = self.counted();
        let all = counted.all.at(now, OF_ALL_IN);
        if !counted.names.contains_key(&name) && counted.names.len() >= NAMES {
            counted.names.retain(|_, window| now.since(window.since) < OF_NAME_IN);
        }
        let of_name = counted.names.get(&name).copied().unwrap_or_default().at(now, OF_NAME_IN);
        if of_name.failed >= OF_NAME {
            return Err((of_name.since + OF_NAME_IN).since(now));
        }
        if all.failed >= OF_ALL || counted.names.len() >= NAMES {
            return Err((all.since + OF_ALL_IN).since(now));
        }
        counted.all = Window { failed: all.failed + 1, ..all };
        counted.names.insert(name, Window { failed: of_name.failed + 1, ..of_name });
        Ok(Attempt { name, noted: all.failed < NOTED || of_name.failed + 1 == OF_NAME })
    }

    /// An attempt succeeded: what failed before it as this name is forgiven.
    pub fn succeeded(&self, attempt: &Attempt) {
        let mut counted = self.counted();
        counted.names.remove(&attempt.name);
        counted.all.failed = counted.all.failed.saturating_sub(1);
    }

    fn counted(&self) -> MutexGuard<'_, Counted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_is_shut_after_some_failures_and_the_others_are_not() {
        let (logins, now) = (Logins::default(), Timestamp::from_ms(1_000_000));
        assert!((0..OF_NAME).all(|_| logins.begin("alice", now).is_ok()));
        assert_eq!(logins.begin("alice", now + Span::from_s(60)).unwrap_err(), Span::from_s(540));
        let bob = logins.begin("bob", now).unwrap();
        logins.succeeded(&bob);
        assert!(logins.begin("alice", now + OF_NAME_IN).is_ok());
    }

    #[test]
    fn all_together_are_bounded_whatever_the_names() {
        let (logins, now) = (Logins::default(), Timestamp::from_ms(1_000_000));
        let noted = (0..OF_ALL).filter(|n| logins.begin(&format!("n{n}"), now).unwrap().noted).count();
        assert_eq!(noted, NOTED as usize);
        assert_eq!(logins.begin("alice", now + Span::from_s(20)).unwrap_err(), Span::from_s(40));
        assert!(logins.begin("alice", now + OF_ALL_IN).is_ok());
    }
}

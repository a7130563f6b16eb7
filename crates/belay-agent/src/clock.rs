//! What time it is, and how long ago something was: the one place of this crate that asks.

use std::time::{SystemTime, UNIX_EPOCH};

use belay_core::model::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};

/// The time now, by the host's clock.
pub fn now() -> Timestamp {
    of(SystemTime::now())
}

/// A time as a file has it; the epoch, where it lies before that.
pub fn of(time: SystemTime) -> Timestamp {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_ms(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// A moment that can be compared with a later one although somebody sets the clock in between: a
/// host without a battery starts in 1970, and "the server has been away for 56 years" would open
/// the gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// By the host's clock, in milliseconds since the epoch.
    pub at_ms: i64,
    /// Which start of the system it was; empty where that is not known.
    #[serde(default)]
    pub boot: String,
    /// How long the system had been up, in milliseconds.
    #[serde(default)]
    pub up_ms: i64,
}

impl Moment {
    /// This moment.
    pub fn now() -> Self {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let boot = read("/proc/sys/kernel/random/boot_id").trim().to_owned();
        let up = read("/proc/uptime").split_whitespace().next().and_then(|seconds| seconds.parse::<f64>().ok());
        Self { at_ms: now().ms(), boot: if up.is_some() { boot } else { String::new() }, up_ms: (up.unwrap_or(0.0) * 1000.0) as i64 }
    }

    /// How long after `earlier` this is; never negative.
    pub fn since(&self, earlier: &Self) -> Span {
        let same_boot = !self.boot.is_empty() && self.boot == earlier.boot;
        let ms = if same_boot { self.up_ms - earlier.up_ms } else { self.at_ms.saturating_sub(earlier.at_ms) };
        Span::from_ms(ms.max(0))
    }

    /// When it was, by the host's clock then.
    pub fn at(&self) -> Timestamp {
        Timestamp::from_ms(self.at_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(at_ms: i64, boot: &str, up_ms: i64) -> Moment {
        Moment { at_ms, boot: boot.to_owned(), up_ms }
    }

    #[test]
    fn a_clock_that_is_set_does_not_make_time_pass() {
        let (before, after) = (moment(5_000, "a", 1_000), moment(1_700_000_000_000, "a", 3_000));
        assert_eq!(after.since(&before), Span::from_s(2));
        assert_eq!(moment(9_000, "b", 10).since(&before), Span::from_s(4), "after a restart only the clock is left");
        assert_eq!(moment(1_000, "b", 10).since(&before), Span::ZERO);
    }
}

//! Times for people: local with their offset, or UTC.

use belay_core::model::time::{Span, Timestamp};
use jiff::tz::TimeZone;

/// How times are written.
#[derive(Clone, Debug)]
pub struct When {
    zone: TimeZone,
}

impl When {
    /// In UTC, or in this machine's zone.
    pub fn new(zone: Zone) -> Self {
        Self {
            zone: match zone {
                Zone::Utc => TimeZone::UTC,
                Zone::Local => TimeZone::system(),
            },
        }
    }

    /// Date and time: `2026-11-22 03:14:07+01:00`, or `2026-11-22T02:14:07Z`.
    pub fn full(&self, at: Timestamp) -> String {
        let Ok(instant) = jiff::Timestamp::from_millisecond(at.ms()) else { return at.to_string() };
        if self.zone == TimeZone::UTC {
            return at.to_string();
        }
        instant.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M:%S%:z").to_string()
    }

    /// A time of the API as people read it; what is no time is shown as it is.
    pub fn said(&self, at: &str) -> String {
        parsed(at).map_or_else(|| at.to_owned(), |at| self.full(at))
    }

    /// The same, where there may be none.
    pub fn said_or(&self, at: Option<&str>, none: &str) -> String {
        at.map_or_else(|| none.to_owned(), |at| self.said(at))
    }

    /// How long before `now` it was: `3 min 10 s ago`, or `just now`.
    pub fn ago(at: Timestamp, now: Timestamp) -> String {
        let span = now.since(at);
        if span < Span::from_s(1) { "just now".to_owned() } else { format!("{span} ago") }
    }
}

/// Whose clock times are written by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zone {
    /// This machine's.
    Local,
    /// Nobody's.
    Utc,
}

/// A time of the API.
pub fn parsed(at: &str) -> Option<Timestamp> {
    at.parse::<jiff::Timestamp>().ok().map(|at| Timestamp::from_ms(at.as_millisecond()))
}

/// What time it is.
pub fn now() -> Timestamp {
    Timestamp::from_ms(jiff::Timestamp::now().as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_times_carry_their_offset() {
        let at = Timestamp::from_ms(1_795_329_443_317);
        let berlin = When { zone: TimeZone::get("Europe/Berlin").unwrap() };
        assert_eq!(berlin.full(at), "2026-11-22 07:37:23+01:00");
        assert_eq!(berlin.said("2026-11-22T06:37:23Z"), "2026-11-22 07:37:23+01:00");
        assert_eq!(berlin.said("soon"), "soon");
        assert_eq!(When::new(Zone::Utc).full(at), "2026-11-22T06:37:23Z");
    }

    #[test]
    fn a_future_time_is_not_said_to_be_past() {
        assert_eq!(When::ago(Timestamp::from_ms(10_000), Timestamp::from_ms(0)), "just now");
        assert_eq!(When::ago(Timestamp::from_ms(0), Timestamp::from_ms(190_000)), "3 min 10 s ago");
    }
}

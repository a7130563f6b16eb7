//! Time as a value: milliseconds since the Unix epoch, UTC. Nothing here asks what time it is.

use std::fmt;
use std::ops::{Add, Sub};

/// An instant, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

/// A length of time in milliseconds; may be negative (a clock that is behind).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(i64);

impl Timestamp {
    /// The instant that lies `ms` milliseconds after the epoch.
    pub const fn from_ms(ms: i64) -> Self {
        Self(ms)
    }

    /// Milliseconds since the epoch.
    pub const fn ms(self) -> i64 {
        self.0
    }

    /// How long after `earlier` this instant is; negative when it lies before.
    pub const fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }

    /// The start of the step of length `step` that holds this instant. Steps count from the epoch.
    pub fn floor(self, step: Span) -> Self {
        let step = step.0.max(1);
        Self(self.0.div_euclid(step).saturating_mul(step))
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// A span of `ms` milliseconds.
    pub const fn from_ms(ms: i64) -> Self {
        Self(ms)
    }

    /// A span of `s` seconds.
    pub const fn from_s(s: i64) -> Self {
        Self(s.saturating_mul(1000))
    }

    /// A span of `m` minutes.
    pub const fn from_min(m: i64) -> Self {
        Self::from_s(m.saturating_mul(60))
    }

    /// Milliseconds.
    pub const fn ms(self) -> i64 {
        self.0
    }

    /// Seconds, with a fraction.
    pub fn as_s(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// The span repeated `n` times.
    pub const fn times(self, n: i64) -> Self {
        Self(self.0.saturating_mul(n))
    }

    /// The length without its sign.
    pub const fn abs(self) -> Self {
        Self(self.0.saturating_abs())
    }
}

impl Add<Span> for Timestamp {
    type Output = Self;
    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl Sub<Span> for Timestamp {
    type Output = Self;
    fn sub(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}

impl Add for Span {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "t{}", self.0)
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.0)
    }
}

impl fmt::Display for Span {
    /// The two largest units, as people say it: `45 s`, `5 min 34 s`, `3 h 10 min`, `2 d 4 h`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0.unsigned_abs();
        let sign = if self.0 < 0 { "-" } else { "" };
        let s = ms / 1000;
        let pair = |f: &mut fmt::Formatter<'_>, big: u64, unit: &str, small: u64, under: &str| {
            if small == 0 { write!(f, "{sign}{big} {unit}") } else { write!(f, "{sign}{big} {unit} {small} {under}") }
        };
        match s {
            0 => write!(f, "{sign}{ms} ms"),
            1..=9 if ms % 1000 >= 100 => write!(f, "{sign}{s}.{} s", ms % 1000 / 100),
            1..=59 => write!(f, "{sign}{s} s"),
            60..=3599 => pair(f, s / 60, "min", s % 60, "s"),
            3600..=86_399 => pair(f, s / 3600, "h", s % 3600 / 60, "min"),
            _ => pair(f, s / 86_400, "d", s % 86_400 / 3600, "h"),
        }
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with seconds, as the API and plain words print it: `2026-11-22T02:14:07Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = self.0.div_euclid(1000);
        let (days, rest) = (s.div_euclid(86_400), s.rem_euclid(86_400));
        let (y, m, d) = civil(days);
        write!(f, "{y:04}-{m:02}-{d:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest % 3600 / 60, rest % 60)
    }
}

/// Year, month and day of a count of days since the epoch (proleptic Gregorian; H. Hinnant,
/// "chrono-compatible low-level date algorithms").
fn civil(days: i64) -> (i64, i64, i64) {
    let z = days.saturating_add(719_468);
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + i64::from(month <= 2), month, doy - (153 * mp + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_prints_as_rfc_3339() {
        assert_eq!(Timestamp::from_ms(1_795_329_443_317).to_string(), "2026-11-22T06:37:23Z");
        assert_eq!(Timestamp::from_ms(0).to_string(), "1970-01-01T00:00:00Z");
        assert_eq!(Timestamp::from_ms(-1).to_string(), "1969-12-31T23:59:59Z");
        assert_eq!(Timestamp::from_ms(951_782_400_000).to_string(), "2000-02-29T00:00:00Z");
    }

    #[test]
    fn a_span_prints_its_two_largest_units() {
        let said: Vec<String> =
            [999, 1500, 45_000, 334_000, 11_400_000, 187_200_000, -60_000].map(|ms| Span::from_ms(ms).to_string()).to_vec();
        assert_eq!(said, ["999 ms", "1.5 s", "45 s", "5 min 34 s", "3 h 10 min", "2 d 4 h", "-1 min"]);
    }

    #[test]
    fn floor_counts_steps_from_the_epoch_also_before_it() {
        assert_eq!(Timestamp::from_ms(61_500).floor(Span::from_s(60)).ms(), 60_000);
        assert_eq!(Timestamp::from_ms(-1).floor(Span::from_s(60)).ms(), -60_000);
    }
}

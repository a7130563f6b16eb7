//! The tale as it is told: lines with the seconds since the beginning, and waits that have an end.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};

const POLL: Duration = Duration::from_millis(200);

/// The teller.
pub struct Tale {
    began: Instant,
}

impl Tale {
    /// Begins now.
    pub fn begin() -> Self {
        Self { began: Instant::now() }
    }

    /// Says a line.
    pub fn say(&self, text: &str) {
        println!("[{:6.1} s] {text}", self.began.elapsed().as_secs_f64());
    }

    /// How long it has been told.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
}

/// Asks again and again until there is an answer, and no longer than the limit. `ask` says what it saw when it has none.
pub fn wait_for<T>(what: &str, limit: Duration, mut ask: impl FnMut() -> anyhow::Result<Result<T, String>>) -> anyhow::Result<T> {
    let began = Instant::now();
    loop {
        match ask()? {
            Ok(answer) => return Ok(answer),
            Err(seen) if began.elapsed() >= limit => bail!("waited {} s for {what}; last seen: {seen}", limit.as_secs()),
            Err(_) => std::thread::sleep(POLL),
        }
    }
}

/// Milliseconds since 1970.
pub fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

/// The time of day as logs write it.
pub fn utc() -> String {
    stamp(now_ms().unsigned_abs() / 1000)
}

/// Milliseconds since 1970 of a time that the API wrote, always in UTC: `2026-11-22T21:38:05.250Z`.
pub fn ms_of(text: &str) -> anyhow::Result<i64> {
    let read = || -> Option<i64> {
        let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
        let whole = |part: Option<&str>| part?.parse::<i64>().ok();
        let (mut date, mut time) = (date.split('-'), time.split(':'));
        let (year, month, day) = (whole(date.next())?, whole(date.next())?, whole(date.next())?);
        let (hour, minute, second) = (whole(time.next())?, whole(time.next())?, time.next()?.parse::<f64>().ok()?);
        let (year, march) = if month < 3 { (year - 1, month + 9) } else { (year, month - 3) };
        let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * march + 2) / 5 + day - 1 - 719_468;
        Some(((days * 24 + hour) * 60 + minute) * 60_000 + (second * 1000.0).round() as i64)
    };
    read().with_context(|| format!("`{text}` is no time in UTC"))
}

/// Seconds since 1970 as a date: years begin in March here, so that the leap day is the last one.
pub fn stamp(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let march = (5 * day + 2) / 153;
    let month = if march < 10 { march + 3 } else { march - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    let day = day - (153 * march + 2) / 5 + 1;
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_right_around_leap_days() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_709_251_200, "2024-03-01T00:00:00Z"),
            (1_795_395_485, "2026-11-23T00:58:05Z"),
        ] {
            assert_eq!(stamp(seconds), expected, "{seconds}");
            assert_eq!(ms_of(expected).ok(), Some(seconds as i64 * 1000), "{expected}");
        }
    }

    #[test]
    fn times_of_the_api_may_have_fractions_and_nothing_else_is_a_time() {
        assert_eq!(ms_of("1970-01-01T00:00:01.250Z").ok(), Some(1250));
        assert_eq!(ms_of("1970-01-01T00:00:01.123456789Z").ok(), Some(1123));
        assert!(["", "now", "1970-01-01", "1970-01-01T00:00:01+01:00"].iter().all(|text| ms_of(text).is_err()));
    }

    #[test]
    fn a_wait_ends_with_its_answer_or_says_what_it_saw() {
        let mut asked = 0;
        let counted = wait_for("three", Duration::from_secs(5), || {
            asked += 1;
            Ok(if asked == 3 { Ok(asked) } else { Err(format!("{asked}")) })
        });
        assert_eq!(counted.ok(), Some(3));
        let never = wait_for::<()>("rain", Duration::ZERO, || Ok(Err("sun".to_owned())));
        assert_eq!(never.expect_err("no rain").to_string(), "waited 0 s for rain; last seen: sun");
    }
}

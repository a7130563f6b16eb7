//! Instants as Puppet writes them.

use belay_core::model::time::Timestamp;

/// Reads an instant: RFC 3339 with any number of digits after the second
/// (`2026-11-22T06:44:46.623538248+00:00`), or the older `2015-03-01 12:00:00.123 +01:00` and
/// `... Z`. `None` when it is neither.
pub(super) fn instant(text: &str) -> Option<Timestamp> {
    if text.len() > 64 {
        return None;
    }
    let mut parts = text.split_ascii_whitespace();
    let joined = match (parts.next()?, parts.next(), parts.next(), parts.next()) {
        (whole, None, None, None) => whole.to_owned(),
        (date, Some(time), zone, None) => format!("{date}T{time}{}", zone.unwrap_or_default()),
        _ => return None,
    };
    joined.parse::<jiff::Timestamp>().ok().map(|at| Timestamp::from_ms(at.as_millisecond()))
}

/// An instant as a question names it: to the millisecond, because a whole second may hold more entries than an answer.
pub(super) fn exact(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.ms()).map_or_else(|_| at.to_string(), |at| format!("{at:.3}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_writing_an_instant_are_read() {
        let ms = |text: &str| instant(text).map(Timestamp::ms);
        assert_eq!(ms("2026-11-22T06:44:46.623538248+00:00"), Some(1_795_329_886_623));
        assert_eq!(ms("2026-11-22 07:44:46.623 +01:00"), Some(1_795_329_886_623));
        assert_eq!(ms("2026-11-22 06:44:46.623538 Z"), Some(1_795_329_886_623));
        assert_eq!(ms("1970-01-01T00:00:00Z"), Some(0));
        for at in [0, 1, 1_795_329_886_000, 1_795_329_886_985] {
            assert_eq!(instant(&exact(Timestamp::from_ms(at))).map(Timestamp::ms), Some(at));
        }
        assert_eq!(exact(Timestamp::from_ms(1_795_329_886_985)), "2026-11-22T06:44:46.985Z");
        for bad in ["", "yesterday", "2026-11-22", "2026-13-01T00:00:00Z", "2026-11-22T06:44:46", "9".repeat(100).as_str()] {
            assert_eq!(ms(bad), None, "{bad:?}");
        }
    }
}

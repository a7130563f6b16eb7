//! Small things that every page shows: times, signs, numbers.

use belay_core::explain::change::number;
use belay_core::model::time::{Span, Timestamp};

use super::inert::escaped;

/// How a word is shown: its class of colours and its sign. The word itself always stands beside.
struct Look {
    tone: &'static str,
    sign: &'static str,
}

/// The look of a standing, of a state, of an answer. What is not known is plain.
fn look(word: &str) -> Look {
    let (tone, sign) = match word {
        "accepted" | "go" | "ok" | "fine" | "done" | "delivered" => ("ok", "✔"),
        "rejected" | "refused" | "harm" | "critical" | "failed" | "failed-compile" | "given up" | "failed on some hosts" => ("bad", "✖"),
        "suspect" | "suspicion" | "warning" | "expiring" | "broken by hand" | "aborted" | "cached-catalog" | "security" => ("warn", "⚠"),
        "on trial" | "going on" | "changed" | "deferred" | "waiting" => ("note", "◌"),
        "inconclusive" | "cannot-tell" | "missing" => ("warn", "?"),
        "active" | "held" | "stopped" | "expired, waiting for its owner" => ("note", "‖"),
        "adopted" | "unchanged" => ("plain", "●"),
        _ => ("plain", "·"),
    };
    Look { tone, sign }
}

/// A word with its sign, as HTML.
pub fn tag(word: &str) -> String {
    let Look { tone, sign } = look(word);
    format!("<b class=\"tag {tone}\"><span aria-hidden=\"true\">{sign}</span> {}</b>", escaped(word))
}

/// The class of colours of a word.
pub fn tone(word: &str) -> &'static str {
    look(word).tone
}

/// A time as HTML: the clock, and how long ago or how far ahead that is. UTC, and it says so.
pub fn time(at: Timestamp, now: Timestamp) -> String {
    let iso = at.to_string();
    let short = if iso.get(..10) == now.to_string().get(..10) { iso.get(11..) } else { iso.get(..16) };
    let short = short.unwrap_or(&iso).replace('T', " ");
    let short = if short.ends_with('Z') { short } else { format!("{short}Z") };
    format!("<time datetime=\"{iso}\" title=\"{iso}\">{short}</time> <span class=\"soft\">({})</span>", distance(at, now))
}

/// How far a time lies away: `3 min ago`, `in 2 h`.
pub fn distance(at: Timestamp, now: Timestamp) -> String {
    let away = now.since(at);
    if away.abs() < Span::from_s(2) {
        "now".to_owned()
    } else if away > Span::ZERO {
        format!("{} ago", rough(away))
    } else {
        format!("in {}", rough(away.abs()))
    }
}

/// One unit, as people say it from afar.
fn rough(span: Span) -> String {
    let s = span.ms() / 1000;
    match s {
        0..90 => format!("{s} s"),
        90..5_400 => format!("{} min", (s + 30) / 60),
        5_400..172_800 => format!("{} h", (s + 1_800) / 3_600),
        _ => format!("{} d", (s + 43_200) / 86_400),
    }
}

/// A time written as RFC 3339; none where it is none.
pub fn parsed(text: &str) -> Option<Timestamp> {
    text.parse::<jiff::Timestamp>().ok().map(|at| Timestamp::from_ms(at.as_millisecond()))
}

/// What may be shown as a number: templates give references of all kinds.
pub trait Figure {
    /// The number, where there is one.
    fn value(&self) -> Option<f64>;
}

impl Figure for f64 {
    fn value(&self) -> Option<f64> {
        Some(*self)
    }
}

impl<F: Figure> Figure for Option<F> {
    fn value(&self) -> Option<f64> {
        self.as_ref().and_then(Figure::value)
    }
}

impl<F: Figure> Figure for &F {
    fn value(&self) -> Option<f64> {
        (*self).value()
    }
}

/// A number, or a dash.
pub fn figure(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), number)
}

/// `1 host`, `2 hosts`.
pub fn hosts(count: usize) -> String {
    many(count, "host", "hosts")
}

/// How many of something there are.
pub fn many(count: usize, one: &str, more: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { more })
}

/// A value for the query of an address, percent-encoded.
pub fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_say_their_zone_and_how_far_they_are() {
        let now = parsed("2026-11-29T05:00:00Z").unwrap();
        let shown = |text: &str| time(parsed(text).unwrap(), now);
        assert!(shown("2026-11-29T04:57:01Z").contains(">04:57:01Z</time> <span class=\"soft\">(3 min ago)"));
        assert!(shown("2026-11-27T04:57:01Z").contains(">2026-11-27 04:57Z</time> <span class=\"soft\">(2 d ago)"));
        assert!(shown("2026-11-29T07:10:00Z").contains("(in 2 h)"));
        assert!(shown("2026-11-29T05:00:01Z").contains("(now)"));
    }

    #[test]
    fn a_word_never_stands_without_its_sign_and_no_word_is_obeyed() {
        assert_eq!(tag("rejected"), "<b class=\"tag bad\"><span aria-hidden=\"true\">✖</span> rejected</b>");
        assert!(tag("<i>").contains("&#60;i&#62;"));
    }

    #[test]
    fn an_address_takes_any_text() {
        assert_eq!(encoded("a b/ü?&=\"<"), "a%20b%2F%C3%BC%3F%26%3D%22%3C");
    }
}

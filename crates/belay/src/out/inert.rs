//! Hostile text made harmless, for what a terminal shows: see [`belay_core::explain::inert`].

use std::borrow::Cow;
use std::fmt::Write as _;

pub use belay_core::explain::inert::inert;
use belay_core::explain::inert::is_hostile;

/// The same for a text of several lines: line ends are kept.
pub fn inert_lines(text: &str) -> String {
    text.lines().map(inert).collect::<Vec<_>>().join("\n")
}

/// The same for a JSON text: hostile characters stand in strings only, where `\uXXXX` means the same.
pub fn inert_json(json: &str) -> Cow<'_, str> {
    let hostile = |c: char| !c.is_ascii() && is_hostile(c) || c == '\u{7f}';
    if !json.chars().any(hostile) {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if hostile(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                write(&mut out, format_args!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// At most `max` characters of a line, made inert; what is cut is marked.
pub fn clip(text: &str, max: usize) -> String {
    let text = inert(text);
    if text.chars().count() <= max {
        return text.into_owned();
    }
    text.chars().take(max.saturating_sub(1)).chain(['\u{2026}']).collect()
}

fn write(out: &mut String, what: std::fmt::Arguments<'_>) {
    out.write_fmt(what).expect("a string takes everything");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_keeps_its_meaning() {
        let json = "{\"a\":\"\u{9b}2J \u{202e}x \u{e0041} caf\u{e9}\"}";
        let shown = inert_json(json);
        assert!(!shown.chars().any(is_hostile), "{shown}");
        let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(value(&shown), value(json));
        assert_eq!(inert_json("{\n  \"a\": 1\n}"), "{\n  \"a\": 1\n}");
    }

    #[test]
    fn every_line_of_several_is_made_inert_and_clipping_counts_what_is_shown() {
        assert_eq!(inert_lines("a\x1bb\r\nc"), "a\\x1bb\nc");
        assert_eq!(clip("a\x1bb", 4), "a\\x\u{2026}");
        assert_eq!(clip("abcd", 4), "abcd");
    }
}

//! Hostile text made harmless. Log lines, host names and reasons come from machines nobody has to trust: what is printed must not
//! move the cursor, repaint the screen, or read in another order than it is written.

use std::borrow::Cow;
use std::fmt::Write as _;

/// One line of text for a terminal: everything that a terminal would obey, or that hides or reorders text, is written out
/// (`\x1b`, `\n`, `\u{202e}`). Visible text stays as it is.
pub fn inert(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hostile) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push(' '),
            c if is_hostile(c) && c.is_ascii() => write(&mut out, format_args!("\\x{:02x}", u32::from(c))),
            c if is_hostile(c) => write(&mut out, format_args!("\\u{{{:x}}}", u32::from(c))),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

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

/// Control characters of both sets, and characters that are not seen but change what is: direction, joining, filling, tags.
fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

fn write(out: &mut String, what: std::fmt::Arguments<'_>) {
    out.write_fmt(what).expect("a string takes everything");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_written_out() {
        for (hostile, shown) in [
            ("\x1b[2J\x1b]0;owned\x07", "\\x1b[2J\\x1b]0;owned\\x07"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("a\r\nb\tc", "a\\r\\nb c"),
            ("\u{202e}txt.exe\u{2066}", "\\u{202e}txt.exe\\u{2066}"),
            ("pay\u{200b}pal\u{feff}", "pay\\u{200b}pal\\u{feff}"),
            ("\u{e0041}", "\\u{e0041}"),
            ("\0\x7f", "\\x00\\x7f"),
        ] {
            assert_eq!(inert(hostile), shown);
            assert!(!inert(hostile).chars().any(is_hostile));
        }
    }

    #[test]
    fn honest_text_stays_as_it_is() {
        for text in ["requests/s 41.8 -> 0.0", "caf\u{e9} \u{6771}\u{4eac} \u{2714}", "", "C:\\x1b"] {
            assert!(matches!(inert(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }

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

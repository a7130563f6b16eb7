//! Hostile text made harmless. Log lines, host names and reasons come from machines nobody has to trust: what is shown must not
//! move the cursor, repaint the screen, or read in another order than it is written.

use std::borrow::Cow;
use std::fmt::Write as _;

/// One line of text: everything that a terminal would obey, or that hides or reorders text, is written out
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
            c if is_hostile(c) => out.push_str(&written(c)),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// A character written out: `\x1b`, `\u{202e}`.
pub fn written(c: char) -> String {
    let mut out = String::new();
    let written = if c.is_ascii() { write!(out, "\\x{:02x}", u32::from(c)) } else { write!(out, "\\u{{{:x}}}", u32::from(c)) };
    written.expect("a string takes everything");
    out
}

/// Control characters of both sets, and characters that are not seen but change what is: direction, joining, filling, tags.
pub fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
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
}

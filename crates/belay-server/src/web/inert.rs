//! The escaper of every value in a page: HTML is written out, and so is every character that is not seen or that
//! makes text read in another order. A page cannot leave it out: templates escape by default, and by this.

use std::fmt::{self, Write};

use askama::filters::{Escaper, Html};
use belay_core::explain::inert::{is_hostile, written};

/// The escaper. Ends of lines and tabs stay: they are no harm in a page, and texts have them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Visible;

impl Escaper for Visible {
    fn write_escaped_str<W: Write>(&self, mut dest: W, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some((at, hostile)) = rest.char_indices().find(|(_, c)| is_hostile(*c) && !matches!(c, '\n' | '\t')) {
            Html.write_escaped_str(&mut dest, &rest[..at])?;
            dest.write_str(&written(hostile))?;
            rest = &rest[at + hostile.len_utf8()..];
        }
        Html.write_escaped_str(&mut dest, rest)
    }
}

/// A text with nothing in it that a page would obey.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    // Writing to memory does not fail; were it to, less would be shown, never more.
    let _ = Visible.write_escaped_str(&mut out, text);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_value_is_obeyed_or_hidden() {
        for (value, shown) in [
            ("<script>alert(1)</script>", "&#60;script&#62;alert(1)&#60;/script&#62;"),
            ("\" onload='x' &", "&#34; onload=&#39;x&#39; &#38;"),
            ("a\u{202e}b\u{200b}c", "a\\u{202e}b\\u{200b}c"),
            ("\x1b[31m\0", "\\x1b[31m\\x00"),
            ("a\n\tb", "a\n\tb"),
            ("\r", "\\x0d"),
        ] {
            assert_eq!(escaped(value), shown);
        }
    }
}

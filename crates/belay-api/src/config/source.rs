//! Files as texts: where a byte is for people, and how several files become one text and back.

use std::ops::Range;
use std::sync::Arc;

use super::error::At;

/// The line before each file in a text that holds several.
const MARK: &str = "#@file ";

/// The text of one file.
#[derive(Clone, Debug)]
pub(super) struct Source<'t> {
    pub name: Arc<str>,
    pub text: &'t str,
}

impl Source<'_> {
    /// The place of a byte, for a key.
    pub(super) fn at(&self, span: &Range<usize>, key: &str) -> At {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        At {
            file: Arc::clone(&self.name),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            key: key.to_owned(),
        }
    }
}

/// Several files as one text, which [`split`] takes apart again. One file stays as it is.
pub(super) fn join(files: &[(&str, &str)]) -> String {
    if let [(_, text)] = files {
        return (*text).to_owned();
    }
    let mut joined = String::new();
    for (name, text) in files {
        joined.push_str(MARK);
        joined.push_str(&name.replace(['\n', '\r'], " "));
        joined.push('\n');
        joined.push_str(text);
        if !text.is_empty() && !text.ends_with('\n') {
            joined.push('\n');
        }
    }
    joined
}

/// The files of a text: what [`join`] put together, or the text itself.
pub(super) fn split<'t>(name: &str, text: &'t str) -> Vec<Source<'t>> {
    let mut sources = Vec::new();
    let mut current = Source { name: name.into(), text: "" };
    let (mut from, mut at) = (0, 0);
    for line in text.split_inclusive('\n') {
        if let Some(next) = line.strip_prefix(MARK) {
            sources.push(Source { text: &text[from..at], ..current });
            current = Source { name: next.trim_end().into(), text: "" };
            from = at + line.len();
        }
        at += line.len();
    }
    sources.push(Source { text: &text[from..], ..current });
    sources
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_joined_come_apart_again_with_their_names() {
        let files = [("belay.toml", "a = 1"), ("10-web.toml", "b = 2\n"), ("empty.toml", "")];
        let text = join(&files);
        let apart: Vec<(String, &str)> = split("x", &text).into_iter().map(|source| (source.name.to_string(), source.text)).collect();
        let expected = [("x", ""), ("belay.toml", "a = 1\n"), ("10-web.toml", "b = 2\n"), ("empty.toml", "")];
        assert_eq!(apart, expected.map(|(name, text)| (name.to_owned(), text)));
        assert_eq!(join(&[("any", &text)]), text);
    }

    #[test]
    fn a_place_counts_lines_and_characters_from_one() {
        let source = Source { name: "f".into(), text: "# \u{fc}\nk = \"\u{fc}\" # x\n" };
        let place = |offset: usize| {
            let at = source.at(&(offset..offset), "k");
            (at.line, at.column)
        };
        assert_eq!((place(0), place(5), place(14)), ((1, 1), (2, 1), (2, 9)));
        assert_eq!(place(9_999), (3, 1));
    }
}

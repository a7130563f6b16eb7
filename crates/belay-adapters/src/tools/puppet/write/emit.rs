//! YAML as Psych writes it, as far as reports need it: two blanks a level, texts quoted by the
//! rules of Psych's emitter, texts of several lines as literal blocks.

use std::fmt::Write as _;

use belay_core::model::time::Timestamp;

/// Words that Psych would read back as something other than a text.
const NOT_TEXTS: [&str; 14] = ["null", "~", "true", "false", "yes", "no", "on", "off", "y", "n", ".inf", "-.inf", ".nan", "<<"];

/// A document being written.
#[derive(Debug, Default)]
pub(super) struct Emitter(String);

impl Emitter {
    /// A line as it is, at this level.
    pub fn line(&mut self, level: usize, text: &str) {
        self.indent(level);
        self.0.push_str(text);
        self.0.push('\n');
    }

    /// A key with a value that is written as it is; nothing after the colon when it is empty.
    pub fn entry(&mut self, level: usize, key: &str, value: &str) {
        self.indent(level);
        self.0.push_str(key);
        self.0.push(':');
        if !value.is_empty() {
            self.0.push(' ');
            self.0.push_str(value);
        }
        self.0.push('\n');
    }

    /// A key with a text.
    pub fn text(&mut self, level: usize, key: &str, text: &str) {
        self.entry(level, key, &scalar(text, level));
    }

    /// A text in a list.
    pub fn item(&mut self, level: usize, text: &str) {
        self.line(level, &format!("- {}", scalar(text, level)));
    }

    /// A key that may be of any text. One too long for a simple key is written as `? key`.
    pub fn key(&mut self, level: usize, key: &str) {
        let single = if key.contains('\n') { double_quoted(key) } else { scalar(key, level) };
        if single.len() <= 128 {
            return self.line(level, &format!("{single}:"));
        }
        self.line(level, &format!("? {single}"));
        self.line(level, ":");
    }

    /// A metric: name, label and rows.
    pub fn metric(&mut self, name: &str, rows: &[(&str, String)]) {
        let label = |name: &str| {
            let mut label = name.replace('_', " ");
            label[..1].make_ascii_uppercase();
            label
        };
        self.line(1, &format!("{name}:"));
        self.entry(2, "name", name);
        self.entry(2, "label", &label(name));
        self.line(2, "values:");
        for (row, value) in rows {
            self.line(2, &format!("- - {row}"));
            self.line(3, &format!("- {}", label(row)));
            self.line(3, &format!("- {value}"));
        }
    }

    /// The document.
    pub fn finish(self) -> String {
        self.0
    }

    fn indent(&mut self, level: usize) {
        for _ in 0..level {
            self.0.push_str("  ");
        }
    }
}

/// An instant as Ruby's `iso8601(9)` writes it.
pub(super) fn instant(at: Timestamp) -> String {
    let seconds = at.to_string();
    format!("{}.{:03}000000+00:00", seconds.trim_end_matches('Z'), at.ms().rem_euclid(1000))
}

/// A text as a scalar whose key stands at this level.
fn scalar(text: &str, level: usize) -> String {
    let odd = |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{feff}' | '\u{2028}' | '\u{2029}');
    let strange_lines = text.starts_with([' ', '\n']) || text.lines().any(|line| line.ends_with(' ') || line.starts_with(' '));
    if text.contains(odd) || (text.contains('\n') && strange_lines) {
        return double_quoted(text);
    }
    if text.contains('\n') {
        return literal(text, level);
    }
    let starts_with_word = text.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    if !text.is_empty() && !starts_with_word && !text.contains('"') {
        return double_quoted(text);
    }
    if starts_with_word && is_plain(text) { text.to_owned() } else { format!("'{}'", text.replace('\'', "''")) }
}

/// Whether a text that starts with a letter or digit can stand without quotes.
fn is_plain(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let number = lower.replace(['_', ','], "");
    let numeric = number.parse::<f64>().is_ok() || number.bytes().all(|b| b.is_ascii_digit() || matches!(b, b':' | b'.' | b'-'));
    let based = number.strip_prefix("0x").or_else(|| number.strip_prefix("0o")).or_else(|| number.strip_prefix("0b")).is_some();
    let dated = text.len() >= 10 && text.as_bytes()[4] == b'-' && text.bytes().take(4).all(|b| b.is_ascii_digit());
    let another_kind = NOT_TEXTS.contains(&lower.as_str()) || numeric || based || dated;
    let has_signs = text.contains(": ") || text.contains(" #") || text.ends_with([':', ' ']);
    !another_kind && !has_signs
}

fn double_quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{1b}' => out.push_str("\\e"),
            c if c.is_control() || matches!(c, '\u{feff}' | '\u{2028}' | '\u{2029}') => _ = write!(out, "\\u{:04X}", u32::from(c)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A literal block, one level in: `|` when the text ends with one line end, `|-` with none, `|+`
/// with several.
fn literal(text: &str, level: usize) -> String {
    let body = text.trim_end_matches('\n');
    let ends = text.len() - body.len();
    let mut out = String::from(match ends {
        0 => "|-",
        1 => "|",
        _ => "|+",
    });
    for line in body.split('\n').chain(std::iter::repeat_n("", ends.saturating_sub(1))) {
        out.push('\n');
        if !line.is_empty() {
            out.push_str(&"  ".repeat(level + 1));
            out.push_str(line);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_quoted_as_psych_quotes_them() {
        for (text, written) in [
            ("web01.example.com", "web01.example.com"),
            ("r142-94f21930c957", "r142-94f21930c957"),
            ("9690dc2a-f6d0-4a44-9763-c4cf97d911f9", "9690dc2a-f6d0-4a44-9763-c4cf97d911f9"),
            ("/etc/app.conf", "\"/etc/app.conf\""),
            ("{sha256}61417c3d", "\"{sha256}61417c3d\""),
            ("File[/etc/app.conf]", "File[/etc/app.conf]"),
            ("Using environment 'r142'", "Using environment 'r142'"),
            ("Error: it's broken", "'Error: it''s broken'"),
            ("0", "'0'"),
            ("1795329920", "'1795329920'"),
            ("true", "'true'"),
            ("", "''"),
            ("7.23.0", "'7.23.0'"),
            ("one\ntwo", "|-\n  one\n  two"),
            ("red \u{1b}[31m", "\"red \\e[31m\""),
        ] {
            assert_eq!(scalar(text, 0), written, "{text:?}");
        }
    }
}

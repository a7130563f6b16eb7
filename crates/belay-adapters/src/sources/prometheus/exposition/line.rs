//! One sample: `name{label="value",...} value timestamp`.

use std::borrow::Cow;

use super::{Form, Limits};
use crate::tools::redact::clean;

/// Name and value of each label, in the order of the line.
type Labels<'a> = Vec<(&'a str, String)>;

/// A line with a sample.
pub(super) struct Line<'a> {
    /// The metric's name.
    pub name: &'a str,
    /// The labels as they stand there.
    pub labels: Labels<'a>,
    /// The value.
    pub value: f64,
    /// Its own time in milliseconds, where it has one.
    pub at_ms: Option<i64>,
}

impl<'a> Line<'a> {
    /// Reads a line that is neither blank nor a comment.
    pub fn read(text: &'a str, form: Form, limits: &Limits) -> Result<Self, String> {
        let text = blanks(text);
        let (name, rest) = name(text, true).ok_or_else(|| format!("no name of a metric: {}", shown(text)))?;
        too_long("name", name.len(), limits.name_max)?;
        let (labels, rest) = match blanks(rest).strip_prefix('{') {
            Some(rest) => labels(rest, limits)?,
            None => (Vec::new(), rest),
        };
        if !rest.is_empty() && !rest.starts_with([' ', '\t']) && !text[..text.len() - rest.len()].ends_with('}') {
            return Err(format!("after the name `{name}` comes neither a blank nor a brace: {}", shown(rest)));
        }
        // What follows the sample in OpenMetrics is an exemplar.
        let rest = match (form, rest.split_once(" # ")) {
            (Form::OpenMetrics, Some((sample, _))) => sample,
            (Form::OpenMetrics | Form::Text, _) => rest,
        };
        let mut words = rest.split([' ', '\t']).filter(|word| !word.is_empty());
        let value = words.next().ok_or_else(|| format!("`{name}` has no value"))?;
        let value = number(value).ok_or_else(|| format!("the value of `{name}` is no number: {}", shown(value)))?;
        let at_ms = words.next().map(|word| time(word, form).ok_or_else(|| format!("no timestamp: {}", shown(word)))).transpose()?;
        match words.next() {
            None => Ok(Self { name, labels, value, at_ms }),
            Some(word) => Err(format!("something follows the sample of `{name}`: {}", shown(word))),
        }
    }
}

/// The labels after the opening brace, and what follows the closing one.
fn labels<'a>(mut rest: &'a str, limits: &Limits) -> Result<(Labels<'a>, &'a str), String> {
    let mut found: Labels<'a> = Vec::new();
    loop {
        rest = blanks(rest);
        if let Some(rest) = rest.strip_prefix('}') {
            return Ok((found, rest));
        }
        let (label, after) = name(rest, false).ok_or_else(|| format!("no name of a label: {}", shown(rest)))?;
        too_long("name", label.len(), limits.name_max)?;
        let after = blanks(after).strip_prefix('=').map(blanks).and_then(|after| after.strip_prefix('"'));
        let after = after.ok_or_else(|| format!("after the label `{label}` comes no =\"value\""))?;
        let (value, after) = value(after).ok_or_else(|| format!("the value of the label `{label}` does not end"))?;
        too_long("value", value.len(), limits.value_max)?;
        if label == "__name__" || found.iter().any(|(known, _)| *known == label) {
            return Err(format!("the label `{label}` may not be there, or is there twice"));
        }
        if found.len() >= limits.labels_max {
            return Err(format!("more than {} labels", limits.labels_max));
        }
        found.push((label, value.into_owned()));
        let after = blanks(after);
        rest = match after.strip_prefix(',') {
            Some(rest) => rest,
            None if after.starts_with('}') => after,
            None => return Err(format!("after the label `{label}` comes neither a comma nor a brace: {}", shown(after))),
        };
    }
}

/// A name at the beginning; only a metric's may hold colons.
fn name(text: &str, colons: bool) -> Option<(&str, &str)> {
    let is_part = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_' || (colons && *b == b':');
    let length = text.bytes().take_while(is_part).count();
    (length > 0 && !text.starts_with(|c: char| c.is_ascii_digit())).then(|| text.split_at(length))
}

/// A label's value up to its closing quote, and what follows.
fn value(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let plain = text.find(['"', '\\'])?;
    if text.as_bytes()[plain] == b'"' {
        return Some((Cow::Borrowed(&text[..plain]), &text[plain + 1..]));
    }
    let mut out = text[..plain].to_owned();
    let mut chars = text[plain..].char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((Cow::Owned(out), &text[plain + at + 1..])),
            '\\' => match chars.next()?.1 {
                'n' => out.push('\n'),
                same @ ('"' | '\\') => out.push(same),
                // No escape: both characters stand for themselves.
                other => out.extend(['\\', other]),
            },
            other => out.push(other),
        }
    }
    None
}

/// A value. The text knows one NaN; it must not be mistaken for the marker of a series that ended.
fn number(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().map(|number| if number.is_nan() { f64::NAN } else { number })
}

fn time(text: &str, form: Form) -> Option<i64> {
    match form {
        Form::Text => text.parse().ok(),
        Form::OpenMetrics => {
            let seconds = text.parse::<f64>().ok().filter(|seconds| seconds.abs() < 1e12)?;
            Some((seconds * 1000.0).round() as i64)
        }
    }
}

fn too_long(what: &str, bytes: usize, max: usize) -> Result<(), String> {
    if bytes > max { Err(format!("a {what} of {bytes} bytes; at most {max} are taken")) } else { Ok(()) }
}

fn blanks(text: &str) -> &str {
    text.trim_start_matches([' ', '\t'])
}

/// The beginning of a text that came from outside, for a message.
fn shown(text: &str) -> String {
    format!("\"{}\"", clean(text, 60))
}

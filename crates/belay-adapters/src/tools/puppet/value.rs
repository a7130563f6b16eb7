//! Values of events kept whole: a text, a number, a list, a mapping. Their canonical text is what
//! content hashes are made of, so it must not depend on how the report was written.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::walk::{Refusal, Scalar};

/// Pieces of one value that are kept; a larger one becomes [`Value::TooLarge`].
const PIECES_MAX: usize = 10_000;

/// A value of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// Nothing.
    Null,
    /// A text, a number, `true` or `false`.
    Text(String),
    /// A list.
    List(Vec<Value>),
    /// A mapping, in the order of the report.
    Map(Vec<(String, Value)>),
    /// A list or mapping of too many pieces.
    TooLarge,
}

impl Value {
    /// A single value: symbols lose their colon, numbers are written in one way only.
    pub fn single(scalar: Scalar<'_>) -> Self {
        match scalar {
            Scalar::Text(text) => Self::Text(text.to_owned()),
            Scalar::Plain(_) => match scalar.some() {
                None => Self::Null,
                Some(text) => Self::Text(plain(text)),
            },
        }
    }

    /// The canonical text: a text as it is, a list of one as its only entry (Puppet makes no
    /// difference between the two), any other list or mapping as JSON with its keys sorted. `None`
    /// for nothing and for what is too large.
    pub fn canonical(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Null | Self::TooLarge => None,
            Self::Text(text) => Some(Cow::Borrowed(text)),
            Self::List(items) if items.len() == 1 => items[0].canonical(),
            Self::List(_) | Self::Map(_) => {
                let mut json = String::new();
                self.write(&mut json)?;
                Some(Cow::Owned(json))
            }
        }
    }

    /// The value that a text of a command stands for: the terminus writes Ruby's own way of showing a
    /// value (`to_s`), in which nothing is the empty text and a list is `["0"]`.
    pub fn inspected(self) -> Self {
        match self {
            Self::Text(text) if text.is_empty() => Self::Null,
            Self::Text(text) if text.starts_with("[\"") && text.ends_with("\"]") => {
                let list = serde_json::from_str::<Vec<String>>(&text).ok().filter(|list| list.len() < PIECES_MAX);
                list.map_or(Self::Text(text), |list| Self::List(list.into_iter().map(Self::Text).collect()))
            }
            other => other,
        }
    }

    /// Appends the value as JSON; `None` when a part of it is too large.
    fn write(&self, out: &mut String) -> Option<()> {
        match self {
            Self::Null => out.push_str("null"),
            Self::Text(text) => out.push_str(&quoted(text)),
            Self::List(items) => {
                for (i, item) in items.iter().enumerate() {
                    out.push(if i == 0 { '[' } else { ',' });
                    item.write(out)?;
                }
                out.push_str(if items.is_empty() { "[]" } else { "]" });
            }
            Self::Map(entries) => {
                let sorted: BTreeMap<&str, &Value> = entries.iter().map(|(key, value)| (key.as_str(), value)).collect();
                for (i, (key, value)) in sorted.iter().enumerate() {
                    out.push(if i == 0 { '{' } else { ',' });
                    out.push_str(&quoted(key));
                    out.push(':');
                    value.write(out)?;
                }
                out.push_str(if entries.is_empty() { "{}" } else { "}" });
            }
            Self::TooLarge => return None,
        }
        Some(())
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A plain scalar as text: `:running` is the symbol `running`; `1.50` and `1.5` are one number.
fn plain(text: &str) -> String {
    if let Some(symbol) = text.strip_prefix(':')
        && symbol.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && !symbol.is_empty()
    {
        return symbol.to_owned();
    }
    let looks_real = text.contains(['.', 'e', 'E']) && text.starts_with(|c: char| c.is_ascii_digit() || c == '-');
    match text.parse::<f64>() {
        Ok(number) if looks_real && number.is_finite() => format!("{number:?}"),
        _ => text.to_owned(),
    }
}

/// A value being put together.
#[derive(Debug, Default)]
pub(super) struct Builder {
    open: Vec<Value>,
    keys: Vec<String>,
    pieces: usize,
}

impl Builder {
    /// A list or mapping begins.
    pub fn open(&mut self, empty: Value) {
        self.pieces += 1;
        self.open.push(empty);
    }

    /// A key of the mapping opened last.
    pub fn key(&mut self, key: &str) {
        self.keys.push(if self.pieces < PIECES_MAX { key.to_owned() } else { String::new() });
    }

    /// A single value inside.
    pub fn put(&mut self, value: Value) {
        self.pieces += 1;
        match self.open.last_mut() {
            Some(Value::List(items)) if self.pieces < PIECES_MAX => items.push(value),
            Some(Value::Map(entries)) => {
                let key = self.keys.pop().unwrap_or_default();
                if self.pieces < PIECES_MAX {
                    entries.push((key, value));
                }
            }
            _ => {}
        }
    }

    /// The list or mapping opened last ends; the whole value when it was the outermost.
    pub fn close(&mut self) -> Result<Option<Value>, Refusal> {
        let Some(done) = self.open.pop() else {
            return Refusal::new("a list or mapping ends that never began");
        };
        if !self.open.is_empty() {
            self.put(done);
            return Ok(None);
        }
        Ok(Some(if self.pieces < PIECES_MAX { done } else { Value::TooLarge }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_value_has_one_text_however_it_was_written() {
        let text = |scalar| Value::single(scalar).canonical().map(Cow::into_owned);
        assert_eq!(text(Scalar::Plain(":running")), text(Scalar::Text("running")));
        assert_eq!(text(Scalar::Plain("1.50")), text(Scalar::Plain("1.5")));
        assert_eq!(text(Scalar::Plain("0644")).as_deref(), Some("0644"));
        assert_eq!(text(Scalar::Plain("~")), None);
        assert_eq!(text(Scalar::Text("null")).as_deref(), Some("null"));
        assert_eq!(Value::List(vec![Value::Text("0".into())]).canonical().as_deref(), Some("0"));
        let inspected = |text: &str| Value::Text(text.into()).inspected().canonical().map(Cow::into_owned);
        assert_eq!(inspected("[\"0\"]").as_deref(), Some("0"));
        assert_eq!(inspected("[\"a\", \"b\"]").as_deref(), Some(r#"["a","b"]"#));
        assert_eq!((inspected(""), inspected("[x]").as_deref()), (None, Some("[x]")));
        let list = Value::List(vec![Value::Text("a".into()), Value::Null]);
        assert_eq!(list.canonical().as_deref(), Some(r#"["a",null]"#));
        let map = Value::Map(vec![("b".into(), list), ("a".into(), Value::Text("1".into()))]);
        assert_eq!(map.canonical().as_deref(), Some(r#"{"a":"1","b":["a",null]}"#));
    }
}

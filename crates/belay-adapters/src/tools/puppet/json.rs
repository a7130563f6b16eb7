//! The same report as JSON (Puppet's `to_data_hash`): the same names in the same places, so that
//! the collector need not know which of the two it was.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::walk::{Budget, Refusal, Scalar, Sink, Stop};

/// Reads one JSON document into the sink.
///
/// # Errors
/// [`Stop`] with the offset in bytes at which reading ended.
pub(super) fn walk(text: &str, sink: &mut impl Sink) -> Result<(), Stop> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let mut budget = Budget::new();
    let mut refused = None;
    let read = Value { sink, budget: &mut budget, refused: &mut refused }.deserialize(&mut reader).and_then(|()| reader.end());
    read.map_err(|error| {
        let at = offset(text, error.line(), error.column());
        match refused {
            Some(Refusal(reason)) => Stop { at, reason },
            None if error.is_eof() => Stop { at: text.len(), reason: "the JSON ends too early: truncated on its way".to_owned() },
            None => Stop { at, reason: format!("not JSON: {error}") },
        }
    })
}

/// The offset in bytes of a line (from 1) and column (in bytes, from 1).
pub(super) fn offset(text: &str, line: usize, column: usize) -> usize {
    let mut start = 0;
    for _ in 1..line {
        start += text[start..].find('\n').map_or(0, |length| length + 1);
    }
    (start + column.saturating_sub(1)).min(text.len())
}

/// A value about to be read.
struct Value<'a, S> {
    sink: &'a mut S,
    budget: &'a mut Budget,
    refused: &'a mut Option<Refusal>,
}

impl<S: Sink> Value<'_, S> {
    fn again(&mut self) -> Value<'_, S> {
        Value { sink: self.sink, budget: self.budget, refused: self.refused }
    }

    /// Turns a refusal into the reader's own kind of error, and keeps it.
    fn keep<E: Error>(&mut self, done: Result<(), Refusal>) -> Result<(), E> {
        done.map_err(|refusal| {
            let error = E::custom(&refusal.0);
            *self.refused = Some(refusal);
            error
        })
    }

    fn scalar<E: Error>(&mut self, scalar: Scalar<'_>) -> Result<(), E> {
        let done = self.budget.spend(scalar.text().len()).and_then(|()| self.sink.scalar(scalar));
        self.keep(done)
    }
}

impl<'de, S: Sink> DeserializeSeed<'de> for Value<'_, S> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de, S: Sink> Visitor<'de> for Value<'_, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E: Error>(mut self) -> Result<(), E> {
        self.scalar(Scalar::Plain("null"))
    }

    fn visit_bool<E: Error>(mut self, value: bool) -> Result<(), E> {
        self.scalar(Scalar::Plain(if value { "true" } else { "false" }))
    }

    fn visit_i64<E: Error>(mut self, value: i64) -> Result<(), E> {
        self.scalar(Scalar::Plain(&value.to_string()))
    }

    fn visit_u64<E: Error>(mut self, value: u64) -> Result<(), E> {
        self.scalar(Scalar::Plain(&value.to_string()))
    }

    fn visit_f64<E: Error>(mut self, value: f64) -> Result<(), E> {
        self.scalar(Scalar::Plain(&format!("{value:?}")))
    }

    fn visit_str<E: Error>(mut self, value: &str) -> Result<(), E> {
        self.scalar(Scalar::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        let done = self.budget.enter().and_then(|()| self.sink.open_list());
        self.keep(done)?;
        while items.next_element_seed(self.again())?.is_some() {}
        self.budget.leave();
        let done = self.sink.close();
        self.keep(done)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<(), A::Error> {
        let done = self.budget.enter().and_then(|()| self.sink.open_map());
        self.keep(done)?;
        while entries.next_key_seed(Key(self.again()))?.is_some() {
            entries.next_value_seed(self.again())?;
        }
        self.budget.leave();
        let done = self.sink.close();
        self.keep(done)
    }
}

/// A key about to be read.
struct Key<'a, S>(Value<'a, S>);

impl<'de, S: Sink> DeserializeSeed<'de> for Key<'_, S> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_str(self)
    }
}

impl<'de, S: Sink> Visitor<'de> for Key<'_, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(mut self, key: &str) -> Result<(), E> {
        let done = self.0.budget.spend(key.len()).and_then(|()| self.0.sink.key(key));
        self.0.keep(done)
    }
}

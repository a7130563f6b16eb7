//! Form 1 of what nouns are made of: texts, numbers, containers, names, times.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::sync::Arc;

use belay_core::model::alert::Subject;
use belay_core::model::change::{Overlaps, Spoilt};
use belay_core::model::feed::FeedId;
use belay_core::model::hold::Turns;
use belay_core::model::host::OwnFacts;
use belay_core::model::hours::Zone;
use belay_core::model::ids::{
    ChangeId, ClassName, Digest, EffectId, Environment, HoldId, HostId, InboxId, ReceiverName, Release, RevertId, RunId, SignalName,
    ToolName,
};
use belay_core::model::log::LogEvidence;
use belay_core::model::policy::{Pattern, Policy};
use belay_core::model::principal::{Actor, Within};
use belay_core::model::selfcheck::Cautions;
use belay_core::model::signal::Weight;
use belay_core::model::table::OutpostId;
use belay_core::model::time::{Span, Timestamp};
use serde::ser::{SerializeMap, SerializeSeq, Serializer};
use serde_json::Value;

use super::form::{Fault, Fields, Form, Put, put_field};

/// The text of a value that must be one.
pub(super) fn text(value: Value) -> Result<String, Fault> {
    match value {
        Value::String(text) => Ok(text),
        other => Err(Fault::expected("a text", &other)),
    }
}

fn list(value: Value) -> Result<Vec<Value>, Fault> {
    match value {
        Value::Array(list) => Ok(list),
        other => Err(Fault::expected("a list", &other)),
    }
}

fn put_all<'a, S: Serializer, T: Form + 'a>(out: S, all: impl ExactSizeIterator<Item = &'a T>) -> Result<S::Ok, S::Error> {
    let mut list = out.serialize_seq(Some(all.len()))?;
    for one in all {
        list.serialize_element(&Put(one))?;
    }
    list.end()
}

impl Form for String {
    fn put<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(self)
    }

    fn take(value: Value) -> Result<Self, Fault> {
        text(value)
    }
}

impl Form for Arc<str> {
    fn put<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(self)
    }

    fn take(value: Value) -> Result<Self, Fault> {
        Ok(text(value)?.into())
    }
}

impl Form for bool {
    fn put<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_bool(*self)
    }

    fn take(value: Value) -> Result<Self, Fault> {
        value.as_bool().ok_or_else(|| Fault::expected("true or false", &value))
    }
}

impl Form for i64 {
    fn put<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_i64(*self)
    }

    fn take(value: Value) -> Result<Self, Fault> {
        value.as_i64().ok_or_else(|| Fault::expected("a whole number", &value))
    }
}

impl Form for u64 {
    fn put<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_u64(*self)
    }

    fn take(value: Value) -> Result<Self, Fault> {
        value.as_u64().ok_or_else(|| Fault::expected("a whole number that is not negative", &value))
    }
}

impl Form for u32 {
    fn put<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_u32(*self)
    }

    fn take(value: Value) -> Result<Self, Fault> {
        let wide = u64::take(value)?;
        wide.try_into().map_err(|_| Fault::new(format!("{wide} is more than {}", u32::MAX)))
    }
}

/// JSON has no word for what is not finite, so these are texts.
impl Form for f64 {
    fn put<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        if self.is_finite() { out.serialize_f64(*self) } else { out.collect_str(self) }
    }

    fn take(value: Value) -> Result<Self, Fault> {
        match value.as_str() {
            Some("NaN") => Ok(Self::NAN),
            Some("inf") => Ok(Self::INFINITY),
            Some("-inf") => Ok(Self::NEG_INFINITY),
            Some(_) | None => value.as_f64().ok_or_else(|| Fault::expected("a number", &value)),
        }
    }
}

impl<T: Form> Form for Box<T> {
    fn put<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        T::put(self, out)
    }

    fn take(value: Value) -> Result<Self, Fault> {
        T::take(value).map(Self::new)
    }
}

/// Left out when there is none; a `null` is read as none too.
impl<T: Form> Form for Option<T> {
    fn put<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        match self {
            Some(one) => one.put(out),
            None => out.serialize_unit(),
        }
    }

    fn take(value: Value) -> Result<Self, Fault> {
        if value.is_null() { Ok(None) } else { T::take(value).map(Some) }
    }

    fn is_left_out(&self) -> bool {
        self.is_none()
    }

    fn left_out() -> Option<Self> {
        Some(None)
    }
}

impl<T: Form> Form for Vec<T> {
    fn put<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        put_all(out, self.iter())
    }

    fn take(value: Value) -> Result<Self, Fault> {
        list(value)?.into_iter().enumerate().map(|(at, one)| T::take(one).map_err(|fault| fault.within_index(at))).collect()
    }
}

impl<T: Form + Ord> Form for BTreeSet<T> {
    fn put<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        put_all(out, self.iter())
    }

    fn take(value: Value) -> Result<Self, Fault> {
        let mut set = Self::new();
        for (at, one) in Vec::<T>::take(value)?.into_iter().enumerate() {
            if !set.insert(one) {
                return Err(Fault::new("it is there twice").within_index(at));
            }
        }
        Ok(set)
    }
}

impl<A: Form, B: Form> Form for (A, B) {
    fn put<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        put_pair(out, &self.0, &self.1)
    }

    fn take(value: Value) -> Result<Self, Fault> {
        let pair: [Value; 2] =
            list(value)?.try_into().map_err(|found: Vec<_>| Fault::new(format!("expected a pair, found {} values", found.len())))?;
        let [first, second] = pair;
        Ok((A::take(first).map_err(|fault| fault.within_index(0))?, B::take(second).map_err(|fault| fault.within_index(1))?))
    }
}

fn put_pair<S: Serializer, A: Form, B: Form>(out: S, first: &A, second: &B) -> Result<S::Ok, S::Error> {
    let mut pair = out.serialize_seq(Some(2))?;
    pair.serialize_element(&Put(first))?;
    pair.serialize_element(&Put(second))?;
    pair.end()
}

struct PutPair<'a, A, B>(&'a A, &'a B);

impl<A: Form, B: Form> serde::Serialize for PutPair<'_, A, B> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        put_pair(out, self.0, self.1)
    }
}

impl<K: Form + Ord, V: Form> Form for BTreeMap<K, V> {
    fn put<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_seq(self.iter().map(|(key, value)| PutPair(key, value)))
    }

    fn take(value: Value) -> Result<Self, Fault> {
        let mut map = Self::new();
        for (at, (key, value)) in Vec::<(K, V)>::take(value)?.into_iter().enumerate() {
            if map.insert(key, value).is_some() {
                return Err(Fault::new("its key is there twice").within_index(at));
            }
        }
        Ok(map)
    }
}

/// What came later than the form: where it is left out there is none.
macro_rules! form_later {
    ($($name:ident),*) => {$(
        impl Form for $name {
            fn put<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
                self.0.put(out)
            }

            fn take(value: Value) -> Result<Self, Fault> {
                Form::take(value).map(Self)
            }

            fn is_left_out(&self) -> bool {
                self.0.is_empty()
            }

            fn left_out() -> Option<Self> {
                Some(Self::default())
            }
        }
    )*};
}

form_later!(Overlaps, Spoilt, Cautions, LogEvidence, OwnFacts, Turns, Within);

impl Form for Weight {
    fn put<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_u32(self.0)
    }

    fn take(value: Value) -> Result<Self, Fault> {
        u32::take(value).map(Self)
    }

    fn is_left_out(&self) -> bool {
        *self == Self::default()
    }

    fn left_out() -> Option<Self> {
        Some(Self::default())
    }
}

impl Form for Timestamp {
    fn put<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_i64(self.ms())
    }

    fn take(value: Value) -> Result<Self, Fault> {
        i64::take(value).map(Self::from_ms)
    }
}

impl Form for Span {
    fn put<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_i64(self.ms())
    }

    fn take(value: Value) -> Result<Self, Fault> {
        i64::take(value).map(Self::from_ms)
    }
}

impl Form for Actor {
    fn put<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&self.0)
    }

    fn take(value: Value) -> Result<Self, Fault> {
        text(value).map(Self)
    }
}

impl Form for Pattern {
    fn put<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(self.as_str())
    }

    fn take(value: Value) -> Result<Self, Fault> {
        Ok(Self::new(&text(value)?))
    }
}

form_struct! {
    Zone { name, first, changes }
}

impl Form for Arc<Zone> {
    fn put<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        (**self).put(out)
    }

    fn take(value: Value) -> Result<Self, Fault> {
        Zone::take(value).map(Self::new)
    }
}

/// A configuration is written as the text it was read from, and read by the same reader. Where it
/// names time zones, these stand beside the text.
impl Form for Arc<Policy> {
    fn put<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        if self.zones.is_empty() {
            return out.serialize_str(&self.text);
        }
        let mut fields = out.serialize_map(None)?;
        put_field(&mut fields, "text", &self.text)?;
        put_field(&mut fields, "zones", &self.zones)?;
        fields.end()
    }

    fn take(value: Value) -> Result<Self, Fault> {
        let (text, zones) = match value {
            Value::Object(_) => {
                let mut fields = Fields::of(value)?;
                let taken = (fields.take("text")?, fields.take("zones")?);
                fields.finish()?;
                taken
            }
            other => (text(other)?, BTreeMap::new()),
        };
        let wrong = |errors: Vec<crate::config::ConfigError>| Fault::new(crate::config::lines(&errors));
        Ok(Self::new(crate::config::parse_recorded(&text, zones).map_err(wrong)?.policy))
    }
}

/// Reads a printed form back.
trait Printed: Display + Sized {
    const WHAT: &'static str;
    fn read(text: &str) -> Result<Self, String>;
}

macro_rules! printed {
    (names: $($name:ident),*; numbers: $($number:ident),* $(,)?) => {
        $(impl Printed for $name {
            const WHAT: &'static str = stringify!($name);
            fn read(text: &str) -> Result<Self, String> {
                Self::parse(text).map_err(|bad| bad.to_string())
            }
        })*
        $(impl Printed for $number {
            const WHAT: &'static str = stringify!($number);
            fn read(text: &str) -> Result<Self, String> {
                Self::parse(text).ok_or_else(|| "it does not read as one".to_owned())
            }
        })*
        $(printed!(form $name);)*
        $(printed!(form $number);)*
    };
    (form $name:ident) => {
        impl Form for $name {
            fn put<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
                out.collect_str(self)
            }

            fn take(value: Value) -> Result<Self, Fault> {
                let text = text(value)?;
                <Self as Printed>::read(&text).map_err(|why| Fault::new(format!("{text:?} is no {}: {why}", <Self as Printed>::WHAT)))
            }
        }
    };
}

printed! {
    names: ClassName, Release, Environment, SignalName, ReceiverName, ToolName, HostId;
    numbers: RunId, ChangeId, EffectId, HoldId, RevertId, InboxId, Digest, Subject, FeedId, OutpostId,
}

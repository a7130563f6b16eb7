//! The machinery of a form: what it takes to write a noun as JSON and to read it back, the two
//! macros that spell nouns out, and faults that name their place.
//!
//! Writing goes straight into the text. Reading goes through a parsed value, which costs a little
//! more and gives every fault its exact path.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::{Map, Value};

/// Something that can be written in this form.
pub(super) trait Form: Sized {
    /// Writes it.
    fn put<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error>;

    /// Reads it back.
    fn take(value: Value) -> Result<Self, Fault>;

    /// Whether the field that holds it is left out.
    fn is_left_out(&self) -> bool {
        false
    }

    /// What a field that was left out holds; none where that is a fault.
    fn left_out() -> Option<Self> {
        None
    }
}

/// A noun on its way into the text.
pub(super) struct Put<'a, T>(pub &'a T);

impl<T: Form> Serialize for Put<'_, T> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        self.0.put(out)
    }
}

/// What is wrong with a body, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::journal) struct Fault {
    /// Steps from the outside, innermost first.
    steps: Vec<String>,
    reason: String,
}

impl Fault {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self { steps: Vec::new(), reason: reason.into() }
    }

    /// The value is of another kind than the form says.
    pub(super) fn expected(what: &str, found: &Value) -> Self {
        let found = match found {
            Value::Null => "nothing",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "a number",
            Value::String(_) => "a text",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        };
        Self::new(format!("expected {what}, found {found}"))
    }

    pub(super) fn within(mut self, step: &str) -> Self {
        self.steps.push(step.to_owned());
        self
    }

    pub(super) fn within_index(mut self, index: usize) -> Self {
        self.steps.push(format!("[{index}]"));
        self
    }

    /// The path to the place, such as `run.events[3].item`.
    pub(in crate::journal) fn place(&self) -> String {
        let mut path = String::new();
        for step in self.steps.iter().rev() {
            if !path.is_empty() && !step.starts_with('[') {
                path.push('.');
            }
            path.push_str(step);
        }
        if path.is_empty() { "the body".to_owned() } else { path }
    }

    /// What is wrong there.
    pub(in crate::journal) fn reason(&self) -> &str {
        &self.reason
    }
}

/// The text as a value.
pub(super) fn parse(text: &str) -> Result<Value, Fault> {
    serde_json::from_str(text).map_err(|error| Fault::new(format!("not JSON: {error}")))
}

/// The fields of an object, each to be taken once.
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    pub(super) fn of(value: Value) -> Result<Self, Fault> {
        match value {
            Value::Object(fields) => Ok(Self(fields)),
            other => Err(Fault::expected("an object", &other)),
        }
    }

    pub(super) fn take<T: Form>(&mut self, name: &str) -> Result<T, Fault> {
        match self.0.remove(name) {
            Some(value) => T::take(value).map_err(|fault| fault.within(name)),
            None => T::left_out().ok_or_else(|| Fault::new("it is not there").within(name)),
        }
    }

    /// Everything has been taken; what is left is unknown to this form.
    pub(super) fn finish(self) -> Result<(), Fault> {
        match self.0.keys().next() {
            Some(name) => Err(Fault::new("this form has no such field").within(name)),
            None => Ok(()),
        }
    }
}

/// Writes a field, unless it is left out.
pub(super) fn put_field<M: SerializeMap, T: Form>(fields: &mut M, name: &str, value: &T) -> Result<(), M::Error> {
    if value.is_left_out() { Ok(()) } else { fields.serialize_entry(name, &Put(value)) }
}

/// The word of an enum's variant, and what comes with it.
pub(super) fn variant(value: Value) -> Result<(String, Option<Value>), Fault> {
    match value {
        Value::String(word) => Ok((word, None)),
        Value::Object(fields) if fields.len() == 1 => match fields.into_iter().next() {
            Some((word, body)) => Ok((word, Some(body))),
            None => Err(Fault::new("expected one word")),
        },
        other => Err(Fault::expected("a word, or an object of one word", &other)),
    }
}

/// What comes with a variant that holds something.
pub(super) fn needed(word: &str, body: Option<Value>) -> Result<Value, Fault> {
    body.ok_or_else(|| Fault::new(format!("`{word}` comes with something, and nothing is there")))
}

/// The name of a field in this form: core's own, or the one it had when the form was made.
macro_rules! form_name {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident $name:literal) => {
        $name
    };
}

/// Spells structs out: every field once. A field that core renames keeps its name here
/// (`new_name as "old_name"`); one that core adds does not compile until a form has it.
macro_rules! form_struct {
    ($($name:ident { $($field:ident $(as $wire:literal)?),* $(,)? })*) => {$(
        impl Form for $name {
            fn put<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
                let Self { $($field),* } = self;
                let mut fields = out.serialize_map(None)?;
                $(put_field(&mut fields, form_name!($field $($wire)?), $field)?;)*
                fields.end()
            }

            fn take(value: Value) -> Result<Self, Fault> {
                let mut fields = Fields::of(value)?;
                let made = Self { $($field: fields.take(form_name!($field $($wire)?))?),* };
                fields.finish()?;
                Ok(made)
            }
        }
    )*};
}

/// Writes one variant: a word, or an object of one word.
macro_rules! put_variant {
    ($out:ident, $word:literal) => {
        $out.serialize_unit_variant("", 0, $word)
    };
    ($out:ident, $word:literal, ($one:ident)) => {
        $out.serialize_newtype_variant("", 0, $word, &Put($one))
    };
    ($out:ident, $word:literal, { $($field:ident),* }) => {{
        // The count only tells an empty object from others.
        let mut fields = $out.serialize_struct_variant("", 0, $word, 1)?;
        $(if !$field.is_left_out() {
            fields.serialize_field(stringify!($field), &Put($field))?;
        })*
        fields.end()
    }};
}

/// Reads what comes with one variant.
macro_rules! take_variant {
    ($name:ident::$variant:ident, $word:literal, $body:ident) => {
        match $body {
            None => Ok($name::$variant),
            Some(value) => Err(Fault::expected("nothing", &value).within($word)),
        }
    };
    ($name:ident::$variant:ident, $word:literal, $body:ident, ($one:ident)) => {
        needed($word, $body).and_then(Form::take).map($name::$variant).map_err(|fault: Fault| fault.within($word))
    };
    ($name:ident::$variant:ident, $word:literal, $body:ident, { $($field:ident),* }) => {
        needed($word, $body).and_then(|value| {
            let mut fields = Fields::of(value)?;
            let made = $name::$variant { $($field: fields.take(stringify!($field))?),* };
            fields.finish()?;
            Ok(made)
        }).map_err(|fault: Fault| fault.within($word))
    };
}

/// Spells enums out: the word of every variant, and its fields.
macro_rules! form_enum {
    ($($name:ident { $($word:literal => $variant:ident $(($one:ident))? $({ $($field:ident),* $(,)? })?),* $(,)? })*) => {$(
        impl Form for $name {
            fn put<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
                match self {
                    $(Self::$variant $(($one))? $({ $($field),* })? => put_variant!(out, $word $(, ($one))? $(, { $($field),* })?),)*
                }
            }

            fn take(value: Value) -> Result<Self, Fault> {
                let (word, body) = variant(value)?;
                match word.as_str() {
                    $($word => take_variant!($name::$variant, $word, body $(, ($one))? $(, { $($field),* })?),)*
                    other => Err(Fault::new(format!("this form has no word `{other}` here; it has {}", [$($word),*].join(", ")))),
                }
            }
        }
    )*};
}

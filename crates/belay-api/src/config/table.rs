//! A table of the text, read key by key. What is asked for is known; what is left at the end is an
//! unknown key.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::{Range, RangeInclusive};

use belay_core::model::time::Span;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{At, ConfigError, Found};
use super::source::Source;
use super::words::{did_you_mean, span};

struct Entry<'t> {
    key: Range<usize>,
    value: Spanned<DeValue<'t>>,
}

/// A table that is being read.
pub(super) struct Table<'t> {
    source: &'t Source<'t>,
    /// What it is called in errors: `class`, `class.release`.
    called: String,
    /// Where it begins.
    pub at: At,
    entries: BTreeMap<String, Entry<'t>>,
    known: Vec<&'static str>,
    /// What was found wrong in it so far.
    pub errors: Vec<ConfigError>,
}

impl<'t> Table<'t> {
    pub(super) fn new(source: &'t Source<'t>, called: &str, span: &Range<usize>, table: DeTable<'t>) -> Self {
        let entry = |(key, value): (Spanned<_>, _)| (String::from(AsRef::<str>::as_ref(key.get_ref())), Entry { key: key.span(), value });
        Self {
            source,
            called: called.to_owned(),
            at: source.at(span, called),
            entries: table.into_iter().map(entry).collect(),
            known: Vec::new(),
            errors: Vec::new(),
        }
    }

    fn path(&self, key: &str) -> String {
        if self.called.is_empty() { key.to_owned() } else { format!("{}.{key}", self.called) }
    }

    fn take(&mut self, key: &'static str) -> Option<(At, Spanned<DeValue<'t>>)> {
        self.known.push(key);
        let entry = self.entries.remove(key)?;
        Some((self.source.at(&entry.value.span(), &self.path(key)), entry.value))
    }

    fn wrong_type(&mut self, at: &At, expected: &str, found: &DeValue<'_>) {
        self.errors.push(at.mistake(format!("`{}` is {expected}, not a TOML {}", at.key, found.type_str())));
    }

    /// Whether a key is there at all.
    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// A key that must be there.
    pub(super) fn need(&mut self, key: &'static str, example: &str) {
        if !self.has(key) {
            let text = format!("this {} has no `{key}`", self.called);
            self.errors.push(self.at.mistake_with(text, format!("write for example {key} = {example}")));
        }
    }

    /// A text.
    pub(super) fn text(&mut self, key: &'static str) -> Option<Found<String>> {
        let (at, value) = self.take(key)?;
        match value.into_inner() {
            DeValue::String(text) => Some(Found { value: text.into_owned(), at }),
            other => {
                self.wrong_type(&at, "a text in quotes", &other);
                None
            }
        }
    }

    /// A time: a text, or TOML's own, which comes as it was written.
    pub(super) fn time(&mut self, key: &'static str) -> Option<Found<String>> {
        let (at, value) = self.take(key)?;
        match value.into_inner() {
            DeValue::String(text) => Some(Found { value: text.into_owned(), at }),
            DeValue::Datetime(time) => Some(Found { value: time.to_string(), at }),
            other => {
                self.wrong_type(&at, "a time in quotes", &other);
                None
            }
        }
    }

    /// A text that has to be read further.
    pub(super) fn parsed<T, E: Display>(&mut self, key: &'static str, read: impl Fn(&str) -> Result<T, E>) -> Option<Found<T>> {
        let text = self.text(key)?;
        self.read(&text, &read)
    }

    fn read<T, E: Display>(&mut self, text: &Found<String>, read: impl Fn(&str) -> Result<T, E>) -> Option<Found<T>> {
        match read(&text.value) {
            Ok(value) => Some(Found { value, at: text.at.clone() }),
            Err(why) => {
                self.errors.push(text.at.mistake(format!("`{} = {:?}`: {why}", text.at.key, text.value)));
                None
            }
        }
    }

    /// One of several words.
    pub(super) fn word<T: Copy>(&mut self, key: &'static str, known: &[(&str, T)]) -> Option<Found<T>> {
        let text = self.text(key)?;
        match known.iter().find(|(word, _)| *word == text.value) {
            Some((_, value)) => Some(Found { value: *value, at: text.at }),
            None => {
                let words: Vec<&str> = known.iter().map(|(word, _)| *word).collect();
                let said = format!("`{}` has no word {:?}", text.at.key, text.value);
                self.errors.push(text.at.mistake_with(said, did_you_mean(&text.value, &words)));
                None
            }
        }
    }

    /// A length of time, in words.
    pub(super) fn span(&mut self, key: &'static str) -> Option<Found<Span>> {
        const HELP: &str = "write for example \"30m\", \"90s\", \"1h30m\" or \"500ms\"";
        let (at, value) = self.take(key)?;
        let read = match value.get_ref() {
            DeValue::String(text) => span(text).map_err(|why| format!("`{} = {text:?}`: {why}", at.key)),
            other => Err(format!("`{}` is a length of time in quotes, not a TOML {}", at.key, other.type_str())),
        };
        match read {
            Ok(value) => Some(Found { value, at }),
            Err(text) => {
                self.errors.push(at.mistake_with(text, HELP));
                None
            }
        }
    }

    /// True or false.
    pub(super) fn flag(&mut self, key: &'static str) -> Option<Found<bool>> {
        let (at, value) = self.take(key)?;
        match value.get_ref() {
            DeValue::Boolean(value) => Some(Found { value: *value, at }),
            other => {
                self.wrong_type(&at, "true or false", other);
                None
            }
        }
    }

    /// A whole number within bounds.
    pub(super) fn number(&mut self, key: &'static str, bounds: &RangeInclusive<u32>) -> Option<Found<u32>> {
        let (at, value) = self.take(key)?;
        let DeValue::Integer(number) = value.get_ref() else {
            self.wrong_type(&at, "a whole number", value.get_ref());
            return None;
        };
        match u32::from_str_radix(number.as_str(), number.radix()) {
            Ok(value) if bounds.contains(&value) => Some(Found { value, at }),
            Ok(_) | Err(_) => {
                let text = format!("`{} = {number}` is outside of {} to {}", at.key, bounds.start(), bounds.end());
                self.errors.push(at.mistake(text));
                None
            }
        }
    }

    /// One text, or a list of them; empty when the key is not there. An empty list is a mistake.
    pub(super) fn texts(&mut self, key: &'static str) -> Vec<Found<String>> {
        let Some((at, value)) = self.take(key) else { return Vec::new() };
        let values: Vec<Spanned<DeValue<'t>>> = match value.into_inner() {
            DeValue::String(text) => return vec![Found { value: text.into_owned(), at }],
            DeValue::Array(list) => list.into_iter().collect(),
            other => {
                self.wrong_type(&at, "a text in quotes or a list of them", &other);
                return Vec::new();
            }
        };
        if values.is_empty() {
            self.errors.push(at.mistake_with(format!("`{}` is empty", at.key), "name at least one, or leave it out"));
        }
        let mut texts = Vec::new();
        for value in values {
            let at = self.source.at(&value.span(), &at.key);
            match value.into_inner() {
                DeValue::String(text) => texts.push(Found { value: text.into_owned(), at }),
                other => self.wrong_type(&at, "a list of texts in quotes", &other),
            }
        }
        texts
    }

    /// A list of texts and whole numbers, the numbers as text; empty when the key is not there.
    pub(super) fn texts_and_numbers(&mut self, key: &'static str, example: &str) -> Vec<Found<String>> {
        let Some((at, value)) = self.take(key) else { return Vec::new() };
        let DeValue::Array(list) = value.into_inner() else {
            self.errors.push(at.mistake_with(format!("`{}` is a list", at.key), format!("write for example {example}")));
            return Vec::new();
        };
        let mut texts = Vec::new();
        for value in list {
            let at = self.source.at(&value.span(), &at.key);
            match value.into_inner() {
                DeValue::String(text) => texts.push(Found { value: text.into_owned(), at }),
                DeValue::Integer(number) => texts.push(Found { value: number.to_string(), at }),
                other => self.wrong_type(&at, "a list of numbers and of texts in quotes", &other),
            }
        }
        texts
    }

    /// One text, or a list of them, that have to be read further.
    pub(super) fn all_parsed<T, E: Display>(&mut self, key: &'static str, read: impl Fn(&str) -> Result<T, E>) -> Vec<Found<T>> {
        let texts = self.texts(key);
        texts.iter().filter_map(|text| self.read(text, &read)).collect()
    }

    /// A table of texts under free keys, each key and value with its place. An empty one is a mistake.
    pub(super) fn pairs(&mut self, key: &'static str) -> Vec<(Found<String>, Found<String>)> {
        let Some((at, value)) = self.take(key) else { return Vec::new() };
        let DeValue::Table(table) = value.into_inner() else {
            self.errors.push(at.mistake_with(format!("`{}` is a table", at.key), format!("write for example {key} = {{ \"a\" = \"b\" }}")));
            return Vec::new();
        };
        if table.is_empty() {
            self.errors.push(at.mistake_with(format!("`{}` is empty", at.key), "name at least one, or leave it out"));
        }
        let mut pairs = Vec::new();
        for (name, value) in table {
            let name_at = self.source.at(&name.span(), &at.key);
            let value_at = self.source.at(&value.span(), &at.key);
            match value.into_inner() {
                DeValue::String(text) => {
                    let name = Found { value: name.into_inner().into_owned(), at: name_at };
                    pairs.push((name, Found { value: text.into_owned(), at: value_at }));
                }
                other => self.wrong_type(&value_at, "a table of texts in quotes", &other),
            }
        }
        pairs
    }

    /// A table within this one.
    pub(super) fn table(&mut self, key: &'static str, example: &str) -> Option<Table<'t>> {
        let (at, value) = self.take(key)?;
        let span = value.span();
        match value.into_inner() {
            DeValue::Table(table) => Some(Table::new(self.source, &at.key, &span, table)),
            other => {
                let text = format!("`{}` is a table, not a TOML {}", at.key, other.type_str());
                self.errors.push(at.mistake_with(text, format!("write for example {example}")));
                None
            }
        }
    }

    /// The tables of a list (`[[key]]`).
    pub(super) fn tables(&mut self, key: &'static str) -> Vec<Table<'t>> {
        let Some((at, value)) = self.take(key) else { return Vec::new() };
        let mut tables = Vec::new();
        let list = match value.into_inner() {
            DeValue::Array(list) => list,
            other => {
                let text = format!("`{}` is a list of tables, not a TOML {}", at.key, other.type_str());
                self.errors.push(at.mistake_with(text, format!("write [[{}]] before each", at.key)));
                return tables;
            }
        };
        let called = at.key;
        for value in list {
            let span = value.span();
            match value.into_inner() {
                DeValue::Table(table) => tables.push(Table::new(self.source, &called, &span, table)),
                other => {
                    let at = self.source.at(&span, &called);
                    self.wrong_type(&at, "a list of tables", &other);
                }
            }
        }
        tables
    }

    /// Keys of the design that this release has not built: never silently ignored.
    pub(super) fn not_built(&mut self, keys: &[&str]) {
        for key in keys {
            if let Some(entry) = self.entries.remove(*key) {
                let at = self.source.at(&entry.key, &self.path(key));
                let text = format!("`{}` is not built yet", at.key);
                self.errors.push(at.mistake_with(text, "leave it out"));
            }
        }
    }

    /// Everything has been asked for: what is left is unknown.
    pub(super) fn finish(mut self) -> Vec<ConfigError> {
        for (key, entry) in &self.entries {
            let at = self.source.at(&entry.key, &self.path(key));
            let place = if self.called.is_empty() { String::new() } else { format!(" in {}", self.called) };
            self.errors.push(at.mistake_with(format!("unknown key `{key}`{place}"), did_you_mean(key, &self.known)));
        }
        self.errors
    }
}

//! A mistake in a configuration, with its place and its remedy.

use std::fmt;
use std::sync::Arc;

/// A mistake in a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The file, as it was named by whoever read it.
    pub file: String,
    /// Its line, from 1.
    pub line: usize,
    /// The character in that line, from 1.
    pub column: usize,
    /// The key it is about, such as `class.horizon`; empty when the text is no TOML.
    pub key: String,
    /// What is wrong.
    pub text: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: error: {}", self.file, self.line, self.column, self.text)?;
        match &self.help {
            Some(help) => write!(f, "\n  help: {help}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ConfigError {}

/// A place in a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct At {
    pub file: Arc<str>,
    pub line: usize,
    pub column: usize,
    pub key: String,
}

impl At {
    /// A mistake at this place.
    pub(super) fn mistake(&self, text: impl Into<String>) -> ConfigError {
        ConfigError {
            file: self.file.to_string(),
            line: self.line,
            column: self.column,
            key: self.key.clone(),
            text: text.into(),
            help: None,
        }
    }

    /// A mistake at this place, with its remedy.
    pub(super) fn mistake_with(&self, text: impl Into<String>, help: impl Into<String>) -> ConfigError {
        ConfigError { help: Some(help.into()), ..self.mistake(text) }
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// A value with its place.
#[derive(Clone, Debug)]
pub(super) struct Found<T> {
    pub value: T,
    pub at: At,
}

//! Why the store said no.

use std::io;
use std::path::{Path, PathBuf};

/// Is there a point in trying the same again?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// The store cannot now: keep the samples and send them again.
    Later,
    /// The request is at fault: the same samples will be refused again.
    Never,
}

/// The store could not be opened, or a task of its owner failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// An operation on a file or directory failed.
    #[error("{doing} {}: {source}", path.display())]
    Io {
        /// What was attempted, as in "cannot write".
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process, or another store of this one, has the directory.
    #[error("{} is in use by another store", .0.display())]
    InUse(PathBuf),
    /// The data was written by a later build. Nothing was touched.
    #[error("{}: format {found} is newer than this build understands ({known})", path.display())]
    NewerFormat {
        /// The file that says so.
        path: PathBuf,
        /// The format of the file.
        found: u16,
        /// The newest format of this build.
        known: u16,
    },
    /// An earlier sync failed: what the system still holds of the log is not known. The store must be opened again.
    #[error("the signal log could not be synced before: open the store again")]
    Broken,
    /// A thread died while it changed the store: a bug. The store must be opened again.
    #[error("the store was left in the middle of a change: open it again")]
    Poisoned,
}

impl StoreError {
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
        let path = path.to_owned();
        move |source| StoreError::Io { doing, path, source }
    }
}

/// An append that was not done. Nothing of it is stored, nothing of it is visible.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// Labels that are not sorted by name, not unique, empty, or without `__name__`.
    #[error("series {series}: {why}")]
    BadLabels {
        /// The label set as it came.
        series: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// More labels than a series may have.
    #[error("series {series} has {found} labels (at most {limit})")]
    TooManyLabels {
        /// The label set, cut after some labels.
        series: String,
        /// How many it has.
        found: usize,
        /// How many it may have.
        limit: usize,
    },
    /// A label name or value that is too long.
    #[error("label {label} has {found} bytes (at most {limit})")]
    LabelTooLong {
        /// The name of the label, cut.
        label: String,
        /// How long its name or value is.
        found: usize,
        /// How long it may be.
        limit: usize,
    },
    /// A sample too far ahead of now: the clock of its sender, or ours, is wrong.
    #[error("series {series}: sample at {time_ms} ms is {ahead_ms} ms ahead (at most {limit_ms})")]
    Future {
        /// The label set.
        series: String,
        /// The time of the sample, ms since 1970.
        time_ms: i64,
        /// How far it is ahead.
        ahead_ms: i64,
        /// How far it may be.
        limit_ms: i64,
    },
    /// The store has as many series as it may.
    #[error("the store would have {wanted} series (at most {limit}); label {label} has {values} values")]
    TooManySeries {
        /// How many there would be.
        wanted: usize,
        /// How many there may be.
        limit: usize,
        /// The label of the refused series with the most values: what to leave out.
        label: String,
        /// How many values it has.
        values: usize,
    },
    /// The source has as many series as one source may.
    #[error("source {source_name} would have {wanted} series (at most {limit}); label {label} has {values} values")]
    TooManySeriesOfSource {
        /// Whose.
        source_name: String,
        /// How many it would have.
        wanted: usize,
        /// How many it may have.
        limit: usize,
        /// The label of the refused series with the most values: what to leave out.
        label: String,
        /// How many values it has.
        values: usize,
    },
    /// The log could not be written: disk full, directory gone, an earlier failure. Works again by itself once the cause is gone,
    /// unless it is [`StoreError::Broken`] or [`StoreError::Poisoned`].
    #[error("not stored: {0}")]
    NotWritten(#[from] StoreError),
}

impl Refused {
    /// Is there a point in sending the same samples again?
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Refused::NotWritten(_) => Retry::Later,
            Refused::BadLabels { .. }
            | Refused::TooManyLabels { .. }
            | Refused::LabelTooLong { .. }
            | Refused::Future { .. }
            | Refused::TooManySeries { .. }
            | Refused::TooManySeriesOfSource { .. } => Retry::Never,
        }
    }
}

/// A question that was not answered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SelectError {
    /// The pattern is longer than 1 KiB.
    #[error("the pattern of label {label} has {found} bytes (at most {limit})")]
    PatternTooLong {
        /// The label it was for.
        label: String,
        /// Its length.
        found: usize,
        /// The longest one.
        limit: usize,
    },
    /// The pattern is not a regular expression, or compiles to more than 1 MiB.
    #[error("the pattern of label {label}: {why}")]
    BadPattern {
        /// The label it was for.
        label: String,
        /// What is wrong.
        why: String,
    },
    /// More series match than one answer may have.
    #[error("{found} series match (at most {limit})")]
    TooManySeries {
        /// How many match.
        found: usize,
        /// How many may.
        limit: usize,
    },
    /// More samples than one answer may have.
    #[error("more than {limit} samples in the answer")]
    TooManySamples {
        /// How many it may have.
        limit: usize,
    },
    /// As [`StoreError::Poisoned`].
    #[error("the store was left in the middle of a change: open it again")]
    Poisoned,
}

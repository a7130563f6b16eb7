//! Tables and outposts: several machines that classify the same hosts switch to what was decided at one
//! moment, or a host that asks two of them gets two answers.

use std::fmt;

use super::ids::{HostId, one_line};
use super::time::Timestamp;

/// Which table. A later one is greater; a restore from a backup begins another history, as with stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TableId {
    /// Counts the restores.
    pub incarnation: u64,
    /// Counts the tables; never given twice.
    pub number: u64,
}

/// A table that holds, or is about to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InForce {
    /// Which.
    pub table: TableId,
    /// From when, server time; the same for all.
    pub from: Timestamp,
}

/// How far tables have come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tables {
    /// The last that was made.
    pub made: Option<TableId>,
    /// The last that was put in force.
    pub force: Option<InForce>,
}

impl Tables {
    /// The table that was made and is not in force.
    pub fn pending(&self) -> Option<TableId> {
        self.made.filter(|made| self.force.is_none_or(|force| force.table < *made))
    }
}

/// What an outpost is called: the machine, and the credential it shows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OutpostId(String);

/// A machine that answers the classifier for other hosts, from the table it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outpost {
    /// The machine, as it calls itself: copies of one credential are told apart by it.
    pub host: HostId,
    /// The name of the credential it shows; none where it shows a certificate.
    pub token: Option<String>,
    /// Since when it is known.
    pub since: Timestamp,
    /// When it was last heard, as far as that is taken note of.
    pub heard: Timestamp,
    /// Since when it is not waited for, because nothing was heard of it; none where it is.
    pub left: Option<Timestamp>,
}

/// Outposts that are known at one time.
pub const OUTPOSTS_MAX: usize = 100;
/// The longest name of an outpost, in characters.
const NAME_MAX: usize = 300;

impl OutpostId {
    /// The outpost on this machine that shows the credential of this name.
    pub fn of(host: &HostId, credential: &str) -> Self {
        Self::read(&format!("{host} by {credential}"))
    }

    /// The outpost of this name.
    pub fn parse(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self::read(text))
    }

    fn read(text: &str) -> Self {
        Self(one_line(text, NAME_MAX))
    }

    /// Its name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OutpostId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Display for TableId {
    /// `12`, and after a restore `2.12`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.incarnation <= 1 { write!(f, "{}", self.number) } else { write!(f, "{}.{}", self.incarnation, self.number) }
    }
}

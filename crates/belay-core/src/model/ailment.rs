//! Ailments: the ways in which configuration management itself is not well on a host.

use std::collections::BTreeMap;

use super::ids::HostId;
use super::time::Timestamp;

/// What ails a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ailment {
    /// The environment last applied does not belong to the release it runs.
    WrongEnvironment,
    /// Resources failed in its last applied run.
    Failing,
    /// No configuration could be made for it.
    FailedCompile,
    /// Its last run broke off, or no configuration could be had.
    Broken,
    /// A kept, old configuration was applied, because no new one could be had.
    CachedCatalog,
    /// Nothing was applied for too long.
    Stale,
    /// The lock of a run has stood for longer than a run may last, and no other run comes past it.
    Stuck,
    /// Somebody's own lock stops the tool.
    Disabled,
    /// Nothing starts the tool, or what did is switched off.
    Unscheduled,
    /// It only rehearses, and would have changed something, for days.
    Pending,
    /// It carries another version than most hosts of its class and release.
    Lagging,
    /// What it sent last could not be read or taken.
    Unreadable,
}

impl Ailment {
    /// All, the gravest first.
    pub const ALL: [Self; 12] = [
        Self::WrongEnvironment,
        Self::Failing,
        Self::FailedCompile,
        Self::Broken,
        Self::CachedCatalog,
        Self::Stale,
        Self::Stuck,
        Self::Disabled,
        Self::Unscheduled,
        Self::Pending,
        Self::Lagging,
        Self::Unreadable,
    ];

    /// Its stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::WrongEnvironment => "wrong-environment",
            Self::Failing => "failing",
            Self::FailedCompile => "failed-compile",
            Self::Broken => "broken-run",
            Self::CachedCatalog => "cached-catalog",
            Self::Stale => "stale",
            Self::Stuck => "stuck-run",
            Self::Disabled => "disabled",
            Self::Unscheduled => "unscheduled",
            Self::Pending => "noop-pending",
            Self::Lagging => "lagging",
            Self::Unreadable => "unreadable",
        }
    }

    /// The ailment of this code; `None` when it is none.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|ailment| ailment.code() == code)
    }
}

/// Hosts of a class with one ailment, as far as people have to be told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ailing {
    /// Since when each was seen with it, without a break.
    pub hosts: BTreeMap<HostId, Timestamp>,
    /// How many hosts people were told of last; zero where they were told that it is over, or of none.
    pub told: u32,
}

//! What is to happen, in order of time; what was planned first goes first.

use std::collections::BTreeMap;

use belay_core::model::ids::{ClassName, HostId, Release};
use belay_core::model::time::{Span, Timestamp};

use crate::fleet::condition::Dirt;
use crate::fleet::host::Order;
use crate::testimony::Testimony;

/// A report on its way.
#[derive(Clone, Debug, PartialEq)]
pub enum Parcel {
    /// Its bytes.
    Bytes(Vec<u8>),
    /// The testimony of a quiet run, which is read without being written each time.
    Quiet(Box<Testimony>),
}

/// Something that is to happen to the fleet.
#[derive(Clone, Debug, PartialEq)]
pub enum Due {
    /// A host runs the tool.
    Run(HostId, Order),
    /// A host's schedule strikes, unless it was switched since.
    Cron {
        /// The host.
        host: HostId,
        /// The turn of the schedule this belongs to.
        turn: u32,
    },
    /// A report arrives.
    Deliver(Parcel),
    /// A host's release is told.
    Tell(HostId),
    /// A host comes to run a release.
    Release(HostId, Release),
    /// Something goes wrong with a host, or is put right again.
    Switch(HostId, Switch),
    /// The weather of a class is fair again.
    Clear(ClassName),
}

/// What can be wrong with a host.
#[derive(Clone, Debug, PartialEq)]
pub enum Switch {
    /// What exports its signals is silent.
    Silent(bool),
    /// Nothing at all comes from it: no signals, no runs.
    Gone(bool),
    /// Its clock is ahead by this much.
    Skew(Span),
    /// Its reports travel this much longer.
    Late(Span),
    /// Its reports wait on it; switched off, they come all at once, in an order drawn by the seed.
    Spooling(bool),
    /// Each of its reports comes this many times more.
    Copies(u32),
    /// A resource fails on it with this error; none: no longer.
    Failing(String, Option<String>),
    /// It applies the kept configuration where none can be made.
    KeepsCatalog(bool),
    /// It only rehearses.
    Noop(bool),
    /// What comes in place of its values.
    Dirt(Dirt),
    /// Its samples travel this long.
    Lag(Span),
    /// Its schedule; none: off.
    Cron(Option<Span>),
}

/// What is to happen.
#[derive(Clone, Debug, Default)]
pub(super) struct Agenda {
    due: BTreeMap<(Timestamp, u64), Due>,
    count: u64,
}

impl Agenda {
    pub(super) fn put(&mut self, at: Timestamp, due: Due) {
        self.count += 1;
        self.due.insert((at, self.count), due);
    }

    pub(super) fn next(&self) -> Option<Timestamp> {
        self.due.keys().next().map(|(at, _)| *at)
    }

    /// The first thing that is due at `now`.
    pub(super) fn take(&mut self, now: Timestamp) -> Option<Due> {
        let first = self.due.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }
}

//! Signals: what is watched, and the windows of them that a trial looks at.

use std::collections::BTreeMap;
use std::fmt;

use super::ids::{ClassName, HostId, SignalName};
use super::time::{Span, Timestamp};

/// What a signal measures. It decides which checks apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SignalKind {
    /// A level that may go up and down.
    Gauge,
    /// How long something takes.
    Latency,
    /// How often something happens.
    Count,
    /// Something that must not stop.
    Flow,
    /// 0 is ok, anything else is a failure.
    Check,
}

/// Which way is worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Harm {
    /// More is worse.
    Up,
    /// Less is worse.
    Down,
    /// Either is worse.
    Both,
}

/// How the stored samples of a signal are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reading {
    /// Each sample is the value.
    Value,
    /// Samples count up since a start; the value of a step is its increase, resets allowed for.
    Counter,
}

/// A declared signal.
#[derive(Clone, Debug, PartialEq)]
pub struct Signal {
    /// Its name, unique.
    pub name: SignalName,
    /// The classes it is a signal of; empty means all.
    pub classes: Vec<ClassName>,
    /// What it measures.
    pub kind: SignalKind,
    /// Which way is worse.
    pub harm: Harm,
    /// Whether a change may only be accepted when this signal was there.
    pub must_have: bool,
    /// Selector of its series in the source's own words.
    pub select: String,
    /// The label that holds the host's name.
    pub host_label: String,
    /// How the samples are to be read.
    pub reading: Reading,
    /// One value a step; past, peers and trial use the same.
    pub step: Span,
    /// Its part in a trial's budget of false rejections.
    pub weight: Weight,
}

/// How many parts of a trial's budget a signal gets, from 1 to [`Weight::MAX`]: one, where nobody says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Weight(pub u32);

impl Weight {
    /// The largest.
    pub const MAX: u32 = 100;
}

impl Default for Weight {
    fn default() -> Self {
        Self(1)
    }
}

/// One value of a signal: of the step that *starts* at `at`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Start of the step.
    pub at: Timestamp,
    /// The value, finite.
    pub value: f64,
}

/// Why a host has no samples. Never to be read as "fine".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Missing {
    /// Nothing at all comes from the host any more.
    HostGone,
    /// The host is there, but what exports this signal says nothing.
    ExporterGone,
    /// Host and exporter are there, but not this signal.
    NoSeries,
    /// Fewer samples than a comparison needs.
    TooFew,
    /// The last sample is too old.
    Stale,
    /// The source answered something that could not be understood.
    NotUnderstood,
}

/// What one host contributes to a window.
#[derive(Clone, Debug, PartialEq)]
pub enum Series {
    /// Its samples, ascending in time, one a step, gaps left out.
    Samples(Vec<Sample>),
    /// None, and why.
    Missing(Missing),
}

/// A signal over hosts and time.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// Length of a step.
    pub step: Span,
    /// Start of the first step that was asked for.
    pub from: Timestamp,
    /// End of the last step that was asked for.
    pub to: Timestamp,
    /// What each host contributes.
    pub hosts: BTreeMap<HostId, Series>,
    /// When anything at all was last heard of a host by the same source: tells a signal that is
    /// gone from a host that is gone. A host that is absent here was never heard of.
    pub heard: BTreeMap<HostId, Timestamp>,
}

impl SignalKind {
    /// All kinds, in the order of the manual.
    pub const ALL: [Self; 5] = [Self::Gauge, Self::Latency, Self::Count, Self::Flow, Self::Check];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Latency => "latency",
            Self::Count => "count",
            Self::Flow => "flow",
            Self::Check => "check",
        }
    }
}

impl Harm {
    /// All directions.
    pub const ALL: [Self; 3] = [Self::Up, Self::Down, Self::Both];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Both => "both",
        }
    }
}

impl Missing {
    /// In plain words, as the end of a sentence about a host.
    pub const fn words(self) -> &'static str {
        match self {
            Self::HostGone => "nothing at all comes from the host",
            Self::ExporterGone => "the host is there, but what exports the signal is silent",
            Self::NoSeries => "host and exporter are there, but the signal is not",
            Self::TooFew => "there are too few samples to compare",
            Self::Stale => "the last sample is too old",
            Self::NotUnderstood => "the source's answer could not be understood",
        }
    }
}

impl Signal {
    /// Whether it is a signal of this class.
    pub fn watches(&self, class: &ClassName) -> bool {
        self.classes.is_empty() || self.classes.contains(class)
    }
}

impl Series {
    /// The samples; none when missing.
    pub fn samples(&self) -> &[Sample] {
        match self {
            Self::Samples(samples) => samples,
            Self::Missing(_) => &[],
        }
    }
}

impl fmt::Display for SignalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl fmt::Display for Harm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

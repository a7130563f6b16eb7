//! Verdicts, with their reasons. Never a bool, never a bare score.

use std::fmt;

use super::ids::{Digest, HostId, SignalName};
use super::principal::Actor;
use super::signal::Missing;
use super::time::Timestamp;

/// What a trial came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Nothing got worse, and everything that had to be seen was seen.
    Accepted,
    /// Something got worse because of the change.
    Rejected,
    /// It cannot be told; the gap says why.
    Inconclusive(Gap),
}

/// Why a trial could not come to a verdict. Each is a stable code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gap {
    /// No must-have signal is declared for the class: nothing could have shown harm.
    NoSignals,
    /// A must-have signal was absent, or had fewer than half of its samples.
    NoData,
    /// Too few hosts, too little own past and too few peers to compare with.
    TooLittle,
    /// The peers fell ill at the same time: the cause may lie outside.
    PeersSick,
    /// One sign says harm and another says none, and neither prevails.
    Conflicting,
    /// Another change touched the same hosts in the same time.
    Confounded,
    /// Newer content replaced it on its hosts before it could be judged.
    Superseded,
    /// The runs themselves did not come to an end that can be judged.
    RunsFailed,
}

impl Outcome {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Inconclusive(_) => "inconclusive",
        }
    }
}

impl Gap {
    /// All gaps, in the order of the manual.
    pub const ALL: [Self; 8] = [
        Self::NoSignals,
        Self::NoData,
        Self::TooLittle,
        Self::PeersSick,
        Self::Conflicting,
        Self::Confounded,
        Self::Superseded,
        Self::RunsFailed,
    ];

    /// Its stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoSignals => "no-signals",
            Self::NoData => "no-data",
            Self::TooLittle => "too-little",
            Self::PeersSick => "peers-sick",
            Self::Conflicting => "conflicting",
            Self::Confounded => "confounded",
            Self::Superseded => "superseded",
            Self::RunsFailed => "runs-failed",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inconclusive(gap) => write!(f, "inconclusive ({})", gap.code()),
            Self::Accepted | Self::Rejected => f.write_str(self.word()),
        }
    }
}

/// A check of the judge. Each is a file of `judge/checks` and a stable code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// The same resource failed on several treated hosts.
    FailedResource,
    /// The same version could not be compiled for several hosts.
    CompileError,
    /// The environment does not belong to the release.
    EnvironmentMismatch,
    /// A must-have signal vanished while host and exporter are alive.
    Vanished,
    /// A flow stopped.
    FlowStopped,
    /// A gauge repeats the same value.
    Frozen,
    /// Where there are no peers: a gauge leapt as it never did, to where it never was.
    Leap,
    /// A check began to fail.
    CheckFailing,
    /// The treated hosts' share of a flow fell.
    FlowShare,
    /// Must-have signals were there.
    Presence,
    /// Windows of a signal lie further off than placebo changes of the own past.
    Level,
    /// Single steps of a signal are not what they were.
    Drift,
    /// One changed host got worse by itself.
    SingleHost,
    /// A check fails more often than it did, though it does not fail all the time.
    FailureRate,
    /// Where there are no peers: a signal no longer moves with the other signals of the same hosts.
    Relation,
}

impl Check {
    /// All checks, in the order of the manual.
    pub const ALL: [Self; 15] = [
        Self::FailedResource,
        Self::CompileError,
        Self::EnvironmentMismatch,
        Self::Vanished,
        Self::FlowStopped,
        Self::Frozen,
        Self::Leap,
        Self::CheckFailing,
        Self::FlowShare,
        Self::Presence,
        Self::Level,
        Self::Drift,
        Self::SingleHost,
        Self::FailureRate,
        Self::Relation,
    ];

    /// Its stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::FailedResource => "failed-resource",
            Self::CompileError => "compile-error",
            Self::EnvironmentMismatch => "environment-mismatch",
            Self::Vanished => "vanished",
            Self::FlowStopped => "flow-stopped",
            Self::Frozen => "frozen",
            Self::Leap => "leap",
            Self::CheckFailing => "check-failing",
            Self::FlowShare => "flow-share",
            Self::Presence => "presence",
            Self::Level => "level",
            Self::Drift => "drift",
            Self::SingleHost => "single-host",
            Self::FailureRate => "failure-rate",
            Self::Relation => "relation",
        }
    }
}

/// What a finding says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Says {
    /// It got worse because of the change.
    Harm,
    /// It may have got worse; not enough to decide.
    Suspicion,
    /// It is as it was.
    Fine,
    /// It cannot be told.
    CannotTell(Gap),
}

impl Says {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Harm => "harm",
            Self::Suspicion => "suspicion",
            Self::Fine => "fine",
            Self::CannotTell(_) => "cannot-tell",
        }
    }
}

/// The numbers behind a finding, in the unit of the signal per step. What is not known is absent.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Numbers {
    /// Treated hosts since the change, mean of a step.
    pub treated: Option<f64>,
    /// The same hosts before it.
    pub own_past: Option<f64>,
    /// Peers since the change.
    pub peers: Option<f64>,
    /// Peers before it.
    pub peers_past: Option<f64>,
    /// Samples of treated hosts that were looked at.
    pub samples: u32,
    /// Natural logarithm of the e-value, where the check has one.
    pub ln_e: Option<f64>,
    /// The effect: treated hosts against what they should show.
    pub effect: Option<f64>,
    /// Lower end of its 95 % interval.
    pub effect_low: Option<f64>,
    /// Upper end of its 95 % interval.
    pub effect_high: Option<f64>,
    /// How often nothing at all looks as bad, where the check can say so.
    pub p: Option<f64>,
    /// The chance of a false rejection that the check may spend.
    pub budget: Option<f64>,
}

/// One comparison's result.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The check.
    pub check: Check,
    /// The signal it looked at, if any.
    pub signal: Option<SignalName>,
    /// What it says.
    pub says: Says,
    /// The treated hosts it says it of.
    pub hosts: Vec<HostId>,
    /// Treated hosts it looked at.
    pub of: u32,
    /// Peers that show the same, and peers looked at.
    pub peers_alike: (u32, u32),
    /// In plain words: one sentence, without a full stop.
    pub text: String,
    /// The numbers behind it.
    pub numbers: Numbers,
    /// When the first sign was in the data, server time.
    pub since: Option<Timestamp>,
}

/// Something that should have been seen and was not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lack {
    /// The signal.
    pub signal: SignalName,
    /// Whether acceptance needs it.
    pub must_have: bool,
    /// Why.
    pub why: Missing,
    /// On which treated hosts.
    pub hosts: Vec<HostId>,
}

/// Where a trial stands after a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Nothing to say yet.
    OnTrial,
    /// Harm is suspected; not final.
    Suspect,
    /// Final.
    Final(Outcome),
}

/// What a look at a trial found.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    /// Data up to this time were looked at.
    pub at: Timestamp,
    /// Where the trial stands.
    pub standing: Standing,
    /// What every check found; those that say harm come first.
    pub findings: Vec<Finding>,
    /// What should have been seen and was not.
    pub lacks: Vec<Lack>,
}

/// Who gave a verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judge {
    /// Belay's own judge.
    Belay,
    /// A person, with a reason.
    Person {
        /// Who.
        actor: Actor,
        /// Why.
        reason: String,
    },
    /// Newer content that replaced the change.
    Successor(super::ids::ChangeId),
}

/// A verdict with everything it rests on.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// What it came to.
    pub outcome: Outcome,
    /// When.
    pub at: Timestamp,
    /// Who gave it.
    pub by: Judge,
    /// What every check found.
    pub findings: Vec<Finding>,
    /// What should have been seen and was not.
    pub lacks: Vec<Lack>,
    /// Where the windows it looked at are kept.
    pub evidence: Option<Digest>,
}

impl Finding {
    /// The finding's code: its check, and the signal where there is one.
    pub fn code(&self) -> String {
        match &self.signal {
            Some(signal) => format!("{}:{signal}", self.check.code()),
            None => self.check.code().to_owned(),
        }
    }
}

impl Standing {
    /// The words for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::OnTrial => "on trial",
            Self::Suspect => "suspect",
            Self::Final(outcome) => outcome.word(),
        }
    }
}

//! Health: of signals against what is really there (lint), and of the whole (doctor). Filled by
//! whoever looked.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whether the declared signals have data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LintView {
    /// All of them do.
    pub ok: bool,
    /// One entry a signal and class.
    pub signals: Vec<LintedSignal>,
}

/// One signal of one class, against what is really there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LintedSignal {
    /// The signal.
    pub signal: String,
    /// The class.
    pub class: String,
    /// Every host of the class has data.
    pub ok: bool,
    /// Hosts of the class.
    pub hosts_expected: u32,
    /// Hosts of the class that have data.
    pub hosts_with_data: u32,
    /// Hosts without data.
    pub missing: Vec<MissingHost>,
    /// What was found, in plain words.
    pub text: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// A host without data of a signal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MissingHost {
    /// The host.
    pub host: String,
    /// Why, in plain words.
    pub why: String,
}

/// Whether Belay itself is in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DoctorView {
    /// Every check is.
    pub ok: bool,
    /// What was looked at.
    pub checks: Vec<DoctorCheck>,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DoctorCheck {
    /// Its name, which stays.
    pub name: String,
    /// It is in order.
    pub ok: bool,
    /// What was found, in plain words.
    pub text: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl LintView {
    /// The view of these entries.
    pub fn new(signals: Vec<LintedSignal>) -> Self {
        Self { ok: signals.iter().all(|signal| signal.ok), signals }
    }
}

impl DoctorView {
    /// The view of these checks.
    pub fn new(checks: Vec<DoctorCheck>) -> Self {
        Self { ok: checks.iter().all(|check| check.ok), checks }
    }
}

//! The judge: a trial and its evidence in, a look out. Pure, synchronous, the same answer for the
//! same input. What it knows of the world is in its arguments.
//!
//! Hard checks first; then comparisons with the own past and the peers, calibrated on the past so that looking after every sample is
//! paid for; then acceptance, when everything that must be seen was seen and harm is excluded: at the horizon, or between bake and
//! horizon where it is excluded at any look. *Missing data is never fine.*

mod agree;
mod blame;
pub(crate) mod budget;
mod checks;
mod conclude;
pub mod relive;
mod sight;
mod together;
mod weigh;
pub mod window;

use crate::model::change::Trial;
use crate::model::evidence::Evidence;
use crate::model::ids::SignalName;
use crate::model::time::Timestamp;
use crate::model::verdict::{Check, Finding, Look};
use sight::Sight;
use std::collections::BTreeMap;
use weigh::Calibrated;

/// A trial being watched: what its own past says, prepared once. It is rebuilt from evidence and
/// never stored.
#[derive(Clone, Debug)]
pub struct Watch {
    trial: Trial,
    past: Evidence,
    calibrated: BTreeMap<SignalName, Option<Calibrated>>,
}

impl Watch {
    /// Begins to watch a trial, given the evidence up to now (its own past at least).
    pub fn begin(trial: &Trial, past: &Evidence) -> Self {
        Self { trial: trial.clone(), past: past.clone(), calibrated: BTreeMap::new() }
    }

    /// Whether it watches this very trial: the same hosts, peers, times and signals. Where a host has come since, a new one begins.
    pub fn is_of(&self, trial: &Trial) -> bool {
        self.trial == *trial
    }

    /// Looks at what has come since. `new` may repeat what was there before: of a step that is in
    /// both, the newer evidence holds, and a window that spans all of the earlier one takes its place.
    pub fn look(&mut self, new: &Evidence) -> Look {
        self.past.at = self.past.at.max(new.at);
        for (name, window) in &new.windows {
            match self.past.windows.get_mut(name) {
                Some(known) => window::extend(known, window),
                None => {
                    self.past.windows.insert(name.clone(), window.clone());
                }
            }
        }
        look_at(&self.trial, &self.past, &mut self.calibrated)
    }
}

/// Judges a trial by all its evidence: to begin a [`Watch`] and look once.
pub fn judge(trial: &Trial, evidence: &Evidence) -> Look {
    let nothing = Evidence { at: Timestamp::default(), windows: std::collections::BTreeMap::new() };
    Watch::begin(trial, &nothing).look(evidence)
}

fn look_at(trial: &Trial, evidence: &Evidence, calibrated: &mut BTreeMap<SignalName, Option<Calibrated>>) -> Look {
    let sights: Vec<Sight> = trial.signals.iter().map(|signal| Sight::of(trial, signal, evidence.windows.get(&signal.name))).collect();
    let mut findings: Vec<Finding> = Vec::new();
    findings.extend(checks::runs(trial));
    let weighed = together::weigh(trial, &sights, calibrated);
    let assured = |(sight, weighed): (&Sight<'_>, &Option<weigh::Weighed<'_>>)| {
        !sight.signal.must_have || weighed.as_ref().is_some_and(|weighed| checks::level::assured(sight, weighed))
    };
    let assured = sights.iter().zip(&weighed).all(assured);
    for (sight, weighed) in sights.iter().zip(&weighed) {
        findings.extend(checks::signals(trial, sight, weighed.as_ref(), evidence.at >= trial.ends));
    }
    agree::agree(&mut findings, trial.treated.len());
    findings.iter_mut().for_each(|finding| say_caution(trial, finding));
    let lacks = sights.iter().flat_map(|sight| checks::lacks(trial, sight, evidence.at)).collect();
    conclude::conclude(trial, evidence.at, &sights, findings, lacks, assured)
}

/// Whether a check compares a signal with its own past and the peers: its thresholds can be wider.
const fn compares(check: Check) -> bool {
    matches!(check, Check::Level | Check::Drift | Check::SingleHost | Check::FailureRate)
}

/// A finding that rests on wider thresholds says so, whatever it says.
fn say_caution(trial: &Trial, finding: &mut Finding) {
    let caution = finding.signal.as_ref().and_then(|signal| trial.caution.0.get(signal));
    if let Some(caution) = caution.filter(|_| compares(finding.check)) {
        finding.text.push_str(&format!("; {}", caution.words()));
    }
}

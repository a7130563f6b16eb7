//! The judge: a trial and its evidence in, a look out. Pure, synchronous, the same answer for the
//! same input. What it knows of the world is in its arguments.
//!
//! This is its first form: hard checks, the share test for flows against peers, and acceptance only
//! at the horizon when everything that must be seen was seen. *Missing data is never fine.*

mod checks;
mod conclude;
mod sight;
pub mod window;

use crate::model::change::Trial;
use crate::model::evidence::Evidence;
use crate::model::time::Timestamp;
use crate::model::verdict::{Finding, Look};
use sight::Sight;

/// A trial being watched: what its own past says, prepared once. It is rebuilt from evidence and
/// never stored.
#[derive(Clone, Debug)]
pub struct Watch {
    trial: Trial,
    past: Evidence,
}

impl Watch {
    /// Begins to watch a trial, given the evidence up to now (its own past at least).
    pub fn begin(trial: &Trial, past: &Evidence) -> Self {
        Self { trial: trial.clone(), past: past.clone() }
    }

    /// Looks at what has come since. `new` may repeat what was there before: of a step that is in
    /// both, the newer evidence holds.
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
        look_at(&self.trial, &self.past)
    }
}

/// Judges a trial by all its evidence: to begin a [`Watch`] and look once.
pub fn judge(trial: &Trial, evidence: &Evidence) -> Look {
    let nothing = Evidence { at: Timestamp::default(), windows: std::collections::BTreeMap::new() };
    Watch::begin(trial, &nothing).look(evidence)
}

fn look_at(trial: &Trial, evidence: &Evidence) -> Look {
    let sights: Vec<Sight> = trial.signals.iter().map(|signal| Sight::of(trial, signal, evidence.windows.get(&signal.name))).collect();
    let mut findings: Vec<Finding> = Vec::new();
    findings.extend(checks::runs(trial));
    for sight in &sights {
        findings.extend(checks::signals(trial, sight, sights.len()));
    }
    let lacks = sights.iter().flat_map(|sight| checks::lacks(trial, sight, evidence.at)).collect();
    conclude::conclude(trial, evidence.at, &sights, findings, lacks)
}

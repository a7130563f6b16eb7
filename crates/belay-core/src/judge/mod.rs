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
mod extent;
mod known;
pub mod relive;
mod sight;
mod spoilt;
mod together;
mod weigh;
pub mod window;

use crate::model::change::Trial;
use crate::model::evidence::Evidence;
use crate::model::time::Timestamp;
use crate::model::verdict::{Check, Finding, Look};
use sight::{Rows, Sight};
use weigh::Kept;

/// A trial being watched: what its own past says, prepared once. It is rebuilt from evidence and
/// never stored.
#[derive(Clone, Debug)]
pub struct Watch {
    trial: Trial,
    past: Evidence,
    /// For each signal of the trial its rows, and what was calibrated on them.
    rows: Vec<Rows>,
    kept: Vec<Kept>,
}

impl Watch {
    /// Begins to watch a trial, given the evidence up to now (its own past at least).
    pub fn begin(trial: &Trial, past: &Evidence) -> Self {
        let signals = trial.signals.len();
        let mut rows = vec![Rows::default(); signals];
        for (rows, signal) in rows.iter_mut().zip(&trial.signals) {
            rows.update(trial, signal, past.windows.get(&signal.name), None);
        }
        let windows = past.windows.iter().map(|(name, window)| (name.clone(), window::with_room(window))).collect();
        Self { trial: trial.clone(), past: Evidence { at: past.at, windows }, rows, kept: vec![Kept::default(); signals] }
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
        for (rows, signal) in self.rows.iter_mut().zip(&self.trial.signals) {
            rows.update(&self.trial, signal, self.past.windows.get(&signal.name), new.windows.get(&signal.name));
        }
        look_at(&self.trial, self.past.at, &self.rows, &mut self.kept)
    }
}

/// Judges a trial by all its evidence: to begin a [`Watch`] and look once.
pub fn judge(trial: &Trial, evidence: &Evidence) -> Look {
    let nothing = Evidence { at: Timestamp::default(), windows: std::collections::BTreeMap::new() };
    Watch::begin(trial, &nothing).look(evidence)
}

fn look_at(trial: &Trial, at: Timestamp, rows: &[Rows], kept: &mut [Kept]) -> Look {
    let sights: Vec<Sight> = trial.signals.iter().zip(rows).map(|(signal, rows)| rows.sight(signal)).collect();
    let mut findings: Vec<Finding> = Vec::new();
    findings.extend(checks::runs(trial));
    let weighed = together::weigh(trial, &sights, kept);
    let assured = |(sight, weighed): (&Sight<'_>, &Option<weigh::Weighed<'_>>)| {
        !sight.signal.must_have || weighed.as_ref().is_some_and(|weighed| checks::level::assured(sight, weighed))
    };
    let assured = sights.iter().zip(&weighed).all(assured);
    for (sight, weighed) in sights.iter().zip(&weighed) {
        findings.extend(checks::signals(trial, sight, weighed.as_ref(), at >= trial.ends));
    }
    agree::agree(&mut findings, trial.treated.len());
    findings.iter_mut().for_each(|finding| say_caution(trial, finding));
    spoilt::tell(trial, &sights, &mut findings);
    let lacks = sights.iter().flat_map(|sight| checks::lacks(sight, at)).collect();
    conclude::conclude(trial, at, &sights, findings, lacks, assured)
}

/// Whether a check compares a signal with its own past and the peers: its thresholds can be wider.
const fn compares(check: Check) -> bool {
    matches!(check, Check::Level | Check::Drift | Check::SingleHost | Check::FailureRate | Check::Relation)
}

/// A finding that rests on wider thresholds says so, whatever it says.
fn say_caution(trial: &Trial, finding: &mut Finding) {
    let caution = finding.signal.as_ref().and_then(|signal| trial.caution.0.get(signal));
    if let Some(caution) = caution.filter(|_| compares(finding.check)) {
        finding.text.push_str(&format!("; {}", caution.words()));
    }
}

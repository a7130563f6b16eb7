//! A recorded case, as files of cases hold it: what was measured on hosts that changed and on hosts that did not. Whatever else a line
//! holds (a label above all) is not read.

use std::collections::BTreeSet;

use belay_core::model::ids::SignalName;
use belay_core::model::signal::{Harm, SignalKind};
use serde::Deserialize;

/// One case.
#[derive(Deserialize, Debug)]
pub struct Case {
    /// Its name.
    pub id: String,
    /// Length of a step in seconds.
    pub step_s: u32,
    /// Steps before the change.
    pub past: usize,
    /// Steps after it.
    pub horizon: usize,
    /// Steps after it in which a restart is expected.
    pub grace: usize,
    /// Steps after the first change at which each treated host has its own, where they do not change all at once.
    #[serde(default)]
    pub onsets: Vec<usize>,
    /// What was measured.
    pub signals: Vec<Measured>,
}

/// One signal of a case; row `j` of every signal is the same host.
#[derive(Deserialize, Debug)]
pub struct Measured {
    /// Its name.
    pub name: String,
    /// `gauge`, `latency`, `count`, `flow` or `check`.
    pub kind: String,
    /// Which way is worse: `both`, `up` or `down`.
    pub direction: String,
    /// Whether acceptance needs it.
    #[serde(default)]
    pub must_have: bool,
    /// A row for each host that changed; `null` is no data.
    pub treated: Vec<Vec<Option<f64>>>,
    /// A row for each host that did not.
    #[serde(rename = "control")]
    pub peers: Vec<Vec<Option<f64>>>,
}

impl Case {
    /// Whether it can be judged.
    ///
    /// # Errors
    /// What is wrong with it: which signal and row, and what is allowed there.
    pub fn check(&self) -> Result<(), String> {
        let id = &self.id;
        let steps = self.steps().map_err(|wrong| format!("case {id}: {wrong}"))?;
        let mut names = BTreeSet::new();
        for signal in &self.signals {
            let place = |wrong| format!("case {id}, signal {}: {wrong}", signal.name);
            signal.check(steps).map_err(place)?;
            if !names.insert(&signal.name) {
                return Err(place("two signals have this name; give each its own".to_owned()));
            }
            if !self.onsets.is_empty() && signal.treated.len() != self.onsets.len() {
                let (hosts, onsets) = (signal.treated.len(), self.onsets.len());
                return Err(place(format!("{hosts} hosts changed (rows of treated), and there are {onsets} onsets")));
            }
        }
        Ok(())
    }

    /// How many values a row has.
    fn steps(&self) -> Result<usize, String> {
        let Self { past, horizon, grace, .. } = self;
        if self.signals.is_empty() {
            return Err("it has no signal".to_owned());
        }
        if self.step_s == 0 || *horizon == 0 {
            return Err("it has no time after the change: step_s and horizon are 1 or more".to_owned());
        }
        // A harm in the grace counts for nothing, so nothing would be judged and anything be accepted.
        if grace >= horizon {
            return Err(format!("grace {grace} leaves nothing of horizon {horizon}; it has to be smaller"));
        }
        if let Some(late) = self.onsets.iter().find(|onset| *onset >= horizon) {
            return Err(format!("a host changes {late} steps after the first, and there are only {horizon}"));
        }
        past.checked_add(*horizon).ok_or_else(|| format!("past {past} + horizon {horizon} is more than can be counted"))
    }
}

impl Measured {
    fn check(&self, steps: usize) -> Result<(), String> {
        // Under another name its findings could not be told from those of a signal that has this one.
        SignalName::parse(&self.name).map_err(|bad| format!("it cannot be called so: {bad}"))?;
        if self.kind().is_none() {
            let words = SignalKind::ALL.map(SignalKind::word).join(", ");
            return Err(format!("{:?} is no kind of signal; it is one of {words}", self.kind));
        }
        if self.harm().is_none() {
            let words = Harm::ALL.map(Harm::word).join(", ");
            return Err(format!("{:?} is no direction; it is one of {words}", self.direction));
        }
        if self.treated.is_empty() {
            return Err("it has no host that changed: treated is empty".to_owned());
        }
        let rows = |of, rows: &[Vec<Option<f64>>]| match rows.iter().enumerate().find(|(_, row)| row.len() != steps) {
            Some((index, row)) => Err(format!("{of} row {index} has {} values, past + horizon is {steps}", row.len())),
            None => Ok(()),
        };
        rows("treated", &self.treated)?;
        rows("control", &self.peers)
    }

    /// Its kind; `None` where the word is none.
    pub fn kind(&self) -> Option<SignalKind> {
        SignalKind::ALL.into_iter().find(|kind| kind.word() == self.kind)
    }

    /// Which way is worse; `None` where the word is none.
    pub fn harm(&self) -> Option<Harm> {
        Harm::ALL.into_iter().find(|harm| harm.word() == self.direction)
    }
}

//! A recorded case, as files of cases hold it: what was measured on hosts that changed and on hosts that did not. Whatever else a line
//! holds (a label above all) is not read.

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
    /// What is wrong with it, if anything: no signal, or rows of another length than it says.
    pub fn fault(&self) -> Option<String> {
        if self.signals.is_empty() {
            return Some("it has no signal".to_owned());
        }
        let steps = self.past + self.horizon;
        let odd = |signal: &&Measured| signal.treated.iter().chain(&signal.peers).any(|row| row.len() != steps);
        if self.step_s == 0 || self.horizon == 0 {
            return Some("it has no time after the change".to_owned());
        }
        if let Some(late) = self.onsets.iter().find(|onset| **onset >= self.horizon) {
            return Some(format!("a host changes {late} steps after the first, and there are only {}", self.horizon));
        }
        if let Some(signal) = self.signals.iter().find(|signal| !self.onsets.is_empty() && signal.treated.len() != self.onsets.len()) {
            return Some(format!(
                "signal {} has {} hosts that changed, and there are {} onsets",
                signal.name,
                signal.treated.len(),
                self.onsets.len()
            ));
        }
        if let Some(signal) = self.signals.iter().find(|signal| signal.treated.is_empty()) {
            return Some(format!("signal {} has no host that changed", signal.name));
        }
        self.signals.iter().find(odd).map(|signal| format!("a row of {} has not {steps} values", signal.name))
    }
}

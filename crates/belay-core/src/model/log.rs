//! Lines of logs as evidence: what hosts that got a Change wrote since, and whether others wrote it
//! too. Lines are matched and counted on the host, by patterns its own configuration declares.

use std::collections::BTreeSet;

use super::ids::HostId;
use super::time::Timestamp;

/// The most patterns a host tells of, and the most that are kept of a Change.
pub const PATTERNS_MAX: usize = 20;
/// The longest text of a line that is kept, in characters.
pub const LINE_MAX: usize = 300;
/// The most hosts that are kept by name, on either side.
pub const HOSTS_MAX: usize = 200;

/// The newest line of a host that matches a declared pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The log, as the host's configuration names it.
    pub log: String,
    /// The pattern, likewise.
    pub pattern: String,
    /// Since when lines come that match: the first after an hour without any. The host's clock.
    pub since: Timestamp,
    /// When this one was read, by the host's clock.
    pub at: Timestamp,
    /// What it says, shortened and without secrets.
    pub text: String,
}

/// What hosts wrote to a log since a Change came to them, for one pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lines {
    /// The log.
    pub log: String,
    /// The pattern.
    pub pattern: String,
    /// When the first of them came, server time.
    pub first: Timestamp,
    /// What the first of them said.
    pub text: String,
    /// The changed hosts that began to write such lines after they changed; at most [`HOSTS_MAX`].
    pub treated: BTreeSet<HostId>,
    /// Hosts of the class that did not change and wrote such lines meanwhile; at most [`HOSTS_MAX`].
    pub others: BTreeSet<HostId>,
}

/// The lines of a Change, a pattern each; at most [`PATTERNS_MAX`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogEvidence(pub Vec<Lines>);

impl LogEvidence {
    /// What is kept of a pattern.
    pub fn of(&self, log: &str, pattern: &str) -> Option<&Lines> {
        self.0.iter().find(|lines| lines.log == log && lines.pattern == pattern)
    }

    /// Adds that a host wrote such a line. What is beyond the bounds is not kept.
    pub fn add(&mut self, host: &HostId, treated: bool, line: &Line) {
        let known = self.0.iter().position(|lines| lines.log == line.log && lines.pattern == line.pattern);
        let place = known.unwrap_or(self.0.len());
        if known.is_none() && place < PATTERNS_MAX {
            let (log, pattern) = (line.log.clone(), line.pattern.clone());
            self.0.push(Lines { log, pattern, first: line.since, text: String::new(), treated: BTreeSet::new(), others: BTreeSet::new() });
        }
        let Some(lines) = self.0.get_mut(place) else { return };
        // What a changed host says is the sample; that of another stands only until one does.
        if lines.treated.is_empty() && (treated || lines.text.is_empty()) {
            lines.text.clone_from(&line.text);
            lines.first = line.since;
        }
        let hosts = if treated { &mut lines.treated } else { &mut lines.others };
        if hosts.len() < HOSTS_MAX {
            hosts.insert(host.clone());
        }
    }
}

//! Looks at trials, open ones and rejected ones that are not over yet: when each is due, and what
//! is looked at.

use std::collections::{BTreeMap, BTreeSet};

use belay_core::decide::Input;
use belay_core::decide::trial::{asks, look_every, trial_of, watched};
use belay_core::judge::judge;
use belay_core::model::change::{Change, Trial};
use belay_core::model::evidence::Evidence;
use belay_core::model::ids::{ChangeId, Digest, HostId, SignalName};
use belay_core::model::time::Timestamp;
use belay_core::model::verdict::{Look, Standing};
use belay_core::state::{Fact, State};

use super::World;
use crate::signals::{Metric, RawSample};

/// A final look, with everything it was made from, and what the monitoring really held then.
#[derive(Clone, Debug)]
pub struct Judged {
    /// When.
    pub at: Timestamp,
    /// What was on trial.
    pub trial: Trial,
    /// What was looked at.
    pub evidence: Evidence,
    /// What was found.
    pub look: Look,
    /// The raw samples of every must-have signal on every treated host, as they could be seen.
    pub raw: BTreeMap<(SignalName, HostId), Vec<RawSample>>,
}

/// When each Change is to be looked at.
#[derive(Clone, Debug, Default)]
pub(super) struct Looks {
    due: BTreeSet<(Timestamp, ChangeId)>,
}

impl Looks {
    /// A fact may begin or end what is worth a look.
    pub(super) fn note(&mut self, state: &State, at: Timestamp, fact: &Fact) {
        let id = match fact {
            Fact::ChangeOpened { change } => change.id,
            Fact::ChangeJoined { change, .. } | Fact::Decided { change, .. } => *change,
            _ => return,
        };
        let known = self.due.iter().any(|(_, known)| *known == id);
        match (known, trial_of(state, id)) {
            (false, Some(trial)) => {
                self.due.insert((at + look_every(&trial), id));
            }
            (true, None) => self.due.retain(|(_, known)| *known != id),
            (true, Some(_)) | (false, None) => {}
        }
    }

    pub(super) fn next(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, _)| *at)
    }

    /// A Change that is to be looked at now.
    pub(super) fn take(&mut self, now: Timestamp) -> Option<ChangeId> {
        let first = *self.due.first().filter(|(at, _)| *at <= now)?;
        self.due.remove(&first);
        Some(first.1)
    }
}

impl World {
    /// Looks at a trial, as the server's observer does.
    pub(super) fn look(&mut self, change: ChangeId) {
        let open = self.state.changes.get(&change).is_some_and(Change::open);
        let Some(trial) = trial_of(&self.state, change).filter(|_| watched(&self.state, self.clock).contains(&change)) else { return };
        let evidence = self.evidence(&trial);
        let look = judge(&trial, &evidence);
        self.looks.due.insert((self.clock + look_every(&trial), change));
        let digest = Digest::of_parts([change.to_string().as_str(), &self.clock.ms().to_string()]);
        let input = Input::Looked { change, look: Box::new(look.clone()), evidence: digest };
        self.input(&input);
        if let (true, Standing::Final(_)) = (open, look.standing) {
            let raw = self.raw_of(&trial, &evidence);
            self.judged.push(Judged { at: self.clock, trial, evidence, look, raw });
        }
    }

    fn evidence(&mut self, trial: &Trial) -> Evidence {
        let asks = asks(trial, self.clock);
        let at = asks.iter().map(|ask| ask.to).min().unwrap_or(self.clock);
        let windows = asks.iter().map(|ask| (ask.signal.name.clone(), self.signals.window(&self.fleet, ask, self.clock))).collect();
        Evidence { at, windows }
    }

    fn raw_of(&mut self, trial: &Trial, evidence: &Evidence) -> BTreeMap<(SignalName, HostId), Vec<RawSample>> {
        let mut all = BTreeMap::new();
        for signal in trial.signals.iter().filter(|signal| signal.must_have) {
            let Some(metric) = Metric::selected_by(&signal.select) else { continue };
            for host in trial.treated.keys().filter_map(|id| self.fleet.hosts.get(id)) {
                let raw = self.signals.raw(&self.fleet, host, metric, evidence.at, self.clock).to_vec();
                all.insert((signal.name.clone(), host.id.clone()), raw);
            }
        }
        all
    }
}

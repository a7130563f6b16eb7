//! What must hold of the catch, whatever happens. Each check knows what really was: what was placed
//! and by whom it was altered, what a host had been told, what it was offered.

use std::collections::{BTreeMap, BTreeSet};

use belay_core::host::gate::Server;
use belay_core::host::policy::Stand;
use belay_core::model::alert::Subject;
use belay_core::model::gate::{Enforce, Gate, GateAnswer, Known, Offered, Why};
use belay_core::model::hold::{Hold, Told};
use belay_core::model::ids::{HoldId, HostId};
use belay_core::model::item::branch;
use belay_core::model::time::Timestamp;
use belay_core::state::{Fact, State};

use super::calendar::Calendar;
use super::site::{Member, Site, cluster};
use crate::checkers::Breach;
use crate::machine::Machine;

/// What the checks remember.
#[derive(Debug, Default)]
pub(super) struct Checks {
    wrong: Vec<(&'static str, String)>,
    placed: BTreeSet<HoldId>,
    released: BTreeSet<HoldId>,
    rehearsed: BTreeSet<(HoldId, HostId)>,
    sent: BTreeMap<HostId, BTreeSet<String>>,
    /// A backup was put back: what came after it is lost to the server, unless hosts tell it.
    restored: bool,
}

impl Checks {
    fn wrong(&mut self, check: &'static str, text: String) {
        self.wrong.push((check, text));
    }

    pub(super) fn placed(&mut self, hold: HoldId) {
        self.placed.insert(hold);
    }

    pub(super) fn altered(&mut self, hold: HoldId, extended: bool, seen: bool) {
        if !seen {
            self.wrong("nobody is overwritten blind", format!("{hold} was altered by somebody who saw something else"));
        }
        if extended {
            self.rehearsed.retain(|(of, _)| *of != hold);
        } else {
            self.released.insert(hold);
        }
    }

    pub(super) fn rehearsed(&mut self, host: &HostId, holds: &BTreeSet<HoldId>) {
        self.rehearsed.extend(holds.iter().map(|hold| (*hold, host.clone())));
    }

    pub(super) fn sent(&mut self, host: &HostId, run: &str) {
        self.sent.entry(host.clone()).or_default().insert(run.to_owned());
    }

    pub(super) fn restored(&mut self, backup: &State) {
        self.restored = true;
        // What was placed, released or rehearsed after the backup may be lost or undone with it.
        self.placed.retain(|hold| backup.holds.contains_key(hold));
        let handed_over = backup.holds.values().flat_map(|hold| hold.handed_over.iter().map(move |host| (hold.id, host.clone())));
        self.rehearsed.extend(handed_over);
        self.released.retain(|hold| backup.holds.get(hold).is_some_and(|hold| !hold.stands()));
    }

    pub(super) fn folded(&mut self, facts: &[(Timestamp, Fact)], again: &State) {
        if again.to_facts() != facts {
            self.wrong("replay = live", "a restart gave another state".to_owned());
        }
    }

    pub(super) fn wave_opened(&mut self, at: Timestamp, calendar: &Calendar) {
        if calendar.closed(at) {
            self.wrong("no wave opens while its class is closed", format!("one opened at {at}"));
        }
    }

    /// Content that its host does not know to be good comes to nobody while its class is closed by
    /// the server's time, whatever the clock of the host says.
    pub(super) fn came_while_closed(&mut self, host: &HostId, known: &Member, offered: &Offered, answer: &GateAnswer, closed: bool) {
        let Some(policy) = known.machine.policy.as_ref().filter(|policy| policy.enforce >= Enforce::Waves) else { return };
        let fits = policy.release.as_ref() == Some(&known.release);
        let good = |(key, content)| fits && matches!(policy.known(key, content), Known::Accepted | Known::Adopted);
        if closed && answer.gate == Gate::Go && !offered.delta.iter().flatten().all(good) {
            self.wrong("nothing new comes while a class is closed", format!("{host}: {answer:?}"));
        }
    }

    /// A host never goes back to an older policy.
    pub(super) fn stands(&mut self, host: &HostId, before: Option<Stand>, after: Option<Stand>) {
        if before > after {
            self.wrong("policies never go back", format!("{host} went from {before:?} to {after:?}"));
        }
    }

    /// What a gate may answer, by what its host had been told and what it was offered.
    pub(super) fn answered(&mut self, host: &HostId, known: &Member, offered: &Offered, answer: &GateAnswer, server: Server) {
        let Some(policy) = &known.machine.policy else { return };
        let went = answer.gate == Gate::Go;
        if went && policy.holds.iter().any(|hold| !known.machine.memory.yielded.contains(&hold.id)) {
            self.wrong("no run under a hold", format!("{host} ran although it knew of {:?}", policy.holds));
        }
        let due = policy.environments.get(&known.release);
        let wrong = offered.environment.as_ref().zip(due).is_some_and(|(got, due)| branch(got.as_str()) != branch(due.as_str()));
        if went && wrong && policy.enforce >= Enforce::ReleaseMatch {
            self.wrong("no environment of another release", format!("{host} ran {} on {:?}", known.release, offered.environment));
        }
        let fits = policy.release.as_ref() == Some(&known.release);
        let state = |(key, content)| if fits { policy.known(key, content) } else { Known::Unseen };
        let states: Vec<Known> = offered.delta.iter().flatten().map(state).collect();
        if went && policy.enforce >= Enforce::Rejected && states.iter().any(|known| matches!(known, Known::Rejected(_))) {
            self.wrong("no rejected content", format!("{host} got content that it knew to be rejected"));
        }
        let unseen = states.contains(&Known::Unseen) && policy.enforce >= Enforce::Rejected;
        if let (true, true, Server::Away(since)) = (went, unseen, server)
            && since < policy.max_closed
        {
            self.wrong("unknown content waits for the server", format!("{host} ran unknown content after {since}"));
        }
        let let_through = matches!(answer.why.first(), Some(Why::AwayTooLong { .. }));
        if let_through != answer.pages {
            self.wrong("what is let through is told", format!("{host}: {answer:?}"));
        }
        let closed = answer.gate != Gate::Go && states.iter().all(|known| matches!(known, Known::Accepted | Known::Adopted));
        if closed && !wrong && answer.gate == Gate::Deferred {
            self.wrong("accepted content is never kept waiting", format!("{host}: {answer:?}"));
        }
    }
}

impl Site {
    /// What holds at every moment.
    pub(super) fn check(&mut self) {
        if !self.up {
            return;
        }
        let mut wrong = Vec::new();
        for hold in self.state.holds.values() {
            if hold.stands()
                && self.now >= hold.until
                && (hold.told < Told::Expired || !self.state.alerted.contains_key(&Subject::Hold(hold.id)))
            {
                wrong.push((
                    "no hold outlives its expiry unpaged",
                    format!("{} expired at {}, and it is {}", hold.id, hold.until, self.now),
                ));
            }
            wrong.extend(self.lifted_blind(hold));
        }
        wrong.extend(self.together());
        for hold in &self.checks.placed {
            if !self.state.holds.contains_key(hold) {
                wrong.push(("no hold is lost", hold.to_string()));
            }
        }
        self.checks.wrong.extend(wrong);
    }

    /// Two hosts of one cluster never stand in one early wave.
    fn together(&self) -> Option<(&'static str, String)> {
        let mut drawn = self.state.open_changes().filter_map(|change| Some((change.id, change.waves.as_ref()?)));
        let twice = drawn.find(|(_, waves)| {
            let early = &waves.sizes[..waves.sizes.len().saturating_sub(1)];
            let from = [0].into_iter().chain(early.iter().copied());
            from.zip(early).any(|(from, to)| {
                let clusters: Vec<String> = waves.order[from as usize..*to as usize].iter().map(cluster).collect();
                clusters.iter().collect::<BTreeSet<_>>().len() < clusters.len()
            })
        });
        twice.filter(|_| self.calendar.apart).map(|(id, _)| ("clusters are kept apart", id.to_string()))
    }

    /// A hold ends by a person, or when the rehearsal of each of its hosts showed nothing.
    fn lifted_blind(&self, hold: &Hold) -> Option<(&'static str, String)> {
        let blind = |host: &&HostId| !self.checks.rehearsed.contains(&(hold.id, (*host).clone()));
        if let Some(host) = hold.handed_over.iter().find(blind) {
            return Some(("no hold is lifted blind", format!("{} was handed over on {host} without a rehearsal", hold.id)));
        }
        let by_belay = hold.end.as_ref().is_some_and(|end| end.by.0 == "belay");
        let held = self.state.hosts.values().any(|host| hold.is_about(host) && !hold.handed_over.contains(&host.id));
        (by_belay && held).then(|| ("no hold is lifted blind", format!("{} ended with hosts that were not handed over", hold.id)))
    }

    /// What holds once everything has had the time to settle.
    pub(super) fn breaches(mut self) -> Vec<Breach> {
        self.check();
        let mut wrong = std::mem::take(&mut self.checks.wrong);
        for (host, known) in &self.hosts {
            wrong.extend(self.stands_as_it_should(host, &known.machine));
            if !known.spool.is_empty() {
                wrong.push(("every report arrives", format!("{} wait on {host}", known.spool.len())));
            }
        }
        wrong.extend(self.runs());
        wrong.into_iter().map(|(checker, text)| Breach { checker, text }).collect()
    }

    /// What holds a host on the server stands on the host, unless it was given up.
    fn stands_as_it_should(&self, host: &HostId, machine: &Machine) -> Option<(&'static str, String)> {
        let known = self.state.hosts.get(host)?;
        let wanted: BTreeSet<HoldId> = self.state.holds_on(known).map(|hold| hold.id).collect();
        let given_up = wanted.is_subset(&machine.memory.yielded);
        let stands = match machine.found() {
            belay_core::host::lock::Found::Ours(holds) => holds,
            _ => BTreeSet::new(),
        };
        (stands != wanted && !given_up).then(|| ("what holds a host stands on it", format!("{host}: {stands:?} stand, {wanted:?} should")))
    }

    /// Each run is recorded once; where nothing was restored, all of them are, in their order.
    fn runs(&self) -> Vec<(&'static str, String)> {
        let mut wrong = Vec::new();
        let mut seen: BTreeMap<&HostId, Vec<&str>> = BTreeMap::new();
        for (_, fact) in &self.journal {
            if let Fact::RunRecorded { run, .. } = fact {
                seen.entry(&run.host).or_default().push(&run.tool_run_id);
            }
        }
        for (host, runs) in seen {
            let once: BTreeSet<&str> = runs.iter().copied().collect();
            if once.len() != runs.len() && !self.checks.restored {
                wrong.push(("each run counts once", format!("{host}: {runs:?}")));
            }
            if once.len() != self.checks.sent.get(host).map_or(0, BTreeSet::len) {
                wrong.push((
                    "every report arrives",
                    format!("{host}: {} of {:?}", once.len(), self.checks.sent.get(host).map(BTreeSet::len)),
                ));
            }
            let number = |run: &&str| run.trim_start_matches("run-").parse::<u64>().unwrap_or(0);
            if !self.checks.restored && !runs.iter().map(number).is_sorted() {
                wrong.push(("reports come in their order", format!("{host}: {runs:?}")));
            }
        }
        wrong
    }
}

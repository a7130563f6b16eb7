//! The site: a server, its hosts with their agents, and what flows between them, minute by minute.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use belay_core::decide::host_policy::host_policy;
use belay_core::decide::{Answer, Input, decide, wake};
use belay_core::host::gate::Server;
use belay_core::host::policy::FRESH;
use belay_core::host::talk::Happened;
use belay_core::model::gate::{Gate, Offered, Why};
use belay_core::model::ids::{Digest, Environment, HoldId, HostId, Release, ToolName};
use belay_core::model::item::{ItemKey, Items};
use belay_core::model::principal::{Actor, Principal};
use belay_core::model::report::{Decoded, Event, EventOutcome, Report, RunKind, Version};
use belay_core::model::time::{Span, Timestamp};
use belay_core::state::{Fact, State};
use belay_stats::rng::Rng;

use super::Tally;
use super::calendar::Calendar;
use super::check::Checks;
use crate::machine::{Crash, Machine};
use crate::world::BEGINNING;

/// The file that the runs of this site are about.
pub(super) const FILE: &str = "/etc/app/sitemonitor.conf";

/// A host: what lies on it, how it is connected, what its agent keeps.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) release: Release,
    pub(super) text: String,
    pub(super) machine: Machine,
    /// No way leads to the server.
    pub(super) cut_off: bool,
    /// The clock is so far off.
    pub(super) skew: Span,
    /// When the server was last spoken to.
    pub(super) contact: Option<Timestamp>,
    /// Reports that wait, oldest first.
    pub(super) spool: Vec<Report>,
    pub(super) runs: u64,
    /// The minute of the half hour at which the schedule strikes.
    pub(super) minute: u64,
}

/// The site.
pub(super) struct Site {
    pub(super) state: State,
    pub(super) journal: Vec<(Timestamp, Fact)>,
    /// What a backup would hold: a former state.
    pub(super) backup: Option<State>,
    pub(super) now: Timestamp,
    pub(super) minutes: u64,
    pub(super) up: bool,
    pub(super) rng: Rng,
    pub(super) hosts: BTreeMap<HostId, Member>,
    /// What each environment offers.
    pub(super) branches: BTreeMap<&'static str, String>,
    pub(super) texts: u64,
    pub(super) calendar: Calendar,
    pub(super) tally: Tally,
    pub(super) checks: Checks,
}

impl Site {
    pub(super) fn new(mut rng: Rng, agents: u64) -> Self {
        let mut site = Self {
            state: State::default(),
            journal: Vec::new(),
            backup: None,
            now: BEGINNING,
            minutes: 0,
            up: true,
            hosts: BTreeMap::new(),
            branches: BTreeMap::from([("production", "for 141".to_owned()), ("r142", "for 142".to_owned())]),
            texts: 0,
            calendar: Calendar::default(),
            tally: Tally { agents, ..Tally::default() },
            checks: Checks::default(),
            rng: rng.fork(1),
        };
        let level = ["release-match", "rejected", "waves"][rng.below(3) as usize];
        if level == "waves" {
            site.calendar = Calendar::drawn(&mut rng.fork(2));
        }
        site.load(level);
        for number in 1..=agents {
            let id = HostId::parse(&format!("web{number:03}")).expect("a number makes a name");
            let release = if number % 2 == 0 { "142" } else { "141" };
            let known = Member {
                release: Release::parse(release).expect("a constant that is a name"),
                text: format!("for {release}"),
                machine: Machine::default(),
                cut_off: false,
                skew: Span::from_s(i64::try_from(rng.below(600)).unwrap_or(0) - 300),
                contact: None,
                spool: Vec::new(),
                runs: 0,
                minute: rng.below(30),
            };
            site.hosts.insert(id.clone(), known);
            site.polls(&id);
            let report = site.report(&id, RunKind::Unchanged, &[]);
            site.hosts.get_mut(&id).expect("it was just put in").spool.push(report);
            site.drain(&id);
        }
        site
    }

    fn load(&mut self, level: &str) {
        let waves = if level == "waves" { "waves = [1, \"25%\", \"100%\"]\n" } else { "" };
        let (closed, freeze) = (self.calendar.of_class(), self.calendar.of_freeze());
        let text = format!(
            "[[class]]\nname = \"web\"\nhosts = [\"web*\"]\nenforce = \"{level}\"\n{waves}{closed}max_closed = \"1h\"\nstale = \"65m\"\n\
             environments = {{ 141 = \"production\", 142 = \"r142\" }}\n\
             {freeze}[[signal]]\nname = \"requests\"\nkind = \"flow\"\nselect = \"requests_total\"\n\
             [[alert]]\nname = \"team\"\nurl = \"https://alerts.example.com/a\"\n"
        );
        let policy = belay_api::config::parse("catch", &text).expect("a constant that is a configuration").policy;
        self.tell(&Input::Policy { policy: Arc::new(policy), actor: Actor("operator".to_owned()) });
    }

    /// Puts an input to the server.
    pub(super) fn tell(&mut self, input: &Input) -> Answer {
        let (facts, answer) = decide(&self.state, self.now, input);
        let at = self.now.max(self.state.now);
        for fact in facts {
            if matches!(fact, Fact::WaveOpened { .. }) {
                self.tally.waves += 1;
                self.checks.wave_opened(at, &self.calendar);
            }
            self.state.apply(at, &fact);
            self.journal.push((at, fact));
        }
        answer
    }

    /// One minute passes: people and accidents, then every agent, then whoever's schedule strikes.
    pub(super) fn minute(&mut self) {
        self.minutes += 1;
        self.now = self.now + Span::from_min(1);
        self.act();
        self.wake();
        let hosts: Vec<HostId> = self.hosts.keys().cloned().collect();
        for host in &hosts {
            self.agent(host);
        }
        for host in &hosts {
            if self.minutes % 30 == self.hosts[host].minute {
                self.strike(host);
            }
        }
        // The server wakes each second; of a minute, the first and the last count here.
        self.wake();
        self.check();
    }

    /// The server looks whether time has brought something about.
    pub(super) fn wake(&mut self) {
        if self.up && wake::due(&self.state, self.now) {
            self.tell(&Input::Wake);
        }
    }

    /// The agent of a host: it looks at the lock, asks for its policy, and brings its reports.
    fn agent(&mut self, host: &HostId) {
        let crash = match self.rng.below(60) {
            0 => Crash::BeforeMemory,
            1 => Crash::BeforeAct,
            2 => Crash::AfterAct,
            _ => Crash::Never,
        };
        let now = self.now;
        let known = self.hosts.get_mut(host).expect("it is one of the site");
        if known.machine.settle(now + known.skew, crash).is_some() {
            self.tally.broken += 1;
        }
        if crash != Crash::Never {
            return;
        }
        if self.polls(host) {
            self.drain(host);
            let known = self.hosts.get_mut(host).expect("it is one of the site");
            known.machine.settle(now + known.skew, Crash::Never);
            if known.machine.policy.as_ref().is_some_and(|policy| policy.rehearse) {
                self.rehearse(host);
            }
        }
    }

    /// Whether the server answered.
    pub(super) fn polls(&mut self, host: &HostId) -> bool {
        let now = self.now;
        let known = self.hosts.get(host).expect("it is one of the site");
        if known.cut_off || !self.up {
            return false;
        }
        let mut poll = known.machine.told(Some(known.release.clone()), now + known.skew);
        poll.facts = Some(BTreeMap::from([("cluster".to_owned(), cluster(host))]));
        let answer = self.tell(&Input::Polled { principal: Principal::Host(host.clone()), host: host.clone(), poll: Box::new(poll) });
        let Answer::Polled { ack } = answer else { return false };
        if self.rng.chance(0.02) {
            return false; // The answer got lost on its way: it is all told again.
        }
        let policy = host_policy(&self.state, host, now);
        let known = self.hosts.get_mut(host).expect("it is one of the site");
        let before = known.machine.policy.as_ref().map(|policy| policy.stand);
        known.machine.take(ack, &[], policy);
        known.contact = Some(now);
        let after = known.machine.policy.as_ref().map(|policy| policy.stand);
        self.checks.stands(host, before, after);
        true
    }

    /// Reports go out in their order, each until it is acknowledged.
    pub(super) fn drain(&mut self, host: &HostId) {
        while let Some(report) = self.hosts[host].spool.first().cloned() {
            if self.hosts[host].cut_off || !self.up {
                return;
            }
            let decoded = Box::new(Decoded { report, complaints: vec![] });
            let principal = Principal::Host(host.clone());
            let answer =
                self.tell(&Input::Report { principal, decoded, received: self.now, inbox: None, earlier: None, before: None, past: false });
            assert!(matches!(answer, Answer::Run { .. }), "{host}: {answer:?}");
            if self.rng.chance(0.02) {
                return; // The acknowledgement got lost: it is sent again, and counts once.
            }
            self.hosts.get_mut(host).expect("it is one of the site").spool.remove(0);
        }
    }

    /// The schedule strikes: the lock, then the gate, then the tool.
    fn strike(&mut self, host: &HostId) {
        // Most hosts ask for the environment of their release; somebody's cron line is wrong.
        let right = if self.hosts[host].release.as_str() == "142" { "r142" } else { "production" };
        let name = if self.rng.chance(0.1) { "production" } else { right };
        if self.hosts[host].machine.lock.is_some() {
            self.tally.held += 1;
            return;
        }
        self.polls(host);
        let (offered, text) = self.offered(host, name);
        let (now, known) = (self.now, self.hosts.get_mut(host).expect("it is one of the site"));
        let away = known.contact.map_or(Span::from_min(60 * 24), |contact| now.since(contact));
        let server = if away <= FRESH { Server::Fresh } else { Server::Away(away) };
        let release = known.release.clone();
        // What the server said last and the host's own uptime since give the server's time; before that there is only the clock.
        let server_time = known.contact.map_or(now + known.skew, |_| now);
        let answer = known.machine.gate(Some(&release), &offered, server, server_time, now + known.skew);
        self.checks.answered(host, &self.hosts[host], &offered, &answer, server);
        let closed = self.calendar.closed(now);
        self.checks.came_while_closed(host, &self.hosts[host], &offered, &answer, closed);
        self.tally.closed += u64::from(matches!(answer.why.first(), Some(Why::Closed { .. })));
        match answer.gate {
            Gate::Go => self.apply(host, name, &text, answer.pages.then_some(&answer.why[0])),
            Gate::Held => self.tally.held += 1,
            Gate::Refused => {
                self.tally.refused += 1;
                let report = self.report(host, RunKind::Refused("belay gate: refused: x".to_owned()), &[]);
                self.hosts.get_mut(host).expect("it is one of the site").spool.push(report);
            }
            Gate::Deferred => self.tally.deferred += 1,
        }
        self.drain(host);
    }

    fn offered(&self, host: &HostId, name: &str) -> (Offered, String) {
        let text = self.branches[name].clone();
        let mut delta = Items::new();
        if self.hosts[host].text != text {
            delta.insert(item(), Digest::of(text.as_bytes()));
        }
        (Offered { environment: Environment::parse(name).ok(), delta: Some(delta), ..Offered::default() }, text)
    }

    fn apply(&mut self, host: &HostId, name: &str, text: &str, pages: Option<&Why>) {
        self.tally.went += 1;
        let at = self.now + self.hosts[host].skew;
        let known = self.hosts.get_mut(host).expect("it is one of the site");
        if let Some(why) = pages {
            self.tally.let_through += 1;
            known.machine.happened(at, Happened::LetThrough(format!("{why:?}")));
        }
        let changed = known.text != text;
        known.text = text.to_owned();
        let events: Vec<(String, EventOutcome)> = if changed { vec![(text.to_owned(), EventOutcome::Applied)] } else { vec![] };
        let kind = if changed { RunKind::Changed } else { RunKind::Unchanged };
        let mut report = self.report(host, kind, &events);
        report.environment = Environment::parse(name).ok();
        self.hosts.get_mut(host).expect("it is one of the site").spool.push(report);
    }

    /// A rehearsal, in the environment of the release.
    fn rehearse(&mut self, host: &HostId) {
        let name = if self.hosts[host].release.as_str() == "142" { "r142" } else { "production" };
        let (offered, text) = self.offered(host, name);
        let would = offered.delta.as_ref().is_some_and(|delta| !delta.is_empty());
        let events: Vec<(String, EventOutcome)> = if would { vec![(text, EventOutcome::WouldApply)] } else { vec![] };
        let mut report = self.report(host, if would { RunKind::NoopWouldChange } else { RunKind::NoopUnchanged }, &events);
        report.environment = Environment::parse(name).ok();
        let holds: BTreeSet<HoldId> = self.hosts[host].machine.policy.iter().flat_map(|policy| &policy.holds).map(|hold| hold.id).collect();
        self.checks.rehearsed(host, &holds);
        self.hosts.get_mut(host).expect("it is one of the site").spool.push(report);
        self.drain(host);
    }

    pub(super) fn report(&mut self, host: &HostId, kind: RunKind, events: &[(String, EventOutcome)]) -> Report {
        let known = self.hosts.get_mut(host).expect("it is one of the site");
        known.runs += 1;
        let (started, id) = (self.now + known.skew, format!("run-{}", known.runs));
        let environment = if known.release.as_str() == "142" { "r142" } else { "production" };
        let event = |(text, outcome): &(String, EventOutcome)| Event {
            item: Some(item()),
            resource: format!("File[{FILE}]"),
            old: "old".to_owned(),
            new: text.clone(),
            content: Some(Digest::of(text.as_bytes())),
            message: String::new(),
            outcome: *outcome,
            at: None,
        };
        self.checks.sent(host, &id);
        Report {
            tool: ToolName::parse("tool").expect("a constant that is a name"),
            host: host.to_string(),
            digest: Digest::of_parts([host.as_str(), &id]),
            tool_run_id: id,
            kind,
            started,
            took: Span::ZERO,
            environment: Environment::parse(environment).ok(),
            version: Version::Named(self.branches[environment].clone()),
            events: events.iter().map(event).collect(),
            failed: vec![],
            resources: 1,
            skipped: 0,
            tool_version: "1".to_owned(),
        }
    }
}

/// Every seventh host is of the same cluster.
pub(super) fn cluster(host: &HostId) -> String {
    let number: u64 = host.as_str().trim_start_matches("web").parse().expect("hosts are numbered");
    format!("c{}", number % 7)
}

pub(super) fn item() -> ItemKey {
    ItemKey::new("File", FILE, "content")
}

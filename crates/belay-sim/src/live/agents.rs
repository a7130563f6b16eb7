//! The agents of the live hosts: they poll over real HTTP and decide with the same code as the real
//! one. Their files (the lock, the memory, the policy) lie in memory.

use std::collections::BTreeMap;

use belay_adapters::tools::host::gate_line;
use belay_api::agent::{PollAnswer, PollBody};
use belay_core::explain::gate::sentence;
use belay_core::host::gate::Server;
use belay_core::host::lock::LockEvent;
use belay_core::host::policy::{RevertOrder, RevertWay};
use belay_core::host::talk::Poll;
use belay_core::model::gate::{Gate, Offered};
use belay_core::model::ids::{Environment, HostId};
use belay_core::model::item::Items;
use belay_core::model::log::Line;
use belay_core::model::time::Timestamp;
use hyper::Method;

use super::client::{As, Ask};
use super::{LiveError, LiveFleet, now};
use crate::fleet::host::{Order, SimHost};
use crate::machine::{Crash, Machine};
use crate::testimony::content_of;

/// What became of a run that the schedule, or somebody, wanted to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Began {
    /// The tool's own lock kept it from beginning: the tool shows this.
    Locked(String),
    /// The gate did not let it go ahead: it says this.
    NotNow(String),
    /// It went ahead; the gate was asked at this time.
    Went(Timestamp),
}

impl LiveFleet {
    /// Every host's agent looks once at its lock, asks for its policy, and does what it is asked to.
    /// What it found out about its lock comes back, for whoever tells the story.
    ///
    /// # Errors
    /// When the server cannot be spoken to.
    pub async fn agents_look(&self) -> Result<Vec<(HostId, LockEvent)>, LiveError> {
        let mut seen = Vec::new();
        for host in self.hosts() {
            seen.extend(self.agent_looks(&host).await?.map(|event| (host.clone(), event)));
        }
        Ok(seen)
    }

    async fn agent_looks(&self, host: &HostId) -> Result<Option<LockEvent>, LiveError> {
        let before = self.with(|stage| stage.machine(host).settle(now(), Crash::Never));
        self.agent_polls(host).await?;
        let event = before.or(self.with(|stage| stage.machine(host).settle(now(), Crash::Never)));
        for order in self.with(|stage| stage.machine(host).orders()) {
            self.go_back(host, &order).await?;
        }
        Ok(event)
    }

    async fn agent_polls(&self, host: &HostId) -> Result<(), LiveError> {
        let body = self.with(|stage| {
            let release = stage.fleet.hosts.get(host).and_then(|known| known.release.clone());
            let lines = stage.fleet.hosts.get(host).and_then(|known| dropped(known, now())).into_iter().collect();
            PollBody::of(host, &Poll { lines, ..stage.machine(host).told(release, now()) })
        });
        let path = "/api/v1/agent/poll".to_owned();
        let refused = |why: String| LiveError::Unreachable { path: path.clone(), why };
        let body = serde_json::to_vec(&body).map_err(|error| refused(error.to_string()))?;
        let headers = [("content-type", "application/json")];
        let ask = Ask { method: Method::POST, path: path.clone(), credential: As::Relay, headers: &headers, body };
        let answer = self.client.ask(&ask).await?;
        let answer: PollAnswer = serde_json::from_slice(&answer).map_err(|error| refused(error.to_string()))?;
        let reply = answer.reply().map_err(|error| refused(format!("{}: {}", error.pointer, error.detail)))?;
        self.with(|stage| stage.machine(host).take(reply.ack, &reply.results, reply.policy));
        Ok(())
    }

    /// A revert is carried out: the host was pinned, and runs the tool once.
    async fn go_back(&self, host: &HostId, order: &RevertOrder) -> Result<(), LiveError> {
        let outcome = match &order.way {
            RevertWay::PinAndRun { environment } => match self.begin_run(host, environment).await? {
                Began::Went(_) => Ok(()),
                Began::Locked(why) | Began::NotNow(why) => Err(why),
            },
            RevertWay::Restore { .. } | RevertWay::Declared => Err("this host declares no such way back".to_owned()),
        };
        self.with(|stage| stage.machine(host).tried(order.id, outcome));
        Ok(())
    }

    /// The schedule, or somebody, begins a run on a host: the lock is looked at first, then the gate
    /// is asked, then the tool applies what it was offered. A run that is not let through is
    /// reported like any other.
    ///
    /// # Errors
    /// When the server does not take what is sent.
    pub async fn begin_run(&self, host: &HostId, environment: &Environment) -> Result<Began, LiveError> {
        if let Some(message) = self.with(|stage| stage.machine(host).lock.as_deref().map(message_of)) {
            return Ok(Began::Locked(message));
        }
        let asked_at = now();
        self.agent_polls(host).await?;
        let answer = self.with(|stage| {
            let offered = Offered { environment: Some(environment.clone()), delta: stage.delta(host, environment), ..Offered::default() };
            stage.machine(host).gate(None, &offered, Server::Fresh, now(), now())
        });
        if answer.gate == Gate::Go {
            self.run(host, Some(environment)).await?;
            return Ok(Began::Went(asked_at));
        }
        let why = sentence(&answer, now());
        let why = why.split_once(": ").map_or(why.as_str(), |(_, why)| why).to_owned();
        self.report_refusal(host, environment, &gate_line(answer.gate, &why)).await?;
        Ok(Began::NotNow(format!("{}: {why}", answer.gate.word())))
    }

    async fn report_refusal(&self, host: &HostId, environment: &Environment, line: &str) -> Result<(), LiveError> {
        let order = Order { environment: Some(environment.clone()), noop: false };
        let said = self.with(|stage| stage.fleet.refuse(host, &order, line, now()));
        match said {
            Some(said) => self.send_report(&said).await,
            None => Ok(()),
        }
    }

    /// Somebody removes the tool's lock by hand.
    pub fn remove_lock(&self, hosts: &[HostId]) {
        self.with(|stage| hosts.iter().for_each(|host| stage.machine(host).lock = None));
    }

    /// Hosts on which the tool's lock stands.
    pub fn locked(&self) -> usize {
        self.with(|stage| stage.machines.values().filter(|machine| machine.lock.is_some()).count())
    }
}

/// What the application writes to its log for each request while it can serve none, as the agent
/// tells of it.
fn dropped(host: &SimHost, now: Timestamp) -> Option<Line> {
    let (since, _, condition) = host.timeline.backwards(now).next()?;
    let release = host.release.as_ref().filter(|_| condition.health.flow == 0.0)?;
    Some(Line {
        log: "app".to_owned(),
        pattern: "dropped".to_owned(),
        since,
        at: now,
        text: format!("sitemonitor.conf: not a file of release {release}; request dropped"),
    })
}

/// What the tool shows to whoever runs it while the lock stands.
fn message_of(lock: &[u8]) -> String {
    let read = serde_json::from_slice::<serde_json::Value>(lock).ok();
    read.and_then(|lock| Some(lock.get("disabled_message")?.as_str()?.to_owned())).unwrap_or_default()
}

impl super::fleet::Stage {
    pub(super) fn machine(&mut self, host: &HostId) -> &mut Machine {
        self.machines.entry(host.clone()).or_default()
    }

    /// What a run would change on a host.
    fn delta(&self, host: &HostId, environment: &Environment) -> Option<Items> {
        let known = self.fleet.hosts.get(host)?;
        let contents = self.fleet.branches.get(environment)?.offer(&known.class).ok()?;
        let news = contents.iter().filter(|(key, text)| known.disk.get(*key) != Some(*text));
        Some(news.map(|(key, text)| (key.clone(), content_of(key, text))).collect())
    }
}

/// The machines of a fleet, by host.
pub(super) type Machines = BTreeMap<HostId, Machine>;

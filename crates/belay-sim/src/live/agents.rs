//! The agents of the live hosts: they poll over real HTTP and decide with the same code as the real
//! one. Their files (the lock, the memory, the policy) lie in memory.

use std::collections::{BTreeMap, BTreeSet};

use belay_adapters::tools::host::{HostTool, gate_line};
use belay_adapters::tools::puppet::Puppet;
use belay_api::agent::{PollAnswer, PollBody};
use belay_core::explain::gate::sentence;
use belay_core::host::gate::{Server, gate_by};
use belay_core::host::lock::{Act, Found, LockEvent, Memory, reconcile, written};
use belay_core::host::policy::{HostPolicy, RevertOrder, RevertWay};
use belay_core::host::talk::{Asked, Event, Happened, HostStatus, Lock, Poll, RevertResult, Schedule};
use belay_core::model::gate::{Gate, GateAnswer, Offered};
use belay_core::model::ids::{Environment, HostId, RevertId};
use belay_core::model::item::Items;
use belay_core::model::time::Timestamp;
use hyper::Method;

use super::client::{As, Ask};
use super::{LiveError, LiveFleet, now};
use crate::fleet::host::Order;
use crate::testimony::content_of;

/// What the agent of a host keeps on its disk.
#[derive(Debug, Default)]
pub(crate) struct Machine {
    /// The tool's own lock file.
    lock: Option<Vec<u8>>,
    memory: Memory,
    policy: Option<HostPolicy>,
    events: Vec<Event>,
    number: u64,
    results: Vec<RevertResult>,
    reverted: BTreeSet<RevertId>,
    asked: Option<Asked>,
}

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

impl Machine {
    fn found(&self) -> Found {
        self.lock.as_ref().map_or(Found::Absent, |lock| Puppet.read_lock(lock))
    }

    /// The agent looks at the lock, and does what is to be done about it.
    fn settle(&mut self, at: Timestamp) -> Option<LockEvent> {
        let policy = self.policy.as_ref()?;
        let step = reconcile(&self.memory, &self.found(), &policy.holds, at);
        self.memory = step.memory;
        if let Some(event) = &step.event {
            self.number += 1;
            self.events.push(Event { number: self.number, at, what: Happened::Lock(event.clone()) });
        }
        match step.act {
            Act::Leave => {}
            Act::Write(_) => self.lock = Some(Puppet.write_lock(&policy.holds, at)),
            Act::Remove => self.lock = None,
        }
        self.memory = written(&self.memory);
        step.event
    }

    fn told(&self, release: Option<belay_core::model::ids::Release>, at: Timestamp) -> Poll {
        let lock = match self.found() {
            Found::Absent => Lock::Absent,
            Found::Ours(holds) => Lock::Ours(holds),
            Found::Foreign { message, since } => Lock::Foreign { message, since },
        };
        let entry = "*/30 * * * * root puppet agent --onetime".to_owned();
        let status = HostStatus { lock, schedule: Schedule::There(entry), break_glass: None, running: false, gate: self.asked.clone() };
        Poll {
            agent: "simulated".to_owned(),
            have: self.policy.as_ref().map(|policy| policy.stand),
            sent_at: at,
            release,
            facts: None,
            status,
            holds: self.policy.iter().flat_map(|policy| policy.holds.clone()).collect(),
            events: self.events.clone(),
            results: self.results.clone(),
        }
    }

    fn take(&mut self, answer: &PollAnswer) -> Result<(), String> {
        let reply = answer.reply().map_err(|error| format!("{}: {}", error.pointer, error.detail))?;
        self.events.retain(|event| event.number > reply.ack);
        self.results.retain(|result| !reply.results.contains(&result.id));
        if let Some(policy) = reply.policy
            && self.policy.as_ref().is_none_or(|known| known.yields_to(&policy))
        {
            self.policy = Some(policy);
        }
        Ok(())
    }

    fn gate(&mut self, offered: &Offered, at: Timestamp) -> GateAnswer {
        let answer = match self.policy.clone() {
            Some(policy) => gate_by(&policy.without_holds(&self.memory.yielded), None, None, offered, Server::Fresh, at),
            None => GateAnswer::go(belay_core::model::gate::Why::NothingAgainst),
        };
        self.asked = Some(Asked { at, answer: answer.gate, why: sentence(&answer, at) });
        answer
    }
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
        let before = self.with(|stage| stage.machine(host).settle(now()));
        self.agent_polls(host).await?;
        let event = before.or(self.with(|stage| stage.machine(host).settle(now())));
        for order in self.with(|stage| stage.machine(host).orders()) {
            self.go_back(host, &order).await?;
        }
        Ok(event)
    }

    async fn agent_polls(&self, host: &HostId) -> Result<(), LiveError> {
        let body = self.with(|stage| {
            let release = stage.fleet.hosts.get(host).and_then(|known| known.release.clone());
            PollBody::of(host, &stage.machine(host).told(release, now()))
        });
        let path = "/api/v1/agent/poll".to_owned();
        let refused = |why: String| LiveError::Unreachable { path: path.clone(), why };
        let body = serde_json::to_vec(&body).map_err(|error| refused(error.to_string()))?;
        let headers = [("content-type", "application/json")];
        let ask = Ask { method: Method::POST, path: path.clone(), credential: As::Relay, headers: &headers, body };
        let answer = self.client.ask(&ask).await?;
        let answer: PollAnswer = serde_json::from_slice(&answer).map_err(|error| refused(error.to_string()))?;
        self.with(|stage| stage.machine(host).take(&answer)).map_err(refused)
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
        self.with(|stage| {
            let machine = stage.machine(host);
            machine.reverted.insert(order.id);
            machine.results.push(RevertResult { id: order.id, outcome, said: String::new() });
        });
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
            stage.machine(host).gate(&offered, now())
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

impl Machine {
    fn orders(&self) -> Vec<RevertOrder> {
        let orders = self.policy.iter().flat_map(|policy| &policy.reverts);
        orders.filter(|order| !self.reverted.contains(&order.id)).cloned().collect()
    }
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

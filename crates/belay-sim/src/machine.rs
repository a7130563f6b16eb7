//! The agent of one host, with its files in memory: it decides with the code of the real one. The
//! live fleet drives it over HTTP, the simulator of the catch in virtual time.

use std::collections::BTreeSet;

use belay_adapters::tools::host::HostTool;
use belay_adapters::tools::puppet::Puppet;
use belay_core::explain::gate::sentence;
use belay_core::host::gate::{Server, gate_by};
use belay_core::host::lock::{Act, Found, LockEvent, Memory, reconcile, written};
use belay_core::host::policy::{HostPolicy, RevertOrder};
use belay_core::host::talk::{Asked, Event, Happened, HostStatus, Lock, Poll, RevertResult, Schedule};
use belay_core::model::gate::{GateAnswer, Offered, Why};
use belay_core::model::ids::{Release, RevertId};
use belay_core::model::time::Timestamp;

/// After which of its steps an agent crashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Crash {
    /// Before it kept anything.
    BeforeMemory,
    /// After it kept what it intends, before it did it.
    BeforeAct,
    /// After it did it, before it kept that.
    AfterAct,
    /// It does not.
    Never,
}

/// What the agent of a host keeps on its disk.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    /// The tool's own lock file.
    pub lock: Option<Vec<u8>>,
    /// What it remembers of the lock.
    pub memory: Memory,
    /// The last policy it was given.
    pub policy: Option<HostPolicy>,
    /// What happened and was not acknowledged yet.
    pub events: Vec<Event>,
    /// How reverts went, until that is acknowledged.
    pub results: Vec<RevertResult>,
    reverted: BTreeSet<RevertId>,
    number: u64,
    asked: Option<Asked>,
}

impl Machine {
    /// The lock as it is found.
    pub fn found(&self) -> Found {
        self.lock.as_ref().map_or(Found::Absent, |lock| Puppet.read_lock(lock))
    }

    /// It looks at the lock, and does what is to be done about it, as far as it comes.
    pub fn settle(&mut self, at: Timestamp, crash: Crash) -> Option<LockEvent> {
        let policy = self.policy.as_ref()?;
        let step = reconcile(&self.memory, &self.found(), &policy.holds, at);
        if crash == Crash::BeforeMemory {
            return None;
        }
        self.memory = step.memory;
        let event = step.event.filter(|event| !self.told_already(event));
        if let Some(event) = &event {
            self.happened(at, Happened::Lock(event.clone()));
        }
        if crash == Crash::BeforeAct {
            return event;
        }
        let holds = self.policy.as_ref().map(|policy| policy.holds.clone()).unwrap_or_default();
        match step.act {
            Act::Leave => {}
            Act::Write(_) => self.lock = Some(Puppet.write_lock(&holds, at)),
            Act::Remove => self.lock = None,
        }
        if crash == Crash::Never {
            self.memory = written(&self.memory);
        }
        event
    }

    /// A foreign lock is told of once while it stands.
    fn told_already(&self, event: &LockEvent) -> bool {
        let last = self.events.last().map(|last| &last.what);
        matches!(event, LockEvent::Foreign { .. }) && last == Some(&Happened::Lock(event.clone()))
    }

    /// Something happened that the server has to hear of.
    pub fn happened(&mut self, at: Timestamp, what: Happened) {
        self.number += 1;
        self.events.push(Event { number: self.number, at, what });
    }

    /// What it tells when it asks for its policy.
    pub fn told(&self, release: Option<Release>, at: Timestamp) -> Poll {
        let lock = match self.found() {
            Found::Absent => Lock::Absent,
            Found::Ours(holds) => Lock::Ours(holds),
            Found::Foreign { message, since } => Lock::Foreign { message, since },
        };
        let schedule = Schedule::There("*/30 * * * * root puppet agent --onetime".to_owned());
        Poll {
            agent: "simulated".to_owned(),
            have: self.policy.as_ref().map(|policy| policy.stand),
            sent_at: at,
            release,
            facts: None,
            status: HostStatus { lock, schedule, break_glass: None, running: false, run_lock: None, gate: self.asked.clone() },
            holds: self.policy.iter().flat_map(|policy| policy.holds.clone()).collect(),
            events: self.events.clone(),
            results: self.results.clone(),
            lines: Vec::new(),
        }
    }

    /// It was answered: what was acknowledged is told no more, and a newer policy takes the place of
    /// the one it has.
    pub fn take(&mut self, ack: u64, results: &[RevertId], policy: Option<HostPolicy>) {
        self.events.retain(|event| event.number > ack);
        self.results.retain(|result| !results.contains(&result.id));
        if let Some(policy) = policy.filter(|policy| self.policy.as_ref().is_none_or(|known| known.yields_to(policy))) {
            self.policy = Some(policy);
        }
    }

    /// May a run go ahead, by the policy it has? `server_time` is the moment as the server has it, `at`
    /// as the host's clock has it.
    pub fn gate(
        &mut self,
        release: Option<&Release>,
        offered: &Offered,
        server: Server,
        server_time: Timestamp,
        at: Timestamp,
    ) -> GateAnswer {
        let answer = match self.policy.clone() {
            Some(policy) => gate_by(&policy.without_holds(&self.memory.yielded), release, None, offered, server, server_time),
            None => GateAnswer::go(Why::NothingAgainst),
        };
        self.asked = Some(Asked { at, answer: answer.gate, why: sentence(&answer, server_time) });
        answer
    }

    /// Reverts it was asked for and has not tried yet.
    pub fn orders(&self) -> Vec<RevertOrder> {
        let orders = self.policy.iter().flat_map(|policy| &policy.reverts);
        orders.filter(|order| !self.reverted.contains(&order.id)).cloned().collect()
    }

    /// A revert was tried.
    pub fn tried(&mut self, id: RevertId, outcome: Result<(), String>) {
        self.reverted.insert(id);
        self.results.push(RevertResult { id, outcome, said: String::new() });
    }
}

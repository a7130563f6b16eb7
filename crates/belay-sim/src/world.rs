//! The engine in virtual time: a simulated fleet, and Belay's own decisions about it.
//!
//! Every input goes through [`decide`], every fact through [`State::apply`]; reports are real bytes,
//! written and read by the tool's adapter; trials are looked at by Belay's own judge over windows
//! made of raw series. There are no threads here, no wall clock and no randomness without a seed:
//! the same seed and orders give the same journal, to the bit.

mod agenda;
mod looks;
mod outbox;
mod roads;

use std::collections::BTreeMap;
use std::sync::Arc;

use belay_core::decide::{Answer, Input, decide};
use belay_core::model::ids::{ClassName, Digest, HostId, InboxId, Release, RunId};
use belay_core::model::policy::Policy;
use belay_core::model::principal::{Actor, Principal, Role};
use belay_core::model::time::{Span, Timestamp};
use belay_core::state::{Fact, State};
use belay_stats::rng::Rng;

pub use agenda::{Due, Parcel, Switch};
pub use looks::Judged;
pub use outbox::{Delivery, Outbox, Receipt};

use crate::fleet::Fleet;
use crate::fleet::host::Order;
use crate::signals::Signals;
use crate::testimony::{Deed, QuietReader};
use agenda::Agenda;

/// When simulated worlds begin: 2026-11-22T00:00:00Z.
pub const BEGINNING: Timestamp = Timestamp::from_ms(1_795_305_600_000);

/// A fleet with Belay watching it.
pub struct World {
    /// What Belay knows.
    pub state: State,
    /// Everything Belay decided, with the time it was decided at.
    pub journal: Vec<(Timestamp, Fact)>,
    /// What time it is.
    pub clock: Timestamp,
    /// The fleet.
    pub fleet: Fleet,
    /// What the monitoring holds.
    pub signals: Signals,
    /// What was delivered, and to whom it can be.
    pub outbox: Outbox,
    /// The final looks, with what they were made from.
    pub judged: Vec<Judged>,
    /// What those who sent something were told, where it was not simply taken.
    pub complaints: Vec<(Timestamp, String)>,
    /// What was really done on each host in each run, whether anybody heard of it or not.
    pub deeds: BTreeMap<(HostId, String), Vec<Deed>>,
    pub(crate) rng: Rng,
    agenda: Agenda,
    looks: looks::Looks,
    /// The ledger's table of runs: host and the tool's own id.
    runs: BTreeMap<(HostId, String), (RunId, Digest)>,
    inbox: u64,
    /// Reports that wait on their hosts.
    spools: BTreeMap<HostId, Vec<Parcel>>,
    reader: QuietReader,
}

impl World {
    /// An empty world of a seed.
    pub fn new(seed: u64) -> Self {
        Self {
            state: State::default(),
            journal: Vec::new(),
            clock: BEGINNING,
            fleet: Fleet::default(),
            signals: Signals::new(seed),
            outbox: Outbox::default(),
            judged: Vec::new(),
            complaints: Vec::new(),
            deeds: BTreeMap::new(),
            rng: Rng::new(seed),
            agenda: Agenda::default(),
            looks: looks::Looks::default(),
            runs: BTreeMap::new(),
            inbox: 0,
            spools: BTreeMap::new(),
            reader: QuietReader::default(),
        }
    }

    /// Puts an input to Belay: what it decides is written down and applied at once.
    pub fn input(&mut self, input: &Input) -> Answer {
        let (facts, answer) = decide(&self.state, self.clock, input);
        let at = self.clock.max(self.state.now);
        for fact in facts {
            self.state.apply(at, &fact);
            if let Fact::RunRecorded { run, .. } = &fact {
                self.runs.insert((run.host.clone(), run.tool_run_id.clone()), (run.id, run.digest));
            }
            self.looks.note(&self.state, at, &fact);
            self.journal.push((at, fact));
        }
        self.complaints.extend(answer.refusal().map(|text| (at, text.to_owned())));
        answer
    }

    /// Loads a configuration.
    pub fn load(&mut self, policy: Policy) {
        let input = Input::Policy { policy: Arc::new(policy), actor: Actor("operator".to_owned()) };
        self.input(&input);
    }

    /// Something is to happen at a time.
    pub fn plan(&mut self, at: Timestamp, due: Due) {
        self.agenda.put(at.max(self.clock), due);
    }

    /// Lets time pass, with everything that happens in it.
    pub fn run_until(&mut self, end: Timestamp) {
        while let Some(next) = self.next().filter(|next| *next <= end) {
            self.clock = self.clock.max(next);
            self.happen();
        }
        self.clock = self.clock.max(end);
    }

    /// Lets this much time pass.
    pub fn run_for(&mut self, span: Span) {
        self.run_until(self.clock + span);
    }

    /// Lets time pass until something holds, looking whenever something happened; at most until
    /// `end`. Answers whether it came to hold.
    pub fn run_until_holds(&mut self, end: Timestamp, holds: impl Fn(&Self) -> bool) -> bool {
        while !holds(self) {
            match self.next().filter(|next| *next <= end) {
                Some(next) => {
                    self.clock = self.clock.max(next);
                    self.happen();
                }
                None => {
                    self.clock = self.clock.max(end);
                    return holds(self);
                }
            }
        }
        true
    }

    /// When something happens next.
    fn next(&self) -> Option<Timestamp> {
        [self.agenda.next(), self.looks.next(), self.state.next_effect_at()].into_iter().flatten().min()
    }

    /// What is due now happens: first what the fleet does, then looks, then deliveries.
    fn happen(&mut self) {
        if let Some(due) = self.agenda.take(self.clock) {
            self.act(due);
        } else if let Some(change) = self.looks.take(self.clock) {
            self.look(change);
        } else {
            self.deliver_due();
        }
    }

    /// Brings a host to life: its schedule begins when it is told to.
    pub fn add_host(&mut self, host: crate::fleet::host::SimHost) {
        self.fleet.add(host, self.clock - Span::from_min(24 * 60));
    }

    /// A host comes to run a release; whoever deploys says so a moment later.
    pub fn set_release(&mut self, host: &HostId, release: &Release) {
        if let Some(known) = self.fleet.hosts.get_mut(host) {
            known.release = Some(release.clone());
        }
        self.fleet.feel(host, self.clock);
        self.plan(self.clock + Span::from_s(1), Due::Tell(host.clone()));
    }

    /// Only this part of the usual flow reaches a class for a while.
    pub fn storm(&mut self, class: &ClassName, part: f64, lasts: Span) {
        self.fleet.set_weather(class, self.clock, part);
        self.plan(self.clock + lasts, Due::Clear(class.clone()));
    }

    /// Something goes wrong with a host, or is put right again.
    pub fn switch(&mut self, host: &HostId, switch: &Switch) {
        roads::switch(self, host, switch);
    }

    /// Runs the tool on a host now.
    pub fn run_tool(&mut self, host: &HostId, order: &Order) {
        roads::run_tool(self, host, order);
    }

    fn act(&mut self, due: Due) {
        match due {
            Due::Run(host, order) => self.run_tool(&host, &order),
            Due::Cron { host, turn } => roads::cron(self, &host, turn),
            Due::Deliver(parcel) => roads::deliver(self, &parcel),
            Due::Tell(host) => roads::tell(self, &host),
            Due::Release(host, release) => self.set_release(&host, &release),
            Due::Switch(host, switch) => self.switch(&host, &switch),
            Due::Clear(class) => self.fleet.set_weather(&class, self.clock, 1.0),
        }
    }

    fn next_inbox(&mut self) -> InboxId {
        self.inbox += 1;
        InboxId(self.inbox)
    }
}

/// Whoever brings reports and facts of the whole fleet.
pub fn relay() -> Principal {
    Principal::Relay(belay_core::model::policy::Pattern::new("*"))
}

/// A person of a role.
pub fn person(name: &str, role: Role) -> Principal {
    Principal::person(name, role)
}

//! Holds over many random histories: people who alter them at the same time, hands on the lock,
//! agents that crash between any two steps, clocks that jump, a server that is away. Whatever
//! happens: no hold outlives its expiry unpaged, none is lifted blind, none is lost.

use std::collections::{BTreeMap, BTreeSet};

use belay_core::decide::host_policy::host_policy;
use belay_core::decide::{Answer, HoldAsk, HoldEdit, Input, wake};
use belay_core::host::lock::{Act, Found, LockEvent, Memory, reconcile, written};
use belay_core::host::policy::HostPolicy;
use belay_core::host::talk::{Event, Happened, HostStatus, Lock, Poll};
use belay_core::model::alert::{Subject, Task};
use belay_core::model::hold::{HoldScope, Told};
use belay_core::model::ids::{HoldId, HostId};
use belay_core::model::policy::Pattern;
use belay_core::model::principal::{Principal, Role};
use belay_core::model::report::RunKind;
use belay_core::model::time::{Span, Timestamp};
use belay_core::state::Fact;
use belay_stats::rng::Rng;

use crate::holds::{id, person};
use crate::lab::{Lab, told};

const HOSTS: [&str; 3] = ["web1", "web2", "db1"];

/// How many histories; BELAY_HOLD_HISTORIES says otherwise.
const HISTORIES: u64 = 100_000;

/// A host with its agent: what is on its disk, and what a crash leaves of it.
struct Machine {
    lock: Found,
    memory: Memory,
    policy: Option<HostPolicy>,
    events: Vec<Event>,
    number: u64,
    /// The host's clock is so far off.
    skew: Span,
}

impl Machine {
    fn new() -> Self {
        Self { lock: Found::Absent, memory: Memory::default(), policy: None, events: vec![], number: 0, skew: Span::ZERO }
    }

    /// The agent looks at the lock; it may crash after any of its steps.
    fn look(&mut self, now: Timestamp, crash_after: u64) {
        let now = now + self.skew;
        let Some(policy) = &self.policy else { return };
        let step = reconcile(&self.memory, &self.lock, &policy.holds, now);
        let yielded = step.memory.yielded.clone();
        if crash_after == 0 {
            return;
        }
        // Memory and event are kept together, before anything is done.
        self.memory = step.memory;
        if let Some(event) = step.event {
            let told = self.events.last().map(|last| &last.what) == Some(&Happened::Lock(event.clone()));
            if !(told && matches!(event, LockEvent::Foreign { .. })) {
                self.number += 1;
                self.events.push(Event { number: self.number, at: now, what: Happened::Lock(event) });
            }
        }
        if crash_after == 1 {
            return;
        }
        match step.act {
            Act::Leave => {}
            Act::Write(holds) => self.lock = Found::Ours(holds),
            Act::Remove => {
                assert!(policy.holds.is_empty() && matches!(self.lock, Found::Ours(_)), "a lock was lifted blind");
                self.lock = Found::Absent;
            }
        }
        if crash_after == 2 {
            return;
        }
        self.memory = written(&self.memory);
        let wanted: BTreeSet<HoldId> = policy.holds.iter().map(|hold| hold.id).collect();
        if !wanted.is_empty() && !matches!(self.lock, Found::Foreign { .. }) && !wanted.is_subset(&yielded) {
            assert_eq!(self.lock, Found::Ours(wanted), "a hold was lost on its host");
        }
    }
}

struct History {
    lab: Lab,
    rng: Rng,
    machines: BTreeMap<HostId, Machine>,
    /// Holds that people ended, as they were told.
    ended: BTreeSet<HoldId>,
    /// Holds that were placed, as people were told.
    placed: BTreeSet<HoldId>,
    /// Rehearsals that showed nothing, after the expiry of the hold.
    rehearsed: BTreeSet<(HoldId, HostId)>,
}

impl History {
    fn new(seed: u64) -> Self {
        let mut lab = Lab::new();
        lab.enrol(&HOSTS, "141", "production");
        let machines = HOSTS.iter().map(|name| (id(name), Machine::new())).collect();
        Self { lab, rng: Rng::new(seed), machines, ended: BTreeSet::new(), placed: BTreeSet::new(), rehearsed: BTreeSet::new() }
    }

    fn host(&mut self) -> HostId {
        id(HOSTS[self.rng.below(3) as usize])
    }

    fn minutes(&mut self, most: u64) -> Span {
        Span::from_min(1 + i64::try_from(self.rng.below(most)).unwrap())
    }

    fn step(&mut self) {
        match self.rng.below(21) {
            0 | 1 => self.place(),
            2 => self.extend(),
            3 => self.release(),
            4 | 5 => {
                let by = self.minutes(180);
                self.pass(by);
            }
            6..=8 => self.poll(),
            9..=11 => self.look(),
            12 => self.hand(),
            13 => self.rehearse(),
            14..=17 => self.work(),
            18 => self.insist(),
            19 => {
                let host = self.host();
                let skew = Span::from_min(i64::try_from(self.rng.below(600)).unwrap() - 300);
                self.machines.get_mut(&host).unwrap().skew = skew;
            }
            _ => {
                let by = self.minutes(5);
                self.pass(by);
            }
        }
    }

    fn place(&mut self) {
        let patterns = ["web1", "web*", "*"];
        let hosts = patterns[self.rng.below(3) as usize];
        let ask = HoldAsk {
            scope: HoldScope { hosts: vec![Pattern::new(hosts)], classes: BTreeSet::new() },
            reason: "work".into(),
            until: Some(self.lab.now + self.minutes(30 * 60)),
            ..HoldAsk::default()
        };
        if let Answer::Hold { hold, .. } =
            self.lab.tell(&Input::PlaceHold { principal: person("alice", Role::Operator), ask: Box::new(ask) })
        {
            self.placed.insert(hold);
        }
    }

    fn some_hold(&mut self) -> Option<(HoldId, Option<u32>)> {
        let known: Vec<(HoldId, u32)> = self.lab.state.holds.values().map(|hold| (hold.id, hold.revision)).collect();
        let (hold, revision) = *known.get(usize::try_from(self.rng.below(known.len().max(1) as u64)).unwrap())?;
        // Some editors looked a while ago.
        let seen = if self.rng.chance(0.3) { revision.saturating_sub(1) } else { revision };
        Some((hold, Some(seen).filter(|_| self.rng.chance(0.8))))
    }

    fn extend(&mut self) {
        let Some((hold, seen)) = self.some_hold() else { return };
        let until = self.lab.now + self.minutes(30 * 60);
        let principal = person("bob", Role::Operator);
        let answer = self.lab.tell(&Input::EditHold { principal, hold, seen, edit: HoldEdit::Extend(until), reason: String::new() });
        if matches!(answer, Answer::Hold { .. }) {
            self.rehearsed.retain(|(of, _)| *of != hold);
        }
    }

    fn release(&mut self) {
        let Some((hold, seen)) = self.some_hold() else { return };
        let revision = self.lab.state.holds[&hold].revision;
        let principal = person("alice", Role::Operator);
        let answer = self.lab.tell(&Input::EditHold { principal, hold, seen, edit: HoldEdit::Release, reason: "done".into() });
        if matches!(answer, Answer::Hold { .. }) {
            assert!(seen.is_none_or(|seen| seen == revision), "{hold} was released by somebody who saw something else");
            self.ended.insert(hold);
        }
    }

    /// Time goes by; the server wakes as it does every second, and its clock may have been set back.
    fn pass(&mut self, by: Span) {
        let before = self.lab.now;
        self.lab.pass(if self.rng.chance(0.05) { by.times(-1) } else { by });
        if wake::due(&self.lab.state, self.lab.now) {
            self.lab.tell(&Input::Wake);
        }
        self.lab.now = self.lab.now.max(before);
    }

    fn poll(&mut self) {
        let host = self.host();
        self.poll_of(&host);
    }

    fn poll_of(&mut self, host: &HostId) {
        if self.rng.chance(0.2) {
            return; // The server is away.
        }
        let machine = self.machines.get_mut(host).unwrap();
        let lock = match &machine.lock {
            Found::Absent => Lock::Absent,
            Found::Ours(holds) => Lock::Ours(holds.clone()),
            Found::Foreign { message, since } => Lock::Foreign { message: message.clone(), since: *since },
        };
        let poll = Poll {
            agent: "0".into(),
            have: machine.policy.as_ref().map(|policy| policy.stand),
            sent_at: self.lab.now + machine.skew,
            release: None,
            facts: None,
            status: HostStatus { lock, ..HostStatus::default() },
            holds: machine.policy.iter().flat_map(|policy| policy.holds.clone()).collect(),
            events: machine.events.clone(),
            results: vec![],
            lines: vec![],
        };
        let answer = self.lab.tell(&Input::Polled { principal: Principal::Host(host.clone()), host: host.clone(), poll: Box::new(poll) });
        let Answer::Polled { ack } = answer else { panic!("{answer:?}") };
        if self.rng.chance(0.1) {
            return; // The answer got lost: it is all told again.
        }
        let policy = host_policy(&self.lab.state, host, self.lab.now).unwrap();
        let machine = self.machines.get_mut(host).unwrap();
        machine.events.retain(|event| event.number > ack);
        assert!(machine.policy.as_ref().is_none_or(|known| known.yields_to(&policy)), "a policy went back in time");
        machine.policy = Some(policy);
    }

    fn look(&mut self) {
        let (host, crash) = (self.host(), self.rng.below(10));
        let now = self.lab.now;
        self.machines.get_mut(&host).unwrap().look(now, crash);
    }

    /// Somebody lays hands on a lock.
    fn hand(&mut self) {
        let (host, what) = (self.host(), self.rng.below(3));
        let machine = self.machines.get_mut(&host).unwrap();
        machine.lock = match what {
            0 | 1 => Found::Absent,
            _ => Found::Foreign { message: "carol".into(), since: None },
        };
        if self.rng.chance(0.6) {
            let (now, crash) = (self.lab.now, self.rng.below(10));
            self.machines.get_mut(&host).unwrap().look(now, crash);
        }
    }

    /// Somebody insists: what is put back is removed again.
    fn insist(&mut self) {
        let host = self.host();
        for _ in 0..3 {
            let crash = self.rng.below(10);
            let machine = self.machines.get_mut(&host).unwrap();
            machine.lock = Found::Absent;
            machine.look(self.lab.now, crash);
            self.lab.pass(Span::from_min(1));
        }
    }

    /// The agent of one host works as it should for a while.
    fn work(&mut self) {
        let host = self.host();
        self.poll_of(&host);
        let now = self.lab.now;
        self.machines.get_mut(&host).unwrap().look(now, 9);
    }

    fn rehearse(&mut self) {
        let host = self.host();
        let would = self.rng.chance(0.4);
        let expired: Vec<HoldId> = {
            let known = &self.lab.state.hosts[&host];
            self.lab.state.holds_on(known).filter(|hold| self.lab.now >= hold.until).map(|hold| hold.id).collect()
        };
        let mut run = told(host.as_str(), "production").version("v1");
        if would {
            run = run.file("/etc/new", "new").kind(RunKind::NoopWouldChange);
            run.contents[0].2 = belay_core::model::report::EventOutcome::WouldApply;
        } else {
            run = run.kind(RunKind::NoopUnchanged);
            self.rehearsed.extend(expired.into_iter().map(|hold| (hold, host.clone())));
        }
        self.lab.report(run);
    }

    fn check(&self) {
        let state = &self.lab.state;
        for hold in state.holds.values() {
            // 1. No hold outlives its expiry unpaged.
            if hold.stands() && state.now >= hold.until + Span::from_min(180) {
                assert!(hold.told >= Told::Expired, "{} expired unpaged", hold.id);
                assert!(state.alerted.contains_key(&Subject::Hold(hold.id)), "nobody was told of {}", hold.id);
            }
            // 2. None is lifted blind: a person did it, or every host's rehearsal showed nothing.
            if hold.end.is_some() && !self.ended.contains(&hold.id) {
                for host in state.hosts.values().filter(|host| hold.is_about(host)) {
                    assert!(self.rehearsed.contains(&(hold.id, host.id.clone())), "{} was lifted blind on {}", hold.id, host.id);
                }
            }
            for host in &hold.handed_over {
                assert!(self.rehearsed.contains(&(hold.id, host.clone())), "{} was handed over blind on {host}", hold.id);
            }
        }
        // 3. None is lost.
        for hold in &self.placed {
            assert!(state.holds.contains_key(hold), "{hold} was lost");
        }
    }

    /// Everybody is well again: what stands on the server stands on the hosts.
    fn settle(&mut self) {
        for machine in self.machines.values_mut() {
            machine.skew = Span::ZERO;
            machine.lock = match &machine.lock {
                Found::Foreign { .. } => Found::Absent,
                other => other.clone(),
            };
        }
        self.lab.pass(Span::from_min(120));
        self.lab.tell(&Input::Wake);
        for name in HOSTS {
            let policy = host_policy(&self.lab.state, &id(name), self.lab.now).unwrap();
            let machine = self.machines.get_mut(&id(name)).unwrap();
            machine.policy = Some(policy);
            let now = self.lab.now;
            (0..3).for_each(|_| machine.look(now, 9));
            let stands: BTreeSet<HoldId> = self.lab.state.holds_on(&self.lab.state.hosts[&id(name)]).map(|hold| hold.id).collect();
            match &machine.lock {
                Found::Ours(holds) => assert_eq!(*holds, stands, "{name}"),
                _ => assert!(stands.is_subset(&machine.memory.yielded), "{stands:?} do not stand on {name}: {:?}", machine.memory),
            }
        }
    }
}

/// What happened in a history. Where hardly any of it ever happens, the histories prove nothing.
#[derive(Clone, Copy, Default)]
struct Tally {
    placed: usize,
    released: usize,
    paged: usize,
    handed_over: usize,
    broken: usize,
    given_up: usize,
    foreign: usize,
}

fn play(seed: u64) -> Tally {
    let mut history = History::new(seed);
    for _ in 0..10 + history.rng.below(40) {
        history.step();
    }
    history.settle();
    history.check();
    let state = &history.lab.state;
    let told = |fact: &&(Timestamp, Fact)| match &fact.1 {
        Fact::EffectAsked { effect } => matches!(&effect.task, Task::Notify { about: Subject::Hold(_), .. }),
        _ => false,
    };
    let foreign = |machine: &&Machine| machine.events.iter().any(|event| matches!(event.what, Happened::Lock(LockEvent::Foreign { .. })));
    Tally {
        placed: history.placed.len(),
        released: history.ended.len(),
        paged: history.lab.journal.iter().filter(told).count(),
        handed_over: state.holds.values().map(|hold| hold.handed_over.len()).sum(),
        broken: state.holds.values().map(|hold| hold.broken.len()).sum(),
        given_up: history.machines.values().filter(|machine| !machine.memory.yielded.is_empty()).count(),
        foreign: history.machines.values().filter(foreign).count(),
    }
}

#[test]
fn no_hold_outlives_its_expiry_unpaged_none_is_lifted_blind_none_is_lost() {
    #[expect(clippy::disallowed_methods, reason = "a test reads how much it is to do")]
    let histories = std::env::var("BELAY_HOLD_HISTORIES").ok().and_then(|text| text.parse().ok()).unwrap_or(HISTORIES);
    let mut tallies = Vec::new();
    for seed in 0..histories {
        let played = std::panic::catch_unwind(|| play(seed));
        tallies.push(played.unwrap_or_else(|_| panic!("history {seed} broke a promise")));
    }
    let often = |what: &str, count: fn(&Tally) -> usize| {
        let histories = tallies.iter().filter(|tally| count(tally) > 0).count();
        assert!(histories * 200 > tallies.len(), "{what} happened in {histories} of {} histories only", tallies.len());
    };
    often("placing", |tally| tally.placed);
    often("releasing", |tally| tally.released);
    often("paging", |tally| tally.paged);
    often("handing over", |tally| tally.handed_over);
    often("breaking", |tally| tally.broken);
    often("giving up", |tally| tally.given_up);
    often("a foreign lock", |tally| tally.foreign);
}

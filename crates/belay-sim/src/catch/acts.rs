//! What happens to a site: people who hold and release, verdicts, new texts, hands on locks, ways
//! that are cut, a server that goes away and comes back.

use std::collections::BTreeSet;

use belay_core::decide::{Answer, HoldAsk, HoldEdit, Input};
use belay_core::model::hold::HoldScope;
use belay_core::model::ids::{Digest, HostId};
use belay_core::model::policy::Pattern;
use belay_core::model::principal::{Principal, Role};
use belay_core::model::time::Span;
use belay_core::model::verdict::{Gap, Look, Outcome, Standing};
use belay_core::state::State;

use super::site::Site;

impl Site {
    /// A few things may happen in a minute.
    pub(super) fn act(&mut self) {
        for _ in 0..2 {
            match self.rng.below(120) {
                0..=5 => self.cut(true),
                6..=13 => self.cut(false),
                14..=17 => self.place(),
                18..=20 => self.alter(),
                21..=26 => self.hand(),
                27 => self.insist(),
                28..=31 => self.commit(),
                32 | 33 => self.upgrade(),
                34 => self.up = false,
                35..=42 if !self.up => self.come_back(),
                43 => self.backup = Some(self.state.clone()),
                44..=47 => self.drift(),
                _ => {}
            }
        }
        if self.up {
            self.judge();
        }
    }

    pub(super) fn some_host(&mut self) -> HostId {
        let nth = usize::try_from(self.rng.below(self.hosts.len() as u64)).unwrap_or(0);
        self.hosts.keys().nth(nth).expect("a site has hosts").clone()
    }

    /// The ways of some hosts to the server are cut, or mended.
    fn cut(&mut self, cut: bool) {
        let part = self.rng.unit() * 0.5;
        let hosts: Vec<HostId> = self.hosts.keys().cloned().collect();
        for host in hosts {
            if self.rng.chance(part) {
                self.hosts.get_mut(&host).expect("it is one of the site").cut_off = cut;
            }
        }
    }

    fn person(name: &str) -> Principal {
        Principal::person(name, Role::Operator)
    }

    fn place(&mut self) {
        if !self.up {
            return;
        }
        let pattern = if self.rng.chance(0.5) { self.some_host().to_string() } else { format!("web{}*", self.rng.below(4)) };
        let scope = HoldScope { hosts: vec![Pattern::new(&pattern)], classes: BTreeSet::new() };
        let hosts = self.state.hosts.values().filter(|host| scope.holds(&host.id, &host.class)).count();
        let ask = HoldAsk {
            scope,
            reason: "work".to_owned(),
            until: Some(self.now + Span::from_min(5 + i64::try_from(self.rng.below(180)).unwrap_or(0))),
            confirm: u32::try_from(hosts).ok(),
            ..HoldAsk::default()
        };
        let answer = self.tell(&Input::PlaceHold { principal: Self::person("alice"), ask: Box::new(ask) });
        if let Answer::Hold { hold, .. } = answer {
            self.tally.holds += 1;
            self.checks.placed(hold);
        }
    }

    fn alter(&mut self) {
        let holds: Vec<_> = self.state.holds.values().filter(|hold| hold.stands()).map(|hold| (hold.id, hold.revision)).collect();
        let nth = usize::try_from(self.rng.below(holds.len().max(1) as u64)).unwrap_or(0);
        let Some((hold, revision)) = holds.get(nth).copied().filter(|_| self.up) else { return };
        let seen = Some(if self.rng.chance(0.3) { revision.saturating_sub(1) } else { revision });
        let extends = self.rng.chance(0.5);
        let edit = if extends { HoldEdit::Extend(self.now + Span::from_min(90)) } else { HoldEdit::Release };
        let answer = self.tell(&Input::EditHold { principal: Self::person("alice"), hold, seen, edit, reason: "done".to_owned() });
        if matches!(answer, Answer::Hold { .. }) {
            self.checks.altered(hold, extends, seen == Some(revision));
        }
    }

    /// Somebody removes a lock.
    fn hand(&mut self) {
        let host = self.some_host();
        self.hosts.get_mut(&host).expect("it is one of the site").machine.lock = None;
    }

    /// Somebody removes the locks of several hosts, and once more after they were put back.
    fn insist(&mut self) {
        for _ in 0..3 {
            let host = self.some_host();
            let now = self.now;
            let known = self.hosts.get_mut(&host).expect("it is one of the site");
            for _ in 0..2 {
                known.machine.lock = None;
                known.machine.settle(now + known.skew, crate::machine::Crash::Never);
            }
        }
    }

    /// A new text comes to a branch.
    fn commit(&mut self) {
        self.texts += 1;
        let name = if self.rng.chance(0.5) { "production" } else { "r142" };
        self.branches.insert(name, format!("text {} of {name}", self.texts));
    }

    /// A host comes to run the newer release; its server may hear of it much later.
    fn upgrade(&mut self) {
        let host = self.some_host();
        let release = belay_core::model::ids::Release::parse("142").expect("a constant that is a name");
        self.hosts.get_mut(&host).expect("it is one of the site").release = release;
    }

    fn drift(&mut self) {
        let host = self.some_host();
        let skew = Span::from_s(i64::try_from(self.rng.below(240)).unwrap_or(0) - 120);
        self.hosts.get_mut(&host).expect("it is one of the site").skew = skew;
    }

    /// The server comes back: mostly with all it had committed, sometimes from a backup.
    pub(super) fn come_back(&mut self) {
        self.up = true;
        let facts = self.state.to_facts();
        match self.backup.take().filter(|_| self.rng.chance(0.5)) {
            Some(backup) => {
                self.tally.restores += 1;
                self.checks.restored(&backup);
                self.state = backup;
            }
            None => {
                self.tally.restarts += 1;
                let mut again = State::default();
                facts.iter().for_each(|(at, fact)| again.apply(*at, fact));
                self.checks.folded(&facts, &again);
                self.state = again;
            }
        }
    }

    /// Trials end, one way or another: how they are judged is not the matter here.
    fn judge(&mut self) {
        let open: Vec<_> = self.state.open_changes().map(|change| (change.id, change.renewed.max(change.opened))).collect();
        for (change, since) in open {
            if self.now.since(since) < Span::from_min(20) || !self.rng.chance(0.2) {
                continue;
            }
            let outcome = match self.rng.below(6) {
                0..=2 => Outcome::Accepted,
                3 | 4 => Outcome::Rejected,
                _ => Outcome::Inconclusive(Gap::TooLittle),
            };
            let look = Look { at: self.now, standing: Standing::Final(outcome), findings: vec![], lacks: vec![] };
            self.tell(&Input::Looked { change, look: Box::new(look), evidence: Digest::of(b"") });
        }
    }

    /// Everything is put right, and gets the time to settle.
    pub(super) fn settle(&mut self) {
        if !self.up {
            self.come_back();
        }
        for host in self.hosts.values_mut() {
            host.cut_off = false;
            host.skew = Span::ZERO;
        }
        let hosts: Vec<HostId> = self.hosts.keys().cloned().collect();
        for _ in 0..8 {
            self.now = self.now + Span::from_min(1);
            self.wake();
            for host in &hosts {
                if self.polls(host) {
                    self.drain(host);
                }
                let now = self.now;
                self.hosts.get_mut(host).expect("it is one of the site").machine.settle(now, crate::machine::Crash::Never);
            }
        }
        self.wake();
        self.tally.handed_over = self.state.holds.values().map(|hold| hold.handed_over.len() as u64).sum();
    }
}

//! Snapshots: a state written as the facts that make it. Folding them gives the same state, so a
//! snapshot needs no form of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::fact::Fact;
use super::{Scope, State, Would};
use crate::model::alert::Subject;
use crate::model::closed::Closed;
use crate::model::hold::Hold;
use crate::model::ids::{ChangeId, ClassName, HostId};
use crate::model::item::{Items, Mark};
use crate::model::principal::Actor;
use crate::model::revert::Revert;
use crate::model::selfcheck::SelfCheck;
use crate::model::time::Timestamp;
use crate::model::user::User;

impl State {
    /// The facts that make this state, each with the time it is to be applied at.
    pub fn to_facts(&self) -> Vec<(Timestamp, Fact)> {
        let mut out = Vec::new();
        let actor = Actor("snapshot".to_owned());
        let policy = Fact::PolicyLoaded { policy: Arc::clone(&self.policy), actor: actor.clone(), moved: BTreeMap::new() };
        out.push((self.now, policy));
        out.extend(self.hosts.values().map(|host| (self.now, Fact::HostRestored(Box::new(host.clone())))));
        out.extend(self.marks());
        for change in self.changes.values() {
            let alerted = self.alerted.get(&Subject::Change(change.id)).copied();
            out.push((self.now, Fact::ChangeRestored { change: Box::new(change.clone()), alerted }));
        }
        out.extend(self.effects.values().map(|effect| (self.now, Fact::EffectTried { effect: effect.clone() })));
        out.extend(self.tokens.iter().map(|token| (self.now, Fact::TokenIssued { token: token.clone(), actor: actor.clone() })));
        let user = |user: &User| Fact::UserSet { user: Box::new(user.clone()), actor: actor.clone(), what: "snapshot".to_owned() };
        out.extend(self.users.values().map(|known| (self.now, user(known))));
        out.extend(self.sessions.values().map(|session| (self.now, Fact::SessionOpened { session: Box::new(session.clone()) })));
        out.extend(self.catch(&actor));
        out.extend(self.ailing());
        // Last, because it also says how many facts had been applied, and those above count.
        out.push((self.now, Fact::CountersRestored { counters: self.counters, now: self.now }));
        out
    }

    /// Holds, reverts and what is counted about them.
    fn catch(&self, actor: &Actor) -> Vec<(Timestamp, Fact)> {
        let what = "snapshot";
        let hold = |hold: &Hold| Fact::HoldSet { hold: Box::new(hold.clone()), actor: actor.clone(), what: what.to_owned() };
        let revert = |revert: &Revert| Fact::RevertSet { revert: Box::new(revert.clone()), actor: actor.clone(), what: what.to_owned() };
        let would = |(class, would): (&ClassName, &Would)| Fact::WouldHaveRefused { class: class.clone(), would: *would };
        let mut facts: Vec<Fact> = self.holds.values().map(hold).collect();
        facts.extend(self.reverts.values().map(revert));
        facts.extend(self.would.iter().map(would));
        facts.extend(self.stale.iter().map(|(class, hosts)| Fact::StaleSet { class: class.clone(), hosts: hosts.clone() }));
        facts.extend(self.foreign.iter().map(|(class, hosts)| Fact::ForeignSet { class: class.clone(), hosts: hosts.clone() }));
        let closed = |(class, closed): (&ClassName, &Closed)| Fact::ClosedSet { class: class.clone(), closed: Some(closed.clone()) };
        facts.extend(self.closed.iter().map(closed));
        let checked = |check: &SelfCheck| Fact::SelfChecked { check: Box::new(check.clone()), actor: actor.clone() };
        facts.extend(self.selfchecks.values().map(checked));
        facts.extend(self.feeds.iter().map(|(id, feed)| Fact::FeedSet { id: id.clone(), feed: Some(Box::new(feed.clone())) }));
        facts.extend(self.outposts.iter().map(|(id, post)| Fact::OutpostSet { id: id.clone(), outpost: Some(Box::new(post.clone())) }));
        facts.extend(self.tables.made.map(|table| Fact::TableMade { table }));
        facts.extend(self.tables.force.map(|force| Fact::TableInForce { table: force.table, from: force.from }));
        let pulled = |(inventory, mark): (&String, &String)| Fact::PulledSet { inventory: inventory.clone(), mark: mark.clone() };
        facts.extend(self.pulled.iter().map(pulled));
        facts.extend(self.deployments(actor));
        facts.extend(self.breaker.map(|breaker| Fact::BreakerSet { breaker: Some(breaker) }));
        let told = self.alerted.iter().filter(|(about, _)| !matches!(about, Subject::Change(_)));
        facts.extend(told.map(|(about, at)| Fact::AlertedRestored { about: about.clone(), at: *at }));
        facts.into_iter().map(|fact| (self.now, fact)).collect()
    }

    /// Ailments: one fact for all hosts of a class that have one since the same time.
    fn ailing(&self) -> Vec<(Timestamp, Fact)> {
        let mut facts = Vec::new();
        for ((class, ailment), ailing) in &self.ailing {
            let mut since: BTreeMap<Timestamp, BTreeSet<HostId>> = BTreeMap::new();
            if ailing.hosts.is_empty() {
                since.insert(self.now, BTreeSet::new());
            }
            for (host, at) in &ailing.hosts {
                since.entry(*at).or_default().insert(host.clone());
            }
            let fact =
                |began| Fact::AilingSet { class: class.clone(), ailment: *ailment, began, ended: BTreeSet::new(), told: ailing.told };
            facts.extend(since.into_iter().map(|(at, began)| (at, fact(began))));
        }
        facts
    }

    /// The ledger of acceptance: one fact for all items of a scope that got one mark at one time.
    fn marks(&self) -> Vec<(Timestamp, Fact)> {
        // One item may have many contents, so sets are keyed by a counter of repeats as well.
        let mut sets: BTreeMap<(Scope, u8, ChangeId, Timestamp, usize), Items> = BTreeMap::new();
        for (scope, key, content, marked) in self.acceptance.iter() {
            let (rank, change) = rank(marked.mark);
            let mut repeat = 0;
            loop {
                let set = sets.entry((scope.clone(), rank, change, marked.at, repeat)).or_default();
                if !set.contains_key(key) {
                    set.insert(key.clone(), *content);
                    break;
                }
                repeat += 1;
            }
        }
        let fact = |((scope, rank, change, at, _), items)| (at, Fact::ItemsMarked { scope, items, mark: unrank(rank, change) });
        sets.into_iter().map(fact).collect()
    }
}

fn rank(mark: Mark) -> (u8, ChangeId) {
    match mark {
        Mark::Adopted => (0, ChangeId(0)),
        Mark::OnTrial(change) => (1, change),
        Mark::Accepted(change) => (2, change),
        Mark::Rejected(change) => (3, change),
    }
}

fn unrank(rank: u8, change: ChangeId) -> Mark {
    match rank {
        0 => Mark::Adopted,
        1 => Mark::OnTrial(change),
        2 => Mark::Accepted(change),
        _ => Mark::Rejected(change),
    }
}

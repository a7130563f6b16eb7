//! Applying facts. There is no policy here: a fact says in full what it does.

use std::collections::{BTreeMap, BTreeSet};

use super::fact::Fact;
use super::{CHANGES_KEPT, ENDED_KEPT, Scope, State};
use crate::model::alert::{Subject, Task};
use crate::model::change::{Change, Treated};
use crate::model::feed::{Feed, FeedId};
use crate::model::host::{Carried, Host, ITEMS_MAX, LastRun, RECENT_MAX, Seen, Trouble};
use crate::model::ids::{ChangeId, ClassName, HostId};
use crate::model::item::{Content, ItemKey};
use crate::model::run::Run;
use crate::model::table::InForce;
use crate::model::time::Timestamp;
use crate::model::verdict::{Outcome, Standing, Verdict};

impl State {
    /// Applies a fact that was decided at `at`.
    pub fn apply(&mut self, at: Timestamp, fact: &Fact) {
        self.now = self.now.max(at);
        self.counters.facts += 1;
        if steers(fact) {
            self.counters.steered = self.counters.facts;
        }
        match fact {
            Fact::PolicyLoaded { policy, moved, .. } => {
                self.policy = policy.clone();
                for (host, class) in moved {
                    self.alter(host, |host| host.class = class.clone());
                }
            }
            Fact::HostEnrolled { host, class } => self.enter(Host::new(host.clone(), class.clone(), at)),
            Fact::FactsSet { host, class, release, facts, .. } => {
                self.alter(host, |host| {
                    host.class = class.clone();
                    host.release = release.clone();
                    host.facts = facts.clone();
                });
            }
            Fact::RunRecorded { run, .. } => self.apply_run(run),
            Fact::Quarantined { host, reason, .. } => self.trouble(host.as_ref(), at, reason),
            Fact::HoldSet { .. } | Fact::PinSet { .. } | Fact::HostTold { .. } | Fact::RevertSet { .. } => self.apply_to_catch(fact),
            Fact::LineTold { change, host, treated, line } => {
                if let Some(change) = self.changes.get_mut(change) {
                    change.logs.add(host, *treated, line);
                }
            }
            Fact::WouldHaveRefused { .. }
            | Fact::StaleSet { .. }
            | Fact::ForeignSet { .. }
            | Fact::ClosedSet { .. }
            | Fact::SelfChecked { .. }
            | Fact::AilingSet { .. } => self.apply_to_class(at, fact),
            Fact::PublishedSet { .. } | Fact::DeployedSet { .. } | Fact::SpreadSet { .. } => self.apply_deployment(fact),
            Fact::PulledSet { inventory, mark } => _ = self.pulled.insert(inventory.clone(), mark.clone()),
            Fact::FeedSet { id, feed } => self.apply_feed(id, feed.as_deref()),
            Fact::OutpostSet { .. } | Fact::TableMade { .. } | Fact::TableInForce { .. } => self.apply_to_outposts(fact),
            Fact::BreakerSet { breaker } => self.breaker = *breaker,
            Fact::IncarnationBegun { incarnation } => self.counters.incarnation = *incarnation,
            Fact::AlertedRestored { about, at } => drop(self.alerted.insert(about.clone(), *at)),
            Fact::ItemsMarked { scope, items, mark } => self.acceptance.set(scope, items, *mark, at),
            Fact::ChangeOpened { change } => {
                self.counters.changes = self.counters.changes.max(change.id.0);
                self.changes.insert(change.id, (**change).clone());
                self.forget_old_changes();
            }
            Fact::ChangeJoined { .. } | Fact::WaveOpened { .. } | Fact::Looked { .. } | Fact::Decided { .. } => {
                self.apply_to_change(at, fact)
            }
            Fact::EffectAsked { .. } | Fact::EffectTried { .. } | Fact::EffectDone { .. } => self.apply_to_effect(at, fact),
            Fact::TokenIssued { .. }
            | Fact::TokenRevoked { .. }
            | Fact::UserSet { .. }
            | Fact::UserRemoved { .. }
            | Fact::SessionOpened { .. }
            | Fact::SessionSeen { .. }
            | Fact::SessionEnded { .. } => self.apply_to_people(at, fact),
            Fact::InboxDone { .. } | Fact::Noted(_) => {}
            Fact::CountersRestored { counters, now } => (self.counters, self.now) = (*counters, self.now.max(*now)),
            Fact::HostRestored(host) => self.enter((**host).clone()),
            Fact::ChangeRestored { change, alerted } => {
                self.changes.insert(change.id, (**change).clone());
                self.alerted.extend(alerted.map(|at| (Subject::Change(change.id), at)));
            }
        }
    }

    /// A host enters, or takes the place of what was known of it; the census follows.
    fn enter(&mut self, host: Host) {
        self.leave(&host.id);
        let census = self.census.entry(host.class.clone()).or_default();
        census.hosts += 1;
        census.with_release += u32::from(host.release.is_some());
        census.since = Some(census.since.map_or(host.since, |since| since.min(host.since)));
        self.count_version(&host, true);
        self.hosts.insert(host.id.clone(), host);
    }

    fn leave(&mut self, id: &HostId) -> Option<Host> {
        let host = self.hosts.remove(id)?;
        self.count_version(&host, false);
        if let Some(census) = self.census.get_mut(&host.class) {
            census.hosts -= 1;
            census.with_release -= u32::from(host.release.is_some());
            if census.hosts == 0 {
                self.census.remove(&host.class);
            }
        }
        Some(host)
    }

    /// Counts the version a host carries in its class and release, or counts it no more.
    fn count_version(&mut self, host: &Host, carries: bool) {
        let Some(version) = &host.version else { return };
        let scope = Scope { class: host.class.clone(), release: host.release.clone() };
        let counts = self.versions.entry(scope.clone()).or_default();
        let count = counts.entry(version.clone()).or_default();
        *count = if carries { *count + 1 } else { count.saturating_sub(1) };
        if *count == 0 {
            counts.remove(version);
        }
        if counts.is_empty() {
            self.versions.remove(&scope);
        }
    }

    /// Alters a host; what is counted follows.
    fn alter(&mut self, id: &HostId, change: impl FnOnce(&mut Host)) {
        if let Some(mut host) = self.leave(id) {
            change(&mut host);
            self.enter(host);
        }
    }

    fn apply_feed(&mut self, id: &FeedId, feed: Option<&Feed>) {
        match feed {
            Some(feed) => _ = self.feeds.insert(id.clone(), feed.clone()),
            None => {
                self.feeds.remove(id);
                self.alerted.remove(&Subject::Feed(id.clone()));
            }
        }
    }

    fn apply_to_outposts(&mut self, fact: &Fact) {
        match fact {
            Fact::OutpostSet { id, outpost: Some(outpost) } => _ = self.outposts.insert(id.clone(), (**outpost).clone()),
            Fact::OutpostSet { id, outpost: None } => _ = self.outposts.remove(id),
            Fact::TableMade { table } => self.tables.made = Some(*table),
            Fact::TableInForce { table, from } => self.tables.force = Some(InForce { table: *table, from: *from }),
            _ => unreachable!("apply sends only facts about outposts here"),
        }
    }

    fn apply_run(&mut self, run: &Run) {
        self.counters.runs = self.counters.runs.max(run.id.0);
        self.alter(&run.host, |host| take_run(host, run));
        if let Some(host) = self.hosts.get(&run.host).filter(|_| !run.delta.is_empty() || !run.restored.is_empty()) {
            self.changes.values_mut().for_each(|change| leave(change, host, run.started));
        }
    }

    fn trouble(&mut self, host: Option<&HostId>, at: Timestamp, reason: &str) {
        if let Some(host) = host.and_then(|id| self.hosts.get_mut(id)) {
            host.trouble = Some(Trouble { at, text: reason.to_owned() });
        }
    }

    fn apply_to_change(&mut self, at: Timestamp, fact: &Fact) {
        match fact {
            Fact::ChangeJoined { change, treated, items, words, after_rejection } => {
                let Some(change) = self.changes.get_mut(change) else { return };
                for (host, new) in treated {
                    join(change, host, new);
                }
                if !items.is_empty() {
                    change.renewed = at;
                }
                change.items.extend(items.iter().map(|(key, content)| (key.clone(), *content)));
                change.words.extend(words.iter().map(|(key, words)| (key.clone(), words.clone())));
                if *after_rejection {
                    change.after_rejection = change.after_rejection.saturating_add(treated.len().try_into().unwrap_or(u32::MAX));
                }
            }
            Fact::WaveOpened { change, open } => {
                if let Some(change) = self.changes.get_mut(change) {
                    change.renewed = at;
                    if let Some(waves) = &mut change.waves {
                        waves.open = *open;
                        waves.opened = at;
                    }
                }
            }
            Fact::Looked { change, look } => {
                if let Some(change) = self.changes.get_mut(change) {
                    change.standing = look.standing;
                    change.look = Some((**look).clone());
                }
            }
            Fact::Decided { change, verdict } => self.decided(*change, verdict),
            _ => unreachable!("apply sends only facts about a Change here"),
        }
    }

    fn decided(&mut self, id: ChangeId, verdict: &Verdict) {
        if let Some(change) = self.changes.get_mut(&id) {
            change.standing = Standing::Final(verdict.outcome);
            change.verdict = Some(verdict.clone());
        }
    }

    fn apply_to_effect(&mut self, at: Timestamp, fact: &Fact) {
        match fact {
            Fact::EffectAsked { effect } => {
                self.counters.effects = self.counters.effects.max(effect.id.0);
                self.effects.insert(effect.id, effect.clone());
                let Task::Notify { about, .. } = &effect.task;
                self.alerted.insert(about.clone(), at);
            }
            Fact::EffectTried { effect } => {
                self.effects.insert(effect.id, effect.clone());
            }
            Fact::EffectDone { effect, .. } => {
                self.effects.remove(effect);
            }
            _ => unreachable!("apply sends only facts about an effect here"),
        }
    }

    /// Memory is bounded by the present: decided Changes beyond [`CHANGES_KEPT`] leave it, oldest
    /// first. Rejected ones stay longest, because their content may still come to further hosts.
    fn forget_old_changes(&mut self) {
        while self.changes.len() > CHANGES_KEPT {
            let rejected = |change: &Change| change.verdict.as_ref().is_some_and(|v| v.outcome == Outcome::Rejected);
            let oldest = |of: fn(&Change, bool) -> bool| self.changes.values().find(|c| of(c, rejected(c))).map(|c| c.id);
            let Some(id) = oldest(|c, rejected| !c.open() && !rejected).or_else(|| oldest(|c, _| !c.open())) else { return };
            self.changes.remove(&id);
            self.alerted.remove(&Subject::Change(id));
        }
    }

    fn apply_to_class(&mut self, at: Timestamp, fact: &Fact) {
        match fact {
            Fact::WouldHaveRefused { class, would } => drop(self.would.insert(class.clone(), *would)),
            Fact::StaleSet { class, hosts } => set_hosts(&mut self.stale, class, hosts),
            Fact::ForeignSet { class, hosts } => set_hosts(&mut self.foreign, class, hosts),
            Fact::ClosedSet { class, closed: None } => {
                self.closed.remove(class);
            }
            Fact::ClosedSet { class, closed: Some(closed) } => {
                self.closed.insert(class.clone(), closed.clone());
            }
            Fact::SelfChecked { check, .. } => {
                self.selfchecks.insert(check.class.clone(), (**check).clone());
            }
            Fact::AilingSet { class, ailment, began, ended, told } => {
                let key = (class.clone(), *ailment);
                let mut ailing = self.ailing.remove(&key).unwrap_or_default();
                ailing.hosts.retain(|host, _| !ended.contains(host));
                ailing.hosts.extend(began.iter().map(|host| (host.clone(), at)));
                ailing.told = *told;
                if !ailing.hosts.is_empty() || ailing.told > 0 {
                    self.ailing.insert(key, ailing);
                }
            }
            _ => unreachable!("apply sends only facts about a class here"),
        }
    }

    fn apply_to_catch(&mut self, fact: &Fact) {
        match fact {
            Fact::HoldSet { hold, .. } => {
                self.counters.holds = self.counters.holds.max(hold.id.0);
                self.holds.insert(hold.id, (**hold).clone());
                let ended: Vec<_> = self.holds.values().filter(|hold| !hold.stands()).map(|hold| hold.id).collect();
                for id in ended.iter().take(ended.len().saturating_sub(ENDED_KEPT)) {
                    self.holds.remove(id);
                    self.alerted.remove(&Subject::Hold(*id));
                }
            }
            Fact::RevertSet { revert, .. } => {
                self.counters.reverts = self.counters.reverts.max(revert.id.0);
                self.reverts.insert(revert.id, (**revert).clone());
                let ended: Vec<_> = self.reverts.values().filter(|revert| !revert.goes_on()).map(|revert| revert.id).collect();
                for id in ended.iter().take(ended.len().saturating_sub(ENDED_KEPT)) {
                    self.reverts.remove(id);
                }
            }
            Fact::PinSet { host, pin, .. } => self.alter(host, |host| host.pin.clone_from(pin)),
            Fact::HostTold { host, agent } => self.alter(host, |host| host.agent = Some((**agent).clone())),
            _ => unreachable!("apply sends only facts about the catch here"),
        }
    }
}

/// The hosts of a class that something is so of; a class without any is left out.
fn set_hosts(all: &mut BTreeMap<ClassName, BTreeSet<HostId>>, class: &ClassName, hosts: &BTreeSet<HostId>) {
    if hosts.is_empty() {
        all.remove(class);
    } else {
        all.insert(class.clone(), hosts.clone());
    }
}

/// Whether a fact may alter the policy that some host is given.
fn steers(fact: &Fact) -> bool {
    match fact {
        Fact::PolicyLoaded { .. }
        | Fact::FactsSet { .. }
        | Fact::ItemsMarked { .. }
        | Fact::ChangeOpened { .. }
        | Fact::WaveOpened { .. }
        | Fact::ClosedSet { .. }
        | Fact::PublishedSet { .. }
        | Fact::DeployedSet { .. }
        | Fact::SpreadSet { .. }
        | Fact::Decided { .. }
        | Fact::HoldSet { .. }
        | Fact::PinSet { .. }
        | Fact::RevertSet { .. }
        | Fact::IncarnationBegun { .. } => true,
        Fact::HostEnrolled { .. }
        | Fact::RunRecorded { .. }
        | Fact::Quarantined { .. }
        | Fact::InboxDone { .. }
        | Fact::ChangeJoined { .. }
        | Fact::Looked { .. }
        | Fact::EffectAsked { .. }
        | Fact::EffectTried { .. }
        | Fact::EffectDone { .. }
        | Fact::TokenIssued { .. }
        | Fact::TokenRevoked { .. }
        | Fact::UserSet { .. }
        | Fact::UserRemoved { .. }
        | Fact::SessionOpened { .. }
        | Fact::SessionSeen { .. }
        | Fact::SessionEnded { .. }
        | Fact::HostTold { .. }
        | Fact::LineTold { .. }
        | Fact::WouldHaveRefused { .. }
        | Fact::StaleSet { .. }
        | Fact::ForeignSet { .. }
        | Fact::AilingSet { .. }
        | Fact::PulledSet { .. }
        | Fact::SelfChecked { .. }
        | Fact::FeedSet { .. }
        | Fact::OutpostSet { .. }
        | Fact::TableMade { .. }
        | Fact::TableInForce { .. }
        | Fact::BreakerSet { .. }
        | Fact::AlertedRestored { .. }
        | Fact::Noted(_)
        | Fact::CountersRestored { .. }
        | Fact::HostRestored(_)
        | Fact::ChangeRestored { .. } => false,
    }
}

/// What a run says of its host.
fn take_run(host: &mut Host, run: &Run) {
    host.trouble = None;
    // A run that is told of more fully is still one run.
    host.recent.retain(|seen| seen.run != run.id);
    host.recent.push(Seen { tool_run_id: run.tool_run_id.clone(), run: run.id, digest: run.digest });
    if host.recent.len() > RECENT_MAX {
        host.recent.remove(0);
    }
    carry(host, run);
    if host.last_run.as_ref().is_some_and(|last| last.at > run.started) {
        return;
    }
    host.last_run = Some(LastRun { id: run.id, kind: run.kind.clone(), at: run.started });
    if run.kind.applied() {
        host.last_applied = Some(run.started);
        host.environment = run.environment.clone();
        host.version = Some(run.version.clone());
        let put_back: BTreeSet<ItemKey> = run.restored.keys().filter(|key| !key.is_environment()).cloned().collect();
        if put_back.iter().any(|key| !host.put_back.contains(key)) {
            host.struck = Some(run.started);
        }
        host.put_back = put_back;
        host.failing = run.failed.iter().map(|failed| failed.resource.clone()).collect();
    }
}

/// A host carries the newest content of each item, whatever the order in which reports came.
fn carry(host: &mut Host, run: &Run) {
    for (key, content) in run.delta.iter().chain(&run.restored) {
        let newer = host.items.get(key).is_none_or(|known| known.at <= run.started);
        if newer {
            host.items.insert(key.clone(), Carried { content: *content, at: run.started });
        }
    }
    while host.items.len() > ITEMS_MAX {
        let oldest = host.items.iter().min_by_key(|(_, carried)| carried.at).map(|(key, _)| key.clone());
        let Some(key) = oldest else { return };
        host.items.remove(&key);
    }
}

/// When a run replaced the last of a Change that a host carried, it left it; a later run may bring it again.
fn leave(change: &mut Change, host: &Host, at: Timestamp) {
    let Change { items, treated, .. } = change;
    let Some(treated) = treated.get_mut(&host.id).filter(|treated| at > treated.onset) else { return };
    let gone = |(key, content): (&ItemKey, &Content)| host.items.get(key).is_some_and(|carried| carried.content != *content);
    let mut set = items.iter().filter(|(key, _)| key.can_be_left()).peekable();
    let left = set.peek().is_some() && set.all(gone);
    treated.left = left.then(|| treated.left.unwrap_or(at));
}

/// A host that joins again keeps its first onset unless the new one says that it changed later by
/// a run of its own; failures add up.
fn join(change: &mut Change, host: &HostId, new: &Treated) {
    let decided = change.verdict.is_some();
    match change.treated.get_mut(host) {
        None => {
            change.treated.insert(host.clone(), new.clone());
        }
        Some(known) => {
            // After the verdict a host that comes again changes nothing of what was judged.
            known.onset = if decided { known.onset } else { new.onset };
            known.left = known.left.filter(|left| *left > known.onset);
            known.run = new.run.or(known.run);
            known.skewed |= new.skewed;
            known.environment = new.environment.clone().or_else(|| known.environment.take());
            known.compile_error = new.compile_error.clone();
            for (resource, failure) in &new.failures {
                let times = known.failures.get(resource).map_or(0, |f| f.times).saturating_add(failure.times);
                known.failures.insert(resource.clone(), crate::model::change::Failure { times, message: failure.message.clone() });
            }
        }
    }
}

//! A host's agent asked for its policy and told what stands on the host.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::Draft;
use super::notify::Pace;
use super::{Answer, facts, holds, lines, notify, reverts};
use crate::host::lock::LockEvent;
use crate::host::talk::{Event, Happened, HostStatus, Lock, Poll, RunLock, Schedule};
use crate::model::alert::Subject;
use crate::model::gate::HoldOrder;
use crate::model::hold::{Broken, Hold, HoldScope};
use crate::model::host::{Agent, OwnFacts};
use crate::model::ids::{HoldId, HostId, one_line};
use crate::model::policy::Pattern;
use crate::model::principal::{Actor, Principal};
use crate::state::{Fact, NoteKind};

/// The longest text that is taken from a host, in characters.
const TEXT_MAX: usize = 500;
/// Numbers of holds left free when a new history begins: those that the lost part of the old one gave.
const NUMBERS_LEFT: u64 = 1_000;

pub(super) fn polled(draft: &mut Draft<'_>, principal: &Principal, host: &HostId, poll: &Poll) -> Answer {
    let actor = principal.actor();
    if !principal.speaks_for(host) {
        draft.note(
            NoteKind::Security,
            &actor,
            Some(host),
            format!("{actor} asked for the policy of {host}, for which its credential does not speak"),
        );
        return Answer::Forbidden(format!("this credential does not speak for {host}"));
    }
    if let Err(refused) = told_facts(draft, principal, host, poll) {
        return refused;
    }
    history(draft, host, poll);
    let known = draft.state.hosts.get(host).and_then(|host| host.agent.as_ref());
    let seen = known.map_or(0, |agent| agent.events);
    let mut touched = lost_holds(draft, host, poll);
    for event in poll.events.iter().filter(|event| event.number > seen) {
        happened(draft, &mut touched, host, poll, event);
    }
    let ack = poll.events.iter().map(|event| event.number).max().unwrap_or(0).max(seen);
    let mut status = clean(&poll.status);
    // No lock is of the future.
    status.run_lock = status.run_lock.map(|lock| RunLock { since: lock.since.min(draft.now), ..lock });
    since_when(draft, known.map(|agent| &agent.status), &mut status);
    lock_news(draft, host, known.map(|agent| &agent.status), &status);
    for (hold, what) in touched.into_values() {
        draft.push(Fact::HoldSet { hold: Box::new(hold), actor: actor.clone(), what });
    }
    lines::told(draft, host, poll);
    for result in &poll.results {
        reverts::result(draft, host, result);
    }
    let own = poll.facts.clone().map(OwnFacts).or(known.map(|agent| agent.own.clone())).unwrap_or_default();
    let agent = Agent { version: short(&poll.agent), status, events: ack, own };
    if known != Some(&agent) {
        draft.push(Fact::HostTold { host: host.clone(), agent: Box::new(agent) });
    }
    Answer::Polled { ack }
}

/// The release and the facts are taken as if they had been set by themselves.
fn told_facts(draft: &mut Draft<'_>, principal: &Principal, host: &HostId, poll: &Poll) -> Result<(), Answer> {
    let known = draft.state.hosts.get(host);
    if known.is_some() && poll.release.is_none() && poll.facts.is_none() {
        return Ok(());
    }
    let before = known.map(|host| host.facts.clone()).unwrap_or_default();
    let told = match &poll.facts {
        None => before,
        Some(new) => {
            let own = known.and_then(|host| host.agent.as_ref()).map(|agent| &agent.own.0);
            let others = before.into_iter().filter(|(name, _)| own.is_none_or(|own| !own.contains_key(name)) && !new.contains_key(name));
            let room = facts::FACTS_MAX.saturating_sub(new.len());
            others.take(room).chain(new.clone()).collect()
        }
    };
    match facts::facts(draft, principal, host, poll.release.as_ref(), &told) {
        Answer::Done => Ok(()),
        refused => Err(refused),
    }
}

/// A host that knows of a later stand than there is here tells that this server was restored from a
/// backup: a new history begins, so that nothing of it is taken for older than what hosts have.
fn history(draft: &mut Draft<'_>, host: &HostId, poll: &Poll) {
    let own = super::host_policy::stand(draft.state);
    let Some(have) = poll.have.filter(|have| *have > own && have.seq > draft.state.counters.facts) else { return };
    let incarnation = have.incarnation.max(own.incarnation) + 1;
    draft.push(Fact::IncarnationBegun { incarnation });
    let text = format!(
        "{host} has a policy of a later time than this server knows of: it was restored from a backup. Hosts tell it of the holds that it lost"
    );
    draft.note(NoteKind::Warning, &Actor("belay".to_owned()), Some(host), text);
}

type Touched = BTreeMap<HoldId, (Hold, String)>;

/// Holds that a host knows of and this server lost with a restore stand again, for the hosts that
/// tell of them.
fn lost_holds(draft: &Draft<'_>, host: &HostId, poll: &Poll) -> Touched {
    let own = super::host_policy::stand(draft.state);
    let from_before = poll.have.is_some_and(|have| have.incarnation < own.incarnation || have.seq > draft.state.counters.facts);
    let mut touched = Touched::new();
    if !from_before {
        return touched;
    }
    for order in &poll.holds {
        let hold = match draft.state.holds.get(&order.id) {
            Some(known) if known.placed != order.placed => continue,
            Some(known) if known.scope.holds(host, &host_class(draft, host)) || !known.stands() => continue,
            Some(known) => {
                let mut hold = Hold { revision: known.revision + 1, ..known.clone() };
                hold.scope.hosts.push(Pattern::new(host.as_str()));
                hold
            }
            None if order.id.0 <= draft.state.counters.holds => continue,
            None if order.id.0 > draft.state.counters.holds + NUMBERS_LEFT => continue,
            None => again(order, host),
        };
        touched.insert(order.id, (hold, format!("{} stands again: {host} told of it after a restore", order.id)));
    }
    touched
}

fn host_class(draft: &Draft<'_>, host: &HostId) -> crate::model::ids::ClassName {
    match draft.state.hosts.get(host) {
        Some(known) => known.class.clone(),
        None => draft.state.policy.class_of(host, &BTreeMap::new()),
    }
}

fn again(order: &HoldOrder, host: &HostId) -> Hold {
    let order = HoldOrder {
        owner: short(&order.owner),
        reason: short(&order.reason),
        ticket: order.ticket.as_deref().map(short),
        contact: short(&order.contact),
        imports: None,
        ..order.clone()
    };
    Hold::placed(order, HoldScope { classes: BTreeSet::new(), hosts: vec![Pattern::new(host.as_str())] })
}

fn happened(draft: &mut Draft<'_>, touched: &mut Touched, host: &HostId, poll: &Poll, event: &Event) {
    let at = (event.at + draft.now.since(poll.sent_at)).min(draft.now);
    let actor = Actor(format!("host:{host}"));
    match &event.what {
        Happened::Lock(LockEvent::Broken { holds, put_back, by }) => {
            let seen = Broken { at, times: 1, put_back: *put_back, by: by.as_deref().map(short) };
            for id in holds {
                broken(draft, touched, host, *id, &seen);
            }
        }
        Happened::Lock(LockEvent::Foreign { message, .. }) => {
            draft.note(
                NoteKind::Warning,
                &actor,
                Some(host),
                format!("a lock that Belay did not write stands on {host}: {}", short(message)),
            );
        }
        Happened::BreakGlass(glass) => {
            let text = format!("the glass was broken on {host} by {} until {}: {}", short(&glass.by), glass.until, short(&glass.reason));
            draft.note(NoteKind::Security, &actor, Some(host), text);
            tell_of_glass(draft, host);
        }
        Happened::LetThrough(text) => {
            draft.note(NoteKind::Warning, &actor, Some(host), format!("the gate of {host} let a run through: {}", short(text)));
            tell_of_glass(draft, host);
        }
    }
}

fn tell_of_glass(draft: &mut Draft<'_>, host: &HostId) {
    let class = host_class(draft, host);
    notify::tell_of(draft, &Subject::Glass(host.clone()), &[&class], Pace::AtOnce);
}

/// A hold was broken by hand.
fn broken(draft: &mut Draft<'_>, touched: &mut Touched, host: &HostId, id: HoldId, seen: &Broken) {
    let known = touched.get(&id).map(|(hold, _)| hold).or_else(|| draft.state.holds.get(&id));
    let Some(known) = known.filter(|hold| hold.stands()) else { return };
    // The first hand is told at once, and so is the first that is not fought; more of the same are gathered.
    let pace = if known.broken.values().any(|broken| broken.put_back == seen.put_back) { Pace::Gathered } else { Pace::AtOnce };
    let mut hold = known.clone();
    let times = hold.broken.get(host).map_or(0, |before| before.times) + 1;
    hold.broken.insert(host.clone(), Broken { times, ..seen.clone() });
    let by = seen.by.as_ref().map(|by| format!("; {by}")).unwrap_or_default();
    let then = if seen.put_back { "it was put back" } else { "again, and is not fought for any more" };
    touched.insert(id, (hold.clone(), format!("{id} was broken by hand on {host}: {then}{by}")));
    let classes = holds::classes_of(draft.state, &hold);
    notify::tell_of(draft, &Subject::Hold(id), &classes, pace);
}

/// What is new about the lock, apart from events.
fn lock_news(draft: &mut Draft<'_>, host: &HostId, before: Option<&HostStatus>, now: &HostStatus) {
    let foreign = |lock: &Lock| matches!(lock, Lock::Foreign { .. });
    if before.is_some_and(|before| foreign(&before.lock)) && !foreign(&now.lock) {
        let actor = Actor(format!("host:{host}"));
        draft.note(NoteKind::Info, &actor, Some(host), format!("the lock that Belay did not write is gone from {host}"));
    }
}

/// A lock of somebody else that does not say since when it is there is as old as we know it to be.
fn since_when(draft: &Draft<'_>, before: Option<&HostStatus>, now: &mut HostStatus) {
    let Lock::Foreign { message, since } = &mut now.lock else { return };
    let known = match before.map(|before| &before.lock) {
        Some(Lock::Foreign { message: same, since }) if same == message => *since,
        Some(_) | None => None,
    };
    *since = Some(since.or(known).unwrap_or(draft.now).min(draft.now));
}

/// Texts of a host are data: shortened, and without what a terminal would obey.
fn clean(status: &HostStatus) -> HostStatus {
    let mut status = status.clone();
    if let Lock::Foreign { message, .. } = &mut status.lock {
        *message = short(message);
    }
    match &mut status.schedule {
        Schedule::There(text) | Schedule::SwitchedOff(text) => *text = short(text),
        Schedule::Unknown | Schedule::Missing => {}
    }
    if let Some(glass) = &mut status.break_glass {
        glass.reason = short(&glass.reason);
        glass.by = short(&glass.by);
    }
    if let Some(asked) = &mut status.gate {
        asked.why = short(&asked.why);
    }
    status
}

fn short(text: &str) -> String {
    shortened(text, TEXT_MAX)
}

/// The first characters of a text of a host, none of which a terminal would obey.
pub(super) fn shortened(text: &str, max: usize) -> String {
    one_line(text, max)
}

//! What time alone brings about: classes that close and open, holds that expire, pins that end, hosts
//! that go stale, feeds that fall silent, the breaker, reverts whose turn comes. Nothing of it is stored as a timer: it follows from (state, now).

use std::collections::{BTreeMap, BTreeSet};

use super::draft::Draft;
use super::notify::Pace;
use super::{Answer, Input, closed, decide, feeds, holds, notify, reverts, sessions};
use crate::host::talk::Lock;
use crate::model::alert::Subject;
use crate::model::gate::{Enforce, Gate};
use crate::model::hold::{ESCALATE, Hold, HoldEnd, HoldState, Told, WARN_EARLY, WARN_LATE};
use crate::model::ids::{ClassName, HostId};
use crate::model::policy::ClassPolicy;
use crate::model::principal::Actor;
use crate::model::time::{Span, Timestamp};
use crate::state::{Breaker, Census, Fact, State, Would};

/// Refusals within this time are counted together.
pub const BREAKER_INTERVAL: Span = Span::from_min(60);
/// Fewer refused hosts than this are no reason to page.
pub const BREAKER_MIN: u32 = 10;
/// A class that has observed for so long is told of what enforcing would have come to.
pub const OBSERVED: Span = Span::from_min(14 * 24 * 60);

/// Whether there is anything to wake for.
pub fn due(state: &State, now: Timestamp) -> bool {
    !decide(state, now, &Input::Wake).0.is_empty()
}

pub(super) fn wake(draft: &mut Draft<'_>) -> Answer {
    closed::follow(draft, &draft.state.policy);
    reverts::advance(draft);
    let (state, now) = (draft.state, draft.now);
    let turns = draft.slots().rehearse(state, now);
    for hold in state.holds.values().filter(|hold| hold.stands()) {
        expiry(draft, hold, &turns);
    }
    pins(draft);
    let classes: Vec<(ClassName, Span)> =
        draft.state.policy.classes.iter().filter_map(|class| Some((class.name.clone(), class.stale?))).collect();
    for (class, after) in classes {
        stale(draft, &class, after);
    }
    foreign(draft);
    feeds::silence(draft);
    observed(draft);
    breaker(draft);
    sessions::expire(draft);
    Answer::Done
}

/// What people should have been told of a hold's expiry by now.
pub fn due_of(hold: &Hold, now: Timestamp) -> Told {
    let left = hold.until.since(now);
    let lasts = holds::lasts(hold);
    match left {
        left if left <= ESCALATE.times(-1) => Told::Escalated,
        left if left <= Span::ZERO => Told::Expired,
        left if left <= WARN_LATE && lasts > WARN_LATE => Told::Late,
        left if left <= WARN_EARLY && lasts > WARN_EARLY => Told::Early,
        _ => Told::Nothing,
    }
}

/// What the time makes of a hold. `turns` are the hosts that may rehearse from now on.
fn expiry(draft: &mut Draft<'_>, hold: &Hold, turns: &BTreeSet<HostId>) {
    let told = due_of(hold, draft.now);
    let id = hold.id;
    let mut new = hold.clone();
    if hold.state(draft.now) == HoldState::Waiting {
        let mine = turns.iter().filter(|host| draft.state.hosts.get(*host).is_some_and(|host| hold.holds(host)));
        let open = mine.filter(|host| !hold.would_change.contains_key(*host));
        new.asked.0.extend(open.map(|host| (host.clone(), draft.now)));
    }
    if told <= hold.told {
        if new != *hold {
            let what = format!(
                "{id} has expired: {} of its hosts are asked to rehearse",
                new.asked.0.values().filter(|at| **at == draft.now).count()
            );
            draft.push(Fact::HoldSet { hold: Box::new(new), actor: Actor("belay".to_owned()), what });
        }
        return;
    }
    let classes = holds::classes_of(draft.state, hold);
    new.told = told;
    let mut what = match told {
        Told::Nothing | Told::Early | Told::Late => format!("{id} expires {}, in {}", hold.until, hold.until.since(draft.now)),
        Told::Expired => format!("{id} has expired: each of its hosts rehearses a run before it is handed over"),
        Told::Escalated => format!("{id} expired {} ago and still waits for {}", draft.now.since(hold.until), hold.owner),
    };
    if told >= Told::Expired && classes.is_empty() {
        new.end = Some(HoldEnd {
            at: draft.now,
            by: Actor("belay".to_owned()),
            reason: "expired, and there is no host left that it is about".to_owned(),
        });
        what = format!("{id} has expired, and no host is left that it is about");
    }
    notify::tell_of(draft, &Subject::Hold(id), &classes, Pace::AtOnce);
    draft.push(Fact::HoldSet { hold: Box::new(new), actor: Actor("belay".to_owned()), what });
}

fn pins(draft: &mut Draft<'_>) {
    let over = |host: &&crate::model::host::Host| host.pin.as_ref().is_some_and(|pin| !pin.holds(draft.now));
    let hosts: Vec<HostId> = draft.state.hosts.values().filter(over).map(|host| host.id.clone()).collect();
    for host in hosts {
        draft.push(Fact::PinSet { host, pin: None, actor: Actor("belay".to_owned()) });
    }
}

/// Hosts to which nothing was applied for too long.
fn stale(draft: &mut Draft<'_>, class: &ClassName, after: Span) {
    let old = |at: Timestamp| draft.now.since(at) > after;
    let hosts: BTreeSet<HostId> =
        draft.state.hosts_of(class).filter(|host| host.last_applied.is_some_and(old)).map(|host| host.id.clone()).collect();
    let before = draft.state.stale.get(class).cloned().unwrap_or_default();
    if hosts == before {
        return;
    }
    let pace = pace(&before, &hosts);
    draft.push(Fact::StaleSet { class: class.clone(), hosts });
    notify::tell_of(draft, &Subject::Stale(class.clone()), &[class], pace);
}

/// That it begins or is over is told at once; that it is true of other hosts than before is gathered.
fn pace(before: &BTreeSet<HostId>, now: &BTreeSet<HostId>) -> Pace {
    if before.is_empty() || now.is_empty() { Pace::AtOnce } else { Pace::Gathered }
}

/// Hosts on which a lock of somebody else has stood for too long. It is never lifted by us.
fn foreign(draft: &mut Draft<'_>) {
    let mut found: BTreeMap<ClassName, BTreeSet<HostId>> =
        draft.state.foreign.keys().map(|class| (class.clone(), BTreeSet::new())).collect();
    for host in draft.state.hosts.values() {
        let Some(Lock::Foreign { since: Some(since), .. }) = host.agent.as_ref().map(|agent| &agent.status.lock) else { continue };
        if draft.state.policy.class(&host.class).foreign_lock.is_some_and(|after| draft.now.since(*since) > after) {
            found.entry(host.class.clone()).or_default().insert(host.id.clone());
        }
    }
    for (class, hosts) in found {
        let before = draft.state.foreign.get(&class).cloned().unwrap_or_default();
        if hosts == before {
            continue;
        }
        let pace = pace(&before, &hosts);
        draft.push(Fact::ForeignSet { class: class.clone(), hosts });
        notify::tell_of(draft, &Subject::Foreign(class.clone()), &[&class], pace);
    }
}

/// A class that has observed for [`OBSERVED`] has shown what enforcing would have come to: people are
/// told once, so that they can decide by their own fleet.
fn observed(draft: &mut Draft<'_>) {
    let declared = |class: &&ClassPolicy| class.enforce < Enforce::Rejected;
    let observing = |name: &ClassName| draft.state.policy.classes.iter().filter(declared).any(|class| class.name == *name);
    let long = |since: Timestamp| draft.now.since(since) >= OBSERVED;
    let due = |(class, census): (&ClassName, &Census)| {
        let would = draft.state.would.get(class).copied();
        let since = would.map_or(census.since, |would| Some(would.since))?;
        let would = would.unwrap_or(Would { since, ..Would::default() });
        (would.told.is_none() && long(since) && observing(class)).then(|| (class.clone(), Would { told: Some(draft.now), ..would }))
    };
    let told: Vec<(ClassName, Would)> = draft.state.census.iter().filter_map(due).collect();
    for (class, would) in told {
        draft.push(Fact::WouldHaveRefused { class: class.clone(), would });
        notify::tell_of(draft, &Subject::Observed(class.clone()), &[&class], Pace::AtOnce);
    }
}

/// The catch must not become the outage: when many hosts are refused, people are told that Belay
/// itself is what stops them. Hosts that are only deferred or held do not count.
fn breaker(draft: &mut Draft<'_>) {
    let (refused, asked) = refusals(draft.state, draft.now);
    let trips = refused >= BREAKER_MIN && refused * 5 > asked;
    match (draft.state.breaker, trips) {
        (None, true) => {
            let breaker = Breaker { since: draft.now, refused, asked };
            draft.push(Fact::BreakerSet { breaker: Some(breaker) });
            notify::tell_of(draft, &Subject::Breaker, &[], Pace::AtOnce);
        }
        (Some(before), true) if refused >= before.refused * 2 => {
            draft.push(Fact::BreakerSet { breaker: Some(Breaker { refused, asked, ..before }) });
            notify::tell_of(draft, &Subject::Breaker, &[], Pace::Gathered);
        }
        (Some(_), false) => {
            draft.push(Fact::BreakerSet { breaker: None });
            notify::tell_of(draft, &Subject::Breaker, &[], Pace::AtOnce);
        }
        (None, false) | (Some(_), true) => {}
    }
}

/// Hosts refused, and hosts that asked, within the interval.
fn refusals(state: &State, now: Timestamp) -> (u32, u32) {
    let (mut refused, mut asked) = (0, 0);
    for host in state.hosts.values() {
        let gate = host.agent.as_ref().and_then(|agent| agent.status.gate.as_ref());
        if let Some(gate) = gate.filter(|gate| now.since(gate.at).abs() <= BREAKER_INTERVAL) {
            asked += 1;
            refused += u32::from(gate.answer == Gate::Refused);
        }
    }
    (refused, asked)
}

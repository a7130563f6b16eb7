//! The policy of a host, made from the state; and the gate and the classifier as the server answers
//! them, from the state at once.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::reach::Reach;
use super::{closed, slots};
use crate::host::classify::{Classified, classify};
use crate::host::gate::{self, Rules, Server};
use crate::host::policy::{HostPolicy, Pin, RevertOrder, Stand};
use crate::model::closed::Closed;
use crate::model::gate::{Enforce, GateAnswer, HoldOrder, Known, Offered};
use crate::model::hold::Hold;
use crate::model::host::Host;
use crate::model::ids::HostId;
use crate::model::item::{Content, ItemKey, Mark};
use crate::model::policy::ClassPolicy;
use crate::model::principal::Principal;
use crate::model::revert::Progress;
use crate::model::time::{Span, Timestamp};
use crate::state::{Scope, State};

/// A host asks again after this time.
const POLL_AFTER: Span = Span::from_s(60);

/// The policy of a host as it is now; none when the host is not known.
pub fn host_policy(state: &State, id: &HostId, now: Timestamp) -> Option<HostPolicy> {
    let host = state.hosts.get(id)?;
    let class = state.policy.class(&host.class);
    let mut reach = Reach::of(state);
    let scope = reach.scope(host, &class, now);
    Some(HostPolicy {
        host: id.clone(),
        stand: stand(state),
        issued: now,
        class: host.class.clone(),
        release: host.release.clone(),
        enforce: class.enforce,
        max_closed: class.max_closed,
        holds: orders(state, host),
        items: items(state, &scope, &class),
        pin: pin(host, now),
        wave_open: reach.is_open(host, &class, now),
        closed: closed::ahead(state, host, &class, now),
        wave: reach.environment(host, &class, now),
        rehearse: state.holds_on(host).any(|hold| slots::rehearses(hold, id, now)),
        reverts: reverts(state, id),
        poll_after: POLL_AFTER,
        environments: reach.environments(host, &class, now),
    })
}

/// The policies of the hosts a principal speaks for, by name, after this one, at most `most`: as far as
/// a relay needs them to classify. What only a host's own agent acts on is left out: items, holds,
/// reverts, rehearsals, and with them any say of the gate.
pub fn relayed(state: &State, principal: &Principal, after: Option<&HostId>, most: usize, now: Timestamp) -> Vec<HostPolicy> {
    let from = after.map_or(Bound::Unbounded, Bound::Excluded);
    let hosts = state.hosts.range::<HostId, _>((from, Bound::Unbounded)).map(|(_, host)| host);
    let mut reach = Reach::of(state);
    let thin = |host: &Host| {
        let class = state.policy.class(&host.class);
        HostPolicy {
            host: host.id.clone(),
            stand: stand(state),
            issued: now,
            class: host.class.clone(),
            release: host.release.clone(),
            enforce: Enforce::Off,
            max_closed: class.max_closed,
            holds: Vec::new(),
            items: BTreeMap::new(),
            pin: pin(host, now),
            wave_open: false,
            closed: closed::ahead(state, host, &class, now),
            wave: reach.environment(host, &class, now),
            rehearse: false,
            reverts: Vec::new(),
            poll_after: POLL_AFTER,
            environments: reach.environments(host, &class, now),
        }
    };
    hosts.filter(|host| principal.speaks_for(&host.id)).take(most).map(thin).collect()
}

/// Where in its history a state stands, for its hosts: at the last fact that may have altered the
/// policy of any of them.
pub fn stand(state: &State) -> Stand {
    Stand { incarnation: state.counters.incarnation, seq: state.counters.steered }
}

/// May this run of this host go ahead, by all that the server knows?
pub fn gate(state: &State, id: &HostId, offered: &Offered, now: Timestamp) -> GateAnswer {
    let Some(host) = state.hosts.get(id) else { return GateAnswer::go(crate::model::gate::Why::NothingAgainst) };
    gate_reached(&mut Reach::of(state), state, host, offered, now)
}

/// The same for one of many hosts: the waves are drawn once.
pub(super) fn gate_reached(reach: &mut Reach<'_>, state: &State, host: &Host, offered: &Offered, now: Timestamp) -> GateAnswer {
    let class = state.policy.class(&host.class);
    // A hold whose lock was removed twice is not fought for, by the gate no more than by the lock.
    let given_up = |hold: &&Hold| hold.broken.get(&host.id).is_some_and(|broken| !broken.put_back);
    let holds: Vec<HoldOrder> = state.holds_on(host).filter(|hold| !given_up(hold)).map(order).collect();
    let glass = host.agent.as_ref().and_then(|agent| agent.status.break_glass.as_ref()).filter(|glass| now < glass.until);
    let closed = closed::for_host(state, host, &class, now);
    let (scope, environments) = (reach.scope(host, &class, now), reach.environments(host, &class, now));
    let rules = Rules {
        enforce: class.enforce,
        holds: &holds,
        release: host.release.as_ref(),
        environments: &environments,
        wave_open: reach.is_open(host, &class, now),
        closed: closed.as_ref(),
        max_closed: class.max_closed,
        server: Server::Fresh,
        break_glass: glass.map(|glass| glass.reason.as_str()),
    };
    gate::gate(&rules, &|key: &ItemKey, content: &Content| known(state, &scope, key, content), offered, now)
}

/// Why content that is not accepted reaches no host of a class anew; `None` when the class is open.
pub fn closed_now(state: &State, class: &ClassPolicy, now: Timestamp) -> Option<Closed> {
    closed::of_class(state, class, now)
}

/// Which environment a host gets, by all that the server knows; none when the host is not known.
pub fn classified(state: &State, id: &HostId, now: Timestamp) -> Option<Classified> {
    host_policy(state, id, now).map(|policy| classify(&policy, None, now))
}

/// A hold as its hosts know it.
pub fn order(hold: &Hold) -> HoldOrder {
    HoldOrder {
        id: hold.id,
        owner: hold.owner.clone(),
        reason: hold.reason.clone(),
        contact: hold.contact.clone(),
        ticket: hold.ticket.clone(),
        placed: hold.placed,
        until: hold.until,
        imports: hold.imports.clone(),
    }
}

fn orders(state: &State, host: &Host) -> Vec<HoldOrder> {
    state.holds_on(host).map(order).collect()
}

fn pin(host: &Host, now: Timestamp) -> Option<Pin> {
    host.pin.clone().filter(|pin| pin.holds(now))
}

/// What is known of a content, as the gate weighs it.
pub(super) fn known(state: &State, scope: &Scope, key: &ItemKey, content: &Content) -> Known {
    match state.acceptance.mark(scope, key, content) {
        None => Known::Unseen,
        Some(mark) => of_mark(mark),
    }
}

fn of_mark(mark: Mark) -> Known {
    match mark {
        Mark::Adopted => Known::Adopted,
        Mark::Accepted(_) => Known::Accepted,
        Mark::OnTrial(change) => Known::OnTrial(change),
        Mark::Rejected(change) => Known::Rejected(change),
    }
}

/// Contents matter to a host only where the gate looks at them.
fn items(state: &State, scope: &Scope, class: &ClassPolicy) -> BTreeMap<ItemKey, BTreeMap<Content, Known>> {
    let mut items: BTreeMap<ItemKey, BTreeMap<Content, Known>> = BTreeMap::new();
    if class.enforce < Enforce::Rejected {
        return items;
    }
    for (key, content, marked) in state.acceptance.of_scope(scope) {
        items.entry(key.clone()).or_default().insert(*content, of_mark(marked.mark));
    }
    items
}

fn reverts(state: &State, id: &HostId) -> Vec<RevertOrder> {
    let asked = |progress: Option<&Progress>| matches!(progress, Some(Progress::Asked(_)));
    let going = state.reverts.values().filter(|revert| revert.stopped.is_none() && asked(revert.hosts.get(id)));
    going
        .filter_map(|revert| Some(RevertOrder { id: revert.id, way: revert.ways.get(id)?.clone(), reason: revert.reason.clone() }))
        .collect()
}

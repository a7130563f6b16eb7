//! The roads between fleet and Belay: runs become report bytes, bytes become reports, releases are
//! told, and whatever can go wrong on the way does.

use belay_core::decide::Input;
use belay_core::model::ids::{Digest, HostId};
use belay_core::model::time::{Span, Timestamp};

use super::agenda::{Due, Parcel, Switch};
use super::{World, relay};
use crate::fleet::host::{Order, SimHost};
use crate::testimony;

/// From the end of a run to the receipt of its report.
const TRAVELS: Span = Span::from_s(1);
/// Reports that waited on a host come this far apart.
const APART: Span = Span::from_ms(200);

/// Runs the tool; its report sets out.
pub(super) fn run_tool(world: &mut World, host: &HostId, order: &Order) {
    let now = world.clock;
    let Some(said) = world.fleet.run(host, order, now) else { return };
    let took = said.took;
    if !said.deeds.is_empty() {
        world.deeds.insert((host.clone(), said.run_id.clone()), said.deeds.clone());
    }
    let parcel = if said.is_quiet() { Parcel::Quiet(Box::new(said)) } else { Parcel::Bytes(testimony::write(&said)) };
    let faults = &world.fleet.hosts[host].faults;
    let arrives = now + took + TRAVELS + faults.late;
    let (spooling, copies) = (faults.spooling, faults.copies);
    for copy in 0..=copies {
        if spooling {
            world.spools.entry(host.clone()).or_default().push(parcel.clone());
        } else {
            world.plan(arrives + APART.times(i64::from(copy)), Due::Deliver(parcel.clone()));
        }
    }
}

/// A host's schedule strikes, and the next time is planned.
pub(super) fn cron(world: &mut World, host: &HostId, turn: u32) {
    let now = world.clock;
    let Some(every) = world.fleet.hosts.get(host).filter(|known| known.cron.turn == turn).and_then(|known| known.cron.every) else {
        return;
    };
    run_tool(world, host, &Order::default());
    world.plan(now + every, Due::Cron { host: host.clone(), turn });
}

/// A report arrives at the tool's door.
pub(super) fn deliver(world: &mut World, parcel: &Parcel) {
    let inbox = Some(world.next_inbox());
    let (read, digest) = match parcel {
        Parcel::Bytes(bytes) => (testimony::read(bytes), Digest::of(bytes)),
        Parcel::Quiet(said) => (Ok(world.reader.read(said)), Digest::of(b"")),
    };
    let input = match read {
        Ok(decoded) => {
            let host = HostId::parse(&decoded.report.host).ok();
            let earlier = host.and_then(|host| world.runs.get(&(host, decoded.report.tool_run_id.clone()))).copied();
            Input::Report {
                principal: relay(),
                decoded: Box::new(decoded),
                received: world.clock,
                inbox,
                earlier,
                before: None,
                past: false,
            }
        }
        Err(bad) => Input::Unreadable { principal: relay(), inbox, host: bad.host.clone(), digest, reason: bad.to_string() },
    };
    world.input(&input);
}

/// A host's release is told, as it is now.
pub(super) fn tell(world: &mut World, host: &HostId) {
    let Some(known) = world.fleet.hosts.get(host).filter(|known| !known.faults.gone) else { return };
    let input =
        Input::Facts { principal: relay(), host: host.clone(), release: known.release.clone(), facts: std::collections::BTreeMap::new() };
    world.input(&input);
}

/// Something goes wrong with a host, or is put right again.
pub(super) fn switch(world: &mut World, host: &HostId, switch: &Switch) {
    let now = world.clock;
    match switch {
        Switch::Silent(silent) => world.fleet.hear(host, now, |condition| condition.silent = *silent),
        Switch::Dirt(dirt) => world.fleet.hear(host, now, |condition| condition.dirt = *dirt),
        Switch::Lag(lag) => world.fleet.hear(host, now, |condition| condition.lag = *lag),
        Switch::Gone(gone) => world.fleet.hear(host, now, |condition| condition.silent = *gone),
        _ => {}
    }
    let Some(known) = world.fleet.hosts.get_mut(host) else { return };
    match switch {
        Switch::Silent(_) | Switch::Dirt(_) | Switch::Lag(_) => {}
        Switch::Gone(gone) => known.faults.gone = *gone,
        Switch::Skew(skew) => known.faults.skew = *skew,
        Switch::Late(late) => known.faults.late = *late,
        Switch::Copies(copies) => known.faults.copies = *copies,
        Switch::KeepsCatalog(keeps) => known.faults.keeps_catalog = *keeps,
        Switch::Noop(noop) => known.faults.noop = *noop,
        Switch::Failing(resource, Some(error)) => {
            known.faults.failing.insert(resource.clone(), error.clone());
        }
        Switch::Failing(resource, None) => {
            known.faults.failing.remove(resource);
        }
        Switch::Spooling(spooling) => {
            known.faults.spooling = *spooling;
            if !spooling {
                drain(world, host);
            }
        }
        Switch::Cron(every) => {
            known.cron = crate::fleet::host::Cron { every: *every, turn: known.cron.turn + 1 };
            if let Some((at, turn)) = first_strike(known, now) {
                world.plan(at, Due::Cron { host: host.clone(), turn });
            }
        }
    }
}

/// Each host runs at minutes of its own.
fn first_strike(host: &SimHost, now: Timestamp) -> Option<(Timestamp, u32)> {
    let every = host.cron.every?.ms().max(1);
    let own = i64::try_from(host.own_number() % every.unsigned_abs()).unwrap_or(0);
    let wait = (own - now.ms()).rem_euclid(every);
    Some((now + Span::from_ms(wait), host.cron.turn))
}

/// What waited on a host comes all at once, in any order.
fn drain(world: &mut World, host: &HostId) {
    let mut parcels = world.spools.remove(host).unwrap_or_default();
    world.rng.shuffle(&mut parcels);
    let now = world.clock;
    for (place, parcel) in parcels.into_iter().enumerate() {
        let wait = APART.times(i64::try_from(place).unwrap_or(0) + 1);
        world.plan(now + wait, Due::Deliver(parcel));
    }
}

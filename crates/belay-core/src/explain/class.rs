//! Alerts about hosts of a class: nothing was applied to them, somebody else's lock stands on them,
//! or the class has observed for long enough to say what enforcing would have come to.

use std::collections::{BTreeMap, BTreeSet};

use super::alert::{part, titled};
use super::change as words;
use crate::decide::host_policy::order;
use crate::host::talk::{Lock, Schedule};
use crate::model::alert::{Alert, Subject};
use crate::model::gate::{Enforce, Gate};
use crate::model::host::Host;
use crate::model::ids::{ClassName, HoldId, HostId};
use crate::model::time::Timestamp;
use crate::state::State;

/// The alert of hosts to which nothing was applied for too long. It carries what stands behind it: a
/// hold, somebody's lock, a schedule that was switched off.
pub(super) fn stale(state: &State, class: &ClassName, now: Timestamp) -> Option<Alert> {
    let hosts = state.stale.get(class).cloned().unwrap_or_default();
    let after = state.policy.class(class).stale?;
    let known: Vec<&Host> = hosts.iter().filter_map(|host| state.hosts.get(host)).collect();
    let of = state.census_of(class).hosts;
    let firing = !known.is_empty();
    let reasons = reasons(state, &known, now);
    let held: BTreeSet<HoldId> = known.iter().flat_map(|host| state.holds_on(host)).map(|hold| hold.id).collect();
    let behind = reasons.keys().next().map(|reason| format!(": {reason}")).unwrap_or_default();
    let title = if firing {
        titled("stale", &format!("nothing was applied for {after} on {} of {of} hosts of class {class}{behind}", known.len()))
    } else {
        titled("resolved", &format!("configurations are applied again on all hosts of class {class}"))
    };
    let next = match held.iter().next() {
        Some(hold) => vec!["do not re-enable it: ask the owner of the hold".to_owned(), format!("explain:  belay hold show {hold}")],
        None => vec!["explain:  belay why HOST".to_owned()],
    };
    Some(Alert {
        key: format!("belay/{}", Subject::Stale(class.clone())),
        title,
        status: if firing { "stale" } else { "resolved" },
        firing,
        parts: if firing {
            let why = reasons.iter().map(|(reason, hosts)| format!("{}: {reason}", words::hosts(hosts.iter()))).collect();
            let oldest = known.iter().filter_map(|host| host.last_applied).min();
            let when = oldest.map(|at| format!("the longest for {}, since {at}", now.since(at)));
            vec![
                part("Where", vec![format!("{} of {of} hosts of class {class}: {}", known.len(), words::hosts(hosts.iter()))]),
                part("When", when.into_iter().collect()),
                part("Why", why),
                part("Next", next),
            ]
        } else {
            vec![]
        },
        link: None,
    })
}

/// What stands behind hosts that nothing is applied to, with the hosts of each reason.
fn reasons(state: &State, hosts: &[&Host], now: Timestamp) -> BTreeMap<String, BTreeSet<HostId>> {
    let mut reasons: BTreeMap<String, BTreeSet<HostId>> = BTreeMap::new();
    for host in hosts {
        for reason in reasons_of(state, host, now) {
            reasons.entry(reason).or_default().insert(host.id.clone());
        }
    }
    reasons
}

fn reasons_of(state: &State, host: &Host, now: Timestamp) -> Vec<String> {
    let mut reasons: Vec<String> = state.holds_on(host).map(|hold| order(hold).sentence(now)).collect();
    if let Some(agent) = &host.agent {
        if let Lock::Foreign { message, since } = &agent.status.lock {
            let since = since.map(|since| format!(" since {since}")).unwrap_or_default();
            reasons.push(format!("somebody's own lock stands there{since}: {message}"));
        }
        match &agent.status.schedule {
            Schedule::SwitchedOff(entry) => reasons.push(format!("its schedule is switched off: {entry}")),
            Schedule::Missing => reasons.push("nothing starts the tool on it".to_owned()),
            Schedule::There(_) | Schedule::Unknown => {}
        }
        if let Some(asked) = agent.status.gate.as_ref().filter(|asked| asked.answer != Gate::Go) {
            reasons.push(format!("the gate answered {}", asked.why));
        }
    }
    if reasons.is_empty() {
        let last = host.last_run.as_ref().map(|run| format!("its last run was {}", run.kind.word()));
        reasons.push(last.unwrap_or_else(|| "no run is reported".to_owned()));
    }
    reasons
}

/// The alert of locks of somebody else that have stood for too long.
pub(super) fn foreign(state: &State, class: &ClassName, now: Timestamp) -> Option<Alert> {
    let after = state.policy.class(class).foreign_lock?;
    let hosts = state.foreign.get(class).cloned().unwrap_or_default();
    let firing = !hosts.is_empty();
    let mut locks: BTreeMap<String, BTreeSet<HostId>> = BTreeMap::new();
    let mut oldest: Option<Timestamp> = None;
    for host in hosts.iter().filter_map(|host| state.hosts.get(host)) {
        if let Some(Lock::Foreign { message, since }) = host.agent.as_ref().map(|agent| &agent.status.lock) {
            locks.entry(message.clone()).or_default().insert(host.id.clone());
            oldest = [oldest, *since].into_iter().flatten().min();
        }
    }
    let title = if firing {
        let said = locks.keys().next().map(|message| format!(": {message}")).unwrap_or_default();
        titled(
            "foreign-lock",
            &format!("somebody's own lock stops the tool on {} hosts of class {class} for over {after}{said}", hosts.len()),
        )
    } else {
        titled("resolved", &format!("no old lock of somebody else stands on hosts of class {class}"))
    };
    let first = hosts.iter().next().map(ToString::to_string).unwrap_or_default();
    let parts = if firing {
        vec![
            part("Where", vec![format!("{} hosts of class {class}: {}", hosts.len(), words::hosts(hosts.iter()))]),
            part("When", oldest.map(|at| format!("the oldest for {}, since {at}", now.since(at))).into_iter().collect()),
            part("Why", locks.iter().map(|(message, hosts)| format!("{}: {message}", words::hosts(hosts.iter()))).collect()),
            part(
                "Next",
                vec![
                    format!("whose is it? make it a hold with an owner and an end: belay hold import {first}"),
                    "or let whoever set it lift it: Belay never lifts a lock it did not write".to_owned(),
                    "if nobody acts: the tool stays off on these hosts".to_owned(),
                ],
            ),
        ]
    } else {
        vec![]
    };
    let key = format!("belay/{}", Subject::Foreign(class.clone()));
    Some(Alert { key, title, status: if firing { "foreign-lock" } else { "resolved" }, firing, parts, link: None })
}

/// What a class that only observes would have refused in two weeks, told once.
pub(super) fn observed(state: &State, class: &ClassName, now: Timestamp) -> Option<Alert> {
    let would = state.would.get(class)?;
    let policy = state.policy.class(class);
    let since = now.since(would.since);
    let (mismatch, rejected) = (would.release_match, would.rejected);
    let (said, why) = match (mismatch, rejected) {
        (0, 0) => ("would have refused nothing".to_owned(), vec![format!("no run of the last {since} would have been refused")]),
        _ => (
            format!("would have refused {} runs", mismatch + rejected),
            vec![
                format!("enforce = \"release-match\" would have refused {mismatch} runs: their environment did not belong to the release"),
                format!("enforce = \"rejected\" would have refused {rejected} more: they brought content that had been rejected"),
            ],
        ),
    };
    let level = match (policy.enforce, policy.environments.is_empty()) {
        (Enforce::Off, false) => "release-match",
        _ => "rejected",
    };
    Some(Alert {
        key: format!("belay/{}", Subject::Observed(class.clone())),
        title: titled("observed", &format!("class {class} has observed for {since}: enforcing {said}")),
        status: "observed",
        firing: false,
        parts: vec![
            part(
                "Where",
                vec![format!("{} hosts of class {class}, enforce = \"{}\"", state.census_of(class).hosts, policy.enforce.word())],
            ),
            part("Why", why),
            part(
                "Next",
                vec![
                    format!("to have it stopped next time: enforce = \"{level}\" for the class, then reload"),
                    "if nobody acts: it goes on observing, and this is not told again".to_owned(),
                ],
            ),
        ],
        link: None,
    })
}

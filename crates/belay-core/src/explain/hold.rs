//! A hold in plain words, and the alerts about holds, a broken glass and the breaker.

use std::collections::{BTreeMap, BTreeSet};

use super::alert::{part, titled};
use super::change as words;
use crate::decide::host_policy::order;
use crate::decide::waiting_for;

use crate::model::alert::{Alert, Subject};
use crate::model::gate::Gate;
use crate::model::hold::{Hold, HoldState};
use crate::model::host::Host;
use crate::model::ids::{HoldId, HostId};
use crate::model::time::Timestamp;
use crate::state::State;

/// The hosts a hold is about, by name.
pub fn hosts(state: &State, hold: &Hold) -> Vec<HostId> {
    state.hosts.values().filter(|host| hold.is_about(host)).map(|host| host.id.clone()).collect()
}

/// Where a hold was broken by hand, a line a host.
pub fn broken(hold: &Hold) -> Vec<String> {
    let line = |(host, broken): (&HostId, &crate::model::hold::Broken)| {
        let by = broken.by.as_ref().map(|by| format!("; {by}")).unwrap_or_default();
        let then = if broken.put_back { "put back" } else { "not fought for any more" };
        let times = if broken.times == 1 { String::new() } else { format!(", {} times", broken.times) };
        format!("broken by hand on {host} at {}{times}; {then}{by}", broken.at)
    };
    hold.broken.iter().map(line).collect()
}

/// The alert of a hold.
pub(super) fn alert(state: &State, id: HoldId, now: Timestamp) -> Option<Alert> {
    let hold = state.holds.get(&id)?;
    let about = hosts(state, hold);
    let open: Vec<&HostId> = hold.broken.iter().filter(|(_, broken)| !broken.put_back).map(|(host, _)| host).collect();
    let how = hold.state(now);
    let (status, what) = match (how, hold.broken.is_empty()) {
        (HoldState::Released, _) => ("resolved", "ended".to_owned()),
        (_, false) => ("broken", format!("was broken by hand on {} of {} hosts", hold.broken.len(), about.len())),
        (HoldState::Waiting, _) => ("expired", format!("has expired {} ago and waits for {}", now.since(hold.until), hold.owner)),
        (HoldState::Active | HoldState::Expiring, _) => ("expiring", format!("expires in {}", hold.until.since(now))),
    };
    let mut why = broken(hold);
    why.truncate(6);
    why.extend(waiting_for(hold).into_iter().take(6).map(|(line, hosts)| format!("on {hosts} hosts a run would apply: {line}")));
    let done = match (open.is_empty(), hold.broken.is_empty()) {
        (_, true) => vec![],
        (true, _) => vec!["the lock was put back, with the reason on it".to_owned()],
        (false, _) => vec![format!(
            "it was put back once and removed again on {}: Belay does not fight a person over it",
            words::hosts(open.into_iter())
        )],
    };
    let next = match how {
        HoldState::Released => vec![],
        _ => vec![
            format!("keep:     belay hold extend {id} --for 8h"),
            format!("end:      belay hold release {id} --reason \"...\""),
            "if nobody acts: the hold goes on; what is not accepted is not applied".to_owned(),
        ],
    };
    Some(Alert {
        key: format!("belay/{id}"),
        title: titled(status, &format!("{id} of {} ({}) {what}", hold.owner, hold.reason)),
        status,
        firing: how != HoldState::Released,
        parts: vec![
            part("Hold", vec![format!("{id} on {}", hold.scope.words()), order(hold).sentence(now)]),
            part("Where", vec![format!("{} hosts: {}", about.len(), words::hosts(about.iter()))]),
            part("Why", why),
            part("Done", done),
            part("Next", next),
        ]
        .into_iter()
        .filter(|part| !part.lines.is_empty())
        .collect(),
        link: state.policy.public_url.as_ref().map(|url| format!("{url}/holds/{id}")),
    })
}

/// The alert of a broken glass.
pub(super) fn glass(state: &State, id: &HostId, now: Timestamp) -> Option<Alert> {
    let host = state.hosts.get(id)?;
    let glass = host.agent.as_ref()?.status.break_glass.as_ref().filter(|glass| now < glass.until);
    let (status, text) = match glass {
        Some(glass) => ("break-glass", format!("the gate of {id} lets everything through until {}: {}", glass.until, glass.reason)),
        None => ("let-through", format!("the gate of {id} let a run through that it could not judge")),
    };
    let by = glass.map(|glass| format!("broken by {}", glass.by));
    Some(Alert {
        key: format!("belay/{}", Subject::Glass(id.clone())),
        title: titled(status, &text),
        status,
        firing: glass.is_some(),
        parts: vec![
            part("Where", vec![format!("{id}, class {}", host.class)]),
            part("Why", by.into_iter().chain([text]).collect()),
            part("Next", vec![format!("explain:  belay why {id}"), "end:      belay-agent break-glass --end   (on the host)".to_owned()]),
        ],
        link: None,
    })
}

/// The alert of the breaker.
pub(super) fn breaker(state: &State, now: Timestamp) -> Alert {
    let key = format!("belay/{}", Subject::Breaker);
    let Some(breaker) = state.breaker else {
        let title = titled("resolved", "Belay does not stop configuration management any more");
        return Alert { key, title, status: "resolved", firing: false, parts: vec![], link: None };
    };
    let refused =
        |host: &&Host| host.agent.as_ref().and_then(|agent| agent.status.gate.as_ref()).is_some_and(|asked| asked.answer == Gate::Refused);
    let mut reasons: BTreeMap<String, BTreeSet<HostId>> = BTreeMap::new();
    for host in state.hosts.values().filter(refused) {
        if let Some(asked) = host.agent.as_ref().and_then(|agent| agent.status.gate.as_ref()) {
            reasons.entry(asked.why.clone()).or_default().insert(host.id.clone());
        }
    }
    let why = reasons.iter().take(6).map(|(why, hosts)| format!("{} hosts ({}): {why}", hosts.len(), words::hosts(hosts.iter())));
    Alert {
        key,
        title: titled("breaker", &format!("Belay itself is stopping configuration management: {} of {} hosts that asked were refused", breaker.refused, breaker.asked)),
        status: "breaker",
        firing: true,
        parts: vec![
            part("When", vec![format!("since {}, {} ago", breaker.since, now.since(breaker.since))]),
            part("Why", why.collect()),
            part(
                "Next",
                vec![
                    "if the refusals are right: put right what is offered (the environment, the release map, the rejected content)".to_owned(),
                    "if they are wrong: set enforce = \"off\" for the class and reload, or on one host: belay-agent break-glass --for 1h --reason \"...\"".to_owned(),
                    "if nobody acts: rejected content stays out; everything else runs".to_owned(),
                ],
            ),
        ],
        link: None,
    }
}

//! **What it asks**: does a resource fail on hosts that changed, that did not fail there before and
//! does not fail on peers?
//!
//! **Why**: one failure is bad luck (a mirror, a full disk); the same one on two hosts, or twice on
//! one, is the change.
//!
//! **Example**: `Service[app] failed on 2 of 3 changed hosts, never before and on no peer`.

use std::collections::BTreeMap;

use crate::model::change::Trial;
use crate::model::ids::HostId;
use crate::model::verdict::{Check, Finding, Gap, Numbers, Says};

pub(super) fn check(trial: &Trial) -> Option<Finding> {
    let mut by_resource: BTreeMap<&str, (Vec<HostId>, u32, &str)> = BTreeMap::new();
    for (host, treated) in &trial.treated {
        for (resource, failure) in &treated.failures {
            let seen = by_resource.entry(resource).or_insert((Vec::new(), 0, &failure.message));
            seen.0.push(host.clone());
            seen.1 = seen.1.max(failure.times);
        }
    }
    let all = by_resource.into_iter().map(|(resource, (hosts, times, message))| finding(trial, resource, hosts, times, message));
    let rank = |says: Says| match says {
        Says::Harm => 2,
        Says::Suspicion => 1,
        Says::Fine | Says::CannotTell(_) => 0,
    };
    all.max_by_key(|finding| (rank(finding.says), finding.hosts.len()))
}

fn finding(trial: &Trial, resource: &str, hosts: Vec<HostId>, times: u32, message: &str) -> Finding {
    let on_peers = trial.peers.values().filter(|peer| peer.failing.iter().any(|failing| failing == resource)).count();
    let says = if on_peers > 0 && on_peers * 3 >= trial.peers.len() {
        Says::CannotTell(Gap::PeersSick)
    } else if hosts.len() >= 2 || times >= 2 {
        Says::Harm
    } else {
        Says::Suspicion
    };
    let peers = match on_peers {
        0 => "never before and on no peer".to_owned(),
        n => format!("but also on {n} of {} peers", trial.peers.len()),
    };
    let said = if message.is_empty() { String::new() } else { format!(": {message}") };
    let often = if hosts.len() < 2 && times >= 2 { format!(", {times} times") } else { String::new() };
    Finding {
        check: Check::FailedResource,
        signal: None,
        says,
        text: format!("{resource} failed on {} of {} changed hosts{often}, {peers}{said}", hosts.len(), trial.treated.len()),
        of: trial.treated.len().try_into().unwrap_or(u32::MAX),
        hosts,
        peers_alike: (on_peers.try_into().unwrap_or(u32::MAX), trial.peers.len().try_into().unwrap_or(u32::MAX)),
        numbers: Numbers::default(),
        since: None,
    }
}

//! The alert of hosts on which configuration management itself is not well.

use std::collections::{BTreeMap, BTreeSet};

use super::alert::{part, titled};
use super::change as words;
use crate::decide::ailing::due_of;
use crate::decide::health::{Norms, of_host};
use crate::decide::host_policy::order;
use crate::model::ailment::Ailment;
use crate::model::alert::{Alert, Subject};
use crate::model::host::Host;
use crate::model::ids::{ClassName, HostId};
use crate::model::time::Timestamp;
use crate::state::State;

/// The alert of one ailment of a class.
pub(super) fn alert(state: &State, ailment: Ailment, class: &ClassName, now: Timestamp) -> Alert {
    let ailing = state.ailing.get(&(class.clone(), ailment)).cloned().unwrap_or_default();
    let due = due_of(state, class, ailment, &ailing, now);
    let key = format!("belay/{}", Subject::Ailing(ailment, class.clone()));
    if due.told.is_empty() {
        let held = if due.held.is_empty() { String::new() } else { format!(" that is not held; {} are held", due.held.len()) };
        let title = titled("resolved", &format!("{} no more on any host of class {class}{held}", ailment.words()));
        return Alert { key, title, status: "resolved", firing: false, parts: held_part(state, &due.held, now), link: None };
    }
    let reasons = reasons(state, class, ailment, &due.told, now);
    let of = state.census_of(class).hosts;
    let first = reasons.keys().next().map(|reason| format!(": {reason}")).unwrap_or_default();
    let hosts: BTreeSet<HostId> = due.told.iter().map(|host| host.id.clone()).collect();
    let longest = due.told.iter().filter_map(|host| ailing.hosts.get(&host.id)).min();
    let mut parts = vec![
        part("Where", vec![format!("{} of {of} hosts of class {class}: {}", hosts.len(), words::hosts(hosts.iter()))]),
        part("When", longest.map(|at| format!("the longest for {}, first seen at {at}", now.since(*at))).into_iter().collect()),
        part("Why", reasons.iter().map(|(reason, hosts)| format!("{}: {reason}", words::hosts(hosts.iter()))).collect()),
    ];
    parts.extend(held_part(state, &due.held, now));
    let check = format!("all of it:  belay check --class {class}");
    parts.push(part("Next", vec![ailment.remedy().to_owned(), check, format!("if nobody acts: {}", ailment.otherwise())]));
    Alert {
        key,
        title: titled(ailment.code(), &format!("{} on {} of {of} hosts of class {class}{first}", ailment.words(), hosts.len())),
        status: ailment.code(),
        firing: true,
        parts,
        link: None,
    }
}

/// What is said of each host, with the hosts of which the same is said.
fn reasons(state: &State, class: &ClassName, ailment: Ailment, hosts: &[&Host], now: Timestamp) -> BTreeMap<String, BTreeSet<HostId>> {
    let norms = Norms::of(state, Some(class));
    let mut reasons: BTreeMap<String, BTreeSet<HostId>> = BTreeMap::new();
    for host in hosts {
        for ails in of_host(state, &norms, host, now).into_iter().filter(|ails| ails.what == ailment) {
            reasons.entry(ails.text).or_default().insert(host.id.clone());
        }
    }
    reasons
}

/// Hosts that a hold explains, with what it says.
fn held_part(state: &State, hosts: &[&Host], now: Timestamp) -> Vec<crate::model::alert::AlertPart> {
    let mut holds: BTreeMap<String, BTreeSet<HostId>> = BTreeMap::new();
    for host in hosts {
        for hold in state.holds_on(host) {
            holds.entry(format!("{}: {}", hold.id, order(hold).sentence(now))).or_default().insert(host.id.clone());
        }
    }
    let lines: Vec<String> = holds.iter().map(|(hold, hosts)| format!("not counted: {}; {hold}", words::hosts(hosts.iter()))).collect();
    if lines.is_empty() { Vec::new() } else { vec![part("Context", lines)] }
}

impl Ailment {
    /// What is so of its hosts, as a title says it.
    const fn words(self) -> &'static str {
        match self {
            Self::WrongEnvironment => "the environment does not belong to the release",
            Self::Failing => "resources fail",
            Self::FailedCompile => "no configuration can be made",
            Self::Broken => "runs break off",
            Self::CachedCatalog => "an old, kept configuration is applied",
            Self::Stale => "nothing was applied for long",
            Self::Stuck => "a run does not end",
            Self::Disabled => "somebody's own lock stops the tool",
            Self::Unscheduled => "nothing starts the tool",
            Self::Pending => "changes wait for days behind rehearsals",
            Self::Lagging => "an older version stays behind",
            Self::Unreadable => "reports cannot be read or taken",
        }
    }

    /// What to do about it.
    const fn remedy(self) -> &'static str {
        match self {
            Self::WrongEnvironment => {
                "see who chose the environment (the host's configuration, a command line, a classifier), and let it run with the other"
            }
            Self::Failing => "look at the first failure of a host:  belay why HOST",
            Self::FailedCompile => "the text names the file and the line: correct it, or go back to the version before",
            Self::Broken => "does the tool's server answer, and do the host's certificate and its disk hold?",
            Self::CachedCatalog => "the tool's server gives no new configuration: the text says why",
            Self::Stale => "explain:  belay why HOST",
            Self::Stuck => "look at the process of the run on the host; end it, or remove its lock if there is none",
            Self::Disabled => "make it a hold with an owner and an end:  belay hold import HOST",
            Self::Unscheduled => "put cron's line or the timer back; to pause on purpose there is:  belay hold add HOST",
            Self::Pending => "let it apply what waits, or say for how long not:  belay hold add HOST",
            Self::Lagging => "let it run once, and see what its run says:  belay why HOST",
            Self::Unreadable => "the text says what is wrong with the report; the bytes are in the quarantine",
        }
    }

    /// What comes of it when nobody does.
    const fn otherwise(self) -> &'static str {
        match self {
            Self::WrongEnvironment => "the next run applies files that are not meant for this release again",
            Self::Failing => "what depends on it is not configured, and each run fails again",
            Self::FailedCompile | Self::Broken | Self::CachedCatalog => "nothing new reaches these hosts",
            Self::Stale | Self::Stuck | Self::Disabled | Self::Unscheduled => "the tool does not run there, and drift stays",
            Self::Pending => "the hosts differ from what is declared, and more and more so",
            Self::Lagging => "they go on without what the others have",
            Self::Unreadable => "what happens on these hosts is not seen",
        }
    }
}

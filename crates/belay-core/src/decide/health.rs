//! Run health: is configuration management itself well on a host? It follows from (state, now); nothing of it is stored.
//!
//! What exit codes and a fresh "last run" hide has a word of its own: a rehearsal that makes a stale host look fresh, a kept old
//! configuration applied again, an environment that does not belong to the release, a lock that nobody owns. A hold is no ailment: it
//! has an owner and an end.

use std::collections::{BTreeMap, BTreeSet};

use crate::host::talk::{Lock, Schedule};
pub use crate::model::ailment::Ailment;
use crate::model::host::{Agent, Host};
use crate::model::ids::{ClassName, HostId, Release};
use crate::model::policy::ClassPolicy;
use crate::model::report::{RunKind, Version};
use crate::model::time::{Span, Timestamp};
use crate::state::State;

/// Where a class does not say: nothing applied for so long is stale. Two of the usual intervals of half an hour, and five minutes.
pub const STALE: Span = Span::from_min(65);
/// Stale for so many times its limit is critical.
const CRITICAL_TIMES: i64 = 4;
/// A host that has only rehearsed for so long has changes that wait.
const PENDING: Span = Span::from_min(2 * 24 * 60);
/// Fewer hosts than these of one class and release are no majority.
const MAJORITY_MIN: usize = 3;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Somebody should look.
    Warning,
    /// Somebody should act.
    Critical,
}

/// An ailment of one host, with its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ails {
    /// Which.
    pub what: Ailment,
    /// How bad.
    pub severity: Severity,
    /// Since when, where that is known.
    pub since: Option<Timestamp>,
    /// In plain words, without the host's name.
    pub text: String,
}

impl Severity {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// What hosts are held against: drawn once for many of them.
#[derive(Clone, Debug, Default)]
pub struct Norms {
    classes: BTreeMap<ClassName, ClassPolicy>,
    /// Classes to which a Change is on its way.
    rolling: BTreeSet<ClassName>,
    /// The version that most hosts of a class and release carry, where there is such a one.
    versions: BTreeMap<ClassName, BTreeMap<Option<Release>, String>>,
}

impl Norms {
    /// What the state says, for one class or all.
    pub fn of(state: &State, class: Option<&ClassName>) -> Self {
        let known = state.census.keys().chain(class);
        let names: BTreeSet<&ClassName> = known.filter(|name| class.is_none_or(|class| class == *name)).collect();
        let mut versions: BTreeMap<ClassName, BTreeMap<Option<Release>, String>> = BTreeMap::new();
        for (scope, carried) in state.versions.iter().filter(|(scope, _)| names.contains(&scope.class)) {
            if let Some(most) = Self::most(carried) {
                versions.entry(scope.class.clone()).or_default().insert(scope.release.clone(), most.to_owned());
            }
        }
        Self {
            classes: names.into_iter().map(|name| (name.clone(), state.policy.class(name))).collect(),
            rolling: state.open_changes().map(|change| change.class.clone()).collect(),
            versions,
        }
    }

    /// The version that three of four hosts carry, where they are enough to say so.
    fn most(carried: &BTreeMap<Version, u32>) -> Option<&str> {
        let named = carried.iter().filter_map(|(version, hosts)| match version {
            Version::Named(name) => Some((name.as_str(), *hosts as usize)),
            Version::Unknown => None,
        });
        let all: usize = named.clone().map(|(_, hosts)| hosts).sum();
        let (name, count) = named.max_by_key(|(_, hosts)| *hosts)?;
        (all >= MAJORITY_MIN && count * 4 >= all * 3).then_some(name)
    }

    /// The version of most hosts like this one, where it carries another.
    fn other_version(&self, host: &Host) -> Option<&str> {
        let most = self.versions.get(&host.class)?.get(&host.release)?;
        match &host.version {
            Some(Version::Named(name)) if name != most => Some(most),
            Some(_) | None => None,
        }
    }
}

/// What ails a host, the gravest first.
pub fn of_host(state: &State, norms: &Norms, host: &Host, now: Timestamp) -> Vec<Ails> {
    let mut ails: Vec<Ails> = Vec::new();
    ails.extend(wrong_environment(norms, host));
    ails.extend(last_run(host));
    ails.extend(stale(state, norms, host, now));
    ails.extend(started(host, now));
    ails.extend(pending(host, now));
    ails.extend(lagging(state, norms, host));
    let unreadable = |trouble: &crate::model::host::Trouble| Ails {
        what: Ailment::Unreadable,
        severity: Severity::Warning,
        since: Some(trouble.at),
        text: trouble.text.clone(),
    };
    ails.extend(host.trouble.as_ref().map(unreadable));
    ails.sort_by_key(|ails| (std::cmp::Reverse(ails.severity), ails.what));
    ails
}

/// All hosts that something ails, of one class or of all.
pub fn of_fleet(state: &State, class: Option<&ClassName>, now: Timestamp) -> BTreeMap<HostId, Vec<Ails>> {
    let norms = Norms::of(state, class);
    hosts(state, class).map(|host| (host.id.clone(), of_host(state, &norms, host, now))).filter(|(_, ails)| !ails.is_empty()).collect()
}

fn hosts<'s>(state: &'s State, class: Option<&ClassName>) -> impl Iterator<Item = &'s Host> {
    state.hosts.values().filter(move |host| class.is_none_or(|class| host.class == *class))
}

fn wrong_environment(norms: &Norms, host: &Host) -> Option<Ails> {
    let (release, environment) = (host.release.as_ref()?, host.environment.as_ref()?);
    let due = norms.classes.get(&host.class)?.environments.get(release).filter(|due| *due != environment)?;
    Some(Ails {
        what: Ailment::WrongEnvironment,
        severity: Severity::Critical,
        since: host.last_applied,
        text: format!("environment {environment} was applied, and release {release} needs {due}"),
    })
}

fn last_run(host: &Host) -> Vec<Ails> {
    let mut ails = Vec::new();
    if !host.failing.is_empty() {
        let named: Vec<&str> = host.failing.iter().take(3).map(String::as_str).collect();
        let more = host.failing.len().saturating_sub(named.len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        ails.push(Ails {
            what: Ailment::Failing,
            severity: Severity::Critical,
            since: host.last_applied,
            text: format!("fails: {}{more}", named.join(", ")),
        });
    }
    let Some(run) = &host.last_run else { return ails };
    let told = match &run.kind {
        RunKind::FailedCompile(text) => {
            Some((Ailment::FailedCompile, Severity::Critical, format!("no configuration could be made: {text}")))
        }
        RunKind::NoCatalog(text) => Some((Ailment::Broken, Severity::Critical, format!("no configuration could be had: {text}"))),
        RunKind::Aborted(text) => Some((Ailment::Broken, Severity::Critical, format!("its last run broke off: {text}"))),
        RunKind::CachedCatalog(text) => {
            Some((Ailment::CachedCatalog, Severity::Warning, format!("an old, kept configuration was applied: {text}")))
        }
        RunKind::Changed
        | RunKind::Unchanged
        | RunKind::NoopWouldChange
        | RunKind::NoopUnchanged
        | RunKind::Partial
        | RunKind::Failed
        | RunKind::Refused(_) => None,
    };
    ails.extend(told.map(|(what, severity, text)| Ails { what, severity, since: Some(run.at), text }));
    ails
}

/// A host that was never applied to is stale from the time it was first heard of. Under a hold it is meant to be.
fn stale(state: &State, norms: &Norms, host: &Host, now: Timestamp) -> Option<Ails> {
    let limit = norms.classes.get(&host.class).and_then(|class| class.stale).unwrap_or(STALE);
    let since = host.last_applied.unwrap_or(host.since);
    let age = now.since(since);
    if age <= limit || state.holds_on(host).next().is_some() {
        return None;
    }
    let severity = if age > limit.times(CRITICAL_TIMES) { Severity::Critical } else { Severity::Warning };
    let rehearsed =
        host.last_run.as_ref().filter(|run| now.since(run.at) <= limit).map(|run| format!("; its last run was {}", run.kind.word()));
    let text = match host.last_applied {
        Some(_) => format!("nothing was applied for {age}{}", rehearsed.unwrap_or_default()),
        None => format!("nothing was ever applied, known for {age}{}", rehearsed.unwrap_or_default()),
    };
    Some(Ails { what: Ailment::Stale, severity, since: Some(since), text })
}

fn started(host: &Host, now: Timestamp) -> Vec<Ails> {
    let mut ails = Vec::new();
    let Some(agent) = &host.agent else { return ails };
    if let Lock::Foreign { message, since } = &agent.status.lock {
        let age = since.map(|since| format!(", {} old", now.since(since))).unwrap_or_default();
        let text =
            format!("somebody's own lock stops the tool: {message}{age}; `belay hold import {}` gives it an owner and an end", host.id);
        ails.push(Ails { what: Ailment::Disabled, severity: Severity::Warning, since: *since, text });
    }
    ails.extend(stuck(agent, now));
    let text = match &agent.status.schedule {
        Schedule::SwitchedOff(entry) => Some(format!("its schedule is switched off: {entry}")),
        Schedule::Missing => Some("nothing starts the tool on it".to_owned()),
        Schedule::There(_) | Schedule::Unknown => None,
    };
    ails.extend(text.map(|text| Ails { what: Ailment::Unscheduled, severity: Severity::Warning, since: None, text }));
    ails
}

/// The lock of a run that has stood for longer than the tool itself lets a run last.
fn stuck(agent: &Agent, now: Timestamp) -> Option<Ails> {
    let lock = agent.status.run_lock?;
    let (age, limit) = (now.since(lock.since), lock.limit?);
    let whose = if agent.status.running { "its process is there" } else { "its process is gone" };
    let text = format!("the lock of a run has stood for {age}, a run may last {limit}; {whose}");
    (age > limit).then_some(Ails { what: Ailment::Stuck, severity: Severity::Warning, since: Some(lock.since), text })
}

fn pending(host: &Host, now: Timestamp) -> Option<Ails> {
    host.last_run.as_ref().filter(|run| run.kind == RunKind::NoopWouldChange)?;
    let since = host.last_applied.unwrap_or(host.since);
    let text = format!("it only rehearses, and what would change has waited for {}", now.since(since));
    (now.since(since) > PENDING).then_some(Ails { what: Ailment::Pending, severity: Severity::Warning, since: Some(since), text })
}

/// A host that carries another version than most, though no Change is on its way to it: during a rollout that is what waves are.
fn lagging(state: &State, norms: &Norms, host: &Host) -> Option<Ails> {
    let most = norms.other_version(host)?;
    let rolling = norms.rolling.contains(&host.class);
    let held = state.holds_on(host).next().is_some() || host.pin.is_some();
    let own = match &host.version {
        Some(Version::Named(name)) => name.as_str(),
        Some(Version::Unknown) | None => "unknown",
    };
    let text = format!("it carries version {own}, most of its class and release carry {most}");
    (!rolling && !held).then_some(Ails { what: Ailment::Lagging, severity: Severity::Warning, since: host.last_applied, text })
}

/// How many hosts something ails, and how many of each class have each ailment: what a glance shows of a large fleet.
pub fn at_a_glance(state: &State, now: Timestamp) -> (u32, BTreeMap<(ClassName, Ailment), u32>) {
    let norms = Norms::of(state, None);
    let (mut ailing, mut counts) = (0, BTreeMap::<&ClassName, BTreeMap<Ailment, u32>>::new());
    for host in state.hosts.values() {
        let kinds: BTreeSet<Ailment> = of_host(state, &norms, host, now).iter().map(|ails| ails.what).collect();
        ailing += u32::from(!kinds.is_empty());
        for kind in kinds {
            *counts.entry(&host.class).or_default().entry(kind).or_default() += 1;
        }
    }
    let each = counts.into_iter().flat_map(|(class, kinds)| kinds.into_iter().map(move |(kind, hosts)| ((class.clone(), kind), hosts)));
    (ailing, each.collect())
}

/// How many hosts of each class have each ailment, those without any left out.
pub fn counted(state: &State, found: &BTreeMap<HostId, Vec<Ails>>) -> BTreeMap<(ClassName, Ailment), u32> {
    let mut counts: BTreeMap<(ClassName, Ailment), u32> = BTreeMap::new();
    for (host, ails) in found {
        let Some(host) = state.hosts.get(host) else { continue };
        let kinds: BTreeSet<Ailment> = ails.iter().map(|ails| ails.what).collect();
        for kind in kinds {
            *counts.entry((host.class.clone(), kind)).or_default() += 1;
        }
    }
    counts
}

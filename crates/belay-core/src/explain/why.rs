//! Why: a Change or a host explained on one screen.

use super::{change as words, gate, selfcheck};
use crate::decide::host_policy::{self, order};
use crate::host::talk::Lock;
use crate::model::gate::Offered;
use crate::model::host::Host;
use crate::model::ids::{ChangeId, HostId};
use crate::model::item::Mark;
use crate::model::report::Version;
use crate::model::time::Timestamp;
use crate::model::verdict::{Judge, Outcome, Standing};
use crate::state::{Scope, State};

/// Why a Change stands as it does; empty when there is no such Change.
pub fn change(state: &State, id: ChangeId, now: Timestamp) -> Vec<String> {
    let Some(change) = state.changes.get(&id) else { return Vec::new() };
    let mut lines = vec![format!("{id} is {}", words::standing(change))];
    lines.push(format!("it brought {} to {}", words::what(change), words::place(change)));
    lines.push(format!("{} hosts got it: {}", change.treated.len(), words::hosts(change.treated.keys())));
    lines.extend(change.waves.as_ref().map(|waves| waves.words()));
    lines.push(words::times(change));
    lines.extend(words::findings(change).iter().map(|f| format!("{}: {}", f.says.word(), words::finding(f))));
    lines.extend(words::logs(change).into_iter().map(|line| format!("log: {line}")));
    match words::lacks(change) {
        [] => lines.push("missing data: none".to_owned()),
        lacks => lines.extend(lacks.iter().map(|lack| format!("missing: {}", words::lack(lack)))),
    }
    if change.open() {
        let ends = crate::decide::trial::ends_at(state, change);
        lines.push(format!("the trial ends {ends}, in {}", ends.since(now)));
        let more = change.waves.as_ref().filter(|waves| !waves.is_last());
        let closed = more.and_then(|_| host_policy::closed_now(state, &state.policy.class(&change.class), now));
        lines.extend(closed.map(|closed| format!("no further wave opens: {}", gate::closed(&closed))));
    }
    lines.extend(state.selfchecks.get(&change.class).and_then(selfcheck::rate));
    if let Some(verdict) = &change.verdict
        && let (Judge::Belay, Outcome::Inconclusive(gap)) = (&verdict.by, verdict.outcome)
    {
        lines.push(format!("what to do: {}", words::gap(gap).1));
    }
    lines.push(format!("evidence {}: `--seen {0}` decides on what is shown here, or not at all", change.evidence_mark()));
    lines
}

/// Why a host stands as it does; empty when it is not known.
pub fn host(state: &State, id: &HostId, now: Timestamp) -> Vec<String> {
    let Some(host) = state.hosts.get(id) else { return Vec::new() };
    let mut lines = vec![identity(host)];
    lines.push(match &host.last_run {
        Some(run) => {
            let detail = run.kind.detail().map(|text| format!(": {text}")).unwrap_or_default();
            format!("its last run {} was {} {} ago{detail}", run.id, run.kind.word(), now.since(run.at))
        }
        None => "no run was ever reported".to_owned(),
    });
    match (host.last_applied, &host.environment) {
        (Some(at), Some(environment)) => {
            lines.push(format!("a configuration was last applied {} ago, from environment {environment}{}", now.since(at), version(host)))
        }
        (Some(at), None) => lines.push(format!("a configuration was last applied {} ago{}", now.since(at), version(host))),
        (None, _) => lines.push("no configuration was ever applied to it, as far as is known".to_owned()),
    }
    lines.extend(belonging(state, host));
    lines.extend(catch(state, host, now));
    lines.extend(marks(state, host));
    if let Some(trouble) = &host.trouble {
        lines.push(format!("trouble since {}: {}", trouble.at, trouble.text));
    }
    for change in state.changes.values().filter(|change| change.treated.contains_key(id) && (change.open() || is_rejected(change.standing)))
    {
        lines.push(format!("it got {}, which is {}: {}", change.id, words::standing(change), words::what(change)));
    }
    lines
}

/// What holds it, what its gate would answer, and which environment the classifier gives it.
fn catch(state: &State, host: &Host, now: Timestamp) -> Vec<String> {
    let class = state.policy.class(&host.class);
    let mut lines: Vec<String> = state.holds_on(host).map(|hold| order(hold).sentence(now)).collect();
    let broken = state.holds.values().filter(|hold| hold.stands()).filter_map(|hold| Some((hold.id, hold.broken.get(&host.id)?)));
    lines.extend(broken.map(|(id, broken)| format!("{id} was broken by hand on it at {}, {} times", broken.at, broken.times)));
    if let Some(agent) = &host.agent {
        match &agent.status.lock {
            Lock::Foreign { message, .. } => lines.push(format!("a lock that Belay did not write stands on it: {message}")),
            Lock::Ours(_) => lines.push("its lock stands".to_owned()),
            Lock::Absent => {}
        }
        if let Some(asked) = &agent.status.gate {
            lines.push(format!("its gate last answered, {} ago, {}", now.since(asked.at), asked.why));
        }
    }
    let again = Offered { environment: host.environment.clone(), ..Offered::default() };
    let answer = host_policy::gate(state, &host.id, &again, now);
    let environment = host.environment.as_ref().map_or_else(|| "what it had".to_owned(), |name| format!("environment {name}"));
    lines.push(format!(
        "with enforce = \"{}\", another run from {environment} would be {}",
        class.enforce.word(),
        gate::sentence(&answer, now)
    ));
    lines.extend(host_policy::closed_now(state, &class, now).map(|closed| gate::closed(&closed)));
    lines.extend(host_policy::classified(state, &host.id, now).map(|classified| gate::classified(&classified)));
    lines
}

fn is_rejected(standing: Standing) -> bool {
    standing == Standing::Final(Outcome::Rejected)
}

fn identity(host: &Host) -> String {
    match &host.release {
        Some(release) => format!("{} is of class {} and runs release {release}", host.id, host.class),
        None => format!("{} is of class {}; its release is not known", host.id, host.class),
    }
}

fn version(host: &Host) -> String {
    match &host.version {
        Some(Version::Named(version)) => format!(", version {version}"),
        Some(Version::Unknown) => ", version unknown".to_owned(),
        None => String::new(),
    }
}

/// Whether its environment belongs to its release, where that is declared.
fn belonging(state: &State, host: &Host) -> Option<String> {
    let class = state.policy.class(&host.class);
    let (release, environment) = (host.release.as_ref()?, host.environment.as_ref()?);
    let due = class.environments.get(release)?;
    let fits = crate::model::item::branch(due.as_str()) == crate::model::item::branch(environment.as_str());
    Some(if fits {
        format!("environment {environment} belongs to release {release}")
    } else {
        format!("environment {environment} does not belong to release {release}, which needs {due}")
    })
}

/// How the contents it carries stand, counted by mark.
fn marks(state: &State, host: &Host) -> Option<String> {
    let scope = Scope { class: host.class.clone(), release: host.release.clone() };
    let mut counts = [0_u32; 5];
    for (key, carried) in &host.items {
        let index = match state.acceptance.mark(&scope, key, &carried.content) {
            Some(Mark::Accepted(_)) => 0,
            Some(Mark::Adopted) => 1,
            Some(Mark::OnTrial(_)) => 2,
            Some(Mark::Rejected(_)) => 3,
            None => 4,
        };
        counts[index] += 1;
    }
    let names = ["accepted", "adopted", "on trial", "rejected", "never judged for this release"];
    let parts: Vec<String> =
        counts.iter().zip(names).filter(|(count, _)| **count > 0).map(|(count, name)| format!("{count} {name}")).collect();
    (!parts.is_empty()).then(|| format!("of the contents it is known to carry, {}", parts.join(", ")))
}

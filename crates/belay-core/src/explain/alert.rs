//! The alert of a Change: everything a stranger needs at 3 a.m., made from the state at the moment
//! it is sent.

use std::collections::BTreeSet;

use super::{ailing, change as words, class, feed, hold};
use crate::decide::{deployments, reverts};
use crate::model::alert::{Alert, AlertPart, Subject};
use crate::model::change::Change;
use crate::model::gate::Enforce;
use crate::model::ids::{ChangeId, HostId};
use crate::model::item::{DEPLOYMENT_KIND, ItemKey, Mark, REVERT_KIND};
use crate::model::report::RunKind;
use crate::model::revert::{Progress, Revert};
use crate::model::time::Timestamp;
use crate::model::verdict::{Finding, Outcome, Says, Standing};
use crate::state::{Scope, State};

/// The longest title, in characters.
pub const TITLE_MAX: usize = 120;

/// The alert of something as it stands at `now`; `None` when it is not known any more.
pub fn alert(state: &State, about: &Subject, now: Timestamp) -> Option<Alert> {
    match about {
        Subject::Change(id) => of_change(state, *id, now),
        Subject::Hold(id) => hold::alert(state, *id, now),
        Subject::Stale(name) => class::stale(state, name, now),
        Subject::Foreign(name) => class::foreign(state, name, now),
        Subject::Ailing(ailment, name) => Some(ailing::alert(state, *ailment, name, now)),
        Subject::Observed(name) => class::observed(state, name, now),
        Subject::Feed(name) => feed::alert(state, name, now),
        Subject::Glass(host) => hold::glass(state, host, now),
        Subject::Breaker => Some(hold::breaker(state, now)),
    }
}

fn of_change(state: &State, id: ChangeId, now: Timestamp) -> Option<Alert> {
    let change = state.changes.get(&id)?;
    let parts = [
        part("Change", what(change)),
        part("When", vec![words::times(change)]),
        part("Where", place(state, change)),
        part("Why", why(change)),
        part("Logs", words::logs(change)),
        part("Against", against(change)),
        part("Missing", missing(change)),
        part("Context", context(state, change, now)),
        part("Done", done(state, change)),
        part("Next", next(state, change)),
    ];
    Some(Alert {
        key: format!("belay/{id}"),
        title: title(change),
        status: change.standing.word(),
        firing: firing(change),
        parts: parts.into_iter().filter(|part| !part.lines.is_empty()).collect(),
        link: state.policy.public_url.as_ref().map(|url| format!("{url}/changes/{id}")),
    })
}

pub(super) fn part(heading: &'static str, lines: Vec<String>) -> AlertPart {
    AlertPart { heading, lines }
}

fn firing(change: &Change) -> bool {
    match change.standing {
        Standing::Final(Outcome::Accepted) => false,
        Standing::Final(Outcome::Rejected | Outcome::Inconclusive(_)) | Standing::Suspect => true,
        Standing::OnTrial => false,
    }
}

fn title(change: &Change) -> String {
    let status = change.standing.word();
    let strongest = words::findings(change).iter().find(|finding| matches!(finding.says, Says::Harm | Says::Suspicion));
    let said = match (strongest, change.standing) {
        (Some(finding), _) => finding.text.clone(),
        (None, Standing::Final(Outcome::Inconclusive(gap))) => words::gap(gap).0.to_owned(),
        (None, _) => words::what(change),
    };
    titled(status, &format!("{} {}: {said}", change.id, change.class))
}

/// A title of at most [`TITLE_MAX`] characters: the status, then what is to be said.
pub(super) fn titled(status: &str, said: &str) -> String {
    let text = format!("[{}] {said}", status.to_uppercase());
    if text.chars().count() <= TITLE_MAX { text } else { text.chars().take(TITLE_MAX - 1).chain(['\u{2026}']).collect() }
}

fn what(change: &Change) -> Vec<String> {
    let mut lines = vec![format!("{}  {}", change.id, words::place(change))];
    lines.extend(words::items(change));
    lines
}

fn place(state: &State, change: &Change) -> Vec<String> {
    let class = state.census_of(&change.class).hosts;
    let mut line = format!("{} of {class} hosts of class {}: {}", change.treated.len(), change.class, words::hosts(change.treated.keys()));
    if let Some(waves) = &change.waves {
        line.push_str(&format!("; {}", waves.words()));
    }
    if change.after_rejection > 0 {
        line.push_str(&format!("; {} of them after it was rejected", change.after_rejection));
    }
    vec![line]
}

/// The findings that are asked for, of each signal the first, which is the strongest: `belay why` has them all.
fn lines_of(change: &Change, which: impl Fn(&Finding) -> bool) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let first = |finding: &&Finding| finding.signal.as_ref().is_none_or(|signal| seen.insert(signal.clone()));
    words::findings(change).iter().filter(|finding| which(finding)).filter(first).map(words::finding).collect()
}

fn why(change: &Change) -> Vec<String> {
    let mut lines = lines_of(change, |finding| matches!(finding.says, Says::Harm | Says::Suspicion));
    if lines.is_empty() {
        lines.push(words::standing(change));
    }
    lines
}

/// What contradicts the verdict, or could not be told.
fn against(change: &Change) -> Vec<String> {
    let harmed = |finding: &Finding| words::findings(change).iter().any(|other| other.says == Says::Harm && other.signal == finding.signal);
    let mut lines = lines_of(change, |finding| match finding.says {
        // One test that is not sure yet says nothing against another that is.
        Says::Fine => !harmed(finding),
        Says::CannotTell(_) => true,
        Says::Harm | Says::Suspicion => false,
    });
    lines.truncate(4);
    lines
}

fn missing(change: &Change) -> Vec<String> {
    let lacks = words::lacks(change);
    if lacks.is_empty() { vec!["none".to_owned()] } else { lacks.iter().map(words::lack).collect() }
}

fn context(state: &State, change: &Change, now: Timestamp) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(old) = change.supersedes {
        lines.push(format!("it took the place of {old}, which was not judged to the end"));
    }
    for other in state.open_changes().filter(|other| other.id != change.id && other.class == change.class) {
        lines.push(format!("{} is on trial in the same class since {} ({})", other.id, now.since(other.began()), words::what(other)));
    }
    lines.extend(broken_holds(state, change));
    lines.extend(cached(state, change));
    let failing = change.treated.keys().filter_map(|host| state.hosts.get(host)).filter(|host| host.trouble.is_some()).count();
    if failing > 0 {
        lines.push(format!("{failing} of its hosts sent a report that could not be read"));
    }
    lines
}

/// What Belay did about it: how far its gate goes for the class, and what was taken back.
fn done(state: &State, change: &Change) -> Vec<String> {
    let mut lines = Vec::new();
    if change.standing == Standing::Final(Outcome::Rejected) {
        let enforce = state.policy.class(&change.class).enforce;
        lines.push(match enforce {
            Enforce::Off | Enforce::ReleaseMatch => {
                let level = enforce.word();
                format!("its content is marked rejected for this class and release; with enforce = \"{level}\" the gate does not stop it")
            }
            Enforce::Rejected | Enforce::Waves => {
                "its content is marked rejected for this class and release: the gate refuses it to every further host".to_owned()
            }
        });
    }
    let reverts: Vec<String> = state.reverts.values().filter(|revert| revert.change == change.id).map(|one| revert(state, one)).collect();
    if let Some((bad, good)) = deployments::replaced(state, change).filter(|_| !lines.is_empty()) {
        lines.push(format!("the classifier gives {bad} to nobody any more: its hosts get {good} with their next run"));
    } else if reverts.is_empty() && !lines.is_empty() {
        lines.push("nothing was reverted: that is asked for".to_owned());
    }
    lines.extend(reverts);
    lines
}

/// How far a revert is, in one line.
pub(super) fn revert(state: &State, revert: &Revert) -> String {
    let done = revert.count(|progress| matches!(progress, Progress::Done(_)));
    let failed = revert.count(|progress| matches!(progress, Progress::Failed(_)));
    let mut line = format!("{} of {}: {done} of {} hosts went back", revert.id, revert.by, revert.hosts.len());
    if failed > 0 {
        line.push_str(&format!(", {failed} did not"));
    }
    if let Some(why) = &revert.stopped {
        line.push_str(&format!("; stopped: {why}"));
    }
    let key = ItemKey::new(REVERT_KIND, "class", &revert.id.to_string());
    match state.changes.values().rev().find(|change| change.items.contains_key(&key)) {
        Some(trial) => line.push_str(&format!("; its own trial {} is {}", trial.id, words::standing(trial))),
        None => line.push_str("; its own trial begins with the first host that is back"),
    }
    line
}

/// Hosts to which the tool applied the catalog it had kept, because it got no other: old content under
/// a new run.
fn cached(state: &State, change: &Change) -> Option<String> {
    let last = |host: &HostId| match state.hosts.get(host)?.last_run.as_ref().map(|run| &run.kind) {
        Some(RunKind::CachedCatalog(why)) => Some((host.clone(), why.clone())),
        Some(_) | None => None,
    };
    let found: Vec<(HostId, String)> = change.treated.keys().filter_map(last).collect();
    let (_, why) = found.first()?;
    let hosts: Vec<&HostId> = found.iter().map(|(host, _)| host).collect();
    Some(format!("the tool applied an old catalog that it had kept on {}: {why}", words::hosts(hosts.into_iter())))
}

/// Holds that were broken by hand on the hosts of a Change.
fn broken_holds(state: &State, change: &Change) -> Vec<String> {
    let mut lines = Vec::new();
    for hold in state.holds.values() {
        let hosts: Vec<&HostId> = hold.broken.keys().filter(|host| change.treated.contains_key(*host)).collect();
        let Some(first) = hosts.iter().filter_map(|host| hold.broken.get(*host)).map(|broken| broken.at).min() else { continue };
        lines.push(format!(
            "hold {} ({}, \"{}\", until {}) was broken by hand at {first} on {}",
            hold.id,
            hold.owner,
            hold.reason,
            hold.until,
            words::hosts(hosts.into_iter())
        ));
    }
    lines
}

fn next(state: &State, change: &Change) -> Vec<String> {
    let id = change.id;
    let mut lines = Vec::new();
    match change.standing {
        Standing::Final(Outcome::Rejected) => {
            lines.extend(undo(state, change));
            if reverts::plan(state, id).is_some_and(|plan| !plan.ways.is_empty()) {
                lines.push(format!("revert:   belay revert {id} --dry-run"));
            }
            lines.push(format!("explain:  belay why {id}"));
            lines.push(format!("wrong?    belay accept {id} --reason \"...\""));
            lines.push("if nobody acts: it stays rejected; hosts that still come to it are counted here".to_owned());
        }
        Standing::Final(Outcome::Inconclusive(gap)) => {
            lines.push(words::gap(gap).1.to_owned());
            lines.push(format!("decide:   belay accept {id} --reason \"...\"   or   belay reject {id} --reason \"...\""));
        }
        Standing::Suspect => {
            lines.push(format!("watch:    belay watch {id}"));
            lines.push(format!("decide:   belay reject {id} --reason \"...\""));
        }
        Standing::Final(Outcome::Accepted) | Standing::OnTrial => {}
    }
    lines
}

/// What was good before, item by item: where to go back to.
fn undo(state: &State, change: &Change) -> Vec<String> {
    let scope = Scope { class: change.class.clone(), release: change.release.clone() };
    let mut lines = Vec::new();
    for (key, content) in &change.items {
        let Some((_, marked)) = state.acceptance.last_good(&scope, key, content) else { continue };
        let old = change.words.get(key).map(|words| words.old.as_str()).unwrap_or_default();
        let how = match marked.mark {
            Mark::Accepted(by) => format!("accepted by {by}"),
            Mark::Adopted if &*key.kind == DEPLOYMENT_KIND => "nothing new came with it".to_owned(),
            Mark::Adopted | Mark::OnTrial(_) | Mark::Rejected(_) => "there since enrolment".to_owned(),
        };
        if !old.is_empty() {
            lines.push(format!("undo:     {key} back to {} ({how})", words::brief(old)));
        }
    }
    lines.truncate(4);
    lines
}

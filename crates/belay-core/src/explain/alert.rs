//! The alert of a Change: everything a stranger needs at 3 a.m., made from the state at the moment
//! it is sent.

use super::change as words;
use crate::model::alert::{Alert, AlertPart};
use crate::model::change::Change;
use crate::model::ids::ChangeId;
use crate::model::item::Mark;
use crate::model::time::Timestamp;
use crate::model::verdict::{Finding, Outcome, Says, Standing};
use crate::state::{Scope, State};

/// The longest title, in characters.
pub const TITLE_MAX: usize = 120;

/// The alert of a Change as it stands at `now`; `None` when there is no such Change any more.
pub fn alert(state: &State, id: ChangeId, now: Timestamp) -> Option<Alert> {
    let change = state.changes.get(&id)?;
    let parts = [
        part("Change", what(change)),
        part("When", vec![words::times(change)]),
        part("Where", place(state, change)),
        part("Why", why(change)),
        part("Against", against(change)),
        part("Missing", missing(change)),
        part("Context", context(state, change, now)),
        part("Done", done(change)),
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

fn part(heading: &'static str, lines: Vec<String>) -> AlertPart {
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
    let status = change.standing.word().to_uppercase();
    let strongest = words::findings(change).iter().find(|finding| matches!(finding.says, Says::Harm | Says::Suspicion));
    let said = match (strongest, change.standing) {
        (Some(finding), _) => finding.text.clone(),
        (None, Standing::Final(Outcome::Inconclusive(gap))) => words::gap(gap).0.to_owned(),
        (None, _) => words::what(change),
    };
    let text = format!("[{status}] {} {}: {said}", change.id, change.class);
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
    if change.after_rejection > 0 {
        line.push_str(&format!("; {} of them after it was rejected", change.after_rejection));
    }
    vec![line]
}

fn lines_of(change: &Change, which: impl Fn(&Finding) -> bool) -> Vec<String> {
    words::findings(change).iter().filter(|finding| which(finding)).map(words::finding).collect()
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
    let failing = change.treated.keys().filter_map(|host| state.hosts.get(host)).filter(|host| host.trouble.is_some()).count();
    if failing > 0 {
        lines.push(format!("{failing} of its hosts sent a report that could not be read"));
    }
    lines
}

fn done(change: &Change) -> Vec<String> {
    match change.standing {
        Standing::Final(Outcome::Rejected) => {
            vec!["its content is marked rejected for this class and release; this version only observes: nothing was stopped, nothing reverted".to_owned()]
        }
        Standing::Final(_) | Standing::Suspect | Standing::OnTrial => vec![],
    }
}

fn next(state: &State, change: &Change) -> Vec<String> {
    let id = change.id;
    let mut lines = Vec::new();
    match change.standing {
        Standing::Final(Outcome::Rejected) => {
            lines.extend(undo(state, change));
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
            Mark::Adopted | Mark::OnTrial(_) | Mark::Rejected(_) => "there since enrolment".to_owned(),
        };
        if !old.is_empty() {
            lines.push(format!("undo:     {key} back to {} ({how})", words::brief(old)));
        }
    }
    lines.truncate(4);
    lines
}

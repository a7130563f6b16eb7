//! What a recorded run means for the catch: for a hold that has expired and waits for a rehearsal,
//! for what a stricter level of enforcement would have refused, and for a revert under way.

use std::collections::BTreeMap;

use super::draft::Draft;
use super::host_policy::known;
use super::intake::SKEW_MAX;
use super::notify::Pace;
use super::{holds, notify, reverts};
use crate::model::alert::Subject;
use crate::model::gate::{Enforce, Known};
use crate::model::hold::{Hold, HoldEnd, HoldState};
use crate::model::host::Host;
use crate::model::item::{Content, ItemKey, branch, environment_content};
use crate::model::principal::Actor;
use crate::model::report::{Event, EventOutcome, Report, RunKind};
use crate::model::run::Run;
use crate::state::{Fact, Scope, Would};

/// Lines kept of what a rehearsal would change on one host.
const LINES_MAX: usize = 20;

pub(super) fn follow(draft: &mut Draft<'_>, host: &Host, scope: &Scope, run: &Run, report: &Report) {
    if matches!(run.kind, RunKind::NoopWouldChange | RunKind::NoopUnchanged) {
        rehearsed(draft, host, scope, run, report);
    }
    if run.kind.applied() {
        would_have_refused(draft, host, scope, run);
        reverts::applied(draft, host, run);
    }
}

/// A rehearsal after the expiry of a hold: where all that would be applied is accepted for the
/// release, the host is handed over to the gate; else the hold goes on and says what waits. One that
/// was rehearsed before the expiry (and came late) says nothing of what would be applied now.
fn rehearsed(draft: &mut Draft<'_>, host: &Host, scope: &Scope, run: &Run, report: &Report) {
    let state = draft.state;
    let waits = |hold: &&Hold| hold.state(draft.now) == HoldState::Waiting && run.started + SKEW_MAX >= hold.until;
    let waiting: Vec<&Hold> = state.holds_on(host).filter(waits).collect();
    if waiting.is_empty() {
        return;
    }
    let would = unaccepted(draft, host, scope, report);
    for hold in waiting {
        let mut new = Hold { revision: hold.revision, ..hold.clone() };
        let id = hold.id;
        let what = if would.is_empty() {
            new.would_change.remove(&host.id);
            new.handed_over.insert(host.id.clone());
            format!("{id} has expired and {} is handed over: all that a run would apply is accepted", host.id)
        } else {
            new.would_change.insert(host.id.clone(), would.clone());
            format!("{id} has expired and still holds {}: a run would apply what is not accepted ({})", host.id, would.join("; "))
        };
        if new == *hold {
            continue;
        }
        if state.hosts.values().all(|other| !new.holds(other)) {
            let reason = "expired, and all its hosts were handed over".to_owned();
            new.end = Some(HoldEnd { at: draft.now, by: Actor("belay".to_owned()), reason });
        }
        if !would.is_empty() || new.end.is_some() {
            notify::tell_of(draft, &Subject::Hold(id), &holds::classes_of(state, hold), Pace::Gathered);
        }
        draft.push(Fact::HoldSet { hold: Box::new(new), actor: Actor("belay".to_owned()), what });
    }
}

/// What a rehearsal would apply that is neither accepted nor adopted, in words. Where an event does
/// not say its content, that is reason enough to wait.
fn unaccepted(draft: &Draft<'_>, host: &Host, scope: &Scope, report: &Report) -> Vec<String> {
    let good = |key: &ItemKey, content: &Content| matches!(known(draft.state, scope, key, content), Known::Accepted | Known::Adopted);
    let waits = |event: &&Event| match (&event.item, &event.content) {
        (Some(key), Some(content)) => !good(key, content),
        (Some(_), None) => true,
        (None, _) => false,
    };
    let mut lines: Vec<String> = Vec::new();
    if let Some(environment) = &report.environment {
        let class = draft.state.policy.class(&host.class);
        let due = host.release.as_ref().and_then(|release| class.environments.get(release));
        if let Some(due) = due.filter(|due| branch(due.as_str()) != branch(environment.as_str())) {
            lines.push(format!("environment {environment}, which does not belong to the release; it needs {due}"));
        } else if !good(&ItemKey::environment(), &environment_content(environment)) {
            lines.push(format!("environment {environment}"));
        }
    }
    let events = report.events.iter().filter(|event| event.outcome == EventOutcome::WouldApply).filter(waits);
    lines.extend(events.map(|event| event.item.as_ref().map_or_else(|| event.resource.clone(), ToString::to_string)));
    lines.dedup();
    lines.truncate(LINES_MAX);
    lines
}

/// While a class only observes, what a stricter level would have refused is counted, so that it is
/// known what enforcing would do before it does it.
fn would_have_refused(draft: &mut Draft<'_>, host: &Host, scope: &Scope, run: &Run) {
    let class = draft.state.policy.class(&host.class);
    if class.enforce >= Enforce::Rejected {
        return;
    }
    let due = host.release.as_ref().and_then(|release| class.environments.get(release));
    let mismatch = match (due, &run.environment) {
        (Some(due), Some(environment)) => branch(due.as_str()) != branch(environment.as_str()),
        _ => false,
    };
    let bad = |(key, content)| matches!(known(draft.state, scope, key, content), Known::Rejected(_));
    let rejected = run.delta.iter().chain(&run.restored).any(bad);
    let mismatch = mismatch && class.enforce < Enforce::ReleaseMatch;
    if !mismatch && !rejected {
        return;
    }
    let since = draft.state.census_of(&host.class).since.unwrap_or(draft.now);
    let before = draft.state.would.get(&host.class).copied().unwrap_or(Would { since, ..Would::default() });
    let would =
        Would { release_match: before.release_match + u64::from(mismatch), rejected: before.rejected + u64::from(rejected), ..before };
    draft.push(Fact::WouldHaveRefused { class: host.class.clone(), would });
}

/// Hosts by what a rehearsal of them would change, for whoever asks.
pub fn waiting_for(hold: &Hold) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for line in hold.would_change.values().flatten() {
        *counts.entry(line.clone()).or_insert(0) += 1;
    }
    counts
}

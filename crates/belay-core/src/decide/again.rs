//! A report under an id that is known. The same bytes are a repetition. A run is also told of by
//! several roads (the host's own report, its server's), in other words: that is one run all the same. Where
//! one road tells more or worse, the run is recorded again as that tells; where two roads contradict each
//! other, the first one is kept and the other put aside.

use super::Answer;
use super::delta::{self, Delta};
use super::draft::Draft;
use super::intake::{self, Arrival, Placed};
use crate::model::host::Host;
use crate::model::ids::{HostId, RunId};
use crate::model::item::{Content, ItemKey, Items};
use crate::model::report::{EventOutcome, Report, RunKind};
use crate::model::run::{EVENTS_KEPT, FAILED_KEPT, Run};
use crate::model::time::Span;
use crate::state::{Fact, NoteKind, Scope};

/// The same bytes once more.
pub(super) fn repeated(draft: &mut Draft<'_>, arrival: &Arrival<'_>, run: RunId) -> Answer {
    if let Some(inbox) = arrival.inbox {
        draft.push(Fact::InboxDone { inbox });
    }
    Answer::Run { run, duplicate: true }
}

/// Other bytes.
pub(super) fn by_another_road(draft: &mut Draft<'_>, arrival: &Arrival<'_>, host: &HostId, run: RunId) -> Answer {
    let report = &arrival.decoded.report;
    let at_hand = arrival.before.zip(draft.state.hosts.get(host)).zip(intake::place(report, arrival.received).ok());
    let Some(((before, known), placed)) = at_hand else { return contradicts(draft, arrival, host, run) };
    match compare(before, report, &placed) {
        Says::TheSame => repeated(draft, arrival, run),
        Says::More => amend(draft, arrival, known, before, &placed),
        Says::Otherwise => contradicts(draft, arrival, host, run),
    }
}

fn contradicts(draft: &mut Draft<'_>, arrival: &Arrival<'_>, host: &HostId, run: RunId) -> Answer {
    let report = &arrival.decoded.report;
    let text = format!("another report came under the id of {run} ({}); the first one is kept, this one is put aside", report.tool_run_id);
    draft.note(NoteKind::Security, &arrival.principal.actor(), Some(host), text.clone());
    draft.push(Fact::Quarantined { inbox: arrival.inbox, host: Some(host.clone()), digest: report.digest, reason: text.clone() });
    Answer::Conflict(text)
}

/// Both roads tell when the host began the run, by its own clock: they differ by how they round.
const SAME_START: Span = Span::from_s(2);

/// What another report of a run says beside the one that is recorded.
enum Says {
    TheSame,
    /// It was worse, or more was done.
    More,
    /// It cannot have been the same run, or it was no worse than the other says: the worse one counts.
    Otherwise,
}

fn compare(before: &Run, report: &Report, placed: &Placed) -> Says {
    let elsewhere = before.environment.as_ref().zip(report.environment.as_ref()).is_some_and(|(one, other)| one != other);
    let apart = before.started.since(placed.started).abs() > SAME_START;
    let (was, is) = (severity(&before.kind), severity(&report.kind));
    if elsewhere || apart || clashes(before, report) || is < was || (is > was && !is_bad(&report.kind)) {
        return Says::Otherwise;
    }
    let known = |key: &ItemKey| before.delta.contains_key(key) || before.restored.contains_key(key);
    let newly_applied = applied(report).any(|(key, _)| !known(key)) && before.event_count < count(report.events.len());
    let newly_failed = report.failed.iter().any(|failed| before.failed.iter().all(|known| known.resource != failed.resource));
    let is_kept_whole = before.failed.len() < FAILED_KEPT;
    if is > was || newly_applied || (newly_failed && is_kept_whole) {
        return Says::More;
    }
    Says::TheSame
}

/// Whether both say that the same item was set, to different contents.
fn clashes(before: &Run, report: &Report) -> bool {
    applied(report).any(|(key, content)| before.delta.get(key).or_else(|| before.restored.get(key)).is_some_and(|known| known != content))
}

fn applied(report: &Report) -> impl Iterator<Item = (&ItemKey, &Content)> {
    let applied = report.events.iter().filter(|event| event.outcome == EventOutcome::Applied);
    applied.filter_map(|event| event.item.as_ref().zip(event.content.as_ref()))
}

/// What a run that went well may not turn into by another road.
const fn is_bad(kind: &RunKind) -> bool {
    kind.is_failure() || matches!(kind, RunKind::Refused(_))
}

/// How bad a run was: of two roads that differ, the worse one counts.
const fn severity(kind: &RunKind) -> u8 {
    match kind {
        RunKind::Unchanged | RunKind::NoopUnchanged => 0,
        RunKind::NoopWouldChange | RunKind::Changed => 1,
        RunKind::Partial => 2,
        RunKind::CachedCatalog(_) => 3,
        RunKind::Refused(_) => 4,
        RunKind::NoCatalog(_) | RunKind::FailedCompile(_) | RunKind::Aborted(_) | RunKind::Failed => 5,
    }
}

/// Records the run again, as the worse or fuller report tells it.
fn amend(draft: &mut Draft<'_>, arrival: &Arrival<'_>, host: &Host, before: &Run, placed: &Placed) -> Answer {
    let report = &arrival.decoded.report;
    let scope = Scope { class: before.class.clone(), release: before.release.clone() };
    let first = before.first;
    // The version that the first report told says nothing of what that report did not tell.
    let unversioned = Host { version: None, ..host.clone() };
    let place = delta::Place { acceptance: &draft.state.acceptance, host: &unversioned, scope: &scope, started: placed.started, first };
    let news = without(delta::of(&place, report), before);
    let mut run = fuller(before, report, &news);
    if !first && !intake::release_unknown(draft.state, host) {
        run.change = before.change.or(intake::weigh(draft, host, &scope, &run, &news));
    }
    let text = format!("another road tells more of {}: {}, where it was told {}", run.id, run.kind.word(), before.kind.word());
    draft.note(NoteKind::Warning, &arrival.principal.actor(), Some(&host.id), text);
    let id = run.id;
    draft.push(Fact::RunRecorded { run: Box::new(run), inbox: arrival.inbox, actor: arrival.principal.actor() });
    Answer::Run { run: id, duplicate: true }
}

/// What the run is not known to have done yet. What it did by the first report is carried by now, and
/// would look as if it had been put back.
fn without(mut delta: Delta, before: &Run) -> Delta {
    let known = |key: &ItemKey| before.delta.contains_key(key) || before.restored.contains_key(key);
    for items in [&mut delta.items, &mut delta.restored, &mut delta.adopt] {
        items.retain(|key, _| !known(key));
    }
    delta.drift = count(delta.restored.len());
    delta
}

fn fuller(before: &Run, report: &Report, news: &Delta) -> Run {
    let with = |known: &Items, more: &Items| known.iter().chain(more).map(|(key, content)| (key.clone(), *content)).collect();
    let mut failed = before.failed.clone();
    failed.extend(report.failed.iter().filter(|new| before.failed.iter().all(|known| known.resource != new.resource)).cloned());
    failed.truncate(FAILED_KEPT);
    let more_events = count(report.events.len()) > before.event_count;
    Run {
        kind: if severity(&report.kind) > severity(&before.kind) { report.kind.clone() } else { before.kind.clone() },
        events: if more_events { report.events.iter().take(EVENTS_KEPT).cloned().collect() } else { before.events.clone() },
        event_count: before.event_count.max(count(report.events.len())),
        failed,
        delta: with(&before.delta, &news.items),
        drift: before.drift + news.drift,
        restored: with(&before.restored, &news.restored),
        ..before.clone()
    }
}

fn count(length: usize) -> u32 {
    length.try_into().unwrap_or(u32::MAX)
}

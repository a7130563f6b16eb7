//! A report came: it becomes a Run, the Run says what is new on the host, and what is new and not
//! known to be good arrives at the host's class.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::changes::{self, Arriving};
use super::delta::{self, Delta};
use super::draft::Draft;
use super::drift;
use super::{Answer, aftermath, again, assigned, deployed, deployments, reverts};
use crate::model::change::{Failure, Treated};
use crate::model::host::Host;
use crate::model::ids::{ChangeId, ClassName, Digest, HostId, InboxId, RunId};
use crate::model::item::{Content, ItemKey, Items, Mark};
use crate::model::principal::Principal;
use crate::model::report::{Decoded, Report, Version};
use crate::model::run::{EVENTS_KEPT, FAILED_KEPT, Run};
use crate::model::time::{Span, Timestamp};
use crate::state::{Fact, NoteKind, Scope, State};

/// A run that ended further in the future than this is not believed.
pub const AHEAD_MAX: Span = Span::from_min(5);
/// A run whose end lies further from its receipt than this is left out of tight comparisons.
pub const SKEW_MAX: Span = Span::from_min(2);
/// A run that claims to be older than this is placed at its receipt.
const AGE_MAX: Span = Span::from_min(400 * 24 * 60);

/// A decoded report with the circumstances of its coming.
pub(super) struct Arrival<'a> {
    pub(super) principal: &'a Principal,
    pub(super) decoded: &'a Decoded,
    pub(super) received: Timestamp,
    pub(super) inbox: Option<InboxId>,
    pub(super) earlier: Option<(RunId, Digest)>,
    pub(super) before: Option<&'a Run>,
    /// It tells of what was before Belay was there.
    pub(super) past: bool,
}

/// When a run was, in server time.
pub(super) struct Placed {
    pub(super) started: Timestamp,
    skewed: bool,
}

pub(super) fn report(draft: &mut Draft<'_>, arrival: &Arrival<'_>) -> Answer {
    let report = &arrival.decoded.report;
    let host = match HostId::parse(&report.host) {
        Ok(host) => host,
        Err(bad) => return put_aside(draft, arrival, None, format!("host: {bad}")),
    };
    if !arrival.principal.speaks_for(&host) {
        return forbidden(draft, arrival, &host);
    }
    if let Some((run, digest)) = earlier(draft.state, &host, arrival) {
        return match digest == report.digest {
            true => again::repeated(draft, arrival, run),
            false => again::by_another_road(draft, arrival, &host, run),
        };
    }
    let placed = match place(report, arrival.received) {
        Ok(placed) => placed,
        Err(reason) => return put_aside(draft, arrival, Some(&host), reason),
    };
    let run = record(draft, arrival, &host, &placed);
    Answer::Run { run, duplicate: false }
}

/// A report that does not say which version it is of, with the one that was deployed then, where that is known.
fn named<'r>(state: &State, report: &'r Report, placed: &Placed) -> Cow<'r, Report> {
    let unnamed = report.environment.as_ref().filter(|_| report.version == Version::Unknown);
    let version = unnamed.and_then(|environment| deployed::version(state, environment, placed.started, placed.started + report.took));
    match version {
        Some(version) => Cow::Owned(Report { version, ..report.clone() }),
        None => Cow::Borrowed(report),
    }
}

pub(super) fn unreadable(
    draft: &mut Draft<'_>,
    principal: &Principal,
    inbox: Option<InboxId>,
    host: Option<&str>,
    digest: Digest,
    reason: &str,
) -> Answer {
    let host = host.and_then(|name| HostId::parse(name).ok()).filter(|host| principal.speaks_for(host));
    draft.push(Fact::Quarantined { inbox, host, digest, reason: reason.to_owned() });
    Answer::Unprocessable(reason.to_owned())
}

fn earlier(state: &State, host: &HostId, arrival: &Arrival<'_>) -> Option<(RunId, Digest)> {
    let id = &arrival.decoded.report.tool_run_id;
    let known = state.hosts.get(host).and_then(|host| host.recent.iter().find(|seen| seen.tool_run_id == *id));
    known.map(|seen| (seen.run, seen.digest)).or(arrival.earlier)
}

fn put_aside(draft: &mut Draft<'_>, arrival: &Arrival<'_>, host: Option<&HostId>, reason: String) -> Answer {
    let digest = arrival.decoded.report.digest;
    draft.push(Fact::Quarantined { inbox: arrival.inbox, host: host.cloned(), digest, reason: reason.clone() });
    Answer::Unprocessable(reason)
}

/// Identity comes from the credential: who brings a report for another is told no, and both hosts
/// are named in the audit.
fn forbidden(draft: &mut Draft<'_>, arrival: &Arrival<'_>, host: &HostId) -> Answer {
    let actor = arrival.principal.actor();
    let text = format!("{actor} brought a report for {host}, for which its credential does not speak");
    draft.note(NoteKind::Security, &actor, Some(host), text.clone());
    if let Principal::Host(sender) = arrival.principal {
        draft.note(NoteKind::Security, &actor, Some(sender), text.clone());
    }
    let digest = arrival.decoded.report.digest;
    draft.push(Fact::Quarantined { inbox: arrival.inbox, host: None, digest, reason: text });
    Answer::Forbidden(format!("this credential does not speak for {host}"))
}

pub(super) fn place(report: &Report, received: Timestamp) -> Result<Placed, String> {
    let ended = report.started + report.took;
    let ahead = ended.since(received);
    if ahead > AHEAD_MAX {
        return Err(format!("time: the run ended {ahead} in the future ({ended}); set the host's clock right and send it again"));
    }
    let skewed = ahead.abs() > SKEW_MAX;
    let too_old = received.since(report.started) > AGE_MAX;
    let started = if too_old { received } else { report.started.min(received) };
    Ok(Placed { started, skewed })
}

/// Whether this host's release is not known although those of most of its class are: such a host is
/// never treated and never a peer.
pub(super) fn release_unknown(state: &State, host: &Host) -> bool {
    let census = state.census_of(&host.class);
    host.release.is_none() && census.with_release * 2 > census.hosts
}

fn record(draft: &mut Draft<'_>, arrival: &Arrival<'_>, id: &HostId, placed: &Placed) -> RunId {
    let report = &named(draft.state, &arrival.decoded.report, placed);
    let fresh;
    let host = match draft.state.hosts.get(id) {
        Some(host) => host,
        None => {
            let class = draft.state.policy.class_of(id, &BTreeMap::new());
            draft.push(Fact::HostEnrolled { host: id.clone(), class: class.clone() });
            fresh = Host::new(id.clone(), class, draft.now);
            &fresh
        }
    };
    let moved = if arrival.past { None } else { assigned::moved_by(draft, host, report) };
    let host = moved.as_ref().unwrap_or(host);
    let scope = Scope { class: host.class.clone(), release: host.release.clone() };
    let first = host.last_applied.is_none();
    let place = delta::Place { acceptance: &draft.state.acceptance, host, scope: &scope, started: placed.started, first };
    let delta = delta::of(&place, report);
    let mut run = run_of(draft.next_run(), report, arrival.received, placed, host, &delta);
    run.first = first;
    if arrival.past {
        // The release of then is not known: nothing is adopted by it, nothing is on trial, and nothing is told.
        run.first = false;
        let number = run.id;
        draft.push(Fact::RunRecorded { run: Box::new(run), inbox: arrival.inbox, actor: arrival.principal.actor() });
        return number;
    }
    let mut delta = delta;
    if moved.is_some() {
        assigned::arrives(draft.state, id, &scope, &mut delta);
    }
    let change = if first || release_unknown(draft.state, host) { None } else { weigh(draft, host, &scope, &run, &delta) };
    if first && is_what_the_class_runs(draft.state, &scope, &report.version) {
        adopt(draft, &scope, &delta.items);
    }
    adopt(draft, &scope, &delta.adopt);
    run.change = change;
    aftermath::follow(draft, host, &scope, &run, report);
    let number = run.id;
    draft.push(Fact::RunRecorded { run: Box::new(run), inbox: arrival.inbox, actor: arrival.principal.actor() });
    number
}

/// Whether a class is still being enrolled: within a day of the first of its hosts.
pub(super) fn enrolling(state: &State, class: &ClassName) -> bool {
    state.census_of(class).since.is_none_or(|since| state.now.since(since) <= ENROLMENT)
}

/// How long a class may take to be enrolled.
const ENROLMENT: Span = Span::from_min(24 * 60);

/// Whether a newcomer carries what its class runs: nobody of the class and release was heard of
/// before, or others carry the same version. A host that was installed this minute may be the first
/// to get the newest content; that content must not count as old because its host is new.
fn is_what_the_class_runs(state: &State, scope: &Scope, version: &Version) -> bool {
    match (state.versions.get(scope), version) {
        (None, _) => enrolling(state, &scope.class),
        (Some(carried), Version::Named(_)) => carried.contains_key(version),
        (Some(_), Version::Unknown) => false,
    }
}

/// What was there at first contact is adopted, unless the class already knows the item: then a
/// newcomer cannot bring content past the trial.
pub(super) fn adopt(draft: &mut Draft<'_>, scope: &Scope, items: &Items) {
    let unknown: Items =
        items.iter().filter(|(key, _)| !draft.state.acceptance.knows(scope, key)).map(|(key, content)| (key.clone(), *content)).collect();
    if !unknown.is_empty() {
        draft.push(Fact::ItemsMarked { scope: scope.clone(), items: unknown, mark: Mark::Adopted });
    }
}

fn run_of(id: RunId, report: &Report, received: Timestamp, placed: &Placed, host: &Host, delta: &Delta) -> Run {
    Run {
        id,
        host: host.id.clone(),
        class: host.class.clone(),
        release: host.release.clone(),
        tool: report.tool.clone(),
        tool_run_id: report.tool_run_id.clone(),
        digest: report.digest,
        kind: report.kind.clone(),
        started: placed.started,
        took: report.took,
        received,
        environment: report.environment.clone(),
        version: report.version.clone(),
        events: report.events.iter().take(EVENTS_KEPT).cloned().collect(),
        event_count: report.events.len().try_into().unwrap_or(u32::MAX),
        failed: report.failed.iter().take(FAILED_KEPT).cloned().collect(),
        delta: delta.items.clone(),
        drift: delta.drift,
        restored: delta.restored.clone(),
        skewed: placed.skewed,
        first: false,
        change: None,
    }
}

/// Whether the run brings something that must be judged, or says something of a trial under way.
pub(super) fn weigh(draft: &mut Draft<'_>, host: &Host, scope: &Scope, run: &Run, delta: &Delta) -> Option<ChangeId> {
    let mut items = delta.items.clone();
    items.extend(delta.attempted.iter().map(|(key, content)| (key.clone(), *content)));
    items.extend(delta.arrived.clone());
    items.retain(|key, content| match draft.state.acceptance.mark(scope, key, content) {
        Some(Mark::Adopted | Mark::Accepted(_)) => false,
        Some(Mark::OnTrial(_) | Mark::Rejected(_)) | None => true,
    });
    let mut words = delta.words.clone();
    if let Some((key, content, said)) = drift::wave(draft.state, host, &delta.restored, run.started) {
        items.insert(key.clone(), content);
        words.insert(key, said);
    }
    if let Some((key, content, said)) = reverts::is_return(draft.state, host, run).filter(|_| run.kind.applied()) {
        items.insert(key.clone(), content);
        words.insert(key, said);
    }
    items.extend(restored_but_bad(draft.state, host, scope, &delta.restored));
    if let Some((key, content, said)) = deployments::brought(draft.state, host, scope, run.environment.as_ref(), &items) {
        items.insert(key.clone(), content);
        words.insert(key, said);
    }
    let open = draft.state.open_change(&scope.class, scope.release.as_ref());
    let known = open.and_then(|change| change.treated.get(&host.id));
    let treated = Treated {
        onset: delta.onset.unwrap_or(run.started).clamp(run.started, run.received.max(run.started)),
        run: Some(run.id),
        skewed: run.skewed,
        environment: run.environment.clone().filter(|_| run.kind.applied()),
        failures: new_failures(host, known, run),
        compile_error: delta.compile_error.clone(),
        left: None,
    };
    if items.is_empty() {
        return follow_up(draft, open.map(|change| change.id), host, known, treated);
    }
    words.retain(|key, _| items.contains_key(key));
    let arriving = Arriving {
        host: host.id.clone(),
        scope: scope.clone(),
        version: run.version.clone(),
        environment: run.environment.clone(),
        items,
        words,
        treated,
    };
    changes::arrive(draft, arriving)
}

/// What was only put back and yet is no good here: content that was rejected for this class and
/// release (somebody had mended it by hand), and an environment that nobody has judged for the
/// release the host runs now.
fn restored_but_bad(state: &State, host: &Host, scope: &Scope, restored: &Items) -> Items {
    let bad = |key: &ItemKey, content: &Content| match state.acceptance.mark(scope, key, content) {
        Some(Mark::Rejected(_)) => !key.is_environment() && !host.put_back.contains(key),
        None => key.is_environment(),
        Some(Mark::Adopted | Mark::Accepted(_) | Mark::OnTrial(_)) => false,
    };
    restored.iter().filter(|(key, content)| bad(key, content)).map(|(key, content)| (key.clone(), *content)).collect()
}

/// A later run of a treated host brings nothing new, but it may fail again, or no longer.
fn follow_up(draft: &mut Draft<'_>, open: Option<ChangeId>, host: &Host, known: Option<&Treated>, new: Treated) -> Option<ChangeId> {
    let (change, known) = (open?, known?);
    if new.failures.is_empty() && new.compile_error == known.compile_error {
        return None;
    }
    let treated = Treated { onset: known.onset, run: known.run, ..new };
    draft.push(Fact::ChangeJoined {
        change,
        treated: BTreeMap::from([(host.id.clone(), treated)]),
        items: Items::new(),
        words: BTreeMap::new(),
        after_rejection: false,
    });
    Some(change)
}

/// Resources that fail now and did not before the host was treated.
fn new_failures(host: &Host, known: Option<&Treated>, run: &Run) -> BTreeMap<String, Failure> {
    let counted = |resource: &String| known.is_some_and(|treated| treated.failures.contains_key(resource));
    run.failed
        .iter()
        .filter(|failed| counted(&failed.resource) || !host.failing.contains(&failed.resource))
        .map(|failed| (failed.resource.clone(), Failure { times: 1, message: failed.message.clone() }))
        .collect()
}

//! Reverts: what would come back, who goes when, how it went. The return is to what was last
//! accepted for the release, else adopted; the old configuration is not the safe side by definition.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::Draft;
use super::notify::{self, Pace};
use super::{Answer, deployments};
use crate::host::policy::{Pin, RevertWay};
use crate::host::talk::RevertResult;
use crate::model::change::{Change, ItemWords};
use crate::model::gate::HoldOrder;
use crate::model::hold::{Hold, HoldScope};
use crate::model::host::Host;
use crate::model::ids::{ChangeId, ClassName, Environment, HoldId, HostId, RevertId};
use crate::model::item::{COMPILE_KIND, DEPLOYMENT_KIND, DRIFT_KIND, ItemKey, Mark, RELEASE_KIND, REVERT_KIND, environment_content};
use crate::model::policy::Pattern;
use crate::model::principal::{Actor, Principal, Role};
use crate::model::revert::{AT_ONCE, FAILURES_MAX, HOLD_FOR, PATIENCE, PIN_FOR, Plan, Progress, Revert};
use crate::model::run::Run;
use crate::model::time::Timestamp;
use crate::state::{Fact, NoteKind, Scope, State};

/// The longest reason, in characters.
const REASON_MAX: usize = 1000;

/// What reverting a Change would do; none when there is no such Change.
pub fn plan(state: &State, id: ChangeId) -> Option<Plan> {
    let change = state.changes.get(&id)?;
    let scope = Scope { class: change.class.clone(), release: change.release.clone() };
    let mut plan = Plan::default();
    let environment = environment(state, change, &scope);
    for key in change.items.keys() {
        sort(state, change, &scope, key, environment.as_ref(), &mut plan);
    }
    for id in change.treated.keys() {
        let Some(host) = state.hosts.get(id) else { continue };
        match way(state, change, host, environment.as_ref(), &plan) {
            Ok(way) => drop(plan.ways.insert(id.clone(), way)),
            Err(why) => drop(plan.left_out.insert(id.clone(), why)),
        }
    }
    Some(plan)
}

/// The environment that is good for this class and release: the deployment before the one it came with, else the one its
/// release needs, else the one that was there before the Change.
fn environment(state: &State, change: &Change, scope: &Scope) -> Option<Environment> {
    if let Some(before) = deployments::before(state, change, scope) {
        return Some(before);
    }
    let class = state.policy.class(&change.class);
    let bad = change.environment.as_ref();
    let good = |environment: &&Environment| {
        let mark = state.acceptance.mark(scope, &ItemKey::environment(), &environment_content(environment));
        Some(*environment) != bad && !matches!(mark, Some(Mark::Rejected(_) | Mark::OnTrial(_)))
    };
    let due = change.release.as_ref().and_then(|release| class.environments.get(release)).filter(good);
    let before = || {
        let words = change.words.get(&ItemKey::environment())?;
        let before = Environment::parse(&words.old).ok()?;
        let mark = state.acceptance.mark(scope, &ItemKey::environment(), &environment_content(&before));
        matches!(mark, Some(Mark::Accepted(_) | Mark::Adopted)).then_some(before)
    };
    due.cloned().or_else(before)
}

/// Whether an item comes back, remains or cannot be undone. Tools do not undo: what an older
/// configuration does not mention stays.
fn sort(state: &State, change: &Change, scope: &Scope, key: &ItemKey, environment: Option<&Environment>, plan: &mut Plan) {
    let words = change.words.get(key).cloned().unwrap_or_default();
    let content = change.items[key];
    let good = state.acceptance.last_good(scope, key, &content).is_some();
    match &*key.kind {
        RELEASE_KIND => drop(plan.cannot.insert(key.clone(), "Belay deploys no releases".to_owned())),
        COMPILE_KIND => drop(plan.remain.insert(key.clone(), "nothing was applied where it did not compile".to_owned())),
        DRIFT_KIND | REVERT_KIND => drop(plan.remain.insert(key.clone(), "it was only put back, by the tool itself".to_owned())),
        _ if key.is_environment() || &*key.kind == DEPLOYMENT_KIND => match environment {
            Some(environment) => drop(plan.restored.insert(key.clone(), format!("{environment}"))),
            None => drop(plan.cannot.insert(key.clone(), "no environment is known to be good for this release".to_owned())),
        },
        _ if words.old == "absent" => {
            drop(
                plan.remain
                    .insert(key.clone(), "it was not there before, and the tool does not remove what it no longer manages".to_owned()),
            );
        }
        "Exec" => drop(plan.cannot.insert(key.clone(), "a command that was run stays run".to_owned())),
        _ if environment.is_some() || (good && sum(&words).is_some()) => drop(plan.restored.insert(key.clone(), words.old.clone())),
        _ if good => drop(plan.remain.insert(key.clone(), "it needs a command that the hosts declare themselves".to_owned())),
        _ => drop(plan.cannot.insert(key.clone(), "nothing is known that was good here before".to_owned())),
    }
}

/// The sum of what a file held before, where the report said it: `{sha256}...`.
fn sum(words: &ItemWords) -> Option<String> {
    let (algorithm, digits) = words.old.strip_prefix('{')?.split_once('}')?;
    let whole = digits.len() >= 32 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    (whole && !algorithm.is_empty()).then(|| digits.to_owned())
}

fn way(state: &State, change: &Change, host: &Host, environment: Option<&Environment>, plan: &Plan) -> Result<RevertWay, String> {
    if host.release != change.release {
        return Err("it runs another release by now".to_owned());
    }
    let carries = |key: &ItemKey| host.items.get(key).is_some_and(|carried| change.items.get(key) == Some(&carried.content));
    if !plan.restored.keys().any(carries) {
        return Err("it carries nothing of it any more".to_owned());
    }
    if state.reverts.values().any(|revert| revert.goes_on() && revert.hosts.contains_key(&host.id)) {
        return Err("another revert of it goes on".to_owned());
    }
    if let Some(environment) = environment {
        return Ok(RevertWay::PinAndRun { environment: environment.clone() });
    }
    let files: BTreeMap<String, String> = plan
        .restored
        .keys()
        .filter(|key| carries(key) && key.title.starts_with('/'))
        .filter_map(|key| Some((key.title.to_string(), sum(change.words.get(key)?)?)))
        .collect();
    Ok(if files.is_empty() { RevertWay::Declared } else { RevertWay::Restore { files } })
}

pub(super) fn ask(draft: &mut Draft<'_>, principal: &Principal, id: ChangeId, reason: &str) -> Answer {
    let actor = principal.actor();
    if !principal.has(Role::Operator) {
        draft.note(NoteKind::Security, &actor, None, format!("{actor} tried to revert {id} without the role of an operator"));
        return Answer::Forbidden("a revert needs the role of an operator".to_owned());
    }
    if reason.trim().is_empty() {
        return Answer::Unprocessable("reason: it is empty; say why, it is shown with the Change for ever".to_owned());
    }
    if reason.chars().count() > REASON_MAX {
        return Answer::Unprocessable(format!("reason: it is longer than {REASON_MAX} characters"));
    }
    let Some(change) = draft.state.changes.get(&id) else {
        return Answer::NotFound(format!("there is no Change {id} that could be reverted"));
    };
    let plan = plan(draft.state, id).unwrap_or_default();
    if plan.ways.is_empty() {
        let why = plan.left_out.iter().next().map(|(host, why)| format!(": {host}: {why}")).unwrap_or_default();
        return Answer::Unprocessable(format!("no host can go back from {id}{why}"));
    }
    let number = draft.next_revert();
    let hold = hold(draft, &plan, &actor, number, id, reason.trim());
    let revert = Revert {
        id: number,
        change: id,
        asked: draft.now,
        by: actor.clone(),
        reason: reason.trim().to_owned(),
        hosts: plan.ways.keys().map(|host| (host.clone(), Progress::Waiting)).collect(),
        ways: plan.ways,
        hold,
        stopped: None,
    };
    let class = change.class.clone();
    let what = format!("{actor} asked to revert {id} on {} hosts ({number}): {}", revert.hosts.len(), revert.reason);
    step(draft, revert, actor, what, &class);
    Answer::Revert(number)
}

/// A file that comes back from a backup is replaced by the next run, unless nothing runs: the hosts that
/// are not pinned are held for a day. Whoever asked for the revert owns the hold.
fn hold(draft: &mut Draft<'_>, plan: &Plan, actor: &Actor, revert: RevertId, change: ChangeId, reason: &str) -> Option<HoldId> {
    let hosts: Vec<Pattern> = plan.held().map(|host| Pattern::new(host.as_str())).collect();
    if hosts.is_empty() {
        return None;
    }
    let id = draft.next_hold();
    let order = HoldOrder {
        id,
        owner: actor.0.clone(),
        reason: format!("{revert} takes back {change} ({reason}), and the next run would undo it"),
        ticket: None,
        contact: actor.0.clone(),
        placed: draft.now,
        until: draft.now + HOLD_FOR,
        imports: None,
    };
    let hold = Hold::placed(order, HoldScope { classes: BTreeSet::new(), hosts });
    let what = format!("{actor} placed {id} with {revert} on {} hosts", hold.scope.hosts.len());
    draft.push(Fact::HoldSet { hold: Box::new(hold), actor: actor.clone(), what });
    Some(id)
}

/// Ends a revert: hosts whose turn has not come stay as they are.
pub(super) fn stop(draft: &mut Draft<'_>, principal: &Principal, id: RevertId, reason: &str) -> Answer {
    let actor = principal.actor();
    if !principal.has(Role::Operator) {
        return Answer::Forbidden("to stop a revert needs the role of an operator".to_owned());
    }
    let Some(revert) = draft.state.reverts.get(&id) else { return Answer::NotFound(format!("there is no revert {id}")) };
    if !revert.goes_on() {
        return Answer::Conflict(format!("{id} is over"));
    }
    let mut revert = revert.clone();
    revert.stopped = Some(format!("{actor} stopped it: {}", reason.trim()));
    let what = format!("{actor} stopped {id}: {}", reason.trim());
    draft.push(Fact::RevertSet { revert: Box::new(revert), actor, what });
    Answer::Done
}

/// Records how a revert stands, after those whose turn has come were asked.
fn step(draft: &mut Draft<'_>, mut revert: Revert, actor: Actor, what: String, class: &ClassName) {
    give_turns(draft, &mut revert);
    notify::tell(draft, revert.change, class, Pace::Gathered);
    draft.push(Fact::RevertSet { revert: Box::new(revert), actor, what });
}

/// A few hosts at a time. A pin is set with the turn, so that the classifier and the next run agree.
fn give_turns(draft: &mut Draft<'_>, revert: &mut Revert) {
    if revert.stopped.is_some() {
        return;
    }
    let going = revert.count(|progress| matches!(progress, Progress::Asked(_)));
    let waiting = revert.hosts.iter().filter(|(_, progress)| **progress == Progress::Waiting).map(|(host, _)| host.clone());
    let most = AT_ONCE.saturating_sub(going).min(draft.slots().free());
    let turns: Vec<HostId> = waiting.take(most).collect();
    for host in turns {
        if let Some(RevertWay::PinAndRun { environment }) = revert.ways.get(&host) {
            let pin = Pin {
                environment: environment.clone(),
                until: draft.now + PIN_FOR,
                reason: format!("{} takes back {}: {}", revert.id, revert.change, revert.reason),
                by: revert.by.0.clone(),
            };
            draft.push(Fact::PinSet { host: host.clone(), pin: Some(pin), actor: revert.by.clone() });
        }
        draft.slots().take(Some(revert.id), &host);
        revert.hosts.insert(host, Progress::Asked(draft.now));
    }
}

/// A host told how it went.
pub(super) fn result(draft: &mut Draft<'_>, host: &HostId, result: &RevertResult) {
    let Some(revert) = draft.state.reverts.get(&result.id) else { return };
    if !matches!(revert.hosts.get(host), Some(Progress::Asked(_))) {
        return;
    }
    let progress = match &result.outcome {
        Ok(()) => Progress::Done(draft.now),
        Err(why) => Progress::Failed(why.chars().take(200).collect()),
    };
    progressed(draft, revert, host, progress);
}

/// A run came to a host that was asked to go back: where it got the environment it was pinned to,
/// that is done.
pub(super) fn applied(draft: &mut Draft<'_>, host: &Host, run: &Run) {
    let asked = |revert: &&Revert| matches!(revert.hosts.get(&host.id), Some(Progress::Asked(at)) if run.received >= *at);
    let Some(revert) = draft.state.reverts.values().find(asked) else { return };
    let Some(RevertWay::PinAndRun { environment }) = revert.ways.get(&host.id) else { return };
    if run.environment.as_ref() == Some(environment) && run.failed.is_empty() {
        progressed(draft, revert, &host.id, Progress::Done(draft.now));
    }
}

/// The item that stands for a host's return, where this run is one: its trial tells whether the
/// return did good.
pub(super) fn is_return(state: &State, host: &Host, run: &Run) -> Option<(ItemKey, crate::model::ids::Digest, ItemWords)> {
    let going = |revert: &&Revert| match revert.hosts.get(&host.id) {
        Some(Progress::Asked(at)) => run.received >= *at && revert.stopped.is_none(),
        Some(Progress::Done(at)) => run.received.since(*at) <= PATIENCE && run.received >= *at && !is_pinned_way(revert, &host.id),
        Some(Progress::Waiting | Progress::Failed(_)) | None => false,
    };
    let revert = state.reverts.values().find(going)?;
    let key = ItemKey::new(REVERT_KIND, "class", &revert.id.to_string());
    let content = crate::model::ids::Digest::of_parts(["revert", &revert.id.to_string(), &revert.change.to_string()]);
    Some((key, content, ItemWords { old: String::new(), new: format!("of {}", revert.change) }))
}

fn is_pinned_way(revert: &Revert, host: &HostId) -> bool {
    matches!(revert.ways.get(host), Some(RevertWay::PinAndRun { .. }))
}

fn progressed(draft: &mut Draft<'_>, revert: &Revert, host: &HostId, progress: Progress) {
    let mut new = revert.clone();
    let said = match &progress {
        Progress::Failed(why) => format!("{host} did not go back: {why}"),
        _ => format!("{host} went back"),
    };
    new.hosts.insert(host.clone(), progress);
    draft.slots().give_back(new.id, host);
    stop_on_failures(&mut new);
    let class = class_of(draft.state, new.change);
    let what = format!("{}: {said}", new.id);
    step(draft, new, Actor(format!("host:{host}")), what, &class);
}

fn class_of(state: &State, change: ChangeId) -> ClassName {
    state.changes.get(&change).map_or_else(crate::model::policy::default_class, |change| change.class.clone())
}

fn stop_on_failures(revert: &mut Revert) {
    let failed = revert.count(|progress| matches!(progress, Progress::Failed(_)));
    if revert.stopped.is_none() && failed >= FAILURES_MAX && failed * 5 > revert.hosts.len() {
        revert.stopped = Some(format!("it failed on {failed} of {} hosts; look at them before you go on", revert.hosts.len()));
    }
}

/// What time brings: hosts that were asked and never answered count as failed, and others get their turn where there is a place
/// for them again.
pub(super) fn advance(draft: &mut Draft<'_>) {
    for revert in draft.state.reverts.values().filter(|revert| revert.goes_on()) {
        let late = |progress: &Progress, now: Timestamp| matches!(progress, Progress::Asked(at) if now.since(*at) > PATIENCE);
        let hosts: Vec<HostId> = revert.hosts.iter().filter(|(_, p)| late(p, draft.now)).map(|(host, _)| host.clone()).collect();
        if hosts.is_empty() {
            more(draft, revert);
            continue;
        }
        let mut new = revert.clone();
        for host in &hosts {
            draft.slots().give_back(new.id, host);
            new.hosts.insert(host.clone(), Progress::Failed(format!("it did not answer within {PATIENCE}")));
        }
        stop_on_failures(&mut new);
        let (class, what) = (class_of(draft.state, new.change), format!("{}: {} hosts did not answer", new.id, hosts.len()));
        step(draft, new, Actor("belay".to_owned()), what, &class);
    }
}

/// Asks those for whom there was no place before.
fn more(draft: &mut Draft<'_>, revert: &Revert) {
    let mut new = revert.clone();
    give_turns(draft, &mut new);
    let asked = |revert: &Revert| revert.count(|progress| matches!(progress, Progress::Asked(_)));
    let more = asked(&new) - asked(revert);
    if more > 0 {
        let what = format!("{}: {more} more hosts are asked", new.id);
        draft.push(Fact::RevertSet { revert: Box::new(new), actor: Actor("belay".to_owned()), what });
    }
}

//! A trial was looked at: what follows from it.

use std::collections::BTreeSet;

use super::Answer;
use super::draft::Draft;
use super::notify::Pace;
use super::waves::{self, Then};
use super::{notify, trial};
use crate::explain::change as explain;
use crate::model::alert::Subject;
use crate::model::change::{Change, Treated};
use crate::model::host::Host;
use crate::model::ids::{ChangeId, Digest, HostId};
use crate::model::item::{COMPILE_KIND, Content, DEPLOYMENT_KIND, DRIFT_KIND, ItemKey, Items, Mark, RELEASE_KIND, REVERT_KIND};
use crate::model::revert::Revert;
use crate::model::time::{Span, Timestamp};
use crate::model::verdict::{Finding, Gap, Judge, Look, Outcome, Says, Standing, Verdict};
use crate::state::{Fact, Scope};

pub(super) fn looked(draft: &mut Draft<'_>, id: ChangeId, look: &Look, evidence: Digest) -> Answer {
    let Some(change) = draft.state.changes.get(&id) else { return Answer::Done };
    if !change.open() {
        after_rejection(draft, change, look);
        return Answer::Done;
    }
    match look.standing {
        Standing::Final(outcome) => {
            let (outcome, findings) = guarded(draft, change, outcome, look);
            match waves::then(draft, change, outcome) {
                Then::Concludes => {}
                Then::Waits => return Answer::Done,
                Then::OpensNext => {
                    waves::open_next(draft, change);
                    notify::tell(draft, id, &change.class, Pace::Gathered);
                    return Answer::Done;
                }
            }
            let verdict =
                Verdict { outcome, at: draft.now, by: Judge::Belay, findings, lacks: look.lacks.clone(), evidence: Some(evidence) };
            conclude(draft, change, verdict);
        }
        Standing::OnTrial | Standing::Suspect if news(change.look.as_ref(), look) => {
            let was = change.standing;
            draft.push(Fact::Looked { change: id, look: Box::new(look.clone()) });
            if look.standing == Standing::Suspect && was != Standing::Suspect && not_said_lately(draft, id) {
                notify::tell(draft, id, &change.class, Pace::AtOnce);
            }
        }
        Standing::OnTrial | Standing::Suspect => {}
    }
    Answer::Done
}

/// A suspicion that comes and goes is told of once in ten minutes.
fn not_said_lately(draft: &Draft<'_>, id: ChangeId) -> bool {
    draft.state.alerted.get(&Subject::Change(id)).is_none_or(|last| draft.now.since(*last) >= Span::from_min(10))
}

/// A rejected Change keeps its verdict. Where its harm shows on more hosts than before, that is
/// recorded, so that the alert says how far it went.
fn after_rejection(draft: &mut Draft<'_>, change: &Change, look: &Look) {
    if !trial::rejected_by_belay(change) || harmed(&look.findings) <= harmed(explain::findings(change)) {
        return;
    }
    let look = Look { standing: change.standing, ..look.clone() };
    draft.push(Fact::Looked { change: change.id, look: Box::new(look) });
    notify::tell(draft, change.id, &change.class, Pace::Gathered);
}

/// The most hosts of which any finding says harm.
fn harmed(findings: &[Finding]) -> usize {
    findings.iter().filter(|finding| finding.says == Says::Harm).map(|finding| finding.hosts.len()).max().unwrap_or(0)
}

/// The last wall of promise 1, whatever the judge says: where something that must be seen was not
/// seen, nothing is accepted; nor where a part of the Change did harm before another part came.
fn guarded(draft: &Draft<'_>, change: &Change, outcome: Outcome, look: &Look) -> (Outcome, Vec<Finding>) {
    let mut findings = look.findings.clone();
    if outcome != Outcome::Accepted {
        return (outcome, findings);
    }
    if look.lacks.iter().any(|lack| lack.must_have) {
        return (Outcome::Inconclusive(Gap::NoData), findings);
    }
    findings.iter_mut().filter(|finding| harmed_in_part(draft, change, finding)).for_each(|finding| finding.says = Says::Suspicion);
    findings.sort_by_key(|finding| finding.says != Says::Suspicion);
    let suspicious = findings.first().is_some_and(|finding| finding.says == Says::Suspicion);
    (if suspicious { Outcome::Inconclusive(Gap::Conflicting) } else { outcome }, findings)
}

/// Whether a finding says that hosts are well now and were not while they carried only a part of the
/// Change, which they still carry: a release without the files it needs. All of it together may be
/// good, but that part would be accepted with it, and a host to which it comes alone would open no trial.
fn harmed_in_part(draft: &Draft<'_>, change: &Change, finding: &Finding) -> bool {
    let mut signals = draft.state.policy.signals_of(&change.class);
    let step = signals.find(|signal| Some(&signal.name) == finding.signal.as_ref()).map_or(Span::ZERO, |signal| signal.step);
    // A sign is placed at the beginning of its step; what brought it may have come within.
    let by_then = |host: &HostId, sick: Timestamp| {
        let first = draft.state.hosts.get(host).and_then(|host| trial::first_part(draft.state, change, host));
        first.is_some_and(|first| first < sick + step)
    };
    let sick = finding.since.filter(|_| finding.says == Says::Fine);
    sick.is_some_and(|sick| finding.hosts.iter().any(|host| by_then(host, sick)))
}

/// Whether a look says anything that the one before did not.
fn news(before: Option<&Look>, now: &Look) -> bool {
    let Some(before) = before else { return true };
    let gist = |look: &Look| {
        let findings: Vec<_> = look.findings.iter().map(|f| (f.check, f.signal.clone(), f.says, f.hosts.clone())).collect();
        (look.standing, findings, look.lacks.clone())
    };
    gist(before) != gist(now)
}

/// Gives a Change its verdict: its items get their mark, and those who should know are told.
pub(super) fn conclude(draft: &mut Draft<'_>, change: &Change, verdict: Verdict) {
    let (outcome, by) = (verdict.outcome, verdict.by.clone());
    let harmed = harmed_hosts(&verdict.findings);
    let scope = Scope { class: change.class.clone(), release: change.release.clone() };
    draft.push(Fact::Decided { change: change.id, verdict: Box::new(verdict) });
    mark(draft, change, &scope, &by, outcome, &harmed);
    if outcome != Outcome::Inconclusive(Gap::NoSignals) {
        let worth = outcome != Outcome::Accepted || draft.state.alerted.contains_key(&Subject::Change(change.id));
        if worth {
            notify::tell(draft, change.id, &change.class, Pace::AtOnce);
        }
    }
    // What a return is worth belongs into the alert of what was taken back.
    let returned = |revert: &&Revert| change.items.contains_key(&ItemKey::new(REVERT_KIND, "class", &revert.id.to_string()));
    if let Some(revert) = draft.state.reverts.values().find(returned) {
        notify::tell(draft, revert.change, &change.class, Pace::AtOnce);
    }
}

/// Gives the contents of a Change their mark. A person's word is about all of them. Belay's own is
/// about what it saw: it accepts what a host carried long enough, and rejects what a harmed host has.
/// The rest stays on trial, and is tried anew when it comes again.
fn mark(draft: &mut Draft<'_>, change: &Change, scope: &Scope, by: &Judge, outcome: Outcome, harmed: &BTreeSet<HostId>) {
    let mark = match outcome {
        Outcome::Accepted => Mark::Accepted(change.id),
        Outcome::Rejected => Mark::Rejected(change.id),
        Outcome::Inconclusive(_) => return,
    };
    let state = draft.state;
    let mut sets = match by {
        Judge::Belay => state.acceptance.on_trial(scope, change.id),
        Judge::Person { .. } | Judge::Successor(_) => {
            let mut sets = state.acceptance.of_change(scope, change.id);
            sets.push(change.items.clone());
            sets
        }
    };
    if *by == Judge::Belay {
        let bake = state.policy.class(&change.class).bake;
        let seen = |host: &HostId, treated: &Treated| match outcome {
            Outcome::Accepted => !treated.skewed && treated.onset + bake <= draft.now,
            // A finding that names no host speaks of all of them.
            Outcome::Rejected | Outcome::Inconclusive(_) => harmed.is_empty() || harmed.contains(host),
        };
        let hosts: Vec<&Host> =
            change.treated.iter().filter(|(id, treated)| seen(id, treated)).filter_map(|(id, _)| state.hosts.get(id)).collect();
        sets.iter_mut().for_each(|items| items.retain(|key, content| concerns(change, key, content, &hosts, outcome)));
        if outcome == Outcome::Rejected && sets.iter().flatten().any(|(key, _)| !key.stands_for_something()) {
            // Where content can be blamed, the release that came with it is not.
            sets.iter_mut().for_each(|items| items.retain(|key, _| &*key.kind != RELEASE_KIND));
        }
    }
    for items in sets.into_iter().filter(|items| !items.is_empty()) {
        draft.push(Fact::ItemsMarked { scope: scope.clone(), items, mark });
    }
    if outcome == Outcome::Accepted && change.brings_release() {
        let items = carried_along(draft, change, scope);
        draft.push(Fact::ItemsMarked { scope: scope.clone(), items, mark });
    }
}

/// Whether a verdict of Belay's own is about a content: a host that was looked at has it.
fn concerns(change: &Change, key: &ItemKey, content: &Content, hosts: &[&Host], outcome: Outcome) -> bool {
    let treated = |host: &Host| change.treated.get(&host.id);
    match &*key.kind {
        RELEASE_KIND => hosts.iter().any(|host| host.release == change.release),
        COMPILE_KIND => outcome == Outcome::Rejected && hosts.iter().any(|host| treated(host).is_some_and(|t| t.compile_error.is_some())),
        DRIFT_KIND | REVERT_KIND | DEPLOYMENT_KIND => true,
        _ => hosts.iter().any(|host| match host.items.get(key) {
            Some(carried) => carried.content == *content,
            // Nothing carries what could not be applied.
            None => outcome == Outcome::Rejected && treated(host).is_some_and(|t| !t.failures.is_empty()),
        }),
    }
}

/// The hosts of which any finding says harm.
fn harmed_hosts(findings: &[Finding]) -> BTreeSet<HostId> {
    findings.iter().filter(|finding| finding.says == Says::Harm).flat_map(|finding| finding.hosts.iter().cloned()).collect()
}

/// A release that proved good proved it together with what its hosts carry: their other items are
/// accepted for it as well, where nothing is known of them yet. Only hosts to which something was
/// applied since they run the release have a say: before that they carry what the old release left.
fn carried_along(draft: &Draft<'_>, change: &Change, scope: &Scope) -> Items {
    let applied_since = |host: &&Host| {
        let onset = change.treated.get(&host.id).map(|treated| (treated.run.is_some(), treated.onset));
        onset.is_some_and(|(by_run, onset)| by_run || host.last_applied.is_some_and(|at| at >= onset))
    };
    let hosts = change.treated.keys().filter_map(|host| draft.state.hosts.get(host));
    hosts
        .filter(|host| host.release == change.release)
        .filter(applied_since)
        .flat_map(|host| &host.items)
        .filter(|(key, carried)| draft.state.acceptance.mark(scope, key, &carried.content).is_none())
        .map(|(key, carried)| (key.clone(), carried.content))
        .collect()
}

//! Content arrives at a class: it joins a Change, opens one, or takes the place of one.
//!
//! There is at most one open Change for a class and release. Where content is deployed in place
//! (all that is known here) newer content cannot queue: the old trial ends *inconclusive
//! (superseded)* and its items and hosts join the new one.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::Draft;
use super::{notify, waves};
use crate::model::change::{Change, ItemWords, Treated};
use crate::model::ids::{ChangeId, Environment, HostId};
use crate::model::item::{COMPILE_KIND, ItemKey, Items, Mark};
use crate::model::log::LogEvidence;
use crate::model::report::Version;
use crate::model::verdict::{Gap, Judge, Outcome, Standing, Verdict};
use crate::state::{Fact, Scope};

/// Content that came to a host and is not known to be good there.
pub(super) struct Arriving {
    /// The host.
    pub(super) host: HostId,
    /// Its class and release.
    pub(super) scope: Scope,
    /// Provenance of the content.
    pub(super) version: Version,
    /// The environment the host got.
    pub(super) environment: Option<Environment>,
    /// The items.
    pub(super) items: Items,
    /// Their text for people.
    pub(super) words: BTreeMap<ItemKey, ItemWords>,
    /// What the host contributes to the trial.
    pub(super) treated: Treated,
}

/// The same words for every item of a set.
pub(super) fn words_of(items: &Items, old: &str, new: &str) -> BTreeMap<ItemKey, ItemWords> {
    items.keys().map(|key| (key.clone(), ItemWords { old: old.to_owned(), new: new.to_owned() })).collect()
}

/// Sorts the items by what is known of them and lets them join, open or supersede. Answers with
/// the Change the host is treated by, if any.
pub(super) fn arrive(draft: &mut Draft<'_>, arriving: Arriving) -> Option<ChangeId> {
    let sorted = sort(draft, &arriving);
    let mut joined = None;
    for (change, after_rejection) in sorted.decided {
        join(draft, change, &arriving, Items::new(), after_rejection);
        joined = Some(change);
    }
    if sorted.new.is_empty() && sorted.on_trial.is_none() {
        return joined;
    }
    let open = draft.state.open_change(&arriving.scope.class, arriving.scope.release.as_ref());
    let change = match open {
        Some(open) if sorted.on_trial == Some(open.id) || belongs(draft, open, &arriving, &sorted.new) => {
            let id = open.id;
            mark(draft, &arriving.scope, &sorted.new, id);
            join(draft, id, &arriving, sorted.new, false);
            id
        }
        // What does not compile was not deployed: it takes no place from what was.
        Some(_) if only_compile_errors(&sorted.new) => return joined,
        Some(open) => supersede(draft, open, &arriving, &sorted.new),
        None => {
            let id = open_change(draft, &arriving, sorted.new, sorted.retries);
            join(draft, id, &arriving, Items::new(), false);
            id
        }
    };
    Some(change)
}

fn only_compile_errors(items: &Items) -> bool {
    items.keys().all(|key| &*key.kind == COMPILE_KIND)
}

/// The items of an arrival by what is known of them.
struct Sorted {
    /// Never seen here, or seen in a trial that came to nothing.
    new: Items,
    /// The open Change some of them are on trial in.
    on_trial: Option<ChangeId>,
    /// Decided Changes the host joins, and whether they were rejected.
    decided: BTreeMap<ChangeId, bool>,
    /// The Change that was inconclusive about them and is tried anew.
    retries: Option<ChangeId>,
}

fn sort(draft: &Draft<'_>, arriving: &Arriving) -> Sorted {
    let mut sorted = Sorted { new: Items::new(), on_trial: None, decided: BTreeMap::new(), retries: None };
    for (key, content) in &arriving.items {
        match draft.state.acceptance.mark(&arriving.scope, key, content) {
            Some(Mark::Adopted | Mark::Accepted(_)) => {}
            Some(Mark::Rejected(change)) => {
                sorted.decided.insert(change, true);
            }
            None => {
                sorted.new.insert(key.clone(), *content);
            }
            Some(Mark::OnTrial(id)) => match draft.state.changes.get(&id) {
                Some(change) if change.open() => sorted.on_trial = Some(id),
                Some(change) if gap(change) == Some(Gap::NoSignals) => {
                    sorted.decided.insert(id, false);
                }
                Some(_) | None => {
                    sorted.new.insert(key.clone(), *content);
                    sorted.retries = Some(id);
                }
            },
        }
    }
    sorted
}

fn gap(change: &Change) -> Option<Gap> {
    match change.verdict.as_ref()?.outcome {
        Outcome::Inconclusive(gap) => Some(gap),
        Outcome::Accepted | Outcome::Rejected => None,
    }
}

/// Whether content belongs to an open Change: the same Version when it has a name; else items in
/// common; the first content for a release that is itself on trial on this host; or nameless
/// content that comes while the Change is still young (templates give hosts values of their own).
fn belongs(draft: &Draft<'_>, open: &Change, arriving: &Arriving, new: &Items) -> bool {
    if only_compile_errors(new) {
        return open.environment == arriving.environment;
    }
    if open.brings_release() && (open.treated.contains_key(&arriving.host) || arriving.treated.run.is_none()) {
        return true;
    }
    if new.iter().any(|(key, content)| open.items.get(key) == Some(content)) {
        return true;
    }
    let nameless = open.version == Version::Unknown && arriving.version == Version::Unknown;
    if nameless && !open.treated.contains_key(&arriving.host) && new.keys().any(|key| open.items.contains_key(key)) {
        return true;
    }
    match (&open.version, &arriving.version) {
        (Version::Named(known), Version::Named(new)) => known == new,
        (Version::Unknown, Version::Unknown) => {
            let bake = draft.state.policy.class(&open.class).bake;
            draft.now.since(open.began()) < bake
        }
        (Version::Named(_), Version::Unknown) | (Version::Unknown, Version::Named(_)) => false,
    }
}

fn mark(draft: &mut Draft<'_>, scope: &Scope, items: &Items, change: ChangeId) {
    if !items.is_empty() {
        draft.push(Fact::ItemsMarked { scope: scope.clone(), items: items.clone(), mark: Mark::OnTrial(change) });
    }
}

fn open_change(draft: &mut Draft<'_>, arriving: &Arriving, items: Items, supersedes: Option<ChangeId>) -> ChangeId {
    let id = draft.next_change();
    mark(draft, &arriving.scope, &items, id);
    let words = arriving.words.iter().filter(|(key, _)| items.contains_key(*key)).map(|(k, w)| (k.clone(), w.clone())).collect();
    let seed = waves::seed(draft.state, id, arriving.environment.as_ref());
    let change = Change {
        id,
        class: arriving.scope.class.clone(),
        release: arriving.scope.release.clone(),
        version: arriving.version.clone(),
        environment: arriving.environment.clone(),
        items,
        words,
        opened: draft.now,
        renewed: draft.now,
        treated: BTreeMap::new(),
        standing: Standing::OnTrial,
        look: None,
        verdict: None,
        after_rejection: 0,
        supersedes,
        logs: LogEvidence::default(),
        waves: waves::draw(draft.state, &arriving.scope, &seed),
    };
    draft.push(Fact::ChangeOpened { change: Box::new(change) });
    id
}

fn join(draft: &mut Draft<'_>, change: ChangeId, arriving: &Arriving, items: Items, after_rejection: bool) {
    let words = arriving.words.iter().filter(|(key, _)| items.contains_key(*key)).map(|(k, w)| (k.clone(), w.clone())).collect();
    let treated = BTreeMap::from([(arriving.host.clone(), arriving.treated.clone())]);
    draft.push(Fact::ChangeJoined { change, treated, items, words, after_rejection });
    if after_rejection {
        notify::tell(draft, change, &arriving.scope.class, notify::Pace::Gathered);
    }
}

/// The old trial ends without a verdict; what it was about goes on under a new number.
fn supersede(draft: &mut Draft<'_>, old: &Change, arriving: &Arriving, new: &Items) -> ChangeId {
    let mut items = old.items.clone();
    items.extend(new.iter().map(|(key, content)| (key.clone(), *content)));
    let id = open_change(draft, arriving, items, Some(old.id));
    for tried in draft.state.acceptance.on_trial(&arriving.scope, old.id) {
        mark(draft, &arriving.scope, &tried, id);
    }
    let mut treated = old.treated.clone();
    treated.insert(arriving.host.clone(), arriving.treated.clone());
    let kept: BTreeSet<&ItemKey> = arriving.words.keys().collect();
    let words = old.words.iter().filter(|(key, _)| !kept.contains(key)).map(|(k, w)| (k.clone(), w.clone())).collect();
    draft.push(Fact::ChangeJoined { change: id, treated, items: Items::new(), words, after_rejection: false });
    let (findings, lacks) = old.look.as_ref().map(|look| (look.findings.clone(), look.lacks.clone())).unwrap_or_default();
    let verdict = Verdict {
        outcome: Outcome::Inconclusive(Gap::Superseded),
        at: draft.now,
        by: Judge::Successor(id),
        findings,
        lacks,
        evidence: None,
    };
    draft.push(Fact::Decided { change: old.id, verdict: Box::new(verdict) });
    id
}

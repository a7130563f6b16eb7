//! Acceptance never leaks: every mark has the right to be where it is.

use std::collections::{BTreeMap, BTreeSet};

use belay_core::model::change::Change;
use belay_core::model::ids::ChangeId;
use belay_core::model::item::{Content, ItemKey, Items, Mark};
use belay_core::model::report::Version;
use belay_core::model::time::Timestamp;
use belay_core::model::verdict::{Judge, Outcome};
use belay_core::state::{Fact, Scope, State};

use crate::world::World;

/// What the journal has told up to a fact.
#[derive(Default)]
struct Told {
    known: BTreeMap<Scope, BTreeSet<ItemKey>>,
    verdicts: BTreeMap<ChangeId, Outcome>,
    state: State,
}

/// An accepted or rejected mark stems from that verdict of a Change of exactly that class and
/// release; content is adopted only while nothing was known of its item.
pub(super) fn rightful(world: &World) -> Vec<String> {
    let mut told = Told::default();
    let mut wrong = Vec::new();
    for (at, fact) in &world.journal {
        if let Fact::Decided { change, verdict } = fact {
            told.verdicts.insert(*change, verdict.outcome);
        }
        if let Fact::ItemsMarked { scope, items, mark } = fact {
            wrong.extend(told.mark(scope, items, *mark));
            told.known.entry(scope.clone()).or_default().extend(items.keys().cloned());
        }
        told.state.apply(*at, fact);
    }
    wrong
}

impl Told {
    fn mark(&self, scope: &Scope, items: &Items, mark: Mark) -> Vec<String> {
        match mark {
            Mark::Adopted => self.adopted(scope, items),
            Mark::OnTrial(_) => Vec::new(),
            Mark::Accepted(id) => self.decided(scope, items, id, Outcome::Accepted),
            Mark::Rejected(id) => self.decided(scope, items, id, Outcome::Rejected),
        }
    }

    fn adopted(&self, scope: &Scope, items: &Items) -> Vec<String> {
        let known = |key: &&ItemKey| self.known.get(scope).is_some_and(|known| known.contains(*key));
        items.keys().filter(known).map(|key| format!("{key} was adopted in {scope:?}, where it was known already")).collect()
    }

    fn decided(&self, scope: &Scope, items: &Items, id: ChangeId, outcome: Outcome) -> Vec<String> {
        if self.verdicts.get(&id) != Some(&outcome) {
            return vec![format!("items were marked {outcome} by {id}, whose verdict is {:?}", self.verdicts.get(&id))];
        }
        let Some(change) = self.state.changes.get(&id) else { return vec![format!("items were marked by {id}, which is not known")] };
        if change.class != scope.class || change.release != scope.release {
            return vec![format!("{id} of {} {:?} gave its mark to {scope:?}", change.class, change.release)];
        }
        let own = |(key, content): &(&ItemKey, &Content)| {
            let on_trial = self.state.acceptance.mark(scope, key, content) == Some(Mark::OnTrial(id));
            on_trial || change.items.get(*key) == Some(*content)
        };
        let along = |(key, content): &(&ItemKey, &Content)| {
            outcome == Outcome::Accepted && change.brings_release() && self.carried_by_treated(change, key, content)
        };
        let foreign = items.iter().filter(|item| !own(item) && !along(item));
        let words = |(key, content): (&ItemKey, &Content)| {
            format!("{key} {} was marked {outcome} by {id}, which brought {:?}", content.short(), change.items.get(key))
        };
        foreign.map(words).collect()
    }

    fn carried_by_treated(&self, change: &Change, key: &ItemKey, content: &Content) -> bool {
        let hosts = change.treated.keys().filter_map(|id| self.state.hosts.get(id));
        hosts.filter(|host| host.release == change.release).any(|host| host.items.get(key).is_some_and(|c| c.content == *content))
    }
}

/// What Belay accepts by itself was on some host for the bake at least: content that joins a trial
/// at its end is not accepted with it. What a template makes of one version for different hosts
/// counts as one.
pub(super) fn baked(world: &World) -> Vec<String> {
    let mut first: BTreeMap<(Scope, ItemKey, Kin), Timestamp> = BTreeMap::new();
    let mut version_of: BTreeMap<(Scope, ItemKey, Content), Kin> = BTreeMap::new();
    let mut by_belay: BTreeSet<ChangeId> = BTreeSet::new();
    let mut wrong = Vec::new();
    for (at, fact) in &world.journal {
        match fact {
            Fact::RunRecorded { run, .. } => {
                let scope = Scope { class: run.class.clone(), release: run.release.clone() };
                for (key, content) in &run.delta {
                    let kin = match &run.version {
                        Version::Named(name) => Kin::Version(name.clone()),
                        Version::Unknown => Kin::Content(*content),
                    };
                    version_of.entry((scope.clone(), key.clone(), *content)).or_insert_with(|| kin.clone());
                    let began = first.entry((scope.clone(), key.clone(), kin)).or_insert(run.started);
                    *began = (*began).min(run.started);
                }
            }
            Fact::Decided { change, verdict } if verdict.by == Judge::Belay => {
                by_belay.insert(*change);
            }
            Fact::Decided { change, .. } => {
                by_belay.remove(change);
            }
            Fact::ItemsMarked { scope, items, mark: Mark::Accepted(id) } if by_belay.contains(id) => {
                let bake = world.state.policy.class(&scope.class).bake;
                for (key, content) in items {
                    let kin = version_of.get(&(scope.clone(), key.clone(), *content));
                    let began = kin.and_then(|kin| first.get(&(scope.clone(), key.clone(), kin.clone())));
                    if let Some(began) = began.filter(|began| at.since(**began) < bake) {
                        wrong.push(format!("{key} was accepted by {id} {} after it first came to any host", at.since(*began)));
                    }
                }
            }
            _ => {}
        }
    }
    wrong
}

/// What contents have in common that count as one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kin {
    Version(String),
    Content(Content),
}

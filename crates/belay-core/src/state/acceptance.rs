//! The ledger of acceptance: (class, release, item) -> contents and their marks. It is the matrix
//! that gate, classifier and revert read. Acceptance belongs to content, for a class *and* a
//! release; nothing here can carry a mark from one class or release to another.

use std::collections::BTreeMap;

use crate::model::ids::{ChangeId, ClassName, Release};
use crate::model::item::{Content, ItemKey, Items, Mark, Marked};
use crate::model::time::Timestamp;

/// A class and a release: where acceptance holds. `None` is the scope of hosts without a release.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scope {
    /// The class.
    pub class: ClassName,
    /// The release.
    pub release: Option<Release>,
}

/// The ledger of acceptance.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Acceptance {
    scopes: BTreeMap<Scope, BTreeMap<ItemKey, BTreeMap<Content, Marked>>>,
}

impl Acceptance {
    /// The mark of a content; `None` when it was never seen in this scope.
    pub fn mark(&self, scope: &Scope, key: &ItemKey, content: &Content) -> Option<Mark> {
        self.scopes.get(scope)?.get(key)?.get(content).map(|marked| marked.mark)
    }

    /// Whether any content of this item was ever seen in this scope.
    pub fn knows(&self, scope: &Scope, key: &ItemKey) -> bool {
        self.scopes.get(scope).is_some_and(|items| items.contains_key(key))
    }

    /// Gives every item of a set the same mark.
    pub fn set(&mut self, scope: &Scope, items: &Items, mark: Mark, at: Timestamp) {
        let known = self.scopes.entry(scope.clone()).or_default();
        for (key, content) in items {
            known.entry(key.clone()).or_default().insert(*content, Marked { mark, at });
        }
    }

    /// The contents on trial in a Change. An item may be there with several contents (templates give
    /// hosts values of their own), so the answer is as many sets as the most varied item needs.
    pub fn on_trial(&self, scope: &Scope, change: ChangeId) -> Vec<Items> {
        self.sets(scope, |mark| mark == Mark::OnTrial(change))
    }

    /// The contents whose mark stems from a Change, whichever it is.
    pub fn of_change(&self, scope: &Scope, change: ChangeId) -> Vec<Items> {
        self.sets(scope, |mark| match mark {
            Mark::OnTrial(id) | Mark::Accepted(id) | Mark::Rejected(id) => id == change,
            Mark::Adopted => false,
        })
    }

    fn sets(&self, scope: &Scope, which: impl Fn(Mark) -> bool) -> Vec<Items> {
        let mut sets: Vec<Items> = Vec::new();
        for (key, contents) in self.scopes.get(scope).into_iter().flatten() {
            let chosen = contents.iter().filter(|(_, marked)| which(marked.mark));
            for (index, (content, _)) in chosen.enumerate() {
                if sets.len() <= index {
                    sets.push(Items::new());
                }
                sets[index].insert(key.clone(), *content);
            }
        }
        sets
    }

    /// The scopes of which it holds anything.
    pub fn scopes(&self) -> impl Iterator<Item = &Scope> {
        self.scopes.keys()
    }

    /// Everything it holds of one scope: item, content, mark.
    pub fn of_scope(&self, scope: &Scope) -> impl Iterator<Item = (&ItemKey, &Content, &Marked)> {
        let items = self.scopes.get(scope).into_iter().flatten();
        items.flat_map(|(key, contents)| contents.iter().map(move |(content, marked)| (key, content, marked)))
    }

    /// Everything it holds: scope, item, content, mark.
    pub fn iter(&self) -> impl Iterator<Item = (&Scope, &ItemKey, &Content, &Marked)> {
        self.scopes.iter().flat_map(|(scope, items)| {
            items.iter().flat_map(move |(key, contents)| contents.iter().map(move |(content, marked)| (scope, key, content, marked)))
        })
    }

    /// The content to go back to: what was last accepted in this scope, else what was adopted,
    /// leaving `bad` out.
    pub fn last_good(&self, scope: &Scope, key: &ItemKey, bad: &Content) -> Option<(Content, Marked)> {
        let contents = self.scopes.get(scope)?.get(key)?;
        let rank = |mark: Mark| match mark {
            Mark::Accepted(_) => Some(1),
            Mark::Adopted => Some(0),
            Mark::OnTrial(_) | Mark::Rejected(_) => None,
        };
        contents
            .iter()
            .filter(|(content, _)| *content != bad)
            .filter_map(|(content, marked)| Some((rank(marked.mark)?, marked.at, content, marked)))
            .max_by_key(|(rank, at, _, _)| (*rank, *at))
            .map(|(_, _, content, marked)| (*content, *marked))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_accepted_content_goes_before_the_adopted_one_and_never_the_bad_one() {
        let scope = Scope { class: ClassName::parse("web").unwrap(), release: None };
        let key = ItemKey::new("File", "/etc/app.conf", "content");
        let content = |text: &str| Content::of(text.as_bytes());
        let one = |c: Content| Items::from([(key.clone(), c)]);
        let mut ledger = Acceptance::default();
        ledger.set(&scope, &one(content("a")), Mark::Adopted, Timestamp::from_ms(1));
        ledger.set(&scope, &one(content("b")), Mark::Accepted(ChangeId(1)), Timestamp::from_ms(2));
        ledger.set(&scope, &one(content("c")), Mark::Rejected(ChangeId(2)), Timestamp::from_ms(3));
        assert_eq!(ledger.last_good(&scope, &key, &content("c")).unwrap().0, content("b"));
        assert_eq!(ledger.last_good(&scope, &key, &content("b")).unwrap().0, content("a"));
    }
}

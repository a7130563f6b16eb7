//! Drift opens no Change, unless it strikes many hosts at once: then somebody or something altered
//! what the tool keeps in order, and the tool has just put it back everywhere. Whether that did
//! harm is worth a trial.

use crate::model::change::ItemWords;
use crate::model::host::Host;
use crate::model::ids::Digest;
use crate::model::item::{DRIFT_KIND, ItemKey, Items, fingerprint};
use crate::model::time::{Span, Timestamp};
use crate::state::State;

/// The time within which hosts struck by drift are counted together.
const INTERVAL: Span = Span::from_min(30);
/// Drift on this many hosts is ordinary, however small the class.
const ORDINARY: u32 = 3;

/// The item that stands for a wave of drift, with its words, when this run makes it one.
pub(super) fn wave(state: &State, host: &Host, restored: &Items, at: Timestamp) -> Option<(ItemKey, Digest, ItemWords)> {
    let news: Items = restored
        .iter()
        .filter(|(key, _)| !key.is_environment() && !host.put_back.contains(*key))
        .map(|(key, c)| (key.clone(), *c))
        .collect();
    if news.is_empty() {
        return None;
    }
    let recent = |other: &&Host| other.id != host.id && other.struck.is_some_and(|struck| at.since(struck).abs() <= INTERVAL);
    let struck = state.hosts_of(&host.class).filter(recent).count() + 1;
    let ordinary = ORDINARY.max(state.census_of(&host.class).hosts / 20);
    if struck <= ordinary as usize {
        return None;
    }
    let named: Vec<String> = news.keys().take(2).map(ToString::to_string).collect();
    let words = ItemWords { old: String::new(), new: format!("put back {}", named.join(", ")) };
    Some((ItemKey::new(DRIFT_KIND, "class", "wave"), fingerprint(&news), words))
}

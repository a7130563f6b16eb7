//! An inventory was read: how far is kept, and once all of its past was told, what hosts carry is what was there at first contact.

use std::collections::BTreeMap;

use super::draft::Draft;
use super::{Answer, intake};
use crate::model::item::Items;
use crate::model::principal::Actor;
use crate::state::{Fact, INVENTORIES_MAX, NoteKind, Scope};

/// The longest mark, in bytes.
const MARK_MAX: usize = 1_000;
/// The longest name of an inventory, in bytes.
const NAME_MAX: usize = 100;

pub(super) fn pulled(draft: &mut Draft<'_>, inventory: &str, mark: &str, told: bool) -> Answer {
    let known = draft.state.pulled.get(inventory);
    if inventory.len() > NAME_MAX || mark.len() > MARK_MAX {
        return Answer::Unprocessable("the name of an inventory, or its mark, is too long".to_owned());
    }
    if known.is_none() && draft.state.pulled.len() >= INVENTORIES_MAX {
        return Answer::Unprocessable(format!("{INVENTORIES_MAX} inventories were read already; no more can be"));
    }
    if told {
        let hosts = adopt_what_is_carried(draft);
        let text = format!("the past of {hosts} hosts was read from {inventory}: what they carry now is adopted where their class is new");
        draft.note(NoteKind::Info, &Actor(format!("inventory:{inventory}")), None, text);
    }
    if known.is_none_or(|known| known != mark) {
        draft.push(Fact::PulledSet { inventory: inventory.to_owned(), mark: mark.to_owned() });
    }
    Answer::Done
}

/// For classes that are still being enrolled: contents that hosts are known to carry, for the release they run now. Whatever else
/// they carried before is unseen for that release, and stays so.
fn adopt_what_is_carried(draft: &mut Draft<'_>) -> usize {
    let state = draft.state;
    let mut carried: BTreeMap<Scope, Vec<Items>> = BTreeMap::new();
    let mut hosts = 0;
    for host in state.hosts.values().filter(|host| intake::enrolling(state, &host.class) && !intake::release_unknown(state, host)) {
        hosts += 1;
        let sets = carried.entry(Scope { class: host.class.clone(), release: host.release.clone() }).or_default();
        for (key, carried) in &host.items {
            // One item may have many contents; a set holds one of each.
            let has = |set: &Items| set.get(key) == Some(&carried.content);
            if sets.iter().any(has) {
                continue;
            }
            match sets.iter_mut().find(|set| !set.contains_key(key)) {
                Some(set) => _ = set.insert(key.clone(), carried.content),
                None => sets.push(Items::from([(key.clone(), carried.content)])),
            }
        }
    }
    for (scope, sets) in carried {
        sets.iter().for_each(|items| intake::adopt(draft, &scope, items));
    }
    hosts
}

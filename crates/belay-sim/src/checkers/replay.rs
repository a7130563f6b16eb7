//! Replay = live: the journal folded again, through its record forms, gives the state bit for bit;
//! so does a snapshot.

use belay_api::journal::{decode, encode};
use belay_core::state::{Fact, State};

use crate::world::World;

pub(super) fn journal(world: &World) -> Vec<String> {
    let mut state = State::default();
    for (at, fact) in &world.journal {
        match read_back(fact) {
            Ok(fact) => state.apply(*at, &fact),
            Err(why) => return vec![why],
        }
    }
    differences(&world.state, &state)
}

/// A fact as it comes back from the journal.
fn read_back(fact: &Fact) -> Result<Fact, String> {
    let record = encode(fact);
    let back = decode(&record.kind, record.form, &record.body).map_err(|bad| format!("a fact cannot be read back: {bad}"))?;
    if back == *fact { Ok(back) } else { Err(format!("a fact of kind {} reads back as something else: {}", record.kind, record.body)) }
}

pub(super) fn snapshot(world: &World) -> Vec<String> {
    let mut state = State::default();
    for (at, fact) in world.state.to_facts() {
        match read_back(&fact) {
            Ok(fact) => state.apply(at, &fact),
            Err(why) => return vec![why],
        }
    }
    differences(&world.state, &state)
}

/// Field by field, so that what differs has a name.
fn differences(live: &State, again: &State) -> Vec<String> {
    let fields = [
        ("counters", live.counters == again.counters),
        ("now", live.now == again.now),
        ("policy", live.policy == again.policy),
        ("hosts", live.hosts == again.hosts),
        ("acceptance", live.acceptance == again.acceptance),
        ("changes", live.changes == again.changes),
        ("effects", live.effects == again.effects),
        ("alerted", live.alerted == again.alerted),
        ("tokens", live.tokens == again.tokens),
        ("users", live.users == again.users),
        ("sessions", live.sessions == again.sessions),
    ];
    fields.iter().filter(|(_, same)| !same).map(|(name, _)| format!("`{name}` differs{}", first_difference(live, again))).collect()
}

/// The place where the two printed states go apart, with a little around it.
fn first_difference(live: &State, again: &State) -> String {
    let (live, again) = (format!("{live:?}"), format!("{again:?}"));
    let at = live.bytes().zip(again.bytes()).position(|(a, b)| a != b).unwrap_or(live.len().min(again.len()));
    let around = |text: &str| {
        let (from, to) = (text.floor_char_boundary(at.saturating_sub(120)), text.floor_char_boundary(at + 120));
        text[from..to].to_owned()
    };
    format!(": live ...{}... again ...{}...", around(&live), around(&again))
}

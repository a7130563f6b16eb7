//! When a table goes in force, and who is waited for. Tables are taken one after the other: a new one is
//! made only when the one before is in force, so that steady decisions starve nobody.

use std::collections::BTreeMap;

use super::Answer;
use super::draft::Draft;
use crate::model::ids::HostId;
use crate::model::principal::Actor;
use crate::model::table::{InForce, OUTPOSTS_MAX, Outpost, OutpostId, TableId};
use crate::model::time::{Span, Timestamp};
use crate::state::{Fact, NoteKind, State};

/// An outpost of which nothing was heard for so long is not waited for any more.
pub const PATIENCE: Span = Span::from_min(10);
/// A table goes in force on words that are no older than this: whoever said so and was cut off since
/// would not hear of the switch.
pub const FRESH: Span = Span::from_s(5);
/// A switch is told so long before it comes, where several have to hear of it.
pub const LEAD: Span = Span::from_s(2);
/// That an outpost was heard is taken note of this often at most: each note is a record.
pub const NOTED_EVERY: Span = Span::from_min(60);
/// An outpost that was silent for so long is forgotten.
const FORGOTTEN_AFTER: Span = Span::from_min(14 * 24 * 60);

/// What an outpost said last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// When, server time.
    pub at: Timestamp,
    /// The machine.
    pub host: HostId,
    /// The name of its credential; none where it showed a certificate.
    pub token: Option<String>,
    /// The newest table that it has durably.
    pub stored: Option<TableId>,
    /// The table of which it knows that it is in force.
    pub in_force: Option<TableId>,
}

/// What is known beside the state of those who ask. It is gone with the process, on purpose: what was
/// said before a restart says nothing of who can be reached now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// The last word of each.
    pub words: BTreeMap<OutpostId, Word>,
    /// The table that is made and can still be given.
    pub held: Option<TableId>,
    /// A table that were made now would say something else than the last.
    pub news: bool,
}

/// What an outpost is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// The table that is in force.
    pub force: Option<InForce>,
    /// It does not know that yet, and could switch to it.
    pub switch: bool,
    /// The table that it is to store.
    pub give: Option<TableId>,
}

impl Due {
    /// Whether there is something that it has not heard.
    pub fn is_news(&self) -> bool {
        self.switch || self.give.is_some()
    }
}

impl Word {
    /// Whether it has this table.
    pub fn has(&self, table: TableId) -> bool {
        self.stored == Some(table) || self.in_force == Some(table)
    }
}

/// What an outpost is to be told, where these tables can still be given: first the one in force, so that
/// whoever comes back answers as the others do, then the pending one.
pub fn due(state: &State, holds: impl Fn(TableId) -> bool, word: &Word) -> Due {
    let force = state.tables.force;
    let wanted = [force.map(|force| force.table), state.tables.pending()];
    Due {
        force,
        switch: force.is_some_and(|force| word.in_force != Some(force.table) && word.stored == Some(force.table)),
        give: wanted.into_iter().flatten().find(|table| holds(*table) && !word.has(*table)),
    }
}

/// Whether a new table may be made, if there is something new to tell.
pub fn may_make(state: &State, heard: &Heard, now: Timestamp) -> bool {
    let lost = state.tables.pending().is_none_or(|pending| heard.held != Some(pending));
    // Until the switch has come, the outposts need the place beside what is in force.
    lost && state.tables.force.is_none_or(|force| now >= force.from)
}

/// The outposts that are waited for.
pub fn counting<'a>(state: &'a State, heard: &'a Heard, now: Timestamp) -> impl Iterator<Item = (&'a OutpostId, &'a Outpost)> {
    state.outposts.iter().filter(move |(id, outpost)| counts(state, id, outpost, heard, now))
}

fn counts(state: &State, id: &OutpostId, outpost: &Outpost, heard: &Heard, now: Timestamp) -> bool {
    outpost.left.is_none() && admitted(state, outpost) && now.since(last(state, id, outpost, heard)) <= PATIENCE
}

/// When it was last heard, or nobody was there to hear it.
fn last(state: &State, id: &OutpostId, outpost: &Outpost, heard: &Heard) -> Timestamp {
    let word = heard.words.get(id).map_or(outpost.heard, |word| word.at.max(outpost.heard));
    word.max(state.listening)
}

/// Whether its credential still holds. A certificate that holds no more is not let in, and falls silent.
fn admitted(state: &State, outpost: &Outpost) -> bool {
    outpost.token.as_ref().is_none_or(|name| state.tokens.iter().any(|token| token.name == *name))
}

/// Which of the outposts that are waited for do not have a table yet, or were not heard just now.
pub fn lacking<'a>(state: &'a State, heard: &'a Heard, table: TableId, now: Timestamp) -> impl Iterator<Item = &'a OutpostId> {
    let has = move |id: &OutpostId| heard.words.get(id).is_some_and(|word| word.has(table) && now.since(word.at) <= FRESH);
    counting(state, heard, now).map(|(id, _)| id).filter(move |id| !has(id))
}

/// Whether there is room for an outpost that is not known.
pub fn has_room(state: &State, id: &OutpostId) -> bool {
    state.outposts.contains_key(id) || state.outposts.len() < OUTPOSTS_MAX || state.outposts.values().any(|outpost| outpost.left.is_some())
}

/// Whether the writer has something to decide; asked before, so that it hears of little.
pub fn is_due(state: &State, heard: &Heard, now: Timestamp) -> bool {
    !super::decide(state, now, &super::Input::Tables { heard: Box::new(heard.clone()) }).0.is_empty()
}

/// One step: first who is there, then how far the tables come by it.
pub(super) fn step(draft: &mut Draft<'_>, heard: &Heard) -> Answer {
    let before = draft.state;
    if roll(draft, heard) {
        // Who counts has altered; what follows from it is decided on what was committed.
        return Answer::Done;
    }
    let ready = before.tables.pending().filter(|pending| heard.held == Some(*pending));
    if let Some(table) = ready.filter(|table| lacking(before, heard, *table, draft.now).next().is_none()) {
        let several = counting(before, heard, draft.now).nth(1).is_some();
        let from = if several { draft.now + LEAD } else { draft.now };
        draft.push(Fact::TableInForce { table, from });
    } else if heard.news && may_make(before, heard, draft.now) {
        let number = before.tables.made.map_or(0, |made| made.number) + 1;
        draft.push(Fact::TableMade { table: TableId { incarnation: before.counters.incarnation, number } });
    }
    Answer::Done
}

/// Who came, who came back, who is gone. Says whether that alters who is waited for.
fn roll(draft: &mut Draft<'_>, heard: &Heard) -> bool {
    let (state, now) = (draft.state, draft.now);
    let mut altered = false;
    for (id, outpost) in &state.outposts {
        let quiet = now.since(last(state, id, outpost, heard));
        if !admitted(state, outpost) || now.since(outpost.heard) > FORGOTTEN_AFTER && quiet > PATIENCE {
            draft.push(Fact::OutpostSet { id: id.clone(), outpost: None });
            altered = true;
        } else if outpost.left.is_none() && quiet > PATIENCE {
            set(draft, id, Outpost { left: Some(now), ..outpost.clone() });
            tell(draft, NoteKind::Warning, format!("{id} is not waited for any more: nothing was heard of it for {quiet}"));
            altered = true;
        }
    }
    for (id, word) in &heard.words {
        let there = now.since(word.at) <= PATIENCE;
        match state.outposts.get(id) {
            None if there => {
                let new = Outpost { host: word.host.clone(), token: word.token.clone(), since: word.at, heard: word.at, left: None };
                if enter(draft, id, new) {
                    return true;
                }
            }
            Some(outpost) if admitted(state, outpost) && there && outpost.left.is_some_and(|left| word.at >= left) => {
                set(draft, id, Outpost { heard: word.at, left: None, ..outpost.clone() });
                tell(draft, NoteKind::Info, format!("{id} is heard again, and waited for"));
                altered = true;
            }
            Some(outpost) if outpost.left.is_none() && word.at.since(outpost.heard) >= NOTED_EVERY => {
                set(draft, id, Outpost { heard: word.at, ..outpost.clone() });
            }
            _ => {}
        }
    }
    altered
}

/// A new one enters; where there is no room, in the place of the one that has been away for longest.
fn enter(draft: &mut Draft<'_>, id: &OutpostId, outpost: Outpost) -> bool {
    let state = draft.state;
    if !admitted(state, &outpost) {
        return false;
    }
    if state.outposts.len() >= OUTPOSTS_MAX {
        let away = state.outposts.iter().filter_map(|(id, outpost)| Some((outpost.left?, id)));
        let Some((_, gone)) = away.min() else { return false };
        draft.push(Fact::OutpostSet { id: gone.clone(), outpost: None });
    }
    set(draft, id, outpost);
    tell(draft, NoteKind::Info, format!("{id} classifies hosts from now on, and is waited for"));
    true
}

fn set(draft: &mut Draft<'_>, id: &OutpostId, outpost: Outpost) {
    draft.push(Fact::OutpostSet { id: id.clone(), outpost: Some(Box::new(outpost)) });
}

fn tell(draft: &mut Draft<'_>, kind: NoteKind, text: String) {
    draft.note(kind, &Actor("belay".to_owned()), None, text);
}

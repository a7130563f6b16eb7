//! Backups: that one was taken is remembered, because it holds all there is; that one was put back begins
//! another history (decision 14).

use super::Answer;
use super::draft::Draft;
use crate::model::principal::{Actor, Principal, Role};
use crate::model::time::Timestamp;
use crate::state::{Fact, NoteKind};

pub(super) fn taken(draft: &mut Draft<'_>, principal: &Principal) -> Answer {
    let actor = principal.actor();
    if !principal.has(Role::Admin) {
        draft.note(NoteKind::Security, &actor, None, format!("{actor} tried to take a backup without the role of an admin"));
        return Answer::Forbidden("a backup needs the role of an admin: it holds everything".to_owned());
    }
    draft.note(NoteKind::Info, &actor, None, "took a backup".to_owned());
    Answer::Done
}

pub(super) fn restored(draft: &mut Draft<'_>, actor: &Actor, taken: Timestamp) -> Answer {
    draft.push(Fact::IncarnationBegun { incarnation: draft.state.counters.incarnation + 1 });
    let text = format!("restored the backup of {taken}: hosts tell of the holds that were placed since");
    draft.note(NoteKind::Warning, actor, None, text);
    Answer::Done
}

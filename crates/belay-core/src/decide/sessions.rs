//! Sessions: who begins one, and what ends it.

use super::Answer;
use super::draft::Draft;
use crate::model::ids::Digest;
use crate::model::principal::{Actor, Principal, Role};
use crate::model::user::{Proof, SEEN_EVERY, SESSIONS_MAX, SESSIONS_OF_ONE, Session};
use crate::state::{Fact, NoteKind};

/// Of a name that nobody has so much is kept, in characters.
const NAME_SHOWN: usize = 60;

pub(super) fn open(draft: &mut Draft<'_>, session: &Session, proved: Option<&str>) -> Answer {
    // Between the proof and now the account may have been altered: what was proved has to hold still.
    if let Proof::Password = session.by {
        let user = draft.state.users.get(session.name());
        let holds = user.is_some_and(|user| !user.disabled && proved.is_some() && user.hash.as_deref() == proved);
        if !holds {
            return Answer::Forbidden("the account was altered meanwhile: log in again".to_owned());
        }
    }
    if draft.state.stands_for(session, draft.now).is_none() {
        return Answer::Forbidden("what it was begun with does not hold any more: log in again".to_owned());
    }
    if draft.state.sessions.len() >= SESSIONS_MAX {
        return Answer::Unprocessable(format!("there are {SESSIONS_MAX} sessions already; revoke some"));
    }
    let mut own: Vec<&Session> = draft.state.sessions.values().filter(|known| known.name() == session.name()).collect();
    own.sort_by_key(|known| known.seen);
    let surplus = (own.len() + 1).saturating_sub(SESSIONS_OF_ONE);
    let actor = session.person.actor();
    let oldest: Vec<Digest> = own.iter().take(surplus).map(|known| known.id).collect();
    for id in oldest {
        let what = format!("the oldest session of {actor} ended: there were {SESSIONS_OF_ONE}");
        draft.push(Fact::SessionEnded { id, actor: actor.clone(), what });
    }
    draft.push(Fact::SessionOpened { session: Box::new(session.clone()) });
    Answer::Done
}

pub(super) fn seen(draft: &mut Draft<'_>, id: Digest) -> Answer {
    let due = draft.state.session(id, draft.now).is_some_and(|(session, _)| draft.now.since(session.seen) >= SEEN_EVERY);
    if due {
        draft.push(Fact::SessionSeen { id });
    }
    Answer::Done
}

pub(super) fn end(draft: &mut Draft<'_>, principal: &Principal, id: Digest) -> Answer {
    let Some(session) = draft.state.sessions.get(&id) else { return Answer::NotFound("there is no such session".to_owned()) };
    let actor = principal.actor();
    let own = session.person.actor() == actor && matches!(principal, Principal::Person { .. });
    let unlimited = matches!(principal, Principal::Person { within, .. } if !within.limits());
    let allowed = own || (principal.has(Role::Admin) && unlimited);
    if !allowed {
        draft.note(NoteKind::Security, &actor, None, format!("{actor} tried to end a session of {}", session.name()));
        return Answer::Forbidden("ending somebody else's session needs the role of an admin".to_owned());
    }
    let what = if own { format!("{actor} logged out") } else { format!("{actor} revoked a session of {}", session.name()) };
    draft.push(Fact::SessionEnded { id, actor, what });
    Answer::Done
}

pub(super) fn refused(draft: &mut Draft<'_>, name: &str, from: Option<&str>) -> Answer {
    let name: String = name.chars().take(NAME_SHOWN).collect();
    let from = from.map(|from| format!(" from {from}")).unwrap_or_default();
    draft.note(NoteKind::Security, &Actor("nobody".to_owned()), None, format!("a login as {name:?}{from} was refused"));
    Answer::Done
}

/// Ends all sessions of an account.
pub(super) fn end_of(draft: &mut Draft<'_>, actor: &Actor, name: &str, why: &str) {
    end_all(draft, actor, why, |session| session.by == Proof::Password && session.name() == name);
}

/// Ends all sessions that were begun with a credential.
pub(super) fn end_by_token(draft: &mut Draft<'_>, actor: &Actor, token: &str) {
    let why = format!("the credential {token} ended or was issued anew");
    end_all(draft, actor, &why, |session| matches!(&session.by, Proof::Token(name) if name == token));
}

/// Sessions whose time is over are forgotten.
pub(super) fn expire(draft: &mut Draft<'_>) {
    let over: Vec<Digest> = draft.state.sessions.values().filter(|session| session.ends() <= draft.now).map(|session| session.id).collect();
    for id in over {
        let name = draft.state.sessions.get(&id).map_or("", Session::name);
        let what = format!("a session of {name} ended: it was not used for long, or its time was over");
        draft.push(Fact::SessionEnded { id, actor: Actor("belay".to_owned()), what });
    }
}

fn end_all(draft: &mut Draft<'_>, actor: &Actor, why: &str, meant: impl Fn(&Session) -> bool) {
    let meant: Vec<(Digest, String)> =
        draft.state.sessions.values().filter(|session| meant(session)).map(|session| (session.id, session.name().to_owned())).collect();
    for (id, name) in meant {
        draft.push(Fact::SessionEnded { id, actor: actor.clone(), what: format!("a session of {name} ended: {why}") });
    }
}

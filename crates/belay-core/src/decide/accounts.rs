//! Accounts of people: made, altered, removed by admins. Whatever alters what a person may do, or how it is proved who it
//! is, ends the person's sessions.

use super::draft::Draft;
use super::people::ADMIN_EVERYWHERE;
use super::{Answer, sessions};
use crate::model::principal::{Actor, Principal, Role, Within};
use crate::model::user::{USERS_MAX, User};
use crate::state::{Fact, NoteKind, State};

/// The longest reason kept, in characters.
const REASON_MAX: usize = 1000;

/// An account that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserAsk {
    /// How the person is called.
    pub name: String,
    /// What the person may do.
    pub role: Role,
    /// Where.
    pub within: Within,
    /// The password's hash; none: one is set later.
    pub hash: Option<String>,
}

/// An alteration of an account: what is left out stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserEdit {
    /// What the person may do.
    pub role: Option<Role>,
    /// Where.
    pub within: Option<Within>,
    /// Whether nobody can log in.
    pub disabled: Option<bool>,
}

pub(super) fn add(draft: &mut Draft<'_>, principal: &Principal, ask: &UserAsk) -> Answer {
    let actor = principal.actor();
    if !principal.has(Role::Admin) {
        return refuse(draft, &actor, "make an account");
    }
    if ask.name.is_empty() || ask.name.len() > 100 || !ask.name.bytes().all(|b| b.is_ascii_graphic()) {
        return Answer::Unprocessable("name: it must have 1 to 100 printable ASCII characters without spaces".to_owned());
    }
    if draft.state.users.contains_key(&ask.name) {
        return Answer::Conflict(format!("there is an account {} already", ask.name));
    }
    if draft.state.users.len() >= USERS_MAX {
        return Answer::Unprocessable(format!("there are {USERS_MAX} accounts already; remove some"));
    }
    if ask.role == Role::Admin && ask.within.limits() {
        return Answer::Unprocessable(ADMIN_EVERYWHERE.to_owned());
    }
    let UserAsk { name, role, within, hash } = ask.clone();
    let what = format!("account {name} made: {} in {}", role.word(), within.words());
    let user = User { name, role, within, hash, disabled: false, since: draft.now };
    draft.push(Fact::UserSet { user: Box::new(user), actor, what });
    Answer::Done
}

pub(super) fn edit(draft: &mut Draft<'_>, principal: &Principal, name: &str, edit: &UserEdit, reason: &str) -> Answer {
    let actor = principal.actor();
    if !principal.has(Role::Admin) {
        return refuse(draft, &actor, "alter an account");
    }
    if reason.chars().count() > REASON_MAX {
        return Answer::Unprocessable(format!("reason: it is longer than {REASON_MAX} characters"));
    }
    let Some(user) = draft.state.users.get(name) else { return missing(name) };
    let new = User {
        role: edit.role.unwrap_or(user.role),
        within: edit.within.clone().unwrap_or_else(|| user.within.clone()),
        disabled: edit.disabled.unwrap_or(user.disabled),
        ..user.clone()
    };
    if new == *user {
        return Answer::Done;
    }
    if new.role == Role::Admin && new.within.limits() {
        return Answer::Unprocessable(ADMIN_EVERYWHERE.to_owned());
    }
    if (new.role != Role::Admin || new.disabled) && last_admin(draft.state, user) {
        return Answer::Conflict(last_admin_stays(name));
    }
    let what = format!("account {name} {}{}", altered(user, &new), because(reason));
    sessions::end_of(draft, &actor, name, "the account was altered");
    draft.push(Fact::UserSet { user: Box::new(new), actor, what });
    Answer::Done
}

pub(super) fn password(draft: &mut Draft<'_>, principal: &Principal, name: &str, hash: &str, proved: Option<&str>) -> Answer {
    let actor = principal.actor();
    let everywhere = matches!(principal, Principal::Person { within, .. } if !within.limits());
    let own = matches!(principal, Principal::Person { name: own, .. } if own == name);
    let Some(user) = draft.state.users.get(name).filter(|_| own || principal.has(Role::Admin)) else {
        return if principal.has(Role::Admin) { missing(name) } else { refuse(draft, &actor, "set somebody else's password") };
    };
    let knows = own && proved.is_some() && user.hash.as_deref() == proved;
    let allowed = knows || (principal.has(Role::Admin) && everywhere);
    if !allowed {
        return refuse(draft, &actor, "set a password without the present one");
    }
    let user = User { hash: Some(hash.to_owned()), ..user.clone() };
    sessions::end_of(draft, &actor, name, "the password was changed");
    draft.push(Fact::UserSet { user: Box::new(user), actor, what: format!("account {name} got another password") });
    Answer::Done
}

pub(super) fn remove(draft: &mut Draft<'_>, principal: &Principal, name: &str, reason: &str) -> Answer {
    let actor = principal.actor();
    if !principal.has(Role::Admin) {
        return refuse(draft, &actor, "remove an account");
    }
    let Some(user) = draft.state.users.get(name) else { return missing(name) };
    if last_admin(draft.state, user) {
        return Answer::Conflict(last_admin_stays(name));
    }
    let reason: String = reason.chars().take(REASON_MAX).collect();
    sessions::end_of(draft, &actor, name, "the account was removed");
    draft.push(Fact::UserRemoved { name: name.to_owned(), actor, what: format!("account {name} removed{}", because(&reason)) });
    Answer::Done
}

fn refuse(draft: &mut Draft<'_>, actor: &Actor, what: &str) -> Answer {
    draft.note(NoteKind::Security, actor, None, format!("{actor} tried to {what}, and may not"));
    Answer::Forbidden(format!("to {what} needs the role of an admin"))
}

fn missing(name: &str) -> Answer {
    Answer::NotFound(format!("there is no account {name}"))
}

/// Whether this is the only account by which somebody can still do everything.
fn last_admin(state: &State, user: &User) -> bool {
    let acts = |user: &User| user.role == Role::Admin && !user.disabled;
    acts(user) && !state.users.values().any(|other| other.name != user.name && acts(other))
}

fn last_admin_stays(name: &str) -> String {
    format!(
        "{name} is the last account of an admin: make another one first. (Credentials of admins, and the socket on the server's own \
         machine, remain a way in, but nobody would be left to log in.)"
    )
}

fn altered(old: &User, new: &User) -> String {
    let mut parts = Vec::new();
    if old.role != new.role {
        parts.push(format!("is {} now, was {}", new.role.word(), old.role.word()));
    }
    if old.within != new.within {
        parts.push(format!("acts in {} now, was {}", new.within.words(), old.within.words()));
    }
    if old.disabled != new.disabled {
        parts.push(if new.disabled { "is disabled" } else { "is enabled again" }.to_owned());
    }
    parts.join(", ")
}

fn because(reason: &str) -> String {
    if reason.trim().is_empty() { String::new() } else { format!(": {}", reason.trim()) }
}

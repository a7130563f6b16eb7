//! People: what facts make of credentials, accounts and sessions; and who a session stands for: always as the account or credential is now, never as it was at the login.

use super::{Fact, State};
use crate::model::ids::Digest;
use crate::model::principal::Principal;
use crate::model::time::Timestamp;
use crate::model::user::{Proof, Session};

impl State {
    pub(super) fn apply_to_people(&mut self, at: Timestamp, fact: &Fact) {
        match fact {
            Fact::TokenIssued { token, .. } => {
                self.tokens.retain(|known| known.name != token.name);
                self.tokens.push(token.clone());
            }
            Fact::TokenRevoked { name, .. } => self.tokens.retain(|known| known.name != *name),
            Fact::UserSet { user, .. } => drop(self.users.insert(user.name.clone(), (**user).clone())),
            Fact::UserRemoved { name, .. } => drop(self.users.remove(name)),
            Fact::SessionOpened { session } => drop(self.sessions.insert(session.id, (**session).clone())),
            Fact::SessionSeen { id } => {
                if let Some(session) = self.sessions.get_mut(id) {
                    session.seen = at;
                }
            }
            Fact::SessionEnded { id, .. } => drop(self.sessions.remove(id)),
            _ => unreachable!("apply sends only facts about people here"),
        }
    }

    /// The session of this hash, and whom it stands for; none when it is over.
    pub fn session(&self, id: Digest, now: Timestamp) -> Option<(&Session, Principal)> {
        let session = self.sessions.get(&id)?;
        Some((session, self.stands_for(session, now)?))
    }

    /// Whom a session stands for; none when it is over.
    pub fn stands_for(&self, session: &Session, now: Timestamp) -> Option<Principal> {
        if session.ends() <= now {
            return None;
        }
        match &session.by {
            Proof::Password => self.users.get(session.name()).filter(|user| !user.disabled).map(|user| user.principal()),
            Proof::Token(name) => {
                let token = self.tokens.iter().find(|token| token.name == *name)?;
                matches!(token.principal, Principal::Person { .. }).then(|| token.principal.clone())
            }
            Proof::Issuer => Some(session.person.clone()),
        }
    }
}

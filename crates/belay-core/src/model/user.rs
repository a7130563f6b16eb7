//! People who log in: their accounts, and the sessions they have begun. Of passwords and of what a session is known by
//! only hashes are here.

use super::ids::Digest;
use super::principal::{Principal, Role, Within};
use super::time::{Span, Timestamp};

/// The most accounts there may be.
pub const USERS_MAX: usize = 10_000;
/// The most sessions there may be.
pub const SESSIONS_MAX: usize = 10_000;
/// The most sessions of one person: whoever begins another one ends the oldest.
pub const SESSIONS_OF_ONE: usize = 20;
/// A session that was not used for so long is over.
pub const IDLE_MAX: Span = Span::from_min(12 * 60);
/// And one that was begun so long ago.
pub const SESSION_MAX: Span = Span::from_min(7 * 24 * 60);
/// That a session is used is taken note of this often at most: each note is a record.
pub const SEEN_EVERY: Span = Span::from_min(15);

/// The account of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// How the person is called; unique among accounts.
    pub name: String,
    /// What the person may do.
    pub role: Role,
    /// Where.
    pub within: Within,
    /// The password's hash, opaque here; none: nobody can log in with a password.
    pub hash: Option<String>,
    /// Nobody can log in.
    pub disabled: bool,
    /// Since when there is this account.
    pub since: Timestamp,
}

/// A session: a person who logged in, at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The hash of what it is known by.
    pub id: Digest,
    /// Who, as it was at the login.
    pub person: Principal,
    /// By what.
    pub by: Proof,
    /// When.
    pub opened: Timestamp,
    /// When it was last used, to within [`SEEN_EVERY`].
    pub seen: Timestamp,
    /// From where, where it is known.
    pub from: Option<String>,
}

/// By what a person proved to be the one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The password of the account.
    Password,
    /// The credential of this name.
    Token(String),
    /// The word of an identity provider.
    Issuer,
}

impl User {
    /// Who the account stands for.
    pub fn principal(&self) -> Principal {
        Principal::Person { name: self.name.clone(), role: self.role, within: self.within.clone() }
    }
}

impl Session {
    /// When it ends if it is not used any more.
    pub fn ends(&self) -> Timestamp {
        (self.seen + IDLE_MAX).min(self.opened + SESSION_MAX)
    }

    /// Whose it is.
    pub fn name(&self) -> &str {
        match &self.person {
            Principal::Person { name, .. } => name,
            Principal::Host(_) | Principal::Relay(_) | Principal::Source(_) => "",
        }
    }
}

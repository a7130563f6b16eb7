//! People: accounts, sessions, and who one is oneself.

use belay_core::decide::{UserAsk, UserEdit};
use belay_core::model::principal::Principal;
use belay_core::model::user::{Proof, Session, User};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::answer::FieldError;
use super::token::{PrincipalView, name, patterns, role, within};

/// An account that is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UserBody {
    /// How the person is to be called; unique.
    pub name: String,
    /// What the person may do: `viewer`, `operator`, `approver` or `admin`.
    pub role: String,
    /// Names or patterns of the classes the person is limited to (`web`, `db*`); all of them when left out.
    #[serde(default)]
    pub classes: Vec<String>,
    /// The password, of at least 12 characters; when left out nobody can log in until one is set.
    #[serde(default)]
    pub password: Option<String>,
}

/// An alteration of an account: what is left out stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UserPatch {
    /// What the person may do.
    #[serde(default)]
    pub role: Option<String>,
    /// The classes the person is limited to; an empty list: all of them.
    #[serde(default)]
    pub classes: Option<Vec<String>>,
    /// Whether nobody can log in.
    #[serde(default)]
    pub disabled: Option<bool>,
    /// Why; it stands in the audit.
    #[serde(default)]
    pub reason: Option<String>,
}

/// A password to be set.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PasswordBody {
    /// The new one, of at least 12 characters.
    pub password: String,
    /// The present one, which whoever is no admin has to know.
    #[serde(default)]
    pub current: Option<String>,
}

/// An account, in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UserRow {
    /// How the person is called.
    pub name: String,
    /// What the person may do.
    pub role: String,
    /// The classes the person is limited to; none: all of them.
    pub classes: Vec<String>,
    /// Nobody can log in.
    pub disabled: bool,
    /// There is a password.
    pub password: bool,
    /// Since when there is this account.
    pub since: String,
    /// Sessions there are of it.
    pub sessions: u32,
}

/// A session, in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionRow {
    /// What it is called here; it is of no use to get in.
    pub id: String,
    /// Whose it is.
    pub user: String,
    /// By what the person proved to be the one: `password`, `token NAME` or `issuer`.
    pub by: String,
    /// When it was begun.
    pub opened: String,
    /// When it was last used, to within a quarter of an hour.
    pub seen: String,
    /// When it ends if it is not used any more.
    pub ends: String,
    /// From where it was begun, where that is known.
    pub from: Option<String>,
}

/// Who one is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MeView {
    /// Whom the credential stands for.
    pub principal: PrincipalView,
    /// Of a session: when it ends if it is not used any more.
    pub ends: Option<String>,
    /// Of a session: what has to be sent along as `x-belay-csrf` with whatever acts.
    pub csrf: Option<String>,
}

impl UserBody {
    /// What is asked for, but for the password, which is hashed first.
    ///
    /// # Errors
    /// Every part that cannot be taken, with its place.
    pub fn ask(&self, hash: Option<String>) -> Result<UserAsk, Vec<FieldError>> {
        name(&self.name).map_err(|why| vec![FieldError::new("/name", why)])?;
        Ok(UserAsk { name: self.name.clone(), role: role("/role", &self.role)?, within: within("/classes", &self.classes)?, hash })
    }
}

impl UserPatch {
    /// What is asked for.
    ///
    /// # Errors
    /// Every part that cannot be taken, with its place.
    pub fn edit(&self) -> Result<UserEdit, Vec<FieldError>> {
        let role = self.role.as_deref().map(|word| role("/role", word)).transpose()?;
        let within = self.classes.as_deref().map(|classes| within("/classes", classes)).transpose()?;
        Ok(UserEdit { role, within, disabled: self.disabled })
    }
}

impl UserRow {
    /// An account with the number of its sessions.
    pub fn of(user: &User, sessions: usize) -> Self {
        Self {
            name: user.name.clone(),
            role: user.role.word().to_owned(),
            classes: patterns(&user.within),
            disabled: user.disabled,
            password: user.hash.is_some(),
            since: user.since.to_string(),
            sessions: super::count(sessions),
        }
    }
}

impl From<&Session> for SessionRow {
    fn from(session: &Session) -> Self {
        let by = match &session.by {
            Proof::Password => "password".to_owned(),
            Proof::Token(name) => format!("token {name}"),
            Proof::Issuer => "issuer".to_owned(),
        };
        Self {
            id: session.id.to_string(),
            user: session.name().to_owned(),
            by,
            opened: session.opened.to_string(),
            seen: session.seen.to_string(),
            ends: session.ends().to_string(),
            from: session.from.clone(),
        }
    }
}

impl From<&Principal> for MeView {
    fn from(principal: &Principal) -> Self {
        Self { principal: principal.into(), ends: None, csrf: None }
    }
}

impl std::fmt::Debug for PasswordBody {
    /// Passwords are never printed, not even by mistake.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordBody")
    }
}

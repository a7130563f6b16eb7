//! Credentials: asking for one, getting it once, listing them.

use belay_core::model::ids::{HOST_NAME_MAX, HostId};
use belay_core::model::policy::Pattern;
use belay_core::model::principal::{Principal, Role, Token, Within};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::answer::FieldError;

/// The longest name of a credential, a person or a source, in bytes.
const NAME_MAX: usize = 200;
/// The most patterns of classes a person is limited to.
const CLASSES_MAX: usize = 100;

/// A credential that is asked for: a name, and exactly one of role, host, relay and source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenBody {
    /// What it is to be called; a former one of that name ends. A person's is the person's name.
    pub name: String,
    /// For a person: `viewer`, `operator`, `approver` or `admin`.
    #[serde(default)]
    pub role: Option<String>,
    /// For a person: names or patterns of the classes it is limited to (`web`, `db*`); all of them when left out.
    #[serde(default)]
    pub classes: Vec<String>,
    /// For a host: its name.
    #[serde(default)]
    pub host: Option<String>,
    /// For a server of a tool: a pattern of the hosts it speaks for.
    #[serde(default)]
    pub relay: Option<String>,
    /// For a source of signals: its name.
    #[serde(default)]
    pub source: Option<String>,
}

/// A credential that was issued. The secret is shown this once and never again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenIssued {
    /// What it is called.
    pub name: String,
    /// The secret.
    pub secret: String,
    /// Whom it stands for.
    pub principal: PrincipalView,
}

/// A credential, in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenRow {
    /// What it is called.
    pub name: String,
    /// Whom it stands for.
    pub principal: PrincipalView,
    /// Since when.
    pub issued: String,
}

/// Whom a credential stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PrincipalView {
    /// `person`, `host`, `relay` or `source`.
    pub kind: String,
    /// The person, host or source; of a relay the pattern of hosts.
    pub name: String,
    /// What a person may do.
    pub role: Option<String>,
    /// The classes a person is limited to; none: all of them.
    #[serde(default)]
    pub classes: Vec<String>,
}

impl TokenBody {
    /// Whom the credential is to stand for.
    ///
    /// # Errors
    /// Every part that cannot be taken, with its place.
    pub fn principal(&self) -> Result<Principal, Vec<FieldError>> {
        name(&self.name).map_err(|why| vec![FieldError::new("/name", why)])?;
        let wrong = |pointer: &str, why: String| vec![FieldError::new(pointer, why)];
        match (&self.role, &self.host, &self.relay, &self.source) {
            (Some(word), None, None, None) => {
                Ok(Principal::Person { name: self.name.clone(), role: role("/role", word)?, within: within("/classes", &self.classes)? })
            }
            _ if !self.classes.is_empty() => Err(wrong("/classes", "only a person is limited to classes".to_owned())),
            (None, Some(host), None, None) => HostId::parse(host).map(Principal::Host).map_err(|why| wrong("/host", why.to_string())),
            (None, None, Some(hosts), None) => pattern(hosts).map(Principal::Relay).map_err(|why| wrong("/relay", why)),
            (None, None, None, Some(source)) => match name(source) {
                Ok(()) => Ok(Principal::Source(source.clone())),
                Err(why) => Err(wrong("/source", why)),
            },
            _ => Err(wrong("", "exactly one of role, host, relay and source says whom the credential stands for".to_owned())),
        }
    }
}

impl From<&Principal> for PrincipalView {
    fn from(principal: &Principal) -> Self {
        let classes = match principal {
            Principal::Person { within, .. } => patterns(within),
            Principal::Host(_) | Principal::Relay(_) | Principal::Source(_) => Vec::new(),
        };
        let (kind, name, role) = match principal {
            Principal::Person { name, role, .. } => ("person", name.clone(), Some(role.word().to_owned())),
            Principal::Host(host) => ("host", host.to_string(), None),
            Principal::Relay(pattern) => ("relay", pattern.as_str().to_owned(), None),
            Principal::Source(name) => ("source", name.clone(), None),
        };
        Self { kind: kind.to_owned(), name, role, classes }
    }
}

impl From<&Token> for TokenRow {
    fn from(token: &Token) -> Self {
        Self { name: token.name.clone(), principal: (&token.principal).into(), issued: token.issued.to_string() }
    }
}

/// The role of this word.
pub(super) fn role(pointer: &str, word: &str) -> Result<Role, Vec<FieldError>> {
    let why = || format!("{word:?} is no role; there are {}", Role::ALL.map(Role::word).join(", "));
    Role::parse(word).ok_or_else(|| vec![FieldError::new(pointer, why())])
}

/// The classes that these patterns are of.
pub(super) fn within(pointer: &str, classes: &[String]) -> Result<Within, Vec<FieldError>> {
    if classes.len() > CLASSES_MAX {
        return Err(vec![FieldError::new(pointer, format!("there are more than {CLASSES_MAX}; write patterns, as `web*`"))]);
    }
    let bad = |text: &str| text.is_empty() || text.len() > NAME_MAX || text.chars().any(|c| !c.is_ascii_graphic() || "/\\%".contains(c));
    match classes.iter().position(|text| bad(text)) {
        Some(at) => {
            let why = format!("{:?} is no pattern of class names; write for example \"web\" or \"db*\"", classes[at]);
            Err(vec![FieldError::new(format!("{pointer}/{at}"), why)])
        }
        None => Ok(Within(classes.iter().map(|text| Pattern::new(text)).collect())),
    }
}

/// The patterns of classes, as they are sent.
pub(super) fn patterns(within: &Within) -> Vec<String> {
    within.0.iter().map(|pattern| pattern.as_str().to_owned()).collect()
}

pub(super) fn name(name: &str) -> Result<(), String> {
    if name.is_empty() || name.len() > NAME_MAX {
        return Err(format!("a name has 1 to {NAME_MAX} bytes"));
    }
    match name.chars().find(|c| !c.is_ascii_graphic() || matches!(c, '/' | '\\' | '%' | ':')) {
        Some(c) => Err(format!("a name may not hold {c:?}; letters, digits and `-_.@+` may stand in it")),
        None => Ok(()),
    }
}

fn pattern(text: &str) -> Result<Pattern, String> {
    let bad = text.chars().any(|c| !c.is_ascii_graphic() || matches!(c, '/' | '\\' | '%'));
    if text.is_empty() || text.len() > HOST_NAME_MAX || bad {
        return Err("it is no pattern of host names; write for example \"*.example.com\", or \"*\" for all".to_owned());
    }
    Ok(Pattern::new(text))
}

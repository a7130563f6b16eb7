//! Principals: who speaks. Identity comes from the credential, never from what is said.

use std::fmt;

use super::ids::{ClassName, Digest, HostId};
use super::policy::Pattern;
use super::time::Timestamp;

/// What a person may do. Each role includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Look.
    Viewer,
    /// Act on hosts: ingest, stop, hold, set facts.
    Operator,
    /// Decide on changes: accept, reject.
    Approver,
    /// Everything: tokens, configuration.
    Admin,
}

/// The classes that what a person may do is limited to; no pattern: all of them. What is only looked at is not limited.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Within(pub Vec<Pattern>);

/// Who speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// A person.
    Person {
        /// How the person is called.
        name: String,
        /// What the person may do.
        role: Role,
        /// Where the person may do it.
        within: Within,
    },
    /// A host: speaks for itself only.
    Host(HostId),
    /// A server of a tool, which speaks for the hosts its pattern matches.
    Relay(Pattern),
    /// A source of signals; the name tells sources apart.
    Source(String),
}

/// Who did something, as the audit shows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Actor(pub String);

/// A credential that was issued. Only a hash of the secret is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// SHA-256 (first half) of the secret.
    pub hash: Digest,
    /// What it is called, unique among tokens.
    pub name: String,
    /// Whom it stands for.
    pub principal: Principal,
    /// Since when.
    pub issued: Timestamp,
}

impl Role {
    /// All roles, weakest first.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Operator, Self::Approver, Self::Admin];

    /// The role of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.word() == word)
    }

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Approver => "approver",
            Self::Admin => "admin",
        }
    }
}

impl Within {
    /// Whether it limits at all.
    pub fn limits(&self) -> bool {
        !self.0.is_empty()
    }

    /// Whether a class lies within.
    pub fn holds(&self, class: &ClassName) -> bool {
        let name = class.as_str().to_ascii_lowercase();
        !self.limits() || self.0.iter().any(|pattern| pattern.matches(&name))
    }

    /// In words: `web, db*`, or `all classes`.
    pub fn words(&self) -> String {
        if self.limits() { self.0.iter().map(Pattern::as_str).collect::<Vec<_>>().join(", ") } else { "all classes".to_owned() }
    }
}

impl Principal {
    /// A person who may do this much, everywhere.
    pub fn person(name: impl Into<String>, role: Role) -> Self {
        Self::Person { name: name.into(), role, within: Within::default() }
    }

    /// Whether it may speak for this host (bring its reports, set its facts).
    pub fn speaks_for(&self, host: &HostId) -> bool {
        match self {
            Self::Person { role, .. } => *role >= Role::Operator,
            Self::Host(own) => own == host,
            Self::Relay(pattern) => pattern.matches(host.as_str()),
            Self::Source(_) => false,
        }
    }

    /// Whether it is a person with at least this role.
    pub fn has(&self, role: Role) -> bool {
        match self {
            Self::Person { role: own, .. } => *own >= role,
            Self::Host(_) | Self::Relay(_) | Self::Source(_) => false,
        }
    }

    /// Whether what it may do, it may do to this class.
    pub fn reaches(&self, class: &ClassName) -> bool {
        match self {
            Self::Person { within, .. } => within.holds(class),
            Self::Host(_) | Self::Relay(_) | Self::Source(_) => true,
        }
    }

    /// As the audit shows it.
    pub fn actor(&self) -> Actor {
        Actor(match self {
            Self::Person { name, .. } => name.clone(),
            Self::Host(host) => format!("host:{host}"),
            Self::Relay(pattern) => format!("relay:{}", pattern.as_str()),
            Self::Source(name) => format!("source:{name}"),
        })
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_speaks_for_itself_only_and_a_relay_for_its_pattern() {
        let (web, db) = (HostId::parse("web01").unwrap(), HostId::parse("db01").unwrap());
        assert!(Principal::Host(web.clone()).speaks_for(&web));
        assert!(!Principal::Host(web.clone()).speaks_for(&db));
        assert!(!Principal::Relay(Pattern::new("web*")).speaks_for(&db));
        assert!(!Principal::Source("p1".into()).speaks_for(&web));
        assert!(!Principal::person("v", Role::Viewer).speaks_for(&web));
    }
}

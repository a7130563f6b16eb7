//! What a person who is limited to classes may do: decided once, for every input, before anything else. An input that
//! is new has to say here what it concerns, or it does not compile.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::Draft;
use super::fed::Fed;
use super::{Answer, Input};
use crate::model::hold::HoldScope;
use crate::model::ids::{ChangeId, ClassName, Environment, HostId};
use crate::model::item::branch;
use crate::model::policy::ClassPolicy;
use crate::model::principal::{Principal, Within};
use crate::state::{Fact, NoteKind, State};

/// What an input concerns.
enum Concerns {
    /// Nothing that is limited: there is no person behind it, or it is refused or allowed for other reasons.
    Nothing,
    /// These classes.
    Classes(BTreeSet<ClassName>),
    /// Everything there is.
    All,
    /// Hosts that are not known yet: why.
    Unknown(String),
}

/// The refusal of what lies outside of the classes that who asks is limited to; none where it may go on.
pub(super) fn refuse(draft: &mut Draft<'_>, input: &Input) -> Option<Answer> {
    let (principal, concerns) = concerns(draft.state, input);
    let Some(Principal::Person { within, .. }) = principal else { return None };
    if !within.limits() {
        return None;
    }
    let actor = principal?.actor();
    let why = outside(within, concerns)?;
    draft.note(NoteKind::Security, &actor, None, format!("{actor}, who is limited to {}, was refused: {why}", within.words()));
    put_aside(draft, input, &why);
    Some(Answer::Forbidden(format!("{why}; you are limited to {}", within.words())))
}

fn outside(within: &Within, concerns: Concerns) -> Option<String> {
    match concerns {
        Concerns::Nothing => None,
        Concerns::Classes(classes) => {
            let class = classes.iter().find(|class| !within.holds(class))?;
            Some(format!("it concerns class {class}"))
        }
        Concerns::All => Some("it concerns all classes".to_owned()),
        Concerns::Unknown(why) => Some(why),
    }
}

/// Bytes that were made durable are done with, whatever becomes of them.
fn put_aside(draft: &mut Draft<'_>, input: &Input, why: &str) {
    let (inbox, digest) = match input {
        Input::Report { inbox, decoded, .. } => (*inbox, decoded.report.digest),
        Input::Fed { inbox, digest, .. } | Input::Unreadable { inbox, digest, .. } => (*inbox, *digest),
        _ => return,
    };
    draft.push(Fact::Quarantined { inbox, host: None, digest, reason: why.to_owned() });
}

fn concerns<'a>(state: &State, input: &'a Input) -> (Option<&'a Principal>, Concerns) {
    match input {
        Input::Report { principal, decoded, .. } => (Some(principal), of_name(state, &decoded.report.host)),
        Input::Fed { principal, message, .. } => (Some(principal), of_message(state, message)),
        Input::Unreadable { principal, host, .. } => {
            (Some(principal), host.as_ref().map_or(Concerns::Nothing, |host| of_name(state, host)))
        }
        Input::Facts { principal, host, facts, .. } => (Some(principal), of_facts(state, host, facts)),
        Input::Polled { principal, host, .. } => (Some(principal), of_host(state, host)),
        Input::Override { principal, change, .. } | Input::Revert { principal, change, .. } => (Some(principal), of_change(state, *change)),
        Input::StopRevert { principal, revert, .. } => {
            let change = state.reverts.get(revert).map(|revert| revert.change);
            (Some(principal), change.map_or(Concerns::Nothing, |change| of_change(state, change)))
        }
        Input::PlaceHold { principal, ask } => {
            let concerns = match &ask.import {
                Some(host) => of_host(state, host),
                None => of_scope(state, &ask.scope, true),
            };
            (Some(principal), concerns)
        }
        Input::EditHold { principal, hold, .. } => {
            (Some(principal), state.holds.get(hold).map_or(Concerns::Nothing, |hold| of_scope(state, &hold.scope, true)))
        }
        Input::Publish { principal, environment, .. } => (Some(principal), of_branch(state, environment)),
        Input::Deployed { principal, .. } => (Some(principal), Concerns::Nothing),
        Input::Pin { principal, ask } => (Some(principal), of_scope(state, &ask.scope, false)),
        Input::IssueToken { principal, .. }
        | Input::RevokeToken { principal, .. }
        | Input::AddUser { principal, .. }
        | Input::EditUser { principal, .. }
        | Input::RemoveUser { principal, .. }
        | Input::BackUp { principal } => (Some(principal), Concerns::All),
        // Of his own everybody may dispose, and of others' nobody who is limited: that is decided there.
        Input::SetPassword { principal, .. } | Input::EndSession { principal, .. } => (Some(principal), Concerns::Nothing),
        Input::OpenSession { .. } | Input::SessionSeen { .. } | Input::LoginRefused { .. } => (None, Concerns::Nothing),
        Input::Heard { .. }
        | Input::Policy { .. }
        | Input::Looked { .. }
        | Input::SelfChecked { .. }
        | Input::Restored { .. }
        | Input::Wake
        | Input::Pulled { .. }
        | Input::Tables { .. }
        | Input::RunHealth
        | Input::Tried { .. } => (None, Concerns::Nothing),
    }
}

/// A host that is not known would come into the class its name says.
fn of_host(state: &State, host: &HostId) -> Concerns {
    Concerns::Classes(BTreeSet::from([class_of(state, host)]))
}

fn class_of(state: &State, host: &HostId) -> ClassName {
    state.hosts.get(host).map_or_else(|| state.policy.class_of(host, &BTreeMap::new()), |host| host.class.clone())
}

/// What is no name of a host is refused for that.
fn of_name(state: &State, host: &str) -> Concerns {
    HostId::parse(host).map_or(Concerns::Nothing, |host| of_host(state, &host))
}

/// Facts may move a host to another class: both are concerned.
fn of_facts(state: &State, host: &HostId, facts: &BTreeMap<String, String>) -> Concerns {
    Concerns::Classes(BTreeSet::from([class_of(state, host), state.policy.class_of(host, facts)]))
}

fn of_message(state: &State, message: &Fed) -> Concerns {
    match message {
        Fed::Facts { host, facts } => HostId::parse(host).map_or(Concerns::Nothing, |host| of_facts(state, &host, facts)),
        Fed::Offered { host } => of_host(state, host),
        Fed::Nothing => Concerns::Nothing,
    }
}

/// The classes whose hosts get something of the branch.
fn of_branch(state: &State, environment: &Environment) -> Concerns {
    let same = |declared: &Environment| branch(declared.as_str()) == branch(environment.as_str());
    let declares = |class: &&ClassPolicy| class.declared().any(same);
    Concerns::Classes(state.policy.classes.iter().filter(declares).map(|class| class.name.clone()).collect())
}

/// What does not exist is said by whoever looks for it.
fn of_change(state: &State, change: ChangeId) -> Concerns {
    state.changes.get(&change).map_or(Concerns::Nothing, |change| Concerns::Classes(BTreeSet::from([change.class.clone()])))
}

/// The classes of a scope, and of the hosts it means. What lasts would reach hosts of other classes that come later, if
/// it were by pattern.
fn of_scope(state: &State, scope: &HoldScope, lasts: bool) -> Concerns {
    let mut classes = scope.classes.clone();
    classes.extend(state.hosts.values().filter(|host| scope.holds(&host.id, &host.class)).map(|host| host.class.clone()));
    let open = scope.hosts.iter().find(|pattern| lasts && pattern.as_str().contains(['*', '?']));
    match open {
        Some(pattern) => Concerns::Unknown(format!("hosts {} may be of any class: name classes, or whole host names", pattern.as_str())),
        None => Concerns::Classes(classes),
    }
}

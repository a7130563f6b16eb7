//! Messages of feeds that are no reports: facts of hosts, and what hosts were offered.

use std::collections::{BTreeMap, BTreeSet};

use super::Answer;
use super::draft::Draft;
use super::facts::{self, FACT_BYTES_MAX, FACTS_MAX};
use crate::model::ids::{Digest, HostId, InboxId};
use crate::model::policy::{Policy, ReleaseSource};
use crate::model::principal::Principal;
use crate::state::{Fact, NoteKind, State};

/// What a message of a feed says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fed {
    /// A host's facts, as its tool has them.
    Facts {
        /// The host, as it is spelled.
        host: String,
        /// Its facts.
        facts: BTreeMap<String, String>,
    },
    /// A host was offered a configuration; what it is, is kept beside the facts that follow.
    Offered {
        /// The host.
        host: HostId,
    },
    /// Nothing that is kept.
    Nothing,
}

pub(super) fn fed(draft: &mut Draft<'_>, principal: &Principal, inbox: Option<InboxId>, digest: Digest, message: &Fed) -> Answer {
    let host = match message {
        Fed::Nothing => return done(draft, inbox),
        Fed::Offered { host } => host.clone(),
        Fed::Facts { host, .. } => match HostId::parse(host) {
            Ok(host) => host,
            Err(bad) => return put_aside(draft, inbox, None, digest, format!("host: {bad}")),
        },
    };
    if !principal.speaks_for(&host) {
        let actor = principal.actor();
        let text = format!("{actor} brought what concerns {host}, for which its credential does not speak");
        draft.note(NoteKind::Security, &actor, Some(&host), text.clone());
        put_aside(draft, inbox, None, digest, text);
        return Answer::Forbidden(format!("this credential does not speak for {host}"));
    }
    let Fed::Facts { facts: told, .. } = message else { return done(draft, inbox) };
    let taken = taken(draft.state, &host, told);
    match facts::facts(draft, principal, &host, None, &taken) {
        Answer::Done => done(draft, inbox),
        refused => {
            let why = refused.refusal().unwrap_or_default().to_owned();
            put_aside(draft, inbox, Some(&host), digest, why);
            refused
        }
    }
}

fn done(draft: &mut Draft<'_>, inbox: Option<InboxId>) -> Answer {
    if let Some(inbox) = inbox {
        draft.push(Fact::InboxDone { inbox });
    }
    Answer::Done
}

fn put_aside(draft: &mut Draft<'_>, inbox: Option<InboxId>, host: Option<&HostId>, digest: Digest, reason: String) -> Answer {
    draft.push(Fact::Quarantined { inbox, host: host.cloned(), digest, reason: reason.clone() });
    Answer::Unprocessable(reason)
}

/// Which of a host's facts are taken: those that its agent tells by itself, then those that the configuration
/// reads, then the others.
fn taken(state: &State, host: &HostId, told: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let read = read_by(&state.policy);
    let agent = state.hosts.get(host).and_then(|host| host.agent.as_ref());
    let mut taken = agent.map(|agent| agent.own.0.clone()).unwrap_or_default();
    let fits = |(name, value): &(&String, &String)| name.len().max(value.len()) <= FACT_BYTES_MAX;
    let (first, rest): (Vec<_>, Vec<_>) = told.iter().filter(fits).partition(|(name, _)| read.contains(name.as_str()));
    for (name, value) in first.into_iter().chain(rest) {
        if taken.len() < FACTS_MAX {
            taken.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }
    taken
}

/// Names of facts that classes, releases and waves are read from.
fn read_by(policy: &Policy) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    for class in &policy.classes {
        names.extend(class.facts.keys().map(String::as_str));
        names.extend(class.spread.as_deref().into_iter().chain(class.apart.as_deref()));
        if let ReleaseSource::Fact(name) = &class.release {
            names.insert(name.as_str());
        }
    }
    names
}

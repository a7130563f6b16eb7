//! A configuration was loaded; a host's facts were reported.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Answer;
use super::changes::{self, Arriving};
use super::closed;
use super::draft::Draft;
use super::intake::enrolling;
use crate::model::change::{Treated, release_content, release_item};
use crate::model::host::Host;
use crate::model::ids::{ClassName, HostId, Release};
use crate::model::item::{Items, Mark};
use crate::model::policy::{Policy, ReleaseSource};
use crate::model::principal::{Actor, Principal};
use crate::model::report::Version;
use crate::state::{Fact, NoteKind, Scope};

/// The most facts kept of one host.
pub const FACTS_MAX: usize = 200;
/// The longest name or value of a fact, in bytes.
pub const FACT_BYTES_MAX: usize = 1024;

pub(super) fn policy(draft: &mut Draft<'_>, policy: &Arc<Policy>, actor: &Actor) -> Answer {
    let class_now = |host: &Host| policy.class_of(&host.id, &host.facts);
    let moved: BTreeMap<HostId, ClassName> =
        draft.state.hosts.values().filter(|host| class_now(host) != host.class).map(|host| (host.id.clone(), class_now(host))).collect();
    if *draft.state.policy != **policy || !moved.is_empty() {
        draft.push(Fact::PolicyLoaded { policy: Arc::clone(policy), actor: actor.clone(), moved });
    }
    closed::follow(draft, policy);
    Answer::Done
}

pub(super) fn facts(
    draft: &mut Draft<'_>,
    principal: &Principal,
    host: &HostId,
    release: Option<&Release>,
    facts: &BTreeMap<String, String>,
) -> Answer {
    if !principal.speaks_for(host) {
        return refuse(draft, principal, host);
    }
    if let Err(text) = check(facts) {
        return Answer::Unprocessable(text);
    }
    let class = draft.state.policy.class_of(host, facts);
    let known = draft.state.hosts.get(host);
    let release = match read_release(draft, &class, release, facts) {
        Ok(release) => release.or_else(|| known.and_then(|host| host.release.clone())),
        Err(text) => return Answer::Unprocessable(text),
    };
    if known.is_some_and(|host| host.class == class && host.release == release && host.facts == *facts) {
        return Answer::Done;
    }
    if known.is_none() {
        draft.push(Fact::HostEnrolled { host: host.clone(), class: class.clone() });
    }
    let actor = principal.actor();
    draft.push(Fact::FactsSet { host: host.clone(), class: class.clone(), release: release.clone(), facts: facts.clone(), actor });
    if let Some(release) = release {
        let comes_from = known.filter(|host| host.class == class).and_then(|host| host.release.clone());
        if comes_from.as_ref() != Some(&release) {
            release_arrives(draft, host, &class, comes_from, release);
        }
    }
    Answer::Done
}

fn refuse(draft: &mut Draft<'_>, principal: &Principal, host: &HostId) -> Answer {
    let actor = principal.actor();
    draft.note(
        NoteKind::Security,
        &actor,
        Some(host),
        format!("{actor} tried to set facts of {host}, for which its credential does not speak"),
    );
    Answer::Forbidden(format!("this credential does not speak for {host}"))
}

fn check(facts: &BTreeMap<String, String>) -> Result<(), String> {
    if facts.len() > FACTS_MAX {
        return Err(format!(
            "facts: {} of them; at most {FACTS_MAX} are kept. Send only those that classes and releases are read from",
            facts.len()
        ));
    }
    match facts.iter().find(|(name, value)| name.len().max(value.len()) > FACT_BYTES_MAX) {
        Some((name, _)) => {
            let short: String = name.chars().take(60).collect();
            Err(format!("facts/{short}: name or value is longer than {FACT_BYTES_MAX} bytes"))
        }
        None => Ok(()),
    }
}

fn read_release(
    draft: &Draft<'_>,
    class: &ClassName,
    reported: Option<&Release>,
    facts: &BTreeMap<String, String>,
) -> Result<Option<Release>, String> {
    match draft.state.policy.class(class).release {
        ReleaseSource::None => Ok(None),
        ReleaseSource::Reported => Ok(reported.cloned()),
        ReleaseSource::Fact(name) => match facts.get(&name) {
            None => Ok(reported.cloned()),
            Some(text) => {
                Release::parse(text).map(Some).map_err(|bad| format!("facts/{name}: it is the release of class {class}, but {bad}"))
            }
        },
    }
}

/// What a host runs at first contact is adopted; what it comes to run later is a Change.
fn release_arrives(draft: &mut Draft<'_>, host: &HostId, class: &ClassName, from: Option<Release>, to: Release) {
    let scope = Scope { class: class.clone(), release: Some(to.clone()) };
    let items = Items::from([(release_item(), release_content(&to))]);
    let Some(from) = from else {
        if !draft.state.acceptance.knows(&scope, &release_item()) && enrolling(draft.state, class) {
            draft.push(Fact::ItemsMarked { scope, items, mark: Mark::Adopted });
        }
        return;
    };
    let now = draft.now;
    let words = changes::words_of(&items, from.as_str(), to.as_str());
    let environment = draft.state.hosts.get(host).and_then(|known| known.environment.clone());
    // The environment that fits the release comes with the next run; the one that is there says nothing yet.
    let treated =
        Treated { onset: now, run: None, skewed: false, environment: None, failures: BTreeMap::new(), compile_error: None, left: None };
    let arriving = Arriving { host: host.clone(), scope, version: Version::Unknown, environment, items, words, treated };
    changes::arrive(draft, arriving);
}

//! What is deployed on the machines that make configurations, as they tell it: which version an environment had when
//! something was compiled, and what all of them have.

use std::collections::{BTreeMap, BTreeSet};

use super::Answer;
use super::deployments::is_published;
use super::draft::Draft;
use crate::model::deployment::{DEPLOYED_KEPT, Deployed, ENVIRONMENTS_MAX, PLACES_MAX, VERSION_MAX};
use crate::model::ids::{Environment, HostId};
use crate::model::item::branch;
use crate::model::principal::Principal;
use crate::model::report::Version;
use crate::model::time::Timestamp;
use crate::state::{Fact, State};

/// Stands between the machine and who says so: no credential speaks of what another one told.
const BY: &str = " by ";

/// The machines that tell what they have, without those that nobody is sent to any more: an outpost that is not waited for, or
/// was forgotten.
fn places(state: &State) -> impl Iterator<Item = (&str, &BTreeMap<Environment, Vec<Deployed>>)> {
    let counts = |place: &str| {
        let host = place.split(BY).next();
        let mut here = state.outposts.values().filter(|outpost| Some(outpost.host.as_str()) == host).peekable();
        if here.peek().is_none() { state.outposts.is_empty() } else { here.any(|outpost| outpost.left.is_none()) }
    };
    let told = state.deployed.iter().filter(|(_, there)| !there.is_empty());
    told.map(|(place, there)| (place.as_str(), there)).filter(move |(place, _)| counts(place))
}

/// The machines that tell what they have and do not have an environment.
pub(super) fn lacking<'s>(state: &'s State, environment: &Environment) -> Vec<&'s str> {
    places(state).filter(|(_, there)| !there.contains_key(environment)).map(|(place, _)| place).collect()
}

/// The version that an environment had during a run that does not say it: as the machines that make configurations tell
/// it. Where they differ, or something was being deployed, nobody knows.
pub(super) fn version(state: &State, environment: &Environment, began: Timestamp, ended: Timestamp) -> Option<Version> {
    let mut versions = BTreeSet::new();
    for deployed in places(state).filter_map(|(_, there)| there.get(environment)) {
        if deployed.iter().any(|one| one.began < ended && one.ended > began) {
            return None;
        }
        versions.insert(deployed.iter().rfind(|one| one.ended <= began)?.version.as_deref());
    }
    let told = if versions.len() == 1 { versions.first().copied().flatten() } else { None };
    let named = || {
        let id = environment.as_str().strip_prefix(branch(environment.as_str()))?.strip_prefix('_')?;
        is_published(state, environment).then(|| id.to_owned())
    };
    let agree = versions.iter().all(Option::is_none);
    told.map(str::to_owned).or_else(|| agree.then(named).flatten()).map(Version::Named)
}

/// A machine that makes configurations tells what it has.
pub(super) fn told(draft: &mut Draft<'_>, principal: &Principal, host: &HostId, environments: &BTreeMap<Environment, Deployed>) -> Answer {
    let Principal::Relay(_) = principal else {
        return Answer::Forbidden("only a relay tells what is deployed on its machine".to_owned());
    };
    let place = format!("{host}{BY}{}", principal.actor());
    let known = draft.state.deployed.get(&place);
    if known.is_none() && draft.state.deployed.len() >= PLACES_MAX {
        return Answer::Unprocessable(format!("host: {PLACES_MAX} machines tell of their deployments already"));
    }
    if environments.len() > ENVIRONMENTS_MAX {
        return Answer::Unprocessable(format!("environments: {} of them; at most {ENVIRONMENTS_MAX} are kept", environments.len()));
    }
    let odd = |one: &Deployed| one.version.as_ref().is_some_and(|version| version.is_empty() || version.len() > VERSION_MAX);
    if let Some((environment, _)) = environments.iter().find(|(_, one)| odd(one)) {
        return Answer::Unprocessable(format!("environments/{environment}/version: it is empty, or longer than {VERSION_MAX} bytes"));
    }
    for (environment, new) in environments {
        let mut deployed = known.and_then(|known| known.get(environment)).cloned().unwrap_or_default();
        if deployed.last().is_some_and(|last| last.version == new.version && last.ended >= new.ended) {
            continue;
        }
        let new = Deployed { began: new.began.min(new.ended), ended: new.ended.min(draft.now), ..new.clone() };
        deployed.push(new);
        let surplus = deployed.len().saturating_sub(DEPLOYED_KEPT);
        deployed.drain(..surplus);
        draft.push(Fact::DeployedSet { place: place.clone(), environment: environment.clone(), deployed });
    }
    for gone in known.into_iter().flat_map(BTreeMap::keys).filter(|known| !environments.contains_key(*known)) {
        draft.push(Fact::DeployedSet { place: place.clone(), environment: gone.clone(), deployed: Vec::new() });
    }
    Answer::Done
}

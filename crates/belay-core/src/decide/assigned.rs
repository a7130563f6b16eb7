//! Releases that the tool itself installs: a class is to come to one, and the run that installs it on a host belongs to it.

use super::delta::Delta;
use super::draft::Draft;
use super::waves;
use crate::model::change::{ItemWords, release_content, release_item};
use crate::model::host::Host;
use crate::model::ids::{HostId, Release};
use crate::model::item::branch;
use crate::model::principal::Actor;
use crate::model::report::Report;
use crate::state::{Fact, Scope, State};

/// The host as it is after this run, where the run brought it to the release that its class is to come to: one that was
/// applied, in the environment of that release and of no other that the host runs.
pub(super) fn moved_by(draft: &mut Draft<'_>, host: &Host, report: &Report) -> Option<Host> {
    let class = draft.state.policy.class(&host.class);
    let target = waves::moves_to(&class, host)?;
    let environment = report.environment.as_ref().filter(|_| report.kind.applied() && report.failed.is_empty())?;
    let is_of = |release: &Release| class.environments.get(release).is_some_and(|due| branch(due.as_str()) == branch(environment.as_str()));
    if !is_of(target) || host.release.as_ref().is_some_and(is_of) {
        return None;
    }
    draft.push(Fact::FactsSet {
        host: host.id.clone(),
        class: host.class.clone(),
        release: Some(target.clone()),
        facts: host.facts.clone(),
        actor: Actor("belay".to_owned()),
    });
    Some(Host { release: Some(target.clone()), ..host.clone() })
}

/// The release came with the run: it is part of what is new.
pub(super) fn arrives(state: &State, host: &HostId, scope: &Scope, delta: &mut Delta) {
    let Some(release) = &scope.release else { return };
    let before = state.hosts.get(host).and_then(|known| known.release.as_ref()).map_or_else(String::new, ToString::to_string);
    delta.words.insert(release_item(), ItemWords { old: before, new: release.to_string() });
    delta.arrived = Some((release_item(), release_content(release)));
}

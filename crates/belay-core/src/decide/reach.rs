//! How far what is new has come: the hosts that the waves have reached, and the environments that follow from it.

use std::collections::{BTreeMap, BTreeSet};

use super::deployments::{self, Course};
use super::{closed, waves};
use crate::model::change::{Change, release_content, release_item};
use crate::model::host::Host;
use crate::model::ids::{ChangeId, Environment, HostId, Release};
use crate::model::item::{ItemKey, Mark, REVERT_KIND, branch, environment_content};
use crate::model::policy::ClassPolicy;
use crate::model::time::Timestamp;
use crate::model::verdict::Outcome;
use crate::state::{Scope, State};

/// The hosts that the waves have reached. Drawn once a class and release: whoever asks for many hosts
/// asks one of these.
pub(super) struct Reach<'s> {
    state: &'s State,
    /// None where the Change on trial keeps no waves.
    drawn: BTreeMap<Scope, Option<BTreeSet<HostId>>>,
    courses: BTreeMap<(Scope, Environment), Course>,
}

impl<'s> Reach<'s> {
    pub(super) fn of(state: &'s State) -> Self {
        Self { state, drawn: BTreeMap::new(), courses: BTreeMap::new() }
    }

    /// Whether the waves of a class and release have reached a host, or the class keeps none. Where nothing is on
    /// trial, the hosts that would come first may be the first.
    fn reaches(&mut self, scope: &Scope, host: &Host, class: &ClassPolicy) -> bool {
        if !class.keeps_waves() {
            return true;
        }
        if !self.drawn.contains_key(scope) {
            let drawn = self.draw(scope, class);
            self.drawn.insert(scope.clone(), drawn);
        }
        self.drawn.get(scope).and_then(Option::as_ref).is_none_or(|hosts| hosts.contains(&host.id))
    }

    fn draw(&mut self, scope: &Scope, class: &ClassPolicy) -> Option<BTreeSet<HostId>> {
        if let Some(change) = self.state.open_change(&scope.class, scope.release.as_ref()) {
            return change.waves.as_ref().map(waves::reached);
        }
        let declared = deployments::declared(class, scope.release.as_ref()).cloned();
        let coming = declared.and_then(|declared| self.course(scope, &declared).coming.clone());
        match coming {
            Some(environment) => deployments::waves(self.state, scope, &environment).as_ref().map(waves::reached),
            None => {
                let next = ChangeId(self.state.counters.changes + 1).to_string();
                waves::draw(self.state, scope, &next).as_ref().map(waves::reached)
            }
        }
    }

    fn course(&mut self, scope: &Scope, declared: &Environment) -> &Course {
        let state = self.state;
        let key = (scope.clone(), declared.clone());
        self.courses.entry(key).or_insert_with_key(|(scope, declared)| deployments::course(state, scope, declared))
    }

    /// Whether content that is not accepted may come to a host now: its wave is open, and its class
    /// is not closed.
    pub(super) fn is_open(&mut self, host: &Host, class: &ClassPolicy, now: Timestamp) -> bool {
        let scope = self.scope(host, class, now);
        closed::for_host(self.state, host, class, now).is_none() && self.reaches(&scope, host, class)
    }

    /// The class and release that what a host gets next belongs to: the release it is to come to, once its wave is there.
    pub(super) fn scope(&mut self, host: &Host, class: &ClassPolicy, now: Timestamp) -> Scope {
        let moves = self.moves(host, class, now);
        Scope { class: host.class.clone(), release: moves.cloned().or_else(|| host.release.clone()) }
    }

    /// The release that a host may come to now, where its class is to come to one: not one that was rejected, and not
    /// before its wave. Who has the environment that installs it keeps it.
    fn moves<'c>(&mut self, host: &Host, class: &'c ClassPolicy, now: Timestamp) -> Option<&'c Release> {
        let target = waves::moves_to(class, host)?;
        let environment = class.target_environment()?;
        let scope = Scope { class: host.class.clone(), release: Some(target.clone()) };
        let may = match self.state.acceptance.mark(&scope, &release_item(), &release_content(target)) {
            Some(Mark::Rejected(_)) => false,
            Some(Mark::Accepted(_) | Mark::Adopted) => closed::for_host(self.state, host, class, now).is_none(),
            Some(Mark::OnTrial(_)) if self.failed(&scope) => false,
            Some(Mark::OnTrial(_)) | None => {
                let has = host.environment.as_ref().is_some_and(|own| branch(own.as_str()) == branch(environment.as_str()));
                has || (closed::for_host(self.state, host, class, now).is_none() && self.reaches(&scope, host, class))
            }
        };
        may.then_some(target)
    }

    /// Whether what was last tried for a class and release was rejected. A release that came with content that could be
    /// blamed has no mark of its own: it goes on once other content proved good on those that have it.
    fn failed(&self, scope: &Scope) -> bool {
        let decided = |change: &&Change| !change.open() && change.class == scope.class && change.release == scope.release;
        let tried = |change: &&Change| !change.items.keys().any(|key| &*key.kind == REVERT_KIND);
        let last = self.state.changes.values().rev().filter(decided).find(tried);
        last.and_then(|change| change.verdict.as_ref()).is_some_and(|verdict| verdict.outcome == Outcome::Rejected)
    }

    /// The environment each release needs, as this host gets it: of a branch of which deployments were published, the one
    /// that is good here, or the one that comes, once its wave is there. A host whose release is to change needs what
    /// installs the new one.
    pub(super) fn environments(&mut self, host: &Host, class: &ClassPolicy, now: Timestamp) -> BTreeMap<Release, Environment> {
        let mut environments = class.environments.clone();
        let moves = self.moves(host, class, now).cloned();
        if !self.state.published.is_empty() {
            for (release, environment) in &mut environments {
                let own = host.release.as_ref() == Some(release) || moves.as_ref() == Some(release);
                *environment = self.given(release_scope(host, release), environment, own, host, class, now);
            }
        }
        if let (Some(target), Some(own)) = (&moves, &host.release)
            && let Some(installs) = environments.get(target).cloned()
        {
            environments.insert(own.clone(), installs);
        }
        environments
    }

    /// What a host gets of a declared environment.
    fn given(&mut self, scope: Scope, declared: &Environment, own: bool, host: &Host, class: &ClassPolicy, now: Timestamp) -> Environment {
        let Course { good, coming, kept } = self.course(&scope, declared).clone();
        let Some(coming) = coming.filter(|_| own) else { return good };
        let open = || closed::for_host(self.state, host, class, now).is_none();
        let has = host.environment.as_ref();
        if has == Some(&coming) || (open() && self.reaches(&scope, host, class)) {
            return coming;
        }
        has.filter(|has| kept.contains(has)).cloned().unwrap_or(good)
    }

    /// The environment that a host's wave gives it: where a class declares one for what is new and one for what is stable,
    /// or one for all its hosts of which deployments were published. While its class is closed only hosts that got the
    /// Change on trial have what is new: nobody comes to it, and nobody is taken back from it either.
    pub(super) fn environment(&mut self, host: &Host, class: &ClassPolicy, now: Timestamp) -> Option<Environment> {
        let own = Scope { class: host.class.clone(), release: host.release.clone() };
        let Some(branches) = &class.branches else {
            let declared = class.environment.as_ref().filter(|declared| deployments::any_published(self.state, declared))?;
            return Some(self.given(own, declared, true, host, class, now));
        };
        let state = self.state;
        let mark = state.acceptance.mark(&own, &ItemKey::environment(), &environment_content(&branches.candidate));
        let rejected = matches!(mark, Some(Mark::Rejected(_)));
        let on_trial = || state.open_change(&host.class, host.release.as_ref()).is_some_and(|change| change.treated.contains_key(&host.id));
        let open = self.is_open(host, class, now) || (on_trial() && self.reaches(&own, host, class));
        Some(if open && !rejected { branches.candidate.clone() } else { branches.stable.clone() })
    }
}

fn release_scope(host: &Host, release: &Release) -> Scope {
    Scope { class: host.class.clone(), release: Some(release.clone()) }
}

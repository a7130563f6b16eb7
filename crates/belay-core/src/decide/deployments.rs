//! Deployments as environments of their own: which one of a branch hosts get.
//!
//! A published deployment comes to hosts along the waves of its class. As long as nothing new came with it, nothing is on
//! trial, and it goes on as fast as runs come; from the first new content on it is part of that Change, and goes with it.

use std::collections::BTreeMap;

use super::Answer;
use super::deployed::lacking;
use super::draft::Draft;
use super::waves as wave;
use crate::model::change::{Change, ItemWords, Waves};
use crate::model::deployment::{BRANCHES_MAX, PUBLISHED_KEPT, Published};
use crate::model::host::Host;
use crate::model::ids::{ChangeId, Environment, Release};
use crate::model::item::{COMPILE_KIND, Content, ItemKey, Items, Mark, branch, deployment_content};
use crate::model::policy::ClassPolicy;
use crate::model::principal::{Principal, Role};
use crate::state::{Fact, NoteKind, Scope, State};

/// What of a branch the hosts of a class and release get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Course {
    /// The newest deployment that is known to be good here; the declared environment where none is.
    pub(super) good: Environment,
    /// The one that is on its way.
    pub(super) coming: Option<Environment>,
    /// Those after the good one that were not rejected: who has one keeps it until the one that comes is there.
    pub(super) kept: Vec<Environment>,
}

/// The environment that a class declares for a release.
pub(super) fn declared<'c>(class: &'c ClassPolicy, release: Option<&Release>) -> Option<&'c Environment> {
    release.and_then(|release| class.environments.get(release)).or(class.environment.as_ref())
}

/// Whether an environment is a deployment that is offered.
pub(super) fn is_published(state: &State, environment: &Environment) -> bool {
    of_branch(state, environment).iter().any(|published| published.environment == *environment)
}

/// Whether any deployment of an environment's branch is offered.
pub(super) fn any_published(state: &State, environment: &Environment) -> bool {
    !of_branch(state, environment).is_empty()
}

/// What is offered of an environment's branch, the newest last.
fn of_branch<'s>(state: &'s State, environment: &Environment) -> &'s [Published] {
    if state.published.is_empty() {
        return &[];
    }
    let branch = Environment::parse(branch(environment.as_str())).ok();
    branch.and_then(|branch| state.published.get(&branch)).map_or(&[], Vec::as_slice)
}

fn mark(state: &State, scope: &Scope, environment: &Environment) -> Option<Mark> {
    state.acceptance.mark(scope, &ItemKey::deployment(), &deployment_content(environment))
}

/// What of a branch the hosts of a class and release get. What some machine does not have is no choice: a host that asked
/// there would get nothing.
pub(super) fn course(state: &State, scope: &Scope, declared: &Environment) -> Course {
    let there = |environment: &&Environment| lacking(state, environment).is_empty();
    let offered: Vec<&Environment> = of_branch(state, declared).iter().map(|published| &published.environment).filter(there).collect();
    let is_good = |environment: &&Environment| matches!(mark(state, scope, environment), Some(Mark::Adopted | Mark::Accepted(_)));
    let good_at = offered.iter().rposition(is_good);
    let good = good_at.map_or(declared, |at| offered[at]).clone();
    let open = state.open_change(&scope.class, scope.release.as_ref());
    let on_trial = open.and_then(|change| {
        let environment = change.environment.as_ref()?;
        let is = offered.contains(&environment) && mark(state, scope, environment) == Some(Mark::OnTrial(change.id));
        is.then_some(environment)
    });
    let newer = &offered[good_at.map_or(0, |at| at + 1)..];
    let untried = |environment: &&&Environment| matches!(mark(state, scope, environment), None | Some(Mark::OnTrial(_)));
    let kept: Vec<Environment> = newer.iter().filter(untried).map(|environment| (*environment).clone()).collect();
    Course { coming: on_trial.or(kept.last()).filter(|coming| **coming != good).cloned(), good, kept }
}

/// The waves in which a deployment comes as long as nothing new came with it.
pub(super) fn waves(state: &State, scope: &Scope, environment: &Environment) -> Option<Waves> {
    let mut waves = wave::draw(state, scope, environment.as_str())?;
    let spread = state.spread.get(scope).filter(|(spreading, _)| spreading == environment);
    waves.open = spread.map_or(1, |(_, open)| *open).min(u32::try_from(waves.sizes.len()).unwrap_or(u32::MAX)).max(1);
    Some(waves)
}

/// What was good before the deployment that a Change came with.
pub(super) fn before(state: &State, change: &Change, scope: &Scope) -> Option<Environment> {
    let environment = change.environment.as_ref().filter(|environment| is_published(state, environment))?;
    let class = state.policy.class(&change.class);
    let good = course(state, scope, declared(&class, change.release.as_ref())?).good;
    let is_good = good != *environment;
    let words = || change.words.get(&ItemKey::deployment()).and_then(|words| Environment::parse(&words.old).ok());
    if is_good { Some(good) } else { words().filter(|before| before != environment) }
}

/// The deployment that a Change came with, and what its hosts get in place of it, where it was rejected.
pub fn replaced(state: &State, change: &Change) -> Option<(Environment, Environment)> {
    let scope = Scope { class: change.class.clone(), release: change.release.clone() };
    let bad = change.environment.as_ref().filter(|bad| matches!(mark(state, &scope, bad), Some(Mark::Rejected(_))))?;
    let good = before(state, change, &scope)?;
    Some((bad.clone(), good))
}

/// The item that stands for the deployment in which new content came, where it is not known to be good. What does not
/// compile is blamed on it only where nothing else is on trial: it takes nothing's place.
pub(super) fn brought(
    state: &State,
    host: &Host,
    scope: &Scope,
    environment: Option<&Environment>,
    items: &Items,
) -> Option<(ItemKey, Content, ItemWords)> {
    let environment = environment.filter(|environment| !items.is_empty() && is_published(state, environment))?;
    let compiles = items.keys().any(|key| &*key.kind != COMPILE_KIND);
    let alone = state.open_change(&scope.class, scope.release.as_ref()).is_none_or(|open| open.environment.as_ref() == Some(environment));
    let untold = matches!(mark(state, scope, environment), None | Some(Mark::OnTrial(_)));
    let words = ItemWords { old: host.environment.as_ref().map_or_else(String::new, ToString::to_string), new: environment.to_string() };
    (untold && (compiles || alone)).then(|| (ItemKey::deployment(), deployment_content(environment), words))
}

/// A deployment is offered to the hosts of its branch, or is no more.
pub(super) fn publish(draft: &mut Draft<'_>, principal: &Principal, environment: &Environment, withdraw: bool, reason: &str) -> Answer {
    let actor = principal.actor();
    if !principal.has(Role::Operator) {
        draft.note(NoteKind::Security, &actor, None, format!("{actor} tried to publish {environment} without the role of an operator"));
        return Answer::Forbidden("to publish a deployment needs the role of an operator".to_owned());
    }
    let Some(branch) = Environment::parse(branch(environment.as_str())).ok().filter(|branch| branch != environment) else {
        let text = format!(
            "environment: {environment} is no deployment of its own: the name of one ends with _ and a git id, as production_9f2c1e0. A branch that is deployed over itself is there for whoever asks, and needs not be published"
        );
        return Answer::Unprocessable(text);
    };
    let mut published = draft.state.published.get(&branch).cloned().unwrap_or_default();
    let because = if reason.trim().is_empty() { String::new() } else { format!(": {}", reason.trim()) };
    let was = published.iter().position(|known| known.environment == *environment);
    if withdraw {
        let Some(at) = was else { return Answer::NotFound(format!("{environment} is not published")) };
        published.remove(at);
        let what = format!("{environment} is offered no more{because}");
        draft.push(Fact::PublishedSet { branch, published, actor, what });
        return Answer::Done;
    }
    if let Some(refused) = not_to_be_published(draft.state, environment, &branch, &published) {
        return refused;
    }
    if was.is_some_and(|at| at + 1 == published.len()) {
        return Answer::Done;
    }
    // What has come to all by now is known to be good before the next one takes its place.
    spread(draft);
    published.retain(|known| known.environment != *environment);
    published.push(Published { environment: environment.clone(), at: draft.now, by: actor.clone() });
    let surplus = published.len().saturating_sub(PUBLISHED_KEPT);
    published.drain(..surplus);
    draft.push(Fact::PublishedSet { branch, published, actor, what: format!("{environment} is published{because}") });
    Answer::Done
}

fn not_to_be_published(state: &State, environment: &Environment, of: &Environment, published: &[Published]) -> Option<Answer> {
    let declares =
        |class: &&ClassPolicy| class.environments.values().chain(&class.environment).any(|known| branch(known.as_str()) == of.as_str());
    if !state.policy.classes.iter().any(|class| declares(&class)) {
        let text = format!("environment: no class declares {of} among its environments, so no host would get {environment}");
        return Some(Answer::Unprocessable(text));
    }
    if published.is_empty() && state.published.len() >= BRANCHES_MAX {
        return Some(Answer::Unprocessable(format!("environment: deployments of {BRANCHES_MAX} branches are published already")));
    }
    let lacking = lacking(state, environment);
    let text = format!("{environment} is not deployed on {}: deploy it there first", lacking.join(", "));
    (!lacking.is_empty()).then_some(Answer::Conflict(text))
}

/// Deployments with which nothing new came go on to more hosts; one that all have is known to be good.
pub(super) fn spread(draft: &mut Draft<'_>) {
    let state = draft.state;
    if state.published.is_empty() {
        return;
    }
    let mut hosts: BTreeMap<Scope, Vec<&Host>> = BTreeMap::new();
    for host in state.hosts.values() {
        let scope = Scope { class: host.class.clone(), release: host.release.clone() };
        hosts.entry(scope).or_default().push(host);
    }
    for (scope, hosts) in hosts {
        let class = state.policy.class(&scope.class);
        let coming = declared(&class, scope.release.as_ref()).and_then(|declared| course(state, &scope, declared).coming);
        // With what was found in it, it comes by its Change, or, where that could not be told, no further.
        let tried = coming.as_ref().is_some_and(|coming| mark(state, &scope, coming).is_some());
        let on_trial = tried || state.open_change(&scope.class, scope.release.as_ref()).is_some();
        let closed = super::closed::of_class(state, &class, draft.now).is_some();
        let Some(environment) = coming.filter(|_| !on_trial) else {
            stop(draft, scope);
            continue;
        };
        if !closed {
            go_on(draft, scope, &environment, &hosts);
        }
    }
}

fn go_on(draft: &mut Draft<'_>, scope: Scope, environment: &Environment, hosts: &[&Host]) {
    let state = draft.state;
    let has = |id: &_| state.hosts.get(id).is_some_and(|host| host.environment.as_ref() == Some(environment));
    let (come, mut waves) = (hosts.iter().filter(|host| has(&host.id)).count(), waves(state, &scope, environment));
    let before = waves.as_ref().map(|waves| waves.open);
    while let Some(drawn) = waves.as_mut().filter(|drawn| !drawn.is_last() && wave::lacks(drawn, has) == 0) {
        drawn.open += 1;
    }
    if come >= wave::enough(hosts.len()) && waves.as_ref().is_none_or(Waves::is_last) {
        let items = Items::from([(ItemKey::deployment(), deployment_content(environment))]);
        draft.push(Fact::ItemsMarked { scope: scope.clone(), items, mark: Mark::Adopted });
        stop(draft, scope);
        return;
    }
    let open = waves.map(|waves| waves.open).filter(|open| Some(*open) != before);
    if let Some(open) = open {
        draft.push(Fact::SpreadSet { scope, environment: Some(environment.clone()), open });
    }
}

fn stop(draft: &mut Draft<'_>, scope: Scope) {
    if draft.state.spread.contains_key(&scope) {
        draft.push(Fact::SpreadSet { scope, environment: None, open: 0 });
    }
}

/// How a deployment stands for a class and release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stands {
    /// Hosts that get nothing newer get it.
    Good,
    /// It comes, and nothing new was found in it yet: to so many waves of so many.
    Coming {
        /// Open.
        open: u32,
        /// Of all.
        waves: u32,
    },
    /// It is on trial.
    OnTrial(ChangeId),
    /// What it brought could not be told: it goes no further.
    Inconclusive(ChangeId),
    /// It was rejected, and no host gets it.
    Rejected(ChangeId),
    /// It waits until what comes before it is decided.
    Waits,
    /// A newer one is good.
    Past,
}

/// How a published deployment stands for a class and release that it is for; none where it is not for them.
pub fn stands(state: &State, scope: &Scope, environment: &Environment) -> Option<Stands> {
    let class = state.policy.class(&scope.class);
    let declared = declared(&class, scope.release.as_ref())?;
    if branch(declared.as_str()) != branch(environment.as_str()) {
        return None;
    }
    let Course { good, coming, .. } = course(state, scope, declared);
    Some(match mark(state, scope, environment) {
        _ if good == *environment => Stands::Good,
        Some(Mark::Rejected(change)) => Stands::Rejected(change),
        Some(Mark::OnTrial(change)) if coming.as_ref() == Some(environment) => {
            if state.changes.get(&change).is_some_and(Change::open) {
                Stands::OnTrial(change)
            } else {
                Stands::Inconclusive(change)
            }
        }
        _ if coming.as_ref() == Some(environment) => {
            let waves = waves(state, scope, environment).map(|waves| (waves.open, u32::try_from(waves.sizes.len()).unwrap_or(u32::MAX)));
            let (open, waves) = waves.unwrap_or((1, 1));
            Stands::Coming { open, waves }
        }
        Some(Mark::Adopted | Mark::Accepted(_)) => Stands::Past,
        None | Some(Mark::OnTrial(_)) => {
            let of = |environment: &Environment| of_branch(state, environment).iter().position(|known| known.environment == *environment);
            if of(environment) > of(&good) { Stands::Waits } else { Stands::Past }
        }
    })
}

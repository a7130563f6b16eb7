//! Deployments: what pipelines publish, what machines have, and how each stands.

use std::collections::{BTreeMap, BTreeSet};

use belay_core::decide::deployments::{Stands, stands};
use belay_core::model::deployment::{Deployed, Published};
use belay_core::model::ids::Environment;
use belay_core::model::item::branch;
use belay_core::state::{Scope, State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A deployment that is to be offered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PublishBody {
    /// The environment that it is, for example `production_9f2c1e0`.
    pub environment: String,
    /// Why, where there is something to say.
    #[serde(default)]
    pub reason: String,
}

/// A deployment that is to be offered no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WithdrawBody {
    /// Why.
    #[serde(default)]
    pub reason: String,
}

/// An environment that was published, or of which a machine tells that it was deployed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeploymentRow {
    /// The environment.
    pub environment: String,
    /// Its branch.
    pub branch: String,
    /// Since when it is offered; `null` where it is not.
    pub published: Option<String>,
    /// Who published it.
    pub by: Option<String>,
    /// How it stands for each class and release that it is for.
    pub stands: Vec<StandsView>,
    /// The machines that have it.
    pub places: Vec<PlaceView>,
}

/// How a deployment stands for a class and release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StandsView {
    /// The class.
    pub class: String,
    /// The release.
    pub release: Option<String>,
    /// `good`, `coming`, `on trial`, `inconclusive`, `rejected`, `waits` or `past`.
    pub state: String,
    /// The Change by which it is on trial or was judged.
    pub change: Option<String>,
    /// More of it in words, where there is more to say.
    pub words: Option<String>,
    /// Hosts of the class and release that have it.
    pub hosts: u32,
    /// Hosts of the class and release.
    pub of: u32,
}

/// A machine that has a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlaceView {
    /// The machine.
    pub place: String,
    /// The version that was deployed last, where somebody noted it.
    pub version: Option<String>,
    /// When that was done.
    pub ended: String,
}

impl DeploymentRow {
    /// All there are: of each branch the newest published first, then what is only deployed.
    pub fn all(state: &State) -> Vec<Self> {
        let census = census(state);
        let published = state.published.values().flat_map(|published| published.iter().rev());
        let mut rows: Vec<Self> = published.map(|published| Self::of(state, &census, &published.environment, Some(published))).collect();
        let told: BTreeSet<&String> = rows.iter().map(|row| &row.environment).collect();
        let others: BTreeSet<&Environment> =
            state.deployed.values().flat_map(BTreeMap::keys).filter(|environment| !told.contains(&environment.to_string())).collect();
        let others: Vec<Self> = others.into_iter().map(|environment| Self::of(state, &census, environment, None)).collect();
        rows.extend(others);
        rows
    }

    /// One of them, as it stands now.
    pub fn one(state: &State, environment: &Environment) -> Self {
        let published = state.published.values().flatten().find(|published| published.environment == *environment);
        Self::of(state, &census(state), environment, published)
    }

    fn of(state: &State, census: &BTreeMap<Scope, Counted>, environment: &Environment, published: Option<&Published>) -> Self {
        let places = state.deployed.iter().filter_map(|(place, there)| Some(PlaceView::of(place, there.get(environment)?.last()?)));
        let stood = published.into_iter().flat_map(|_| census);
        Self {
            environment: environment.to_string(),
            branch: branch(environment.as_str()).to_owned(),
            published: published.map(|published| published.at.to_string()),
            by: published.map(|published| published.by.to_string()),
            stands: stood
                .filter_map(|(scope, counted)| Some(StandsView::of(scope, &stands(state, scope, environment)?, counted, environment)))
                .collect(),
            places: places.collect(),
        }
    }
}

impl PlaceView {
    fn of(place: &str, last: &Deployed) -> Self {
        Self { place: place.to_owned(), version: last.version.clone(), ended: last.ended.to_string() }
    }
}

/// The hosts of a class and release: all, and by environment.
#[derive(Default)]
struct Counted {
    all: u32,
    by: BTreeMap<Environment, u32>,
}

fn census(state: &State) -> BTreeMap<Scope, Counted> {
    let mut census: BTreeMap<Scope, Counted> = BTreeMap::new();
    if state.published.is_empty() {
        return census;
    }
    for host in state.hosts.values() {
        let counted = census.entry(Scope { class: host.class.clone(), release: host.release.clone() }).or_default();
        counted.all += 1;
        if let Some(environment) = &host.environment {
            *counted.by.entry(environment.clone()).or_default() += 1;
        }
    }
    census
}

impl StandsView {
    fn of(scope: &Scope, stands: &Stands, counted: &Counted, environment: &Environment) -> Self {
        let (state, change, words) = match stands {
            Stands::Good => ("good", None, None),
            Stands::Coming { open, waves } => ("coming", None, Some(format!("nothing new was found in it so far; wave {open} of {waves}"))),
            Stands::OnTrial(change) => ("on trial", Some(change), None),
            Stands::Inconclusive(change) => ("inconclusive", Some(change), Some("it goes no further by itself".to_owned())),
            Stands::Rejected(change) => ("rejected", Some(change), None),
            Stands::Waits => ("waits", None, Some("until what comes before it is decided".to_owned())),
            Stands::Past => ("past", None, None),
        };
        Self {
            class: scope.class.to_string(),
            release: scope.release.as_ref().map(ToString::to_string),
            state: state.to_owned(),
            change: change.map(ToString::to_string),
            words,
            hosts: counted.by.get(environment).copied().unwrap_or_default(),
            of: counted.all,
        }
    }
}

//! Hosts as they are now.

use std::collections::BTreeMap;

use belay_core::model::host::{Host, LastRun, Trouble};
use belay_core::state::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{count, printed, version_name};

/// A host, in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HostRow {
    /// Its canonical name.
    pub name: String,
    /// Its class.
    pub class: String,
    /// The release it runs.
    pub release: Option<String>,
    /// The environment last applied.
    pub environment: Option<String>,
    /// Provenance of the content last applied; `null` when it has no name.
    pub version: Option<String>,
    /// Its last run of any kind.
    pub last_run: Option<LastRunView>,
    /// When a configuration was last applied to it.
    pub last_applied: Option<String>,
    /// Resources that failed in its last applied run.
    pub failing: u32,
    /// Why its last report could not be taken, until one can.
    pub trouble: Option<TroubleView>,
}

/// A host with all that is known of it at present.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HostView {
    /// What a list shows of it.
    #[serde(flatten)]
    pub row: HostRow,
    /// When it was first heard of.
    pub since: String,
    /// The environment its release needs, where one is declared.
    pub environment_due: Option<String>,
    /// How many contents it is known to carry.
    pub items: u32,
    /// The resources that failed in its last applied run.
    pub failing_resources: Vec<String>,
    /// Its facts, as last set.
    pub facts: BTreeMap<String, String>,
}

/// A host's last run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LastRunView {
    /// How it ended.
    pub kind: String,
    /// When it started, server time.
    pub at: String,
    /// Its number.
    pub id: String,
}

/// Why something a host sent was put aside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TroubleView {
    /// When.
    pub at: String,
    /// In plain words.
    pub text: String,
}

impl From<&Host> for HostRow {
    fn from(host: &Host) -> Self {
        Self {
            name: host.id.to_string(),
            class: host.class.to_string(),
            release: printed(host.release.as_ref()),
            environment: printed(host.environment.as_ref()),
            version: host.version.as_ref().and_then(version_name),
            last_run: host.last_run.as_ref().map(LastRunView::from),
            last_applied: printed(host.last_applied.as_ref()),
            failing: count(host.failing.len()),
            trouble: host.trouble.as_ref().map(TroubleView::from),
        }
    }
}

impl HostView {
    /// The view of a host.
    pub fn of(state: &State, host: &Host) -> Self {
        let class = state.policy.class(&host.class);
        let due = host.release.as_ref().and_then(|release| class.environments.get(release));
        Self {
            row: host.into(),
            since: host.since.to_string(),
            environment_due: printed(due),
            items: count(host.items.len()),
            failing_resources: host.failing.iter().cloned().collect(),
            facts: host.facts.clone(),
        }
    }
}

impl From<&LastRun> for LastRunView {
    fn from(last: &LastRun) -> Self {
        Self { kind: last.kind.word().to_owned(), at: last.at.to_string(), id: last.id.to_string() }
    }
}

impl From<&Trouble> for TroubleView {
    fn from(trouble: &Trouble) -> Self {
        Self { at: trouble.at.to_string(), text: trouble.text.clone() }
    }
}

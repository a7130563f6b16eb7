//! Run health: which hosts configuration management is not well on, and why.

use std::collections::BTreeMap;

use belay_core::decide::health::{Ails, Severity, counted};
use belay_core::model::ids::HostId;
use belay_core::model::time::Timestamp;
use belay_core::state::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{count, printed};

/// The most hosts that are listed; all are counted.
pub const LISTED_MAX: usize = 1_000;

/// The health of runs, over a fleet, a class or one host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunHealthView {
    /// When this was made.
    pub at: String,
    /// `ok`, `warning` or `critical`: the worst of all hosts.
    pub worst: String,
    /// Hosts that were looked at.
    pub hosts: u32,
    /// Those that something ails.
    pub ailing: u32,
    /// Those of them that something critical ails.
    pub critical: u32,
    /// How many hosts have each ailment, those that none has left out.
    pub counts: Vec<AilmentCount>,
    /// The hosts, the gravest first, 1,000 at most.
    pub listed: Vec<AilingHost>,
}

/// How many hosts of a class have an ailment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AilmentCount {
    /// The class.
    pub class: String,
    /// The ailment: `stale`, `failing`, `failed-compile`, ...
    pub ailment: String,
    /// Its hosts.
    pub hosts: u32,
}

/// A host with what ails it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AilingHost {
    /// The host.
    pub host: String,
    /// Its class.
    pub class: String,
    /// What ails it, the gravest first.
    pub ailments: Vec<AilmentView>,
}

/// One ailment of a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AilmentView {
    /// Its code.
    pub ailment: String,
    /// `warning` or `critical`.
    pub severity: String,
    /// Since when, where that is known.
    pub since: Option<String>,
    /// In plain words.
    pub text: String,
}

impl RunHealthView {
    /// Of what was found on so many hosts.
    pub fn of(state: &State, hosts: usize, found: &BTreeMap<HostId, Vec<Ails>>, now: Timestamp) -> Self {
        let worst_of = |ails: &[Ails]| ails.iter().map(|ails| ails.severity).max();
        let worst = found.values().filter_map(|ails| worst_of(ails)).max();
        let critical = found.values().filter(|ails| worst_of(ails) == Some(Severity::Critical)).count();
        let rank = |(host, ails): (_, &Vec<Ails>)| (std::cmp::Reverse(worst_of(ails)), ails.first().map(|ails| ails.what), host);
        let mut order: Vec<(&HostId, &Vec<Ails>)> = found.iter().collect();
        order.sort_unstable_by(|one, other| rank(*one).cmp(&rank(*other)));
        let class = |host: &HostId| printed(state.hosts.get(host).map(|host| &host.class)).unwrap_or_default();
        Self {
            at: now.to_string(),
            worst: worst.map_or("ok", Severity::word).to_owned(),
            hosts: count(hosts),
            ailing: count(found.len()),
            critical: count(critical),
            counts: counted(state, found)
                .into_iter()
                .map(|((class, ailment), hosts)| AilmentCount { class: class.to_string(), ailment: ailment.code().to_owned(), hosts })
                .collect(),
            listed: order
                .into_iter()
                .take(LISTED_MAX)
                .map(|(host, ails)| AilingHost {
                    host: host.to_string(),
                    class: class(host),
                    ailments: ails.iter().map(AilmentView::from).collect(),
                })
                .collect(),
        }
    }
}

impl From<&Ails> for AilmentView {
    fn from(ails: &Ails) -> Self {
        Self {
            ailment: ails.what.code().to_owned(),
            severity: ails.severity.word().to_owned(),
            since: printed(ails.since.as_ref()),
            text: ails.text.clone(),
        }
    }
}

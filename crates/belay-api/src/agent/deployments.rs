//! What is deployed on the machine of a relay (`POST /api/v1/agent/deployments`): all that it has whose deployment is known,
//! each time in full.

use std::collections::BTreeMap;

use belay_core::model::deployment::{Deployed, ENVIRONMENTS_MAX};
use belay_core::model::ids::Environment;
use belay_core::model::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::PROTOCOL;
use crate::http::FieldError;

/// What a relay's machine has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeploymentsBody {
    /// The protocol that is spoken.
    pub protocol: u32,
    /// The machine, by its host's name.
    pub host: String,
    /// Its clock when it was sent.
    pub sent_at_ms: i64,
    /// What it has, by environment.
    pub environments: BTreeMap<String, DeployedBody>,
}

/// The newest deployment of one environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeployedBody {
    /// The version, usually a git id; left out where nobody noted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// When it was begun, by the machine's clock.
    pub began_ms: i64,
    /// When it was done, by the machine's clock.
    pub ended_ms: i64,
}

/// What was told is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeploymentsTaken {
    /// Environments of the machine that are known now.
    pub environments: u32,
}

impl DeploymentsBody {
    /// What is sent of these, now by the machine's clock.
    pub fn of(host: &str, environments: &BTreeMap<Environment, Deployed>, now: Timestamp) -> Self {
        let body = |one: &Deployed| DeployedBody { version: one.version.clone(), began_ms: one.began.ms(), ended_ms: one.ended.ms() };
        Self {
            protocol: PROTOCOL,
            host: host.to_owned(),
            sent_at_ms: now.ms(),
            environments: environments.iter().map(|(name, one)| (name.to_string(), body(one))).collect(),
        }
    }

    /// What it tells, in server time.
    ///
    /// # Errors
    /// Every part that cannot be taken, with its place.
    pub fn told(&self, now: Timestamp) -> Result<BTreeMap<Environment, Deployed>, Vec<FieldError>> {
        let mut errors = Vec::new();
        if self.environments.len() > ENVIRONMENTS_MAX {
            let text = format!("{} entries; at most {ENVIRONMENTS_MAX} are taken", self.environments.len());
            errors.push(FieldError::new("/environments", text));
        }
        let ahead = now.since(Timestamp::from_ms(self.sent_at_ms));
        let mut told = BTreeMap::new();
        for (name, one) in self.environments.iter().take(ENVIRONMENTS_MAX) {
            match Environment::parse(name) {
                Ok(environment) => {
                    let at = |ms: i64| Timestamp::from_ms(ms) + ahead;
                    told.insert(environment, Deployed { version: one.version.clone(), began: at(one.began_ms), ended: at(one.ended_ms) });
                }
                Err(why) => errors.push(FieldError::new(format!("/environments/{name}"), why.to_string())),
            }
        }
        if errors.is_empty() { Ok(told) } else { Err(errors) }
    }
}

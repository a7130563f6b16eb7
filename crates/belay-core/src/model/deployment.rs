//! Deployments: a branch of the control repository as it was put onto the machines that make configurations. A pipeline
//! deploys it over itself, under one name for ever, or each time as an environment of its own (`production_9f2c1e0`).

use super::ids::Environment;
use super::principal::Actor;
use super::time::Timestamp;

/// What one machine has under the name of one environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployed {
    /// The version that was put there, as whoever deployed it noted it: usually a git id. None where nobody did.
    pub version: Option<String>,
    /// When that began, server time. What is compiled from here on may be of the old and of the new.
    pub began: Timestamp,
    /// When it was done, server time.
    pub ended: Timestamp,
}

/// A deployment as an environment of its own that a pipeline offers to the hosts of its branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The environment.
    pub environment: Environment,
    /// Since when it is offered, server time.
    pub at: Timestamp,
    /// Who published it.
    pub by: Actor,
}

/// Deployments of one environment that are remembered of one machine: the newest.
pub const DEPLOYED_KEPT: usize = 4;
/// Environments of one machine that are remembered.
pub const ENVIRONMENTS_MAX: usize = 500;
/// Machines whose deployments are remembered.
pub const PLACES_MAX: usize = 50;
/// Published deployments of one branch that are remembered: the newest.
pub const PUBLISHED_KEPT: usize = 20;
/// Branches of which something was published.
pub const BRANCHES_MAX: usize = 200;
/// The longest version, in bytes.
pub const VERSION_MAX: usize = 200;

//! What an outpost and the server say of tables, beside the policies (`POST /api/v1/agent/policies`). Both
//! parts may be missing: a side that does not know tables passes them over, and policies count as they come.

use belay_core::model::ids::HostId;
use belay_core::model::table::{InForce, TableId};
use belay_core::model::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::part;
use crate::http::FieldError;

/// Which table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TableBody {
    /// Counts the restores of the server.
    pub incarnation: u64,
    /// Counts the tables.
    pub number: u64,
}

/// What an outpost says of the tables it has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TableAsk {
    /// The machine, as it calls itself.
    pub host: String,
    /// The newest table that it has durably.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored: Option<TableBody>,
    /// The table of which it knows that it is in force, or from when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_force: Option<TableBody>,
    /// The table of which it wants the next page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<TableBody>,
}

/// What the server says of tables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TableAnswer {
    /// The table that the policies of this answer are a page of, to be stored and not yet answered by;
    /// none where no policy is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given: Option<TableBody>,
    /// The table that is in force, for all outposts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_force: Option<InForceBody>,
    /// The server's clock.
    pub now_ms: i64,
}

/// A table that is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InForceBody {
    /// Which.
    pub table: TableBody,
    /// From when, by the server's clock. It may lie some seconds ahead.
    pub from_ms: i64,
}

/// What the server said of tables, as an outpost takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableTold {
    /// The table that the policies are a page of.
    pub given: Option<TableId>,
    /// The table that is in force.
    pub force: Option<InForce>,
    /// The server's clock.
    pub now: Timestamp,
}

impl TableAsk {
    /// The machine that asks.
    ///
    /// # Errors
    /// What it calls itself is no name of a host.
    pub fn host(&self) -> Result<HostId, FieldError> {
        part("/table/host", HostId::parse(&self.host))
    }
}

impl TableAnswer {
    /// The answer, understood.
    pub fn told(&self) -> TableTold {
        TableTold {
            given: self.given.map(Into::into),
            force: self.in_force.map(|force| InForce { table: force.table.into(), from: Timestamp::from_ms(force.from_ms) }),
            now: Timestamp::from_ms(self.now_ms),
        }
    }
}

impl From<TableId> for TableBody {
    fn from(table: TableId) -> Self {
        Self { incarnation: table.incarnation, number: table.number }
    }
}

impl From<TableBody> for TableId {
    fn from(body: TableBody) -> Self {
        Self { incarnation: body.incarnation, number: body.number }
    }
}

impl From<InForce> for InForceBody {
    fn from(force: InForce) -> Self {
        Self { table: force.table.into(), from_ms: force.from.ms() }
    }
}

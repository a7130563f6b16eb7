//! What a relay asks for: a server of the tool classifies many hosts, and holds what that takes, so
//! that it can while Belay is away (`POST /api/v1/agent/policies`).

use belay_core::host::policy::{HostPolicy, Stand};
use belay_core::model::time::Span;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::policy::{PolicyBody, StandBody};
use super::table::{TableAnswer, TableAsk, TableTold};
use super::{PROTOCOL, speaks};
use crate::http::FieldError;

/// The most policies in one answer.
pub const PAGE_MAX: usize = 1_000;

/// What a relay asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PoliciesAsk {
    /// The protocol that is spoken.
    pub protocol: u32,
    /// Where the policies stand that it has, all of them; none when it has none.
    #[serde(default)]
    pub have: Option<StandBody>,
    /// The answer may be kept back this long for something new to tell.
    #[serde(default)]
    pub wait_ms: i64,
    /// The last host of the answer before, where that one said that there are more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// What the outpost says of tables; none where it does not know them, and answers by what it is given as it comes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<TableAsk>,
}

/// The policies of the hosts a relay speaks for, as far as the classifier needs them: without items,
/// holds and reverts, which only a host's own agent is given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PoliciesAnswer {
    /// The protocol that is spoken.
    pub protocol: u32,
    /// Where they stand.
    pub stand: StandBody,
    /// Nothing is new since what the relay has: no policy is given.
    #[serde(default)]
    pub same: bool,
    /// The policies, by name of the host.
    #[serde(default)]
    pub policies: Vec<PolicyBody>,
    /// There are more: ask again, after this host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The next question may ask for its answer to be kept back this long; 0 when it may not.
    #[serde(default)]
    pub wait_ms: i64,
    /// What the server says of tables; none where it does not know them, or whoever asks is no outpost: the policies
    /// count as they come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<TableAnswer>,
}

/// An answer as a relay takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relayed {
    /// Where they stand.
    pub stand: Stand,
    /// Nothing is new.
    pub same: bool,
    /// The policies.
    pub policies: Vec<HostPolicy>,
    /// There are more, after this host.
    pub next: Option<String>,
    /// How long the next answer may be kept back.
    pub wait: Span,
    /// What is said of tables.
    pub table: Option<TableTold>,
}

impl PoliciesAsk {
    /// A question, ready to be sent.
    pub fn of(have: Option<Stand>, wait: Span, after: Option<String>) -> Self {
        Self { protocol: PROTOCOL, have: have.map(Into::into), wait_ms: wait.ms(), after, table: None }
    }
}

impl PoliciesAnswer {
    /// The answer, understood.
    ///
    /// # Errors
    /// A protocol that is not spoken here, or the policy that cannot be understood, with its place.
    pub fn relayed(&self) -> Result<Relayed, FieldError> {
        speaks(self.protocol).map_err(|why| FieldError::new("/protocol", why.to_string()))?;
        let policy = |(nth, body): (usize, &PolicyBody)| {
            body.policy().map_err(|error| FieldError::new(format!("/policies/{nth}{}", error.pointer), error.detail))
        };
        Ok(Relayed {
            stand: self.stand.into(),
            same: self.same,
            policies: self.policies.iter().enumerate().map(policy).collect::<Result<_, _>>()?,
            next: self.next.clone(),
            wait: Span::from_ms(self.wait_ms),
            table: self.table.as_ref().map(TableAnswer::told),
        })
    }
}

//! The answer to a poll: the host's policy, or that it has the newest one already.

use belay_core::host::policy::{HostPolicy, Stand};
use belay_core::model::ids::RevertId;
use belay_core::model::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::policy::{PolicyBody, StandBody};
use super::{PROTOCOL, number, speaks};
use crate::http::FieldError;

/// The answer to a poll.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PollAnswer {
    /// The protocol that is spoken.
    pub protocol: u32,
    /// Where the host's policy stands. Said also when the policy itself is left out, so that no
    /// other body is ever taken for "nothing new".
    pub stand: StandBody,
    /// When this was said, server time.
    pub issued_ms: i64,
    /// The highest number of an event that was taken: what is up to it need not be told again.
    #[serde(default)]
    pub ack: u64,
    /// The reverts whose results were taken, for example `r-2`.
    #[serde(default)]
    pub results: Vec<String>,
    /// When to ask again, where nothing is to be waited for.
    pub poll_after_ms: i64,
    /// The next poll may ask for its answer to be kept back this long; 0 when it may not.
    #[serde(default)]
    pub wait_ms: i64,
    /// The policy; left out when the host has it (`have` equals `stand`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyBody>,
}

/// An answer as the host's agent takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Where the host's policy stands.
    pub stand: Stand,
    /// When this was said, server time.
    pub issued: Timestamp,
    /// The highest number of an event that was taken.
    pub ack: u64,
    /// The reverts whose results were taken.
    pub results: Vec<RevertId>,
    /// When to ask again.
    pub poll_after: Span,
    /// How long the next answer may be kept back.
    pub wait: Span,
    /// The policy, unless the host has it.
    pub policy: Option<HostPolicy>,
}

impl PollAnswer {
    /// The answer that gives this policy, or says that the host has it.
    pub fn of(policy: &HostPolicy, have: Option<Stand>, ack: u64) -> Self {
        Self {
            protocol: PROTOCOL,
            stand: policy.stand.into(),
            issued_ms: policy.issued.ms(),
            ack,
            results: Vec::new(),
            poll_after_ms: policy.poll_after.ms(),
            wait_ms: 0,
            policy: (have != Some(policy.stand)).then(|| policy.into()),
        }
    }

    /// The answer, understood.
    ///
    /// # Errors
    /// A protocol that is not spoken here, or the part that cannot be understood, with its place.
    pub fn reply(&self) -> Result<Reply, FieldError> {
        speaks(self.protocol).map_err(|why| FieldError::new("/protocol", why.to_string()))?;
        let policy = self.policy.as_ref().map(PolicyBody::policy).transpose();
        let policy = policy.map_err(|error| FieldError::new(format!("/policy{}", error.pointer), error.detail))?;
        if let Some(policy) = &policy
            && policy.stand != self.stand.into()
        {
            return Err(FieldError::new("/policy/stand", "it is not the one that the answer says"));
        }
        let results = self.results.iter().enumerate();
        let results = results.map(|(nth, text)| number(format!("/results/{nth}"), text, RevertId::parse(text), "r-2"));
        Ok(Reply {
            stand: self.stand.into(),
            issued: Timestamp::from_ms(self.issued_ms),
            ack: self.ack,
            results: results.collect::<Result<_, _>>()?,
            poll_after: Span::from_ms(self.poll_after_ms),
            wait: Span::from_ms(self.wait_ms),
            policy,
        })
    }
}

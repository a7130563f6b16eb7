//! The forms of the agent protocol: what a host's agent tells the server (`POST /api/v1/agent/poll`)
//! and the policy it gets. The host keeps the policy in the same form as its last-known-good.
//!
//! JSON. Times and lengths of time are whole milliseconds (`_ms`). A field that is not known is
//! passed over (the other side may be newer), a field that may be missing has a default (it may be
//! older). What has to be understood raises [`PROTOCOL`], and either side refuses a protocol it does
//! not speak by name.

mod answer;
mod deployments;
mod happened;
mod hold;
mod policy;
mod poll;
mod relay;
mod table;

pub use answer::{PollAnswer, Reply};
pub use deployments::{DeployedBody, DeploymentsBody, DeploymentsTaken};
pub use happened::{EventBody, HappenedBody, LineBody, LockBody, ResultBody};
pub use hold::HoldBody;
pub use policy::{ContentBody, ItemBody, PinBody, PolicyBody, RevertBody, StandBody, StateWord, WayBody};
pub use poll::{AskedBody, GlassBody, PollBody, ScheduleBody, StatusBody};
pub use relay::{PAGE_MAX, PoliciesAnswer, PoliciesAsk, Relayed};
pub use table::{InForceBody, TableAnswer, TableAsk, TableBody, TableTold};

pub use belay_core::host::policy::PROTOCOL;
use thiserror::Error;

use crate::http::FieldError;

/// The oldest protocol that this build still speaks.
pub const PROTOCOL_OLDEST: u32 = 1;
/// The longest text in a poll, in bytes; longer ones are shortened by the sender and refused here.
pub const SAID_MAX: usize = 4_096;
/// The most results of reverts in one poll.
pub const RESULTS_MAX: usize = 100;

/// A protocol that is not spoken here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ProtocolRefused {
    /// The other side is newer than this build can read.
    #[error("protocol {0} is newer than what is spoken here ({PROTOCOL_OLDEST} to {PROTOCOL}): upgrade this side")]
    TooNew(u32),
    /// The other side is older than this build still reads.
    #[error("protocol {0} is older than what is spoken here ({PROTOCOL_OLDEST} to {PROTOCOL}): upgrade the other side")]
    TooOld(u32),
}

impl ProtocolRefused {
    /// The name of the problem, as the server answers it: it stays.
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooNew(_) => "protocol-too-new",
            Self::TooOld(_) => "protocol-too-old",
        }
    }
}

/// Whether a protocol is spoken here.
///
/// # Errors
/// It is not: which side is to be upgraded.
pub const fn speaks(protocol: u32) -> Result<(), ProtocolRefused> {
    if protocol > PROTOCOL {
        Err(ProtocolRefused::TooNew(protocol))
    } else if protocol < PROTOCOL_OLDEST {
        Err(ProtocolRefused::TooOld(protocol))
    } else {
        Ok(())
    }
}

/// A part of a body as a noun of the core; what is wrong with it has its place.
fn part<T, E: std::fmt::Display>(pointer: impl Into<String>, read: Result<T, E>) -> Result<T, FieldError> {
    read.map_err(|why| FieldError::new(pointer, why.to_string()))
}

/// A printed number (`h-3`) as what it is.
fn number<T>(pointer: impl Into<String>, text: &str, read: Option<T>, form: &str) -> Result<T, FieldError> {
    read.ok_or_else(|| FieldError::new(pointer, format!("{text:?} is not of the form {form}")))
}

/// A text within its bound.
fn said(pointer: impl Into<String>, text: &str) -> Result<String, FieldError> {
    if text.len() > SAID_MAX {
        return Err(FieldError::new(pointer, format!("{} bytes; at most {SAID_MAX} are taken: shorten it", text.len())));
    }
    Ok(text.to_owned())
}

/// A list within its bound.
fn few<T>(pointer: impl Into<String>, list: &[T], max: usize) -> Result<(), FieldError> {
    if list.len() > max {
        return Err(FieldError::new(pointer, format!("{} entries; at most {max} are taken", list.len())));
    }
    Ok(())
}

//! The structs of the HTTP API, and how they are made from the core's nouns.
//!
//! Times are RFC 3339 in UTC; where a graph needs more, milliseconds since the epoch stand beside
//! them (`_ms`). A number's name ends in its unit. What is not known is `null`. Names stay: a field
//! may be added within `/api/v1`, never renamed or removed.

mod answer;
mod audit;
mod body;
mod change;
mod deployment;
mod finding;
mod health;
mod hold;
mod host;
mod news;
mod offer;
mod plan;
mod revert;
mod run;
mod run_health;
mod selfcheck;
mod status;
mod token;
mod user;

pub use answer::{FieldError, Page, Problem, WhyView};
pub use audit::{EffectRow, NoteRow, QuarantineRow};
pub use body::{FACTS_MAX, FactsBody, RulingBody, TEXT_MAX};
pub use change::{ChangeRow, ChangeView, FailureView, ItemView, TreatedView, VerdictView};
pub use deployment::{DeploymentRow, PlaceView, PublishBody, StandsView, WithdrawBody};
pub use finding::{FindingView, LackView, NumbersView};
pub use health::{DoctorCheck, DoctorView, LintView, LintedSignal, MissingHost};
pub use hold::{HoldAltered, HoldPlaced, HoldRow, HoldView};
pub use host::{HostRow, HostView, LastRunView, TroubleView};
pub use news::NewsView;
pub use offer::{HostDiffView, OfferedItemView};
pub use plan::{DueView, PlannedView};
pub use revert::{CountView, GateView, PinPlaced, PinRow, PlanView, RevertBody, RevertView};
pub use run::{EventView, FailedView, RunAnswer, RunRow, RunView};
pub use run_health::{AilingHost, AilmentCount, AilmentView, RunHealthView};
pub use selfcheck::{ClassCheckView, SelfCheckAsked, SelfCheckBody, SelfCheckView, SignalCheckView};
pub use status::{ClassCount, PolicyCount, ReleaseCount, SourceView, StatusView, StoreView};
pub use token::{PrincipalView, TokenBody, TokenIssued, TokenRow};
pub use user::{MeView, PasswordBody, SessionRow, UserBody, UserPatch, UserRow};

use belay_core::model::report::Version;

/// The printed form of what may not be there.
fn printed<T: ToString>(value: Option<&T>) -> Option<String> {
    value.map(T::to_string)
}

/// The name of a version; none when it is unknown.
fn version_name(version: &Version) -> Option<String> {
    match version {
        Version::Named(name) => Some(name.clone()),
        Version::Unknown => None,
    }
}

/// How many, for people; more than can be said is said as the most.
fn count(len: usize) -> u32 {
    len.try_into().unwrap_or(u32::MAX)
}

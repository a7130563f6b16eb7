//! What a host was offered, beside what it has.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What would change on a host by what it was offered last, as far as it is known what the host has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HostDiffView {
    /// The host.
    pub host: String,
    /// When it was offered.
    pub offered: String,
    /// The environment it was made from.
    pub environment: Option<String>,
    /// Provenance of its content; `null` when it has no name.
    pub version: Option<String>,
    /// The tool's own id of the run that asked for it. Whether it was applied, only that run's report tells.
    pub run: Option<String>,
    /// What is offered in all.
    pub items: u32,
    /// Of these, what the host is not known to have or to lack: most of what it was never seen to change.
    pub unknown: u32,
    /// What differs, at most 200 of it.
    pub differs: Vec<OfferedItemView>,
}

/// An item that is offered with another content than the host has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OfferedItemView {
    /// The item, for example `File[/etc/app.conf] content`.
    pub item: String,
    /// Hash of what is there.
    pub has: String,
    /// Hash of what is offered.
    pub offered: String,
    /// How what is offered stands for the host's class and release; `null` when nobody has seen it yet.
    pub mark: Option<String>,
    /// Lines that differ, as `diff -u` writes them and without secrets, where both texts are kept.
    pub diff: Option<String>,
}

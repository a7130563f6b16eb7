//! Evidence: the windows a trial was judged by, kept so that a verdict can be given again.

use std::collections::BTreeMap;

use super::ids::SignalName;
use super::signal::Window;
use super::time::Timestamp;

/// What a look at a trial looks at.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Evidence {
    /// Data are complete up to this time; nothing later was looked at.
    pub at: Timestamp,
    /// One window a signal, own past and time since the change together.
    pub windows: BTreeMap<SignalName, Window>,
}

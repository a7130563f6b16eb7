//! What would go next, and to whom.

use belay_core::decide::plan::{Due, Planned};
use belay_core::explain::plan as words;
use belay_core::model::change::Change;
use belay_core::model::time::Timestamp;
use belay_core::state::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ChangeRow, GateView, count, printed};

/// What is on its way in one open Change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlannedView {
    /// The Change.
    pub change: ChangeRow,
    /// How many waves there are; `null` where its class keeps none and hosts get it as they come.
    pub waves: Option<u32>,
    /// How many of them are open.
    pub waves_open: Option<u32>,
    /// Hosts that it may come to now, and that have not got it.
    pub now: DueView,
    /// Hosts of the next wave.
    pub next: DueView,
    /// When the next wave opens at the earliest, where that hangs on the time alone.
    pub next_from: Option<String>,
    /// What it waits for, the nearest first.
    pub waits: Vec<String>,
}

/// Hosts that something is due on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DueView {
    /// How many.
    pub count: u32,
    /// The first of them, with what the gate would answer to a run that brings all of the Change.
    pub hosts: Vec<GateView>,
}

impl PlannedView {
    /// The view of what is planned.
    pub fn of(state: &State, change: &Change, planned: &Planned, now: Timestamp) -> Self {
        let due = |due: &Due| DueView {
            count: count(due.count),
            hosts: due.hosts.iter().map(|(host, answer)| GateView::of(host, answer, now)).collect(),
        };
        Self {
            change: ChangeRow::of(state, change),
            waves: change.waves.as_ref().map(|waves| count(waves.sizes.len())),
            waves_open: change.waves.as_ref().map(|waves| waves.open),
            now: due(&planned.now),
            next: due(&planned.next),
            next_from: printed(planned.next_from.as_ref()),
            waits: planned.waits.iter().map(|wait| words::wait(wait, now)).collect(),
        }
    }
}

//! The budget of false rejections of one trial, and how it is shared. What looks at hard facts spends nothing.

use crate::model::change::Trial;
use crate::model::signal::SignalKind;

/// The chance that a trial of a good change ends rejected, over all its signals, hosts and looks, where
/// the fleet's budget does not say less.
const TRIAL: f64 = 0.02;

/// What one signal of a trial may spend: equal parts.
pub(super) fn of_signal(trial: &Trial) -> f64 {
    share(trial.budget.unwrap_or(TRIAL), trial.signals.len())
}

/// What each of so many signals may spend of a budget.
pub(crate) fn share(budget: f64, signals: usize) -> f64 {
    budget / signals.max(1) as f64
}

/// What the comparison with the own past may spend of it. A flow spends the other half on its share.
pub(super) fn of_contrast(trial: &Trial, kind: SignalKind) -> f64 {
    match kind {
        SignalKind::Flow => of_signal(trial) / 2.0,
        SignalKind::Gauge | SignalKind::Latency | SignalKind::Count | SignalKind::Check => of_signal(trial),
    }
}

/// What the share test of a flow may spend.
pub(super) fn of_share(trial: &Trial) -> f64 {
    of_signal(trial) / 2.0
}

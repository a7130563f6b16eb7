//! The budget of false rejections of one trial, and how it is shared. What looks at hard facts spends nothing.

use crate::model::change::Trial;
use crate::model::signal::{Signal, SignalKind};

/// The chance that a trial of a good change ends rejected, over all its signals, hosts and looks, where
/// the fleet's budget does not say less.
const TRIAL: f64 = 0.02;

/// What one signal of a trial may spend: its part by weight.
pub(super) fn of_signal(trial: &Trial, signal: &Signal) -> f64 {
    share(trial.budget.unwrap_or(TRIAL), signal, &trial.signals)
}

/// What a signal, one of these, may spend of a budget.
pub(crate) fn share<'s>(budget: f64, signal: &Signal, all: impl IntoIterator<Item = &'s Signal>) -> f64 {
    let weights: u32 = all.into_iter().map(|signal| signal.weight.0).sum();
    budget * f64::from(signal.weight.0) / f64::from(weights.max(1))
}

/// What the comparison with the own past may spend of it. Flows and checks spend the other half on a test of their own.
pub(super) fn of_contrast(trial: &Trial, signal: &Signal) -> f64 {
    of_signal(trial, signal) - of_own_test(trial, signal)
}

/// What the test of its own that a kind of signal has may spend: the share of a flow, the failures of a check.
pub(super) fn of_own_test(trial: &Trial, signal: &Signal) -> f64 {
    match signal.kind {
        SignalKind::Flow | SignalKind::Check => of_signal(trial, signal) / 2.0,
        SignalKind::Gauge | SignalKind::Latency | SignalKind::Count => 0.0,
    }
}

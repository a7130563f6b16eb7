//! The budget of false rejections of one trial, and how it is shared. What looks at hard facts spends nothing.

use crate::model::signal::SignalKind;

/// The chance that a trial of a good change ends rejected, over all its signals, hosts and looks.
const TRIAL: f64 = 0.02;

/// What one signal of so many may spend: equal parts.
pub(super) fn of_signal(signals: usize) -> f64 {
    TRIAL / signals.max(1) as f64
}

/// What the comparison with the own past may spend of it. A flow spends the other half on its share.
pub(super) fn of_contrast(kind: SignalKind, signals: usize) -> f64 {
    match kind {
        SignalKind::Flow => of_signal(signals) / 2.0,
        SignalKind::Gauge | SignalKind::Latency | SignalKind::Count | SignalKind::Check => of_signal(signals),
    }
}

/// What the share test of a flow may spend.
pub(super) fn of_share(signals: usize) -> f64 {
    of_signal(signals) / 2.0
}

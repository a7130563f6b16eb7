//! Housekeeping: what has to be done from time to time and decides nothing.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use belay_core::decide::wake::due;
use belay_core::decide::{Input, ailing};
use tokio::sync::watch;

use super::{Drive, Fatal, Keep};
use crate::disk;
use crate::signals::Signals;
use crate::tls::Tls;

/// How often it is looked whether time has brought something about, at the most.
const WAKE_EVERY: Duration = Duration::from_millis(200);
/// The run health of the whole fleet is looked at once in so many ticks: it takes a look at every host.
const HEALTH_TICKS: u32 = 60;
/// How often the disk is looked at.
const DISK_EVERY: Duration = Duration::from_secs(10);
/// How often what is beyond the limits is forgotten; a step at a time, so that the writer is never
/// away for long.
const PRUNE_EVERY: Duration = Duration::from_secs(60);
/// How often samples are synced to disk.
const SYNC_EVERY: Duration = Duration::from_secs(1);
/// How often the store of signals is tidied.
const TIDY_EVERY: Duration = Duration::from_secs(300);

/// Looks at the disk of the state directory and tells the drive when it is nearly full.
pub async fn watch_disk(drive: Drive, dir: PathBuf, mut stop: watch::Receiver<bool>) {
    loop {
        let path = dir.clone();
        let low = tokio::task::spawn_blocking(move || disk::room(&path).is_some_and(disk::Room::is_low)).await.unwrap_or(false);
        if low != drive.counts().disk_low.swap(low, Ordering::Relaxed) {
            match low {
                true => tracing::error!("the disk of the state directory is nearly full: nothing new is taken in until there is room"),
                false => tracing::info!("the disk of the state directory has room again"),
            }
        }
        tokio::select! {
            () = tokio::time::sleep(DISK_EVERY) => {}
            _ = stop.changed() => return,
        }
    }
}

/// Looks whether the authorities of hosts' certificates or their revocation lists have been written anew.
pub async fn watch_clients(tls: Arc<Tls>, tick: Duration, mut stop: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(tick) => {}
            _ = stop.changed() => return,
        }
        let looking = Arc::clone(&tls);
        if let Ok(Err(unusable)) = tokio::task::spawn_blocking(move || looking.look_again()).await {
            tracing::error!(error = %unusable, help = unusable.help, "what was known of hosts' certificates stays");
        }
    }
}

/// Wakes the drive where time alone has brought something about: a hold that expires, a pin that ends,
/// hosts that went stale. Whether it has is asked of the published state, so that the writer hears of
/// it only then.
pub async fn wake(drive: Drive, tick: Duration, mut stop: watch::Receiver<bool>) {
    loop {
        let now = drive.now();
        if drive.read(|state| due(state, now))
            && let Err(error) = drive.decide(Input::Wake, Keep::default()).await
        {
            tracing::warn!(%error, "what time brought about could not be recorded; it is tried again");
        }
        tokio::select! {
            () = tokio::time::sleep(tick.max(WAKE_EVERY)) => {}
            _ = stop.changed() => return,
        }
    }
}

/// Has the drive look at the run health of the fleet, where that would find something new.
pub async fn run_health(drive: Drive, tick: Duration, mut stop: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(tick.saturating_mul(HEALTH_TICKS)) => {}
            _ = stop.changed() => return,
        }
        let now = drive.now();
        if drive.read(|state| ailing::due(state, now))
            && let Err(error) = drive.decide(Input::RunHealth, Keep::default()).await
        {
            tracing::warn!(%error, "the run health of the fleet could not be recorded; it is tried again");
        }
    }
}

/// Has the drive forget what is beyond the limits.
pub async fn prune(drive: Drive, mut stop: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(PRUNE_EVERY) => {}
            _ = stop.changed() => return,
        }
        if let Err(error) = drive.prune().await {
            tracing::warn!(%error, "pruning was put off");
        }
    }
}

/// Syncs the store of signals: what was acknowledged survives a power loss a second later. After a
/// sync that failed nobody knows what the system dropped, so nothing may go on.
pub async fn sync(signals: Arc<Signals>, fatal: Fatal, mut stop: watch::Receiver<bool>) {
    loop {
        let ending = tokio::select! {
            () = tokio::time::sleep(SYNC_EVERY) => false,
            _ = stop.changed() => true,
        };
        if let Err(error) = signals.sync().await {
            fatal(&format!("samples could not be synced to disk: {error}. Belay stops, so that nothing is acknowledged that is not kept"));
            return;
        }
        if ending {
            return;
        }
    }
}

/// Keeps the store of signals within its retention.
pub async fn tidy(signals: Arc<Signals>, drive: Drive, mut stop: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(TIDY_EVERY) => {}
            _ = stop.changed() => return,
        }
        if let Err(error) = signals.tidy(drive.now()).await {
            tracing::warn!(%error, "the store of signals could not be tidied; it is tried again");
        }
    }
}

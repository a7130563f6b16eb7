//! Observing: every trial worth it is looked at, each at its own pace. What a look found is an input
//! like any other; its windows are kept when it changed anything.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use belay_api::journal::case_to_json;
use belay_core::decide::trial::{asks, look_every, trial_of, watched};
use belay_core::decide::{Input, decide};
use belay_core::judge::Watch;
use belay_core::model::change::Trial;
use belay_core::model::evidence::Evidence;
use belay_core::model::ids::{ChangeId, Digest};
use belay_core::model::time::Timestamp;
use belay_core::model::verdict::Look;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{Drive, Keep, windows};
use crate::ledger::Blob;
use crate::ledger::gzip;
use crate::signals::Signals;

/// Looks at trials.
pub struct Observer {
    drive: Drive,
    signals: Arc<Signals>,
    watches: Watches,
}

/// Trials being watched, each as it was looked at last: what its past calibrated is not calibrated anew. Lost with the process, and
/// made again from the evidence.
type Watches = Arc<Mutex<BTreeMap<ChangeId, Watch>>>;

/// A look that changes something, with what it looked at.
struct News {
    look: Box<Look>,
    digest: Digest,
    gzip: Option<Bytes>,
}

impl Observer {
    /// An observer that reads from this store.
    pub fn new(drive: Drive, signals: Arc<Signals>) -> Self {
        Self { drive, signals, watches: Watches::default() }
    }

    /// Looks at open trials, until the server stops.
    pub async fn run(self: Arc<Self>, tick: Duration, mut stop: watch::Receiver<bool>) {
        let mut due: BTreeMap<ChangeId, Timestamp> = BTreeMap::new();
        loop {
            self.pass(&mut due).await;
            tokio::select! {
                () = tokio::time::sleep(tick) => {}
                _ = stop.changed() => return,
            }
        }
    }

    /// Looks at each open trial that is due. One at a time: a look reads and computes, and trials
    /// are few.
    async fn pass(self: &Arc<Self>, due: &mut BTreeMap<ChangeId, Timestamp>) {
        let now = self.drive.now();
        let open = self.drive.read(|state| watched(state, now));
        due.retain(|id, _| open.contains(id));
        locked(&self.watches).retain(|id, _| open.contains(id));
        for id in open {
            if due.get(&id).is_some_and(|at| *at > now) {
                continue;
            }
            let Some(trial) = self.drive.read(|state| trial_of(state, id)) else { continue };
            due.insert(id, now + look_every(&trial));
            let mut task = JoinSet::new();
            let observer = Arc::clone(self);
            task.spawn(async move { observer.look(trial, now).await });
            if let Some(Err(error)) = task.join_next().await {
                tracing::error!(change = %id, %error, "Belay failed on a look at a trial; please report this");
            }
        }
    }

    /// Most looks find what the one before found. What they looked at is written down only when
    /// something follows from it, which deciding says without doing anything.
    async fn look(&self, trial: Trial, now: Timestamp) {
        let change = trial.change;
        let (drive, watches) = (self.drive.clone(), Arc::clone(&self.watches));
        let found = self.signals.on_thread(move |store| {
            let evidence = windows::read(store, &drive, &asks(&trial, now), now);
            let look = Box::new(looked(&watches, &trial, &evidence));
            let input = Input::Looked { change, look: look.clone(), evidence: Digest::of(b"") };
            if drive.read(|state| decide(state, now, &input).0.is_empty()) {
                return None;
            }
            let case = case_to_json(&trial, &evidence);
            Some(News { look, digest: Digest::of(case.as_bytes()), gzip: gzip(case.as_bytes()) })
        });
        let Some(Some(News { look, digest, gzip })) = found.await else { return };
        let evidence = gzip.map(|gzip| Blob { digest, gzip });
        let input = Input::Looked { change, look, evidence: digest };
        if let Err(error) = self.drive.decide(input, Keep { evidence, ..Keep::default() }).await {
            tracing::warn!(%change, %error, "a look at a trial was lost; the next one comes soon");
        }
    }
}

/// Looks once more, by the watch of the last look where it is of the same trial. The evidence is whole each time, so a watch that
/// begins anew says the same.
fn looked(watches: &Watches, trial: &Trial, evidence: &Evidence) -> Look {
    let known = locked(watches).remove(&trial.change).filter(|watch| watch.is_of(trial));
    let nothing = || Evidence { at: Timestamp::default(), windows: BTreeMap::new() };
    let mut watch = known.unwrap_or_else(|| Watch::begin(trial, &nothing()));
    let look = watch.look(evidence);
    locked(watches).insert(trial.change, watch);
    look
}

fn locked(watches: &Watches) -> MutexGuard<'_, BTreeMap<ChangeId, Watch>> {
    watches.lock().unwrap_or_else(PoisonError::into_inner)
}

//! The windows that a page shows of a trial: those its verdict rests on, else what the store holds now.

use std::sync::Arc;

use belay_api::journal::case_from_json;
use belay_core::decide::trial::{Ask, asks, trial_of};
use belay_core::model::change::{Change, Trial};
use belay_core::model::evidence::Evidence;

use super::plot::BEFORE_STEPS;
use crate::drive::windows;
use crate::http::App;
use crate::http::refusal::Refusal;

/// The most changed hosts, and the most peers, that are read for a page of an open trial.
const HOSTS_MAX: usize = 60;
/// Evidence with more bytes is not read for a page: the API gives it whole.
const BYTES_MAX: usize = 48 << 20;

/// The trial of a Change and its windows; none where nothing is kept of them.
///
/// # Errors
/// When the ledger or the store cannot be asked now.
pub async fn of(app: &Arc<App>, change: &Change) -> Result<Option<(Trial, Evidence)>, Refusal> {
    if let Some(digest) = change.verdict.as_ref().and_then(|verdict| verdict.evidence) {
        let kept = app.readers.ask(move |reader| {
            let bytes = reader.evidence(digest)?.filter(|bytes| bytes.len() <= BYTES_MAX);
            Ok(bytes.and_then(|bytes| String::from_utf8(bytes).ok()).and_then(|text| case_from_json(&text).ok()))
        });
        return Ok(kept.await?);
    }
    let Some(trial) = app.drive.read(|state| trial_of(state, change.id)) else { return Ok(None) };
    if trial.treated.is_empty() || trial.signals.is_empty() {
        return Ok(None);
    }
    let (drive, now) = (app.drive.clone(), change.verdict.as_ref().map_or_else(|| app.drive.now(), |verdict| verdict.at));
    let read = app.signals.on_thread(move |store| {
        let asks: Vec<Ask> = asks(&trial, now).into_iter().map(|ask| shown(ask, &trial)).collect();
        let evidence = windows::read(store, &drive, &asks, now);
        (trial, evidence)
    });
    Ok(read.await)
}

/// What a page shows of what a look would read: the time around the change, some of the hosts.
fn shown(mut ask: Ask, trial: &Trial) -> Ask {
    let began = trial.treated.values().filter(|treated| !treated.skewed).map(|treated| treated.onset).min();
    if let Some(began) = began {
        ask.from = ask.from.max((began - ask.signal.step.times(BEFORE_STEPS + 1)).floor(ask.signal.step));
    }
    let (treated, peers): (Vec<_>, Vec<_>) = ask.hosts.into_iter().partition(|host| trial.treated.contains_key(host));
    ask.hosts = treated.into_iter().take(HOSTS_MAX).chain(peers.into_iter().take(HOSTS_MAX)).collect();
    ask
}

/// Why there is nothing to draw, and what to do about it.
pub fn why_none(change: &Change) -> String {
    if change.verdict.as_ref().is_some_and(|verdict| verdict.evidence.is_some()) {
        "The windows this verdict rests on are no longer kept, or too large for a page: the API gives what there is.".to_owned()
    } else if change.open() {
        "No signal of this class has been looked at yet. `belay lint` says which signals have data.".to_owned()
    } else {
        "This verdict rests on no windows of signals.".to_owned()
    }
}

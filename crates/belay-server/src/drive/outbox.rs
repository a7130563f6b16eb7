//! The outbox: effects that are due are tried, and how it went is an input. An effect may be tried
//! again after a crash, so its receiver may hear of it twice, and never not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use belay_adapters::notify::webhook::{Endpoint, Letter};
use belay_core::decide::Input;
use belay_core::explain::alert;
use belay_core::model::alert::{Alert, AlertPart, Attempt, Effect, Task};
use belay_core::model::ids::ReceiverName;
use serde_json::json;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::{Drive, Keep};
use crate::net::{Client, Outgoing, Retry};

/// Effects that are tried at one time.
const AT_ONCE: usize = 64;

/// Sends what is due.
pub struct Outbox {
    drive: Drive,
    client: Client,
    at_once: Arc<Semaphore>,
    /// One receiver is not sent to more often than this.
    spacing: Duration,
    in_hand: Mutex<InHand>,
}

#[derive(Default)]
struct InHand {
    busy: BTreeSet<ReceiverName>,
    sent: BTreeMap<ReceiverName, Instant>,
}

impl Outbox {
    /// An outbox that sends through this client.
    pub fn new(drive: Drive, client: Client, spacing: Duration) -> Self {
        Self { drive, client, at_once: Arc::new(Semaphore::new(AT_ONCE)), spacing, in_hand: Mutex::default() }
    }

    /// Tries what is due, until the server stops.
    pub async fn run(self: Arc<Self>, tick: Duration, mut stop: watch::Receiver<bool>) {
        let mut committed = self.drive.committed();
        let mut tasks = JoinSet::new();
        loop {
            self.begin(&mut tasks);
            tokio::select! {
                _ = stop.changed() => return,
                Some(ended) = tasks.join_next() => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "an alert was not tried because Belay failed on it; it is tried again");
                    }
                }
                // A commit may have asked for an effect; a tick makes a later try due.
                Ok(()) = committed.changed() => {}
                () = tokio::time::sleep(tick) => {}
            }
        }
    }

    fn begin(self: &Arc<Self>, tasks: &mut JoinSet<()>) {
        let now = self.drive.now();
        let due: Vec<Effect> = self.drive.read(|state| {
            if state.next_effect_at().is_none_or(|at| at > now) {
                return Vec::new();
            }
            state.effects.values().filter(|effect| !effect.dead && effect.next_try <= now).cloned().collect()
        });
        for effect in due {
            let Ok(place) = Arc::clone(&self.at_once).try_acquire_owned() else { return };
            let Some(hand) = self.hold(&effect) else { continue };
            let outbox = Arc::clone(self);
            tasks.spawn(async move {
                let (_place, _hand) = (place, hand);
                outbox.attempt(effect).await;
            });
        }
    }

    async fn attempt(&self, effect: Effect) {
        let attempt = self.send(&effect).await;
        if let Attempt::Later(why) | Attempt::Never(why) = &attempt {
            tracing::warn!(effect = %effect.id, why, "an alert was not delivered");
        }
        if let Err(error) = self.drive.decide(Input::Tried { effect: effect.id, attempt }, Keep::default()).await {
            tracing::warn!(effect = %effect.id, %error, "how an alert went could not be recorded; it may be sent again");
        }
    }

    async fn send(&self, effect: &Effect) -> Attempt {
        let Task::Notify { receiver, about } = &effect.task;
        let now = self.drive.now();
        let (known, alert) = self.drive.read(|state| {
            let known = state.policy.receivers.iter().find(|known| known.name == *receiver).cloned();
            (known, alert::alert(state, about, now))
        });
        let Some(known) = known else {
            return Attempt::Never(format!("{receiver} is no longer in the configuration"));
        };
        let Some(alert) = alert else {
            return Attempt::Never(format!("{about} is too old to be told of"));
        };
        let endpoint = match Endpoint::parse(&known.url) {
            Ok(endpoint) => endpoint,
            Err(bad) => return Attempt::Never(format!("{receiver}: {bad}")),
        };
        let request = endpoint.request(now, &letter(effect, &alert));
        let headers = request.headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        match self.client.post(Outgoing { url: request.url, headers, body: request.body.into_bytes() }).await {
            Ok(()) => Attempt::Done,
            Err(not_sent) => match not_sent.retry {
                Retry::Later => Attempt::Later(not_sent.text),
                Retry::Never => Attempt::Never(not_sent.text),
            },
        }
    }

    /// Takes an effect in hand, unless its receiver is being sent to, or was just now: one that
    /// hangs holds up nobody else, and none is flooded.
    fn hold(self: &Arc<Self>, effect: &Effect) -> Option<Held> {
        let Task::Notify { receiver, .. } = &effect.task;
        let mut in_hand = self.in_hand.lock().unwrap_or_else(PoisonError::into_inner);
        let spacing = self.spacing;
        in_hand.sent.retain(|_, since| since.elapsed() < spacing);
        if in_hand.sent.contains_key(receiver) || !in_hand.busy.insert(receiver.clone()) {
            return None;
        }
        in_hand.sent.insert(receiver.clone(), Instant::now());
        Some(Held { outbox: Arc::clone(self), receiver: receiver.clone() })
    }
}

struct Held {
    outbox: Arc<Outbox>,
    receiver: ReceiverName,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.outbox.in_hand.lock().unwrap_or_else(PoisonError::into_inner).busy.remove(&self.receiver);
    }
}

/// The alert as a letter. Its key is that of the effect, so that a receiver that hears of it twice
/// can tell; the alert's own key, by which updates are recognised, is in the details.
fn letter(effect: &Effect, alert: &Alert) -> Letter {
    let part = |part: &AlertPart| format!("{}:\n  {}", part.heading, part.lines.join("\n  "));
    let parts: Vec<String> = alert.parts.iter().map(part).collect();
    let details = |part: &AlertPart| json!({"heading": part.heading, "lines": part.lines});
    Letter {
        key: format!("{}-{}", alert.key, effect.id),
        title: alert.title.clone(),
        text: parts.join("\n"),
        json: json!({
            "key": alert.key,
            "status": alert.status,
            "firing": alert.firing,
            "link": alert.link,
            "parts": alert.parts.iter().map(details).collect::<Vec<_>>(),
        }),
    }
}

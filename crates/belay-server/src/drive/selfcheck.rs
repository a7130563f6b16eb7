//! The self-check, done: trials in which nothing changed are drawn from the past, their windows are read, the judge lives through them,
//! and what it said is an input like any other. One class at a time, one trial at a time, with rests: looks at real trials come first.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use belay_core::decide::Input;
use belay_core::decide::selfcheck::{Drawn, Pool, TRIALS_MAX, Tally, due};
use belay_core::decide::trial::asks;
use belay_core::judge::relive::{Relived, relive};
use belay_core::model::change::Trial;
use belay_core::model::ids::{ClassName, Digest};
use belay_core::model::principal::Actor;
use belay_core::model::signal::Signal;
use belay_core::model::time::{Span, Timestamp};
use belay_signals::Store;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use super::{Drive, Keep, windows};
use crate::signals::Signals;
use crate::wire;

/// How often it is looked whether a class is due.
const EVERY: Duration = Duration::from_secs(10);
/// The longest rest after a trial; it is else as long as the trial took.
const REST_MAX: Duration = Duration::from_secs(1);
/// No past is looked for further back.
const BACK_MAX: Span = Span::from_min(400 * 24 * 60);
/// How exactly the beginning of the past is looked for.
const EXACT: Span = Span::from_min(1);

/// Checks classes at night, and when somebody asks for it.
pub struct SelfChecker {
    drive: Drive,
    signals: Arc<Signals>,
    /// Classes that are being checked or wait for it, and who asked.
    waiting: Mutex<BTreeMap<ClassName, Actor>>,
    asked: Notify,
}

impl SelfChecker {
    /// A checker that reads from this store.
    pub fn new(drive: Drive, signals: Arc<Signals>) -> Self {
        Self { drive, signals, waiting: Mutex::default(), asked: Notify::new() }
    }

    /// Asks for checks of these classes. Who asked first for one that waits is who asked for it.
    pub fn ask(&self, classes: impl IntoIterator<Item = ClassName>, actor: &Actor) {
        self.queue(classes, actor);
        self.asked.notify_one();
    }

    fn queue(&self, classes: impl IntoIterator<Item = ClassName>, actor: &Actor) {
        let mut waiting = self.waiting();
        for class in classes {
            waiting.entry(class).or_insert_with(|| actor.clone());
        }
    }

    /// The classes that are being checked or wait for it.
    pub fn running(&self) -> Vec<ClassName> {
        self.waiting().keys().cloned().collect()
    }

    fn waiting(&self) -> MutexGuard<'_, BTreeMap<ClassName, Actor>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks what is asked for and what is due, until the server stops.
    pub async fn run(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        loop {
            let now = self.drive.now();
            self.queue(self.drive.read(|state| due(state, now)), &Actor("belay".to_owned()));
            let next = self.waiting().iter().next().map(|(class, actor)| (class.clone(), actor.clone()));
            let Some((class, actor)) = next else {
                tokio::select! {
                    () = tokio::time::sleep(EVERY) => continue,
                    () = self.asked.notified() => continue,
                    _ = stop.changed() => return,
                }
            };
            tokio::select! {
                () = self.one(&class, actor) => {}
                _ = stop.changed() => return,
            }
            self.waiting().remove(&class);
        }
    }

    /// Checks a class. A check that fails is recorded as skipped, or it would be tried again at once, for ever.
    async fn one(self: &Arc<Self>, class: &ClassName, actor: Actor) {
        let mut task = JoinSet::new();
        let (checker, name) = (Arc::clone(self), class.clone());
        task.spawn(async move { checker.check(&name).await });
        let tally = match task.join_next().await {
            Some(Ok(Some(tally))) => tally,
            Some(Ok(None)) | None => return,
            Some(Err(error)) => {
                tracing::error!(%class, %error, "Belay failed on a self-check; please report this");
                Tally::skipped(0, "Belay failed on it; please report this".to_owned())
            }
        };
        let input = Input::SelfChecked { actor, class: class.clone(), tally: Box::new(tally) };
        match self.drive.decide(input, Keep::default()).await {
            Ok(answer) => answer.refusal().into_iter().for_each(|why| tracing::warn!(%class, why, "a self-check was not taken")),
            Err(error) => {
                tracing::warn!(%class, %error, "a self-check was lost; it is tried again");
                tokio::time::sleep(EVERY).await;
            }
        }
    }

    /// What the judge says of trials of a class; `None` when the server is stopping.
    async fn check(&self, class: &ClassName) -> Option<Tally> {
        let now = self.drive.now();
        let seed = seed(class, now);
        let drawn = match self.drive.read(|state| Pool::of(state, class, now)) {
            Ok(pool) => self.draw(pool, now, seed).await?,
            Err(why) => Err(why),
        };
        let drawn = match drawn {
            Ok(drawn) => drawn,
            Err(why) => return Some(Tally::skipped(seed, why)),
        };
        let mut tally = Tally::of(&drawn);
        for trial in drawn.trials {
            let began = Instant::now();
            tally.take(&self.relive(trial).await?);
            tokio::time::sleep(began.elapsed().min(REST_MAX)).await;
        }
        Some(tally)
    }

    async fn draw(&self, pool: Pool, now: Timestamp, seed: u64) -> Option<Result<Drawn, String>> {
        let draw = move |store: &Store| match stored_since(store, pool.signals(), now) {
            Some(stored) => pool.draw(stored, now, seed, TRIALS_MAX),
            None => Err("the store holds nothing of its signals".to_owned()),
        };
        self.signals.on_thread(draw).await
    }

    async fn relive(&self, trial: Trial) -> Option<Relived> {
        let drive = self.drive.clone();
        // The last step of a trial is complete a little after its end.
        let step = trial.signals.iter().map(|signal| signal.step).max().unwrap_or_default();
        let over = trial.ends + step.times(2);
        let read = move |store: &Store| relive(&trial, &windows::read(store, &drive, &asks(&trial, over), over));
        self.signals.on_thread(read).await
    }
}

/// A number that is another one for every class and time.
fn seed(class: &ClassName, now: Timestamp) -> u64 {
    let digest = Digest::of_parts([class.as_str(), &now.to_string()]);
    u64::from_le_bytes(std::array::from_fn(|byte| digest.0[byte]))
}

/// Since when all of these signals are stored that are stored at all.
fn stored_since(store: &Store, signals: &[Signal], now: Timestamp) -> Option<Timestamp> {
    signals.iter().filter_map(|signal| begins(store, signal, now)).max()
}

/// When the first sample of a signal came, found by halving.
fn begins(store: &Store, signal: &Signal, now: Timestamp) -> Option<Timestamp> {
    let matchers = wire::matchers(&signal.select).ok()?;
    let from = now - BACK_MAX;
    let values = |to: Timestamp| store.label_values(&signal.host_label, &matchers, from.ms(), to.ms());
    let any = |to: Timestamp| values(to).is_ok_and(|values| !values.is_empty());
    if !any(now) {
        return None;
    }
    let (mut before, mut since) = (from, now);
    while since.since(before) > EXACT {
        let middle = before + Span::from_ms(since.since(before).ms() / 2);
        if any(middle) { since = middle } else { before = middle }
    }
    Some(since)
}

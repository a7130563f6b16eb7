//! Inventories: programs that know the fleet already are asked in rounds, and what they say is taken as messages of a feed. How far one
//! was read is a fact that is committed after what was read with it: a round that breaks off is begun again where it was, and what comes
//! twice by that is known.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use belay_adapters::tools::Inventory;
use belay_adapters::tools::inventory::{Mark, Page, Pulled, Turn};
use belay_api::config::InventoryConfig;
use belay_core::decide::{Answer, Input};
use belay_core::model::principal::Principal;
use belay_core::model::time::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::intake::{Intake, Taken};
use super::{Drive, DriveError, Keep};
use crate::net::{Client, ClientLimits, NotFetched, Trust};

/// Entries that are asked for at one time. Where an answer is too long, fewer are.
const ROWS: u32 = 50;
/// An answer may take so long, and be so long.
const LIMITS: ClientLimits = ClientLimits { timeout: Duration::from_secs(60), answer: 32 << 20 };
/// Hosts whose entries are taken at one time.
const AT_ONCE: usize = 8;
/// Entries that are known again, because rounds overlap.
const REMEMBERED: usize = 5_000;
/// So many full answers in a row without anything new in them are no overlap: the answers do not go on.
const NOTHING_NEW: u32 = 200;
/// How long, and how often, something is tried that the drive has no room for.
const WAIT: Duration = Duration::from_millis(500);
const TRIES: u32 = 60;

/// How reading the inventories goes, for doctor.
#[derive(Debug, Default)]
pub struct Inventories(Mutex<BTreeMap<String, Shown>>);

/// How reading one goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// Where it is asked.
    pub url: String,
    /// When a round last went through.
    pub last: Option<Timestamp>,
    /// Why the last round did not.
    pub error: Option<String>,
    /// Hosts' facts that were taken since the start.
    pub facts: u64,
    /// Runs that were taken since the start, those that were known left out.
    pub runs: u64,
    /// Entries that were passed over, unreadable, or about hosts it is not believed about.
    pub left_out: u64,
    /// Its past is read up to here; nothing once all of it is.
    pub past: Option<Timestamp>,
}

impl Inventories {
    /// How it goes now.
    pub fn shown(&self) -> BTreeMap<String, Shown> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, name: &str, change: impl FnOnce(&mut Shown)) {
        change(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(name.to_owned()).or_default());
    }
}

/// Reads one inventory.
pub struct Puller {
    drive: Drive,
    intake: Arc<Intake>,
    shown: Arc<Inventories>,
    inventory: &'static dyn Inventory,
    config: InventoryConfig,
    known: Known,
}

/// Entries that were taken already.
#[derive(Default)]
struct Known {
    keys: BTreeSet<String>,
    order: VecDeque<String>,
}

impl Known {
    /// Whether this one is new. It is known from then on.
    fn is_new(&mut self, key: &str) -> bool {
        if !self.keys.insert(key.to_owned()) {
            return false;
        }
        self.order.push_back(key.to_owned());
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.keys.remove(&oldest);
        }
        true
    }

    /// What was not taken after all.
    fn forget(&mut self, messages: &[Pulled]) {
        for message in messages {
            self.keys.remove(&message.key);
            self.order.retain(|key| *key != message.key);
        }
    }
}

impl Puller {
    /// One that reads this inventory.
    pub fn new(
        drive: Drive,
        intake: Arc<Intake>,
        shown: Arc<Inventories>,
        inventory: &'static dyn Inventory,
        config: InventoryConfig,
    ) -> Self {
        shown.note(&config.name, |shown| shown.url.clone_from(&config.url));
        Self { drive, intake, shown, inventory, config, known: Known::default() }
    }

    /// Reads it in rounds, until the server stops.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let every = Duration::from_millis(self.config.every.ms().unsigned_abs());
        loop {
            let round = tokio::select! {
                round = self.round() => round,
                _ = stop.changed() => return,
            };
            if let Err(error) = &round {
                tracing::warn!(inventory = self.config.name, error, "an inventory could not be read; it is tried again");
            }
            let now = self.drive.now();
            self.shown.note(&self.config.name, |shown| match round {
                Ok(()) => (shown.last, shown.error) = (Some(now), None),
                Err(error) => shown.error = Some(error),
            });
            tokio::select! {
                () = tokio::time::sleep(every) => {}
                _ = stop.changed() => return,
            }
        }
    }

    async fn round(&mut self) -> Result<(), String> {
        // Made anew for each round: certificates are renewed under the same name.
        let client = self.client()?;
        let mut mark = self.begin()?;
        let (mut rows, mut nothing_new) = (ROWS, 0);
        loop {
            self.shown.note(&self.config.name, |shown| shown.past = mark.past.map(|edge| edge.at));
            let url = format!("{}{}", self.config.url, self.inventory.ask(&mark, rows));
            let answer = match client.get(&url).await {
                Ok(answer) => answer,
                Err(NotFetched::TooLong(_)) if rows > 1 => {
                    rows = (rows / 4).max(1);
                    continue;
                }
                Err(NotFetched::TooLong(limit)) => {
                    tracing::warn!(inventory = self.config.name, limit, "an entry of an inventory is too long, and is left out");
                    self.shown.note(&self.config.name, |shown| shown.left_out += 1);
                    mark = mark.past_one();
                    continue;
                }
                Err(error) => return Err(error.to_string()),
            };
            let page = self.read(&mark, rows, answer).await?;
            let (turn, told) = (mark.turn, mark.past.is_some() && page.mark.past.is_none());
            let fresh = self.take(turn, page.messages, page.passed_over).await?;
            nothing_new = if fresh { 0 } else { nothing_new + 1 };
            if nothing_new > NOTHING_NEW {
                return Err(format!("its answers do not go on: {NOTHING_NEW} of them in a row held nothing new"));
            }
            mark = page.mark;
            self.keep(&mark, told).await?;
            if !page.more {
                return Ok(());
            }
            rows = rows.saturating_mul(2).min(ROWS);
        }
    }

    fn client(&self) -> Result<Client, String> {
        let files = &self.config.files;
        let own = files.certificate.as_ref().zip(files.key.as_ref()).map(|(one, other)| (PathBuf::from(one), PathBuf::from(other)));
        match &files.ca {
            Some(ca) => Client::trusting(&Trust { ca: PathBuf::from(ca), own }, LIMITS).map_err(|error| error.to_string()),
            None => Client::new(LIMITS).map_err(|error| error.to_string()),
        }
    }

    /// Where this round begins.
    fn begin(&self) -> Result<Mark, String> {
        let Some(kept) = self.drive.read(|state| state.pulled.get(&self.config.name).cloned()) else {
            return Ok(Mark::begin(self.drive.now(), self.config.past));
        };
        let mark = Mark::parse(&kept).ok_or("how far it was read cannot be understood by this build: give it another name")?;
        Ok(mark.next_round())
    }

    async fn read(&self, mark: &Mark, rows: u32, answer: Bytes) -> Result<Page, String> {
        let (inventory, mark) = (self.inventory, mark.clone());
        let read = tokio::task::spawn_blocking(move || inventory.read(&mark, rows, &answer)).await;
        read.map_err(|_| "Belay failed while it read an answer. This is a mistake in Belay: please report it".to_owned())?
            .map_err(|bad| bad.to_string())
    }

    /// Takes what is new, hosts side by side, the entries of a host one after the other. Answers whether anything was.
    async fn take(&mut self, turn: Turn, messages: Vec<Pulled>, passed_over: u32) -> Result<bool, String> {
        let principal = Principal::Relay(self.config.hosts.clone());
        let all = messages.len();
        let mut of: BTreeMap<String, Vec<Pulled>> = BTreeMap::new();
        for message in messages.into_iter().filter(|message| self.config.hosts.matches(&message.host.to_ascii_lowercase())) {
            of.entry(message.host.clone()).or_default().push(message);
        }
        let strangers = all - of.values().map(Vec::len).sum::<usize>();
        of.values_mut().for_each(|messages| messages.retain(|message| self.known.is_new(&message.key)));
        let fresh: Vec<Pulled> = of.values().flatten().cloned().collect();
        let mut counted = Counted { left_out: u64::from(passed_over) + strangers as u64, ..Counted::default() };
        let (mut waiting, mut tasks) = (of.into_values(), JoinSet::new());
        let mut failed = None;
        loop {
            while tasks.len() < AT_ONCE
                && failed.is_none()
                && let Some(messages) = waiting.next()
            {
                let (intake, principal, feed, received) =
                    (Arc::clone(&self.intake), principal.clone(), self.inventory.feed(), self.drive.now());
                tasks.spawn(async move { one_by_one(&intake, feed, &principal, received, messages).await });
            }
            match tasks.join_next().await {
                None => break,
                Some(Ok(Ok(more))) => counted.add(&more),
                Some(Ok(Err(error))) => failed = Some(error.to_string()),
                Some(Err(error)) => failed = Some(error.to_string()),
            }
        }
        self.count(turn, &counted);
        if let Some(error) = failed {
            self.known.forget(&fresh);
            return Err(error);
        }
        if turn == Turn::News && !fresh.is_empty() {
            self.intake.heard(&principal, self.inventory.feed(), self.drive.now()).await.map_err(|error| error.to_string())?;
        }
        Ok(!fresh.is_empty())
    }

    fn count(&self, turn: Turn, counted: &Counted) {
        self.shown.note(&self.config.name, |shown| {
            match turn {
                Turn::Facts => shown.facts += counted.done,
                Turn::Past | Turn::News => shown.runs += counted.done,
            }
            shown.left_out += counted.left_out;
        });
    }

    async fn keep(&self, mark: &Mark, told: bool) -> Result<(), String> {
        let input = Input::Pulled { inventory: self.config.name.clone(), mark: mark.to_text(), told };
        let answer = self.drive.decide(input, Keep::default()).await.map_err(|error| error.to_string())?;
        answer.refusal().map_or(Ok(()), |why| Err(why.to_owned()))
    }
}

/// What became of entries.
#[derive(Default)]
struct Counted {
    done: u64,
    left_out: u64,
}

impl Counted {
    fn add(&mut self, other: &Self) {
        self.done += other.done;
        self.left_out += other.left_out;
    }
}

async fn one_by_one(
    intake: &Arc<Intake>,
    feed: &'static str,
    principal: &Principal,
    received: Timestamp,
    messages: Vec<Pulled>,
) -> Result<Counted, DriveError> {
    let mut counted = Counted::default();
    for message in messages {
        let body = Bytes::from(message.body);
        let mut tries = 0;
        let taken = loop {
            match intake.pulled(feed, &message.head, principal, received, body.clone()).await {
                Err(error @ DriveError::Stopping) => return Err(error),
                Err(_) if tries < TRIES => {
                    tries += 1;
                    tokio::time::sleep(WAIT).await;
                }
                other => break other?,
            }
        };
        match taken {
            Taken::Answered(Answer::Run { duplicate: true, .. }) => {}
            Taken::Answered(answer) if answer.refusal().is_none() => counted.done += 1,
            Taken::Answered(_) | Taken::Unreadable(_) | Taken::Later => counted.left_out += 1,
        }
    }
    Ok(counted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_again_is_known_and_what_is_remembered_is_bounded() {
        let mut known = Known::default();
        assert!(known.is_new("a") && !known.is_new("a"));
        (0..REMEMBERED).for_each(|nth| assert!(known.is_new(&nth.to_string())));
        assert_eq!((known.keys.len(), known.order.len()), (REMEMBERED, REMEMBERED));
        assert!(known.is_new("a"), "the oldest was forgotten");
        let message = Pulled { key: "a".into(), host: "web01".into(), head: String::new(), body: Vec::new() };
        known.forget(&[message]);
        assert!(known.is_new("a"), "what was not taken comes again");
    }
}

//! The drive: everything that happens goes through here. One thread writes; everybody else asks it
//! through a bounded queue, and reads a copy of the state in which nothing precedes its commit.

mod feed;
pub mod housekeeping;
pub mod intake;
pub mod inventory;
pub mod observe;
pub mod outbox;
pub mod selfcheck;
pub mod tables;
pub(crate) mod windows;
mod writer;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use belay_core::decide::{Answer, Input};
use belay_core::model::ids::InboxId;
use belay_core::model::time::Timestamp;
use belay_core::state::State;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};

use crate::clock::Clock;
use crate::ledger::{Blob, Claim, Deposit, Kept, Ledger, LedgerError, Offer, RawCopy, Request, Retention, Text};

pub(crate) use windows::host_named;
pub(crate) use writer::Writer;

/// Inputs that may wait for the writer.
const QUEUE: usize = 1_024;
/// How long an input waits for a place in that queue.
const PATIENCE: Duration = Duration::from_secs(10);

/// Called once when the ledger fails: nothing may go on after it. The server's own ends the process.
pub type Fatal = Arc<dyn Fn(&str) + Send + Sync>;

/// Bounds of the drive.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long inputs are gathered for one commit.
    pub batch_time: Duration,
    /// A snapshot is kept after so many facts.
    pub snapshot_every: u64,
    /// Rows of the inbox that may wait.
    pub inbox_rows: usize,
    /// Bytes of the inbox that may wait.
    pub inbox_bytes: u64,
    /// What is kept, and how long.
    pub retention: Retention,
}

impl Default for Limits {
    fn default() -> Self {
        let batch_time = Duration::from_millis(5);
        Self { batch_time, snapshot_every: 100_000, inbox_rows: 20_000, inbox_bytes: 2 << 30, retention: Retention::default() }
    }
}

/// What is to be kept beside the facts that an input makes.
#[derive(Debug, Default)]
pub struct Keep {
    /// The report as it came; kept when it made a run or was put aside.
    pub raw: Option<RawCopy>,
    /// The windows that were looked at; kept when the look made facts.
    pub evidence: Option<Blob>,
    /// What a host was offered, with texts; kept when the bytes it came of were taken.
    pub offer: Option<(Offer, Vec<Text>)>,
}

/// Work for the writer.
#[derive(Debug)]
pub(crate) enum Work {
    /// Decide what this means.
    Input { input: Box<Input>, keep: Keep, reply: oneshot::Sender<Answer> },
    /// Make these bytes durable.
    Deposit { deposit: Deposit, reply: oneshot::Sender<Result<InboxId, DriveError>> },
    /// Take note that somebody begins to read these rows of the inbox.
    BeginToRead { ids: Vec<InboxId>, reply: oneshot::Sender<()> },
    /// Claim a key for a request.
    Claim { request: Request, reply: oneshot::Sender<Claim> },
    /// Keep the answer to a claimed request, or free its key.
    SettleClaim { request: Request, answer: Option<Kept>, reply: oneshot::Sender<()> },
    /// Forget what is beyond the limits; one step.
    Prune,
    /// End after the batch in hand.
    Stop,
}

/// Why the drive did not take something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DriveError {
    /// The writer's queue was full for too long.
    #[error("the server is overloaded: nothing was taken, send it again")]
    Overloaded,
    /// Too many bytes wait to be understood.
    #[error("the inbox is full: nothing was taken, send it again")]
    InboxFull,
    /// The disk of the state directory is nearly full.
    #[error("the disk of the state directory is nearly full: nothing was taken. Make room on it, then send it again")]
    DiskLow,
    /// The server is stopping.
    #[error("the server is stopping: nothing was acknowledged, send it again")]
    Stopping,
}

/// What the drive counts, for status and doctor.
#[derive(Debug, Default)]
pub struct Counts {
    /// Inputs on which Belay itself failed and that were put aside.
    pub panics: AtomicU64,
    /// Messages of feeds of which nothing is kept, because what they say is not known here.
    pub passed_over: AtomicU64,
    /// Messages of feeds whose checksum did not fit. They were read all the same.
    pub unfitting: AtomicU64,
    /// Rows of the inbox that wait.
    pub inbox_rows: AtomicU64,
    /// Bytes of the inbox that wait.
    pub inbox_bytes: AtomicU64,
    /// The disk of the state directory is nearly full.
    pub disk_low: AtomicBool,
}

/// A handle to the drive.
#[derive(Clone)]
pub struct Drive {
    work: mpsc::Sender<Work>,
    published: Arc<RwLock<State>>,
    committed: watch::Receiver<u64>,
    news: watch::Receiver<u64>,
    clock: Clock,
    counts: Arc<Counts>,
}

/// The writer's thread and the way to end it.
pub(crate) struct Owner {
    work: mpsc::Sender<Work>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// Loads the state and starts the writer's thread.
///
/// # Errors
/// When the ledger cannot be loaded.
pub(crate) fn start(ledger: Ledger, clock: Clock, limits: Limits, fatal: Fatal) -> Result<(Drive, Owner), LedgerError> {
    let (work, queue) = mpsc::channel(QUEUE);
    let writer = Writer::new(ledger, Arc::clone(&clock), limits)?;
    let drive = Drive {
        work: work.clone(),
        published: writer.published(),
        committed: writer.committed(),
        news: writer.news(),
        clock,
        counts: writer.counts(),
    };
    let run = move || writer.run(queue, &fatal);
    let thread = std::thread::Builder::new().name("belay-writer".to_owned()).spawn(run).map_err(|source| LedgerError::Io {
        doing: "start the writer",
        path: std::path::PathBuf::new(),
        source,
    })?;
    Ok((drive, Owner { work, thread: Some(thread) }))
}

impl Owner {
    /// Ends the writer after the batch in hand and waits for it.
    pub(crate) async fn stop(mut self) {
        // A closed queue means that the writer has ended already.
        let _ = self.work.send(Work::Stop).await;
        if let Some(thread) = self.thread.take() {
            let joined = tokio::task::spawn_blocking(move || thread.join()).await;
            if !matches!(joined, Ok(Ok(()))) {
                tracing::error!("the writer did not end as it should");
            }
        }
    }
}

impl Drive {
    /// Has an input decided; answers after the commit of what follows from it.
    ///
    /// # Errors
    /// See [`DriveError`].
    pub async fn decide(&self, input: Input, keep: Keep) -> Result<Answer, DriveError> {
        let (reply, answer) = oneshot::channel();
        self.send(Work::Input { input: Box::new(input), keep, reply }).await?;
        answer.await.map_err(|_| DriveError::Stopping)
    }

    /// Makes bytes durable; answers after their commit.
    ///
    /// # Errors
    /// See [`DriveError`].
    pub async fn deposit(&self, deposit: Deposit) -> Result<InboxId, DriveError> {
        let (reply, answer) = oneshot::channel();
        self.send(Work::Deposit { deposit, reply }).await?;
        answer.await.map_err(|_| DriveError::Stopping)?
    }

    /// Takes note that somebody begins to read these rows of the inbox; answers when it is durable.
    ///
    /// # Errors
    /// See [`DriveError`].
    pub async fn begin_to_read(&self, ids: Vec<InboxId>) -> Result<(), DriveError> {
        let (reply, noted) = oneshot::channel();
        self.send(Work::BeginToRead { ids, reply }).await?;
        noted.await.map_err(|_| DriveError::Stopping)
    }

    /// Claims a key for a request; answers when the claim is durable.
    ///
    /// # Errors
    /// See [`DriveError`].
    pub async fn claim(&self, request: Request) -> Result<Claim, DriveError> {
        let (reply, claimed) = oneshot::channel();
        self.send(Work::Claim { request, reply }).await?;
        claimed.await.map_err(|_| DriveError::Stopping)
    }

    /// Keeps the answer to a claimed request, or frees its key; answers when that is durable.
    ///
    /// # Errors
    /// See [`DriveError`].
    pub async fn settle_claim(&self, request: Request, answer: Option<Kept>) -> Result<(), DriveError> {
        let (reply, settled) = oneshot::channel();
        self.send(Work::SettleClaim { request, answer, reply }).await?;
        settled.await.map_err(|_| DriveError::Stopping)
    }

    /// Asks for one step of pruning.
    ///
    /// # Errors
    /// See [`DriveError`].
    pub async fn prune(&self) -> Result<(), DriveError> {
        self.send(Work::Prune).await
    }

    /// Reads the published state: everything in it is committed. The question must be quick, since
    /// the writer waits for it.
    pub fn read<R>(&self, question: impl FnOnce(&State) -> R) -> R {
        question(&self.published.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What time it is, never before the last commit.
    pub fn now(&self) -> Timestamp {
        (self.clock)().max(self.read(|state| state.now))
    }

    /// What the clock says, even if it was set back.
    pub fn clock(&self) -> Timestamp {
        (self.clock)()
    }

    /// Tells of each commit, by the number of its last fact.
    pub fn committed(&self) -> watch::Receiver<u64> {
        self.committed.clone()
    }

    /// Tells of each commit that holds something worth showing, likewise.
    pub fn news(&self) -> watch::Receiver<u64> {
        self.news.clone()
    }

    /// What the drive counts.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    async fn send(&self, work: Work) -> Result<(), DriveError> {
        let place = tokio::time::timeout(PATIENCE, self.work.reserve()).await.map_err(|_| DriveError::Overloaded)?;
        place.map_err(|_| DriveError::Stopping)?.send(work);
        Ok(())
    }
}

impl Counts {
    pub(crate) fn inbox(&self, rows: usize, bytes: u64) {
        self.inbox_rows.store(rows as u64, Ordering::Relaxed);
        self.inbox_bytes.store(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use belay_core::model::host::Host;
    use belay_core::model::ids::HostId;
    use belay_core::model::policy::default_class;

    /// A drive whose published state has these hosts, and nobody who writes.
    pub(super) fn drive_of(hosts: Vec<HostId>) -> Drive {
        let host = |id: HostId| (id.clone(), Host::new(id, default_class(), Timestamp::from_ms(0)));
        let state = State { hosts: hosts.into_iter().map(host).collect(), ..State::default() };
        let (work, _) = mpsc::channel(1);
        let published = Arc::new(RwLock::new(state));
        Drive {
            work,
            published,
            committed: watch::channel(0).1,
            news: watch::channel(0).1,
            clock: Arc::new(|| Timestamp::from_ms(0)),
            counts: Arc::default(),
        }
    }
}

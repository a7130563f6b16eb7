//! Intake: bytes become durable first, then they are read, then what they say is decided. A request
//! that breaks off in between loses nothing: the sweep finds its bytes in the inbox.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use belay_adapters::tools::{self, Feed, Tool};
use belay_core::decide::{Answer, Input, feeds};
use belay_core::model::ids::{Digest, InboxId};
use belay_core::model::principal::Principal;
use belay_core::model::report::{Decoded, RunKind, Unreadable};
use belay_core::model::time::Timestamp;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinSet;

use super::feed::{self, Kept, Meant};
use super::{Drive, DriveError, Keep};
use crate::http::body::Held;
use crate::ledger::{Deposit, Left, RawCopy, Readers, gzip};

/// A row that was left is begun to be read so often, then it is put aside unread: it may be what
/// brings the server down.
const TRIES_MAX: u32 = 3;
/// Rows that one sweep looks at.
const SWEEP: usize = 256;
/// How often the inbox is looked through when nobody says that something is left.
const SWEEP_EVERY: Duration = Duration::from_secs(10);
/// Unreadable bytes larger than this are kept by their first part only.
const UNREADABLE_KEPT: usize = 8 << 20;

/// What became of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It was read, and this was decided.
    Answered(Answer),
    /// It could not be read and was put aside.
    Unreadable(Unreadable),
    /// It is durable and will be read later.
    Later,
}

/// A report as it came in.
#[derive(Clone, Debug)]
pub struct Arrived {
    /// The tool whose door it came by.
    pub tool: &'static str,
    /// Who brought it, by credential.
    pub principal: Principal,
    /// When.
    pub received: Timestamp,
    /// Its bytes.
    pub body: Bytes,
}

/// A message as it came in by the door of a feed.
pub struct Message {
    /// The feed.
    pub feed: &'static str,
    /// The query of its request.
    pub head: String,
    /// Who brought it, by credential.
    pub principal: Principal,
    /// When.
    pub received: Timestamp,
    /// Its bytes, as they were sent.
    pub held: Held,
}

/// A row of the inbox with its bytes at hand.
struct Row<'a> {
    tool: &'a str,
    head: &'a str,
    principal: Principal,
    received: Timestamp,
    body: Bytes,
    id: InboxId,
}

/// Takes reports in.
pub struct Intake {
    drive: Drive,
    readers: Arc<Readers>,
    threads: Arc<Semaphore>,
    /// Rows that were left and are read at one time.
    at_once: usize,
    /// Reports that wait for a thread, at most.
    queue: usize,
    queued: AtomicUsize,
    in_hand: Mutex<BTreeSet<InboxId>>,
    left: Notify,
    kept: Arc<Kept>,
}

/// A row of the inbox that somebody works on. Letting go of it, however that comes about, leaves it
/// to the sweep if it is still there.
struct InHand<'a> {
    intake: &'a Intake,
    id: InboxId,
    finished: bool,
}

impl Drop for InHand<'_> {
    fn drop(&mut self) {
        self.intake.lock().remove(&self.id);
        if !self.finished {
            self.intake.left.notify_one();
        }
    }
}

/// A place in the line for a thread; given back also when the request breaks off.
struct Queued<'a>(&'a AtomicUsize);

impl<'a> Queued<'a> {
    fn in_line(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What reading came to, with the bytes to keep.
struct Read {
    result: Result<Box<Decoded>, Unreadable>,
    digest: Digest,
    raw: Option<RawCopy>,
}

impl Intake {
    /// An intake that reads on at most `threads` threads and lets `queue` reports wait for them.
    pub fn new(drive: Drive, readers: Arc<Readers>, threads: usize, queue: usize) -> Self {
        Self {
            drive,
            readers,
            threads: Arc::new(Semaphore::new(threads)),
            at_once: threads.max(1),
            queue,
            queued: AtomicUsize::new(0),
            in_hand: Mutex::default(),
            left: Notify::new(),
            kept: Arc::default(),
        }
    }

    /// Takes a report in.
    ///
    /// # Errors
    /// When it could not be made durable, or the server stops: nothing was acknowledged.
    pub async fn take(&self, arrived: Arrived) -> Result<Taken, DriveError> {
        let Arrived { tool, principal, received, body } = arrived;
        let deposit = Deposit { received, tool, head: String::new(), principal: principal.clone(), body: body.clone() };
        let id = self.drive.deposit(deposit).await?;
        let mut hand = self.hold(id);
        self.heard(&principal, tool, received).await?;
        if self.queued.load(Ordering::Relaxed) >= self.queue {
            return Ok(Taken::Later);
        }
        let taken = self.read_and_decide(Row { tool, head: "", principal, received, body, id }).await?;
        hand.finished = true;
        Ok(taken)
    }

    /// Takes a message of a feed in: answers as soon as it is durable. It is read afterwards, by a task of its
    /// own where few wait, else by the sweep.
    ///
    /// # Errors
    /// When it could not be made durable, or the server stops: nothing was acknowledged.
    pub async fn acknowledge(self: &Arc<Self>, message: Message) -> Result<InboxId, DriveError> {
        let Message { feed, head, principal, received, held } = message;
        let (body, waits) = (held.bytes.clone(), self.queued.load(Ordering::Relaxed) >= self.queue);
        let deposit = Deposit { received, tool: feed, head: head.clone(), principal: principal.clone(), body: body.clone() };
        let id = self.drive.deposit(deposit).await?;
        if waits {
            self.left.notify_one();
            return Ok(id);
        }
        self.lock().insert(id);
        let intake = Arc::clone(self);
        tokio::spawn(async move {
            // Its share of what all bodies may use, until it is read.
            let _held = held;
            let mut hand = InHand { intake: &intake, id, finished: false };
            let row = Row { tool: feed, head: &head, principal: principal.clone(), received, body, id };
            match intake.read_and_decide(row).await {
                Ok(_) => hand.finished = true,
                Err(error) => tracing::debug!(%error, "a message was acknowledged and is read later"),
            }
            if let Err(error) = intake.heard(&principal, feed, received).await {
                tracing::debug!(%error, "that a feed speaks was not taken note of");
            }
        });
        Ok(id)
    }

    /// Takes a message of a feed that was asked for: it is durable before it is read, and what it says is decided before this answers.
    ///
    /// # Errors
    /// When it could not be made durable, or the server stops.
    pub async fn pulled(
        &self,
        feed: &'static str,
        head: &str,
        principal: &Principal,
        received: Timestamp,
        body: Bytes,
    ) -> Result<Taken, DriveError> {
        let deposit = Deposit { received, tool: feed, head: head.to_owned(), principal: principal.clone(), body: body.clone() };
        let id = self.drive.deposit(deposit).await?;
        let mut hand = self.hold(id);
        let taken = self.read_and_decide(Row { tool: feed, head, principal: principal.clone(), received, body, id }).await?;
        hand.finished = true;
        Ok(taken)
    }

    /// Takes note that something came by a feed, where that is news.
    pub(super) async fn heard(&self, principal: &Principal, door: &'static str, at: Timestamp) -> Result<(), DriveError> {
        if self.drive.read(|state| feeds::is_news(state, principal, door, at)) {
            self.drive.decide(Input::Heard { principal: principal.clone(), door, at }, Keep::default()).await?;
        }
        Ok(())
    }

    /// Reads what is left in the inbox, until the server stops.
    pub async fn sweep(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        loop {
            if let Err(error) = self.sweep_once().await {
                tracing::warn!(error, "the inbox could not be looked through; it is tried again");
            }
            tokio::select! {
                () = self.left.notified() => {}
                () = tokio::time::sleep(SWEEP_EVERY) => {}
                _ = stop.changed() => return,
            }
        }
    }

    async fn sweep_once(self: &Arc<Self>) -> Result<(), String> {
        let left = self.readers.ask(|reader| reader.inbox(SWEEP)).await.map_err(|error| error.to_string())?;
        let (fresh, tried): (Vec<_>, Vec<_>) =
            left.into_iter().filter(|(id, _)| !self.lock().contains(id)).partition(|(_, tries)| *tries == 0);
        for together in fresh.chunks(self.at_once) {
            self.take_together(together).await?;
        }
        // A row that was begun and not finished is read alone, so that it takes no other with it.
        for alone in tried.chunks(1) {
            self.take_together(alone).await?;
        }
        Ok(())
    }

    async fn take_together(self: &Arc<Self>, rows: &[(InboxId, u32)]) -> Result<(), String> {
        let ids = rows.iter().map(|(id, _)| *id).collect();
        self.drive.begin_to_read(ids).await.map_err(|error| error.to_string())?;
        let mut tasks = JoinSet::new();
        for (id, _) in rows.iter().copied() {
            let intake = Arc::clone(self);
            tasks.spawn(async move { intake.take_left(id).await });
        }
        while let Some(done) = tasks.join_next().await {
            done.map_err(|error| error.to_string())??;
        }
        Ok(())
    }

    async fn take_left(&self, id: InboxId) -> Result<(), String> {
        let mut hand = self.hold(id);
        // Whatever happens now, the next sweep comes by its own: no need to hurry it.
        hand.finished = true;
        let left = self.readers.ask(move |reader| reader.left(id)).await.map_err(|error| error.to_string())?;
        let Some(left) = left else { return Ok(()) };
        let taken = match refusal(&left) {
            Some(reason) => self.put_aside(&left, reason).await,
            None => {
                let principal = left.principal.clone().unwrap_or_else(nobody);
                let (tool, head, received) = (&left.tool, &left.head, left.received);
                self.read_and_decide(Row { tool, head, principal, received, body: left.body.into(), id }).await
            }
        };
        taken.map(drop).map_err(|error| error.to_string())
    }

    async fn put_aside(&self, left: &Left, reason: String) -> Result<Taken, DriveError> {
        let principal = left.principal.clone().unwrap_or_else(nobody);
        let digest = Digest::of(&left.body);
        let input = Input::Unreadable { principal, inbox: Some(left.id), host: None, digest, reason };
        Ok(Taken::Answered(self.drive.decide(input, Keep::default()).await?))
    }

    async fn read_and_decide(&self, row: Row<'_>) -> Result<Taken, DriveError> {
        match tools::feed_by_name(row.tool) {
            Some(feed) => self.understand(feed, row).await,
            None => self.decode(row).await,
        }
    }

    /// A report by a tool's own door.
    async fn decode(&self, row: Row<'_>) -> Result<Taken, DriveError> {
        let Row { tool, principal, received, body, id, .. } = row;
        let read = match tools::by_name(tool) {
            Some(tool) => {
                let bytes = body.clone();
                let read = self.on_thread(tool.name(), move || read(tool, &bytes)).await?;
                read.unwrap_or_else(|bad| Read { digest: Digest::of(&body), raw: None, result: Err(bad) })
            }
            None => {
                let bad = unreadable(format!("this build knows no tool called {tool}"));
                Read { digest: Digest::of(&body), raw: None, result: Err(bad) }
            }
        };
        let keep = Keep { raw: read.raw, ..Keep::default() };
        let inbox = Some(id);
        match read.result {
            Ok(decoded) => self.report(principal, decoded, received, id, keep, false).await,
            Err(bad) => {
                let input = Input::Unreadable { principal, inbox, host: bad.host.clone(), digest: read.digest, reason: bad.to_string() };
                self.drive.decide(input, keep).await?;
                Ok(Taken::Unreadable(bad))
            }
        }
    }

    /// A message by the door of a feed.
    async fn understand(&self, feed: &'static dyn Feed, row: Row<'_>) -> Result<Taken, DriveError> {
        let Row { head, principal, received, body, id, .. } = row;
        let (kept, head, bytes) = (Arc::clone(&self.kept), head.to_owned(), body.clone());
        let read = self.on_thread(feed.name(), move || feed::read(feed, &head, &bytes, received, &kept)).await?;
        let read =
            read.unwrap_or_else(|bad| feed::Read { result: Err(bad), digest: Digest::of(&body), raw: None, unfitting: false, past: false });
        let counts = self.drive.counts();
        counts.unfitting.fetch_add(u64::from(read.unfitting), Ordering::Relaxed);
        let (inbox, digest) = (Some(id), read.digest);
        let keep = Keep { raw: read.raw, ..Keep::default() };
        match read.result {
            Ok(Meant::Report(decoded)) => self.report(principal, decoded, received, id, keep, read.past).await,
            Ok(Meant::Other(message, offer)) => {
                counts.passed_over.fetch_add(u64::from(message == belay_core::decide::Fed::Nothing), Ordering::Relaxed);
                let keep = Keep { offer: offer.map(|offer| *offer), ..keep };
                Ok(Taken::Answered(self.drive.decide(Input::Fed { principal, inbox, digest, message }, keep).await?))
            }
            Err(bad) => {
                let input = Input::Unreadable { principal, inbox, host: bad.host.clone(), digest, reason: bad.to_string() };
                self.drive.decide(input, keep).await?;
                Ok(Taken::Unreadable(bad))
            }
        }
    }

    async fn report(
        &self,
        principal: Principal,
        decoded: Box<Decoded>,
        received: Timestamp,
        id: InboxId,
        keep: Keep,
        past: bool,
    ) -> Result<Taken, DriveError> {
        let input = Input::Report { principal, decoded, received, inbox: Some(id), earlier: None, before: None, past };
        Ok(Taken::Answered(self.drive.decide(input, keep).await?))
    }

    /// Reads on a thread where that may take its time, when there is one. A panic there is a mistake in
    /// Belay: the bytes are put aside, and everybody else goes on.
    async fn on_thread<R: Send + 'static>(
        &self,
        what: &'static str,
        read: impl FnOnce() -> R + Send + 'static,
    ) -> Result<Result<R, Unreadable>, DriveError> {
        let place = Queued::in_line(&self.queued);
        let permit = Arc::clone(&self.threads).acquire_owned().await.map_err(|_| DriveError::Stopping)?;
        drop(place);
        let task = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            read()
        });
        match task.await {
            Ok(read) => Ok(Ok(read)),
            Err(failed) if failed.is_panic() => {
                self.drive.counts().panics.fetch_add(1, Ordering::Relaxed);
                tracing::error!(tool = what, "Belay failed while it read a report; please report this with the bytes from the quarantine");
                let bad =
                    unreadable("Belay itself failed while it read these bytes. This is a mistake in Belay: please report it".to_owned());
                Ok(Err(bad))
            }
            Err(_) => Err(DriveError::Stopping),
        }
    }

    fn hold(&self, id: InboxId) -> InHand<'_> {
        self.lock().insert(id);
        InHand { intake: self, id, finished: false }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeSet<InboxId>> {
        self.in_hand.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A credential that this build cannot tell speaks for nobody.
fn nobody() -> Principal {
    Principal::Source("unknown".to_owned())
}

fn unreadable(reason: String) -> Unreadable {
    Unreadable { offset: 0, reason, host: None }
}

fn refusal(left: &Left) -> Option<String> {
    let tries = left.tries;
    (tries > TRIES_MAX)
        .then(|| format!("reading these bytes was begun {tries} times and never finished: they may be what brings the server down"))
}

fn read(tool: &dyn Tool, body: &[u8]) -> Read {
    let digest = Digest::of(body);
    let result = tool.decode(body).map(Box::new);
    let keep = match &result {
        Ok(decoded) => !matches!(decoded.report.kind, RunKind::Unchanged | RunKind::NoopUnchanged),
        Err(_) => body.len() <= UNREADABLE_KEPT,
    };
    let raw =
        if keep { gzip(body).map(|gzip| RawCopy { digest, tool: tool.name().to_owned(), size: body.len() as u64, gzip }) } else { None };
    Read { result, digest, raw }
}

/// Reads one report outside a server.
pub(crate) fn read_alone(tool: &dyn Tool, body: &[u8]) -> (Result<Box<Decoded>, Unreadable>, Digest, Option<RawCopy>) {
    let read = read(tool, body);
    (read.result, read.digest, read.raw)
}

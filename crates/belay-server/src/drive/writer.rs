//! The writer: the one owner of working state and ledger. It takes inputs in batches, applies what
//! they mean to its working state at once, commits, and only then lets anybody see it.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use belay_core::decide::{Answer, Input, decide};
use belay_core::model::ids::{Digest, HostId, InboxId, RunId};
use belay_core::model::principal::Actor;
use belay_core::model::run::Run;
use belay_core::model::time::Timestamp;
use belay_core::state::{Fact, Note, NoteKind, State};
use tokio::sync::{mpsc, oneshot, watch};

use super::{Counts, DriveError, Fatal, Keep, Limits, Work};
use crate::clock::Clock;
use crate::ledger::{self, Batch, Ledger, LedgerError};

/// Inputs of one commit.
const BATCH_MAX: usize = 256;

/// Decides what an input means.
type Decide = fn(&State, Timestamp, &Input) -> (Vec<Fact>, Answer);

/// A run of the batch in hand, which the ledger does not know yet: host, tool, the tool's own id.
type RunKey = (HostId, String, String);

/// The writer.
pub(crate) struct Writer {
    state: State,
    ledger: Ledger,
    published: Arc<RwLock<State>>,
    committed: watch::Sender<u64>,
    news: watch::Sender<u64>,
    counts: Arc<Counts>,
    clock: Clock,
    decide: Decide,
    limits: Limits,
    snapshot: Option<Snapshot>,
    /// The last fact when a snapshot was last begun.
    begun: u64,
}

/// A snapshot that is being packed, while the writer goes on.
struct Snapshot {
    seq: u64,
    thread: std::thread::JoinHandle<std::io::Result<Vec<u8>>>,
}

/// A batch in hand.
#[derive(Default)]
struct Hand {
    batch: Batch,
    runs: BTreeMap<RunKey, (RunId, Digest)>,
    answers: Vec<(oneshot::Sender<Answer>, Answer)>,
    deposits: Vec<oneshot::Sender<Result<InboxId, DriveError>>>,
    deposited: u64,
    taken: usize,
    prune: bool,
    stop: bool,
}

impl Writer {
    /// A writer of this ledger, with its state loaded.
    ///
    /// # Errors
    /// When the ledger cannot be loaded.
    pub(crate) fn new(ledger: Ledger, clock: Clock, limits: Limits) -> Result<Self, LedgerError> {
        let (mut state, seq) = ledger.load()?;
        state.listening = (clock)();
        let counts = Arc::new(Counts::default());
        counts.inbox(ledger.waiting().len(), ledger.waiting().bytes());
        let published = Arc::new(RwLock::new(state.clone()));
        let ((committed, _), (news, _)) = (watch::channel(seq), watch::channel(seq));
        Ok(Self { state, ledger, published, committed, news, counts, clock, decide, limits, snapshot: None, begun: 0 })
    }

    pub(super) fn published(&self) -> Arc<RwLock<State>> {
        Arc::clone(&self.published)
    }

    pub(super) fn committed(&self) -> watch::Receiver<u64> {
        self.committed.subscribe()
    }

    pub(super) fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    pub(super) fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }

    /// Works until it is told to stop or nobody is left to ask it. After a failed commit nothing
    /// may go on: the state in memory is ahead of the ledger.
    pub(super) fn run(mut self, mut queue: mpsc::Receiver<Work>, fatal: &Fatal) {
        let ended = catch_unwind(AssertUnwindSafe(|| {
            while let Some(first) = queue.blocking_recv() {
                if self.turn(first, || queue.try_recv().ok())? {
                    break;
                }
            }
            self.finish_snapshot(true)
        }));
        match ended {
            Ok(Ok(())) => {}
            Ok(Err(error)) => fatal(&format!("the ledger failed: {error}. Belay stops, so that nothing is acknowledged that is not kept")),
            Err(panic) => fatal(&format!("the writer failed: {}. This is a mistake in Belay", words(&*panic))),
        }
    }

    /// Takes one batch, commits it and answers. Answers whether to stop.
    pub(crate) fn turn(&mut self, first: Work, mut more: impl FnMut() -> Option<Work>) -> Result<bool, LedgerError> {
        let began = Instant::now();
        let mut hand = Hand::default();
        let mut next = Some(first);
        while let Some(work) = next {
            self.take(work, &mut hand)?;
            let enough = hand.stop || hand.taken >= BATCH_MAX || began.elapsed() >= self.limits.batch_time;
            next = if enough { None } else { more() };
        }
        let (stop, prune) = (hand.stop, hand.prune);
        self.finish(hand)?;
        self.finish_snapshot(false)?;
        if prune {
            self.ledger.prune(self.state.now, &self.limits.retention)?;
        }
        Ok(stop)
    }

    fn take(&mut self, work: Work, hand: &mut Hand) -> Result<(), LedgerError> {
        hand.taken += 1;
        match work {
            Work::Input { input, keep, reply } => {
                let answer = self.input(*input, keep, hand)?;
                hand.answers.push((reply, answer));
            }
            Work::Deposit { deposit, reply } => match self.room(hand, deposit.body.len() as u64) {
                Ok(()) => {
                    hand.deposited += deposit.body.len() as u64;
                    hand.batch.deposits.push(deposit);
                    hand.deposits.push(reply);
                }
                Err(refused) => {
                    // The sender may have gone away; nothing was taken either way.
                    let _ = reply.send(Err(refused));
                }
            },
            Work::BeginToRead { ids, reply } => {
                self.ledger.begin_to_read(&ids)?;
                // The sweep may have gone away; the marks do no harm.
                let _ = reply.send(());
            }
            // Whoever asked may have gone away; what is written stays written.
            Work::Claim { request, reply } => _ = reply.send(self.ledger.claim(&request)?),
            Work::SettleClaim { request, answer, reply } => _ = reply.send(self.ledger.settle_claim(&request, answer.as_ref())?),
            Work::Prune => hand.prune = true,
            Work::Stop => hand.stop = true,
        }
        Ok(())
    }

    fn room(&self, hand: &Hand, bytes: u64) -> Result<(), DriveError> {
        let waiting = self.ledger.waiting();
        if self.counts.disk_low.load(Ordering::Relaxed) {
            return Err(DriveError::DiskLow);
        }
        let rows = waiting.len() + hand.batch.deposits.len();
        let bytes = waiting.bytes().saturating_add(hand.deposited).saturating_add(bytes);
        if rows >= self.limits.inbox_rows || bytes > self.limits.inbox_bytes { Err(DriveError::InboxFull) } else { Ok(()) }
    }

    fn input(&mut self, mut input: Input, keep: Keep, hand: &mut Hand) -> Result<Answer, LedgerError> {
        self.recall(&mut input, hand)?;
        if let Input::Unreadable { inbox: Some(id), reason, .. } = &input
            && !self.ledger.waits(*id)
        {
            return Ok(Answer::Unprocessable(reason.clone()));
        }
        let now = (self.clock)().max(self.state.now);
        let decided = catch_unwind(AssertUnwindSafe(|| (self.decide)(&self.state, now, &input)));
        let (facts, answer) = decided.unwrap_or_else(|panic| self.failed_on(&input, words(&*panic)));
        let applied = catch_unwind(AssertUnwindSafe(|| facts.iter().for_each(|fact| self.state.apply(now, fact))));
        let (facts, answer) = match applied {
            Ok(()) => (facts, answer),
            Err(panic) => {
                self.rebuild(&hand.batch.facts);
                let (facts, answer) = self.failed_on(&input, words(&*panic));
                facts.iter().for_each(|fact| self.state.apply(now, fact));
                (facts, answer)
            }
        };
        self.gather(now, facts, keep, hand);
        Ok(answer)
    }

    /// Tells a report which run is already recorded under its id, and what is known of it where the report
    /// came of other bytes.
    fn recall(&self, input: &mut Input, hand: &Hand) -> Result<(), LedgerError> {
        let Input::Report { decoded, earlier: earlier @ None, before, .. } = input else { return Ok(()) };
        let report = &decoded.report;
        let Ok(host) = HostId::parse(&report.host) else { return Ok(()) };
        let Some(known) = self.state.hosts.get(&host) else { return Ok(()) };
        let seen = known.recent.iter().find(|seen| seen.tool_run_id == report.tool_run_id).map(|seen| (seen.run, seen.digest));
        let key = (host, report.tool.to_string(), report.tool_run_id.clone());
        *earlier = match seen.or_else(|| hand.runs.get(&key).copied()) {
            Some(run) => Some(run),
            None => self.ledger.earlier(&key.0, &key.1, &key.2)?,
        };
        if let Some((run, digest)) = *earlier
            && digest != report.digest
        {
            *before = self.recorded(run, hand)?.map(Box::new);
        }
        Ok(())
    }

    /// A run in full, as it was recorded last: in the batch in hand, else in the ledger.
    fn recorded(&self, id: RunId, hand: &Hand) -> Result<Option<Run>, LedgerError> {
        let in_hand = hand.batch.facts.iter().rev().find_map(|(_, fact)| match fact {
            Fact::RunRecorded { run, .. } if run.id == id => Some((**run).clone()),
            _ => None,
        });
        in_hand.map_or_else(|| self.ledger.recorded(id), |run| Ok(Some(run)))
    }

    fn gather(&self, now: Timestamp, facts: Vec<Fact>, keep: Keep, hand: &mut Hand) {
        let testimony = facts.iter().any(|fact| matches!(fact, Fact::RunRecorded { .. } | Fact::Quarantined { .. }));
        hand.batch.raw.extend(keep.raw.filter(|_| testimony));
        let taken = facts.iter().any(|fact| matches!(fact, Fact::InboxDone { .. }));
        hand.batch.offers.extend(keep.offer.filter(|_| taken));
        hand.batch.blobs.extend(keep.evidence.filter(|_| !facts.is_empty()));
        for fact in &facts {
            if let Fact::RunRecorded { run, .. } = fact {
                hand.runs.insert((run.host.clone(), run.tool.to_string(), run.tool_run_id.clone()), (run.id, run.digest));
            }
        }
        hand.batch.facts.extend(facts.into_iter().map(|fact| (now, fact)));
    }

    /// What follows from an input on which Belay itself failed: it is put aside, loudly, and
    /// everybody else goes on.
    fn failed_on(&self, input: &Input, why: &str) -> (Vec<Fact>, Answer) {
        self.counts.panics.fetch_add(1, Ordering::Relaxed);
        tracing::error!(why, "an input was put aside because Belay failed on it; please report this");
        let text = format!("Belay failed on this input and put it aside ({why}). This is a mistake in Belay: please report it");
        let mut facts = Vec::new();
        let host = match input {
            Input::Report { decoded, inbox, .. } => {
                let host = HostId::parse(&decoded.report.host).ok();
                let digest = decoded.report.digest;
                facts.push(Fact::Quarantined { inbox: *inbox, host: host.clone(), digest, reason: text.clone() });
                host
            }
            Input::Unreadable { inbox, digest, .. } => {
                facts.push(Fact::Quarantined { inbox: *inbox, host: None, digest: *digest, reason: text.clone() });
                None
            }
            Input::Fed { inbox, digest, .. } => {
                facts.push(Fact::Quarantined { inbox: *inbox, host: None, digest: *digest, reason: text.clone() });
                None
            }
            Input::Facts { host, .. } => Some(host.clone()),
            _ => None,
        };
        facts.push(Fact::Noted(Note { kind: NoteKind::Warning, actor: Actor("belay".to_owned()), host, text: text.clone() }));
        (facts, Answer::Unprocessable(text))
    }

    /// A fact that could not be applied may have left the working state half changed: it is made
    /// anew from what is committed and what the batch in hand holds.
    fn rebuild(&mut self, facts: &[(Timestamp, Fact)]) {
        self.state = self.published.read().unwrap_or_else(PoisonError::into_inner).clone();
        facts.iter().for_each(|(at, fact)| self.state.apply(*at, fact));
    }

    fn finish(&mut self, hand: Hand) -> Result<(), LedgerError> {
        let Hand { batch, answers, deposits, .. } = hand;
        if !batch.is_empty() {
            let done = self.ledger.commit(&batch, &self.state)?;
            {
                let mut published = self.published.write().unwrap_or_else(PoisonError::into_inner);
                batch.facts.iter().for_each(|(at, fact)| published.apply(*at, fact));
            }
            self.counts.inbox(self.ledger.waiting().len(), self.ledger.waiting().bytes());
            self.committed.send_replace(done.last);
            if done.news {
                self.news.send_replace(done.last);
            }
            // Whoever asked may have gone away; what was committed stays committed.
            for (reply, id) in deposits.into_iter().zip(done.deposits) {
                let _ = reply.send(Ok(id));
            }
        }
        for (reply, answer) in answers {
            let _ = reply.send(answer);
        }
        Ok(())
    }

    /// Begins a snapshot when it is time for one, and keeps it when it is packed.
    fn finish_snapshot(&mut self, last_call: bool) -> Result<(), LedgerError> {
        let since = self.ledger.since_snapshot().min(self.ledger.last().saturating_sub(self.begun));
        if self.snapshot.is_none() && since >= self.limits.snapshot_every {
            let (state, seq) = (self.state.clone(), self.ledger.last());
            self.begun = seq;
            match std::thread::Builder::new().name("belay-snapshot".to_owned()).spawn(move || ledger::pack(&state)) {
                Ok(thread) => self.snapshot = Some(Snapshot { seq, thread }),
                Err(error) => tracing::error!(%error, "a snapshot could not be begun; it is tried again after the next commit"),
            }
        }
        let Some(snapshot) = self.snapshot.take_if(|snapshot| last_call || snapshot.thread.is_finished()) else { return Ok(()) };
        match snapshot.thread.join() {
            Ok(Ok(gzip)) => self.ledger.keep_snapshot(snapshot.seq, &gzip),
            Ok(Err(error)) => {
                tracing::error!(%error, "a snapshot could not be packed");
                Ok(())
            }
            Err(panic) => {
                tracing::error!(why = words(&*panic), "a snapshot could not be packed");
                Ok(())
            }
        }
    }
}

/// What a panic said.
fn words(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no reason given")
}

#[cfg(test)]
mod tests;

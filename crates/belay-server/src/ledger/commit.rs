//! Committing: facts, their projections and the bytes they rest on, in one transaction.

use std::collections::BTreeSet;

use axum::body::Bytes;
use belay_api::journal;
use belay_core::model::ids::{ChangeId, Digest, InboxId};
use belay_core::model::time::Timestamp;
use belay_core::state::{Fact, State};
use rusqlite::{Transaction, TransactionBehavior, params};

use super::error::Doing;
use super::inbox::{Deposit, principal_to_text};
use super::offers::{self, Offer, Text};
use super::{Hook, Ledger, LedgerError, Op, int, news, project, step};

/// What is to be committed together.
#[derive(Debug, Default)]
pub struct Batch {
    /// Facts, in order, each with the time it was decided at.
    pub facts: Vec<(Timestamp, Fact)>,
    /// Bytes for the inbox.
    pub deposits: Vec<Deposit>,
    /// Reports to keep as they came.
    pub raw: Vec<RawCopy>,
    /// Evidence to keep.
    pub blobs: Vec<Blob>,
    /// What hosts were offered, with texts that may not be kept yet.
    pub offers: Vec<(Offer, Vec<Text>)>,
}

/// A report as it came, to be kept.
#[derive(Clone, Debug)]
pub struct RawCopy {
    /// Hash of its bytes.
    pub digest: Digest,
    /// The tool that wrote it.
    pub tool: String,
    /// How many bytes it has.
    pub size: u64,
    /// The bytes, gzipped.
    pub gzip: Bytes,
}

/// Bytes kept by their hash.
#[derive(Clone, Debug)]
pub struct Blob {
    /// Hash of the bytes before compression.
    pub digest: Digest,
    /// The bytes, gzipped.
    pub gzip: Bytes,
}

/// What a commit gave out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The rows of the inbox, in the order of the deposits.
    pub deposits: Vec<InboxId>,
    /// The number of the last fact.
    pub last: u64,
    /// There is something among it that is worth showing.
    pub news: bool,
}

impl Batch {
    /// Whether there is nothing to commit.
    pub fn is_empty(&self) -> bool {
        self.facts.is_empty() && self.deposits.is_empty() && self.raw.is_empty() && self.blobs.is_empty() && self.offers.is_empty()
    }
}

impl Ledger {
    /// Commits a batch; `after` is the state with its facts applied. When this returns `Ok` the
    /// batch survives power loss. After an error this ledger must not be used again: open it anew.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn commit(&mut self, batch: &Batch, after: &State) -> Result<Committed, LedgerError> {
        let hook = self.hook.as_ref();
        step(hook, Op::Begin)?;
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate).doing("begin a commit")?;
        let mut writer = Writer { tx: &tx, hook, last: self.last, news: false };
        let deposits = writer.deposits(&batch.deposits)?;
        writer.bytes(batch, after.now)?;
        for (at, fact) in &batch.facts {
            writer.fact(*at, fact, after)?;
        }
        writer.changes(&batch.facts, after)?;
        let (last, news) = (writer.last, writer.news);
        step(hook, Op::Commit)?;
        tx.commit().doing("commit")?;
        step(hook, Op::Committed)?;
        self.last = last;
        for (id, deposit) in deposits.iter().zip(&batch.deposits) {
            self.waiting.add(*id, deposit.body.len() as u64);
        }
        for id in batch.facts.iter().filter_map(|(_, fact)| project::inbox_of(fact)) {
            self.waiting.done(id);
        }
        Ok(Committed { deposits, last, news })
    }
}

struct Writer<'a> {
    tx: &'a Transaction<'a>,
    hook: Option<&'a Hook>,
    last: u64,
    news: bool,
}

impl Writer<'_> {
    fn deposits(&self, deposits: &[Deposit]) -> Result<Vec<InboxId>, LedgerError> {
        let insert = "INSERT INTO inbox (received, tool, principal, body, state, head) VALUES (?1, ?2, ?3, ?4, 0, ?5)";
        deposits
            .iter()
            .map(|deposit| {
                step(self.hook, Op::Row)?;
                let row =
                    params![deposit.received.ms(), deposit.tool, principal_to_text(&deposit.principal), &deposit.body[..], deposit.head];
                self.tx.prepare_cached(insert).and_then(|mut s| s.execute(row)).doing("write the inbox")?;
                Ok(InboxId(self.tx.last_insert_rowid().unsigned_abs()))
            })
            .collect()
    }

    fn bytes(&self, batch: &Batch, now: Timestamp) -> Result<(), LedgerError> {
        let insert =
            "INSERT INTO raw (digest, at, tool, size, stored, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (digest) DO NOTHING";
        for raw in &batch.raw {
            step(self.hook, Op::Row)?;
            let (size, stored) = (int(raw.size), int(raw.gzip.len() as u64));
            let row = params![raw.digest.to_string(), now.ms(), raw.tool, size, stored, &raw.gzip[..]];
            self.tx.prepare_cached(insert).and_then(|mut s| s.execute(row)).doing("keep a report")?;
        }
        let insert = "INSERT INTO blobs (digest, at, body) VALUES (?1, ?2, ?3) ON CONFLICT (digest) DO UPDATE SET at = excluded.at";
        for blob in &batch.blobs {
            step(self.hook, Op::Row)?;
            let row = params![blob.digest.to_string(), now.ms(), &blob.gzip[..]];
            self.tx.prepare_cached(insert).and_then(|mut s| s.execute(row)).doing("keep evidence")?;
        }
        for (offer, texts) in &batch.offers {
            step(self.hook, Op::Row)?;
            offers::keep(self.tx, offer, texts)?;
        }
        Ok(())
    }

    fn fact(&mut self, at: Timestamp, fact: &Fact, after: &State) -> Result<(), LedgerError> {
        step(self.hook, Op::Row)?;
        let seq = self.last.saturating_add(1);
        let record = journal::encode(fact);
        let crc = checksum(seq, at, &record.kind, record.form, &record.body);
        let insert = "INSERT INTO facts (seq, at, kind, form, body, crc) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let row = params![int(seq), at.ms(), record.kind, record.form, record.body, crc];
        self.tx.prepare_cached(insert).and_then(|mut s| s.execute(row)).doing("write a fact")?;
        step(self.hook, Op::Row)?;
        project::fact(self.tx, seq, at, fact)?;
        self.news |= news::keep(self.tx, seq, at, fact, after)?;
        self.last = seq;
        Ok(())
    }

    /// A Change is written once a commit, as it stands after it.
    fn changes(&self, facts: &[(Timestamp, Fact)], after: &State) -> Result<(), LedgerError> {
        let touched: BTreeSet<ChangeId> = facts.iter().filter_map(|(_, fact)| project::change_of(fact)).collect();
        for change in touched.iter().filter_map(|id| after.changes.get(id)) {
            step(self.hook, Op::Row)?;
            project::change(self.tx, change)?;
        }
        Ok(())
    }
}

/// The checksum of a row of facts.
pub(super) fn checksum(seq: u64, at: Timestamp, kind: &str, form: u32, body: &str) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&seq.to_le_bytes());
    crc.update(&at.ms().to_le_bytes());
    crc.update(kind.as_bytes());
    crc.update(&form.to_le_bytes());
    crc.update(body.as_bytes());
    crc.finalize()
}

//! Projections: what a fact changes in the tables that views read. There is no policy here.

use belay_api::http::NoteRow;
use belay_api::journal;
use belay_core::model::alert::{Effect, Task};
use belay_core::model::change::Change;
use belay_core::model::ids::{ChangeId, Digest, HostId, InboxId};
use belay_core::model::run::Run;
use belay_core::model::time::Timestamp;
use belay_core::model::verdict::Standing;
use belay_core::state::Fact;
use rusqlite::{Transaction, params};

use super::error::Doing;
use super::{LedgerError, int};

/// The first bytes of what was put aside are kept for people to look at.
const HEAD_MAX: i64 = 64 << 10;

/// The Change that a fact touches, if any.
pub(super) fn change_of(fact: &Fact) -> Option<ChangeId> {
    match fact {
        Fact::ChangeOpened { change } => Some(change.id),
        Fact::ChangeJoined { change, .. }
        | Fact::WaveOpened { change, .. }
        | Fact::Looked { change, .. }
        | Fact::Decided { change, .. } => Some(*change),
        _ => None,
    }
}

/// The row of the inbox that a fact is done with, if any.
pub(super) fn inbox_of(fact: &Fact) -> Option<InboxId> {
    match fact {
        Fact::RunRecorded { inbox, .. } | Fact::Quarantined { inbox, .. } => *inbox,
        Fact::InboxDone { inbox } => Some(*inbox),
        _ => None,
    }
}

/// Writes what a fact changes, except in `changes`, which [`change`] writes once a commit.
pub(super) fn fact(tx: &Transaction<'_>, seq: u64, at: Timestamp, fact: &Fact) -> Result<(), LedgerError> {
    match fact {
        Fact::RunRecorded { run: recorded, .. } => run(tx, seq, recorded)?,
        Fact::Quarantined { inbox, host, digest, reason } => {
            quarantined(tx, (seq, at), *inbox, host.as_ref(), *digest, reason)?;
        }
        Fact::EffectAsked { effect, .. } | Fact::EffectTried { effect } => asked(tx, effect)?,
        Fact::EffectDone { effect, delivered } => {
            let state = if *delivered { "done" } else { "discarded" };
            let row = params![int(effect.0), state, at.ms()];
            execute(tx, "UPDATE effects SET state = ?2, closed = ?3 WHERE id = ?1", row, "close an effect")?;
        }
        _ => {}
    }
    if let Some(id) = inbox_of(fact) {
        execute(tx, "DELETE FROM inbox WHERE id = ?1", params![int(id.0)], "clear the inbox")?;
    }
    match NoteRow::of(seq, at, fact) {
        Some(note) => {
            let insert = "INSERT INTO notes (seq, at, kind, fact, actor, host, text) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
            let row = params![int(seq), at.ms(), note.kind, note.fact, note.actor, note.host, note.text];
            execute(tx, insert, row, "write the audit")
        }
        None => Ok(()),
    }
}

/// Writes a Change as it stands.
pub(super) fn change(tx: &Transaction<'_>, change: &Change) -> Result<(), LedgerError> {
    let record = journal::encode(&Fact::ChangeRestored { change: Box::new(change.clone()), alerted: None });
    let outcome = match change.standing {
        Standing::Final(outcome) => Some(outcome.word()),
        Standing::OnTrial | Standing::Suspect => None,
    };
    let upsert = "INSERT INTO changes (id, class, release, opened, standing, outcome, form, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) \
        ON CONFLICT (id) DO UPDATE SET standing = excluded.standing, outcome = excluded.outcome, form = excluded.form, body = excluded.body";
    let release = change.release.as_ref().map(|release| release.as_str());
    let (class, opened, standing) = (change.class.as_str(), change.opened.ms(), change.standing.word());
    let row = params![int(change.id.0), class, release, opened, standing, outcome, record.form, record.body];
    execute(tx, upsert, row, "write a Change")
}

fn execute(tx: &Transaction<'_>, sql: &str, row: impl rusqlite::Params, doing: &'static str) -> Result<(), LedgerError> {
    tx.prepare_cached(sql).and_then(|mut statement| statement.execute(row)).map(drop).doing(doing)
}

fn run(tx: &Transaction<'_>, seq: u64, run: &Run) -> Result<(), LedgerError> {
    let insert = "INSERT INTO runs (id, seq, host, tool, tool_run_id, digest, kind, started, received, change, first) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) \
        ON CONFLICT (id) DO UPDATE SET seq = excluded.seq, kind = excluded.kind, change = excluded.change";
    let change = run.change.map(|change| int(change.0));
    let (started, received) = (run.started.ms(), run.received.ms());
    let row = params![
        int(run.id.0),
        int(seq),
        run.host.as_str(),
        run.tool.as_str(),
        run.tool_run_id,
        run.digest.to_string(),
        run.kind.word(),
        started,
        received,
        change,
        run.first
    ];
    execute(tx, insert, row, "write a run")
}

fn quarantined(
    tx: &Transaction<'_>,
    (seq, at): (u64, Timestamp),
    inbox: Option<InboxId>,
    host: Option<&HostId>,
    digest: Digest,
    reason: &str,
) -> Result<(), LedgerError> {
    let insert = "INSERT INTO quarantine (seq, at, inbox, host, digest, reason, head, size) VALUES (?1, ?2, ?3, ?4, ?5, ?6, \
        coalesce((SELECT substr(body, 1, ?7) FROM inbox WHERE id = ?3), x''), coalesce((SELECT length(body) FROM inbox WHERE id = ?3), 0))";
    let inbox = inbox.map(|id| int(id.0));
    let row = params![int(seq), at.ms(), inbox, host.map(HostId::as_str), digest.to_string(), reason, HEAD_MAX];
    execute(tx, insert, row, "write the quarantine")
}

fn asked(tx: &Transaction<'_>, effect: &Effect) -> Result<(), LedgerError> {
    let upsert = "INSERT INTO effects (id, about, receiver, asked, attempts, next_try, last_error, state) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) \
        ON CONFLICT (id) DO UPDATE SET attempts = excluded.attempts, next_try = excluded.next_try, last_error = excluded.last_error, \
        state = excluded.state";
    let Task::Notify { receiver, about } = &effect.task;
    let state = if effect.dead { "dead" } else { "waiting" };
    let row = params![
        int(effect.id.0),
        about.to_string(),
        receiver.as_str(),
        effect.asked.ms(),
        effect.attempts,
        effect.next_try.ms(),
        effect.last_error,
        state
    ];
    execute(tx, upsert, row, "write an effect")
}

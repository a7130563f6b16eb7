//! What happened: the audit, the quarantine, alerts on their way or given up, and explanations.

use belay_api::http::{EffectRow, NoteRow, Page, QuarantineRow, WhyView};
use belay_core::explain::why;
use belay_core::model::ids::{ChangeId, EffectId, HostId};

use super::super::App;
use super::super::refusal::Refusal;
use super::super::route::{Call, Param};
use super::changes::differences;
use super::{PAGED, after, limit, page};
use crate::ledger::{Audit, NoteRecord, QuarantineRecord};

/// Parameters of the audit.
pub(crate) const AUDIT: [Param; 3] = [PAGED[0], PAGED[1], Param { name: "kind", about: "Only `security`, `warning` or `info`." }];

/// The audit, newest first.
pub(crate) async fn audit(call: Call) -> Result<Page<NoteRow>, Refusal> {
    let filter = Audit { kind: call.query("kind").map(str::to_owned) };
    let (before, limit) = (after(&call)?, limit(&call)?);
    let found = call.app.readers.ask(move |reader| reader.audit(&filter, before, limit)).await?;
    Ok(page(found, note))
}

/// A line of the audit as it is sent.
pub(crate) fn note(note: NoteRecord) -> NoteRow {
    let NoteRecord { seq, at, kind, fact, actor, host, text } = note;
    NoteRow { seq, at: at.to_string(), kind, fact, actor, host, text }
}

/// What was put aside, newest first.
pub(crate) async fn quarantine(call: Call) -> Result<Page<QuarantineRow>, Refusal> {
    let (before, limit) = (after(&call)?, limit(&call)?);
    let found = call.app.readers.ask(move |reader| reader.quarantine(before, limit)).await?;
    Ok(page(found, quarantined))
}

/// What was put aside, as it is sent.
pub(crate) fn quarantined(record: QuarantineRecord) -> QuarantineRow {
    let QuarantineRecord { seq, at, inbox, host, digest, reason, size, .. } = record;
    let inbox = inbox.map(|id| id.to_string());
    QuarantineRow { seq, at: at.to_string(), inbox, host, digest, bytes: Some(size), reason }
}

/// Alerts that are on their way or were given up, newest first.
pub(crate) async fn alerts(call: Call) -> Result<Page<EffectRow>, Refusal> {
    let (before, limit) = (after(&call)?, limit(&call)?);
    let before = EffectId(before.unwrap_or(u64::MAX));
    let mut rows: Vec<_> = call.app.drive.read(|state| {
        let effects = state.effects.range(..before).rev().take(limit + 1);
        effects.map(|(id, effect)| (id.0, EffectRow::from(effect))).collect()
    });
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|(id, _)| id.to_string());
    Ok(Page { items: rows.into_iter().map(|(_, row)| row).collect(), next })
}

/// Why a Change or a host stands as it does.
pub(crate) async fn explain(call: Call) -> Result<WhyView, Refusal> {
    let subject = call.param("subject").to_owned();
    let now = call.app.drive.now();
    let lines = match (ChangeId::parse(&subject), HostId::parse(&subject)) {
        (Some(id), _) => call.app.drive.read(|state| why::change(state, id, now)),
        (None, Ok(host)) => call.app.drive.read(|state| why::host(state, &host, now)),
        (None, Err(bad)) => return Err(Refusal::bad_request(format!("{subject:?} is neither a Change (c-17) nor a host: {bad}"))),
    };
    let mut lines = lines;
    if let Some(change) = ChangeId::parse(&subject).filter(|_| !lines.is_empty()) {
        lines.extend(texts(&call.app, change).await?);
    }
    if lines.is_empty() {
        return Err(Refusal::not_found(format!("there is neither a Change nor a host called {subject}")));
    }
    Ok(WhyView { subject, lines })
}

/// How the texts that a Change brought differ from those that were there.
async fn texts(app: &App, id: ChangeId) -> Result<Vec<String>, Refusal> {
    let found = differences(app, id).await?;
    let name = |place: usize| app.drive.read(|state| state.changes.get(&id)?.items.keys().nth(place).map(ToString::to_string));
    let mut lines = Vec::new();
    for (place, diff) in found.iter().filter(|(_, diff)| !diff.is_empty()) {
        lines.push(format!("text of {}:", name(*place).unwrap_or_default()));
        lines.extend(diff.lines().map(|line| format!("  {line}")));
    }
    Ok(lines)
}

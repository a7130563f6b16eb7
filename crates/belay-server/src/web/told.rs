//! What people were told, and who did what.

use askama::Template;
use axum::body::Body;
use axum::http::Response;
use belay_api::http::NoteRow;
use belay_core::explain::alert::alert;
use belay_core::model::alert::{Alert, Subject};
use belay_core::model::time::Timestamp;

use super::csv::{cell, table};
use super::shell::{Shell, page};
use super::words::encoded;
use crate::http::handlers::after;
use crate::http::handlers::audit::note;
use crate::http::refusal::Refusal;
use crate::http::route::Call;
use crate::ledger::{Audit, EffectRecord};

/// Rows of a page.
const ROWS: usize = 100;
/// Rows of an exported audit.
const EXPORT_ROWS: usize = 500;
/// Subjects that are listed as they stand now.
const SUBJECTS_MAX: usize = 100;

#[derive(Template)]
#[template(path = "alerts.html")]
struct Alerts {
    s: Shell,
    now: Vec<Firing>,
    receivers: usize,
    sent: Vec<EffectRecord>,
    next: Option<u64>,
}

/// Something people are told of, as it stands.
struct Firing {
    about: String,
    title: String,
    told: Timestamp,
}

/// The page: what is told of now, then every message.
pub async fn alerts(call: Call) -> Result<Response<Body>, Refusal> {
    let before = after(&call)?;
    let found = call.app.readers.ask(move |reader| reader.effects(before, ROWS)).await?;
    let now = call.app.drive.now();
    let (firing, receivers) = call.app.drive.read(|state| {
        let mut subjects: Vec<(&Subject, &Timestamp)> = state.alerted.iter().collect();
        subjects.sort_by_key(|(_, told)| std::cmp::Reverse(**told));
        let stands = subjects.into_iter().filter_map(|(about, told)| {
            let alert = alert(state, about, now).filter(|alert| alert.firing)?;
            Some(Firing { about: about.to_string(), title: alert.title, told: *told })
        });
        (stands.take(SUBJECTS_MAX).collect(), state.policy.receivers.len())
    });
    page(&Alerts { s: Shell::of(&call, "/alerts", "Alerts"), now: firing, receivers, sent: found.items, next: found.next })
}

#[derive(Template)]
#[template(path = "alert.html")]
struct OneAlert {
    s: Shell,
    alert: Alert,
    link: Option<String>,
}

/// One alert in full, as it would be sent now.
pub async fn one(call: Call) -> Result<Response<Body>, Refusal> {
    let text = call.query("about").unwrap_or_default().to_owned();
    let about = Subject::parse(&text).ok_or_else(|| Refusal::bad_request(format!("{text:?} is nothing that alerts are about")))?;
    let now = call.app.drive.now();
    let found = call.app.drive.read(|state| alert(state, &about, now));
    let alert = found.ok_or_else(|| Refusal::not_found(format!("nothing is known of {about} any more")))?;
    page(&OneAlert { s: Shell::of(&call, "/alerts", alert.title.clone()), alert, link: link(&about) })
}

/// The page of what an alert is about.
fn link(about: &Subject) -> Option<String> {
    match about {
        Subject::Change(id) => Some(format!("/changes/{id}")),
        Subject::Hold(id) => Some(format!("/holds/{id}")),
        Subject::Glass(host) => Some(format!("/hosts/{host}")),
        Subject::Stale(class) | Subject::Foreign(class) | Subject::Observed(class) => {
            Some(format!("/hosts?class={}", encoded(class.as_str())))
        }
        _ => None,
    }
}

impl Alerts {
    /// The address of an alert in full.
    fn address(&self, about: &str) -> String {
        format!("/alerts/one?about={}", encoded(about))
    }
}

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage {
    s: Shell,
    rows: Vec<NoteRow>,
    kind: String,
    next: Option<u64>,
}

/// Who did what, newest first.
pub async fn audit(call: Call) -> Result<Response<Body>, Refusal> {
    let (kind, found) = audited(&call, ROWS).await?;
    let rows = found.items.into_iter().map(note).collect();
    page(&AuditPage { s: Shell::of(&call, "/audit", "Audit"), rows, kind, next: found.next })
}

/// The same as CSV, a page at a time: the last line says where it goes on.
pub async fn audit_csv(call: Call) -> Result<Response<Body>, Refusal> {
    let (_, found) = audited(&call, EXPORT_ROWS).await?;
    let mut text = String::from("seq,at,kind,fact,actor,host,text\n");
    for row in found.items.into_iter().map(note) {
        let host = row.host.as_deref().map(cell).unwrap_or_default();
        text.push_str(&format!("{},{},{},{},{},{host},{}\n", row.seq, row.at, row.kind, row.fact, cell(&row.actor), cell(&row.text)));
    }
    if let Some(next) = found.next {
        text.push_str(&format!("{next},,,,,,\"older lines: /audit.csv?after={next}\"\n"));
    }
    Ok(table(text, "audit"))
}

async fn audited(call: &Call, rows: usize) -> Result<(String, crate::ledger::PageOf<crate::ledger::NoteRecord>), Refusal> {
    let kind = call.query("kind").filter(|kind| ["security", "warning", "info"].contains(kind)).map(str::to_owned);
    let (filter, before) = (Audit { kind: kind.clone() }, after(call)?);
    let found = call.app.readers.ask(move |reader| reader.audit(&filter, before, rows)).await?;
    Ok((kind.unwrap_or_default(), found))
}

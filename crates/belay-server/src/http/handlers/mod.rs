//! What each route does. A handler asks the drive, the ledger or the store and shapes the answer;
//! who may call it was checked before.

pub(crate) mod audit;
pub(crate) mod backup;
pub(crate) mod catch;
pub(crate) mod changes;
pub(crate) mod deployments;
pub(crate) mod facade;
pub(crate) mod health;
pub(crate) mod hosts;
pub(crate) mod issuer;
pub(crate) mod login;
pub(crate) mod news;
pub(crate) mod outposts;
pub(crate) mod people;
pub(crate) mod reports;
pub(crate) mod run_health;
pub(crate) mod runs;
pub(crate) mod samples;
pub(crate) mod users;

use axum::http::{StatusCode, header};
use belay_api::http::{FieldError, Page};
use belay_core::decide::Answer;

use super::refusal::Refusal;
use super::route::{Call, Param};
use crate::ledger::PageOf;

/// Entries of a page when nobody says how many.
const PAGE: usize = 50;
/// The most entries of a page.
const PAGE_MAX: usize = 500;

/// Parameters of every list.
pub(super) const PAGED: [Param; 2] = [
    Param { name: "limit", about: "How many entries at most, 1 to 500; 50 when left out." },
    Param { name: "after", about: "The `next` of the page before." },
];

/// How many entries are asked for.
fn limit(call: &Call) -> Result<usize, Refusal> {
    let Some(text) = call.query("limit") else { return Ok(PAGE) };
    let limit = text.parse().ok().filter(|limit| (1..=PAGE_MAX).contains(limit));
    limit.ok_or_else(|| Refusal::bad_request(format!("limit: {text:?} is no number from 1 to {PAGE_MAX}")))
}

/// After which number the page begins.
pub(crate) fn after(call: &Call) -> Result<Option<u64>, Refusal> {
    let Some(text) = call.query("after") else { return Ok(None) };
    let number = text.parse().map_err(|_| Refusal::bad_request(format!("after: {text:?} is not the `next` of a page of this list")))?;
    Ok(Some(number))
}

/// A page of the ledger as it is sent.
fn page<T, R>(page: PageOf<T>, row: impl FnMut(T) -> R) -> Page<R> {
    Page { items: page.items.into_iter().map(row).collect(), next: page.next.map(|next| next.to_string()) }
}

/// Refuses a protocol of hosts that is not spoken here.
fn spoken(protocol: u32) -> Result<(), Refusal> {
    belay_api::agent::speaks(protocol).map_err(|why| Refusal::new(StatusCode::BAD_REQUEST, why.code(), why.to_string()))
}

/// What the drive answered to a command, as a refusal where it is one.
pub(crate) fn settled(answer: Answer) -> Result<(), Refusal> {
    match answer {
        Answer::Done | Answer::Run { .. } | Answer::Counted(_) | Answer::Hold { .. } | Answer::Revert(_) | Answer::Polled { .. } => Ok(()),
        Answer::Forbidden(text) => Err(Refusal::forbidden(text)),
        Answer::NotFound(text) => Err(Refusal::not_found(text)),
        Answer::Unprocessable(text) => Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "unprocessable", text)),
        Answer::Outdated(text) => Err(Refusal::new(StatusCode::PRECONDITION_FAILED, "outdated", text)),
        Answer::Conflict(text) => Err(Refusal::new(StatusCode::CONFLICT, "conflict", text)),
    }
}

/// What the one who asks has seen (`If-Match`, RFC 9110 section 13.1.1); none where anything will do.
fn if_match(call: &Call) -> Result<Option<&str>, Refusal> {
    let Some(value) = call.headers.get(header::IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let tag = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).filter(|tag| !tag.is_empty());
    tag.map(Some).ok_or_else(|| Refusal::bad_request(format!("If-Match: {text:?} is no mark; write it in quotes, as \"3\"")))
}

/// Parts of a body that cannot be taken.
fn invalid(errors: Vec<FieldError>) -> Refusal {
    let detail = errors.iter().map(|error| format!("{}: {}", error.pointer, error.detail)).collect::<Vec<_>>().join("; ");
    Refusal { errors, ..Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail) }
}

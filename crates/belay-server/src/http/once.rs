//! `Idempotency-Key`: what was sent with a key is done once, however often it is sent again (the line was cut, a script
//! tries again), also after a restart. What did not come about may be tried again with the same key.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use belay_core::model::ids::Digest;
use belay_core::model::time::Timestamp;
use http_body_util::BodyExt;

use super::App;
use super::refusal::Refusal;
use crate::ledger::{Claim, Kept, Request};

/// The header.
const HEADER: &str = "idempotency-key";
/// The kind of its refusals.
pub const KIND: &str = "idempotency-key";
/// The longest key.
const KEY_MAX: usize = 200;
/// The largest answer that is kept.
const ANSWER_MAX: usize = 256 << 10;

/// What is remembered of a request with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Once {
    /// Nothing: asking twice is asking once, or everybody asks for themselves.
    Never,
    /// What was asked, and the answer.
    Answered,
    /// That it was done: what was asked or answered holds a secret.
    Secret,
}

/// A request, as far as it is remembered.
pub struct Sent<'a> {
    /// Who asks.
    pub who: String,
    /// Method, path and query.
    pub target: &'a str,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Its body.
    pub body: &'a [u8],
}

/// The claim that a request makes; none without a key.
///
/// # Errors
/// 400 when the key is none.
pub fn request(sent: &Sent<'_>, once: Once, at: Timestamp) -> Result<Option<Request>, Refusal> {
    let Some(value) = sent.headers.get(HEADER) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    // The draft of the IETF writes it in quotes, most senders do not.
    let key = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    if key.is_empty() || key.len() > KEY_MAX || !key.bytes().all(|b| b.is_ascii_graphic()) {
        let detail = format!("Idempotency-Key: {text:?} is no key; send 1 to {KEY_MAX} printable ASCII characters without spaces");
        return Err(Refusal::bad_request(detail));
    }
    let seen = sent.headers.get(header::IF_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let body = Digest::of(sent.body).to_string();
    let digest = (once == Once::Answered).then(|| Digest::of_parts([sent.target, seen, &body]).to_string());
    Ok(Some(Request { who: sent.who.clone(), key: key.to_owned(), digest, at }))
}

/// Does what was asked, unless it was done before. It is done to the end even if whoever asked goes away meanwhile.
///
/// # Errors
/// 409 while it is being done, or where it cannot be said again what came of it; 422 when the key was used for something
/// else.
pub async fn once<F>(app: &Arc<App>, request: Request, once: Once, work: F) -> Result<Response<Body>, Refusal>
where
    F: Future<Output = Result<Response<Body>, Refusal>> + Send + 'static,
{
    match app.drive.claim(request.clone()).await? {
        Claim::Yours => {}
        other => return known(other, once, app.started),
    }
    let app = Arc::clone(app);
    let task = tokio::spawn(async move {
        let answered = work.await;
        let (kept, answered) = match answered {
            Ok(response) => {
                let (kept, response) = keep(response, once).await?;
                (Some(kept), Ok(response))
            }
            Err(refusal) => (None, Err(refusal)),
        };
        app.drive.settle_claim(request, kept).await?;
        answered
    });
    task.await.unwrap_or_else(|_| Err(Refusal::internal()))
}

async fn keep(response: Response<Body>, once: Once) -> Result<(Kept, Response<Body>), Refusal> {
    let (parts, body) = response.into_parts();
    let bytes: Bytes = body.collect().await.map_err(|_| Refusal::internal())?.to_bytes();
    let body = Some(bytes.to_vec()).filter(|bytes| once == Once::Answered && bytes.len() <= ANSWER_MAX);
    let kept = Kept { status: parts.status.as_u16(), body };
    Ok((kept, Response::from_parts(parts, Body::from(bytes))))
}

fn known(claim: Claim, once: Once, started: Timestamp) -> Result<Response<Body>, Refusal> {
    let conflict = |detail: String| Err(Refusal::new(StatusCode::CONFLICT, KIND, detail));
    match claim {
        Claim::Yours => Err(Refusal::internal()),
        Claim::Answered(_, Kept { status, body: Some(body) }) => Ok(again(status, body)),
        Claim::Answered(at, Kept { body: None, .. }) => {
            let why = match once {
                Once::Secret => "a secret is shown once and never kept. Look at what there is, and ask anew with another key",
                Once::Answered | Once::Never => "the answer was too long to be kept. Look at what came of it",
            };
            conflict(format!("this was done at {at} with this key, and is not done again; {why}"))
        }
        Claim::Begun(at) if at < started => conflict(format!(
            "this was begun at {at} with this key, and the server was stopped before it could say what came of it. Look at what there \
             is, and ask anew with another key where it was not done"
        )),
        Claim::Begun(_) => {
            let refusal = Refusal::new(StatusCode::CONFLICT, KIND, "this is being done, with this key; ask again in a moment");
            Err(Refusal { retry_after: Some(1), ..refusal })
        }
        Claim::Other => {
            let detail = "this Idempotency-Key was used for something else within the last 24 hours; take another one";
            Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, KIND, detail))
        }
        Claim::TooMany => {
            let detail = "so many keys were used within the last 24 hours that no more are remembered; ask without one, or later";
            Err(Refusal { retry_after: Some(3600), ..Refusal::new(StatusCode::TOO_MANY_REQUESTS, "too-often", detail) })
        }
    }
}

/// The same answer as before.
fn again(status: u16, body: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert("idempotency-replayed", HeaderValue::from_static("true"));
    response
}

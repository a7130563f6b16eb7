//! `ETag`: the mark of what was seen (RFC 9110, section 8.8.3), `"3.5f2a9c0144e1b7d2"`: the revision, which `If-Match` is about, and
//! what the whole answer says. An answer alters without a new revision as well (a lock is broken by hand, the end draws near), and
//! whoever asks with `If-None-Match` has to hear of that.

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use belay_core::model::ids::Digest;
use http_body_util::BodyExt;
use serde::Deserialize;

use super::refusal::Refusal;

/// How many digits of what the answer says are in its mark.
const DIGITS: usize = 16;

#[derive(Deserialize)]
struct Marked {
    revision: u32,
}

/// What `If-None-Match` says, where it says something.
pub fn known(headers: &HeaderMap) -> Option<HeaderValue> {
    headers.get(header::IF_NONE_MATCH).cloned()
}

/// The answer with its mark; 304 without a body where it is the one that is known. What has no revision has no mark.
///
/// # Errors
/// The answer cannot be read, which would be a mistake in Belay.
pub async fn marked(response: Response<Body>, known: Option<HeaderValue>) -> Result<Response<Body>, Refusal> {
    let (mut parts, body) = response.into_parts();
    let bytes: Bytes = body.collect().await.map_err(|_| Refusal::internal())?.to_bytes();
    let Some(mark) = mark(&bytes) else { return Ok(Response::from_parts(parts, Body::from(bytes))) };
    let value = HeaderValue::from_str(&mark).map_err(|_| Refusal::internal())?;
    parts.headers.insert(header::ETAG, value);
    if known.is_some_and(|known| names(known.to_str().unwrap_or_default(), &mark)) {
        parts.status = StatusCode::NOT_MODIFIED;
        parts.headers.remove(header::CONTENT_TYPE);
        return Ok(Response::from_parts(parts, Body::empty()));
    }
    Ok(Response::from_parts(parts, Body::from(bytes)))
}

fn mark(body: &[u8]) -> Option<String> {
    let Marked { revision } = serde_json::from_slice(body).ok()?;
    let digits: String = Digest::of(body).to_string().chars().take(DIGITS).collect();
    Some(format!("\"{revision}.{digits}\""))
}

/// Whether a list of marks names this one. They are compared weakly (section 13.1.2).
fn names(list: &str, mark: &str) -> bool {
    list.split(',').map(str::trim).any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == mark)
}

/// The revision that a mark is of; `"3"` alone is one as well.
pub fn revision(mark: &str) -> Option<u32> {
    mark.split_once('.').map_or(mark, |(revision, _)| revision).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_of_the_revision_and_of_all_that_is_said() {
        let one = mark(br#"{"revision":3,"state":"active"}"#).unwrap();
        let two = mark(br#"{"revision":3,"state":"expiring"}"#).unwrap();
        assert!(one.starts_with("\"3.") && two.starts_with("\"3.") && one != two, "{one} {two}");
        assert_eq!(revision(one.trim_matches('"')), Some(3));
        assert_eq!((revision("3"), revision(""), revision("x.1")), (Some(3), None, None));
        assert_eq!((mark(b"{}"), mark(b"")), (None, None));
        for (list, named) in [("*", true), (one.as_str(), true), ("\"9\"", false), ("\"3\"", false), ("", false)] {
            assert_eq!(names(list, &one), named, "{list}");
        }
        assert!(names(&format!("\"9\", W/{one}"), &one));
    }
}

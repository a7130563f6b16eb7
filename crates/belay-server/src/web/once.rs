//! A form that was shown is done once, however often its button is pressed: it carries a one-time value, which claims a place in
//! the same ledger as the keys of programs.

use std::future::Future;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Response, StatusCode};
use belay_core::model::ids::Digest;
use http_body_util::BodyExt;

use super::acts::{Filled, filled_in};
use crate::http::once::{KIND, Once, once};
use crate::http::refusal::Refusal;
use crate::http::route::{Call, json};
use crate::ledger::Request;
use crate::secret;

/// The field of the form.
const FIELD: &str = "once";
/// How long the second press waits for what comes of the first.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it looks.
const EVERY: Duration = Duration::from_millis(50);

/// A one-time value for a form that is shown.
///
/// # Errors
/// The system gives no random bytes.
pub fn one_time() -> Result<String, Refusal> {
    let bytes = secret::bytes::<16>().map_err(|_| Refusal::internal())?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Does what a form asks for, unless the same form with the same in it did it already; answers where to go then. A form without
/// the value is done as often as it is sent.
///
/// # Errors
/// It is refused, and may be sent again.
pub async fn form_once<F>(call: &Call, filled: &Filled, work: impl Fn() -> F) -> Result<String, Refusal>
where
    F: Future<Output = Result<String, Refusal>> + Send + 'static,
{
    let Some(value) = filled_in(filled, FIELD) else { return work().await };
    let request = Request { who: call.principal()?.actor().0, key: key(&call.path, value, filled), digest: None, at: call.app.drive.now() };
    let begun = tokio::time::Instant::now();
    loop {
        let doing = work();
        let asked = once(&call.app, request.clone(), Once::Answered, async move { json(StatusCode::CREATED, &doing.await?) });
        match asked.await {
            // Whoever presses twice sees the answer to the second press: it is the one of the first.
            Err(refusal) if refusal.kind == KIND && refusal.retry_after.is_some() && begun.elapsed() < PATIENCE => {
                tokio::time::sleep(EVERY).await;
            }
            answered => return target(answered?).await,
        }
    }
}

/// What is filled in belongs to the key: who goes back and alters it asks for something else.
fn key(path: &str, value: &str, filled: &Filled) -> String {
    let fields = filled.iter().filter(|(name, _)| !matches!(name.as_str(), "csrf" | FIELD));
    let parts = fields.flat_map(|(name, value)| [name.as_str(), value.as_str()]);
    format!("form-{}", Digest::of_parts([path, value].into_iter().chain(parts)))
}

async fn target(response: Response<Body>) -> Result<String, Refusal> {
    let bytes = response.into_body().collect().await.map_err(|_| Refusal::internal())?.to_bytes();
    serde_json::from_slice(&bytes).map_err(|_| Refusal::internal())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_of_the_form_and_of_what_is_in_it_and_of_nothing_else() {
        let filled = |csrf: &str, reason: &str| vec![("csrf".to_owned(), csrf.to_owned()), ("reason".to_owned(), reason.to_owned())];
        let first = key("/holds/new", "a", &filled("x", "r"));
        assert_eq!(first, key("/holds/new", "a", &filled("y", "r")));
        for other in [
            key("/holds/new", "b", &filled("x", "r")),
            key("/holds/new", "a", &filled("x", "s")),
            key("/changes/c-1/stop", "a", &filled("x", "r")),
        ] {
            assert_ne!(first, other);
        }
    }
}

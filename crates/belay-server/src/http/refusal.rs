//! Refusals: every error of the API is one of these, and is sent as `application/problem+json`.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use belay_api::http::{FieldError, Problem};

use crate::drive::DriveError;
use crate::ledger::Busy;

/// An answer that says no: why, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status.
    pub status: StatusCode,
    /// Which kind of refusal, as a stable word; the type URI ends with it.
    pub kind: &'static str,
    /// In plain words.
    pub detail: String,
    /// After how many seconds to try again.
    pub retry_after: Option<u32>,
    /// What is wrong with which part of the body.
    pub errors: Vec<FieldError>,
    /// Say how to present a credential.
    pub challenge: bool,
}

impl Refusal {
    /// A refusal of this kind.
    pub fn new(status: StatusCode, kind: &'static str, detail: impl Into<String>) -> Self {
        Self { status, kind, detail: detail.into(), retry_after: None, errors: Vec::new(), challenge: false }
    }

    /// What was sent cannot be understood.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", detail)
    }

    /// There is no such thing.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", detail)
    }

    /// No credential, or one that is not known.
    pub fn unauthenticated(detail: impl Into<String>) -> Self {
        Self { challenge: true, ..Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", detail) }
    }

    /// The credential does not allow it.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    /// More bytes than are taken.
    pub fn too_large(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail)
    }

    /// Not now.
    pub fn unavailable(detail: impl Into<String>, retry_after: u32) -> Self {
        Self { retry_after: Some(retry_after), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail) }
    }

    /// Belay failed; the cause is in the log, under the id of the request.
    pub fn internal() -> Self {
        let detail = "Belay failed on this request. Its log has the cause under the request_id";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    }

    /// As it is sent.
    pub fn into_response(self, instance: &str, request_id: &str) -> Response<Body> {
        let problem = Problem {
            instance: Some(instance.to_owned()),
            errors: self.errors,
            request_id: Some(request_id.to_owned()),
            ..Problem::new(self.kind, self.status.as_u16(), self.status.canonical_reason().unwrap_or("Error"), self.detail)
        };
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.challenge {
            headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"belay\""));
            headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"belay\", charset=\"UTF-8\""));
        }
        response
    }
}

impl From<DriveError> for Refusal {
    fn from(error: DriveError) -> Self {
        let after = match error {
            DriveError::Overloaded | DriveError::Stopping => 5,
            DriveError::InboxFull => 30,
            DriveError::DiskLow => 300,
        };
        Self::unavailable(error.to_string(), after)
    }
}

impl From<Busy> for Refusal {
    fn from(error: Busy) -> Self {
        match error {
            Busy::Full | Busy::Stopping => Self::unavailable(error.to_string(), 5),
            Busy::Ledger(error) => {
                tracing::error!(%error, "the ledger could not be read");
                Self::internal()
            }
        }
    }
}

//! Answers that are the same for everything: pages of a list, problems, explanations.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A part of a list, in a stable order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The entries of this part.
    pub items: Vec<T>,
    /// What to give as `after` for the next part; `null` when this is the last.
    pub next: Option<String>,
}

/// Why a request was not answered as asked (RFC 9457, `application/problem+json`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// What kind of problem it is: a name that stays.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in a few words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong this time, and what to do about it.
    pub detail: String,
    /// The path that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// What is wrong with which part of the body.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// By which the server's log knows the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// What is wrong with one part of a body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldError {
    /// The part, as a JSON pointer (RFC 6901), for example `/facts/role`.
    pub pointer: String,
    /// What is wrong with it.
    pub detail: String,
}

/// An explanation in plain words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhyView {
    /// What is explained: a Change or a host.
    pub subject: String,
    /// The explanation, line by line.
    pub lines: Vec<String>,
}

impl Problem {
    /// A problem of a kind, without the details of a request. `code` is a short name such as
    /// `not-found`.
    pub fn new(code: &str, status: u16, title: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:belay:problem:{code}"),
            title: title.to_owned(),
            status,
            detail: detail.into(),
            instance: None,
            errors: Vec::new(),
            request_id: None,
        }
    }
}

impl FieldError {
    /// What is wrong with one part of a body.
    pub fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), detail: detail.into() }
    }
}

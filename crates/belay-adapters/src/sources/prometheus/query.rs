//! Answers of Prometheus' query API (`/api/v1/query`, `/api/v1/query_range`): read from those who
//! have one, written for clients that expect one.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Deserialize;
use thiserror::Error;

use super::{WireSample, WireSeries};

/// A successful answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Its shape.
    pub shape: Shape,
    /// The series, each with one sample in an instant vector. A scalar is a series without labels.
    pub series: Vec<WireSeries>,
    /// What the source itself says is wrong with it: warnings, or that a part of it is missing. An
    /// answer with any of these must not be taken for the whole.
    pub complaints: Vec<String>,
}

/// The shape of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A sample a series: the answer to an instant query.
    Vector,
    /// Samples over time: the answer to a range query.
    Matrix,
    /// One number.
    Scalar,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NoAnswer {
    /// The source refused the query.
    #[error("the source refused the query ({kind}): {text}")]
    Refused {
        /// `errorType`, for example `bad_data`.
        kind: String,
        /// Its own words, shortened.
        text: String,
    },
    /// The bytes are not an answer.
    #[error("not an answer of the query API: {0}")]
    NotUnderstood(String),
}

#[derive(Deserialize)]
struct Envelope<'a> {
    status: String,
    #[serde(borrow)]
    data: Option<Data<'a>>,
    #[serde(rename = "errorType")]
    error_type: Option<String>,
    error: Option<String>,
    #[serde(default)]
    warnings: Vec<String>,
    #[serde(default, rename = "isPartial")]
    is_partial: bool,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(rename = "resultType")]
    result_type: String,
    #[serde(borrow)]
    result: &'a serde_json::value::RawValue,
}

#[derive(Deserialize)]
struct Row {
    #[serde(default)]
    metric: BTreeMap<String, String>,
    value: Option<(f64, String)>,
    values: Option<Vec<(f64, String)>>,
}

/// Reads an answer, also one that says the query was refused.
///
/// # Errors
/// [`NoAnswer`] when it was refused, or is no answer.
pub fn decode(body: &[u8]) -> Result<Answer, NoAnswer> {
    let envelope: Envelope<'_> = serde_json::from_slice(body).map_err(not_understood)?;
    let data = match (envelope.status.as_str(), envelope.data) {
        ("success", Some(data)) => data,
        ("error", _) => {
            let said = |text: Option<String>| crate::tools::redact::clean(&text.unwrap_or_else(|| "no reason given".to_owned()), 300);
            return Err(NoAnswer::Refused { kind: said(envelope.error_type), text: said(envelope.error) });
        }
        (status, _) => return Err(NoAnswer::NotUnderstood(format!("status {status:?} without data"))),
    };
    let (shape, series) = match data.result_type.as_str() {
        "vector" => (Shape::Vector, rows(data.result, Shape::Vector)?),
        "matrix" => (Shape::Matrix, rows(data.result, Shape::Matrix)?),
        "scalar" => {
            let pair: (f64, String) = serde_json::from_str(data.result.get()).map_err(not_understood)?;
            (Shape::Scalar, vec![WireSeries { labels: Vec::new(), samples: vec![sample(&pair)?] }])
        }
        other => return Err(NoAnswer::NotUnderstood(format!("a result of type {other:?}"))),
    };
    let mut complaints: Vec<String> = envelope.warnings.iter().take(20).map(|text| crate::tools::redact::clean(text, 300)).collect();
    if envelope.is_partial {
        complaints.push("the answer is partial: some storage did not reply".to_owned());
    }
    Ok(Answer { shape, series, complaints })
}

fn rows(raw: &serde_json::value::RawValue, shape: Shape) -> Result<Vec<WireSeries>, NoAnswer> {
    let rows: Vec<Row> = serde_json::from_str(raw.get()).map_err(not_understood)?;
    rows.into_iter()
        .map(|row| {
            let pairs = match (shape, row.value, row.values) {
                (Shape::Vector | Shape::Scalar, Some(pair), _) => vec![pair],
                (Shape::Matrix, _, Some(pairs)) => pairs,
                // Native histograms stand elsewhere in the row, and are no numbers.
                (Shape::Vector | Shape::Scalar | Shape::Matrix, _, _) => Vec::new(),
            };
            let samples = pairs.iter().map(sample).collect::<Result<_, _>>()?;
            Ok(WireSeries { labels: row.metric.into_iter().collect(), samples })
        })
        .collect()
}

fn sample((seconds, text): &(f64, String)) -> Result<WireSample, NoAnswer> {
    let value = match text.as_str() {
        "NaN" => f64::NAN,
        "+Inf" | "Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        text => text.parse().map_err(|_| NoAnswer::NotUnderstood(format!("a value that is no number: {text:.40?}")))?,
    };
    let ms = (seconds * 1000.0).round();
    if !(-9e15..9e15).contains(&ms) {
        return Err(NoAnswer::NotUnderstood(format!("a time of {seconds} seconds")));
    }
    Ok((ms as i64, value))
}

fn not_understood(error: serde_json::Error) -> NoAnswer {
    NoAnswer::NotUnderstood(crate::tools::redact::clean(&error.to_string(), 300))
}

/// The answer to a range query.
pub fn encode_matrix(series: &[WireSeries]) -> String {
    envelope("matrix", series, |out, one| {
        out.push_str(",\"values\":[");
        for (i, sample) in one.samples.iter().enumerate() {
            out.push_str(if i == 0 { "" } else { "," });
            push_sample(out, *sample);
        }
        out.push(']');
    })
}

/// The answer to an instant query: the last sample of each series. A series without samples is
/// left out.
pub fn encode_vector(series: &[WireSeries]) -> String {
    let some: Vec<WireSeries> = series.iter().filter(|one| !one.samples.is_empty()).cloned().collect();
    envelope("vector", &some, |out, one| {
        out.push_str(",\"value\":");
        if let Some(sample) = one.samples.last() {
            push_sample(out, *sample);
        }
    })
}

/// The answer to a query that was refused. `kind` is Prometheus' `errorType`: `bad_data` (400),
/// `execution` (422), `timeout` (503), `internal` (500).
pub fn encode_error(kind: &str, text: &str) -> String {
    format!("{{\"status\":\"error\",\"errorType\":{},\"error\":{}}}", quoted(kind), quoted(text))
}

fn envelope(kind: &str, series: &[WireSeries], body: impl Fn(&mut String, &WireSeries)) -> String {
    let mut out = format!("{{\"status\":\"success\",\"data\":{{\"resultType\":\"{kind}\",\"result\":[");
    for (i, one) in series.iter().enumerate() {
        out.push_str(if i == 0 { "{\"metric\":{" } else { ",{\"metric\":{" });
        for (j, (name, value)) in one.labels.iter().enumerate() {
            out.push_str(if j == 0 { "" } else { "," });
            _ = write!(out, "{}:{}", quoted(name), quoted(value));
        }
        out.push('}');
        body(&mut out, one);
        out.push('}');
    }
    out.push_str("]}}");
    out
}

/// `[1795329360.5,"1.25"]`: seconds without needless zeros, and the value as a text.
fn push_sample(out: &mut String, (ms, value): WireSample) {
    let sign = if ms < 0 { "-" } else { "" };
    let (seconds, rest) = (ms.unsigned_abs() / 1000, ms.unsigned_abs() % 1000);
    _ = write!(out, "[{sign}{seconds}");
    if rest > 0 {
        out.push_str(format!(".{rest:03}").trim_end_matches('0'));
    }
    _ = match value {
        value if value.is_nan() => write!(out, ",\"NaN\"]"),
        f64::INFINITY => write!(out, ",\"+Inf\"]"),
        f64::NEG_INFINITY => write!(out, ",\"-Inf\"]"),
        value => write!(out, ",\"{value}\"]"),
    };
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

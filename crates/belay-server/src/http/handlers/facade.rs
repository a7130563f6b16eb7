//! Questions to the store of signals, in the words that monitoring tools speak: the few that need no
//! query language.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use belay_core::model::time::Timestamp;
use belay_signals::{Labels, Matcher, STALE, SelectError, SeriesOut, Store};

use super::super::refusal::Refusal;
use super::super::route::Call;
use super::super::{App, form};
use crate::wire::{self, WireSeries};

/// A value holds for so long after its sample.
const LOOKBACK_MS: i64 = 5 * 60_000;
/// The most steps of an answer.
const STEPS_MAX: i64 = 11_000;

/// Samples of a selector at one time: the raw ones of its range, or the last one.
pub(crate) async fn query(call: Call, (): ()) -> Result<Response<Body>, Refusal> {
    told(at_one_time(call).await)
}

async fn at_one_time(mut call: Call) -> Result<String, NoAnswer> {
    let asked = asked(&mut call).await?;
    let at = time(&asked, "time")?.unwrap_or_else(|| call.app.drive.now()).ms();
    let selection = wire::selection(needed(&asked, "query")?).map_err(NoAnswer::data)?;
    let from = at - selection.range_ms.unwrap_or(LOOKBACK_MS);
    let raw = selection.range_ms.is_some();
    let found = on_store(&call.app, move |store| store.select(&selection.matchers, from + 1, at)).await?;
    Ok(if raw { wire::matrix(&wired(found)) } else { wire::vector(&last(found)) })
}

/// Values of a selector, step by step: the last one at or before each step.
pub(crate) async fn query_range(call: Call, (): ()) -> Result<Response<Body>, Refusal> {
    told(step_by_step(call).await)
}

async fn step_by_step(mut call: Call) -> Result<String, NoAnswer> {
    let asked = asked(&mut call).await?;
    let end = time(&asked, "end")?.unwrap_or_else(|| call.app.drive.now()).ms();
    let start = time(&asked, "start")?.map_or(end, Timestamp::ms);
    let step = span_ms(needed(&asked, "step")?).ok_or_else(|| NoAnswer::data("step: it is no length of time, such as 15 or 1m"))?;
    if end < start || (end - start) / step >= STEPS_MAX {
        return Err(NoAnswer::data(format!("start, end and step: they make no steps, or more than {STEPS_MAX}")));
    }
    let matchers = wire::matchers(needed(&asked, "query")?).map_err(NoAnswer::data)?;
    let found = on_store(&call.app, move |store| store.select(&matchers, start - LOOKBACK_MS + 1, end)).await?;
    let stepped = found.into_iter().map(|series| stepped(series, start, end, step)).filter(|series| !series.samples.is_empty());
    Ok(wire::matrix(&stepped.collect::<Vec<_>>()))
}

/// Series by selector.
pub(crate) async fn series(call: Call, (): ()) -> Result<Response<Body>, Refusal> {
    let set = |labels: Labels| labels.iter().map(|(name, value)| (name.to_string(), value.to_string().into())).collect();
    told(label_sets(call).await.map(|sets| listed(sets.into_iter().map(|labels| serde_json::Value::Object(set(labels))))))
}

/// Names of labels.
pub(crate) async fn labels(call: Call, (): ()) -> Result<Response<Body>, Refusal> {
    told(label_sets(call).await.map(|sets| {
        let names: BTreeSet<String> = sets.iter().flat_map(|labels| labels.iter().map(|(name, _)| name.to_string())).collect();
        listed(names.into_iter().map(Into::into))
    }))
}

/// Values of a label.
pub(crate) async fn label_values(call: Call, (): ()) -> Result<Response<Body>, Refusal> {
    let wanted = call.param("name").to_owned();
    told(label_sets(call).await.map(|sets| {
        let of = |labels: &Labels| labels.iter().find(|(name, _)| **name == *wanted).map(|(_, value)| value.to_string());
        let values: BTreeSet<String> = sets.iter().filter_map(of).collect();
        listed(values.into_iter().map(Into::into))
    }))
}

type Asked = Vec<(String, String)>;

/// Why a question was not answered.
enum NoAnswer {
    /// In the words of the facade: the only ones its clients understand.
    Told { status: StatusCode, kind: &'static str, text: String },
    /// Before the question was understood.
    Refused(Refusal),
}

impl NoAnswer {
    fn data(text: impl Into<String>) -> Self {
        Self::Told { status: StatusCode::BAD_REQUEST, kind: "bad_data", text: text.into() }
    }
}

impl From<Refusal> for NoAnswer {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<SelectError> for NoAnswer {
    fn from(error: SelectError) -> Self {
        let (status, kind) = match error {
            SelectError::PatternTooLong { .. } | SelectError::BadPattern { .. } => (StatusCode::BAD_REQUEST, "bad_data"),
            SelectError::Poisoned => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
            _ => (StatusCode::UNPROCESSABLE_ENTITY, "execution"),
        };
        Self::Told { status, kind, text: error.to_string() }
    }
}

fn told(answer: Result<String, NoAnswer>) -> Result<Response<Body>, Refusal> {
    let (status, text) = match answer {
        Ok(text) => (StatusCode::OK, text),
        Err(NoAnswer::Told { status, kind, text }) => (status, wire::refused(kind, &text)),
        Err(NoAnswer::Refused(refusal)) => return Err(refusal),
    };
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

fn listed(data: impl Iterator<Item = serde_json::Value>) -> String {
    serde_json::json!({"status": "success", "data": data.collect::<Vec<_>>()}).to_string()
}

/// The parameters, of the query or of a form in the body.
async fn asked(call: &mut Call) -> Result<Asked, Refusal> {
    let asked = std::mem::take(&mut call.query);
    if call.method != Method::POST {
        return Ok(asked);
    }
    with_form(&call.app.clone(), asked, call.take_body(), &call.headers).await
}

async fn with_form(app: &App, mut asked: Asked, body: Body, headers: &HeaderMap) -> Result<Asked, Refusal> {
    let held = app.bodies.read(body, headers, app.bodies.caps.json).await?;
    asked.extend(form::pairs(&String::from_utf8_lossy(&held.bytes)));
    Ok(asked)
}

fn value<'a>(asked: &'a Asked, name: &str) -> Option<&'a str> {
    asked.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
}

fn needed<'a>(asked: &'a Asked, name: &str) -> Result<&'a str, NoAnswer> {
    value(asked, name).ok_or_else(|| NoAnswer::data(format!("{name}: there is none")))
}

async fn on_store<R: Send + 'static>(
    app: &App,
    question: impl FnOnce(&Store) -> Result<R, SelectError> + Send + 'static,
) -> Result<R, NoAnswer> {
    let found = app.signals.on_thread(question).await;
    Ok(found.ok_or_else(|| Refusal::unavailable("the server is stopping", 5))??)
}

async fn label_sets(mut call: Call) -> Result<Vec<Labels>, NoAnswer> {
    let asked = asked(&mut call).await?;
    let (from, to) = (time(&asked, "start")?.map_or(i64::MIN, Timestamp::ms), time(&asked, "end")?.map_or(i64::MAX, Timestamp::ms));
    let texts = asked.iter().filter(|(key, _)| key == "match[]").map(|(_, value)| wire::matchers(value));
    let mut selections: Vec<Vec<Matcher>> = texts.collect::<Result<_, _>>().map_err(NoAnswer::data)?;
    if selections.is_empty() {
        selections.push(Vec::new());
    }
    let question = move |store: &Store| {
        let sets: Result<Vec<_>, SelectError> = selections.iter().map(|matchers| store.series(matchers, from, to)).collect();
        let mut sets: Vec<Labels> = sets?.into_iter().flatten().collect();
        sets.sort();
        sets.dedup();
        Ok(sets)
    };
    on_store(&call.app, question).await
}

fn wired(found: Vec<SeriesOut>) -> Vec<WireSeries> {
    found.into_iter().map(|series| WireSeries { labels: owned(&series.labels), samples: series.samples }).collect()
}

fn owned(labels: &Labels) -> Vec<(String, String)> {
    labels.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

/// A series that said it ended has no last value.
fn last(found: Vec<SeriesOut>) -> Vec<WireSeries> {
    let alive = |series: &SeriesOut| series.samples.last().is_some_and(|(_, value)| !wire::is_stale(*value));
    wired(found.into_iter().filter(alive).collect())
}

fn stepped(series: SeriesOut, start: i64, end: i64, step: i64) -> WireSeries {
    let mut samples = Vec::new();
    let (mut next, mut known) = (0, None);
    let mut at = start;
    while at <= end {
        while let Some(sample) = series.samples.get(next).filter(|(ms, _)| *ms <= at) {
            known = Some(*sample);
            next += 1;
        }
        if let Some((ms, value)) = known
            && at - ms < LOOKBACK_MS
            && value.to_bits() != STALE
        {
            samples.push((at, value));
        }
        at += step;
    }
    WireSeries { labels: owned(&series.labels), samples }
}

/// A time: seconds since the epoch with a fraction, or RFC 3339.
fn time(asked: &Asked, name: &str) -> Result<Option<Timestamp>, NoAnswer> {
    let Some(text) = value(asked, name) else { return Ok(None) };
    let seconds = text.parse::<f64>().ok().filter(|seconds| seconds.abs() < 9e12).map(|seconds| (seconds * 1000.0).round() as i64);
    let ms = seconds.or_else(|| text.parse::<jiff::Timestamp>().ok().map(|at| at.as_millisecond()));
    let ms = ms.ok_or_else(|| NoAnswer::data(format!("{name}: {text:?} is no time; write seconds since 1970, or RFC 3339")))?;
    Ok(Some(Timestamp::from_ms(ms)))
}

/// A length of time: seconds with a fraction, or a number with a unit.
fn span_ms(text: &str) -> Option<i64> {
    let (number, unit) = text.split_at(text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len()));
    let factor = match unit {
        "" | "s" => 1000.0,
        "ms" => 1.0,
        "m" => 60_000.0,
        "h" => 3_600_000.0,
        "d" => 86_400_000.0,
        _ => return None,
    };
    number.parse::<f64>().ok().map(|number| (number * factor).round()).filter(|ms| (1.0..1e13).contains(ms)).map(|ms| ms as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_takes_the_last_value_before_it_until_it_is_stale_or_too_old() {
        let stale = f64::from_bits(STALE);
        let samples = vec![(0, 1.0), (30_000, 2.0), (90_000, stale), (200_000, 3.0)];
        let got = stepped(SeriesOut { labels: Default::default(), samples }, 0, 600_000, 60_000).samples;
        let want = [(0, 1.0), (60_000, 2.0), (240_000, 3.0), (300_000, 3.0), (360_000, 3.0), (420_000, 3.0), (480_000, 3.0)];
        assert_eq!(got, want);
    }

    #[test]
    fn lengths_and_times_are_read_as_clients_write_them() {
        assert_eq!(["15", "1m", "0.5", "250ms", "2h"].map(span_ms), [Some(15_000), Some(60_000), Some(500), Some(250), Some(7_200_000)]);
        assert_eq!(["", "x", "-1", "0", "1y", "inf", "1e300"].map(span_ms), [None; 7]);
        let at = |text: &str| time(&vec![("time".into(), text.into())], "time").ok().flatten().map(Timestamp::ms);
        assert_eq!(at("1795329360.5"), Some(1_795_329_360_500));
        assert_eq!(at("2026-11-22T06:36:00.500Z"), Some(1_795_329_360_500));
        assert_eq!((at("yesterday"), at("1e300"), at("NaN")), (None, None, None));
    }
}

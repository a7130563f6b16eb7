//! The text in which a program shows its metrics to a scraper: Prometheus' exposition format 0.0.4,
//! and OpenMetrics 1.0 as far as its samples go (exemplars are passed over).
//!
//! A scrape is taken whole or not at all: a line that cannot be read means that the program and
//! this reader do not understand one another, and a text that was cut off may end in half a number.

mod line;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use thiserror::Error;

use super::WireSeries;
use line::Line;

/// What one scrape may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes.
    pub body_max: usize,
    /// Samples of all series together.
    pub samples_max: usize,
    /// Labels of one series, those added here included.
    pub labels_max: usize,
    /// Bytes of a label's name, or a metric's.
    pub name_max: usize,
    /// Bytes of a label's value.
    pub value_max: usize,
}

impl Default for Limits {
    /// 16 MiB, 50,000 samples, 64 labels, names of 1 KiB, values of 8 KiB.
    fn default() -> Self {
        Self { body_max: 16 * 1024 * 1024, samples_max: 50_000, labels_max: 64, name_max: 1024, value_max: 8 * 1024 }
    }
}

/// The two forms. They differ in the unit of timestamps and in how the text ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Exposition format 0.0.4: timestamps in milliseconds; ends with a line end.
    Text,
    /// OpenMetrics 1.0: timestamps in seconds; ends with `# EOF`.
    OpenMetrics,
}

impl Form {
    /// The form that a `Content-Type` announces; the older one unless it says otherwise.
    pub fn of(content_type: Option<&str>) -> Self {
        match content_type.map(|value| value.trim_start().to_ascii_lowercase()) {
            Some(value) if value.starts_with("application/openmetrics-text") => Self::OpenMetrics,
            Some(_) | None => Self::Text,
        }
    }
}

/// What the scraper knows of a scrape and the text does not say.
#[derive(Clone, Copy, Debug)]
pub struct Scrape<'a> {
    /// When it was made, in milliseconds since the epoch: the time of samples without their own.
    pub at_ms: i64,
    /// Labels that are added to each series (`instance`, `job`). A label of the text with the same
    /// name is kept as `exported_NAME`: what the scraper knows is not for the program to say.
    pub labels: &'a [(String, String)],
}

/// Why a scrape was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("not metrics in the text form: {reason} (line {line})")]
pub struct BadExposition {
    /// The line, counted from 1.
    pub line: usize,
    /// Why, in plain words.
    pub reason: String,
}

/// Reads a scrape. Series come sorted by their labels, their samples by time. Of two samples of one series at one time the
/// first is kept, as Prometheus does. Labels with an empty value are left out: they say the same as
/// none.
///
/// # Errors
/// [`BadExposition`] for the whole scrape, with the first line that cannot be read.
pub fn parse(body: &[u8], form: Form, scrape: &Scrape<'_>, limits: &Limits) -> Result<Vec<WireSeries>, BadExposition> {
    let fail = |line: usize, reason: String| BadExposition { line, reason };
    if body.len() > limits.body_max {
        return Err(fail(1, format!("{} bytes; at most {} are read", body.len(), limits.body_max)));
    }
    let text = std::str::from_utf8(body).map_err(|error| {
        let line = 1 + body[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
        fail(line, "not UTF-8".to_owned())
    })?;
    let mut series: BTreeMap<Labels, BTreeMap<i64, f64>> = BTreeMap::new();
    let (mut samples, mut ended, mut last) = (0, false, 0);
    for (line, text) in text.split_inclusive('\n').enumerate().map(|(i, text)| (i + 1, text)) {
        last = line;
        if ended {
            return Err(fail(line, "something follows `# EOF`".to_owned()));
        }
        let Some(text) = text.strip_suffix('\n') else {
            // OpenMetrics may end so, and nothing can be missing then.
            ended = form == Form::OpenMetrics && text == "# EOF";
            if ended { continue } else { return Err(fail(line, "the last line has no end: cut off on its way".to_owned())) }
        };
        let text = text.strip_suffix('\r').unwrap_or(text);
        match text.trim_start_matches([' ', '\t']) {
            "# EOF" if form == Form::OpenMetrics => ended = true,
            blank if blank.is_empty() || blank.starts_with('#') => {}
            _ => {
                samples += 1;
                if samples > limits.samples_max {
                    return Err(fail(line, format!("more than {} samples", limits.samples_max)));
                }
                let read = Line::read(text, form, limits).and_then(|read| {
                    let (at_ms, value) = (read.at_ms.unwrap_or(scrape.at_ms), read.value);
                    Ok((labels(read, scrape, limits)?, at_ms, value))
                });
                let (labels, at_ms, value) = read.map_err(|reason| fail(line, reason))?;
                series.entry(labels).or_default().entry(at_ms).or_insert(value);
            }
        }
    }
    if form == Form::OpenMetrics && !ended {
        return Err(fail(last.max(1), "`# EOF` is missing: cut off on its way".to_owned()));
    }
    Ok(series.into_iter().map(|(labels, samples)| WireSeries { labels, samples: samples.into_iter().collect() }).collect())
}

/// Name and value of each label, sorted.
type Labels = Vec<(String, String)>;

/// The labels of a series: those of the line, and those of the scrape before them.
fn labels(line: Line<'_>, scrape: &Scrape<'_>, limits: &Limits) -> Result<Labels, String> {
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    all.extend(scrape.labels.iter().filter(|(_, value)| !value.is_empty()).cloned());
    all.insert("__name__".to_owned(), line.name.to_owned());
    let is_added = |name: &str| scrape.labels.iter().any(|(added, _)| added == name);
    let (clashing, own): (Vec<_>, Vec<_>) =
        line.labels.into_iter().filter(|(_, value)| !value.is_empty()).partition(|(name, _)| is_added(name));
    all.extend(own.into_iter().map(|(name, value)| (name.to_owned(), value)));
    for (name, value) in clashing {
        let mut name = name.to_owned();
        while all.contains_key(&name) || is_added(&name) {
            name.insert_str(0, "exported_");
        }
        all.insert(name, value);
    }
    if all.len() > limits.labels_max + 1 {
        return Err(format!("more than {} labels", limits.labels_max));
    }
    Ok(all.into_iter().collect())
}

/// Writes series in the older form, each sample with its own time. Values read back bit for bit, but
/// for the many kinds of NaN, of which the text knows one.
pub fn encode(series: &[WireSeries]) -> String {
    let mut out = String::new();
    for one in series {
        let name = one.labels.iter().find(|(name, _)| name == "__name__").map_or("", |(_, name)| name);
        let labels: Vec<String> = one
            .labels
            .iter()
            .filter(|(name, _)| name != "__name__")
            .map(|(name, value)| format!("{name}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")))
            .collect();
        for (at_ms, value) in &one.samples {
            let value = match value {
                value if value.is_nan() => "NaN".to_owned(),
                value if value.is_infinite() => if *value > 0.0 { "+Inf" } else { "-Inf" }.to_owned(),
                value => format!("{value:?}"),
            };
            _ = writeln!(out, "{name}{{{}}} {value} {at_ms}", labels.join(","));
        }
    }
    out
}

#[cfg(test)]
mod tests;

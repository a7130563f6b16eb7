//! Prometheus remote-write 1.0: a protobuf `WriteRequest` in snappy's block format.
//!
//! Read by hand, field by field, and not through generated structs: two bytes of a hostile body
//! would be a whole series there, and a body of 32 MiB many gigabytes. Here nothing is kept before
//! its limit was checked. Metadata, exemplars and native histograms are passed over. Whether the
//! labels make sense, and what NaN and infinity mean, is for the store to decide.

mod fields;

use prost::Message as _;
use thiserror::Error;

use super::{WireSample, WireSeries};
use fields::{Field, Fields, Payload};

/// What one body may hold. Bodies of Prometheus hold 2,000 samples by default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes after decompression.
    pub inflated_max: usize,
    /// Series.
    pub series_max: usize,
    /// Samples of all series together.
    pub samples_max: usize,
    /// Labels of one series.
    pub labels_max: usize,
    /// Bytes of a label's name.
    pub name_max: usize,
    /// Bytes of a label's value.
    pub value_max: usize,
}

impl Default for Limits {
    /// 32 MiB, 100,000 series, 500,000 samples, 64 labels, names of 1 KiB, values of 8 KiB.
    fn default() -> Self {
        Self {
            inflated_max: 32 * 1024 * 1024,
            series_max: 100_000,
            samples_max: 500_000,
            labels_max: 64,
            name_max: 1024,
            value_max: 8 * 1024,
        }
    }
}

/// Why a body was refused. The text is meant for the sender's log; sending the same bytes again
/// will not help.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// Not snappy.
    #[error("not snappy (block format): {0}")]
    NotSnappy(String),
    /// More bytes than allowed once decompressed.
    #[error("{bytes} bytes once decompressed; at most {max} are taken: send fewer samples at a time (max_samples_per_send)")]
    TooLarge {
        /// Bytes it would have.
        bytes: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// Not a `WriteRequest`.
    #[error("not a remote-write 1.0 request: {reason} (at byte {at} once decompressed)")]
    NotARequest {
        /// Offset in the decompressed bytes.
        at: usize,
        /// What is wrong there.
        reason: &'static str,
    },
    /// Remote-write 2.0.
    #[error("this is remote-write 2.0; 1.0 is understood here: set `protobuf_message: prometheus.WriteRequest`")]
    Version2,
    /// More of something than allowed.
    #[error("more than {max} {what}")]
    TooMany {
        /// What: series, samples, or labels of a series.
        what: String,
        /// How many are allowed.
        max: usize,
    },
    /// A label whose name is not one.
    #[error("the label name {name:?} is not valid: letters, digits and _ are, and it may not start with a digit")]
    BadName {
        /// The name, shortened.
        name: String,
    },
    /// A label that is too long.
    #[error("the label {name:?} has a {part} of {bytes} bytes; at most {max} are taken")]
    TooLong {
        /// The label's name, shortened.
        name: String,
        /// Name or value.
        part: &'static str,
        /// Its bytes.
        bytes: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// A label whose value is not UTF-8.
    #[error("the value of the label {name:?} is not UTF-8")]
    NotText {
        /// The label's name.
        name: String,
    },
    /// A label that occurs twice in one series.
    #[error("the label {name:?} occurs twice in one series")]
    Twice {
        /// The label's name.
        name: String,
    },
    /// A series without a name.
    #[error("a series without the label \"__name__\": {labels}")]
    NoName {
        /// Its labels, shortened.
        labels: String,
    },
}

/// Decodes a body: snappy, then protobuf.
///
/// A series without samples (a histogram, say) is left out, and a body of metadata only gives no
/// series. Values come through bit for bit, staleness markers included.
///
/// # Errors
/// [`Refused`] for the whole body: the sender is to keep or drop it as a whole.
pub fn decode(body: &[u8], limits: &Limits) -> Result<Vec<WireSeries>, Refused> {
    let inflated = inflate(body, limits)?;
    let mut series = Vec::new();
    let mut samples = 0;
    for field in Fields::of(&inflated) {
        match field? {
            Field { number: 1, payload: Payload::Bytes(message), at } => {
                let one = read_series(message, at, limits, &mut samples)?;
                if !one.samples.is_empty() {
                    if series.len() >= limits.series_max {
                        return Err(Refused::TooMany { what: "series".to_owned(), max: limits.series_max });
                    }
                    series.push(one);
                }
            }
            Field { number: 4 | 5, .. } => return Err(Refused::Version2),
            Field { number: 1, at, .. } => return Err(Refused::NotARequest { at, reason: "a series that is not a message" }),
            // Metadata, and whatever later versions add.
            Field { .. } => {}
        }
    }
    Ok(series)
}

/// Decompresses after looking at what the first bytes announce: nothing is allocated for a body
/// that is too large, or that claims more than snappy can hold.
fn inflate(body: &[u8], limits: &Limits) -> Result<Vec<u8>, Refused> {
    let bytes = snap::raw::decompress_len(body).map_err(|error| Refused::NotSnappy(error.to_string()))?;
    if bytes > limits.inflated_max {
        return Err(Refused::TooLarge { bytes, max: limits.inflated_max });
    }
    // Three bytes of snappy copy 64 at most.
    if bytes > body.len().saturating_mul(32) {
        return Err(Refused::NotSnappy(format!("{} bytes cannot hold the {bytes} they announce", body.len())));
    }
    snap::raw::Decoder::new().decompress_vec(body).map_err(|error| Refused::NotSnappy(error.to_string()))
}

fn read_series(message: &[u8], base: usize, limits: &Limits, samples: &mut usize) -> Result<WireSeries, Refused> {
    let mut one = WireSeries { labels: Vec::new(), samples: Vec::new() };
    for field in Fields::within(message, base) {
        match field? {
            Field { number: 1, payload: Payload::Bytes(label), at } => {
                if one.labels.len() >= limits.labels_max {
                    let named: Vec<&str> = one.labels.iter().take(3).map(|(name, _)| name.as_str()).collect();
                    return Err(Refused::TooMany {
                        what: format!("labels of a series ({}, ...)", named.join(", ")),
                        max: limits.labels_max,
                    });
                }
                one.labels.push(read_label(label, at, limits)?);
            }
            Field { number: 2, payload: Payload::Bytes(sample), at } => {
                *samples += 1;
                if *samples > limits.samples_max {
                    return Err(Refused::TooMany { what: "samples".to_owned(), max: limits.samples_max });
                }
                one.samples.push(read_sample(sample, at)?);
            }
            Field { number: 1 | 2, at, .. } => return Err(Refused::NotARequest { at, reason: "a label or sample that is not a message" }),
            // Exemplars and native histograms.
            Field { .. } => {}
        }
    }
    if one.labels.windows(2).any(|pair| pair[0].0 >= pair[1].0) {
        one.labels.sort();
    }
    if let Some(pair) = one.labels.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(Refused::Twice { name: pair[0].0.clone() });
    }
    if !one.samples.is_empty() && !one.labels.iter().any(|(name, value)| name == "__name__" && !value.is_empty()) {
        return Err(Refused::NoName { labels: shown(&format!("{:?}", one.labels)) });
    }
    Ok(one)
}

fn read_label(message: &[u8], base: usize, limits: &Limits) -> Result<(String, String), Refused> {
    let (mut name, mut value): (&[u8], &[u8]) = (b"", b"");
    for field in Fields::within(message, base) {
        match field? {
            Field { number: 1, payload: Payload::Bytes(bytes), .. } => name = bytes,
            Field { number: 2, payload: Payload::Bytes(bytes), .. } => value = bytes,
            Field { .. } => {}
        }
    }
    let named = || shown(&String::from_utf8_lossy(name));
    for (part, bytes, max) in [("name", name.len(), limits.name_max), ("value", value.len(), limits.value_max)] {
        if bytes > max {
            return Err(Refused::TooLong { name: named(), part, bytes, max });
        }
    }
    let valid = name.first().is_some_and(|b| !b.is_ascii_digit()) && name.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_');
    if !valid {
        return Err(Refused::BadName { name: named() });
    }
    let value = std::str::from_utf8(value).map_err(|_| Refused::NotText { name: named() })?;
    Ok((named_exactly(name), value.to_owned()))
}

/// A name that was checked to be ASCII.
fn named_exactly(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

fn read_sample(message: &[u8], base: usize) -> Result<WireSample, Refused> {
    let (mut at_ms, mut value) = (0, 0.0);
    for field in Fields::within(message, base) {
        match field? {
            Field { number: 1, payload: Payload::Fixed64(bits), .. } => value = f64::from_bits(bits),
            // Negative numbers are written in two's complement.
            Field { number: 2, payload: Payload::Number(number), .. } => at_ms = number as i64,
            Field { number: 1 | 2, at, .. } => return Err(Refused::NotARequest { at, reason: "a sample without a value or a time" }),
            Field { .. } => {}
        }
    }
    Ok((at_ms, value))
}

/// The beginning of a text that came from outside, for a message.
fn shown(text: &str) -> String {
    crate::tools::redact::inert(&text.chars().take(120).collect::<String>()).into_owned()
}

#[derive(Clone, PartialEq, prost::Message)]
struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    timeseries: Vec<TimeSeries>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Sample>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Label {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Sample {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(int64, tag = "2")]
    timestamp: i64,
}

/// Headers that go with a body of [`encode`].
pub const HEADERS: [(&str, &str); 3] =
    [("content-type", "application/x-protobuf"), ("content-encoding", "snappy"), ("x-prometheus-remote-write-version", "0.1.0")];

/// Encodes series as a body of remote-write 1.0. The labels have to be sorted by name, as
/// [`WireSeries`] says; at most 4 GiB can be encoded, beyond which the body is empty. Values go out
/// bit for bit, but for -0, which protobuf writes as 0.
pub fn encode(series: &[WireSeries]) -> Vec<u8> {
    let timeseries = series
        .iter()
        .map(|one| TimeSeries {
            labels: one.labels.iter().map(|(name, value)| Label { name: name.clone(), value: value.clone() }).collect(),
            samples: one.samples.iter().map(|&(timestamp, value)| Sample { value, timestamp }).collect(),
        })
        .collect();
    snap::raw::Encoder::new().compress_vec(&WriteRequest { timeseries }.encode_to_vec()).unwrap_or_default()
}

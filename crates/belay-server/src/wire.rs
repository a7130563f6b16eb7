//! The wire formats of monitoring tools, by the names this crate uses for them. Which product they
//! are of is known to the adapters.

use belay_adapters::sources::facade as source;

pub(crate) use source::remote_write::Refused as BadWrite;
pub(crate) use source::{WireSeries, is_stale};

use belay_signals::{Matcher, Op};
use source::{query, remote_write, selector};

/// A selector, ready for the store.
#[derive(Debug)]
pub(crate) struct Selection {
    /// All have to hold.
    pub matchers: Vec<Matcher>,
    /// The length of its range in milliseconds, when there is one.
    pub range_ms: Option<i64>,
}

/// Reads a selector. The text says what is not understood, and where.
pub(crate) fn selection(text: &str) -> Result<Selection, String> {
    let parsed = selector::parse(text).map_err(|bad| bad.to_string())?;
    let matcher = |matcher: selector::Matcher| {
        let op = match matcher.op {
            selector::MatchOp::Eq => Op::Eq,
            selector::MatchOp::Ne => Op::Ne,
            selector::MatchOp::Re => Op::Re,
            selector::MatchOp::Nre => Op::Nre,
        };
        Matcher::new(matcher.label, op, matcher.value)
    };
    Ok(Selection { matchers: parsed.matchers.into_iter().map(matcher).collect(), range_ms: parsed.range_ms })
}

/// The conditions of a signal's selector.
pub(crate) fn matchers(select: &str) -> Result<Vec<Matcher>, String> {
    let selection = selection(select)?;
    match selection.range_ms {
        None => Ok(selection.matchers),
        Some(_) => Err("a range does not belong into a signal's selector; its `step` says how it is read".to_owned()),
    }
}

/// Reads a request to take samples.
pub(crate) fn read_write(body: &[u8]) -> Result<Vec<WireSeries>, BadWrite> {
    remote_write::decode(body, &remote_write::Limits::default())
}

/// Headers by which the sender of samples learns how many were written.
pub(crate) fn written(samples: u64) -> Vec<(String, String)> {
    let stem = remote_write::HEADERS.iter().find_map(|(name, _)| name.strip_suffix("version"));
    let Some(stem) = stem else { return Vec::new() };
    [("samples", samples), ("histograms", 0), ("exemplars", 0)]
        .map(|(what, count)| (format!("{stem}{what}-written"), count.to_string()))
        .to_vec()
}

/// Samples over time.
pub(crate) fn matrix(series: &[WireSeries]) -> String {
    query::encode_matrix(series)
}

/// The last sample of each.
pub(crate) fn vector(series: &[WireSeries]) -> String {
    query::encode_vector(series)
}

/// A question that is refused.
pub(crate) fn refused(kind: &str, text: &str) -> String {
    query::encode_error(kind, text)
}

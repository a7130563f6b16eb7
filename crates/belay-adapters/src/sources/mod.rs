//! Sources of signals: monitoring products, by their wire formats.

pub mod prometheus;

/// The wire formats of the facade that the server offers to senders and readers of signals.
pub use prometheus as facade;

/// Where the server answers clients that speak a source's API: each root stands before `write`,
/// `query`, `query_range`, `series`, `labels` and `label/{name}/values`. The first is the one to
/// document; the others are for clients that insist.
pub fn facade_roots() -> &'static [&'static str] {
    &["/prometheus/api/v1", "/api/v1"]
}

//! Prometheus and its kin (VictoriaMetrics, Mimir, Thanos): remote-write 1.0 in and out, answers of
//! the query API in and out, the text that programs show to scrapers, and the plain selectors of
//! PromQL.

pub mod exposition;
pub mod query;
pub mod remote_write;
pub mod selector;

/// A sample: milliseconds since the epoch, and the value bit for bit as it was sent.
pub type WireSample = (i64, f64);

/// A series as it goes over the wire.
#[derive(Clone, Debug, PartialEq)]
pub struct WireSeries {
    /// Name and value of each label, the metric's name being `__name__`; sorted by name, each name
    /// once.
    pub labels: Vec<(String, String)>,
    /// Its samples, in the order of the wire.
    pub samples: Vec<WireSample>,
}

/// The bits of the value that says "this series ended" (Prometheus' `value.StaleNaN`). It is a NaN
/// among many: compare bits, not values.
pub const STALE: u64 = 0x7ff0_0000_0000_0002;

/// Whether a value is the staleness marker, and not just no number.
pub fn is_stale(value: f64) -> bool {
    value.to_bits() == STALE
}

//! What the store may grow to, and what it takes in.

/// Bounds of the store; every one of them can be set by the owner. The defaults hold up to about 20,000 hosts with few signals each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Series in the store (500,000).
    pub max_series: usize,
    /// Series first seen from one source (200,000): one source cannot use up what all share.
    pub max_series_per_source: usize,
    /// Labels of one series, the name included (40).
    pub max_labels_per_series: usize,
    /// Bytes of one label name or value (4096).
    pub max_label_bytes: usize,
    /// How far a sample may be ahead of `now` (5 min).
    pub max_future_ms: i64,
    /// How old a sample may be when it arrives (15 d). The owner calls [`crate::Store::drop_before`] with the same bound.
    pub retention_ms: i64,
    /// Samples of one select (50 million: 800 MB).
    pub max_select_samples: usize,
    /// Series of one select (100,000).
    pub max_select_series: usize,
    /// Bytes after which a segment of the log is closed (32 MiB). Compacting one needs about twice as much memory for a moment.
    pub segment_bytes: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            max_series: 500_000,
            max_series_per_source: 200_000,
            max_labels_per_series: 40,
            max_label_bytes: 4096,
            max_future_ms: 5 * 60_000,
            retention_ms: 15 * 86_400_000,
            max_select_samples: 50_000_000,
            max_select_series: 100_000,
            segment_bytes: 32 << 20,
        }
    }
}

//! A glance at a report: does it matter to the spool? Costs one pass over the bytes.

use serde::Deserialize;

/// The part of a report in JSON that is looked at.
#[derive(Deserialize)]
struct Head {
    status: String,
}

/// Whether the run changed something, failed, or cannot be told. A report that was cut off cannot.
pub(super) fn changed(report: &[u8]) -> bool {
    if report.trim_ascii_start().starts_with(b"{") {
        return serde_json::from_slice::<Head>(report).map_or(true, |head| head.status != "unchanged");
    }
    // Keys of the outermost mapping stand at the beginning of a line, and nothing else does.
    let mut lines = report.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let is_unchanged = lines.any(|line| line == b"status: unchanged");
    // It comes last but for a few keys, and its value is never empty.
    !(is_unchanged && report.windows(24).any(|window| window == b"\ncached_catalog_status: "))
}

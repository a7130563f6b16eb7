//! A decoded report as text that a person can read and compare.

use std::fmt::Write as _;

use belay_core::model::report::{Decoded, Event};

/// The report, one thing a line.
pub fn dump(decoded: &Decoded) -> String {
    let report = &decoded.report;
    let mut out = String::new();
    let mut line = |name: &str, value: String| writeln!(out, "{name:<12} {value}").unwrap();
    line("kind", format!("{}{}", report.kind.word(), report.kind.detail().map(|text| format!(": {text}")).unwrap_or_default()));
    line("host", report.host.clone());
    line("run", report.tool_run_id.clone());
    line("started", format!("{} +{} ms", report.started, report.started.ms().rem_euclid(1000)));
    line("took", format!("{} ms", report.took.ms()));
    line("environment", report.environment.as_ref().map(ToString::to_string).unwrap_or_default());
    line("version", format!("{:?}", report.version));
    line("tool", format!("{} {}", report.tool, report.tool_version));
    line("resources", format!("{}, {} skipped", report.resources, report.skipped));
    for failed in &report.failed {
        line("failed", format!("{}: {}", failed.resource, failed.message));
    }
    line("events", report.events.len().to_string());
    for event in report.events.iter().take(12) {
        write_event(&mut out, event);
    }
    if report.events.len() > 12 {
        writeln!(out, "  ... and {} more, the last:", report.events.len() - 12).unwrap();
        write_event(&mut out, &report.events[report.events.len() - 1]);
    }
    for complaint in &decoded.complaints {
        writeln!(out, "complaint    {}: {}", complaint.place, complaint.text).unwrap();
    }
    out
}

fn write_event(out: &mut String, event: &Event) {
    let item = event.item.as_ref().map_or_else(|| "(no item)".to_owned(), ToString::to_string);
    let content = event.content.map_or_else(|| "opaque".to_owned(), |content| content.short());
    let at = event.at.map_or_else(|| "no time".to_owned(), |at| at.to_string());
    writeln!(out, "  {:?} {item} content={content} of {} at {at}", event.outcome, event.resource).unwrap();
    writeln!(out, "    {:?} -> {:?}", event.old, event.new).unwrap();
    writeln!(out, "    {}", event.message).unwrap();
}

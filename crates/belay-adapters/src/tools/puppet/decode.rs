//! From bytes to a decoded report: reads, makes sure the report is whole, and puts it together.

use std::borrow::Cow;

use belay_core::model::ids::{Digest, Environment, HostId, ToolName};
use belay_core::model::report::{Complaint, Decoded, FailedResource, Report, Unreadable, Version};
use belay_core::model::time::{Span, Timestamp};

use super::classify::{Cached, Status, classify, completed};
use super::collect::Collector;
use super::collected::{Collected, ConfigVersion, Resource, count};
use super::escapes::Pairs;
use super::spots::{List, Map, Spot};
use super::time::instant;
use super::walk::{BODY_MAX, Stop};
use super::{NAME, escapes, items, json, yaml};
use crate::tools::bytes;
use crate::tools::mask::Masks;
use crate::tools::redact::{self, TEXT_MAX, clean};

/// The newest report format there is.
const FORMAT: u32 = 12;
/// The oldest one that is read.
const FORMAT_OLDEST: u32 = 4;
/// From this format on every report ends with `cached_catalog_status`.
const FORMAT_WITH_END: u32 = 6;
/// Complaints kept.
const COMPLAINTS_MAX: usize = 100;
/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// The way a report is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Yaml,
    Json,
    /// The payload of a `store report` command, which is JSON of another shape.
    Command,
}

/// Reads one report, YAML or JSON.
///
/// # Errors
/// [`Unreadable`] when the bytes are not one whole report of a known format.
pub(super) fn decode(body: &[u8]) -> Result<Decoded, Unreadable> {
    let text = text(body)?;
    let form = if text.text.trim_ascii_start().starts_with('{') { Form::Json } else { Form::Yaml };
    read(form, &text, body)
}

/// Reads the payload of a `store report` command.
///
/// # Errors
/// [`Unreadable`] when the bytes are not one whole report of a known format.
pub(super) fn command(body: &[u8]) -> Result<Decoded, Unreadable> {
    read(Form::Command, &text(body)?, body)
}

fn text(body: &[u8]) -> Result<bytes::Text<'_>, Unreadable> {
    if body.len() > BODY_MAX {
        let reason = format!("{} bytes; at most {BODY_MAX} are read (set exclude_unchanged_resources on the hosts)", body.len());
        return Err(Unreadable { offset: BODY_MAX as u64, reason, host: None });
    }
    Ok(bytes::read(body))
}

fn read(form: Form, text: &bytes::Text<'_>, body: &[u8]) -> Result<Decoded, Unreadable> {
    let mut altered = text.complaints.clone();
    let ready = ready(form, text, &mut altered)?;
    let mut collector = if form == Form::Command { Collector::of_command() } else { Collector::default() };
    let walked = match form {
        Form::Json | Form::Command => json::walk(&ready, &mut collector),
        Form::Yaml => yaml::walk(&ready, &mut collector),
    };
    let host = collector.host().map(|host| clean(host, 255));
    let unreadable =
        |at: usize, reason: String| Unreadable { offset: text.offset(at), reason: clean(&reason, TEXT_MAX), host: host.clone() };
    walked.map_err(|Stop { at, reason }| unreadable(at, reason))?;
    let mut collected = collector.finish();
    if form == Form::Command {
        collected.completed = completed(&collected);
    }
    let at_end = |reason| unreadable(ready.len(), reason);
    whole(&collected, form).map_err(at_end)?;
    build(&collected, Digest::of(body), altered).map_err(at_end)
}

/// The text put right for its reader, who is stricter than those who write reports.
fn ready<'a>(form: Form, text: &'a bytes::Text<'_>, altered: &mut Vec<Complaint>) -> Result<Cow<'a, str>, Unreadable> {
    let mut count = |count: usize, what: &str| {
        if count > 0 {
            say(altered, "", format!("{count} {what} were replaced"));
        }
    };
    let pairs = match form {
        Form::Yaml => {
            yaml::short_lines(&text.text).map_err(|Stop { at, reason }| Unreadable { offset: text.offset(at), reason, host: None })?;
            Pairs::Join
        }
        Form::Json | Form::Command => Pairs::Keep,
    };
    let (whole, halves) = escapes::whole(&text.text, pairs);
    count(halves, "escapes of half a character");
    if form != Form::Yaml {
        return Ok(whole);
    }
    let (lines, ends) = escapes::line_ends(whole);
    count(ends, "line ends of another kind (U+0085, U+2028, U+2029)");
    Ok(lines)
}

/// Refuses what was cut off. JSON cannot be cut off unnoticed; YAML can at any line, so the report
/// has to hold the fields that stand last in it, or else exactly what its own counts announce.
fn whole(report: &Collected, form: Form) -> Result<(), String> {
    let has = |spot: Spot| report.root_keys & spot.bit() != 0;
    let (metrics, resources) = match form {
        Form::Yaml | Form::Json => (Spot::Map(Map::Metrics), Spot::Map(Map::Resources)),
        Form::Command => (Spot::List(List::Measures), Spot::List(List::Resources)),
    };
    for spot in [Spot::List(List::Logs), metrics, resources] {
        if !has(spot) {
            return Err(format!("`{}` is missing: truncated on its way, or not a report of Puppet", spot.path()));
        }
    }
    // Without its value it is where the report was cut off.
    if form != Form::Yaml || report.cached.is_some() {
        return Ok(());
    }
    let (metrics, seen) = (&report.metrics, &report.seen);
    let counted = [
        (metrics.total, seen.resources),
        (metrics.changed, seen.changed),
        (metrics.failed, seen.failed),
        (metrics.skipped, seen.skipped),
        (metrics.out_of_sync, seen.out_of_sync),
        (metrics.events, seen.events),
    ];
    if format(report)? < FORMAT_WITH_END && seen.without_events == 0 && counted.iter().all(|(said, seen)| count(*said) == Some(*seen)) {
        return Ok(());
    }
    Err("the report ends before its last field, `cached_catalog_status`: truncated on its way".to_owned())
}

fn format(report: &Collected) -> Result<u32, String> {
    let said = report.format.as_deref().ok_or("`report_format` is missing: not a report of Puppet")?;
    match said.parse::<u32>() {
        Ok(format @ FORMAT_OLDEST..=FORMAT) => Ok(format),
        Ok(_) | Err(_) => Err(format!("report format {said} is not known; {FORMAT_OLDEST} to {FORMAT} are (a newer Belay may know it)")),
    }
}

fn build(report: &Collected, digest: Digest, altered: Vec<Complaint>) -> Result<Decoded, String> {
    let mut odd = altered;
    let format = format(report)?;
    if format < FORMAT {
        say(&mut odd, "report_format", format!("{format}, of an old Puppet: read, but not tested with a report of one"));
    }
    let host = report.host.as_deref().ok_or("`host` is missing")?;
    HostId::parse(host).map_err(|bad| format!("the host's name is refused: {bad}"))?;
    let masks = Masks::of(host, &[]);
    let word = report.status.as_deref().ok_or("`status` is missing: nobody knows how the run ended")?;
    let status = Status::parse(word).ok_or_else(|| format!("the status `{word}` is not known"))?;
    let cached = match report.cached.as_deref() {
        None => Cached::NotUsed,
        Some(word) => Cached::parse(word).ok_or_else(|| format!("cached_catalog_status `{word}` is not known: truncated on its way?"))?,
    };
    let time = report.time.as_deref().ok_or("`time` is missing")?;
    let started = instant(time).ok_or_else(|| format!("`time` is no instant: `{time}`"))?;
    let kind = classify(status, cached, report, &masks, &mut odd);
    let events = items::events(report, &masks);
    own_complaints(report, &mut odd);
    let kept = report.resources.iter().map(|resource| resource.events.len()).sum::<usize>();
    if kept < report.seen.events as usize || events.len() == belay_core::model::report::EVENTS_MAX {
        say(&mut odd, "resource_statuses", format!("{} events; only the first {} were kept", report.seen.events, events.len()));
    }
    let decoded = Report {
        tool: ToolName::parse(NAME).map_err(|bad| bad.to_string())?,
        host: host.to_owned(),
        tool_run_id: run_id(report, digest, &mut odd),
        digest,
        kind,
        started,
        took: took(report, &mut odd),
        environment: environment(report, &mut odd),
        version: version(report, started, cached),
        events,
        failed: failed_resources(report, status),
        resources: report.total(),
        skipped: report.skipped(),
        tool_version: clean(report.puppet_version.as_deref().unwrap_or_default(), 50),
    };
    Ok(Decoded { report: decoded, complaints: bounded(odd) })
}

/// The id Puppet gave the run; without one, the digest of the bytes stands in for it.
fn run_id(report: &Collected, digest: Digest, odd: &mut Vec<Complaint>) -> String {
    match report.uuid.as_deref() {
        Some(uuid) if uuid.len() <= 100 && uuid.bytes().all(|b| b.is_ascii_graphic()) => uuid.to_owned(),
        Some(_) | None => {
            say(odd, "transaction_uuid", "missing or no id; the digest of the report stands in for it");
            digest.to_string()
        }
    }
}

fn took(report: &Collected, odd: &mut Vec<Complaint>) -> Span {
    match report.metrics.seconds {
        Some(seconds) if (0.0..1e7).contains(&seconds) => Span::from_ms((seconds * 1000.0).round() as i64),
        Some(seconds) => {
            say(odd, "metrics/time", format!("a run of {seconds} seconds; read as unknown"));
            Span::ZERO
        }
        None => Span::ZERO,
    }
}

fn environment(report: &Collected, odd: &mut Vec<Complaint>) -> Option<Environment> {
    let name = report.environment.as_deref()?;
    Environment::parse(name).map_err(|bad| say(odd, "environment", format!("left out: {bad}"))).ok()
}

/// Where the content comes from. Without a `config_version` script Puppet puts the time of the
/// compile there, a bare number: that names nothing. A script's own number is quoted and counts,
/// unless it is a time of that day as well. A kept catalog may have been compiled long ago.
fn version(report: &Collected, started: Timestamp, cached: Cached) -> Version {
    let is_compile_time = |seconds: i64| seconds.saturating_mul(1000).abs_diff(started.ms()) <= DAY_MS.unsigned_abs();
    let is_some_time = |seconds: i64| (1_000_000_000..10_000_000_000).contains(&seconds);
    let skewed = cached != Cached::NotUsed || started.ms() < 1_000_000_000_000;
    match &report.version {
        None => Version::Unknown,
        Some(ConfigVersion::Number(number)) if is_compile_time(*number) || (skewed && is_some_time(*number)) => Version::Unknown,
        Some(ConfigVersion::Number(number)) => Version::Named(number.to_string()),
        Some(ConfigVersion::Text(text)) if text.trim().parse().is_ok_and(is_compile_time) => Version::Unknown,
        Some(ConfigVersion::Text(text)) => Version::Named(clean(text.trim(), 200)),
    }
}

/// Resources that failed, each with the first error said about it. A run can also fail without a
/// failed resource (one that could not be generated): then what the log says about resources.
fn failed_resources(report: &Collected, status: Status) -> Vec<FailedResource> {
    let mut failed: Vec<FailedResource> = report
        .resources
        .iter()
        .filter(|resource| resource.failed || resource.failed_to_restart)
        .map(|resource| FailedResource { resource: clean(&resource.name, TEXT_MAX), message: first_error(report, resource) })
        .collect();
    if failed.is_empty() && status == Status::Failed && report.completed == Some(true) {
        let lines = report.logs.errors.iter().filter(|line| !line.is_puppets_own());
        failed.extend(lines.filter_map(|line| {
            let resource = clean(resource_of(&line.source)?, TEXT_MAX);
            Some(FailedResource { resource, message: line.message.clean(TEXT_MAX) })
        }));
        failed.dedup_by(|b, a| a.resource == b.resource);
    }
    failed
}

fn first_error(report: &Collected, resource: &Resource) -> String {
    if let Some(event) = resource.events.iter().find(|event| event.outcome.as_deref() == Some("failure")) {
        return event.message.clean(TEXT_MAX);
    }
    let line = report.logs.errors.iter().find(|line| resource_of(&line.source) == Some(resource.name.as_str()));
    line.map(|line| line.message.clean(TEXT_MAX)).unwrap_or_default()
}

/// `File[/opt/x]` out of `/Stage[main]/Main/File[/opt/x]/ensure`.
fn resource_of(source: &str) -> Option<&str> {
    let end = source.rfind(']')?;
    let mut depth = 0_u32;
    let open = source[..=end].rmatch_indices(['[', ']']).find_map(|(at, bracket)| {
        depth = if bracket == "]" { depth + 1 } else { depth.saturating_sub(1) };
        (depth == 0).then_some(at)
    })?;
    let start = source[..open].rfind('/').map_or(0, |slash| slash + 1);
    Some(&source[start..=end])
}

/// What the report itself shows to be odd.
fn own_complaints(report: &Collected, odd: &mut Vec<Complaint>) {
    for (place, text) in &report.odd {
        say(odd, place, text.clone());
    }
    for (place, times) in &report.strangers {
        say(odd, place, format!("not known; passed over {times} times"));
    }
    if report.more_strangers > 0 {
        say(odd, "", format!("{} more keys that are not known; passed over", report.more_strangers));
    }
    if report.logs.more_errors > 0 {
        say(odd, "logs", format!("{} more errors in the log; not kept", report.logs.more_errors));
    }
    let said = count(report.metrics.events);
    if said.is_some_and(|said| said != report.seen.events) {
        say(odd, "metrics/events", format!("says {} events; there are {}", said.unwrap_or(0), report.seen.events));
    }
}

fn say(odd: &mut Vec<Complaint>, place: &str, text: impl Into<String>) {
    odd.push(Complaint { place: redact::inert(place).into_owned(), text: clean(&text.into(), TEXT_MAX) });
}

fn bounded(mut odd: Vec<Complaint>) -> Vec<Complaint> {
    let more = odd.len().saturating_sub(COMPLAINTS_MAX);
    if more > 0 {
        odd.truncate(COMPLAINTS_MAX - 1);
        say(&mut odd, "", format!("{} more complaints", more + 1));
    }
    odd
}

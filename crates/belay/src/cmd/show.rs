//! `belay show ID`: a Change or a run with everything that is kept of it.

use belay_api::http::{ChangeView, FindingView, NumbersView, RunView};
use belay_core::explain::change::number;

use super::verdict;
use crate::again::Again;
use crate::client::escaped;
use crate::fault::Fault;
use crate::out::inert::clip;
use crate::out::paint::{Colour, Paint, Sign, Tone, sign_of};
use crate::out::table::Table;
use crate::out::told::{count, part};
use crate::out::when::When;
use crate::session::{Form, Reach, Session};

/// Longest text in a column, in characters.
const CELL_MAX: usize = 60;
/// Hosts named one by one before the rest is counted.
const HOSTS_MAX: usize = 6;

/// What to show.
#[derive(clap::Args, Debug)]
#[command(after_help = "Exit codes of a Change: 0 accepted, 2 rejected, 3 inconclusive, 4 still on trial.")]
pub struct Args {
    /// A Change (c-17) or a run (run-42)
    pub id: String,
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    form: Form,
    #[command(flatten)]
    again: Again,
}

/// Shows a Change or a run.
///
/// # Errors
/// The server's refusal, or why it could not be asked.
pub async fn run(args: &Args, colour: Colour) -> anyhow::Result<u8> {
    args.again.show(&args.form, colour, async || once(args, colour).await).await
}

async fn once(args: &Args, colour: Colour) -> anyhow::Result<u8> {
    let session = Session::new(&args.reach, &args.form, colour)?;
    if args.id.starts_with("run-") {
        let path = format!("/api/v1/runs/{}", escaped(&args.id));
        session.show(&path, |session, view: &RunView| of_run(view, &session.when, session.paint)).await?;
        return Ok(0);
    }
    if !args.id.starts_with("c-") {
        let help =
            "Changes are called like c-17 (`belay changes`), runs like run-42; of a host tell `belay status HOST` and `belay why HOST`";
        return Err(Fault::usage(format!("{:?} is neither a Change nor a run", args.id)).help(help).into());
    }
    let path = format!("/api/v1/changes/{}", escaped(&args.id));
    let view = session.show(&path, |session, view: &ChangeView| of_change(view, &session.when, session.paint)).await?;
    Ok(verdict::exit_code(&view.row))
}

fn of_change(view: &ChangeView, when: &When, paint: Paint) -> String {
    let row = &view.row;
    let mut text =
        format!("{}  {}  {}\n", paint.tone(&verdict::standing(row, paint), verdict::sign(row).tone()), row.id, clip(&row.what, 160));
    text.push_str(&part(paint, "Where", &[verdict::place(row)]));
    text.push_str(&part(paint, "Hosts", &[hosts(view)]));
    text.push_str(&part(paint, "Waves", &view.row.waves.iter().cloned().collect::<Vec<_>>()));
    text.push_str(&part(paint, "When", &[times(view, when)]));
    text.push_str(&part(paint, "Verdict", &ruling(view, when)));
    text.push_str(&part(paint, "Missing", &missing(view)));
    if !view.items.is_empty() {
        text.push_str(&format!("\n{}", items(view, paint)));
    }
    let findings = view.verdict.as_ref().map_or(view.findings.as_slice(), |verdict| verdict.findings.as_slice());
    let findings = if findings.is_empty() { &view.findings } else { findings };
    if !findings.is_empty() {
        text.push_str(&format!("\n{}", table_of_findings(findings, paint)));
    }
    text.push_str(&format!("\n{}", part(paint, "Next", &next(view))));
    text
}

fn hosts(view: &ChangeView) -> String {
    let named: Vec<&str> = view.hosts.iter().take(HOSTS_MAX).map(|host| host.host.as_str()).collect();
    let more = view.hosts.len().saturating_sub(HOSTS_MAX);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{} of {}: {}{more}", view.row.hosts_changed, view.row.class_size, named.join(", "))
}

fn times(view: &ChangeView, when: &When) -> String {
    let mut text = format!("first host changed {}", when.said(&view.row.began));
    let findings = view.verdict.as_ref().map_or(&view.findings, |verdict| &verdict.findings);
    if let Some(harm) = findings.iter().filter(|finding| finding.says == "harm").filter_map(|finding| finding.since.as_ref()).min() {
        text.push_str(&format!(", harm from {}", when.said(harm)));
    }
    text
}

fn ruling(view: &ChangeView, when: &When) -> Vec<String> {
    let Some(verdict) = &view.verdict else {
        let looked =
            view.looked.as_ref().map_or_else(|| "not looked at yet".to_owned(), |at| format!("data looked at up to {}", when.said(at)));
        return vec![format!("none yet: {}; {looked}", view.row.standing)];
    };
    let gap = verdict.gap.as_ref().map(|gap| format!(" ({gap})")).unwrap_or_default();
    let mut lines = vec![format!("{}{gap} by {} at {}", verdict.outcome, verdict.by, when.said(&verdict.at))];
    lines.extend(verdict.reason.as_ref().map(|reason| format!("reason: {reason}")));
    if view.row.after_rejection > 0 {
        lines.push(format!("{} came to it after it was rejected", count(view.row.after_rejection, "host")));
    }
    lines
}

fn missing(view: &ChangeView) -> Vec<String> {
    let lacks = view.verdict.as_ref().map_or(&view.lacks, |verdict| &verdict.lacks);
    if lacks.is_empty() {
        return vec!["none".to_owned()];
    }
    let line = |lack: &belay_api::http::LackView| {
        let weight = if lack.must_have { "must-have" } else { "wanted" };
        format!("{} ({weight}): {} on {}", lack.signal, lack.text, count(lack.hosts.len(), "host"))
    };
    lacks.iter().map(line).collect()
}

fn items(view: &ChangeView, paint: Paint) -> String {
    let mut table = Table::new(&["ITEM", "OLD", "NEW"]);
    for item in &view.items {
        table.row(Tone::Plain, [clip(&item.item, CELL_MAX), clip(&item.old, CELL_MAX), clip(&item.new, CELL_MAX)]);
    }
    table.render(paint)
}

/// What the checks found, as a table.
fn table_of_findings(findings: &[FindingView], paint: Paint) -> String {
    let mut table = Table::new(&["FINDING", "CHECK", "HOSTS", "PEERS", "BEFORE", "NOW", "PEERS BEFORE", "PEERS NOW", "IN WORDS"]);
    for finding in findings {
        let sign = sign(finding);
        let NumbersView { own_past, treated, peers_past, peers, .. } = &finding.numbers;
        let shown = |value: &Option<f64>| value.map_or_else(|| "-".to_owned(), number);
        table.row(
            sign.tone(),
            [
                format!("{} {}", paint.sign(sign), finding.says),
                finding.code.clone(),
                format!("{}/{}", finding.hosts.len(), finding.of),
                format!("{}/{}", finding.peers_alike, finding.peers_of),
                shown(own_past),
                shown(treated),
                shown(peers_past),
                shown(peers),
                clip(&finding.text, 110),
            ],
        );
    }
    table.render(paint)
}

fn sign(finding: &FindingView) -> Sign {
    match finding.says.as_str() {
        "harm" => Sign::Bad,
        "suspicion" => Sign::Warn,
        "fine" => Sign::Good,
        _ => Sign::Unknown,
    }
}

fn next(view: &ChangeView) -> Vec<String> {
    let id = &view.row.id;
    let decide = |ruling: &str| format!("belay {ruling} {id} --reason \"...\"");
    match view.row.standing.as_str() {
        "accepted" => vec![format!("wrong?    {}", decide("reject"))],
        "rejected" => vec![format!("explain:  belay why {id}"), format!("wrong?    {}", decide("accept"))],
        "inconclusive" => vec![format!("explain:  belay why {id}"), format!("decide:   {}   or   {}", decide("accept"), decide("reject"))],
        _ => vec![format!("follow:   belay watch {id}")],
    }
}

fn of_run(view: &RunView, when: &When, paint: Paint) -> String {
    let row = &view.row;
    let sign = sign_of(&row.kind);
    let detail = row.detail.as_ref().map(|detail| format!(": {}", clip(detail, 160))).unwrap_or_default();
    let state = paint.tone(&format!("{} {}", paint.sign(sign), row.kind), sign.tone());
    let mut text = format!("{state}  {}  {} by {}{detail}\n", row.id, row.host, row.tool);
    let mut place = format!("class {}", row.class);
    for (noun, value) in [("release", &row.release), ("environment", &row.environment), ("version", &row.version)] {
        if let Some(value) = value {
            place.push_str(&format!(", {noun} {value}"));
        }
    }
    text.push_str(&part(paint, "Where", &[place]));
    let skewed = if row.skewed { "; the host's clock is off" } else { "" };
    let times = format!("started {}, took {:.1} s, received {}{skewed}", when.said(&row.started), row.took_s, when.said(&view.received));
    text.push_str(&part(paint, "When", &[times]));
    let change = row.change.as_ref().map(|change| format!("; part of {change}")).unwrap_or_default();
    text.push_str(&part(paint, "Did", &[format!("{} new to the host, {} put back{change}", count(row.delta, "item"), row.drift)]));
    text.push_str(&part(paint, "Id", std::slice::from_ref(&view.tool_run_id)));
    let events = view.events.iter().map(|event| {
        let what = event.parameter.as_ref().map_or_else(|| event.resource.clone(), |parameter| format!("{} {parameter}", event.resource));
        [event.outcome.clone(), clip(&what, CELL_MAX), clip(&event.old, CELL_MAX), clip(&event.new, CELL_MAX)]
    });
    let mut table = Table::new(&["EVENT", "WHAT", "OLD", "NEW"]);
    let shown = view.events.len();
    events.for_each(|cells| table.row(if cells[0] == "failed" { Tone::Bad } else { Tone::Plain }, cells));
    if shown > 0 {
        text.push_str(&format!("\n{}", table.render(paint)));
    }
    if (shown as u64) < u64::from(view.event_count) {
        text.push_str(&format!("and {} more events\n", u64::from(view.event_count) - shown as u64));
    }
    let failed = view.failed.iter().map(|failed| format!("{}: {}", failed.resource, failed.message));
    let failed = part(paint, "Failed", &failed.collect::<Vec<_>>());
    if failed.is_empty() { text } else { format!("{text}\n{failed}") }
}

#[cfg(test)]
mod tests;

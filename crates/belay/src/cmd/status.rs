//! `belay status [HOST|CLASS]`: the whole at one glance, or one part of it with its latest events.

use belay_api::http::{ChangeRow, ClassCount, HostView, Page, RunRow, StatusView};
use belay_core::model::time::Timestamp;
use hyper::{Method, StatusCode};

use super::{changes, hold};
use crate::again::Again;
use crate::client::{escaped, query, read, refused};
use crate::fault::fault;
use crate::out::inert::clip;
use crate::out::paint::{Colour, Paint, Sign, Tone, sign_of};
use crate::out::table::Table;
use crate::out::told::{count, part};
use crate::out::when::{When, now, parsed};
use crate::out::{self, Output};
use crate::session::{Form, Reach, Session};

/// How many latest events are shown.
const LATEST: usize = 10;

/// Of what.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// A host or a class; everything when left out
    #[arg(value_name = "HOST|CLASS")]
    pub of: Option<String>,
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    form: Form,
    #[command(flatten)]
    again: Again,
}

/// Shows how things stand.
///
/// # Errors
/// The server's refusal, or why it could not be asked.
pub async fn run(args: &Args, colour: Colour) -> anyhow::Result<u8> {
    args.again.show(&args.form, colour, async || once(args, colour).await).await
}

async fn once(args: &Args, colour: Colour) -> anyhow::Result<u8> {
    let session = Session::new(&args.reach, &args.form, colour)?;
    match &args.of {
        None => drop(session.show("/api/v1/status", |session, view: &StatusView| whole(view, &session.when, session.paint)).await?),
        Some(name) => part_of(&session, name).await?,
    }
    Ok(0)
}

/// A name is a class where there is one of it, else a host.
async fn part_of(session: &Session, name: &str) -> anyhow::Result<()> {
    let raw = session.client.get_raw("/api/v1/status").await?;
    let status: StatusView = read(&raw)?;
    if let Some(class) = status.classes.iter().find(|class| class.name == name) {
        let rows = latest::<ChangeRow>(session, "/api/v1/changes", "class", name).await?;
        return match session.output {
            Output::Table => out::put(&of_class(class, &rows, &session.when, session.paint)),
            Output::Json | Output::Jsonl => session.put_raw(&serde_json::to_vec(class)?),
        };
    }
    let reply = session.client.send(Method::GET, &format!("/api/v1/hosts/{}", escaped(name)), None).await?;
    if reply.status == StatusCode::NOT_FOUND {
        let classes: Vec<&str> = status.classes.iter().map(|class| class.name.as_str()).collect();
        let help = format!("the classes are: {}; `belay hosts` lists the hosts", classes.join(", "));
        return Err(fault(format!("{name:?} is neither a class nor a host that was ever heard of"), help));
    }
    if !reply.status.is_success() {
        return Err(refused("/api/v1/hosts", &reply).into());
    }
    if session.output != Output::Table {
        return session.put_raw(&reply.body);
    }
    let host: HostView = read(&reply.body)?;
    let runs = latest::<RunRow>(session, "/api/v1/runs", "host", &host.row.name).await?;
    out::put(&of_host(&host, &runs, &session.when, session.paint))
}

async fn latest<T: serde::de::DeserializeOwned>(session: &Session, path: &str, filter: &str, value: &str) -> anyhow::Result<Vec<T>> {
    let parameters = query(&[(filter, Some(value.to_owned())), ("limit", Some(LATEST.to_string()))]);
    let page: Page<T> = session.client.get(&format!("{path}{parameters}")).await?;
    Ok(page.items)
}

/// The worst that is known, as a sign and in words.
fn worst(view: &StatusView) -> (Sign, String) {
    let some = |n: u64, noun: &str, what: &str| (n > 0).then(|| format!("{} {what}", count(n, noun)));
    let silent = view.sources.iter().filter(|source| !source.ok).count() as u64;
    let troubles: Vec<String> = [
        some(view.rejected_24h.len() as u64, "Change", "rejected within 24 h"),
        some(broken(view), "hold", "broken by hand"),
        some(u64::from(view.dead_letters), "alert", "given up"),
        some(u64::from(view.hosts_in_trouble), "host", "whose last report could not be taken"),
        some(silent, "source", "of signals silent"),
    ]
    .into_iter()
    .flatten()
    .collect();
    let suspect = view.open_changes.iter().any(|row| row.standing == "suspect");
    let sign = match (view.rejected_24h.is_empty(), troubles.is_empty() && !suspect) {
        (false, _) => Sign::Bad,
        (true, false) => Sign::Warn,
        (true, true) => Sign::Good,
    };
    let words: Vec<String> = troubles.into_iter().chain(some(view.open_changes.len() as u64, "Change", "on trial")).collect();
    (sign, if words.is_empty() { "nothing on trial, nothing rejected".to_owned() } else { words.join(", ") })
}

fn broken(view: &StatusView) -> u64 {
    view.holds.iter().filter(|hold| hold.broken > 0).count() as u64
}

fn whole(view: &StatusView, when: &When, paint: Paint) -> String {
    let at = parsed(&view.at).unwrap_or_else(now);
    let (sign, words) = worst(view);
    let mut text = format!("{} belay {}: {words}\n", paint.tone(paint.sign(sign), sign.tone()), clip(&view.version, 40));
    text.push_str(&part(paint, "Since", &[since(&view.started, at, when)]));
    text.push_str(&part(paint, "Watches", &[watches(view)]));
    text.push_str(&part(paint, "Signals", &signals(view, at)));
    if view.quarantined > 0 {
        text.push_str(&part(paint, "Aside", &[format!("{} could not be taken and kept", count(view.quarantined, "report"))]));
    }
    text.push_str(&part(paint, "Catch", &view.catch));
    if !view.classes.is_empty() {
        text.push_str(&format!("\n{}", classes(&view.classes, paint)));
    }
    for row in &view.classes {
        if let Some(would) = &row.would_have_refused {
            text.push_str(&format!("{}: {}\n", clip(&row.name, 80), clip(would, 160)));
        }
    }
    if !view.holds.is_empty() {
        text.push_str(&format!("\n{}\n{}", paint.tone("Holds", Tone::Strong), hold::page(&view.holds, when, paint)));
    }
    for (heading, rows) in [("On trial", &view.open_changes), ("Rejected within 24 h", &view.rejected_24h)] {
        if !rows.is_empty() {
            text.push_str(&format!("\n{}\n{}", paint.tone(heading, Tone::Strong), changes::table(rows, when, paint)));
        }
    }
    text
}

fn since(started: &str, at: Timestamp, when: &When) -> String {
    let ago = parsed(started).map(|started| format!(" ({})", When::ago(started, at))).unwrap_or_default();
    format!("{}{ago}", when.said(started))
}

fn watches(view: &StatusView) -> String {
    let policy = &view.policy;
    let (classes, signals, alerts) = (count(policy.classes, "class"), count(policy.signals, "signal"), count(policy.alerts, "place"));
    format!("{}; declared: {classes}, {signals} ({} must-have), {alerts} for alerts", count(view.hosts, "host"), policy.must_have)
}

fn signals(view: &StatusView, at: Timestamp) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(store) = &view.signals {
        let newest = store.newest.as_deref().and_then(parsed).map_or_else(|| "none yet".to_owned(), |newest| When::ago(newest, at));
        let (series, samples, mib) = (store.series, store.samples, store.bytes as f64 / f64::from(1 << 20));
        lines.push(format!("{series} series, {samples} samples, {mib:.1} MiB on disk; newest {newest}"));
    }
    for source in &view.sources {
        let last = source.last.as_deref().and_then(parsed).map_or_else(|| "never".to_owned(), |last| When::ago(last, at));
        let text = source.text.as_ref().map(|text| format!(": {text}")).unwrap_or_default();
        lines.push(format!("source {}: {} series, last {last}, {} refused{text}", source.name, source.series, source.refused));
    }
    lines
}

fn classes(rows: &[ClassCount], paint: Paint) -> String {
    let mut table = Table::new(&["CLASS", "HOSTS", "SIGNALS", "ENFORCE", "RELEASES"]);
    for row in rows {
        table.row(Tone::Plain, [row.name.clone(), row.hosts.to_string(), row.signals.to_string(), row.enforce.clone(), releases(row)]);
    }
    table.render(paint)
}

fn releases(class: &ClassCount) -> String {
    let release = |count: &belay_api::http::ReleaseCount| format!("{}: {}", count.release.as_deref().unwrap_or("unknown"), count.hosts);
    clip(&class.releases.iter().map(release).collect::<Vec<_>>().join(", "), 80)
}

fn of_class(class: &ClassCount, rows: &[ChangeRow], when: &When, paint: Paint) -> String {
    let mut text = format!("class {}: {}, {}\n", clip(&class.name, 80), count(class.hosts, "host"), count(class.signals, "signal"));
    text.push_str(&part(paint, "Release", &[releases(class)]));
    if rows.is_empty() {
        return text + "no Changes yet\n";
    }
    text.push_str(&format!("\n{}", changes::table(rows, when, paint)));
    text
}

fn of_host(view: &HostView, runs: &[RunRow], when: &When, paint: Paint) -> String {
    let row = &view.row;
    let kind = row.last_run.as_ref().map_or("no run yet", |run| run.kind.as_str());
    let sign = if row.trouble.is_some() { Sign::Warn } else { sign_of(kind) };
    let mut text = format!("{} {}: {kind}\n", paint.tone(paint.sign(sign), sign.tone()), clip(&row.name, 255));
    let release = row.release.as_ref().map_or_else(|| "release not known".to_owned(), |release| format!("release {release}"));
    text.push_str(&part(paint, "Is", &[format!("class {}, {release}, {} known", row.class, count(view.items, "item"))]));
    text.push_str(&part(paint, "Got", &[applied(view, when)]));
    text.push_str(&part(paint, "Fails", &view.failing_resources));
    let trouble = row.trouble.as_ref().map(|trouble| format!("since {}: {}", when.said(&trouble.at), trouble.text));
    text.push_str(&part(paint, "Trouble", &trouble.into_iter().collect::<Vec<_>>()));
    text.push_str(&part(paint, "Facts", &view.facts.iter().map(|(name, value)| format!("{name} = {value}")).collect::<Vec<_>>()));
    if !runs.is_empty() {
        text.push_str(&format!("\n{}", table_of_runs(runs, when, paint)));
    }
    text
}

fn applied(view: &HostView, when: &When) -> String {
    let row = &view.row;
    let mut text = format!("last applied {}", when.said_or(row.last_applied.as_deref(), "never"));
    if let Some(environment) = &row.environment {
        text.push_str(&format!(", from environment {environment}"));
    }
    if let Some(due) = view.environment_due.as_ref().filter(|due| row.environment.as_ref() != Some(*due)) {
        text.push_str(&format!(" (its release needs {due})"));
    }
    if let Some(version) = &row.version {
        text.push_str(&format!(", version {version}"));
    }
    text
}

fn table_of_runs(runs: &[RunRow], when: &When, paint: Paint) -> String {
    let mut table = Table::new(&["RUN", "ID", "STARTED", "ENVIRONMENT", "NEW", "PUT BACK", "CHANGE"]);
    for run in runs {
        let sign = sign_of(&run.kind);
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
        let state = format!("{} {}", paint.sign(sign), run.kind);
        let (new, back) = (run.delta.to_string(), run.drift.to_string());
        table.row(sign.tone(), [state, run.id.clone(), when.said(&run.started), text(&run.environment), new, back, text(&run.change)]);
    }
    table.render(paint)
}

#[cfg(test)]
mod tests;

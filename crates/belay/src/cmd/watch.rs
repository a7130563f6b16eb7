//! `belay watch ID`: a Change as its trial goes on, until there is a verdict. On a terminal the tree of its hosts is drawn anew;
//! elsewhere a line is printed for each thing that changes.

use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use belay_api::http::{ChangeView, FindingView};

use super::verdict;
use crate::client::escaped;
use crate::out::inert::clip;
use crate::out::paint::{Colour, Paint, Sign};
use crate::out::told::count;
use crate::out::when::When;
use crate::out::{self, Output};
use crate::session::{Form, Reach, Session};

/// Between two looks.
const EVERY: Duration = Duration::from_secs(1);
/// Hosts that are drawn; the worst come first.
const HOSTS_MAX: usize = 24;

/// What to follow.
#[derive(clap::Args, Debug)]
#[command(after_help = "Exit codes: 0 accepted, 2 rejected, 3 inconclusive, 4 still on trial at the timeout.")]
pub struct Args {
    /// The Change, for example c-17
    pub id: String,
    /// Give up after so long, for example 90s or 30m; without it, wait for the verdict
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub timeout: Option<Duration>,
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    form: Form,
}

/// Follows a Change.
///
/// # Errors
/// The server's refusal, or why it could not be asked.
pub async fn run(args: &Args, colour: Colour) -> anyhow::Result<u8> {
    let session = Session::new(&args.reach, &args.form, colour)?;
    let path = format!("/api/v1/changes/{}", escaped(verdict::change(&args.id)?));
    let live = session.output == Output::Table && std::io::stdout().is_terminal();
    let begun = Instant::now();
    let (mut drawn, mut last) = (0, String::new());
    loop {
        let raw = session.client.get_raw(&path).await?;
        let view: ChangeView = crate::client::read(&raw)?;
        match (session.output, live) {
            (Output::Table, true) => drawn = redraw(&tree(&view, &session.when, session.paint), drawn)?,
            (Output::Table, false) => say_if_new(&line(&view, session.paint), &mut last)?,
            (Output::Jsonl, _) => {
                let raw = String::from_utf8_lossy(&raw).into_owned();
                if raw != last {
                    session.put_raw(raw.as_bytes())?;
                    last = raw;
                }
            }
            (Output::Json, _) => {}
        }
        let late = args.timeout.is_some_and(|timeout| begun.elapsed() >= timeout);
        if verdict::decided(&view.row) || late {
            if session.output == Output::Json {
                session.put_raw(&raw)?;
            }
            return Ok(verdict::exit_code(&view.row));
        }
        let left = args.timeout.map_or(EVERY, |timeout| timeout.saturating_sub(begun.elapsed()).min(EVERY));
        tokio::time::sleep(left).await;
    }
}

/// A length of time on the command line.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no length of time; write for example 90s, 30m or 2h");
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let seconds = match unit {
        "s" | "" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(wrong)
}

/// Draws over what was drawn before; how many lines there are now.
fn redraw(text: &str, drawn: usize) -> anyhow::Result<usize> {
    let back = if drawn > 0 { format!("\x1b[{drawn}A") } else { String::new() };
    let lines: String = text.lines().map(|line| format!("{line}\x1b[K\n")).collect();
    out::put(&format!("{back}{lines}\x1b[J"))?;
    Ok(text.lines().count())
}

fn say_if_new(line: &str, last: &mut String) -> anyhow::Result<()> {
    if line != last {
        out::put(&format!("{line}\n"))?;
        line.clone_into(last);
    }
    Ok(())
}

/// A Change on one line.
pub(super) fn line(view: &ChangeView, paint: Paint) -> String {
    let row = &view.row;
    let harm = view.findings.iter().find(|finding| finding.says == "harm").map(|finding| format!(": {}", clip(&finding.text, 100)));
    format!("{}  {}  {} hosts{}", verdict::standing(row, paint), row.id, verdict::hosts(row), harm.unwrap_or_default())
}

/// A Change with its hosts.
fn tree(view: &ChangeView, when: &When, paint: Paint) -> String {
    let row = &view.row;
    let head = format!("{} {}", paint.sign(Sign::Whole), row.id);
    let standing = paint.tone(&verdict::standing(row, paint), verdict::sign(row).tone());
    let mut text = format!("{head}  {standing}  {}\n", clip(&row.what, 80));
    let branches = if paint.sign(Sign::Good).is_ascii() { ("|-", "`-") } else { ("\u{251c}\u{2500}", "\u{2514}\u{2500}") };
    let mut hosts: Vec<(Sign, &str, String)> =
        view.hosts.iter().map(|host| (sign(view, &host.host), host.host.as_str(), format!("changed {}", when.said(&host.onset)))).collect();
    hosts.sort_by_key(|(sign, name, _)| (weight(*sign), *name));
    let unchanged = row.class_size.saturating_sub(row.hosts_changed);
    for (sign, name, note) in hosts.iter().take(HOSTS_MAX) {
        text.push_str(&format!("{} {} {}  {note}\n", branches.0, paint.tone(paint.sign(*sign), sign.tone()), clip(name, 60)));
    }
    if hosts.len() > HOSTS_MAX {
        text.push_str(&format!("{} and {} more\n", branches.0, hosts.len() - HOSTS_MAX));
    }
    text.push_str(&format!(
        "{} {} {} of class {} unchanged\n",
        branches.1,
        paint.sign(Sign::Waiting),
        count(unchanged, "host"),
        clip(&row.class, 60)
    ));
    for finding in view.findings.iter().filter(|finding| finding.says != "fine").take(4) {
        text.push_str(&format!("   {}: {}\n", finding.says, clip(&finding.text, 110)));
    }
    text
}

/// How a host stands: harmed, suspected, without data, well, or not seen long enough.
fn sign(view: &ChangeView, host: &str) -> Sign {
    let named =
        |says: &str| view.findings.iter().any(|finding: &FindingView| finding.says == says && finding.hosts.iter().any(|h| h == host));
    let failing =
        view.hosts.iter().any(|treated| treated.host == host && (!treated.failures.is_empty() || treated.compile_error.is_some()));
    let lacking: BTreeSet<&str> = view.lacks.iter().flat_map(|lack| lack.hosts.iter().map(String::as_str)).collect();
    if named("harm") || failing {
        Sign::Bad
    } else if named("suspicion") {
        Sign::Warn
    } else if lacking.contains(host) {
        Sign::Unknown
    } else if view.row.standing == "accepted" {
        Sign::Good
    } else {
        Sign::Going
    }
}

const fn weight(sign: Sign) -> u8 {
    match sign {
        Sign::Bad => 0,
        Sign::Warn => 1,
        Sign::Unknown => 2,
        Sign::Whole | Sign::Waiting | Sign::Going | Sign::Held => 3,
        Sign::Good => 4,
    }
}

#[cfg(test)]
mod tests;

//! `belay revert`: a Change is taken back on the hosts that got it; first, what that would do.

use std::collections::BTreeMap;

use belay_api::http::{PlanView, RevertBody, RevertView};
use hyper::Method;

use crate::again::Again;
use crate::client::{Content, escaped, read};
use crate::fault::Fault;
use crate::out::paint::{Colour, Paint, Sign, Tone};
use crate::out::told::{count, part, told};
use crate::out::{self, Output};
use crate::session::{Form, Reach, Session};

/// Lines of a kind before the rest is counted.
const LINES_MAX: usize = 12;

/// What to take back.
#[derive(clap::Args, Debug)]
#[command(after_help = "A revert (r-2) shows how far it is; with --stop it stops where it is.")]
pub struct Args {
    /// The Change (c-17), or a revert (r-2)
    pub id: String,
    /// Say what would be restored, what would remain, what cannot be undone; do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Stop a revert where it is
    #[arg(long, conflicts_with = "dry_run")]
    pub stop: bool,
    /// Why; it is shown with the Change for ever
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    form: Form,
    #[command(flatten)]
    again: Again,
}

/// Takes a Change back, says what that would do, or shows how far it is.
///
/// # Errors
/// The server's refusal, or why it could not be asked.
pub async fn run(args: &Args, colour: Colour) -> anyhow::Result<u8> {
    if args.dry_run || (args.id.starts_with("r-") && !args.stop) {
        return args.again.show(&args.form, colour, async || look(args, colour).await).await;
    }
    args.again.refuse("a revert that is asked for")?;
    let session = Session::new(&args.reach, &args.form, colour)?;
    if args.id.starts_with("r-") {
        return stop(args, &session).await;
    }
    let path = format!("/api/v1/changes/{}/revert", escaped(&args.id));
    let Some(reason) = args.reason.clone() else {
        let help = format!("look first: belay revert {} --dry-run; then: --reason TEXT", args.id);
        return Err(Fault::usage("a revert needs a reason").help(help).into());
    };
    let raw = session.client.ask(Method::POST, &path, Some(Content::json(&RevertBody { reason })?)).await?;
    told_of(&session, &raw, "Reverting")
}

/// What a revert would do, or how far one is.
async fn look(args: &Args, colour: Colour) -> anyhow::Result<u8> {
    let session = Session::new(&args.reach, &args.form, colour)?;
    let id = escaped(&args.id);
    if args.id.starts_with("r-") {
        session.show(&format!("/api/v1/reverts/{id}"), |session, view: &RevertView| progress(view, session.paint)).await?;
    } else {
        session.show(&format!("/api/v1/changes/{id}/revert"), |session, view: &PlanView| plan(view, session.paint)).await?;
    }
    Ok(0)
}

async fn stop(args: &Args, session: &Session) -> anyhow::Result<u8> {
    let path = format!("/api/v1/reverts/{}", escaped(&args.id));
    let reason = args.reason.clone().unwrap_or_default();
    let raw = session.client.ask(Method::POST, &format!("{path}/stop"), Some(Content::json(&RevertBody { reason })?)).await?;
    told_of(session, &raw, "Stopped")
}

fn told_of(session: &Session, raw: &[u8], verb: &str) -> anyhow::Result<u8> {
    if session.output != Output::Table {
        session.put_raw(raw)?;
        return Ok(0);
    }
    let view: RevertView = read(raw)?;
    let line = format!("{} on {} ({}); follow it: belay revert {}", view.change, count(view.hosts.len() as u64, "host"), view.id, view.id);
    out::put(&format!("{}\n", told(session.paint, Tone::Busy, verb, &line)))?;
    Ok(0)
}

fn lines(of: &BTreeMap<String, String>) -> Vec<String> {
    let mut lines: Vec<String> = of.iter().take(LINES_MAX).map(|(name, text)| format!("{name}: {text}")).collect();
    if of.len() > LINES_MAX {
        lines.push(format!("and {} more", of.len() - LINES_MAX));
    }
    lines
}

fn plan(view: &PlanView, paint: Paint) -> String {
    let mut text = format!("reverting {} would touch {}; nothing was done\n", view.change, count(view.hosts.len() as u64, "host"));
    for (heading, of) in [
        ("Hosts", &view.hosts),
        ("Restored", &view.restored),
        ("Remain", &view.remain),
        ("Cannot", &view.cannot),
        ("Left out", &view.left_out),
    ] {
        text.push_str(&part(paint, heading, &lines(of)));
    }
    if !view.held.is_empty() {
        let held = format!("{} for a day: the next run would undo it", count(view.held.len() as u64, "host"));
        text.push_str(&part(paint, "Held", &[held]));
    }
    if !view.hosts.is_empty() {
        text.push_str(&part(paint, "Next", &[format!("belay revert {} --reason \"...\"", view.change)]));
    }
    text
}

fn progress(view: &RevertView, paint: Paint) -> String {
    let sign = match view.state.as_str() {
        "done" => Sign::Good,
        "going on" => Sign::Going,
        _ => Sign::Bad,
    };
    let state = format!("{} {}", paint.sign(sign), view.state);
    let mut text = format!("{}  {} of {} by {}: {}\n", paint.tone(&state, sign.tone()), view.id, view.change, view.by, view.reason);
    text.push_str(&part(paint, "Hosts", &lines(&view.hosts)));
    text.push_str(&part(paint, "Hold", &view.hold.iter().cloned().collect::<Vec<_>>()));
    text.push_str(&part(paint, "Stopped", &view.stopped.iter().cloned().collect::<Vec<_>>()));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(of: &[(&str, &str)]) -> BTreeMap<String, String> {
        of.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn a_plan_says_what_comes_back_what_remains_and_what_cannot_be_undone() {
        let view = PlanView {
            change: "c-2".to_owned(),
            hosts: map(&[("web16", "pinned to environment r142, then a run"), ("web17", "pinned to environment r142, then a run")]),
            restored: map(&[("File[/etc/app/sitemonitor.conf] content", "{sha256}37c3"), ("environment", "r142")]),
            remain: map(&[("File[/etc/new] ensure", "it was not there before, and the tool does not remove what it no longer manages")]),
            cannot: map(&[("Exec[migrate] returns", "a command that was run stays run")]),
            left_out: map(&[("web18", "it runs another release by now")]),
            held: vec!["web17".to_owned()],
        };
        insta::assert_snapshot!("plan", plan(&view, Paint::plain()));
        let revert = RevertView {
            id: "r-1".to_owned(),
            change: "c-2".to_owned(),
            state: "going on".to_owned(),
            asked: "2026-11-22T10:00:00Z".to_owned(),
            by: "alice".to_owned(),
            reason: "the flow stopped".to_owned(),
            hosts: map(&[("web16", "went back 2026-11-22T10:01:00Z"), ("web17", "waits for its turn")]),
            hold: Some("h-2".to_owned()),
            stopped: None,
        };
        insta::assert_snapshot!("progress", progress(&revert, Paint::plain()));
    }
}

//! `belay wait ID`: nothing but the verdict, for scripts: the exit code tells it. A server that is away in the meantime is waited
//! for as well.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use belay_api::http::ChangeView;

use super::verdict;
use super::watch::{duration, line};
use crate::client::{escaped, read};
use crate::fault::is_passing;
use crate::out::paint::{Colour, Paint, Tone};
use crate::out::told::told;
use crate::out::when::When;
use crate::out::{self, Output};
use crate::session::{Form, Reach, Session};

/// The first rest between two questions, and the longest.
const RESTS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));

/// What to wait for.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Exit codes: 0 accepted, 2 rejected, 3 inconclusive, 4 still on trial at the timeout, 1 could not be asked, 64 usage.
A server that goes away while it is waited for (a restart) is asked again until the timeout.
Example: belay wait c-17 --timeout 30m && ./deploy next")]
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

/// Waits for the verdict on a Change.
///
/// # Errors
/// The server's refusal, or why it could not be asked.
pub async fn run(args: &Args, colour: Colour) -> anyhow::Result<u8> {
    let session = Session::new(&args.reach, &args.form, colour)?;
    let path = format!("/api/v1/changes/{}", escaped(verdict::change(&args.id)?));
    let paint = Paint::stderr(colour);
    let (begun, mut rest, mut heard, mut away) = (Instant::now(), RESTS.0, false, false);
    loop {
        let late = args.timeout.is_some_and(|timeout| begun.elapsed() >= timeout);
        match session.client.get_raw(&path).await {
            Ok(raw) => {
                let view: ChangeView = read(&raw)?;
                if verdict::decided(&view.row) || late {
                    return ended(&session, &raw, &view);
                }
                if away || (!heard && std::io::stderr().is_terminal()) {
                    let back = if away { "the server is back; " } else { "" };
                    out::note(&told(paint, Tone::Busy, "Waiting", &format!("{back}{}", said(&view, &session.when))));
                }
                (heard, away) = (true, false);
            }
            Err(error) if heard && !late && is_passing(&error) => {
                if !away {
                    out::note(&told(paint, Tone::Warn, "Waiting", &format!("the server is away: {error:#}")));
                }
                away = true;
            }
            Err(error) => return Err(error),
        }
        let left = args.timeout.map_or(rest, |timeout| timeout.saturating_sub(begun.elapsed()).min(rest));
        tokio::time::sleep(left).await;
        rest = (rest * 3 / 2).min(RESTS.1);
    }
}

fn ended(session: &Session, raw: &[u8], view: &ChangeView) -> anyhow::Result<u8> {
    match session.output {
        Output::Table => out::put(&format!("{}\n", line(view, session.paint)))?,
        Output::Json | Output::Jsonl => session.put_raw(raw)?,
    }
    Ok(verdict::exit_code(&view.row))
}

fn said(view: &ChangeView, when: &When) -> String {
    let row = &view.row;
    format!("{} is {} on {} hosts since {}", row.id, row.standing, verdict::hosts(row), when.said(&row.began))
}

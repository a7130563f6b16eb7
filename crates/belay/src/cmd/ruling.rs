//! `belay accept` and `belay reject`: a person's verdict, with its reason.

use belay_api::http::{ChangeView, RulingBody};
use hyper::Method;

use super::verdict;
use crate::client::{Content, escaped, read};
use crate::fault::Fault;
use crate::out::inert::clip;
use crate::out::paint::{Colour, Tone};
use crate::out::told::{count, told};
use crate::out::{self, Output};
use crate::session::{Form, Reach, Session};

/// What to decide.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The Change, for example c-17
    pub id: String,
    /// Why; it is shown with the verdict for ever
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// The evidence that was looked at, as `belay why` shows it: nothing is decided when it is otherwise now
    #[arg(long, value_name = "MARK")]
    pub seen: Option<String>,
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    form: Form,
}

/// What to decide, and how: both verdicts under one name, as `accept` and `reject` give them.
#[derive(clap::Args, Debug)]
#[command(after_help = "The same as `belay accept` and `belay reject`, with the same exit codes: 0 done, 1 could not be done, 64 usage.")]
pub struct Override {
    #[command(flatten)]
    args: Args,
    #[command(flatten)]
    which: Which,
}

/// The verdict to give.
#[derive(clap::Args, Debug)]
#[group(required = true, multiple = false)]
pub struct Which {
    /// It is good
    #[arg(long)]
    accept: bool,
    /// It is bad
    #[arg(long)]
    reject: bool,
}

/// Gives the verdict that is asked for.
///
/// # Errors
/// The server's refusal, or why it could not be asked.
pub async fn overrule(args: &Override, colour: Colour) -> anyhow::Result<u8> {
    let ruling = if args.which.accept { Ruling::Accept } else { Ruling::Reject };
    run(&args.args, ruling, colour).await
}

/// Which verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// Accepted.
    Accept,
    /// Rejected.
    Reject,
}

impl Ruling {
    const fn word(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Reject => "reject",
        }
    }
}

/// Gives a person's verdict: how the Change stood, and how it stands.
///
/// # Errors
/// The server's refusal, or why it could not be asked.
pub async fn run(args: &Args, ruling: Ruling, colour: Colour) -> anyhow::Result<u8> {
    let session = Session::new(&args.reach, &args.form, colour)?;
    if args.reason.trim().is_empty() {
        return Err(Fault::usage("a verdict needs a reason that says something")
            .help("--reason TEXT; it is shown with the verdict for ever")
            .into());
    }
    let path = format!("/api/v1/changes/{}", escaped(verdict::change(&args.id)?));
    let before: ChangeView = session.client.get(&path).await?;
    // Without a word about it, what stands there now is what is decided on.
    let seen = args.seen.clone().or_else(|| Some(before.evidence_mark.clone()).filter(|mark| !mark.is_empty()));
    let body = Content::json(&RulingBody { reason: args.reason.clone() })?.seen(seen);
    let raw = session.client.ask(Method::POST, &format!("{path}/{}", ruling.word()), Some(body)).await?;
    if session.output != Output::Table {
        session.put_raw(&raw)?;
        return Ok(0);
    }
    let after: ChangeView = read(&raw)?;
    let (verb, tone) = match ruling {
        Ruling::Accept => ("Accepted", Tone::Good),
        Ruling::Reject => ("Rejected", Tone::Bad),
    };
    let row = &after.row;
    let line = format!(
        "{} (was {}): {} of class {}, {}",
        row.id,
        before.row.standing,
        count(row.hosts_changed, "host"),
        row.class,
        clip(&row.what, 90)
    );
    out::put(&format!("{}\n", told(session.paint, tone, verb, &line)))?;
    Ok(0)
}

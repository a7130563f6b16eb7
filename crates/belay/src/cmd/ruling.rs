//! `belay accept` and `belay reject`: a person's verdict, with its reason.

use belay_api::http::{ChangeView, RulingBody};
use hyper::Method;

use crate::client::{Content, escaped, read};
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
    let path = format!("/api/v1/changes/{}", escaped(&args.id));
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

//! `belay pin`: hosts fixed to an environment for a time.

use belay_api::http::{CountView, PinPlaced, PinRow};
use hyper::Method;

use crate::again::Again;
use crate::client::{Content, read};
use crate::fault::Fault;
use crate::out::inert::clip;
use crate::out::paint::{Colour, Paint, Tone};
use crate::out::table::Table;
use crate::out::told::{count, told};
use crate::out::when::When;
use crate::out::{self, Output};
use crate::session::{Form, Reach, Session};

const PATH: &str = "/api/v1/pins";

/// Hosts to fix, or none to list those that are.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Without hosts it lists the pins there are.\nExample: belay pin web01 --environment r142 --for 8h --reason 'early bird'"
)]
pub struct Args {
    /// Names or patterns of hosts
    #[arg(value_name = "HOST")]
    pub hosts: Vec<String>,
    /// Whole classes
    #[arg(long = "class", value_name = "CLASS")]
    pub classes: Vec<String>,
    /// The environment
    #[arg(long, value_name = "NAME", conflicts_with = "end")]
    pub environment: Option<String>,
    /// For how long, for example 8h
    #[arg(long = "for", value_name = "TIME", conflicts_with = "end")]
    pub lasts: Option<String>,
    /// End their pins
    #[arg(long)]
    pub end: bool,
    /// Why
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    form: Form,
    #[command(flatten)]
    again: Again,
}

/// Fixes hosts, frees them, or lists those that are fixed.
///
/// # Errors
/// The server's refusal, or why it could not be asked.
pub async fn run(args: &Args, colour: Colour) -> anyhow::Result<u8> {
    if args.hosts.is_empty() && args.classes.is_empty() {
        return args.again.show(&args.form, colour, async || list(args, colour).await).await;
    }
    args.again.refuse("a pin")?;
    let session = Session::new(&args.reach, &args.form, colour)?;
    if !args.end && (args.environment.is_none() || args.lasts.is_none()) {
        return Err(Fault::usage("a pin needs an environment and an end").help("--environment NAME --for 8h, or --end to end pins").into());
    }
    let Some(reason) = args.reason.clone() else { return Err(Fault::usage("a pin needs a reason").help("--reason TEXT").into()) };
    let body = PinPlaced {
        hosts: args.hosts.clone(),
        classes: args.classes.clone(),
        environment: args.environment.clone(),
        lasts: args.lasts.clone(),
        until_ms: None,
        reason,
    };
    let raw = session.client.ask(Method::POST, PATH, Some(Content::json(&body)?)).await?;
    if session.output != Output::Table {
        session.put_raw(&raw)?;
        return Ok(0);
    }
    let CountView { hosts } = read(&raw)?;
    let line = match (&args.environment, &args.lasts) {
        (Some(environment), Some(lasts)) => format!("{} to environment {environment} for {lasts}", count(hosts, "host")),
        _ => format!("{} no more", count(hosts, "host")),
    };
    out::put(&format!("{}\n", told(session.paint, Tone::Good, "Pinned", &line)))?;
    Ok(0)
}

async fn list(args: &Args, colour: Colour) -> anyhow::Result<u8> {
    let session = Session::new(&args.reach, &args.form, colour)?;
    session.list(PATH, &[], usize::MAX, |session, rows| page(rows, &session.when, session.paint)).await?;
    Ok(0)
}

fn page(rows: &[PinRow], when: &When, paint: Paint) -> String {
    if rows.is_empty() {
        return "no host is pinned\n".to_owned();
    }
    let mut table = Table::new(&["HOST", "ENVIRONMENT", "UNTIL", "BY", "REASON"]);
    for row in rows {
        let reason = clip(&row.reason, 80).to_string();
        table.row(Tone::Plain, [row.host.clone(), row.environment.clone(), when.said(&row.until), row.by.clone(), reason]);
    }
    table.render(paint)
}

//! `belay gate check`: what the server's gate answers for a host.

use belay_api::http::GateView;
use clap::Subcommand;

use crate::again::Again;
use crate::client::{escaped, query};
use crate::fault::code;
use crate::out::paint::{Colour, Paint, Sign};
use crate::out::told::part;
use crate::session::{Form, Reach, Session};

/// What to ask the gate.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// What to ask
    #[command(subcommand)]
    pub action: Action,
}

/// What to ask the gate.
#[derive(Subcommand, Debug)]
pub enum Action {
    /// May a run of this host go ahead?
    Check(Check),
}

/// A question to the gate.
#[derive(clap::Args, Debug)]
#[command(after_help = "Exit codes: 0 go, 10 held, 11 refused or deferred, 1 could not be asked.")]
pub struct Check {
    /// The host
    pub host: String,
    /// The environment the run would come from; the one last applied, when left out
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// The run is a rehearsal
    #[arg(long)]
    noop: bool,
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    form: Form,
    #[command(flatten)]
    again: Again,
}

/// Asks the gate.
///
/// # Errors
/// The server's refusal, or why it could not be asked.
pub async fn run(args: &Args, colour: Colour) -> anyhow::Result<u8> {
    let Action::Check(check) = &args.action;
    check.again.show(&check.form, colour, async || once(check, colour).await).await
}

async fn once(check: &Check, colour: Colour) -> anyhow::Result<u8> {
    let session = Session::new(&check.reach, &check.form, colour)?;
    let asked = query(&[("environment", check.environment.clone()), ("noop", check.noop.then(|| "1".to_owned()))]);
    let path = format!("/api/v1/gate/{}{asked}", escaped(&check.host));
    let view: GateView = session.show(&path, |session, view: &GateView| page(view, session.paint)).await?;
    Ok(match view.gate.as_str() {
        "go" => code::OK,
        "held" => code::HELD,
        _ => code::REFUSED,
    })
}

fn page(view: &GateView, paint: Paint) -> String {
    let sign = match view.gate.as_str() {
        "go" => Sign::Good,
        "held" => Sign::Held,
        "deferred" => Sign::Waiting,
        _ => Sign::Bad,
    };
    let mut text = format!("{} {}  {}\n", paint.tone(paint.sign(sign), sign.tone()), view.host, crate::out::inert::inert(&view.why));
    text.push_str(&part(paint, "Until", &view.until.iter().cloned().collect::<Vec<_>>()));
    text.push_str(&part(paint, "Next", &view.remedy.iter().cloned().collect::<Vec<_>>()));
    text
}

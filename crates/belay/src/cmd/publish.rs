//! `belay publish`: a deployment that a pipeline made is offered to the hosts of its branch; and how each stands.

use std::time::{Duration, Instant};

use belay_api::http::{DeploymentRow, PublishBody, StandsView, WithdrawBody};
use hyper::body::Bytes;
use hyper::{Method, StatusCode};

use crate::again::Again;
use crate::client::{Content, read, refused};
use crate::cmd::watch::duration;
use crate::out::paint::{Colour, Paint, Tone};
use crate::out::table::Table;
use crate::out::told::told;
use crate::out::when::When;
use crate::out::{self, Output};
use crate::session::{Form, Reach, Session};

const PATH: &str = "/api/v1/deployments";
/// The time between two tries, while machines are waited for.
const BETWEEN: Duration = Duration::from_secs(2);

/// A deployment, or none to list those there are.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Without an environment it lists the deployments there are.\nExample, after `r10k deploy environment production_9f2c1e0 -m`:\n  belay publish production_9f2c1e0 --wait 60s"
)]
pub struct Args {
    /// The environment that was deployed: its branch, `_` and a git id
    #[arg(value_name = "ENVIRONMENT")]
    pub environment: Option<String>,
    /// Offer it no more: before it is removed from the servers
    #[arg(long, requires = "environment")]
    pub withdraw: bool,
    /// Wait so long until every server that tells what it has tells of it
    #[arg(long, value_name = "TIME", conflicts_with = "withdraw", value_parser = duration)]
    pub wait: Option<Duration>,
    /// Why
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub reason: String,
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    form: Form,
    #[command(flatten)]
    again: Again,
}

/// Publishes, withdraws, or lists.
///
/// # Errors
/// The server's refusal, or why it could not be asked.
pub async fn run(args: &Args, colour: Colour) -> anyhow::Result<u8> {
    let Some(environment) = &args.environment else {
        return args.again.show(&args.form, colour, async || list(args, colour).await).await;
    };
    args.again.refuse("publishing")?;
    let session = Session::new(&args.reach, &args.form, colour)?;
    let raw = if args.withdraw {
        let body = WithdrawBody { reason: args.reason.clone() };
        session.client.ask(Method::POST, &format!("{PATH}/{environment}/withdraw"), Some(Content::json(&body)?)).await?
    } else {
        publish(&session, args, environment).await?
    };
    if session.output != Output::Table {
        session.put_raw(&raw)?;
        return Ok(0);
    }
    let row: DeploymentRow = read(&raw)?;
    let line = if args.withdraw { format!("{environment} is offered no more") } else { published(&row) };
    let what = if args.withdraw { "Withdrawn" } else { "Published" };
    out::put(&format!("{}\n", told(session.paint, Tone::Good, what, &line)))?;
    Ok(0)
}

/// Publishes; while some server does not have it yet, again and again until the time is over.
async fn publish(session: &Session, args: &Args, environment: &str) -> anyhow::Result<Bytes> {
    let (begun, wait) = (Instant::now(), args.wait.unwrap_or_default());
    let body = PublishBody { environment: environment.to_owned(), reason: args.reason.clone() };
    loop {
        let reply = session.client.send(Method::POST, PATH, Some(Content::json(&body)?)).await?;
        if reply.status.is_success() {
            return Ok(reply.body);
        }
        if reply.status != StatusCode::CONFLICT || begun.elapsed() >= wait {
            return Err(refused(PATH, &reply).into());
        }
        tokio::time::sleep(BETWEEN.min(wait.saturating_sub(begun.elapsed()))).await;
    }
}

/// How a deployment begins.
fn published(row: &DeploymentRow) -> String {
    let whom: Vec<String> = row.stands.iter().map(|one| format!("{}: {}", scope(one), standing(one))).collect();
    if whom.is_empty() {
        format!("{}; no host is there to get it yet", row.environment)
    } else {
        format!("{}; {}", row.environment, whom.join("; "))
    }
}

fn scope(one: &StandsView) -> String {
    one.release.as_ref().map_or_else(|| one.class.clone(), |release| format!("{} {release}", one.class))
}

fn standing(one: &StandsView) -> String {
    let change = one.change.as_ref().map(|change| format!(" ({change})")).unwrap_or_default();
    let words = one.words.as_ref().map(|words| format!(": {words}")).unwrap_or_default();
    format!("{}{change}{words}", one.state)
}

async fn list(args: &Args, colour: Colour) -> anyhow::Result<u8> {
    let session = Session::new(&args.reach, &args.form, colour)?;
    session.list(PATH, &[], usize::MAX, |session, rows| page(rows, &session.when, session.paint)).await?;
    Ok(0)
}

fn page(rows: &[DeploymentRow], when: &When, paint: Paint) -> String {
    if rows.is_empty() {
        return "nothing was published, and no server tells what is deployed there\n".to_owned();
    }
    let mut table = Table::new(&["ENVIRONMENT", "PUBLISHED", "CLASS", "HOSTS", "STANDS", "VERSION", "ON"]);
    for row in rows {
        let published = row.published.as_ref().map_or_else(|| "-".to_owned(), |at| when.said(at));
        let version = row.places.first().and_then(|place| place.version.as_deref()).unwrap_or("-");
        let same = row.places.iter().all(|place| place.version.as_deref().unwrap_or("-") == version);
        let version = if same { version.chars().take(12).collect() } else { "they differ".to_owned() };
        let on = match row.places.len() {
            0 => "-".to_owned(),
            1 => row.places[0].place.clone(),
            many => format!("{many} servers"),
        };
        if row.stands.is_empty() {
            let cells =
                [row.environment.clone(), published.clone(), "-".to_owned(), "-".to_owned(), "-".to_owned(), version.clone(), on.clone()];
            table.row(Tone::Plain, cells);
        }
        for one in &row.stands {
            let tone = match one.state.as_str() {
                "good" => Tone::Good,
                "rejected" => Tone::Bad,
                _ => Tone::Plain,
            };
            let hosts = format!("{} of {}", one.hosts, one.of);
            table.row(tone, [row.environment.clone(), published.clone(), scope(one), hosts, standing(one), version.clone(), on.clone()]);
        }
    }
    table.render(paint)
}

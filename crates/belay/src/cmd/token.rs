//! `belay token`: credentials. A secret is printed once, when it is issued.

use belay_api::http::{PrincipalView, TokenBody, TokenIssued, TokenRow};
use clap::Subcommand;
use hyper::Method;

use crate::again::Again;
use crate::client::{Content, escaped, read};
use crate::out::inert::inert;
use crate::out::paint::{Colour, Paint, Tone};
use crate::out::table::Table;
use crate::out::told::told;
use crate::out::when::When;
use crate::out::{self, Output};
use crate::session::{Form, Reach, Session};

const PATH: &str = "/api/v1/tokens";

/// What to do with credentials.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// What to do
    #[command(subcommand)]
    pub action: Action,
}

/// What to do with credentials.
#[derive(Subcommand, Debug)]
pub enum Action {
    /// Issue one; its secret is printed once, alone on stdout
    Add(Add),
    /// List them, without their secrets
    List(List),
    /// End one
    Revoke(Revoke),
}

/// A credential to issue.
#[derive(clap::Args, Debug)]
pub struct Add {
    /// What it is called; a former one of that name ends. A person's is the person's name
    pub name: String,
    #[command(flatten)]
    whose: Whose,
    /// The classes a person is limited to, by name or pattern, for example "db*"; may be given several times
    #[arg(long = "class", value_name = "CLASS", requires = "role")]
    classes: Vec<String>,
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    form: Form,
}

/// Whom the credential is to stand for.
#[derive(clap::Args, Debug)]
#[group(required = true, multiple = false)]
pub struct Whose {
    /// A person who may do this much: viewer, operator, approver or admin
    #[arg(long)]
    role: Option<String>,
    /// A host, which speaks for itself
    #[arg(long)]
    host: Option<String>,
    /// A server of a tool, which speaks for the hosts that match, for example "*"
    #[arg(long, value_name = "PATTERN")]
    relay: Option<String>,
    /// A source of signals
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
}

/// How to list.
#[derive(clap::Args, Debug)]
pub struct List {
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    form: Form,
    #[command(flatten)]
    again: Again,
}

/// A credential to end.
#[derive(clap::Args, Debug)]
pub struct Revoke {
    /// What it is called
    pub name: String,
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    form: Form,
}

/// Issues, lists or ends credentials.
///
/// # Errors
/// The server's refusal, or why it could not be asked.
pub async fn run(args: &Args, colour: Colour) -> anyhow::Result<u8> {
    match &args.action {
        Action::Add(args) => add(args, colour).await?,
        Action::List(args) => return args.again.show(&args.form, colour, async || list(args, colour).await).await,
        Action::Revoke(args) => {
            let session = Session::new(&args.reach, &args.form, colour)?;
            session.client.ask(Method::DELETE, &format!("{PATH}/{}", escaped(&args.name)), None).await?;
            out::note(&told(Paint::stderr(colour), Tone::Good, "Ended", &args.name));
        }
    }
    Ok(0)
}

async fn list(args: &List, colour: Colour) -> anyhow::Result<u8> {
    let session = Session::new(&args.reach, &args.form, colour)?;
    session.list(PATH, &[], usize::MAX, |session, rows| page(rows, &session.when, session.paint)).await?;
    Ok(0)
}

async fn add(args: &Add, colour: Colour) -> anyhow::Result<()> {
    let session = Session::new(&args.reach, &args.form, colour)?;
    let Whose { role, host, relay, source } = &args.whose;
    let body = TokenBody {
        name: args.name.clone(),
        role: role.clone(),
        classes: args.classes.clone(),
        host: host.clone(),
        relay: relay.clone(),
        source: source.clone(),
    };
    let raw = session.client.ask(Method::POST, PATH, Some(Content::json(&body)?)).await?;
    if session.output != Output::Table {
        return session.put_raw(&raw);
    }
    let issued: TokenIssued = read(&raw)?;
    let what = format!("{} for {}; the secret is shown this once", issued.name, whose(&issued.principal));
    out::note(&told(Paint::stderr(colour), Tone::Good, "Issued", &what));
    out::put(&format!("{}\n", inert(&issued.secret)))
}

fn whose(principal: &PrincipalView) -> String {
    let role = principal.role.as_ref().map(|role| format!(" ({role})")).unwrap_or_default();
    let within = if principal.classes.is_empty() { String::new() } else { format!(" in {}", principal.classes.join(", ")) };
    format!("{} {}{role}{within}", principal.kind, principal.name)
}

fn page(rows: &[TokenRow], when: &When, paint: Paint) -> String {
    let mut table = Table::new(&["NAME", "STANDS FOR", "ISSUED"]);
    for row in rows {
        table.row(Tone::Plain, [row.name.clone(), whose(&row.principal), when.said(&row.issued)]);
    }
    table.render(paint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::out::when::Zone;

    #[test]
    fn credentials_are_listed_by_whom_they_stand_for() {
        let row = |name: &str, kind: &str, of: &str, role: Option<&str>| TokenRow {
            name: name.to_owned(),
            principal: PrincipalView { kind: kind.to_owned(), name: of.to_owned(), role: role.map(str::to_owned), classes: vec![] },
            issued: "2026-11-22T02:14:07Z".to_owned(),
        };
        let rows = [row("alice", "person", "alice", Some("approver")), row("puppetserver", "relay", "*", None)];
        insta::assert_snapshot!(page(&rows, &When::new(Zone::Utc), Paint::plain()));
    }
}

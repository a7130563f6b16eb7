//! `belay session`: who is logged in, and ending that.

use belay_api::http::SessionRow;
use clap::Subcommand;
use hyper::Method;

use crate::again::Again;
use crate::client::escaped;
use crate::out;
use crate::out::paint::{Colour, Paint, Tone};
use crate::out::table::Table;
use crate::out::told::told;
use crate::out::when::When;
use crate::session::{Form, Reach, Session};

const PATH: &str = "/api/v1/sessions";

/// What to do with sessions.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// What to do
    #[command(subcommand)]
    pub action: Action,
}

/// What to do with sessions.
#[derive(Subcommand, Debug)]
pub enum Action {
    /// List them, the last used first
    List(List),
    /// End one: whoever has it has to log in again
    Revoke(Revoke),
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

/// A session to end.
#[derive(clap::Args, Debug)]
pub struct Revoke {
    /// Its id, as the list has it
    pub id: String,
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    form: Form,
}

/// Lists or ends sessions.
///
/// # Errors
/// The server's refusal, or why it could not be asked.
pub async fn run(args: &Args, colour: Colour) -> anyhow::Result<u8> {
    match &args.action {
        Action::List(args) => return args.again.show(&args.form, colour, async || list(args, colour).await).await,
        Action::Revoke(args) => {
            let session = Session::new(&args.reach, &args.form, colour)?;
            session.client.ask(Method::DELETE, &format!("{PATH}/{}", escaped(&args.id)), None).await?;
            out::note(&told(Paint::stderr(colour), Tone::Good, "Ended", &args.id));
        }
    }
    Ok(0)
}

async fn list(args: &List, colour: Colour) -> anyhow::Result<u8> {
    let session = Session::new(&args.reach, &args.form, colour)?;
    session.list(PATH, &[], usize::MAX, |session, rows| page(rows, &session.when, session.paint)).await?;
    Ok(0)
}

fn page(rows: &[SessionRow], when: &When, paint: Paint) -> String {
    let mut table = Table::new(&["USER", "BY", "FROM", "OPENED", "LAST USED", "ENDS", "ID"]);
    for row in rows {
        let from = row.from.clone().unwrap_or_else(|| "this machine".to_owned());
        let times = [&row.opened, &row.seen, &row.ends].map(|time| when.said(time));
        let [opened, seen, ends] = times;
        table.row(Tone::Plain, [row.user.clone(), row.by.clone(), from, opened, seen, ends, row.id.clone()]);
    }
    table.render(paint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::out::when::Zone;

    #[test]
    fn sessions_are_listed_with_what_is_needed_to_end_one() {
        let row = |user: &str, by: &str, from: Option<&str>| SessionRow {
            id: "0123456789abcdef0123456789abcdef".to_owned(),
            user: user.to_owned(),
            by: by.to_owned(),
            opened: "2026-11-22T02:14:07Z".to_owned(),
            seen: "2026-11-22T03:14:07Z".to_owned(),
            ends: "2026-11-22T15:14:07Z".to_owned(),
            from: from.map(str::to_owned),
        };
        let rows = [row("alice", "password", Some("192.0.2.7")), row("bob", "token bob", None)];
        insta::assert_snapshot!(page(&rows, &When::new(Zone::Utc), Paint::plain()));
    }
}

//! `belay user`: accounts of people. A password is typed where nobody sees it, or comes from a pipe; never on the command line,
//! where others can read it.

use belay_api::http::{PasswordBody, UserBody, UserPatch, UserRow};
use clap::Subcommand;
use hyper::Method;

use crate::again::Again;
use crate::client::{Content, escaped, read};
use crate::out::paint::{Colour, Paint, Tone};
use crate::out::table::Table;
use crate::out::told::told;
use crate::out::when::When;
use crate::out::{self, Output, typed};
use crate::session::{Form, Reach, Session};

const PATH: &str = "/api/v1/users";

/// What to do with accounts.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// What to do
    #[command(subcommand)]
    pub action: Action,
}

/// What to do with accounts.
#[derive(Subcommand, Debug)]
pub enum Action {
    /// Make one
    Add(Add),
    /// List them
    List(List),
    /// Set a password; all sessions of the account end
    Passwd(Passwd),
    /// Alter what somebody may do, and where; all sessions of the account end
    Role(Role),
    /// Let nobody log in; all sessions of the account end
    Disable(Named),
    /// Let somebody log in again
    Enable(Named),
    /// Remove one for good
    Remove(Named),
}

/// An account to make.
#[derive(clap::Args, Debug)]
pub struct Add {
    /// How the person is called
    pub name: String,
    /// What the person may do: viewer, operator, approver or admin
    #[arg(long)]
    role: String,
    /// A class the person is limited to, by name or pattern, for example "db*"; may be given several times
    #[arg(long = "class", value_name = "CLASS")]
    classes: Vec<String>,
    /// Set no password yet: nobody can log in until `belay user passwd`
    #[arg(long)]
    no_password: bool,
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    form: Form,
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

/// A password to set.
#[derive(clap::Args, Debug)]
pub struct Passwd {
    /// Whose
    pub name: String,
    /// Ask for the present one as well: who is no admin has to know it
    #[arg(long)]
    own: bool,
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    form: Form,
}

/// What somebody may do from now on.
#[derive(clap::Args, Debug)]
pub struct Role {
    /// Who
    pub name: String,
    /// viewer, operator, approver or admin
    pub role: String,
    /// A class the person is limited to; may be given several times
    #[arg(long = "class", value_name = "CLASS", conflicts_with = "everywhere")]
    classes: Vec<String>,
    /// In all classes
    #[arg(long)]
    everywhere: bool,
    /// Why; it stands in the audit
    #[arg(long, default_value = "", hide_default_value = true)]
    reason: String,
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    form: Form,
}

/// An account by its name.
#[derive(clap::Args, Debug)]
pub struct Named {
    /// Who
    pub name: String,
    /// Why; it stands in the audit
    #[arg(long, default_value = "", hide_default_value = true)]
    reason: String,
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    form: Form,
}

/// Makes, lists, alters or removes accounts.
///
/// # Errors
/// The server's refusal, or why it could not be asked.
pub async fn run(args: &Args, colour: Colour) -> anyhow::Result<u8> {
    match &args.action {
        Action::Add(args) => add(args, colour).await?,
        Action::List(args) => return args.again.show(&args.form, colour, async || list(args, colour).await).await,
        Action::Passwd(args) => passwd(args, colour).await?,
        Action::Role(args) => {
            let classes = (args.everywhere || !args.classes.is_empty()).then(|| args.classes.clone());
            let patch = UserPatch { role: Some(args.role.clone()), classes, disabled: None, reason: reason(&args.reason) };
            alter(&args.name, &patch, &Session::new(&args.reach, &args.form, colour)?, colour).await?;
        }
        Action::Disable(args) => switch(args, true, colour).await?,
        Action::Enable(args) => switch(args, false, colour).await?,
        Action::Remove(args) => {
            let session = Session::new(&args.reach, &args.form, colour)?;
            let path = format!("{PATH}/{}{}", escaped(&args.name), crate::client::query(&[("reason", reason(&args.reason))]));
            session.client.ask(Method::DELETE, &path, None).await?;
            out::note(&told(Paint::stderr(colour), Tone::Good, "Removed", &args.name));
        }
    }
    Ok(0)
}

fn reason(text: &str) -> Option<String> {
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

async fn add(args: &Add, colour: Colour) -> anyhow::Result<()> {
    let session = Session::new(&args.reach, &args.form, colour)?;
    let password = if args.no_password { None } else { Some(typed::new_secret("Password")?) };
    let body = UserBody { name: args.name.clone(), role: args.role.clone(), classes: args.classes.clone(), password };
    let raw = session.client.ask(Method::POST, PATH, Some(Content::json(&body)?)).await?;
    answered(&session, &raw, "Made", colour)
}

async fn passwd(args: &Passwd, colour: Colour) -> anyhow::Result<()> {
    let session = Session::new(&args.reach, &args.form, colour)?;
    let current = if args.own { Some(typed::secret("Present password")?) } else { None };
    let body = PasswordBody { password: typed::new_secret("New password")?, current };
    let path = format!("{PATH}/{}/password", escaped(&args.name));
    let raw = session.client.ask(Method::POST, &path, Some(Content::json(&body)?)).await?;
    answered(&session, &raw, "Set the password of", colour)
}

async fn switch(args: &Named, disabled: bool, colour: Colour) -> anyhow::Result<()> {
    let patch = UserPatch { disabled: Some(disabled), reason: reason(&args.reason), ..UserPatch::default() };
    alter(&args.name, &patch, &Session::new(&args.reach, &args.form, colour)?, colour).await
}

async fn alter(name: &str, patch: &UserPatch, session: &Session, colour: Colour) -> anyhow::Result<()> {
    let raw = session.client.ask(Method::PATCH, &format!("{PATH}/{}", escaped(name)), Some(Content::json(patch)?)).await?;
    answered(session, &raw, "Altered", colour)
}

fn answered(session: &Session, raw: &[u8], verb: &str, colour: Colour) -> anyhow::Result<()> {
    if session.output != Output::Table {
        return session.put_raw(raw);
    }
    let row: UserRow = read(raw)?;
    let state = if row.disabled { ", disabled" } else { "" };
    out::note(&told(Paint::stderr(colour), Tone::Good, verb, &format!("{}: {} in {}{state}", row.name, row.role, reach_of(&row))));
    Ok(())
}

fn reach_of(row: &UserRow) -> String {
    if row.classes.is_empty() { "all classes".to_owned() } else { row.classes.join(", ") }
}

async fn list(args: &List, colour: Colour) -> anyhow::Result<u8> {
    let session = Session::new(&args.reach, &args.form, colour)?;
    session.list(PATH, &[], usize::MAX, |session, rows| page(rows, &session.when, session.paint)).await?;
    Ok(0)
}

fn page(rows: &[UserRow], when: &When, paint: Paint) -> String {
    let mut table = Table::new(&["NAME", "ROLE", "CLASSES", "STATE", "SESSIONS", "SINCE"]);
    for row in rows {
        let (tone, state) = match (row.disabled, row.password) {
            (true, _) => (Tone::Faint, "disabled"),
            (false, false) => (Tone::Plain, "no password"),
            (false, true) => (Tone::Plain, "active"),
        };
        let cells = [row.name.clone(), row.role.clone(), reach_of(row), state.to_owned(), row.sessions.to_string(), when.said(&row.since)];
        table.row(tone, cells);
    }
    table.render(paint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::out::when::Zone;

    #[test]
    fn accounts_are_listed_with_what_they_may_do_and_where() {
        let row = |name: &str, role: &str, classes: &[&str], disabled: bool, password: bool| UserRow {
            name: name.to_owned(),
            role: role.to_owned(),
            classes: classes.iter().map(|class| (*class).to_owned()).collect(),
            disabled,
            password,
            since: "2026-11-22T02:14:07Z".to_owned(),
            sessions: u32::from(password),
        };
        let rows = [
            row("alice", "approver", &["web", "db*"], false, true),
            row("bob", "viewer", &[], false, false),
            row("carol", "admin", &[], true, true),
        ];
        insta::assert_snapshot!(page(&rows, &When::new(Zone::Utc), Paint::plain()));
    }
}

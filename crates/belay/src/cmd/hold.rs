//! `belay hold`: intentional pauses, with owner, reason, scope and end.

use belay_api::http::{HoldAltered, HoldPlaced, HoldRow, HoldView};
use clap::Subcommand;
use hyper::Method;

use crate::again::Again;
use crate::client::{Content, escaped, read};
use crate::fault::Fault;
use crate::out::inert::clip;
use crate::out::paint::{Colour, Paint, Sign, Tone};
use crate::out::table::Table;
use crate::out::told::{count, part, told};
use crate::out::when::When;
use crate::out::{self, Output};
use crate::session::{Form, Reach, Session};

const PATH: &str = "/api/v1/holds";

/// What to do with holds.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// What to do
    #[command(subcommand)]
    pub action: Action,
}

/// What to do with holds.
#[derive(Subcommand, Debug)]
pub enum Action {
    /// Place one
    Add(Add),
    /// List those that stand
    List(List),
    /// Show one with all that is known of it
    Show(Show),
    /// Let one last longer
    Extend(Extend),
    /// End one
    Release(Release),
    /// Make a hold of a lock that somebody else left on a host
    Import(Import),
}

/// A hold to place.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example: belay hold add 'web1*' --for 8h --reason 'release 142 needs new files' --ask 'alice, room 4'")]
pub struct Add {
    /// Names or patterns of hosts, for example web01 'web1*'
    #[arg(value_name = "HOST")]
    pub hosts: Vec<String>,
    /// Whole classes
    #[arg(long = "class", value_name = "CLASS")]
    pub classes: Vec<String>,
    #[command(flatten)]
    words: Words,
    /// The number of hosts it is about, where that is a large part of the fleet
    #[arg(long, value_name = "NUMBER")]
    pub confirm: Option<u32>,
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    form: Form,
}

/// What every new hold says.
#[derive(clap::Args, Debug)]
pub struct Words {
    /// For how long, for example 8h, 90m or 2d
    #[arg(long = "for", value_name = "TIME")]
    lasts: String,
    /// Why; it is shown to whoever meets the hold
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Who answers for it; you, when left out
    #[arg(long, value_name = "NAME")]
    owner: Option<String>,
    /// Whom to ask before anything is switched on again; the owner, when left out
    #[arg(long = "ask", value_name = "WHOM")]
    contact: Option<String>,
    /// A ticket
    #[arg(long, value_name = "TICKET")]
    ticket: Option<String>,
}

/// How to list.
#[derive(clap::Args, Debug)]
pub struct List {
    /// Also those that are over
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    form: Form,
    #[command(flatten)]
    again: Again,
}

/// A hold to show.
#[derive(clap::Args, Debug)]
pub struct Show {
    /// The hold, for example h-3
    pub id: String,
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    form: Form,
    #[command(flatten)]
    again: Again,
}

/// A hold to extend.
#[derive(clap::Args, Debug)]
pub struct Extend {
    /// The hold, for example h-3
    pub id: String,
    /// How much longer from now, for example 8h
    #[arg(long = "for", value_name = "TIME")]
    lasts: String,
    /// Why
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    reason: String,
    /// The revision you saw: refuses where somebody altered it since
    #[arg(long, value_name = "NUMBER")]
    revision: Option<u32>,
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    form: Form,
}

/// A hold to end.
#[derive(clap::Args, Debug)]
pub struct Release {
    /// The hold, for example h-3
    pub id: String,
    /// Why it can go
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// The revision you saw: refuses where somebody altered it since
    #[arg(long, value_name = "NUMBER")]
    revision: Option<u32>,
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    form: Form,
}

/// A lock to make a hold of.
#[derive(clap::Args, Debug)]
pub struct Import {
    /// The host on which the lock stands
    pub host: String,
    #[command(flatten)]
    words: Words,
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    form: Form,
}

/// Places, lists, shows, extends, ends or imports holds.
///
/// # Errors
/// The server's refusal, or why it could not be asked.
pub async fn run(args: &Args, colour: Colour) -> anyhow::Result<u8> {
    match &args.action {
        Action::Add(add) => {
            if add.hosts.is_empty() && add.classes.is_empty() {
                return Err(Fault::usage("no host is named")
                    .help("belay hold add 'web1*' --for 8h --reason TEXT, or --class CLASS")
                    .into());
            }
            let body = HoldPlaced { hosts: add.hosts.clone(), classes: add.classes.clone(), confirm: add.confirm, ..placed(&add.words) };
            post(&add.reach, &add.form, colour, PATH, Content::json(&body)?, "Held").await
        }
        Action::Import(import) => {
            let body = HoldPlaced { import: Some(import.host.clone()), ..placed(&import.words) };
            post(&import.reach, &import.form, colour, PATH, Content::json(&body)?, "Imported").await
        }
        Action::Extend(extend) => {
            let body = HoldAltered { lasts: Some(extend.lasts.clone()), until_ms: None, reason: extend.reason.clone() };
            let path = format!("{PATH}/{}/extend", escaped(&extend.id));
            post(&extend.reach, &extend.form, colour, &path, Content::json(&body)?.seen(extend.revision), "Extended").await
        }
        Action::Release(release) => {
            let body = HoldAltered { lasts: None, until_ms: None, reason: release.reason.clone() };
            let path = format!("{PATH}/{}/release", escaped(&release.id));
            post(&release.reach, &release.form, colour, &path, Content::json(&body)?.seen(release.revision), "Released").await
        }
        Action::List(args) => args.again.show(&args.form, colour, async || list(args, colour).await).await,
        Action::Show(args) => args.again.show(&args.form, colour, async || show(args, colour).await).await,
    }
}

async fn list(args: &List, colour: Colour) -> anyhow::Result<u8> {
    let session = Session::new(&args.reach, &args.form, colour)?;
    let all = args.all.then(|| "1".to_owned());
    session.list(PATH, &[("all", all)], 500, |session, rows| page(rows, &session.when, session.paint)).await?;
    Ok(0)
}

async fn show(args: &Show, colour: Colour) -> anyhow::Result<u8> {
    let session = Session::new(&args.reach, &args.form, colour)?;
    let path = format!("{PATH}/{}", escaped(&args.id));
    session.show(&path, |session, view: &HoldView| of_hold(view, &session.when, session.paint)).await?;
    Ok(0)
}

fn placed(words: &Words) -> HoldPlaced {
    HoldPlaced {
        owner: words.owner.clone(),
        reason: words.reason.clone(),
        ticket: words.ticket.clone(),
        contact: words.contact.clone(),
        lasts: Some(words.lasts.clone()),
        ..HoldPlaced::default()
    }
}

async fn post(reach: &Reach, form: &Form, colour: Colour, path: &str, content: Content, verb: &str) -> anyhow::Result<u8> {
    let session = Session::new(reach, form, colour)?;
    let raw = session.client.ask(Method::POST, path, Some(content)).await?;
    if session.output != Output::Table {
        session.put_raw(&raw)?;
        return Ok(0);
    }
    let view: HoldView = read(&raw)?;
    let row = &view.row;
    let line = format!(
        "{}: {}, {} until {}: {}",
        row.id,
        row.scope,
        count(row.hosts, "host"),
        session.when.said(&row.until),
        clip(&row.reason, 90)
    );
    out::put(&format!("{}\n", told(session.paint, Tone::Good, verb, &line)))?;
    Ok(0)
}

fn sign(row: &HoldRow) -> Sign {
    match row.state.as_str() {
        "released" => Sign::Good,
        _ if row.broken > 0 => Sign::Bad,
        "active" => Sign::Held,
        _ => Sign::Warn,
    }
}

/// Holds as a table.
pub(super) fn page(rows: &[HoldRow], when: &When, paint: Paint) -> String {
    if rows.is_empty() {
        return "no holds stand\n".to_owned();
    }
    let mut table = Table::new(&["STATE", "HOLD", "OWNER", "UNTIL", "HOSTS", "BROKEN", "ON", "REASON"]);
    for row in rows {
        let sign = sign(row);
        let state = format!("{} {}", paint.sign(sign), row.state);
        let numbers = (row.hosts.to_string(), row.broken.to_string());
        let on = clip(&row.scope, 40).to_string();
        let reason = clip(&row.reason, 60).to_string();
        table.row(sign.tone(), [state, row.id.clone(), row.owner.clone(), when.said(&row.until), numbers.0, numbers.1, on, reason]);
    }
    table.render(paint)
}

fn of_hold(view: &HoldView, when: &When, paint: Paint) -> String {
    let row = &view.row;
    let sign = sign(row);
    let state = format!("{} {}", paint.sign(sign), row.state);
    let mut text = format!("{}  {}  {}\n", paint.tone(&state, sign.tone()), row.id, clip(&row.reason, 160));
    let ticket = row.ticket.as_ref().map(|ticket| format!(", {ticket}")).unwrap_or_default();
    text.push_str(&part(paint, "Owner", &[format!("{}; ask {}{ticket}", row.owner, row.contact)]));
    text.push_str(&part(paint, "When", &[format!("{} to {}, revision {}", when.said(&row.placed), when.said(&row.until), row.revision)]));
    let named: Vec<String> = view.host_names.iter().take(12).cloned().collect();
    let more = view.host_names.len().saturating_sub(named.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    text.push_str(&part(paint, "Where", &[format!("{}: {}{more}", row.scope, named.join(", "))]));
    text.push_str(&part(paint, "Broken", &view.broken_on));
    text.push_str(&part(paint, "Waits", &view.would_change));
    if !view.handed_over.is_empty() {
        text.push_str(&part(paint, "Free", &[view.handed_over.join(", ")]));
    }
    text.push_str(&part(paint, "Ended", &view.end.iter().cloned().collect::<Vec<_>>()));
    let next = match row.state.as_str() {
        "released" => vec![],
        _ => vec![format!("belay hold extend {} --for 8h", row.id), format!("belay hold release {} --reason \"...\"", row.id)],
    };
    text.push_str(&part(paint, "Next", &next));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::out::when::Zone;

    fn row(id: &str, state: &str, broken: u32) -> HoldRow {
        HoldRow {
            id: id.to_owned(),
            state: state.to_owned(),
            scope: "hosts web1*".to_owned(),
            hosts: 15,
            owner: "alice".to_owned(),
            reason: "release 142 needs new files".to_owned(),
            ticket: Some("OPS-7".to_owned()),
            contact: "alice, room 4".to_owned(),
            placed: "2026-11-22T10:00:00Z".to_owned(),
            until: "2026-11-22T18:00:00Z".to_owned(),
            broken,
            revision: 2,
        }
    }

    #[test]
    fn holds_show_what_was_broken_and_what_waits() {
        let rows =
            [row("h-1", "active", 0), row("h-2", "active", 3), row("h-3", "expired, waiting for its owner", 0), row("h-4", "released", 0)];
        insta::assert_snapshot!("list", page(&rows, &When::new(Zone::Utc), Paint::plain()));
        let view = HoldView {
            row: row("h-3", "expired, waiting for its owner", 1),
            host_names: (1..=15).map(|n| format!("web{n:02}")).collect(),
            broken_on: vec!["broken by hand on web03 at 2026-11-22T12:00:00Z; put back".to_owned()],
            handed_over: vec!["web01".to_owned()],
            would_change: vec!["File[/etc/app.conf] content (on 2 hosts)".to_owned()],
            end: None,
        };
        insta::assert_snapshot!("one", of_hold(&view, &When::new(Zone::Utc), Paint::plain()));
    }
}

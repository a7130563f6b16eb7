//! `belay audit`: who did what, and when.

use belay_api::http::NoteRow;

use crate::again::Again;
use crate::out::inert::clip;
use crate::out::paint::{Colour, Paint, Sign};
use crate::out::table::Table;
use crate::out::when::When;
use crate::session::{Form, Reach, Session};

/// What to list.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Only of this kind: security, warning or info
    #[arg(long, value_parser = ["security", "warning", "info"], hide_possible_values = true)]
    pub kind: Option<String>,
    /// How many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    form: Form,
    #[command(flatten)]
    again: Again,
}

/// Lists the audit.
///
/// # Errors
/// The server's refusal, or why it could not be asked.
pub async fn run(args: &Args, colour: Colour) -> anyhow::Result<u8> {
    args.again.show(&args.form, colour, async || once(args, colour).await).await
}

async fn once(args: &Args, colour: Colour) -> anyhow::Result<u8> {
    let session = Session::new(&args.reach, &args.form, colour)?;
    session
        .list("/api/v1/audit", &[("kind", args.kind.clone())], args.limit as usize, |session, rows| {
            page(rows, &session.when, session.paint)
        })
        .await?;
    Ok(0)
}

fn page(rows: &[NoteRow], when: &When, paint: Paint) -> String {
    let mut table = Table::new(&["KIND", "AT", "WHO", "HOST", "WHAT"]);
    for row in rows {
        let sign = match row.kind.as_str() {
            "security" => Sign::Bad,
            "warning" => Sign::Warn,
            _ => Sign::Good,
        };
        let host = row.host.clone().unwrap_or_else(|| "-".to_owned());
        table.row(sign.tone(), [row.kind.clone(), when.said(&row.at), clip(&row.actor, 40), host, clip(&row.text, 120)]);
    }
    table.render(paint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::out::when::Zone;

    #[test]
    fn a_line_of_the_audit_says_who_did_what() {
        let row = |kind: &str, actor: &str, text: &str| NoteRow {
            seq: 1,
            at: "2026-11-22T02:14:07Z".to_owned(),
            kind: kind.to_owned(),
            fact: "noted".to_owned(),
            actor: actor.to_owned(),
            host: None,
            text: text.to_owned(),
        };
        let rows = [row("info", "alice", "c-2 accepted: false alarm\u{202e}"), row("security", "host:web01", "tried to speak for web02")];
        insta::assert_snapshot!(page(&rows, &When::new(Zone::Utc), Paint::plain()));
    }
}

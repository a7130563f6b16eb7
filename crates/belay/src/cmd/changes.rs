//! `belay changes`: the feed of Changes.

use belay_api::http::ChangeRow;

use super::verdict;
use crate::again::Again;
use crate::out::inert::clip;
use crate::out::paint::{Colour, Paint};
use crate::out::table::Table;
use crate::out::when::When;
use crate::session::{Form, Reach, Session};

/// Longest text of what a Change is, in characters.
const WHAT_MAX: usize = 90;

/// How a Change can stand.
const STANDINGS: [&str; 5] = ["on trial", "suspect", "accepted", "rejected", "inconclusive"];

/// What to list.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Only of this class
    #[arg(long)]
    pub class: Option<String>,
    /// Only those that stand so: "on trial", suspect, accepted, rejected or inconclusive
    #[arg(long, value_name = "WORD", value_parser = STANDINGS, hide_possible_values = true)]
    pub standing: Option<String>,
    /// How many
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    form: Form,
    #[command(flatten)]
    again: Again,
}

/// Lists Changes.
///
/// # Errors
/// The server's refusal, or why it could not be asked.
pub async fn run(args: &Args, colour: Colour) -> anyhow::Result<u8> {
    args.again.show(&args.form, colour, async || once(args, colour).await).await
}

async fn once(args: &Args, colour: Colour) -> anyhow::Result<u8> {
    let session = Session::new(&args.reach, &args.form, colour)?;
    let parameters = [("class", args.class.clone()), ("standing", args.standing.clone())];
    session
        .list("/api/v1/changes", &parameters, args.limit as usize, |session, rows| {
            page(rows, args.class.is_some() || args.standing.is_some(), &session.when, session.paint)
        })
        .await?;
    Ok(0)
}

fn page(rows: &[ChangeRow], filtered: bool, when: &When, paint: Paint) -> String {
    if rows.is_empty() && filtered {
        return "no Change is of that class and stands so; `belay status` lists the classes\n".to_owned();
    }
    if rows.is_empty() {
        return "no Changes: nothing new has come to any host since it was enrolled\n".to_owned();
    }
    table(rows, when, paint)
}

/// Changes as a table.
pub fn table(rows: &[ChangeRow], when: &When, paint: Paint) -> String {
    let mut table = Table::new(&["VERDICT", "CHANGE", "CLASS", "RELEASE", "HOSTS", "FIRST HOST", "WHAT"]);
    for row in rows {
        let release = row.release.clone().unwrap_or_else(|| "-".to_owned());
        let began = when.said(&row.began);
        table.row(
            verdict::sign(row).tone(),
            [
                verdict::standing(row, paint),
                row.id.clone(),
                row.class.clone(),
                release,
                verdict::hosts(row),
                began,
                clip(&row.what, WHAT_MAX),
            ],
        );
    }
    table.render(paint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::samples;
    use crate::out::when::Zone;

    #[test]
    fn every_standing_has_its_sign() {
        let rows = ["accepted", "rejected", "inconclusive", "suspect", "on trial"].map(|standing| samples::row("c-2", standing));
        insta::assert_snapshot!(page(&rows, false, &When::new(Zone::Utc), Paint::plain()));
        assert!(page(&[], false, &When::new(Zone::Utc), Paint::plain()).starts_with("no Changes: nothing new"));
        assert!(page(&[], true, &When::new(Zone::Utc), Paint::plain()).starts_with("no Change is of that class"));
    }
}

//! `belay alerts`: the outbox. What was delivered is gone from it.

use belay_api::http::EffectRow;

use crate::again::Again;
use crate::out::inert::clip;
use crate::out::paint::{Colour, Paint, Sign};
use crate::out::table::Table;
use crate::out::when::When;
use crate::session::{Form, Reach, Session};

/// What to list.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// How many
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    form: Form,
    #[command(flatten)]
    again: Again,
}

/// Lists alerts that are not delivered.
///
/// # Errors
/// The server's refusal, or why it could not be asked.
pub async fn run(args: &Args, colour: Colour) -> anyhow::Result<u8> {
    args.again.show(&args.form, colour, async || once(args, colour).await).await
}

async fn once(args: &Args, colour: Colour) -> anyhow::Result<u8> {
    let session = Session::new(&args.reach, &args.form, colour)?;
    session.list("/api/v1/alerts", &[], args.limit as usize, |session, rows| page(rows, &session.when, session.paint)).await?;
    Ok(0)
}

fn page(rows: &[EffectRow], when: &When, paint: Paint) -> String {
    if rows.is_empty() {
        return "no alerts wait: all that were asked for are delivered\n".to_owned();
    }
    let mut table = Table::new(&["STATE", "ALERT", "ABOUT", "TO", "TRIED", "ASKED", "NEXT TRY", "LAST ERROR"]);
    for row in rows {
        let (sign, word) = match (row.dead, row.attempts) {
            (true, _) => (Sign::Bad, "given up"),
            (false, 0) => (Sign::Waiting, "waits"),
            (false, _) => (Sign::Warn, "tried again"),
        };
        let state = format!("{} {word}", paint.sign(sign));
        let next = when.said_or(row.next_try.as_deref(), "never");
        let error = clip(row.last_error.as_deref().unwrap_or("-"), 80);
        let (id, about, receiver) = (row.id.clone(), row.about.clone(), row.receiver.clone());
        table.row(sign.tone(), [state, id, about, receiver, row.attempts.to_string(), when.said(&row.asked), next, error]);
    }
    table.render(paint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::out::when::Zone;

    #[test]
    fn dead_letters_are_told_from_what_is_tried_again() {
        let row = |id: &str, attempts: u32, dead: bool| EffectRow {
            id: id.to_owned(),
            task: "notify".to_owned(),
            receiver: "team".to_owned(),
            about: "c-2".to_owned(),
            attempts,
            asked: "2026-11-22T02:14:07Z".to_owned(),
            next_try: (!dead).then(|| "2026-11-22T02:15:07Z".to_owned()),
            last_error: (attempts > 0).then(|| "503 Service Unavailable".to_owned()),
            dead,
        };
        let rows = [row("e-1", 12, true), row("e-2", 1, false), row("e-3", 0, false)];
        insta::assert_snapshot!(page(&rows, &When::new(Zone::Utc), Paint::plain()));
    }
}

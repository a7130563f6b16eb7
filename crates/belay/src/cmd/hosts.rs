//! `belay hosts`: the fleet, a host a line.

use belay_api::http::HostRow;

use crate::again::Again;
use crate::out::inert::clip;
use crate::out::paint::{Colour, Paint, Sign, Tone, sign_of};
use crate::out::table::Table;
use crate::out::told::count;
use crate::out::when::When;
use crate::session::{Form, Reach, Session};

const TEXT_MAX: usize = 60;

/// What to list.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Only of this class
    #[arg(long)]
    pub class: Option<String>,
    /// How many
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    form: Form,
    #[command(flatten)]
    again: Again,
}

/// Lists hosts.
///
/// # Errors
/// The server's refusal, or why it could not be asked.
pub async fn run(args: &Args, colour: Colour) -> anyhow::Result<u8> {
    args.again.show(&args.form, colour, async || once(args, colour).await).await
}

async fn once(args: &Args, colour: Colour) -> anyhow::Result<u8> {
    let session = Session::new(&args.reach, &args.form, colour)?;
    let parameters = [("class", args.class.clone())];
    session
        .list("/api/v1/hosts", &parameters, args.limit as usize, |session, rows| {
            page(rows, args.class.is_some(), &session.when, session.paint)
        })
        .await?;
    Ok(0)
}

fn page(rows: &[HostRow], filtered: bool, when: &When, paint: Paint) -> String {
    if rows.is_empty() && filtered {
        return "no host is of that class; `belay status` lists the classes\n".to_owned();
    }
    if rows.is_empty() {
        return "no hosts: none has sent a report yet\n".to_owned();
    }
    let mut table = Table::new(&["LAST RUN", "HOST", "CLASS", "RELEASE", "ENVIRONMENT", "AT", "NOTE"]);
    for row in rows {
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
        let kind = row.last_run.as_ref().map_or("none", |run| run.kind.as_str());
        let at = when.said_or(row.last_run.as_ref().map(|run| run.at.as_str()), "-");
        let (tone, state) = state(row, kind, paint);
        table.row(
            tone,
            [state, row.name.clone(), row.class.clone(), text(&row.release), text(&row.environment), at, clip(&note(row), TEXT_MAX)],
        );
    }
    table.render(paint)
}

/// The kind of its last run, with the sign of the worst that is known of the host.
fn state(row: &HostRow, kind: &str, paint: Paint) -> (Tone, String) {
    let sign = if row.trouble.is_some() {
        Sign::Warn
    } else if row.failing > 0 {
        Sign::Bad
    } else {
        sign_of(kind)
    };
    (sign.tone(), format!("{} {kind}", paint.sign(sign)))
}

fn note(row: &HostRow) -> String {
    let failing = (row.failing > 0).then(|| format!("{} failing", count(row.failing, "resource")));
    let trouble = row.trouble.as_ref().map(|trouble| trouble.text.clone());
    [failing, trouble].into_iter().flatten().collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use belay_api::http::{LastRunView, TroubleView};

    use super::*;
    use crate::out::when::Zone;

    fn host(name: &str, kind: Option<&str>) -> HostRow {
        HostRow {
            name: name.to_owned(),
            class: "web".to_owned(),
            release: Some("142".to_owned()),
            environment: Some("r142".to_owned()),
            version: None,
            last_run: kind.map(|kind| LastRunView { kind: kind.to_owned(), at: "2026-11-22T02:14:07Z".to_owned(), id: "run-7".to_owned() }),
            last_applied: None,
            failing: 0,
            trouble: None,
        }
    }

    #[test]
    fn hosts_show_the_worst_that_is_known_first() {
        let trouble = TroubleView { at: "2026-11-22T02:14:07Z".to_owned(), text: "report unreadable at byte 17: \x1b[2J".to_owned() };
        let rows = [
            host("web01.example.com", Some("unchanged")),
            HostRow { failing: 2, ..host("web02", Some("changed")) },
            HostRow { trouble: Some(trouble), release: None, ..host("web03", None) },
        ];
        insta::assert_snapshot!(page(&rows, false, &When::new(Zone::Utc), Paint::plain()));
        insta::assert_snapshot!(page(&[], false, &When::new(Zone::Utc), Paint::plain()), @"no hosts: none has sent a report yet");
    }
}

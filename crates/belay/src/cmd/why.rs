//! `belay why ID|HOST`: a Change or a host explained in plain words.

use belay_api::http::{ChangeRow, WhyView};

use super::verdict;
use crate::again::Again;
use crate::client::escaped;
use crate::out::inert::inert;
use crate::out::paint::{Colour, Paint, Tone};
use crate::session::{Form, Reach, Session};

/// What to explain.
#[derive(clap::Args, Debug)]
#[command(after_help = "Exit codes of a Change: 0 accepted, 2 rejected, 3 inconclusive, 4 still on trial.")]
pub struct Args {
    /// A Change (c-17) or a host
    #[arg(value_name = "ID|HOST")]
    pub subject: String,
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    form: Form,
    #[command(flatten)]
    again: Again,
}

/// Explains a Change or a host.
///
/// # Errors
/// The server's refusal, or why it could not be asked.
pub async fn run(args: &Args, colour: Colour) -> anyhow::Result<u8> {
    args.again.show(&args.form, colour, async || once(args, colour).await).await
}

async fn once(args: &Args, colour: Colour) -> anyhow::Result<u8> {
    let session = Session::new(&args.reach, &args.form, colour)?;
    let subject = escaped(&args.subject);
    session.show(&format!("/api/v1/why/{subject}"), |session, view: &WhyView| lines(view, session.paint)).await?;
    if !is_change(&args.subject) {
        return Ok(0);
    }
    let row: ChangeRow = session.client.get(&format!("/api/v1/changes/{subject}")).await?;
    Ok(verdict::exit_code(&row))
}

/// Whether this is the number of a Change; a host of that name cannot be explained before the Change is.
fn is_change(subject: &str) -> bool {
    belay_core::model::ids::ChangeId::parse(subject).is_some()
}

fn lines(view: &WhyView, paint: Paint) -> String {
    let mut text = String::new();
    for (index, line) in view.lines.iter().enumerate() {
        let line = inert(line);
        let shown = if index == 0 { paint.tone(&line, Tone::Strong) } else { format!("  {line}") };
        text.push_str(&format!("{shown}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_explanation_is_a_headline_and_its_lines() {
        let view = WhyView { subject: "c-2".to_owned(), lines: vec!["c-2 is rejected".to_owned(), "harm: flow\x1b[2J stopped".to_owned()] };
        assert_eq!(lines(&view, Paint::plain()), "c-2 is rejected\n  harm: flow\\x1b[2J stopped\n");
        assert!(is_change("c-2") && !is_change("c-2.example.com") && !is_change("web01"));
    }
}

//! `--watch`: a list or a status asked for again and again. On a terminal it is drawn in its place, elsewhere one follows the other.

use std::io::IsTerminal;
use std::time::Duration;

use clap::Args;

use crate::fault::{Fault, is_closed_pipe, told};
use crate::out::paint::{Colour, Paint, Tone};
use crate::out::screen::Screen;
use crate::out::when::{When, Zone, now};
use crate::out::{self, Output};
use crate::session::Form;

/// Whether to show it again.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Output")]
pub struct Again {
    /// Show it again every SECONDS, 2 when left out, until Ctrl-C: in place on a terminal, else one after the other
    #[arg(
        long,
        value_name = "SECONDS",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "2",
        value_parser = clap::value_parser!(u32).range(1..=86_400)
    )]
    pub watch: Option<u32>,
}

impl Again {
    /// Refuses it where something is done, once.
    ///
    /// # Errors
    /// When it was asked for.
    pub fn refuse(self, what: &str) -> Result<(), Fault> {
        match self.watch {
            None => Ok(()),
            Some(_) => Err(Fault::usage(format!("{what} is done once: --watch does not go with it"))),
        }
    }

    /// Does what shows it: once, or again and again. What it prints is kept until it is whole, so that nobody sees half of it.
    ///
    /// # Errors
    /// What the first time came to. Later ones are shown, and tried again: a server may be started anew while somebody watches.
    pub async fn show(self, form: &Form, colour: Colour, mut shown: impl AsyncFnMut() -> anyhow::Result<u8>) -> anyhow::Result<u8> {
        let Some(seconds) = self.watch else { return shown().await };
        let paint = Paint::stdout(colour);
        let when = When::new(if form.utc { Zone::Utc } else { Zone::Local });
        let live = form.output == Output::Table && std::io::stdout().is_terminal();
        let (mut screen, mut last) = (Screen::default(), None);
        loop {
            let (text, done) = out::keep(&mut shown).await;
            let said = match (done, last.take()) {
                (Ok(_), _) => text,
                (Err(error), Some(before)) if !is_closed_pipe(&error) => {
                    let (text, _, _) = told(&error);
                    let trouble = format!("{} {}\n", paint.tone("error:", Tone::Bad), out::inert::inert_lines(&text));
                    if !live {
                        out::note(trouble.trim_end());
                    }
                    last = Some(before);
                    if live { format!("{}\n{trouble}", last.as_deref().unwrap_or_default()) } else { String::new() }
                }
                (Err(error), _) => return Err(error),
            };
            let head = format!("every {seconds} s, {}; Ctrl-C ends", when.full(now()));
            match (live, form.output) {
                (true, _) => screen.draw(&format!("{}\n\n{said}", paint.tone(&head, Tone::Faint)))?,
                (false, _) if said.is_empty() => {}
                (false, Output::Table) => out::put(&format!("-- {}\n{said}", when.full(now())))?,
                (false, Output::Json | Output::Jsonl) => out::put(&said)?,
            }
            last.get_or_insert(said);
            tokio::time::sleep(Duration::from_secs(u64::from(seconds))).await;
        }
    }
}

//! `belay`, the operator's binary: wiring only. What can be asked stands in `cli`, each command in `cmd`, the demo in `demo`, recorded cases in `judge`.

mod again;
mod cli;
mod client;
mod cmd;
mod demo;
mod fault;
mod judge;
mod out;
mod profile;
mod session;

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches};

use crate::cli::Cli;
use crate::fault::{code, is_closed_pipe, told};
use crate::out::inert::{inert, inert_lines};
use crate::out::paint::{Colour, Paint, Tone};

fn main() -> ExitCode {
    let colour = Colour::asked_for(std::env::args_os().skip(1));
    let parsed = Cli::command().color(colour.of_help()).try_get_matches().and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => {
            let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            // Whether help can be printed does not change what was asked.
            let _ = error.print();
            return ExitCode::from(if asked { code::OK } else { code::USAGE });
        }
    };
    match cmd::run(cli) {
        Ok(code) => ExitCode::from(code),
        Err(error) if is_closed_pipe(&error) => ExitCode::from(code::OK),
        Err(error) => ExitCode::from(complain(&error, colour)),
    }
}

/// Says what went wrong and what to do; the exit code.
fn complain(error: &anyhow::Error, colour: Colour) -> u8 {
    let (text, help, code) = told(error);
    let paint = Paint::stderr(colour);
    out::note(&format!("{} {}", paint.tone("error:", Tone::Bad), inert_lines(&text)));
    if let Some(help) = help {
        out::note(&format!("{} {}", paint.tone("help:", Tone::Busy), inert(&help)));
    }
    code
}

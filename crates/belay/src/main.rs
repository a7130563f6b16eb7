//! `belay`, the operator's binary: wiring only. What can be asked stands in `cli`, each command in `cmd`, the demo in `demo`, recorded cases in `judge`.

mod cli;
mod client;
mod cmd;
mod demo;
mod fault;
mod judge;
mod out;
mod session;

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use crate::cli::Cli;
use crate::fault::{code, is_closed_pipe, told};
use crate::out::inert::{inert, inert_lines};
use crate::out::paint::{Colour, Paint, Tone};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            // Whether help can be printed does not change what was asked.
            let _ = error.print();
            return ExitCode::from(if asked { code::OK } else { code::USAGE });
        }
    };
    let colour = cli.color;
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

//! The commands, a file each. Every command that asks a server makes a [`Session`] and prints what it was answered.

pub mod alerts;
pub mod audit;
pub mod changes;
pub mod check;
pub mod config;
pub mod demo;
pub mod gate;
pub mod health;
pub mod hold;
pub mod hosts;
pub mod ingest;
pub mod judge;
pub mod pin;
pub mod revert;
pub mod ruling;
#[cfg(test)]
pub mod samples;
pub mod selfcheck;
pub mod serve;
pub mod show;
pub mod status;
pub mod token;
pub mod verdict;
pub mod watch;
pub mod why;

use anyhow::Context;

use crate::cli::{Cli, Command};

/// Does what was asked; the exit code.
///
/// # Errors
/// What could not be done, with the next step.
pub fn run(cli: Cli) -> anyhow::Result<u8> {
    let colour = cli.color;
    match cli.command {
        Command::Config(args) => config::run(&args, colour),
        Command::Judge(args) => judge::run(&args, colour),
        Command::Serve(args) => serve::run(&args, colour),
        Command::Demo(args) => demo::run(&args, colour),
        Command::Ingest(args) => wait(ingest::run(&args, colour)),
        Command::Status(args) => wait(status::run(&args, colour)),
        Command::Hosts(args) => wait(hosts::run(&args, colour)),
        Command::Changes(args) => wait(changes::run(&args, colour)),
        Command::Show(args) => wait(show::run(&args, colour)),
        Command::Why(args) => wait(why::run(&args, colour)),
        Command::Watch(args) => wait(watch::run(&args, colour)),
        Command::Accept(args) => wait(ruling::run(&args, ruling::Ruling::Accept, colour)),
        Command::Reject(args) => wait(ruling::run(&args, ruling::Ruling::Reject, colour)),
        Command::Hold(args) => wait(hold::run(&args, colour)),
        Command::Gate(args) => wait(gate::run(&args, colour)),
        Command::Pin(args) => wait(pin::run(&args, colour)),
        Command::Revert(args) => wait(revert::run(&args, colour)),
        Command::Lint(args) => wait(health::lint(&args, colour)),
        Command::Check(args) => wait(check::run(&args, colour)),
        Command::Doctor(args) => wait(health::doctor(&args, colour)),
        Command::Selfcheck(args) => wait(selfcheck::run(&args, colour)),
        Command::Alerts(args) => wait(alerts::run(&args, colour)),
        Command::Audit(args) => wait(audit::run(&args, colour)),
        Command::Token(args) => wait(token::run(&args, colour)),
    }
}

/// Runs a command that asks a server: one thread is enough for it.
fn wait(command: impl Future<Output = anyhow::Result<u8>>) -> anyhow::Result<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("could not start the runtime")?.block_on(command)
}

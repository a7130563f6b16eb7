//! The commands, a file each. Every command that asks a server makes a [`Session`] and prints what it was answered.

pub mod alerts;
pub mod audit;
pub mod backup;
pub mod changes;
pub mod check;
pub mod config;
pub mod demo;
pub mod events;
pub mod fsck;
pub mod gate;
pub mod health;
pub mod hold;
pub mod hosts;
pub mod ingest;
pub mod judge;
pub mod manual;
pub mod pin;
pub mod plan;
pub mod profile;
pub mod publish;

pub mod revert;
pub mod role;
pub mod ruling;
#[cfg(test)]
pub mod samples;
pub mod selfcheck;
pub mod serve;
pub mod sessions;
pub mod show;
pub mod status;
pub mod token;
pub mod user;
pub mod verdict;
pub mod wait;
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
        Command::Completion(args) => manual::completion(&args),
        Command::Man(args) => manual::man(&args, colour),
        Command::Backup(args) => on_this_thread(backup::take(&args, colour)),
        Command::Restore(args) => backup::restore(&args, colour),
        Command::Fsck(args) => fsck::run(&args, colour),
        Command::Profile(args) => profile::run(&args, colour),
        Command::Serve(args) => serve::run(&args, colour),
        Command::Demo(args) => demo::run(&args, colour),
        Command::Ingest(args) => on_this_thread(ingest::run(&args, colour)),
        Command::Status(args) => on_this_thread(status::run(&args, colour)),
        Command::Hosts(args) => on_this_thread(hosts::run(&args, colour)),
        Command::Changes(args) => on_this_thread(changes::run(&args, colour)),
        Command::Show(args) => on_this_thread(show::run(&args, colour)),
        Command::Why(args) => on_this_thread(why::run(&args, colour)),
        Command::Plan(args) => on_this_thread(plan::run(&args, colour)),
        Command::Wait(args) => on_this_thread(wait::run(&args, colour)),
        Command::Events(args) => on_this_thread(events::run(&args, colour)),
        Command::Watch(args) => on_this_thread(watch::run(&args, colour)),
        Command::Accept(args) => on_this_thread(ruling::run(&args, ruling::Ruling::Accept, colour)),
        Command::Reject(args) => on_this_thread(ruling::run(&args, ruling::Ruling::Reject, colour)),
        Command::Override(args) => on_this_thread(ruling::overrule(&args, colour)),
        Command::Hold(args) => on_this_thread(hold::run(&args, colour)),
        Command::Gate(args) => on_this_thread(gate::run(&args, colour)),
        Command::Pin(args) => on_this_thread(pin::run(&args, colour)),
        Command::Publish(args) => on_this_thread(publish::run(&args, colour)),
        Command::Revert(args) => on_this_thread(revert::run(&args, colour)),
        Command::Lint(args) => on_this_thread(health::lint(&args, colour)),
        Command::Check(args) => on_this_thread(check::run(&args, colour)),
        Command::Doctor(args) => on_this_thread(health::doctor(&args, colour)),
        Command::Selfcheck(args) => on_this_thread(selfcheck::run(&args, colour)),
        Command::Alerts(args) => on_this_thread(alerts::run(&args, colour)),
        Command::Audit(args) => on_this_thread(audit::run(&args, colour)),
        Command::Token(args) => on_this_thread(token::run(&args, colour)),
        Command::User(args) => on_this_thread(user::run(&args, colour)),
        Command::Role(args) => role::run(&args, colour),
        Command::Session(args) => on_this_thread(sessions::run(&args, colour)),
    }
}

/// Runs a command that asks a server: one thread is enough for it.
fn on_this_thread(command: impl Future<Output = anyhow::Result<u8>>) -> anyhow::Result<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("could not start the runtime")?.block_on(command)
}

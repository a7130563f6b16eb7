//! The command line: what there is, in the words of the manual.

use clap::{Parser, Subcommand};

use crate::cmd;
use crate::out::paint::Colour;

/// The safety catch of configuration management: every change of a host is on trial until your monitoring says that it did no harm.
#[derive(Parser, Debug)]
#[command(name = "belay", version, max_term_width = 100, after_help = AFTER)]
pub struct Cli {
    /// When to use colour: auto, always or never
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "WHEN",
        default_value = "auto",
        hide_possible_values = true,
        hide_default_value = true
    )]
    pub color: Colour,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

const AFTER: &str = "\
Begin with `belay demo`: a whole incident in under a minute, on this machine, leaving nothing behind.

Exit codes: 0 done, 1 could not be done, 64 usage.
Of show, why, watch and wait on a Change: 0 accepted, 2 rejected, 3 inconclusive, 4 still on trial.
Of gate check: 0 go, 10 held, 11 refused or deferred.";

/// What to do.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Play the incident Belay exists for, on simulated hosts and the real server
    Demo(cmd::demo::Args),
    /// Run the server
    Serve(cmd::serve::Args),
    /// Take in reports from files
    Ingest(cmd::ingest::Args),
    /// Everything at one glance, or one host or class
    Status(cmd::status::Args),
    /// List hosts
    Hosts(cmd::hosts::Args),
    /// List Changes, newest first
    Changes(cmd::changes::Args),
    /// Show a Change (c-17) or a run (run-42)
    Show(cmd::show::Args),
    /// Explain a Change or a host in plain words
    Why(cmd::why::Args),
    /// Say what would go next, and to whom
    Plan(cmd::plan::Args),
    /// Wait for the verdict on a Change, and end with its exit code
    Wait(cmd::wait::Args),
    /// Follow a Change until there is a verdict
    Watch(cmd::watch::Args),
    /// Show what happened, and with -f what happens
    Events(cmd::events::Args),
    /// Accept a Change, whatever the judge says
    Accept(cmd::ruling::Args),
    /// Reject a Change, whatever the judge says
    Reject(cmd::ruling::Args),
    /// Accept or reject a Change, whatever the judge says
    Override(cmd::ruling::Override),
    /// Hold the tool on hosts: a pause with owner, reason and end
    Hold(cmd::hold::Args),
    /// Ask the gate whether a run may go ahead
    Gate(cmd::gate::Args),
    /// Fix hosts to an environment for a time
    Pin(cmd::pin::Args),
    /// Offer a deployment to the hosts of its branch, wave by wave
    Publish(cmd::publish::Args),
    /// Take a Change back on the hosts that got it
    Revert(cmd::revert::Args),
    /// Check that every declared signal has data
    Lint(cmd::health::Args),
    /// Check that configuration management is well on the hosts, as a monitoring plugin
    Check(cmd::check::Args),
    /// Check the installation
    Doctor(cmd::health::Args),
    /// Show how often the judge rejects where nothing had changed
    Selfcheck(cmd::selfcheck::Args),
    /// List alerts that wait, are tried again, or were given up
    Alerts(cmd::alerts::Args),
    /// List who did what, newest first
    Audit(cmd::audit::Args),
    /// Issue, list and end credentials
    Token(cmd::token::Args),
    /// Manage accounts of people, who log in to the pages
    User(cmd::user::Args),
    /// Say what each role may do
    Role(cmd::role::Args),
    /// List and end sessions of people who logged in
    Session(cmd::sessions::Args),
    /// Take a backup of everything, also while the server works
    Backup(cmd::backup::Backup),
    /// Put a backup into a new state directory
    Restore(cmd::backup::Restore),
    /// Check that what is on disk is what was written
    Fsck(cmd::fsck::Args),
    /// Keep servers by name on this machine, for --profile
    Profile(cmd::profile::Args),
    /// Check a configuration file, without a server
    Config(cmd::config::Args),
    /// Judge recorded cases, without a server
    Judge(cmd::judge::Args),
    /// Print what makes a shell complete commands and options
    Completion(cmd::manual::Completion),
    /// Write the manual pages
    Man(cmd::manual::Man),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    /// The help of a command, as on a terminal of 100 columns.
    fn help(path: &[&str]) -> String {
        let mut command = Cli::command().term_width(100);
        command.build();
        let found = path.iter().try_fold(&mut command, |command, name| command.find_subcommand_mut(name));
        found.expect("there is such a command").clone().render_help().to_string()
    }

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_lists_everything() {
        insta::assert_snapshot!(help(&[]));
    }

    #[test]
    fn help_of_the_main_commands() {
        for path in [
            &["serve"][..],
            &["demo"],
            &["ingest"],
            &["show"],
            &["watch"],
            &["accept"],
            &["changes"],
            &["token", "add"],
            &["hold", "add"],
            &["revert"],
            &["backup"],
            &["restore"],
            &["fsck"],
            &["events"],
            &["wait"],
            &["plan"],
            &["override"],
            &["profile", "add"],
            &["selfcheck"],
        ] {
            insta::assert_snapshot!(path.join("-"), help(path));
        }
    }

    #[test]
    fn every_list_and_status_can_be_watched() {
        fn check(path: &str, command: &clap::Command) {
            let asks = command.get_arguments().any(|arg| arg.get_id() == "server") && command.get_name() == "list";
            let status = ["status", "hosts", "changes", "show", "why", "plan", "lint", "doctor", "alerts", "audit", "pin", "revert"];
            if asks || status.contains(&path) {
                assert!(command.get_arguments().any(|arg| arg.get_id() == "watch"), "{path} cannot be watched");
            }
            command.get_subcommands().for_each(|below| check(&format!("{path} {}", below.get_name()), below));
        }
        let cli = Cli::command();
        cli.get_subcommands().for_each(|command| check(command.get_name(), command));
        assert!(cli.find_subcommand("hold").and_then(|hold| hold.find_subcommand("list")).is_some());
    }

    #[test]
    fn every_command_and_option_says_what_it_is_for() {
        fn check(command: &clap::Command) {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
                assert!(arg.get_help().is_some(), "{} {}", command.get_name(), arg.get_id());
            }
            command.get_subcommands().filter(|command| command.get_name() != "help").for_each(check);
        }
        check(&Cli::command());
    }
}

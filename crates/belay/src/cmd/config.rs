//! `belay config check FILE`: what the server would read, with every mistake, its place and its remedy; without a server.

use std::path::PathBuf;

use belay_api::config::Config;
use belay_server::config::{self, LoadError};
use clap::Subcommand;

use crate::fault::{Fault, code};
use crate::out;
use crate::out::inert::inert_lines;
use crate::out::paint::{Colour, Paint, Tone};
use crate::out::told::{count, told};

/// What to do with a configuration.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// What to do
    #[command(subcommand)]
    pub action: Action,
}

/// What to do with a configuration.
#[derive(Subcommand, Debug)]
pub enum Action {
    /// Read a file with its drop-ins and name every mistake; exit code 1 when there is one
    Check(Check),
}

/// What to check.
#[derive(clap::Args, Debug)]
pub struct Check {
    /// The file; its drop-ins are FILE.d/*.toml
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

/// Checks a configuration.
///
/// # Errors
/// When a file cannot be read.
pub fn run(args: &Args, colour: Colour) -> anyhow::Result<u8> {
    let Action::Check(check) = &args.action;
    let paint = Paint::stderr(colour);
    match config::read(Some(&check.file)) {
        Ok(config) => {
            warnings(&config).iter().for_each(|warning| out::note(&format!("{} {warning}", paint.tone("warning:", Tone::Warn))));
            out::put(&format!("{}\n", told(Paint::stdout(colour), Tone::Good, "In order", &summary(&config))))?;
            Ok(code::OK)
        }
        Err(LoadError::Mistakes(errors)) => {
            errors.iter().for_each(|error| out::note(&inert_lines(&error.to_string())));
            Err(Fault::new(format!("{} in {}: it cannot be used", count(errors.len(), "mistake"), check.file.display())).into())
        }
        Err(error) => Err(error.into()),
    }
}

/// What is configured, counted.
pub fn summary(config: &Config) -> String {
    let policy = &config.policy;
    let must_have = policy.signals.iter().filter(|signal| signal.must_have).count();
    let (classes, signals) = (count(policy.classes.len(), "class"), count(policy.signals.len(), "signal"));
    format!("{classes}, {signals} ({must_have} must-have), {} for alerts", count(policy.receivers.len(), "place"))
}

/// What is allowed, and yet hardly meant.
pub fn warnings(config: &Config) -> Vec<String> {
    let policy = &config.policy;
    let blind = policy.classes.iter().filter(|class| !policy.signals_of(&class.name).any(|signal| signal.must_have));
    let blind = blind.map(|class| format!("class {} has no must-have signal: every trial of it ends inconclusive", class.name));
    let quiet = policy.receivers.is_empty().then(|| "no [[alert]] is declared: nobody is told of a rejection".to_owned());
    blind.chain(quiet).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_that_could_never_be_accepted_is_warned_of() {
        let text = "[[class]]\nname = \"web\"\nhosts = [\"web*\"]\n";
        let config = belay_api::config::parse("a.toml", text).unwrap();
        assert_eq!(summary(&config), "1 class, 0 signals (0 must-have), 0 places for alerts");
        assert_eq!(warnings(&config).len(), 2, "{:?}", warnings(&config));
    }
}

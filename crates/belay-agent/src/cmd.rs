//! The commands.

pub mod gate;
pub mod glass;
pub mod status;
pub mod tell;

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use belay_agent::config::Config;
use belay_agent::kept::Kept;
use belay_agent::lock::inert;
use belay_agent::{daemon, enc as classifier};

/// How something is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Runs the daemon.
pub fn run(config: &Path) -> Result<()> {
    daemon::run(Config::load(config, None)?)
}

/// Classifies a host.
pub fn enc(config: &Path, host: &str) -> Result<()> {
    // A mistake in the configuration must not leave hosts without an answer.
    let config = Config::load(config, None).or_else(|why| {
        eprintln!("warning: {why:#}");
        Config::load(Path::new("/dev/null/none"), None)
    })?;
    let (answer, note) = classifier::answer(&config, &Kept::new(&config.state_dir), host)?;
    if let Some(note) = note {
        eprintln!("warning: {}", inert(&note));
    }
    std::io::stdout().write_all(&answer).context("cannot answer")
}

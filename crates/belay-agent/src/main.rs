//! The host's binary. See the library for what it does.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use belay_agent::{facts, tell};
use belay_core::model::ids::{HostId, Release};
use clap::{Parser, Subcommand};

/// Belay on a host: says which release it runs.
#[derive(Parser)]
#[command(name = "belay-agent", version, about)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Tell the server which release this host runs, and its facts. Call it when you deploy.
    Tell {
        /// The server's address.
        #[arg(long, env = "BELAY_SERVER", default_value = "http://127.0.0.1:7878")]
        server: String,
        /// A file that holds the secret of a credential that speaks for this host.
        #[arg(long, env = "BELAY_TOKEN_FILE")]
        token_file: PathBuf,
        /// PEM certificates that the server's certificate must chain to.
        #[arg(long)]
        ca: Option<PathBuf>,
        /// The host's name, as the tool of configuration management calls it.
        #[arg(long)]
        host: String,
        /// The release it runs.
        #[arg(long, conflicts_with = "release_file")]
        release: Option<String>,
        /// A file whose first line is the release it runs.
        #[arg(long)]
        release_file: Option<PathBuf>,
        /// A fact, as NAME=VALUE; may be repeated.
        #[arg(long = "fact")]
        facts: Vec<String>,
    },
}

fn main() -> ExitCode {
    match run(Args::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    let Command::Tell { server, token_file, ca, host, release, release_file, facts } = command;
    let host = HostId::parse(&host).map_err(|bad| anyhow::anyhow!("--host {host}: {bad}"))?;
    let release = match (release, release_file) {
        (Some(text), _) => Some(Release::parse(&text).map_err(|bad| anyhow::anyhow!("--release {text}: {bad}"))?),
        (None, Some(path)) => Some(facts::release_from_file(&path)?),
        (None, None) => None,
    };
    let facts = facts::facts_from_args(&facts)?;
    if release.is_none() && facts.is_empty() {
        bail!("nothing to tell: give --release, --release-file or --fact");
    }
    let secret = std::fs::read_to_string(&token_file).with_context(|| format!("cannot read {}", token_file.display()))?.trim().to_owned();
    let ca = ca.map(|path| std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))).transpose()?;
    let server = tell::Server { url: server, secret, ca };
    tell::facts(&server, &host, release.as_ref(), &facts)
}

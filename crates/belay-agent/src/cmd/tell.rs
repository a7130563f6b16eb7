//! `tell`: one request to the server, for whoever deploys.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use belay_agent::{facts, tell};
use belay_core::model::ids::{HostId, Release};
use clap::Args;

/// Arguments of `tell`.
#[derive(Args)]
pub struct TellArgs {
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
}

/// Tells the server.
pub fn tell(args: TellArgs) -> Result<()> {
    let TellArgs { server, token_file, ca, host, release, release_file, facts } = args;
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
    let server = tell::Server { url: server, secret: Some(secret), ca, own: None };
    tell::facts(&server, &host, release.as_ref(), &facts)
}

//! `belay serve`: the server in this process, until it is told to stop.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::Context;
use belay_adapters::tools;
use belay_server::config::{self as configuration, LoadError};
use belay_server::ledger::LedgerError;
use belay_server::{Exposure, FirstSecret, Options, Running, StartError};
use clap::ValueEnum;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use super::config::{summary, warnings};
use crate::fault::{Fault, code, fault};
use crate::out;
use crate::out::inert::inert_lines;
use crate::out::paint::{Colour, Paint, Tone};
use crate::out::told::{count, told};
use crate::session::STATE_DIR;

/// Where it listens when nobody says where.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 7878);

/// How to serve.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Without a configuration it observes: every run and Change is shown, and every trial ends inconclusive, because no signal is \
declared that could have shown harm. SIGHUP reads the configuration anew, and keeps the old one when there is a mistake in \
the new; the certificate it reads anew as well. SIGTERM and Ctrl-C end it when what it has begun is done.")]
pub struct Args {
    /// The configuration; its drop-ins are FILE.d/*.toml
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where state is kept; else what the configuration says, else ./belay-state
    #[arg(long, value_name = "DIR", env = "BELAY_STATE", hide_env_values = true)]
    pub state: Option<PathBuf>,
    /// Where to listen; else what the configuration says, else 127.0.0.1:7878
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<SocketAddr>,
    /// Accept that secrets travel in the clear: needed to listen on another address than this machine's own without a certificate
    #[arg(long)]
    pub plaintext: bool,
    /// Form of the log on stderr: text or json. BELAY_LOG sets what is logged, for example debug
    #[arg(long, value_enum, value_name = "FORM", default_value = "text", hide_possible_values = true)]
    pub log: Log,
}

/// Form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Log {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Serves until told to stop.
///
/// # Errors
/// Why it could not be started.
pub fn run(args: &Args, colour: Colour) -> anyhow::Result<u8> {
    log(args.log, colour);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("could not start the runtime")?;
    runtime.block_on(serve(args, colour))
}

/// Sends the log of this process to stderr.
pub fn log(form: Log, colour: Colour) {
    let filter = EnvFilter::try_from_env("BELAY_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let ansi = Paint::stderr(colour).coloured();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match form {
        Log::Text => log.with_ansi(ansi).init(),
        Log::Json => log.json().init(),
    }
}

async fn serve(args: &Args, colour: Colour) -> anyhow::Result<u8> {
    // Asked for before anything is open, so that no signal can end the process half-way.
    let mut terminated = signal(SignalKind::terminate()).context("could not listen to SIGTERM")?;
    let mut interrupted = signal(SignalKind::interrupt()).context("could not listen to SIGINT")?;
    let (options, state) = options(args)?;
    let running = belay_server::start(options).await.map_err(|error| not_started(error, args))?;
    greet(&running, &state, Paint::stdout(colour));
    tokio::select! {
        _ = terminated.recv() => tracing::info!("SIGTERM: stopping"),
        _ = interrupted.recv() => tracing::info!("SIGINT: stopping"),
    }
    tokio::select! {
        () = running.shutdown() => tracing::info!("stopped"),
        _ = interrupted.recv() => return Err(Fault::new("interrupted twice: stopped without waiting for connections").into()),
    }
    Ok(code::OK)
}

/// What the server is started with, and where its state is.
fn options(args: &Args) -> anyhow::Result<(Options, PathBuf)> {
    let config = configuration::read(args.config.as_deref()).map_err(|error| not_started(error.into(), args))?;
    tracing::info!("configuration: {}", summary(&config));
    warnings(&config).iter().for_each(|warning| tracing::warn!("{warning}"));
    let configured = config.server.state_dir.map(PathBuf::from);
    let state = args.state.clone().or(configured).unwrap_or_else(|| PathBuf::from(STATE_DIR));
    // Where the configuration says where to listen, the server reads it there.
    let listen = args.listen.or_else(|| config.server.listen.is_none().then_some(LISTEN));
    let exposure = if args.plaintext { Exposure::Plaintext } else { Exposure::LoopbackOnly };
    let options = Options { config: args.config.clone(), state_dir: Some(state.clone()), listen, exposure, ..Options::default() };
    Ok((options, state))
}

/// Why it was not started, with the next step.
fn not_started(error: StartError, args: &Args) -> anyhow::Error {
    let text = error.to_string();
    match error {
        StartError::Config(LoadError::Mistakes(errors)) => {
            let lines: Vec<String> = errors.iter().map(|error| inert_lines(&error.to_string())).collect();
            out::note(&lines.join("\n"));
            let file = args.config.as_deref().unwrap_or(Path::new("FILE")).display();
            fault(
                format!("{} in the configuration: nothing was started", count(errors.len(), "mistake")),
                format!("`belay config check {file}`"),
            )
        }
        StartError::Ledger(LedgerError::Locked { .. }) => fault(text, "`belay status` asks the server that runs there"),
        StartError::InTheClear(_) => fault(text, "--plaintext accepts it"),
        StartError::Certificate(unusable) => fault(unusable.to_string(), unusable.help),
        StartError::Listen { .. } => {
            fault(text, "choose another port with --listen 127.0.0.1:PORT; `belay status` tells whether a server runs already")
        }
        _ => Fault::new(text).into(),
    }
}

/// Says where it listens, and the first secrets: this once. A closed stdout is no reason not to serve.
fn greet(running: &Running, state: &Path, paint: Paint) {
    let address = running.address();
    let line = format!("{}://{address}   state in {}", running.scheme(), state.display());
    let mut text = format!("{}\n", told(paint, Tone::Good, "Listening", &line));
    text.push_str(&introduction(running.first_secrets(), running.scheme(), address, paint));
    if out::put(&text).is_err() {
        tracing::warn!("stdout is closed: where the server listens could not be said there");
    }
    tracing::info!(%address, state = %state.display(), "started");
}

fn introduction(secrets: &[FirstSecret], scheme: &str, address: SocketAddr, paint: Paint) -> String {
    if secrets.is_empty() {
        return String::new();
    }
    let mut text = format!("\n{}\n\n", paint.tone("First start. These secrets are shown this once and kept nowhere:", Tone::Strong));
    for FirstSecret { name, secret } in secrets {
        text.push_str(&format!("  {name:<6} {secret}\n"));
    }
    let secret_of = |name: &str| secrets.iter().find(|first| first.name == name).map_or("SECRET", |first| first.secret.as_str());
    let path = tools::all().first().and_then(|tool| tool.doors().first()).map_or("/api/v1/runs", |door| door.path);
    let relay = secret_of("relay");
    text.push_str(&format!(
        "\nOn the puppetserver, in puppet.conf (its reports then come here as well):\n\n  [server]\n  reports = store,http\n  reporturl = {scheme}://relay:{relay}@{address}{path}\n"
    ));
    text.push_str(&format!(
        "\nCommands on this machine need no secret; from elsewhere:\n\n  export BELAY_SERVER={scheme}://{address} BELAY_TOKEN={}\n\nAnother one: belay token add NAME --role admin\n",
        secret_of("admin")
    ));
    if scheme == "https" {
        text.push_str(&format!(
            "\nIn both, put a name of the certificate in the place of {}. BELAY_CA=FILE (--ca) names who signed it, where that is\nno authority of the web.\n",
            address.ip()
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_secrets_come_with_lines_to_paste() {
        let secret = |name: &str| FirstSecret { name: name.to_owned(), secret: format!("belay_{name}") };
        let text = introduction(&[secret("admin"), secret("relay")], "http", LISTEN, Paint::plain());
        assert!(text.contains("reporturl = http://relay:belay_relay@127.0.0.1:7878/api/v1/runs/puppet\n"), "{text}");
        assert!(text.contains("BELAY_SERVER=http://127.0.0.1:7878 BELAY_TOKEN=belay_admin\n"), "{text}");
        assert_eq!(introduction(&[], "http", LISTEN, Paint::plain()), "");
    }
}

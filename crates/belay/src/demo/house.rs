//! Where the demo takes place: the real server with its state in a temporary directory, and the receiver of its alerts.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use belay_api::http::{TokenBody, TokenIssued};
use belay_core::model::host::Host;
use belay_core::model::report::RunKind;
use belay_core::model::time::Timestamp;
use belay_core::state::State;
use belay_server::drive::Drive;
use belay_server::{Bounds, Running, StartError};
use hyper::Method;
use tempfile::TempDir;

use super::config::{self, Level};
use super::receiver::Receiver;
use super::{Options, Teller};
use crate::client::{Client, Content, Place, read};
use crate::fault::{Fault, fault};
use crate::out::paint::Tone;

/// How often the server looks whether something is due: seconds count here.
const TICK: Duration = Duration::from_millis(200);

/// The house.
pub struct House {
    dir: TempDir,
    file: PathBuf,
    keep: bool,
    running: Running,
    /// Asks the server as its operator would.
    pub client: Client,
    /// Alerts arrive here.
    pub receiver: Receiver,
    /// The secret of who may do everything.
    pub admin: String,
    /// The secret of who speaks for the hosts.
    pub relay: String,
    /// The secret of the source of signals.
    pub source: String,
}

impl House {
    /// Opens it: configuration, server, receiver, credentials.
    ///
    /// # Errors
    /// When something cannot be started.
    pub async fn open(options: &Options, teller: &mut Teller) -> anyhow::Result<Self> {
        let dir = tempfile::Builder::new().prefix("belay-demo-").tempdir().context("could not make a temporary directory")?;
        let receiver = Receiver::start().await?;
        let file = dir.path().join("belay.toml");
        std::fs::write(&file, config::text(&receiver.url(), Level::Rejected))
            .with_context(|| format!("could not write {}", file.display()))?;
        let state = dir.path().join("state");
        let options_of_server = belay_server::Options {
            config: Some(file.clone()),
            state_dir: Some(state.clone()),
            listen: Some(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), options.port)),
            // The play ends by itself when the server no longer answers, and then tidies up.
            fatal: Arc::new(|text| crate::out::note(&format!("belay: {text}"))),
            bounds: Bounds { tick: TICK, spacing: TICK, ..Bounds::default() },
            ..belay_server::Options::default()
        };
        let running = belay_server::start(options_of_server).await.map_err(not_started)?;
        let what = format!("belay {} on http://{}, state in {}", env!("CARGO_PKG_VERSION"), running.address(), state.display());
        teller.tell(Tone::Good, "Serving", &what);
        let client = Client::new(Place::of_state(&state), None, None)?;
        let secret = |name: &str| running.first_secrets().iter().find(|first| first.name == name).map(|first| first.secret.clone());
        let relay = secret("relay").context("the server issued no secret for the hosts")?;
        let admin = secret("admin").context("the server issued no secret for its operator")?;
        let body = TokenBody { name: "demo-signals".to_owned(), source: Some("demo".to_owned()), ..TokenBody::default() };
        let issued: TokenIssued = read(&client.ask(Method::POST, "/api/v1/tokens", Some(Content::json(&body)?)).await?)?;
        Ok(Self { dir, file, keep: options.keep, running, client, receiver, admin, relay, source: issued.secret })
    }

    /// Where the server listens.
    pub fn address(&self) -> SocketAddr {
        self.running.address()
    }

    /// The server's record, as it is now.
    pub fn state(&self) -> State {
        self.running.state()
    }

    /// What is asked of the server's record again and again.
    pub fn drive(&self) -> Drive {
        self.running.drive().clone()
    }

    /// Hosts whose last run was refused, and began after this time.
    pub fn refused_since(&self, at: Timestamp) -> usize {
        let refused = |host: &&Host| host.last_run.as_ref().is_some_and(|run| run.at >= at && matches!(run.kind, RunKind::Refused(_)));
        self.drive().read(|state| state.hosts.values().filter(refused).count())
    }

    /// Another configuration is put into place and loaded, as an operator does it with a hangup.
    ///
    /// # Errors
    /// When it cannot be written or is not taken.
    pub async fn enforce(&self, level: Level) -> anyhow::Result<()> {
        std::fs::write(&self.file, config::text(&self.receiver.url(), level))
            .with_context(|| format!("could not write {}", self.file.display()))?;
        self.running.reload().await.context("the configuration was not taken")
    }

    /// Stops the server and removes the directory, or leaves it and says where.
    ///
    /// # Errors
    /// When the directory cannot be removed.
    pub async fn close(self) -> anyhow::Result<Option<PathBuf>> {
        let Self { dir, keep, running, .. } = self;
        running.shutdown().await;
        if keep {
            return Ok(Some(dir.keep()));
        }
        let path = dir.path().to_owned();
        dir.close().with_context(|| format!("could not remove {}", path.display()))?;
        Ok(None)
    }
}

fn not_started(error: StartError) -> anyhow::Error {
    let text = error.to_string();
    match error {
        StartError::Listen { .. } => fault(text, "choose another --port, or leave it out for a free one"),
        StartError::Socket { .. } => fault(text, "the path of a socket has to be short: set TMPDIR to a directory such as /tmp"),
        _ => Fault::new(text).into(),
    }
}

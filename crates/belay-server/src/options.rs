//! What a server is started with, and why one was not started.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use belay_core::decide::Answer;
use thiserror::Error;

use crate::clock::{self, Clock};
use crate::config::LoadError;
use crate::drive::{DriveError, Fatal, Limits};
use crate::http::body::Caps;
use crate::http::passwords::Cost;
use crate::http::serve::Connections;
use crate::ledger::{Hook, LedgerError};
use crate::net::{ClientLimits, NotSent};
use crate::secret;
use crate::tls::Unusable;

/// Where the server listens when nothing says otherwise.
pub const LISTEN: &str = "127.0.0.1:7878";
/// Where its state lies when nothing says otherwise.
pub const STATE_DIR: &str = "/var/lib/belay";

/// Whether credentials and reports may travel over the network in the clear. With a certificate they
/// never do, and nothing needs to be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposure {
    /// Only this machine may connect.
    LoopbackOnly,
    /// The operator said so: something else encrypts, or the network is trusted.
    Plaintext,
}

/// Bounds of everything, and the pace of what is done from time to time.
#[derive(Clone)]
pub struct Bounds {
    /// Of the drive.
    pub drive: Limits,
    /// Of bodies.
    pub bodies: Caps,
    /// Of connections.
    pub connections: Connections,
    /// What hashing a password costs.
    pub passwords: Cost,
    /// Of what is sent out.
    pub client: ClientLimits,
    /// Of the store of signals.
    pub signals: belay_signals::Limits,
    /// Reports that are read at one time.
    pub readers_of_reports: usize,
    /// Reports that wait to be read, before senders are told 202.
    pub queue: usize,
    /// How often it is looked whether something is due.
    pub tick: Duration,
    /// One receiver of alerts is not sent to more often than this.
    pub spacing: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            drive: Limits::default(),
            bodies: Caps::default(),
            connections: Connections::default(),
            passwords: Cost::default(),
            client: ClientLimits::default(),
            signals: belay_signals::Limits::default(),
            readers_of_reports: std::thread::available_parallelism().map_or(2, usize::from),
            queue: 256,
            tick: Duration::from_secs(1),
            spacing: Duration::from_secs(1),
        }
    }
}

/// What a server is started with.
#[derive(Clone)]
pub struct Options {
    /// The configuration's file; its drop-ins lie in `FILE.d`.
    pub config: Option<PathBuf>,
    /// The state directory; what the configuration says, or [`STATE_DIR`], when left out.
    pub state_dir: Option<PathBuf>,
    /// Where to listen; what the configuration says, or [`LISTEN`], when left out.
    pub listen: Option<SocketAddr>,
    /// Whether credentials may travel in the clear.
    pub exposure: Exposure,
    /// The clock.
    pub clock: Clock,
    /// Called once when nothing may go on.
    pub fatal: Fatal,
    /// Bounds.
    pub bounds: Bounds,
    /// Called before each operation on the ledger, by tests.
    pub hook: Option<Hook>,
}

impl Default for Options {
    /// The machine's clock, the default bounds, and an end of the process when the ledger fails.
    fn default() -> Self {
        Self {
            config: None,
            state_dir: None,
            listen: None,
            exposure: Exposure::LoopbackOnly,
            clock: clock::system(),
            fatal: Arc::new(end_process),
            bounds: Bounds::default(),
            hook: None,
        }
    }
}

fn end_process(text: &str) {
    tracing::error!("{text}");
    eprintln!("belay: {text}");
    std::process::exit(70);
}

/// Why a server did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The configuration was not loaded.
    #[error("the configuration was not loaded: {0}")]
    Config(#[from] LoadError),
    /// The ledger was not opened or loaded.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The store of signals was not opened.
    #[error("the store of signals was not opened: {0}")]
    Signals(#[from] belay_signals::StoreError),
    /// The configured address is none.
    #[error("server.listen: {0:?} is not an IP address with a port; write for example \"127.0.0.1:7878\"")]
    BadAddress(String),
    /// The address can be reached from other machines, and nothing encrypts.
    #[error(
        "{0} can be reached from other machines, and credentials would travel there in the clear. Name a certificate in the \
         configuration ([server] certificate = \"/etc/belay/belay.pem\"), or listen on 127.0.0.1 behind a proxy that speaks TLS, or say \
         that plaintext is accepted"
    )]
    InTheClear(SocketAddr),
    /// There is a certificate, but it cannot be used.
    #[error("{0}; {help}", help = .0.help)]
    Certificate(#[from] Unusable),
    /// TLS was not set up.
    #[error("TLS could not be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// The address was not to be had.
    #[error("could not listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The socket was not to be had.
    #[error("could not listen on {}: {source}", path.display())]
    Socket {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The client was not set up.
    #[error(transparent)]
    Client(#[from] NotSent),
    /// The identity provider cannot be used.
    #[error("{0}")]
    Issuer(String),
    /// No secret could be made.
    #[error(transparent)]
    Secret(#[from] secret::NoRandomness),
    /// The drive did not take the first inputs.
    #[error(transparent)]
    Drive(#[from] DriveError),
    /// The drive refused to issue the first credentials.
    #[error("the first credentials could not be issued: {0:?}")]
    NoCredentials(Answer),
}

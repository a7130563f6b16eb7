//! The live fleet: simulated hosts that speak to a running server over real HTTP, in real time.
//! They send what real ones would: facts, the tool's own report bytes, and samples by
//! remote-write.
//!
//! A [`LiveFleet`] is quiet until it is told to do something; [`LiveFleet::stream`] sends the
//! samples of every second until it is stopped, or until [`Spec::lasts`] is over. [`story`] plays
//! the night for which Belay exists. Everything here ends by itself.

mod agents;
mod client;
mod fleet;
pub mod story;
mod stream;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;

use belay_core::model::ids::HostId;
use belay_core::model::time::Timestamp;

pub use agents::Began;
pub use stream::Streaming;

use client::Client;
use fleet::Stage;

/// What the fleet is like.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    /// How many hosts; the upper half comes to run the newer release.
    pub hosts: usize,
    /// Their class; hosts are called `CLASS01`, `CLASS02`, ...
    pub class: String,
    /// How far back the history of their signals reaches when they are enrolled.
    pub backfill: Duration,
    /// Requests per second of one host.
    pub per_s: f64,
    /// How long one run of the tool takes.
    pub run_takes: Duration,
    /// Samples are sent at most this long.
    pub lasts: Duration,
    /// Seed of everything that is random.
    pub seed: u64,
}

/// Why the fleet could not go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LiveError {
    /// The server could not be spoken to.
    Unreachable {
        /// What was asked.
        path: String,
        /// Why not.
        why: String,
    },
    /// The server did not take what was sent.
    Refused {
        /// What was asked.
        path: String,
        /// How it answered.
        status: u16,
        /// What it said, shortened.
        said: String,
    },
}

/// What was sent and taken so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Facts of hosts.
    pub facts: u64,
    /// Reports.
    pub reports: u64,
    /// Samples.
    pub samples: u64,
    /// Seconds in which samples could not be sent; they were sent later.
    pub late: u64,
}

/// A fleet of simulated hosts that speak to a server.
pub struct LiveFleet {
    pub(crate) spec: Spec,
    pub(crate) client: Client,
    pub(crate) stage: Mutex<Stage>,
}

impl Default for Spec {
    fn default() -> Self {
        Self {
            hosts: 30,
            class: "web".to_owned(),
            backfill: Duration::from_secs(600),
            per_s: 20.0,
            run_takes: Duration::from_millis(500),
            lasts: Duration::from_secs(900),
            seed: 1,
        }
    }
}

impl LiveFleet {
    /// A fleet for the server at an address. `relay` is the secret of a credential that speaks for
    /// all its hosts, `source` that of a source of signals. Nothing is sent yet.
    pub fn new(address: SocketAddr, relay: &str, source: &str, spec: Spec) -> Self {
        let stage = Mutex::new(Stage::new(&spec, now()));
        Self { client: Client::new(address, relay, source), stage, spec }
    }

    /// All its hosts, in order.
    pub fn hosts(&self) -> Vec<HostId> {
        self.with(|stage| stage.fleet.hosts.keys().cloned().collect())
    }

    /// The hosts that stay on the older release, and those that come to run the newer one.
    pub fn halves(&self) -> (Vec<HostId>, Vec<HostId>) {
        let mut older = self.hosts();
        let newer = older.split_off(older.len() / 2);
        (older, newer)
    }

    /// What was sent and taken so far.
    pub fn sent(&self) -> Sent {
        self.with(|stage| stage.sent)
    }

    /// Hosts whose flow goes on at this moment.
    pub fn flowing(&self) -> usize {
        let at = now();
        let flows = |stage: &mut Stage| {
            let hosts = stage.fleet.hosts.values();
            hosts.filter(|host| host.timeline.at(at).is_some_and(|condition| condition.health.flow > 0.0)).count()
        };
        self.with(flows)
    }

    /// Hosts to which the schedule brought the older release's files, and when each one's gate was
    /// asked.
    pub fn came_back(&self) -> Vec<(HostId, Timestamp)> {
        self.with(|stage| stage.came_back.clone())
    }

    /// Does something with the stage. What is done there is short and never waits.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut Stage) -> R) -> R {
        work(&mut self.stage.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

/// The one place where this crate asks what time it is.
pub(crate) fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_ms(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

impl fmt::Display for LiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable { path, why } => write!(f, "{path}: the server cannot be spoken to: {why}"),
            Self::Refused { path, status, said } => write!(f, "{path}: the server answered {status}: {said}"),
        }
    }
}

impl std::error::Error for LiveError {}

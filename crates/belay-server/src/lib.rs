//! The server: reports and signals come in, what they mean is decided in `belay-core`, committed to
//! the ledger, and shown. This crate owns every thread, socket, file and timer of `belay serve`, and
//! decides nothing itself.
//!
//! From the outside in: [`http`] (routes, connections) · [`drive`] (the single writer, and the tasks
//! that feed it) · [`ledger`] (what is durable) · [`signals`] (the store of samples) · [`net`] (the
//! one HTTP client) · [`tls`] (the own certificate) · [`config`] · [`views`].
//!
//! The invariant: nothing is acknowledged, and nothing a reader sees exists, before its commit.

pub mod backup;
pub mod clock;
pub mod config;
mod disk;
pub mod drive;
pub mod fsck;
pub mod http;
pub mod ledger;
pub mod net;
mod offline;
mod options;
mod secret;
pub mod signals;
mod start;
pub mod tls;
pub mod views;
mod web;
mod wire;

pub use offline::{Ingested, OfflineFile, Outcome, ingest_offline};
pub use options::{Bounds, Exposure, LISTEN, Options, STATE_DIR, StartError};
pub use start::{FirstSecret, Running, start};

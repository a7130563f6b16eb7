//! What runs on a host: it brings the tool's reports to the server, keeps holds, answers the gate
//! and the classifier from the last policy it was given, and does what the host's own configuration
//! declares. Synchronous, small, and at work while the server is away. It opens no port, and no
//! server can make it run a command that does not stand in its configuration.

pub mod ask;
pub mod bound;
pub mod clock;
pub mod command;
pub mod config;
pub mod daemon;
pub mod durable;
pub mod enc;
pub mod facts;
pub mod hand;
pub mod jitter;
pub mod kept;
pub mod lock;
pub mod look;
pub mod relay;
pub mod server;
pub mod spool;
pub mod tell;
pub mod words;

/// What this build calls itself when it speaks to the server.
pub const AGENT: &str = concat!("belay-agent ", env!("CARGO_PKG_VERSION"));

//! The pure heart of Belay: nouns, facts, decisions, judgement and plain words.
//!
//! Nothing here reads a clock, a file, the environment or the network, draws a random number or
//! names a product: time and randomness are arguments, and products live in `belay-adapters`.
//! The one invariant above all others: *missing data never leads to accepted*.

pub mod decide;
pub mod explain;
pub mod host;
pub mod judge;
pub mod model;
pub mod state;

//! What Belay writes down and says to others: the journal's record forms, the operator's
//! configuration as TOML, and the structs of the HTTP API.
//!
//! The core knows none of these forms; every conversion from and to its nouns stands here. Nothing
//! here reads a clock, a file, the environment or the network, and no product is named.

pub mod agent;
pub mod config;
pub mod http;
pub mod journal;

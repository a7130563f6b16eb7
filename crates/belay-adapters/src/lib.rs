//! Adapters: the only place that knows products by name. Everything here is pure ("sans-I/O"):
//! bytes in, values out; requests are planned and replies decoded, and an executor elsewhere moves
//! the bytes. Nothing here reads a clock, a file, the environment or the network.
//!
//! - [`tools`]: configuration management, from a tool's own report to
//!   [`Decoded`](belay_core::model::report::Decoded).
//! - [`sources`]: signals, from a monitoring product's wire format to series of samples.
//! - [`notify`]: alerts, from a letter to the request that delivers it.
//! - [`people`]: who is logged in on a host, and whom its kernel saw.

pub mod notify;
pub mod people;
pub mod sources;
pub mod tools;

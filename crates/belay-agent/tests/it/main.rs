//! The host's binary as its users see it: processes, files, and a listener that plays the server.

mod enc;
mod example;
mod exec;
mod gate;
mod glass;
mod lab;
mod lock;
mod policy;
mod reports;
mod reverts;
mod server;
mod signals;
mod tell;

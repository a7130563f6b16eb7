//! What runs on a host. Today it says one thing: which release the host runs, and its facts. It
//! opens no port, takes no orders, and runs no command.

pub mod facts;
pub mod tell;

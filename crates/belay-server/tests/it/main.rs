//! The server from outside: real files, real connections, a clock that the test holds.

mod access;
mod catch;
mod commands;
mod connections;
mod facade;
mod identity;
mod identity_files;
mod inventory;
mod ledger;
mod night;
mod papers;
mod reports;
mod restart;
mod run_health;
mod samples;
mod selfcheck;
mod story;
mod tls;
mod tls_file;
mod world;

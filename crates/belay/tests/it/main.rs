//! The real binary, from outside: as its users and their scripts meet it.

mod backup;
mod codes;
mod config;
mod demo;
mod harness;
mod hostile;
mod ingest;
mod judge;
mod kill;
mod outposts;
mod readme;
mod reports;
mod serve;
mod tls;
mod users;
mod verbs;
mod wire;

//! The core from outside: inputs in, facts and state out.

mod acceptance;
mod intake;
mod judging;
mod lab;
mod night;
mod notify;
mod snapshots;
mod standstill;

//! The core from outside: inputs in, facts and state out.

mod acceptance;
mod catch;
mod hold_histories;
mod holds;
mod intake;
mod judging;
mod lab;
mod night;
mod notify;
mod snapshots;
mod standstill;
mod told;
mod waves;

//! The core from outside: inputs in, facts and state out.

mod acceptance;
mod apart;
mod catch;
mod closed;
mod feeds;
mod health;
mod hold_histories;
mod holds;
mod hours;
mod intake;
mod judging;
mod lab;
mod night;
mod notify;
mod overlaps;
mod past;
mod planned;
mod selfcheck;
mod slots;
mod snapshots;
mod standstill;
mod table_histories;
mod tables;
mod told;
mod watch;
mod waves;

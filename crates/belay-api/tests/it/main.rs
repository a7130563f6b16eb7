//! Tests of belay-api as its users see it.

mod agent;
mod catch;
mod config;
mod hours;
mod http;
mod journal;
mod samples;

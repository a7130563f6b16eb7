//! Integration tests of the simulator.

mod live;
mod scenarios;
mod seeds;
mod weeks;

//! Integration tests of the simulator.

mod catch;
mod live;
mod scenarios;
mod seeds;
mod weeks;

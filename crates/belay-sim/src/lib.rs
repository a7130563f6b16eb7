//! The simulator: a fleet that does not exist, under the Belay that does.
//!
//! - [`world`]: the whole engine in virtual time; two weeks pass in about a second.
//! - [`scenario`]: stories in Markdown that are run as tests.
//! - [`seeds`]: stories drawn at random, with checkers on.
//! - [`cases`]: cases for the judge, in the form of the recorded ones.
//! - [`live`]: a simulated fleet that speaks to a running server over real HTTP.

pub mod cases;
pub mod catch;
pub mod checkers;
pub mod fleet;
pub mod live;
pub mod machine;
pub mod scenario;
pub mod seeds;
pub mod signals;
pub mod testimony;
pub mod world;

//! Numbers in, numbers out.
//!
//! The statistics under every judgement: robust location and scale, exact binomial numbers, runs of equal values, an anytime-valid test
//! of a share and one of failures, contrasts of series with their own past and their peers (placebo changes, bets, veto),
//! rank tests, and a seeded generator. The crate refuses to know what the numbers stand for: no domain word, no I/O, no clock, no
//! randomness of its own. Invariant: the same input gives the same bits, on every machine and in every release that does not say
//! otherwise.
//!
//! Missing values are the caller's business. Functions over `&[f64]` take the values that are present; only [`runs`] takes
//! `Option<f64>`, because there a missing value has a meaning (it ends a run).

pub mod alarm;
pub mod binomial;
pub mod contrast;
pub mod failures;
pub mod law;
pub mod many;
mod medians;
pub mod normal;
pub mod panel;
pub mod placebo;
pub mod ranks;
pub mod ridge;
pub mod rng;
pub mod robust;
pub mod runs;
pub mod season;
pub mod share;
pub mod track;
pub mod transform;
pub mod wealth;
pub mod weather;

pub use rng::Rng;
pub use robust::{mad, median, quantile, quantile_of_sorted};
pub use runs::RunCounter;
pub use share::{Direction, Effect, ShareProcess, ShareTest};

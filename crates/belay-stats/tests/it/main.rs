//! The statistics from the outside: what they promise, held against seeded trials.

mod calibration;
mod nulls;

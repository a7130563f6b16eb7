//! The store from the outside: durability, damage, limits, retention, questions.

mod durability;
mod limits;
mod questions;
mod retention;
mod world;

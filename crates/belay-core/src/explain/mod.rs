//! Plain words: what is told to people, made from what is known, in one place.

mod ailing;
pub mod alert;
pub mod change;
mod class;
pub mod feed;
pub mod gate;
pub mod hold;
pub mod inert;
pub mod outpost;
pub mod plan;
pub mod selfcheck;
pub mod why;

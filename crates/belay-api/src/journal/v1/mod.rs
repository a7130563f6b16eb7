//! Record form 1: how each noun is written as JSON, spelled out once.
//!
//! Structs are objects under the names given here, enums are a word or an object of one word, maps
//! are lists of pairs, times and spans are whole milliseconds, numbers and digests are their
//! printed form. What is not known is left out. Reading refuses what this form does not spell.

mod case;
mod facts;
#[macro_use]
mod form;
mod basics;
mod catch;
mod nouns;

pub(super) use case::{open_case, read_case, write_case};
pub(super) use facts::{read_fact, write_fact};
pub(super) use form::Fault;

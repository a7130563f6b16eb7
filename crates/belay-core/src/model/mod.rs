//! The nouns of the glossary, one file a family.

pub mod ailment;
pub mod alert;
pub mod change;
pub mod closed;
pub mod deployment;
pub mod evidence;
pub mod feed;
pub mod gate;
pub mod hold;
pub mod host;
pub mod hours;
pub mod ids;
pub mod item;
pub mod log;
pub mod policy;
pub mod principal;
pub mod report;
pub mod revert;
pub mod run;
pub mod selfcheck;
pub mod signal;
pub mod table;
pub mod time;
pub mod user;
pub mod verdict;

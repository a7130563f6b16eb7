//! The embedded store of signals: what monitoring saw, kept long enough to be judged.
//!
//! Append, "the samples of these series from a to b", "when was this host last seen", drop what is old: no more. No query language, no
//! aggregation; it knows labels, times and values, and refuses to know what they mean. No clock (`now` is an argument), no thread (the
//! owner calls [`Store::sync`], [`Store::drop_before`] and [`Store::compact`] on timers of its own).
//!
//! Invariant: what [`Store::append`] acknowledged is read back to the bit, also after the process died at any instant; what was not
//! acknowledged is never half there; what the disk changed is noticed and left out, never served.
//!
//! From the outside in: `store` (locks, the order of things) · `append` (one request: check, draft, commit) · `head`, `series`, `symbols`,
//! `matcher` (memory) · `codec` (samples to bytes) · `record` (what a frame says) · `segment` (the form of a file) · `log` (files) ·
//! `replay` (opening) · `compact`.

mod append;
mod check;
mod codec;
mod compact;
mod error;
mod head;
mod limits;
mod log;
mod matcher;
mod record;
mod replay;
mod segment;
mod series;
mod store;
mod symbols;

pub use append::{Appended, SeriesIn};
pub use check::{Checked, check, segments};
pub use compact::Compacted;
pub use error::{Refused, Retry, SelectError, StoreError};
pub use head::Labels;
pub use limits::Limits;
pub use matcher::{Matcher, Op};
pub use replay::{Damage, Recovered};
pub use store::{SeriesOut, Stats, Store};

/// The bits of a staleness marker: the NaN by which a sender says "this series is not there any more". Compare bits, never "is NaN".
pub const STALE: u64 = 0x7ff0_0000_0000_0002;

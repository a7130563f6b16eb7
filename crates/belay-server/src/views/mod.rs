//! Views that take more than the published state: they look at the store, the disk, the clock.

pub mod diff;
pub mod doctor;
pub mod lint;
pub mod metrics;
pub mod timeline;

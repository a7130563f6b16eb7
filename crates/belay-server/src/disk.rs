//! How much room the disk of the state directory has.

use std::path::Path;

/// Below this, nothing new is taken in: what was taken must still be judged and told of.
pub const RESERVED: u64 = 64 << 20;

/// Room of a file system, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// What this process may still use.
    pub free: u64,
    /// All of it.
    pub total: u64,
}

impl Room {
    /// Whether nothing new may be taken in.
    pub fn is_low(self) -> bool {
        self.free < RESERVED
    }
}

/// The room of the file system that holds this path; `None` when it cannot be told.
pub fn room(path: &Path) -> Option<Room> {
    let found = rustix::fs::statvfs(path).ok()?;
    Some(Room { free: found.f_bavail.saturating_mul(found.f_frsize), total: found.f_blocks.saturating_mul(found.f_frsize) })
}

//! What stands on the host now: release, facts, lock, schedule, glass.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use belay_core::host::lock::Found;
use belay_core::host::talk::{HostStatus, Lock, Schedule};
use belay_core::model::ids::Release;
use belay_core::model::time::Timestamp;

use crate::bound::Bound;
use crate::command;
use crate::config::{Config, ReleaseFrom};
use crate::facts;
use crate::kept::Kept;

/// How much of what a command prints is kept: a release is one short line.
const OUTPUT_MAX: usize = 4_096;

/// The release the host runs, read now: from where the configuration says, else the one that was
/// set by hand. `limit` bounds a command.
///
/// # Errors
/// It is declared how to read it, and it cannot be read.
pub fn release(config: &Config, kept: &Kept, limit: Duration) -> Result<Option<Release>> {
    match &config.release {
        None => kept.release(),
        Some(ReleaseFrom::File(path)) => facts::release_from_file(path).map(Some),
        Some(ReleaseFrom::Command(argv)) => {
            let ended = command::run(argv, limit, OUTPUT_MAX).context("release.command")?;
            if !ended.ok() {
                bail!("release.command: {} ended with {}: {}", argv[0], ended.code_words(), ended.said());
            }
            facts::release_from_text(&String::from_utf8_lossy(&ended.out))
                .with_context(|| format!("release.command: {}", argv[0]))
                .map(Some)
        }
    }
}

/// How the host stands, without altering anything.
pub fn status(kept: &Kept, bound: &Bound, schedule: Schedule, now: Timestamp) -> HostStatus {
    let lock = match bound.lock() {
        Ok(Found::Absent) => Lock::Absent,
        Ok(Found::Ours(holds)) => Lock::Ours(holds),
        Ok(Found::Foreign { message, since }) => Lock::Foreign { message, since },
        // Something is there that cannot be read, and the tool will not run past it.
        Err(why) => Lock::Foreign { message: format!("a lock that cannot be read: {why:#}"), since: None },
    };
    HostStatus { lock, schedule, break_glass: kept.glass(now), running: bound.running(), run_lock: bound.run_lock(), gate: kept.asked() }
}

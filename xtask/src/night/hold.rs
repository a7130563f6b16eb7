//! What is seen of a hold: the lock on a host, and what the server knows of one that was broken.

use std::path::Path;
use std::time::Duration;

use super::belay::Belay;
use super::tale::wait_for;

/// What the server knows of a broken hold, once it says these words.
pub fn told(belay: &Belay, limit: Duration, hold: &str, words: &str) -> anyhow::Result<String> {
    wait_for("the server to know that the hold was broken", limit, || {
        let view = belay.get(&format!("/api/v1/holds/{hold}"))?;
        let said = view["broken_on"][0].as_str().unwrap_or_default().to_owned();
        Ok(if said.contains(words) { Ok(said) } else { Err(said) })
    })
}

/// Waits until a lock is there, or is not.
pub fn lock_is(lock: &Path, limit: Duration, there: bool) -> anyhow::Result<()> {
    wait_for("the lock", limit, || {
        let found = lock.exists();
        Ok(if found == there { Ok(()) } else { Err(format!("{} is there: {found}", lock.display())) })
    })
}

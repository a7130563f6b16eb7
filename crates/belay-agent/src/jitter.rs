//! Chance, where many hosts would otherwise do one thing at one moment.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// A length of time between none and `most`, any as likely as any other.
pub fn up_to(most: Duration) -> Duration {
    // The standard library's own keys are drawn at random for each state.
    let drawn = RandomState::new().hash_one(0_u8) >> 11;
    most.mul_f64(drawn as f64 / (1_u64 << 53) as f64)
}

/// How long to wait after so many failures: full jitter, so that hosts whose server was away do not
/// all come back at once.
pub struct Backoff {
    first: Duration,
    most: Duration,
    failures: u32,
}

impl Backoff {
    /// Begins with `first`, doubles, and stays below `most`.
    pub const fn new(first: Duration, most: Duration) -> Self {
        Self { first, most, failures: 0 }
    }

    /// It went well.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// It failed: how long to wait. Where the server said how long, never less.
    pub fn failed(&mut self, asked: Option<Duration>) -> Duration {
        let most = self.first.saturating_mul(1 << self.failures.min(20)).min(self.most);
        self.failures = self.failures.saturating_add(1);
        asked.unwrap_or_default().min(Duration::from_secs(3_600)) + up_to(most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_grows_stays_bounded_and_heeds_the_server() {
        let (first, most) = (Duration::from_millis(100), Duration::from_secs(1));
        let mut backoff = Backoff::new(first, most);
        assert!(backoff.failed(None) <= first);
        for _ in 0..50 {
            assert!(backoff.failed(None) <= most);
        }
        let asked = Duration::from_secs(7);
        assert!((asked..=asked + most).contains(&backoff.failed(Some(asked))));
        let drawn: std::collections::BTreeSet<Duration> = (0..50).map(|_| up_to(most)).collect();
        assert!(drawn.len() > 40, "it is no chance");
    }
}

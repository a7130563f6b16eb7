//! An outpost keeps the policies of the hosts it classifies, so that the tool's server gets an answer
//! for each of them while Belay is away.

use std::sync::Arc;
use std::time::Duration;

use super::{Shared, Trouble, say};
use crate::jitter::{Backoff, up_to};
use crate::relay::{Again, Session, turn};

/// The time between two questions, where answers are not kept back.
const EVERY: Duration = Duration::from_secs(15);
/// The time between two questions, where they are: what is decided one by one comes together.
const GATHER: Duration = Duration::from_millis(500);
/// The first and the longest wait after a failure. All others wait for this one.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Keeps them until the end.
pub(super) fn run(shared: &Arc<Shared>) {
    let Some(server) = &shared.config.relay else { return };
    let mut trouble = Trouble::default();
    let mut backoff = Backoff::new(BACKOFF.0, BACKOFF.1);
    let mut session = Session::default();
    loop {
        let then = match turn(&shared.kept, server, &shared.config.host, &mut session, &|| shared.stop.is_over()) {
            Ok(turned) => {
                backoff.reset();
                trouble.over("policies of other hosts come again");
                if turned.written > 0 {
                    say(&format!("policies of {} other hosts are new", turned.written));
                }
                match turned.again {
                    Again::AtOnce => Duration::ZERO,
                    Again::Soon => GATHER,
                    Again::Later => EVERY / 2 + up_to(EVERY / 2),
                }
            }
            Err(failed) => {
                trouble.is(&format!("policies of other hosts: {}", failed.text));
                backoff.failed(failed.retry_after)
            }
        };
        if shared.stop.wait(then) {
            return;
        }
    }
}

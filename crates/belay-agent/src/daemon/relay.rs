//! A relay keeps the policies of the hosts it classifies, so that the tool's server gets an answer
//! for each of them while Belay is away. What Belay does not mention stays as it was last known: a
//! restored server may have lost hosts, and a host without an answer would get another environment.

use std::sync::Arc;
use std::time::Duration;

use belay_api::agent::PoliciesAsk;
use belay_core::host::policy::Stand;
use belay_core::model::time::Span;

use super::{Shared, Trouble, say};
use crate::config::ServerConfig;
use crate::jitter::{Backoff, up_to};
use crate::server::{Client, Failed};

/// The longest time an answer may be kept back.
const WAIT_MAX: Span = Span::from_s(20);
/// How long an answer may take beyond that.
const LIMIT: Duration = Duration::from_secs(30);
/// The time between two questions, where answers are not kept back.
const EVERY: Duration = Duration::from_secs(15);
/// The time between two questions, where they are: what is decided one by one comes together.
const GATHER: Duration = Duration::from_millis(500);
/// The first and the longest wait after a failure.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(120));

/// Keeps them until the end.
pub(super) fn run(shared: &Arc<Shared>) {
    let Some(server) = &shared.config.relay else { return };
    let mut trouble = Trouble::default();
    let mut backoff = Backoff::new(BACKOFF.0, BACKOFF.1);
    let (mut have, mut wait) = (None, Span::ZERO);
    loop {
        let then = match fetch(shared, server, have, wait) {
            Ok(fetched) => {
                backoff.reset();
                trouble.over("policies of other hosts come again");
                if fetched.written > 0 {
                    say(&format!("policies of {} other hosts are new", fetched.written));
                }
                (have, wait) = (Some(fetched.stand), fetched.wait.min(WAIT_MAX));
                if wait == Span::ZERO { EVERY / 2 + up_to(EVERY / 2) } else { GATHER }
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

/// What came.
struct Fetched {
    stand: Stand,
    wait: Span,
    written: usize,
}

/// Fetches all of them, a page at a time. Where something was decided between two pages, the stand is
/// the first page's: the next question brings all of them again.
fn fetch(shared: &Shared, server: &ServerConfig, have: Option<Stand>, wait: Span) -> Result<Fetched, Failed> {
    let local = |why: anyhow::Error| Failed { status: None, retry_after: None, text: format!("{why:#}") };
    let client = Client::open(server).map_err(local)?;
    let limit = LIMIT + Duration::from_millis(u64::try_from(wait.ms()).unwrap_or(0));
    let mut page = client.policies(&PoliciesAsk::of(have, wait, None), limit)?;
    let (stand, may_wait) = (page.stand, page.wait);
    let mut written = 0;
    loop {
        written += shared.kept.keep_of_others(&page.policies).map_err(local)?;
        let Some(after) = page.next else { return Ok(Fetched { stand, wait: may_wait, written }) };
        if shared.stop.is_over() {
            return Err(Failed { status: None, retry_after: None, text: "ended before all of them had come".to_owned() });
        }
        page = client.policies(&PoliciesAsk::of(None, Span::ZERO, Some(after)), LIMIT)?;
    }
}

//! The spool goes to the server: in order, each report until it is taken.

use std::sync::Arc;
use std::time::Duration;

use belay_core::host::spool::{Sent, sent};

use super::{Shared, Trouble, say};
use crate::jitter::Backoff;
use crate::server::{Client, Failed};
use crate::spool::Spooled;

/// How often the spool is looked at when nobody says that there is something.
const EVERY: Duration = Duration::from_secs(30);
/// The first and the longest wait after a failure.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(120));

/// Ships until the end.
pub fn run(shared: &Arc<Shared>) {
    let mut trouble = Trouble::default();
    let mut backoff = Backoff::new(BACKOFF.0, BACKOFF.1);
    while !shared.stop.is_over() {
        let Some(one) = shared.spool.next() else {
            shared.send.wait(EVERY);
            continue;
        };
        match ship(shared, &one) {
            Ok(()) => {
                backoff.reset();
                trouble.over("reports reach the server again");
            }
            Err(failed) => {
                trouble.is(&format!("report {} waits: {}", one.entry.number, failed.text));
                if shared.stop.wait(backoff.failed(failed.retry_after)) {
                    return;
                }
            }
        }
    }
}

/// Sends one report. An error says that it waits, and those behind it too.
fn ship(shared: &Shared, one: &Spooled) -> Result<(), Failed> {
    let failed = |text: String| Failed { status: None, retry_after: None, text };
    let local = |why: anyhow::Error| failed(format!("{why:#}"));
    let Some(server) = &shared.config.server else { return Err(failed("no server is configured".to_owned())) };
    let report = shared.spool.read(one).map_err(local)?;
    let client = Client::open(server).map_err(local)?;
    let answer = client.send_report(shared.bound.tool.name(), &report);
    let status = answer.as_ref().map_or_else(|failed| failed.status, |()| Some(200));
    match sent(status) {
        Sent::Taken => shared.spool.taken(one).map_err(local),
        Sent::PutAside => {
            let why = answer.err().map(|failed| failed.text).unwrap_or_default();
            say(&format!("warning: report {} is put aside, the server will never take it: {why}", one.entry.number));
            shared.spool.put_aside(one).map_err(local)
        }
        Sent::Later => answer,
    }
}

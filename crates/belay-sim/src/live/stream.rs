//! The samples of every second, sent until somebody stops it.

use std::sync::Arc;
use std::time::Duration;

use belay_core::model::time::Span;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{LiveError, LiveFleet, Sent, now};

/// Hosts are sampled in the first part of each second; this long after its begin all of it is sent.
const AFTER: Span = Span::from_ms(250);

/// A stream of samples that is running. Dropped, it ends at once.
pub struct Streaming {
    fleet: Arc<LiveFleet>,
    stop: watch::Sender<bool>,
    task: Option<JoinHandle<Result<(), LiveError>>>,
}

impl LiveFleet {
    /// Begins to send the samples of every second. A second that cannot be sent is sent with the
    /// next one; after ten in a row the stream gives up.
    pub fn stream(self: &Arc<Self>) -> Streaming {
        let (stop, stopped) = watch::channel(false);
        let fleet = Arc::clone(self);
        let task = tokio::spawn(async move { fleet.run_stream(stopped).await });
        Streaming { fleet: Arc::clone(self), stop, task: Some(task) }
    }

    async fn run_stream(&self, mut stopped: watch::Receiver<bool>) -> Result<(), LiveError> {
        let mut missed = 0_u32;
        for _ in 0..self.spec.lasts.as_secs() {
            tokio::select! {
                () = tokio::time::sleep(until_next_second()) => {}
                _ = stopped.changed() => return Ok(()),
            }
            let from = self.with(|stage| stage.streamed);
            match self.send_samples(from, now()).await {
                Ok(()) => missed = 0,
                Err(failed) if missed >= 10 => return Err(failed),
                Err(_) => {
                    missed += 1;
                    self.with(|stage| stage.sent.late += 1);
                }
            }
        }
        Ok(())
    }
}

/// From now until a little after the next full second.
fn until_next_second() -> Duration {
    let now = now();
    let next = (now - AFTER).floor(Span::from_s(1)) + Span::from_s(1) + AFTER;
    Duration::from_millis(u64::try_from(next.since(now).ms()).unwrap_or(0))
}

impl Streaming {
    /// Ends the stream and answers with what was sent.
    ///
    /// # Errors
    /// When it had given up before.
    pub async fn stop(mut self) -> Result<Sent, LiveError> {
        // Nobody listens any more when the stream has ended by itself.
        let _ = self.stop.send(true);
        if let Some(task) = self.task.take() {
            match task.await {
                Ok(ended) => ended?,
                Err(failed) => return Err(LiveError::Unreachable { path: "stream".to_owned(), why: failed.to_string() }),
            }
        }
        Ok(self.fleet.sent())
    }
}

impl Drop for Streaming {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}

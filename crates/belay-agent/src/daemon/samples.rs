//! Samples on their way to the server: a bounded queue in memory. Samples are many and of the
//! moment; when the server is away for long, the oldest are let go and counted.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Result;
use belay_adapters::sources::facade::{WireSeries, remote_write};
use belay_adapters::sources::facade_roots;

use super::bell::Bell;
use super::{Shared, Trouble, count, say, scrape, started};
use crate::jitter::Backoff;
use crate::server::Client;

/// The most series with their sample that wait.
const WAITING_MAX: usize = 100_000;
/// The most series in one request.
const BATCH_MAX: usize = 5_000;
/// How often it is looked when nobody says that there is something.
const EVERY: Duration = Duration::from_secs(30);
/// The first and the longest wait after a failure.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(60));

/// The queue.
#[derive(Clone, Default)]
pub(super) struct Outbox {
    waiting: Arc<Mutex<VecDeque<WireSeries>>>,
    bell: Bell,
}

impl Outbox {
    /// Adds series; says how many old ones had to go.
    pub fn add(&self, series: Vec<WireSeries>) -> usize {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.extend(series);
        let over = waiting.len().saturating_sub(WAITING_MAX);
        waiting.drain(..over);
        self.bell.ring();
        over
    }

    fn take(&self) -> Vec<WireSeries> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let some = waiting.len().min(BATCH_MAX);
        waiting.drain(..some).collect()
    }

    fn put_back(&self, series: Vec<WireSeries>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        for one in series.into_iter().rev() {
            if waiting.len() < WAITING_MAX {
                waiting.push_front(one);
            }
        }
    }
}

/// Starts what gathers and sends samples; nothing where none are declared.
pub(super) fn start(shared: &Arc<Shared>) -> Result<Vec<JoinHandle<()>>> {
    let config = &shared.config;
    if config.server.is_none() || (config.scrapes.is_empty() && config.logs.is_empty()) {
        return Ok(Vec::new());
    }
    let outbox = Outbox::default();
    let mut threads = Vec::new();
    // A thread each, so that a slow target delays no other.
    for nth in 0..config.scrapes.len() {
        let outbox = outbox.clone();
        threads.push(started("scrape", shared, move |shared| scrape::run(shared, nth, &outbox))?);
    }
    if !config.logs.is_empty() {
        let outbox = outbox.clone();
        threads.push(started("count", shared, move |shared| count::run(shared, &outbox))?);
    }
    threads.push(started("send", shared, move |shared| send(shared, &outbox))?);
    Ok(threads)
}

fn send(shared: &Arc<Shared>, outbox: &Outbox) {
    let Some(server) = &shared.config.server else { return };
    let path = format!("{}/write", facade_roots()[0]);
    let mut trouble = Trouble::default();
    let mut backoff = Backoff::new(BACKOFF.0, BACKOFF.1);
    let mut client = None;
    while !shared.stop.is_over() {
        let series = outbox.take();
        if series.is_empty() {
            outbox.bell.wait(EVERY);
            continue;
        }
        let body = remote_write::encode(&series);
        let open = match client.take() {
            Some(open) => Ok(open),
            None => Client::open(server).map_err(|why| (None, None, format!("{why:#}"))),
        };
        let sent = open.and_then(|open| {
            open.write(&path, &remote_write::HEADERS, &body).map_err(|failed| (failed.status, failed.retry_after, failed.text))?;
            // It stays connected while all is well; after a failure the secret is read anew.
            client = Some(open);
            Ok(())
        });
        match sent {
            Ok(()) => {
                backoff.reset();
                trouble.over("samples reach the server again");
            }
            Err((Some(400 | 413 | 415 | 422), _, text)) => say(&format!("warning: {} samples were refused for good: {text}", series.len())),
            Err((_, retry_after, text)) => {
                trouble.is(&format!("samples wait: {text}"));
                outbox.put_back(series);
                if shared.stop.wait(backoff.failed(retry_after)) {
                    return;
                }
            }
        }
    }
}

/// A series of one sample, with the labels it is given in any order. A label that a target set and
/// that is given here is kept under another name: a target must not speak for another host.
pub(super) fn series(own: Vec<(String, String)>, given: &[(String, String)], at_ms: i64, value: f64) -> WireSeries {
    let is_given = |name: &str| given.iter().any(|(other, _)| other == name);
    let own = own.into_iter().map(|(name, value)| if is_given(&name) { (format!("exported_{name}"), value) } else { (name, value) });
    let mut labels: Vec<(String, String)> = own.chain(given.iter().cloned()).collect();
    labels.sort();
    labels.dedup_by(|one, other| one.0 == other.0);
    WireSeries { labels, samples: vec![(at_ms, value)] }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn a_target_cannot_speak_for_another_host() {
        let own = vec![pair("__name__", "up"), pair("host", "db01"), pair("a", "b")];
        let one = series(own, &[pair("host", "web01"), pair("job", "app")], 5, 1.0);
        assert_eq!(
            one.labels,
            [pair("__name__", "up"), pair("a", "b"), pair("exported_host", "db01"), pair("host", "web01"), pair("job", "app")]
        );
    }

    #[test]
    fn the_queue_is_bounded_and_the_oldest_go_first() {
        let outbox = Outbox::default();
        let some = |n: usize| (0..n).map(|nth| series(vec![pair("n", &nth.to_string())], &[], 0, 0.0)).collect::<Vec<_>>();
        assert_eq!(outbox.add(some(WAITING_MAX)), 0);
        assert_eq!(outbox.add(some(3)), 3);
        let taken = outbox.take();
        assert_eq!((taken.len(), taken[0].labels[0].1.as_str()), (BATCH_MAX, "3"));
        outbox.put_back(taken);
        assert_eq!(outbox.take()[0].labels[0].1, "3");
    }
}

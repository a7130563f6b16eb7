//! Polls the server: tells how the host stands and keeps the policy that comes back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use belay_api::agent::{PollBody, RESULTS_MAX, Reply};
use belay_core::host::talk::{Poll, Schedule};
use belay_core::model::time::Span;

use super::{Shared, Trouble, say};
use crate::jitter::{Backoff, up_to};
use crate::kept::{LastGood, Taken};
use crate::server::{Client, Failed};
use crate::{clock, look};

/// The longest time an answer may be kept back.
const WAIT_MAX: Duration = Duration::from_secs(20);
/// How often it is looked whether all is over, when nothing happens.
const NEWS_EVERY: Duration = Duration::from_secs(60);
/// The longest time before it is asked again when the answer came early and with nothing new.
const EARLY: Duration = Duration::from_secs(4);
/// How long an answer may take beyond that.
const LIMIT: Duration = Duration::from_secs(10);
/// Bounds of the time between two polls, whatever the server says.
const BETWEEN: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(600));
/// The first and the longest wait after a failure.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(120));
/// How often it is looked at how the tool is started.
const SCHEDULE_EVERY: Duration = Duration::from_secs(60);
/// How long a command that tells the release may take.
const RELEASE_LIMIT: Duration = Duration::from_secs(10);

/// Polls until the end.
pub fn run(shared: &Arc<Shared>) {
    let mut talk = Talk::new(shared);
    let mut backoff = Backoff::new(BACKOFF.0, BACKOFF.1);
    while !shared.stop.is_over() {
        let then = match talk.poll() {
            Ok(next) => {
                backoff.reset();
                talk.trouble.over("the server answers again");
                next
            }
            Err(failed) => {
                talk.trouble.is(&failed.text);
                backoff.failed(failed.retry_after)
            }
        };
        shared.tell.wait(then);
    }
}

/// Tells what happened at once, while `run` waits for an answer that is kept back. What both tell is
/// numbered and counts once.
pub fn news(shared: &Arc<Shared>) {
    let mut talk = Talk::new(shared);
    let mut backoff = Backoff::new(BACKOFF.0, BACKOFF.1);
    while !shared.stop.is_over() {
        if !shared.tell.wait(NEWS_EVERY) {
            continue;
        }
        talk.wait = Duration::ZERO;
        if let Err(failed) = talk.poll()
            // The other one says what is wrong, and tells it too.
            && shared.stop.wait(backoff.failed(failed.retry_after))
        {
            return;
        }
    }
}

struct Talk<'a> {
    shared: &'a Shared,
    schedule: Option<(Instant, Schedule)>,
    /// How long the server may keep the next answer back, as it said.
    wait: Duration,
    trouble: Trouble,
    release: Trouble,
}

/// What was told, as far as the answer's meaning depends on it.
struct Told {
    body: PollBody,
    /// Holds of an earlier incarnation were told to the server of this one.
    orphans: bool,
}

impl<'a> Talk<'a> {
    fn new(shared: &'a Shared) -> Self {
        Self { shared, schedule: None, wait: Duration::ZERO, trouble: Trouble::default(), release: Trouble::default() }
    }

    /// Polls once; says when to poll again.
    fn poll(&mut self) -> Result<Duration, Failed> {
        let local = |why: anyhow::Error| Failed { status: None, retry_after: None, text: format!("{why:#}") };
        let shared = self.shared;
        let Some(server) = &shared.config.server else { return Ok(BETWEEN.1) };
        let told = self.told();
        let client = Client::open(server).map_err(local)?;
        let asked = Instant::now();
        let reply = client.poll(&told.body, self.wait + LIMIT)?;
        let taken = self.take(&reply, &told).map_err(local)?;
        let waited = asked.elapsed() >= self.wait / 2;
        self.wait = length(reply.wait).min(WAIT_MAX);
        if !self.wait.is_zero() {
            // What was decided may not concern this host: then it does not ask again at once.
            return Ok(if waited || taken == Taken::New { BETWEEN.0 } else { up_to(EARLY) + BETWEEN.0 });
        }
        // Half of it for certain, the rest by chance: hosts that came together do not stay together.
        let after = length(reply.poll_after).clamp(BETWEEN.0, BETWEEN.1);
        Ok(after / 2 + up_to(after / 2))
    }

    fn told(&mut self) -> Told {
        let shared = self.shared;
        let now = clock::now();
        let release = match look::release(&shared.config, &shared.kept, RELEASE_LIMIT) {
            Ok(release) => {
                self.release.over("the release can be read again");
                release
            }
            Err(why) => {
                self.release.is(&format!("the release cannot be read: {why:#}"));
                None
            }
        };
        let held = match shared.kept.last_good(&shared.config.host, &shared.config.host) {
            LastGood::Good(held) => Some(held),
            LastGood::Never | LastGood::Corrupt(_) => None,
        };
        let notes = shared.kept.notes(now);
        let poll = Poll {
            agent: crate::AGENT.to_owned(),
            have: held.as_ref().map(|held| held.policy.stand),
            sent_at: now,
            release,
            facts: shared.config.facts.clone(),
            status: look::status(&shared.kept, &shared.bound, self.schedule(), now),
            holds: held.as_ref().map(|held| held.effective().holds).unwrap_or_default(),
            events: notes.events,
            results: notes.results.into_iter().take(RESULTS_MAX).collect(),
            lines: shared.recent.told(now),
        };
        let mut body = PollBody::of(&shared.config.host, &poll);
        body.wait_ms = i64::try_from(self.wait.as_millis()).unwrap_or(0);
        Told { body, orphans: held.is_some_and(|held| !held.orphans.is_empty()) }
    }

    fn take(&self, reply: &Reply, told: &Told) -> anyhow::Result<Taken> {
        let shared = self.shared;
        let guard = shared.kept.guard()?;
        let taken = shared.kept.take(&guard, &shared.config.host, reply, told.orphans);
        // What the server has taken, it has taken, also where its policy is not.
        let now = clock::now();
        let before = shared.kept.notes(now);
        let mut notes = before.clone();
        notes.acknowledged(reply.ack, &reply.results);
        if let Some(policy) = &reply.policy {
            // A result that was told and that nobody waits for any more is not told again.
            let waits = |id| policy.reverts.iter().any(|order| order.id == id);
            let told = |id: &str| told.body.results.iter().any(|result| result.id == id);
            notes.results.retain(|result| waits(result.id) || !told(&result.id.to_string()));
        }
        if notes != before {
            shared.kept.remember(&guard, &notes)?;
        }
        drop(guard);
        let taken = taken?;
        if taken == Taken::New {
            say(&format!("another policy: {}.{}", reply.stand.incarnation, reply.stand.seq));
            shared.policy.ring();
        }
        Ok(taken)
    }

    fn schedule(&mut self) -> Schedule {
        match &self.schedule {
            Some((at, schedule)) if at.elapsed() < SCHEDULE_EVERY => schedule.clone(),
            _ => {
                let schedule = self.shared.bound.schedule();
                self.schedule = Some((Instant::now(), schedule.clone()));
                schedule
            }
        }
    }
}

fn length(span: Span) -> Duration {
    Duration::from_millis(u64::try_from(span.ms()).unwrap_or(0))
}

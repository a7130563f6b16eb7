//! Scrapes one target: what it says, with the host's labels, is sent to the server.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use belay_adapters::sources::facade::exposition::{self, Form, Limits, parse};
use belay_adapters::sources::facade::{STALE, WireSeries};

use super::samples::{Outbox, series};
use super::{Shared, Trouble};
use crate::config::Scrape;
use crate::{clock, jitter};

/// The longest a target may take.
const LIMIT: Duration = Duration::from_secs(10);
/// Says whether the target answers.
const UP: &str = "up";

/// Scrapes until the end.
pub(super) fn run(shared: &Arc<Shared>, nth: usize, outbox: &Outbox) {
    let target = &shared.config.scrapes[nth];
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut given: Vec<(String, String)> = target.labels.iter().map(|(name, value)| pair(name, value)).collect();
    given.retain(|(name, _)| name != "host");
    given.push(pair("host", shared.config.host.as_str()));
    given.sort();
    let agent: ureq::Agent = ureq::Agent::config_builder().max_redirects(0).http_status_as_error(false).build().into();
    let mut trouble = Trouble::default();
    let mut before = Vec::new();
    // Hosts that start together do not scrape together.
    let mut next = Instant::now() + jitter::up_to(target.every);
    while !shared.stop.wait(next.saturating_duration_since(Instant::now())) {
        next = (next + target.every).max(Instant::now());
        let at = clock::now().ms();
        let (mut all, up) = match fetched(&agent, target, &given, at) {
            Ok(all) => {
                trouble.over(&format!("{} answers again", target.url));
                (all, 1.0)
            }
            Err(why) => {
                trouble.is(&format!("{}: {why:#}", target.url));
                (Vec::new(), 0.0)
            }
        };
        let now: Vec<Vec<(String, String)>> = all.iter().map(|one| one.labels.clone()).collect();
        all.extend(ended(&before, &now, at));
        all.push(series(vec![pair("__name__", UP), pair("instance", &target.url)], &given, at, up));
        before = now;
        if outbox.add(all) > 0 {
            trouble.is("samples wait too long: the oldest were let go");
        }
    }
}

/// Marks the end of series that were there a moment ago: that they are gone must not be taken for
/// that they stay as they were.
fn ended(before: &[Vec<(String, String)>], now: &[Vec<(String, String)>], at: i64) -> Vec<WireSeries> {
    let now: std::collections::BTreeSet<&Vec<(String, String)>> = now.iter().collect();
    let gone = before.iter().filter(|labels| !now.contains(labels));
    gone.map(|labels| WireSeries { labels: labels.clone(), samples: vec![(at, f64::from_bits(STALE))] }).collect()
}

fn fetched(agent: &ureq::Agent, target: &Scrape, given: &[(String, String)], at: i64) -> Result<Vec<WireSeries>> {
    let limit = LIMIT.min(target.every.max(Duration::from_secs(1)));
    let answer = agent.get(&target.url).config().timeout_global(Some(limit)).build().call().context("cannot be reached")?;
    if !answer.status().is_success() {
        bail!("answered {}", answer.status());
    }
    let form = Form::of(answer.headers().get("content-type").and_then(|value| value.to_str().ok()));
    let limits = Limits::default();
    let body = answer.into_body().into_with_config().limit(limits.body_max as u64).read_to_vec().context("the answer broke off")?;
    Ok(parse(&body, form, &exposition::Scrape { at_ms: at, labels: given }, &limits)?)
}

//! What is deployed on this machine, where it is a relay's and its configuration says where environments lie: told when it
//! begins, when something is deployed or gone, and once an hour, as a restored server may have lost it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use belay_adapters::tools::host::HostTool;
use belay_api::agent::DeploymentsBody;
use belay_core::model::deployment::{Deployed, ENVIRONMENTS_MAX};
use belay_core::model::ids::Environment;
use belay_core::model::time::Timestamp;

use super::{Shared, Trouble, say};
use crate::clock;
use crate::durable;
use crate::jitter::Backoff;
use crate::server::Client;

/// The time between two looks.
const EVERY: Duration = Duration::from_secs(5);
/// The time after which it is told again.
const AGAIN: Duration = Duration::from_secs(3_600);
/// The first and the longest wait after a failure.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(120));
/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(30);
/// The largest note that is read, in bytes.
const NOTE_MAX: u64 = 4 << 20;

/// Looks and tells until the end.
pub(super) fn run(shared: &Arc<Shared>) {
    let (Some(server), Some(folder)) = (&shared.config.relay, &shared.config.enc.deployments) else { return };
    let mut trouble = Trouble::default();
    let mut backoff = Backoff::new(BACKOFF.0, BACKOFF.1);
    let mut told: Option<(BTreeMap<Environment, Deployed>, Instant)> = None;
    loop {
        let there = match look(folder, shared.bound.tool) {
            Ok(there) => there,
            Err(why) => {
                trouble.is(&format!("what is deployed cannot be told: {why:#}"));
                if shared.stop.wait(EVERY) {
                    return;
                }
                continue;
            }
        };
        let known = told.as_ref().is_some_and(|(known, at)| *known == there && at.elapsed() < AGAIN);
        let then = if known {
            EVERY
        } else {
            let body = DeploymentsBody::of(shared.config.host.as_str(), &there, clock::now());
            let sent = Client::open(server).map_err(|why| (format!("{why:#}"), None));
            match sent.and_then(|client| client.deployed(&body, LIMIT).map_err(|failed| (failed.text, failed.retry_after))) {
                Ok(()) => {
                    backoff.reset();
                    trouble.over("what is deployed is told again");
                    if told.as_ref().is_none_or(|(known, _)| *known != there) {
                        say(&format!("{} environments are deployed here", there.len()));
                    }
                    told = Some((there, Instant::now()));
                    EVERY
                }
                Err((text, retry_after)) => {
                    trouble.is(&format!("what is deployed is not told: {text}"));
                    backoff.failed(retry_after)
                }
            }
        };
        if shared.stop.wait(then) {
            return;
        }
    }
}

/// The environments in a folder. One whose deployment nobody noted is there all the same.
fn look(folder: &Path, tool: &dyn HostTool) -> anyhow::Result<BTreeMap<Environment, Deployed>> {
    use anyhow::Context as _;
    let mut there = BTreeMap::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))? {
        let entry = entry.with_context(|| format!("read {}", folder.display()))?;
        let name = entry.file_name();
        let Some(environment) = name.to_str().and_then(|name| Environment::parse(name).ok()) else { continue };
        // A link counts as what it leads to: pipelines switch environments by links.
        let Ok(about) = std::fs::metadata(entry.path()) else { continue };
        if !about.is_dir() {
            continue;
        }
        anyhow::ensure!(there.len() < ENVIRONMENTS_MAX, "{}: more than {ENVIRONMENTS_MAX} environments", folder.display());
        let note = durable::read(&entry.path().join(tool.deployment_note()), NOTE_MAX).ok().flatten();
        let noted = note.and_then(|note| tool.deployed(&note));
        let since = || about.modified().ok().map_or(Timestamp::from_ms(0), clock::of);
        there.insert(environment, noted.unwrap_or_else(|| Deployed { version: None, began: since(), ended: since() }));
    }
    Ok(there)
}

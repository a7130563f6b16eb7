//! What a policy asks to be done: rehearsals after a hold has expired, and reverts. One at a time,
//! each once, and nothing that the host's own configuration does not declare.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use belay_adapters::tools::host::Ended;
use belay_core::host::policy::{HostPolicy, RevertOrder, RevertWay};
use belay_core::host::talk::RevertResult;
use belay_core::model::ids::HoldId;
use belay_core::model::time::Timestamp;

use super::{Shared, say};
use crate::kept::LastGood;
use crate::{clock, command, jitter};

/// How often it is looked when nobody says that there is another policy.
const EVERY: Duration = Duration::from_secs(60);
/// How much of what a program prints is kept.
const OUTPUT_MAX: usize = 64 * 1024;
/// The most files one revert may restore.
const FILES_MAX: usize = 500;
/// How much is told of a revert, in characters.
const SAID_MAX: usize = 1_000;

/// Works until the end.
pub fn run(shared: &Arc<Shared>) {
    given_up(shared);
    while !shared.stop.is_over() {
        if let LastGood::Good(held) = shared.kept.last_good(&shared.config.host, &shared.config.host) {
            work(shared, &held.effective());
        }
        shared.policy.wait(EVERY);
    }
}

/// A revert that was going on when the agent ended is not begun again: what was done is not known.
fn given_up(shared: &Shared) {
    let Ok(guard) = shared.kept.guard() else { return };
    let mut notes = shared.kept.notes(clock::now());
    let Some(id) = notes.going_on.take() else { return };
    let why = "the agent ended while it was carried out; what was done is not known".to_owned();
    notes.results.push(RevertResult { id, outcome: Err(why), said: String::new() });
    _ = shared.kept.remember(&guard, &notes);
}

fn work(shared: &Shared, policy: &HostPolicy) {
    for order in &policy.reverts {
        if shared.stop.is_over() {
            return;
        }
        if begun(shared, order) {
            say(&format!("revert {}: {}", order.id, order.reason));
            let (outcome, said) = match revert(shared, &order.way) {
                Ok(said) => (Ok(()), said),
                Err(why) => (Err(short(&why)), String::new()),
            };
            let outcome_words = outcome.as_ref().map_or_else(|why| format!("not done: {why}"), |()| "done".to_owned());
            say(&format!("revert {} {outcome_words}", order.id));
            ended(shared, RevertResult { id: order.id, outcome, said: short(&said) });
        }
    }
    if policy.rehearse {
        rehearse(shared, policy);
    }
}

/// Notes that a revert begins, before it does; says whether it may.
fn begun(shared: &Shared, order: &RevertOrder) -> bool {
    let Ok(guard) = shared.kept.guard() else { return false };
    let mut notes = shared.kept.notes(clock::now());
    let first = notes.begin(order.id);
    notes.going_on = Some(order.id);
    first && shared.kept.remember(&guard, &notes).is_ok()
}

fn ended(shared: &Shared, result: RevertResult) {
    let Ok(guard) = shared.kept.guard() else { return };
    let mut notes = shared.kept.notes(clock::now());
    notes.going_on = None;
    notes.results.push(result);
    if let Err(why) = shared.kept.remember(&guard, &notes) {
        say(&format!("warning: how a revert went cannot be kept: {why:#}"));
    }
    shared.tell.ring();
}

fn revert(shared: &Shared, way: &RevertWay) -> Result<String, String> {
    match way {
        RevertWay::PinAndRun { environment } => {
            let said = apply(shared)?;
            let got = shared.environment_applied();
            match got {
                Some(got) if got != *environment => {
                    Err(format!("the run took environment {got}, not {environment}: is the classifier in place? {said}"))
                }
                _ => Ok(said),
            }
        }
        RevertWay::Restore { files } => restore(shared, files),
        RevertWay::Declared => {
            let argv = shared.config.revert.command.as_ref();
            let argv = argv.ok_or("this host declares no command to revert with: set revert.command in its agent.toml")?;
            succeeded(argv, shared.config.tool.limit)
        }
    }
}

fn apply(shared: &Shared) -> Result<String, String> {
    let argv = shared.bound.apply_now();
    let ended = command::run(&argv, shared.config.tool.limit, OUTPUT_MAX).map_err(|why| format!("{why:#}"))?;
    match shared.bound.tool.ended(ended.code) {
        Ended::Unchanged => Ok("a run, which had nothing to do".to_owned()),
        Ended::Changed => Ok("a run".to_owned()),
        Ended::Failed => Err(format!("the run failed ({}): {}", ended.code_words(), ended.said())),
        Ended::NoRun => Err(format!("there was no run ({}): {}", ended.code_words(), ended.said())),
    }
}

fn restore(shared: &Shared, files: &BTreeMap<String, String>) -> Result<String, String> {
    if files.is_empty() || files.len() > FILES_MAX {
        return Err(format!("{} files; 1 to {FILES_MAX} are restored at a time", files.len()));
    }
    let allowed = &shared.config.revert.paths;
    // All of it is looked at before any of it is done.
    let mut commands = Vec::new();
    for (path, sum) in files {
        if !allowed.iter().any(|pattern| pattern.matches(&path.to_ascii_lowercase())) {
            return Err(format!("{path} is not among the revert.paths of this host's agent.toml: nothing was restored"));
        }
        let ways = shared.bound.restore(path, sum);
        commands.push((path, ways.ok_or_else(|| format!("{path} cannot be restored by {sum:?}: nothing was restored"))?));
    }
    let total = commands.len();
    let mut by_server = 0;
    for (nth, (path, [own, servers])) in commands.iter().enumerate() {
        let failed = |why: String| format!("{path}: {why} ({nth} of {total} files were restored)");
        let Err(not_here) = succeeded(own, shared.config.tool.limit) else { continue };
        succeeded(servers, shared.config.tool.limit).map_err(|why| failed(format!("{not_here}; from the server: {why}")))?;
        by_server += 1;
    }
    let mut said = format!("{total} files restored");
    if by_server > 0 {
        said.push_str(&format!(", {by_server} of them from the backups of the tool's server"));
    }
    if let Some(argv) = shared.bound.restart() {
        succeeded(&argv, shared.config.tool.limit).map_err(|why| format!("{said}, but the restart failed: {why}"))?;
        said.push_str(", restarted");
    }
    Ok(said)
}

fn succeeded(argv: &[String], limit: Duration) -> Result<String, String> {
    let ended = command::run(argv, limit, OUTPUT_MAX).map_err(|why| format!("{why:#}"))?;
    if ended.ok() { Ok(ended.said()) } else { Err(format!("{} ended with {}: {}", argv[0], ended.code_words(), ended.said())) }
}

/// One rehearsal for the holds that have expired. Its report goes the way of every report.
fn rehearse(shared: &Shared, policy: &HostPolicy) {
    let now = clock::now();
    let expired = expired(policy, now);
    let done = shared.kept.notes(now).rehearsed;
    if expired.is_empty() || expired.is_subset(&done) || shared.bound.running() {
        return;
    }
    if shared.stop.wait(jitter::up_to(shared.config.tool.splay)) {
        return;
    }
    let Ok(guard) = shared.kept.guard() else { return };
    let mut notes = shared.kept.notes(now);
    notes.rehearsed = expired;
    if shared.kept.remember(&guard, &notes).is_err() {
        return;
    }
    drop(guard);
    let argv = shared.bound.rehearse();
    match command::run(&argv, shared.config.tool.limit, OUTPUT_MAX) {
        Ok(ended) => say(&format!("rehearsed, because a hold has expired: {}", ended.code_words())),
        Err(why) => say(&format!("warning: the rehearsal failed: {why:#}")),
    }
}

/// The holds that have expired; all of them where the server says so and this host's clock does not.
fn expired(policy: &HostPolicy, now: Timestamp) -> BTreeSet<HoldId> {
    let all = || policy.holds.iter();
    let over: BTreeSet<HoldId> = all().filter(|hold| now >= hold.until).map(|hold| hold.id).collect();
    if over.is_empty() { all().map(|hold| hold.id).collect() } else { over }
}

fn short(text: &str) -> String {
    text.chars().take(SAID_MAX).collect()
}

//! The way back by Puppet's own backups: looked at first, then done, then proved by a trial of its own.

use std::time::Duration;

use anyhow::{Context, bail, ensure};

use super::fleet::{APP, PRODUCTION, R142, REL};
use super::gate::{Rejected, id};
use super::{LIMIT, Stage};
use crate::night::tale::wait_for;

/// The agent's exit code for a run that is held.
const HELD: i32 = 10;

/// Requests that came within this time are a flow.
const FLOWS: Duration = Duration::from_secs(1);

/// Plays it: what was rejected goes from the host that got it.
pub(super) fn play(stage: &Stage<'_>, rejected: &Rejected) -> anyhow::Result<()> {
    let (tale, fleet, host) = (stage.tale, &stage.fleet, APP[0]);
    tale.say(&format!("-- `belay revert {} --dry-run`, and then for real", rejected.id));
    let bad = fleet.state(host)?;
    let plan = stage.belay.cli(&["revert", &rejected.id, "--dry-run"])?;
    plan.lines().for_each(|line| println!("             | {line}"));
    ensure!(plan.contains("nothing was done") && plan.contains("sitemonitor.conf"), "the plan does not say what it restores");
    ensure!(fleet.state(host)? == bad && stage.belay.list("/api/v1/reverts")?.is_empty(), "a dry run did something");
    done(stage, host, &rejected.id)?;
    ensure!(fleet.state(host)?.0.contains("format = v2"), "the file was not restored");
    flows(stage, host)?;
    tale.say(&format!("{host} sends again, out of the local filebucket and with the restart that the host declares"));
    proved(stage, rejected)
}

/// Where environments are declared, the way back is a pin and a run with it. A person rejects here: no signal is declared.
pub(super) fn by_pin(stage: &Stage<'_>) -> anyhow::Result<()> {
    let (tale, fleet, host) = (stage.tale, &stage.fleet, REL[0]);
    tale.say(&format!("-- environment production came to {host} by a run that asked nobody; somebody rejects it"));
    fleet.apply(host, PRODUCTION)?.is(2)?;
    let change = wait_for("the Change", LIMIT, || {
        let changes = stage.changes()?;
        Ok(changes.iter().find(|change| change["class"] == "rel").cloned().ok_or_else(|| format!("{changes:?}")))
    })?;
    // Belay may be faster than the person: that environment is not the release's.
    if let Err(error) = stage.belay.cli(&["reject", id(&change), "--reason", "it is 141's"]) {
        let now = stage.belay.get(&format!("/api/v1/changes/{}", id(&change)))?;
        ensure!(now["outcome"] == "rejected", "{error:#}: {now}");
        tale.say(&format!("belay rejected {} before anybody could", id(&change)));
    }
    let plan = stage.belay.cli(&["revert", id(&change), "--dry-run"])?;
    ensure!(plan.contains("pin") && plan.contains(R142), "the plan is no pin: {plan}");
    done(stage, host, id(&change))?;
    let pinned = stage.belay.list("/api/v1/pins")?;
    ensure!(pinned.iter().any(|pin| pin["host"] == host && pin["environment"] == R142), "it is not pinned: {pinned:?}");
    ensure!(fleet.state(host)?.0.contains("format = v2"), "the run did not bring 142's file");
    tale.say(&format!("{host} is pinned to {R142} and has 142's file again"));
    Ok(())
}

/// Reverts a Change, and waits until the host went back.
fn done(stage: &Stage<'_>, host: &str, change: &str) -> anyhow::Result<()> {
    let asked = stage.belay.cli(&["revert", change, "--reason", "it is the wrong file", "-o", "json"])?;
    let asked: serde_json::Value = serde_json::from_str(asked.trim()).with_context(|| format!("what revert said: {asked}"))?;
    let path = format!("/api/v1/reverts/{}", id(&asked));
    let done = wait_for("the revert", LIMIT, || {
        let revert = stage.belay.get(&path)?;
        ensure!(!["stopped", "failed on some hosts"].iter().any(|state| revert["state"] == *state), "the revert failed: {revert}");
        Ok(if revert["state"] == "done" { Ok(revert) } else { Err(revert.to_string()) })
    })?;
    stage.tale.say(&format!("belay: {} {}, on {host}: {}", id(&done), done["state"], done["hosts"][host]));
    Ok(())
}

/// The content is put right where it comes from, or the next run would undo the way back; that run opens its trial.
fn proved(stage: &Stage<'_>, rejected: &Rejected) -> anyhow::Result<()> {
    let (tale, fleet, host) = (stage.tale, &stage.fleet, APP[0]);
    let ran = fleet.exec(host, &fleet.apply_words(R142))?.is(HELD)?.says(&["the next run would undo it"])?;
    let hold = ran.said.split_once("hold release ").and_then(|(_, rest)| rest.split_whitespace().next());
    let hold = hold.with_context(|| format!("no hold is named: {}", ran.said))?;
    tale.say(&format!("{host} is held by {hold}, or the next run would undo the way back; it ends when the content is right"));
    fleet.release_142("v2")?;
    stage.belay.cli(&["hold", "release", hold, "--reason", "the content is right again"])?;
    let ran = wait_for("the hold to end on the host", LIMIT, || {
        let ran = fleet.exec(host, &fleet.apply_words(R142))?;
        Ok(if ran.code == Some(HELD) { Err(ran.said) } else { Ok(ran) })
    })?;
    ran.is(0)?;
    let change = wait_for("the verdict on the way back", LIMIT, || {
        let changes = stage.changes()?;
        let found = changes.iter().find(|change| id(change) != rejected.id && !change["outcome"].is_null()).cloned();
        Ok(found.ok_or_else(|| format!("{changes:?}")))
    })?;
    tale.say(&format!(
        "belay: {} ({}) is {}",
        id(&change),
        change["what"].as_str().unwrap_or("?"),
        change["standing"].as_str().unwrap_or("?")
    ));
    if change["outcome"] != "accepted" {
        bail!("the way back was not accepted: {}", stage.belay.get(&format!("/api/v1/changes/{}", id(&change)))?);
    }
    flows(stage, host)
}

fn flows(stage: &Stage<'_>, host: &str) -> anyhow::Result<()> {
    wait_for("requests again", LIMIT, || {
        Ok(if stage.sitemonitor.flows.silent(host, FLOWS) { Err(format!("nothing from {host}")) } else { Ok(()) })
    })
}

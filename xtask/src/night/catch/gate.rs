//! The gate before a run: by which environment belongs to which release, and by what was rejected; and as the hook of a run.

use std::path::Path;

use anyhow::{Context, ensure};
use serde_json::Value;

use super::fleet::{APP, HOOKED, PRODUCTION, R142, REL};
use super::{LIMIT, SILENCE, Stage};
use crate::night::puppet::Ran;
use crate::night::tale::wait_for;

/// A Change that was rejected.
pub(super) struct Rejected {
    /// Its number.
    pub id: String,
}

/// The environment of release 141 on hosts that run 142: refused before anything is written. A rehearsal passes, a held
/// host stays held.
pub(super) fn release_match(stage: &Stage<'_>) -> anyhow::Result<()> {
    let (tale, fleet, host) = (stage.tale, &stage.fleet, REL[0]);
    tale.say("-- cron's line with the old environment, behind `belay-agent exec`");
    let before = fleet.state(host)?;
    let words = fleet.apply_words(PRODUCTION);
    let ran = fleet.exec(host, &words)?.is(11)?;
    let ran =
        ran.says(&["environment production does not belong to release 142, which needs r142", "help: run it with environment r142"])?;
    tale.say(&format!("{host}: {}", ran.line("belay gate:")));
    let ran = fleet.exec(REL[1], &words)?.is(10)?.says(&["alice"])?;
    tale.say(&format!("{}: {}", REL[1], ran.line("belay gate:")));
    let noop = [&words[..1], &["--noop".to_owned()], &words[1..]].concat();
    let ran = fleet.exec(host, &noop)?.is(0)?.says(&["noop"])?;
    tale.say(&format!("{host}, a rehearsal: {}", ran.line("Notice: Applied catalog")));
    ensure!(fleet.state(host)? == before && !fleet.file(REL[1]).exists(), "a file was written, though the run was refused");
    Ok(())
}

/// Bad content reaches the first host by a run that asks nobody: its flow stops, and it is rejected.
pub(super) fn rejected(stage: &Stage<'_>) -> anyhow::Result<Rejected> {
    let (tale, first) = (stage.tale, APP[0]);
    tale.say(&format!("-- somebody alters the content of environment r142; {first} gets it first"));
    stage.fleet.release_142("v1")?;
    stage.fleet.apply(first, R142)?.is(2)?;
    let change = wait_for("the verdict", LIMIT, || {
        let changes = stage.changes()?;
        let found = changes.iter().find(|change| change["outcome"] == "rejected").cloned();
        Ok(found.ok_or_else(|| format!("{changes:?}")))
    })?;
    let id = change["id"].as_str().context("a Change without a number")?.to_owned();
    tale.say(&format!("belay: {id} ({}) is {}", change["what"].as_str().unwrap_or("?"), change["standing"].as_str().unwrap_or("?")));
    ensure!(change["hosts_changed"] == 1 && change["class"] == "app", "it is another Change that was rejected: {change}");
    ensure!(stage.sitemonitor.flows.silent(first, SILENCE), "it was rejected, and yet its flow goes on");
    Ok(Rejected { id })
}

/// The other hosts are offered the same, in catalogs that are compiled first, as it is done where there is no server of
/// Puppet's. The answer is how many of them got it after the verdict.
pub(super) fn keep_out(stage: &Stage<'_>, rejected: &Rejected) -> anyhow::Result<u64> {
    let (tale, fleet, next) = (stage.tale, &stage.fleet, &APP[1..]);
    tale.say("-- the next hosts are offered it");
    let before = next.iter().map(|host| fleet.state(host)).collect::<anyhow::Result<Vec<_>>>()?;
    fleet.at_once(next, |host| {
        let catalog = fleet.compile(host, R142)?;
        wait_for("the verdict to be known on the host", LIMIT, || {
            let ran = fleet.gate(host, &catalog)?;
            Ok(if ran.code == Some(11) { Ok(()) } else { Err(ran.said) })
        })?;
        let ran = refused(fleet.exec(host, &catalog_words(&catalog))?.is(11)?, rejected)?;
        tale.say(&format!("{host}: {}", ran.line("belay gate:")));
        Ok(())
    })?;
    let after = next.iter().map(|host| fleet.state(host)).collect::<anyhow::Result<Vec<_>>>()?;
    let written = before.iter().zip(&after).filter(|(before, after)| before != after).count() as u64;
    let change = stage.belay.get(&format!("/api/v1/changes/{}", rejected.id))?;
    let counted = change["after_rejection"].as_u64().context("after_rejection")?;
    tale.say(&format!("{written} of {} hosts got it after the verdict; belay counts {counted}", next.len()));
    Ok(written.max(counted))
}

/// A run that nobody put behind `exec` is stopped by Puppet's own hook, and its report says by whom.
pub(super) fn hook(stage: &Stage<'_>, rejected: &Rejected) -> anyhow::Result<()> {
    let (tale, fleet) = (stage.tale, &stage.fleet);
    tale.say(&format!("-- the same on {HOOKED} without exec: prerun_command asks the gate"));
    let before = fleet.state(HOOKED)?;
    let catalog = fleet.host(HOOKED).join("catalog.json");
    // Puppet's exit code says nothing here: `puppet apply --catalog` ends with 0 whatever came of it.
    let ran = fleet.puppet(HOOKED, &catalog_words(&catalog))?.says(&["Could not run command from prerun_command", "returned 11"])?;
    ran.says(&[&format!("belay gate: refused: rejected for this class and release by {}", rejected.id)])?;
    ensure!(fleet.state(HOOKED)? == before, "the hook refused, and yet the file was written");
    let run = wait_for("the report of the refused run", LIMIT, || {
        let runs = stage.runs_of(HOOKED)?;
        Ok(runs.iter().find(|run| run["kind"] == "refused").cloned().ok_or_else(|| format!("{runs:?}")))
    })?;
    let detail = run["detail"].as_str().unwrap_or_default();
    ensure!(detail.starts_with("belay gate: refused: ") && detail.contains(&rejected.id), "the report does not say who refused: {run}");
    tale.say(&format!("belay: a run of {HOOKED} was refused: {detail}"));
    Ok(())
}

/// The words after `puppet` that apply a catalog out of a file.
pub(super) fn catalog_words(catalog: &Path) -> Vec<String> {
    let words = ["apply", "--detailed-exitcodes", "--verbose", "--color=false", "--environment", R142, "--catalog"];
    words.map(str::to_owned).into_iter().chain([catalog.display().to_string()]).collect()
}

/// One sentence with the reason, and one with what to do.
pub(super) fn refused(ran: Ran, rejected: &Rejected) -> anyhow::Result<Ran> {
    let id = &rejected.id;
    ran.says(&[&format!("belay gate: refused: rejected for this class and release by {id}"), &format!("help: see: belay why {id}")])
}

/// The number of a Change.
pub(super) fn id(change: &Value) -> &str {
    change["id"].as_str().unwrap_or_default()
}

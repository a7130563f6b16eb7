//! The wrong environment for the release a host runs: seen where Belay observes, refused by the hook, never given by the classifier.

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::{CLASSIFIED, HOOKED, LIMIT, OBSERVED, Stage};
use crate::night::puppet::Ran;
use crate::night::tale::wait_for;

/// Cron's line with the environment of the release before.
const OLD: [&str; 2] = ["--environment", "r141"];

/// It comes, and Belay says at once what it was and that it is wrong; the host beside it is left out of it.
pub(super) fn observing(stage: &Stage<'_>) -> anyhow::Result<Value> {
    let (tale, host) = (stage.tale, OBSERVED[0]);
    tale.say(&format!("-- observing: {host} runs 142, and somebody runs Puppet there with environment r141"));
    stage.hosts.run(host, &OLD)?.is(2)?;
    ensure!(stage.hosts.state(host)?.0.contains("release = 141"), "141's file did not come");
    let change = wait_for("the verdict", LIMIT, || {
        let changes = stage.belay.list("/api/v1/changes")?;
        let found = changes.iter().find(|change| change["class"] == "observed" && change["outcome"] == "rejected").cloned();
        Ok(found.ok_or_else(|| format!("{changes:?}")))
    })?;
    let id = change["id"].as_str().context("a Change without a number")?;
    let whole = stage.belay.get(&format!("/api/v1/changes/{id}"))?;
    let hosts: Vec<&str> = whole["hosts"].as_array().into_iter().flatten().filter_map(|host| host["host"].as_str()).collect();
    ensure!(hosts == [host], "it is about {hosts:?}: {whole}");
    let mut reasons = whole["explanation"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let reason = reasons.find(|line| line.contains("r141")).with_context(|| format!("nothing names the environment: {whole}"))?;
    tale.say(&format!("belay: {id} is rejected: {reason}"));
    stage.hosts.run(host, &["--environment", "r142"])?.is(2)?;
    ensure!(stage.hosts.state(host)?.0.contains("release = 142"), "142's file did not come back");
    Ok(json!({ "verdict": "rejected", "refused": false, "because": reason }))
}

/// Puppet's own hook stops it before anything is written; the site's own hook runs behind the gate, and only behind a go.
pub(super) fn hook(stage: &Stage<'_>) -> anyhow::Result<Value> {
    let (tale, host) = (stage.tale, HOOKED[0]);
    tale.say(&format!("-- the hook: the same on {host}, whose prerun_command asks the gate"));
    let (before, runs, hooks) = (stage.hosts.state(host)?, stage.runs_of(host)?.len(), stage.hosts.site_hooks(host));
    let refusal = "environment r141 does not belong to release 142, which needs r142";
    let ran = stage.hosts.run(host, &OLD)?.is(1)?.says(&["Could not run command from prerun_command", refusal])?;
    ensure!(stage.hosts.state(host)? == before, "the hook refused, and yet the file was written");
    ensure!(stage.hosts.site_hooks(host) == hooks, "the site's own hook ran, though the gate refused");
    tale.say(&format!("{host}: {}", gate_said(&ran)));
    let run = stage.next_run(host, runs)?;
    let told = run["kind"] == "refused" && run["detail"].as_str().is_some_and(|detail| detail.contains(refusal));
    ensure!(told, "the report of the puppetserver does not say who refused: {run}");
    stage.hosts.run(host, &[])?.is(0)?;
    ensure!(stage.hosts.site_hooks(host) == hooks + 1, "the site's own hook did not run behind the gate");
    ensure!(
        stage.belay.list("/api/v1/changes")?.iter().all(|change| change["class"] != "hooked"),
        "nothing came, and yet there is a Change"
    );
    Ok(json!({ "refused": true, "propagated_to": 0, "site_hook_kept": true }))
}

/// What the gate said, out of what Puppet says of its hook.
pub(super) fn gate_said(ran: &Ran) -> &str {
    ran.said.find("belay gate:").map_or("", |at| ran.said[at..].lines().next().unwrap_or_default())
}

/// A pin goes before the release, while it lasts; a rehearsal shows it.
fn pinned(stage: &Stage<'_>, host: &str) -> anyhow::Result<()> {
    stage.belay.cli(&["pin", host, "--environment", "r141", "--for", "1h", "--reason", "a look at 141's catalog"])?;
    stage.classified(host, "r141")?;
    stage.hosts.run(host, &["--noop"])?.says(&["environment 'r141'", "noop"])?;
    stage.belay.cli(&["pin", host, "--end", "--reason", "seen"])?;
    stage.classified(host, "r142")?;
    stage.tale.say(&format!("{host} was pinned to r141 for a rehearsal, and is not any more"));
    Ok(())
}

/// The classifier that a site had keeps its say in everything but the environment.
fn wrapped(stage: &Stage<'_>, host: &str) -> anyhow::Result<()> {
    let says = "---\nclasses:\n  app: {}\nparameters:\n  role: web\nenvironment: r141\n";
    stage.puppetserver.wrap(Some(says))?;
    let said = stage.puppetserver.classify(host)?;
    ensure!(said.contains("environment: r142") && said.contains("role: web"), "it says: {said}");
    let ran = stage.hosts.run(host, &[])?;
    stage.puppetserver.wrap(None)?;
    ran.is(0)?;
    let classes = std::fs::read_to_string(stage.hosts.host(host).join("puppet/state/classes.txt")).context("read classes.txt")?;
    ensure!(classes.lines().any(|class| class == "app"), "the other classifier's class is not in the catalog: {classes}");
    stage.tale.say(&format!("{host}: the classifier of before names class app and r141, and gets r142 with class app"));
    Ok(())
}

/// Nothing of Belay's is on these hosts. The puppetserver gives them what belongs to their release, whatever they ask for, and
/// another environment within seconds of another release.
pub(super) fn classifier(stage: &Stage<'_>) -> anyhow::Result<Value> {
    let (tale, [stays, moves]) = (stage.tale, CLASSIFIED);
    tale.say(&format!("-- the classifier: the same on {stays}, on which nothing of Belay's is installed"));
    let (before, runs) = (stage.hosts.state(stays)?, stage.runs_of(stays)?.len());
    let ran = stage.hosts.run(stays, &OLD)?.is(0)?;
    ensure!(stage.hosts.state(stays)? == before, "141's file came, though the classifier names r142");
    let run = stage.next_run(stays, runs)?;
    ensure!(run["environment"] == "r142", "the report says another environment: {run}");
    let switched = ran.said.lines().find(|line| line.contains("r142")).unwrap_or("it ran with r142");
    tale.say(&format!("{stays}: {switched}"));
    tale.say(&format!("-- {moves} goes back to release 141"));
    let runs = stage.runs_of(moves)?.len();
    let began = tale.elapsed();
    stage.belay.runs_release(moves, "141")?;
    stage.classified(moves, "r141")?;
    let known_s = ((tale.elapsed() - began).as_secs_f64() * 1000.0).round() / 1000.0;
    stage.hosts.run(moves, &[])?.is(2)?;
    ensure!(stage.hosts.state(moves)?.0.contains("release = 141"), "141's file did not come");
    let run = stage.next_run(moves, runs)?;
    ensure!(run["environment"] == "r141", "the report says another environment: {run}");
    ensure!(stage.hosts.state(stays)? == before, "the other host was touched");
    tale.say(&format!("{moves} got environment r141, {known_s} s after the release was told"));
    let changes = stage.belay.list("/api/v1/changes")?;
    let wrong: Vec<&Value> = changes.iter().filter(|change| change["class"] == "classified" && change["outcome"] == "rejected").collect();
    ensure!(wrong.is_empty(), "what belongs to the release was rejected: {wrong:?}");
    pinned(stage, stays)?;
    wrapped(stage, stays)?;
    Ok(json!({ "propagated_to": 0, "environment_kept": "r142", "classified_after_release_s": known_s }))
}

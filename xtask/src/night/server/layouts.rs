//! What pipelines deploy with r10k: each deployment an environment of its own, which goes along the waves and is taken back from
//! the first host when it is bad; one branch over itself, whose commits are versions all the same; and a release that Puppet
//! itself installs.

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::{ASSIGNED, LIMIT, PLACED, SNAPPED, Stage};
use crate::night::puppet::side_by_side;
use crate::night::tale::wait_for;

/// How long a belay-agent takes to see a deployment, and Belay to open a wave for it.
const WAIT: &str = "60s";

/// Every host runs as it would by itself; those that got something else.
fn round(stage: &Stage<'_>, hosts: &[&str]) -> anyhow::Result<Vec<String>> {
    let before: Vec<usize> = hosts.iter().map(|host| stage.runs_of(host).map(|runs| runs.len())).collect::<anyhow::Result<_>>()?;
    side_by_side(hosts.len(), hosts, |host| stage.hosts.run(host, &[]).map(drop))?;
    let mut changed = Vec::new();
    for (host, before) in hosts.iter().zip(before) {
        if stage.next_run(host, before)?["kind"] == "changed" {
            changed.push((*host).to_owned());
        }
    }
    Ok(changed)
}

/// The environment that the classifier names for each host.
fn named(stage: &Stage<'_>, hosts: &[&str]) -> anyhow::Result<Vec<String>> {
    let name = |said: String| said.lines().find_map(|line| line.strip_prefix("environment: ")).unwrap_or_default().to_owned();
    hosts.iter().map(|host| stage.puppetserver.classify(host).map(name)).collect()
}

/// Waits until so many hosts are given an environment; who they are.
fn given<'h>(stage: &Stage<'_>, hosts: &[&'h str], environment: &str, many: usize) -> anyhow::Result<Vec<&'h str>> {
    wait_for(&format!("{many} hosts to be given {environment}"), LIMIT, || {
        let named = named(stage, hosts)?;
        let who: Vec<&str> = hosts.iter().zip(&named).filter(|(_, name)| *name == environment).map(|(host, _)| *host).collect();
        Ok(if who.len() == many { Ok(who) } else { Err(format!("{named:?}")) })
    })
}

fn open_change(stage: &Stage<'_>, class: &str) -> anyhow::Result<Value> {
    wait_for("the Change", LIMIT, || {
        let changes = stage.belay.list("/api/v1/changes")?;
        let open = changes.iter().find(|change| change["class"] == class && change["outcome"].is_null()).cloned();
        Ok(open.ok_or_else(|| format!("{changes:?}")))
    })
}

fn id(change: &Value) -> anyhow::Result<&str> {
    change["id"].as_str().context("a Change without a number")
}

/// Layout A.
pub(super) fn snapshots(stage: &mut Stage<'_>) -> anyhow::Result<Value> {
    let (tale, belay) = (stage.tale, &stage.belay);
    let control = stage.control.as_ref().context("there is no r10k")?;
    tale.say("-- snapshots: a pipeline deploys the same content as an environment of its own, and publishes it");
    let same = control.snapshot("production", &control.commit("production", "1")?)?;
    let refused = belay.cli(&["publish", &same]).expect_err("it is not deployed yet").to_string();
    ensure!(refused.contains("not deployed on puppet.example.com"), "it says: {refused}");
    control.deploy(&same)?;
    tale.say(belay.cli(&["publish", &same, "--wait", WAIT])?.trim());
    let mut came = Vec::new();
    while came.len() < SNAPPED.len() {
        let who = given(stage, &SNAPPED, &same, if came.is_empty() { 1 } else { SNAPPED.len() })?;
        ensure!(round(stage, &SNAPPED)?.is_empty(), "nothing is new in it, and yet a host changed");
        came = who;
    }
    let of_class = |changes: Vec<Value>| changes.iter().filter(|change| change["class"] == "snapped").count();
    ensure!(of_class(belay.list("/api/v1/changes")?) == 0, "nothing is new in it, and yet there is a Change");
    tale.say(&format!("{same} brought nothing new: it came to one host, then to all, and nothing was put on trial"));
    let bad_commit = control.commit("production", "2")?;
    let bad = control.snapshot("production", &bad_commit)?;
    control.deploy(&bad)?;
    tale.say(&format!("-- and one with another file: {}", belay.cli(&["publish", &bad, "--wait", WAIT])?.trim()));
    let first = given(stage, &SNAPPED, &bad, 1)?;
    ensure!(round(stage, &SNAPPED)? == first, "it did not come to {first:?} alone");
    let change = open_change(stage, "snapped")?;
    ensure!(change["version"] == json!(bad_commit), "its version is not the commit {bad_commit}: {change}");
    ensure!(round(stage, &SNAPPED)?.is_empty(), "it went on to further hosts while it is on trial");
    belay.cli(&["reject", id(&change)?, "--reason", "the file is not what was meant"])?;
    given(stage, &SNAPPED, &same, SNAPPED.len())?;
    ensure!(round(stage, &SNAPPED)? == first, "the first host did not go back");
    ensure!(stage.hosts.state(first[0])?.0.contains("release = 1"), "the file of before is not back on {}", first[0]);
    tale.say(&format!("{} rejected: {} went back to {same} by its next run, nobody else ever had it", id(&change)?, first[0]));
    let good = control.snapshot("production", &control.commit("production", "3")?)?;
    control.deploy(&good)?;
    belay.cli(&["publish", &good, "--wait", WAIT])?;
    let first = given(stage, &SNAPPED, &good, 1)?;
    round(stage, &SNAPPED)?;
    let change = open_change(stage, "snapped")?;
    belay.cli(&["accept", id(&change)?, "--reason", "it is what was meant"])?;
    given(stage, &SNAPPED, &good, SNAPPED.len())?;
    ensure!(round(stage, &SNAPPED)?.len() == SNAPPED.len() - first.len(), "the others did not get it");
    belay.cli(&["publish", &bad, "--withdraw"])?;
    control.remove(&bad)?;
    tale.say(&format!("{good} accepted: it came to all. {bad} is withdrawn, then removed"));
    println!("{}", belay.cli(&["publish"])?);
    Ok(json!({ "empty_on_trial": 0, "rejected_came_to": 1, "taken_back": true, "version_is_commit": true }))
}

/// Layout C.
pub(super) fn in_place(stage: &mut Stage<'_>) -> anyhow::Result<Value> {
    let control = stage.control.as_ref().context("there is no r10k")?;
    let tale = stage.tale;
    tale.say("-- in place: r10k deploys the branch over itself; no config_version says which commit it is");
    ensure!(round(stage, &PLACED)?.is_empty(), "nothing was deployed, and yet a host changed");
    let first = control.head("inplace")?;
    let commit = control.commit("inplace", "5")?;
    control.deploy("inplace")?;
    wait_for("the deployment to be noticed", LIMIT, || {
        let rows = stage.belay.list("/api/v1/deployments")?;
        let known = rows.iter().any(|row| row["environment"] == "inplace" && row["places"][0]["version"] == json!(commit));
        Ok(if known { Ok(()) } else { Err(format!("{rows:?}")) })
    })?;
    ensure!(round(stage, &PLACED)?.len() == PLACED.len(), "it did not come to both hosts");
    let change = open_change(stage, "placed")?;
    let whole = stage.belay.get(&format!("/api/v1/changes/{}", id(&change)?))?;
    let hosts = whole["hosts"].as_array().map_or(0, Vec::len);
    ensure!(change["version"] == json!(commit) && hosts == PLACED.len(), "it is not one Change at commit {commit}: {whole}");
    tale.say(&format!("{} is one Change on {hosts} hosts, at the commit that r10k noted: {commit}", id(&change)?));
    let file = "modules/app/files/motd";
    let old = stage.puppetserver.code_content("inplace", &first, file)?;
    ensure!(old == "welcome to 1\n", "the git object of the commit before is another: {old}");
    let before = stage.hosts.state(PLACED[0])?;
    let ran = stage.hosts.run(PLACED[0], &["--environment", "r141"])?.is(0)?;
    ensure!(stage.hosts.state(PLACED[0])? == before, "the environment of another release came");
    tale.say(&format!("{}: {}", PLACED[0], ran.said.lines().find(|line| line.contains("inplace")).unwrap_or("it kept its environment")));
    Ok(json!({ "one_change": true, "version_is_commit": true, "release_match": true }))
}

/// A release that Puppet itself installs, by the content of its environment.
pub(super) fn assigned(stage: &mut Stage<'_>) -> anyhow::Result<Value> {
    let tale = stage.tale;
    tale.say("-- assigned: Puppet itself installs the release; the class is to come from 141 to 142");
    given(stage, &ASSIGNED, "r141", ASSIGNED.len())?;
    stage.belay.reload(|text| text.replace("release_source = \"observed\"", "release_source = \"assigned\"\ntarget = \"142\""))?;
    let first = given(stage, &ASSIGNED, "r142", 1)?[0];
    ensure!(round(stage, &ASSIGNED)? == [first], "it did not come to {first} alone");
    let change = open_change(stage, "assigned")?;
    ensure!(change["release"] == "142", "the run that installs 142 is not of 142: {change}");
    let host = stage.belay.get(&format!("/api/v1/hosts/{first}"))?;
    ensure!(host["release"] == "142", "nobody told that {first} runs 142, and its run did: {host}");
    ensure!(round(stage, &ASSIGNED)?.is_empty(), "it went on to the other while it is on trial");
    stage.belay.cli(&["accept", id(&change)?, "--reason", "142 runs well"])?;
    given(stage, &ASSIGNED, "r142", ASSIGNED.len())?;
    ensure!(round(stage, &ASSIGNED)?.len() == ASSIGNED.len() - 1, "the other did not get it");
    tale.say(&format!("142 came to {first}, its run belongs to 142 ({}), and to the other once it was accepted", id(&change)?));
    Ok(json!({ "first_wave": 1, "run_belongs_to": "142" }))
}

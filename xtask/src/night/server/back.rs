//! Content that comes into an environment in place: what lies behind a `source` is known to the gate of the next host, and the way
//! back is the puppetserver's filebucket, where no other environment is known to be good and the host itself keeps no backups.

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::{HOOKED, LIMIT, Stage};
use crate::night::tale::wait_for;

fn id(of: &Value) -> anyhow::Result<&str> {
    of["id"].as_str().with_context(|| format!("no number: {of}"))
}

/// The file of a module, rejected on one host, does not come to the next: static catalogs say what is in it.
pub(super) fn source(stage: &Stage<'_>) -> anyhow::Result<Value> {
    let (tale, belay, [host, other]) = (stage.tale, &stage.belay, HOOKED);
    stage.hosts.run(host, &[])?;
    let line = |level: &str| format!("hosts = [\"hook*\"]\nrelease = {{ reported = true }}\nenforce = \"{level}\"");
    let level = |from: &str, to: &str| belay.reload(|text| text.replace(&line(from), &line(to)));
    level("release-match", "rejected")?;
    tale.say(&format!("-- a file by `source`: another one comes to {host}, and is rejected there"));
    stage.puppetserver.motd("r142", "keep out\n")?;
    stage.hosts.run(host, &[])?.is(2)?;
    let change = open(stage)?;
    belay.cli(&["reject", id(&change)?, "--reason", "not what we say to people"])?;
    let refusal = "File[/proc/self/cwd/etc/motd] content";
    let before = stage.hosts.motd(other)?;
    let policy = stage.hosts.host(other).join("belay/state/policy.json");
    wait_for("the rejection to reach the other host", LIMIT, || {
        let text = std::fs::read_to_string(&policy).unwrap_or_default();
        Ok(if text.contains("\"state\":\"rejected\"") { Ok(()) } else { Err(format!("{} bytes of policy", text.len())) })
    })?;
    let ran = stage.hosts.run(other, &[])?.is(1)?.says(&["rejected for this class and release", refusal])?;
    ensure!(stage.hosts.motd(other)? == before, "the gate refused, and yet the file came");
    tale.say(&format!("{other}: {}", super::enforced::gate_said(&ran)));
    stage.puppetserver.motd("r142", "welcome\n")?;
    level("rejected", "release-match")?;
    stage.hosts.run(host, &[])?.is(2)?;
    stage.hosts.run(other, &[])?.is(0)?;
    Ok(json!({ "refused_by_source": true, "propagated_to": 0 }))
}

fn open(stage: &Stage<'_>) -> anyhow::Result<Value> {
    wait_for("the Change", LIMIT, || {
        let changes = stage.belay.list("/api/v1/changes")?;
        let open = changes.iter().find(|change| change["class"] == "hooked" && change["outcome"].is_null()).cloned();
        Ok(open.ok_or_else(|| format!("{changes:?}")))
    })
}

/// Plays it. The environment is at the end as it was.
pub(super) fn play(stage: &Stage<'_>) -> anyhow::Result<Value> {
    let (tale, belay, [host, other]) = (stage.tale, &stage.belay, HOOKED);
    stage.hosts.run(host, &[])?;
    let before = stage.hosts.state(host)?.0;
    tale.say(&format!("-- the filebucket: environment r142 gets another file in place, and it comes to {host}"));
    stage.puppetserver.deploy("r142", "142 (mistyped)")?;
    stage.hosts.run(host, &[])?.is(2)?;
    ensure!(stage.hosts.state(host)?.0.contains("mistyped"), "the other file did not come");
    let change = open(stage)?;
    belay.cli(&["reject", id(&change)?, "--reason", "it is mistyped"])?;
    let plan = belay.cli(&["revert", id(&change)?, "--dry-run"])?;
    ensure!(plan.contains("files from the tool's own backups"), "the plan is another: {plan}");
    let own = std::fs::read_dir(stage.hosts.host(host).join("puppet/var/clientbucket"));
    ensure!(own.is_ok_and(|mut backups| backups.next().is_none()), "the host keeps backups itself: nothing is proved");
    let asked = belay.cli(&["revert", id(&change)?, "--reason", "it is mistyped", "-o", "json"])?;
    let asked: Value = serde_json::from_str(asked.trim()).with_context(|| format!("what revert said: {asked}"))?;
    let done = wait_for("the revert", LIMIT, || {
        let revert = belay.get(&format!("/api/v1/reverts/{}", id(&asked)?))?;
        ensure!(!["stopped", "failed on some hosts"].iter().any(|state| revert["state"] == *state), "the revert failed: {revert}");
        Ok(if revert["state"] == "done" { Ok(revert) } else { Err(revert.to_string()) })
    })?;
    ensure!(stage.hosts.state(host)?.0 == before, "the file of before is not back");
    let hold = done["hold"].as_str().context("nothing holds the next run, which would undo it")?.to_owned();
    tale.say(&format!("{} rejected and reverted out of the server's filebucket; {hold} keeps the next run from undoing it", id(&change)?));
    stage.puppetserver.deploy("r142", "142")?;
    belay.cli(&["hold", "release", &hold, "--reason", "the content is right again"])?;
    wait_for("the hold to end on the host", LIMIT, || {
        Ok(if stage.hosts.lock(host).exists() { Err("its lock stands".to_owned()) } else { Ok(()) })
    })?;
    stage.hosts.run(host, &[])?.is(0)?;
    stage.hosts.run(other, &[])?.is(0)?;
    tale.say(&format!("the content is right again: {host} runs and has nothing to do, {other} never had it"));
    Ok(json!({ "restored_from_server": true, "held_until_right": true }))
}

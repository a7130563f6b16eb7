//! Whole runs while a server is away: Belay, then the puppetserver.

use anyhow::ensure;
use serde_json::{Value, json};

use super::enforced::gate_said;
use super::{CLASSIFIED, HOOKED, LIMIT, OBSERVED, Stage};
use crate::night::tale::wait_for;

/// Cron's line with the environment of the release before.
const OLD: [&str; 2] = ["--environment", "r141"];

/// Belay is stopped. The gate goes by the last policy, the classifier by what it was told last, and reports wait.
pub(super) fn belay(stage: &mut Stage<'_>) -> anyhow::Result<Value> {
    let (hooked, classified) = (HOOKED[0], CLASSIFIED[0]);
    let before = [stage.runs_of(hooked)?.len(), stage.runs_of(classified)?.len()];
    stage.tale.say("-- belay is stopped");
    stage.belay.stop();
    ensure!(stage.belay.get("/api/v1/status").is_err(), "it was stopped, and yet it answers");
    let away = without_belay(stage, hooked, classified);
    stage.belay.again()?;
    let waited = away?;
    stage.tale.say("belay is back");
    let expected = [before[0] + 2, before[1] + 1];
    wait_for("the reports that waited", LIMIT, || {
        let now = [stage.runs_of(hooked)?.len(), stage.runs_of(classified)?.len()];
        let left = stage.puppetserver.spooled();
        Ok(if now >= expected && left == 0 { Ok(()) } else { Err(format!("{now:?} runs of {expected:?}, {left} in the spool")) })
    })?;
    // Both the puppetserver and the host's own agent tell of hook1's runs.
    wait_for("the agent to have sent what it kept", LIMIT, || {
        let spool = std::fs::read_dir(stage.hosts.host(hooked).join("belay/state/spool"))?.flatten();
        let left = spool.filter(|file| file.path().extension().is_some_and(|kind| kind == "report")).count();
        Ok(if left == 0 { Ok(()) } else { Err(format!("{left} in the agent's spool")) })
    })?;
    let now = [stage.runs_of(hooked)?.len(), stage.runs_of(classified)?.len()];
    ensure!(now == expected, "a report came twice, or a run too many: {now:?}, not {expected:?}");
    let run = &stage.runs_of(classified)?[0];
    ensure!(run["environment"] == "r142", "the classifier named another environment: {run}");
    stage.tale.say(&format!("{waited} reports had waited on the puppetserver's disk; each run is known once"));
    Ok(json!({ "refused": true, "classifier_answered": true, "reports_waited": waited, "twice": 0 }))
}

/// The answer is how many reports wait on the puppetserver's disk.
fn without_belay(stage: &Stage<'_>, hooked: &str, classified: &str) -> anyhow::Result<usize> {
    let (tale, hosts) = (stage.tale, &stage.hosts);
    hosts.run(hooked, &[])?.is(0)?;
    tale.say(&format!("{hooked}: an ordinary run goes (exit 0)"));
    let state = hosts.state(hooked)?;
    let ran = hosts.run(hooked, &OLD)?.is(1)?.says(&["environment r141 does not belong to release 142"])?;
    ensure!(hosts.state(hooked)? == state, "the gate refused, and yet the file was written");
    tale.say(&format!("{hooked}: {}", gate_said(&ran)));
    let state = hosts.state(classified)?;
    hosts.run(classified, &OLD)?.is(0)?;
    ensure!(hosts.state(classified)? == state, "the classifier was asked while belay was away, and gave r141");
    tale.say(&format!("{classified}: asked for r141, got r142 (exit 0)"));
    wait_for("the puppetserver to keep the reports", LIMIT, || {
        let kept = stage.puppetserver.spooled();
        Ok(if kept >= 3 { Ok(kept) } else { Err(format!("{kept} kept")) })
    })
}

/// The puppetserver is stopped for good. Hosts go on with the catalog they have, the gate is asked all the same, and what only the
/// host knows comes by its agent.
pub(super) fn puppetserver(stage: &mut Stage<'_>) -> anyhow::Result<Value> {
    let (hooked, plain) = (HOOKED[1], OBSERVED[1]);
    stage.tale.say("-- the puppetserver is stopped");
    stage.puppetserver.stop();
    let before = [stage.runs_of(hooked)?.len(), stage.runs_of(plain)?.len()];
    let hooks = stage.hosts.site_hooks(hooked);
    let file = stage.hosts.host(hooked).join("etc/sitemonitor.conf");
    std::fs::write(&file, "altered by hand\n")?;
    stage.hosts.run(hooked, &[])?.is(2)?.says(&["Using cached catalog"])?;
    ensure!(stage.hosts.state(hooked)?.0.contains("release = 142"), "the cached catalog was not applied");
    ensure!(stage.hosts.site_hooks(hooked) == hooks + 1, "the hook was not asked");
    let run = stage.next_run(hooked, before[0])?;
    stage.tale.say(&format!("{hooked}: went on with its cached catalog, and its own agent told of it: {}", run["kind"]));
    stage.hosts.run(plain, &[])?.is(0)?.says(&["Using cached catalog", "Could not send report"])?;
    ensure!(stage.runs_of(plain)?.len() == before[1], "nobody could have told of the run of {plain}");
    stage.tale.say(&format!("{plain}: the same, and nobody told: it has no agent"));
    Ok(json!({ "cached_catalog": true, "told_by_agent": run["kind"], "told_without_agent": false }))
}

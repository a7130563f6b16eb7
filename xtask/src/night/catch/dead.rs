//! The server is away for whole runs: what is good runs, what was rejected or held stays so, and no report is lost.

use anyhow::ensure;
use serde_json::Value;

use super::fleet::{APP, R142, REL};
use super::gate::{Rejected, catalog_words, refused};
use super::{LIMIT, Stage};
use crate::night::tale::wait_for;

/// Runs while it is away.
const RUNS: usize = 2;

/// Plays it.
pub(super) fn play(stage: &mut Stage<'_>, rejected: &Rejected) -> anyhow::Result<()> {
    let host = APP[1];
    let before = stage.runs_of(host)?;
    stage.tale.say("-- belay is stopped");
    stage.belay.stop();
    ensure!(stage.belay.get("/api/v1/status").is_err(), "it was stopped, and yet it answers");
    let away = away(stage, host, rejected);
    stage.belay.again()?;
    away?;
    stage.tale.say("belay is back");
    let runs = wait_for("the reports that waited", LIMIT, || {
        let runs = stage.runs_of(host)?;
        Ok(if runs.len() >= before.len() + RUNS { Ok(runs) } else { Err(format!("{} of {RUNS}", runs.len() - before.len())) })
    })?;
    wait_for("that none is sent twice", LIMIT, || {
        let left = std::fs::read_dir(stage.fleet.host(host).join("agent/spool"))?.flatten();
        let left = left.filter(|file| file.path().extension().is_some_and(|kind| kind == "report")).count();
        Ok(if left == 0 { Ok(()) } else { Err(format!("{left} in the spool")) })
    })?;
    ensure!(stage.runs_of(host)?.len() == before.len() + RUNS, "a report came twice: {runs:?}");
    let new: Vec<&Value> = runs.iter().filter(|run| !before.iter().any(|known| known["id"] == run["id"])).collect();
    ensure!(new.iter().all(|run| run["kind"] == "unchanged"), "these are other runs: {new:?}");
    // Newest first: both by when they began and by the number they got when they came.
    let number = |run: &Value| run["id"].as_str().and_then(|id| id.strip_prefix("run-")?.parse::<u64>().ok());
    let in_order =
        new.windows(2).all(|two| two[0]["started_ms"].as_i64() > two[1]["started_ms"].as_i64() && number(two[0]) > number(two[1]));
    ensure!(in_order, "the reports did not come in their order: {new:?}");
    stage.tale.say(&format!("{RUNS} reports of {host} came, each once and in order"));
    Ok(())
}

fn away(stage: &Stage<'_>, host: &str, rejected: &Rejected) -> anyhow::Result<()> {
    let (tale, fleet) = (stage.tale, &stage.fleet);
    let report = fleet.host(host).join("puppet/state/last_run_report.yaml");
    for run in 1..=RUNS {
        let written = report.metadata()?.modified()?;
        fleet.exec(host, &fleet.apply_words(R142))?.is(0)?;
        ensure!(report.metadata()?.modified()? > written, "the run of {host} left no report");
        wait_for("the agent to keep the report", LIMIT, || {
            let kept = std::fs::read_dir(fleet.host(host).join("agent/spool"))?.flatten();
            let kept = kept.filter(|file| file.path().extension().is_some_and(|kind| kind == "report")).count();
            Ok(if kept >= run { Ok(()) } else { Err(format!("{kept} kept")) })
        })?;
        tale.say(&format!("{host}: run {run}, unchanged (exit 0), its report waits"));
    }
    let catalog = fleet.host(host).join("catalog.json");
    let before = fleet.state(host)?;
    let ran = refused(fleet.exec(host, &catalog_words(&catalog))?.is(11)?, rejected)?;
    ensure!(fleet.state(host)? == before, "what was rejected was written");
    tale.say(&format!("{host}: {}", ran.line("belay gate:")));
    let ran = fleet.exec(REL[1], &fleet.apply_words(R142))?.is(10)?;
    ensure!(fleet.lock(REL[1]).exists(), "the lock went with the server");
    tale.say(&format!("{}: {}", REL[1], ran.line("belay gate:")));
    Ok(())
}

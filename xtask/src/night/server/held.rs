//! A hold on a site with a puppetserver: Puppet refuses by itself, the module can still come, a lock taken away is put back once, and
//! the end of the hold is a rehearsal against the real server.

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::{HOOKED, LIMIT, Stage};
use crate::night::hold;

/// The shortest that is of use here.
const HELD_FOR: &str = "20s";
const REASON: &str = "release 142 needs its own files";

/// Plays it. Nothing is held at the end.
pub(super) fn play(stage: &Stage<'_>) -> anyhow::Result<Value> {
    let (tale, [broken, whole]) = (stage.tale, HOOKED);
    tale.say("-- the hold: alice holds hook1 and hook2");
    let words = ["hold", "add", "hook*", "--for", "8h", "--reason", REASON, "--owner", "alice", "--ask", "alice, room 4", "-o", "json"];
    let placed = stage.belay.cli(&words)?;
    let placed: Value = serde_json::from_str(placed.trim()).with_context(|| format!("what hold add said: {placed}"))?;
    let hold = placed["id"].as_str().context("a hold without a number")?.to_owned();
    HOOKED.iter().try_for_each(|host| lock_is(stage, host, true))?;
    let before = stage.hosts.state(broken)?;
    let ran = stage.hosts.run(broken, &["--environment", "r141"])?.is(1)?.says(&["administratively disabled", "alice", REASON, &hold])?;
    tale.say(&format!("{broken}: {}", ran.line("Notice: Skipping run")));
    ensure!(stage.hosts.state(broken)? == before, "the host is held, and yet the file was written");
    stage.hosts.install(whole, &stage.belay).context("the module while the hold is on")?;
    lock_is(stage, whole, true)?;
    tale.say("the module was applied while the hold is on: nothing was left to do, and the lock stands");
    std::fs::remove_file(stage.hosts.lock(broken)).context("remove the lock")?;
    let began = tale.elapsed();
    let said = told(stage, &hold, "put back")?;
    let seen_s = ((tale.elapsed() - began).as_secs_f64() * 10.0).round() / 10.0;
    lock_is(stage, broken, true)?;
    tale.say(&format!("somebody removed the lock of {broken}; belay, {seen_s} s later: {said}"));
    stage.hosts.puppet_agent(broken, &["--enable"])?.is(0)?;
    let said = told(stage, &hold, "not fought for any more")?;
    tale.say(&format!("and again, with `puppet agent --enable`; belay: {said}"));
    ensure!(!stage.hosts.lock(broken).exists() && stage.hosts.lock(whole).exists(), "the locks are not as they were told");
    stage.belay.cli(&["hold", "release", &hold, "--reason", "its files are right"])?;
    lock_is(stage, whole, false)?;
    stage.hosts.run(whole, &[])?.is(0)?;
    tale.say(&format!("released: {whole} runs again"));
    let apart_s = expires(stage)?;
    Ok(json!({
        "rehearsal": "noop-unchanged", "rehearsals_apart_s": apart_s, "held": true, "module_applied_while_held": true,
        "broken_seen_s": seen_s, "put_back": true, "given_up_after_second": true,
    }))
}

/// A hold that comes to its end goes by a rehearsal: a run without changes against the puppetserver, past the lock that still stands.
/// There is one place for such runs (`compile_slots`), so the second host's begins when the first one's is over.
fn expires(stage: &Stage<'_>) -> anyhow::Result<f64> {
    let before: Vec<usize> = HOOKED.iter().map(|host| stage.runs_of(host).map(|runs| runs.len())).collect::<anyhow::Result<_>>()?;
    let words = ["hold", "add", "hook*", "--for", HELD_FOR, "--reason", REASON, "--owner", "alice"];
    stage.belay.cli(&words)?;
    HOOKED.iter().try_for_each(|host| lock_is(stage, host, true))?;
    HOOKED.iter().try_for_each(|host| lock_is(stage, host, false))?;
    let mut spans = Vec::new();
    for (host, before) in HOOKED.iter().zip(before) {
        let rehearsed = stage.next_run(host, before)?;
        ensure!(rehearsed["kind"] == "noop-unchanged", "the lock went by no rehearsal: {rehearsed}");
        let began = rehearsed["started_ms"].as_f64().context("a run without a time")? / 1000.0;
        spans.push((began, began + rehearsed["took_s"].as_f64().unwrap_or_default()));
    }
    spans.sort_by(|one, other| one.0.total_cmp(&other.0));
    let apart_s = ((spans[1].0 - spans[0].1) * 10.0).round() / 10.0;
    ensure!(apart_s >= 0.0, "the rehearsals overlap, though there is one place: {spans:?}");
    stage.tale.say(&format!(
        "a hold of {HELD_FOR} came to its end on both: rehearsals one after the other, {apart_s} s apart, showed nothing new, and the locks went"
    ));
    Ok(apart_s)
}

fn told(stage: &Stage<'_>, hold: &str, words: &str) -> anyhow::Result<String> {
    hold::told(&stage.belay, LIMIT, hold, words)
}

fn lock_is(stage: &Stage<'_>, host: &str, there: bool) -> anyhow::Result<()> {
    hold::lock_is(&stage.hosts.lock(host), LIMIT, there)
}

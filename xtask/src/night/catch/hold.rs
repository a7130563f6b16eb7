//! A hold: Puppet itself refuses to run, and says who, why, until when and whom to ask. Whoever takes its lock away is seen.

use std::time::Instant;

use anyhow::{Context, ensure};

use super::fleet::REL;
use super::{LIMIT, Stage};
use crate::night::hold;
use crate::night::tale::wait_for;

const REASON: &str = "release 142 needs its own files";
const CONTACT: &str = "alice, room 4";
/// How often the lock is looked at after it was given up, and found absent: an agent looks once a second.
const LEFT_ALONE: usize = 15;

/// Plays it. The hold stands at the end, and on the second host it was never broken. The answer is how long it took to see that it was
/// broken, in seconds.
pub(super) fn play(stage: &Stage<'_>) -> anyhow::Result<f64> {
    let tale = stage.tale;
    tale.say("-- alice holds rel1 and rel2");
    let words = ["--for", "8h", "--reason", REASON, "--owner", "alice", "--ask", CONTACT, "-o", "json"];
    let placed = stage.belay.cli(&[&["hold", "add", "rel*"], words.as_slice()].concat())?;
    let placed: serde_json::Value = serde_json::from_str(placed.trim()).with_context(|| format!("what hold add said: {placed}"))?;
    let hold = placed["id"].as_str().context("a hold without a number")?.to_owned();
    let began = Instant::now();
    for host in REL {
        lock_is(stage, host, true)?;
    }
    tale.say(&format!("the lock stands on both hosts after {:.1} s", began.elapsed().as_secs_f64()));
    let agent = ["agent", "--onetime", "--no-daemonize", "--verbose", "--color=false", "--server", "localhost"].map(str::to_owned);
    let until = placed["until"].as_str().and_then(|until| until.get(..16)).context("a hold without an end")?.to_owned();
    stage.fleet.at_once(&REL, |host| {
        let ran = stage.fleet.puppet(host, &agent)?.is(1)?;
        let ran = ran.says(&["administratively disabled", "alice", REASON, CONTACT, &hold, &until])?;
        tale.say(&format!("puppet on {host}: {}", ran.line("Notice: Skipping run")));
        Ok(())
    })?;
    broken(stage, &hold)
}

/// Removed by hand it is put back once and told; removed again it is given up and told.
fn broken(stage: &Stage<'_>, hold: &str) -> anyhow::Result<f64> {
    let tale = stage.tale;
    tale.say("-- somebody removes the lock on rel1");
    let began = Instant::now();
    std::fs::remove_file(stage.fleet.lock(REL[0])).context("remove the lock")?;
    let said = told(stage, hold, "put back")?;
    let seen_s = began.elapsed().as_secs_f64();
    tale.say(&format!("belay, after {seen_s:.1} s: {said}"));
    lock_is(stage, REL[0], true)?;
    tale.say("-- and again, with `puppet agent --enable`");
    stage.fleet.puppet(REL[0], &["agent", "--enable"].map(str::to_owned))?.is(0)?;
    let said = told(stage, hold, "not fought for any more")?;
    tale.say(&format!("belay: {said}"));
    let mut looks = 0;
    wait_for("that the lock is left alone", LIMIT, || {
        ensure!(!stage.fleet.lock(REL[0]).exists(), "the lock was put back a second time");
        looks += 1;
        Ok(if looks >= LEFT_ALONE { Ok(()) } else { Err(format!("{looks} looks")) })
    })?;
    ensure!(stage.fleet.lock(REL[1]).exists(), "the other host is not held any more");
    tale.say("it is not fought for; rel2 stays held");
    Ok((seen_s * 1000.0).round() / 1000.0)
}

fn told(stage: &Stage<'_>, hold: &str, words: &str) -> anyhow::Result<String> {
    hold::told(&stage.belay, LIMIT, hold, words)
}

fn lock_is(stage: &Stage<'_>, host: &str, there: bool) -> anyhow::Result<()> {
    hold::lock_is(&stage.fleet.lock(host), LIMIT, there)
}

//! Two puppetservers of one site: what a host is classified as does not hang on which of them it asks, also while the belay-agent of
//! one of them is cut off.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::jvm::Puppetserver;
use super::{CLASSIFIED, LIMIT, Stage};
use crate::night::tale::wait_for;

/// How long nothing may change while one of them is cut off.
const STILL: Duration = Duration::from_secs(6);
/// How far apart the two may switch: asking takes as long.
const APART: Duration = Duration::from_millis(400);

/// Plays it. The second one is gone at the end, and its credential with it.
pub(super) fn play(stage: &mut Stage<'_>) -> anyhow::Result<Value> {
    let tale = stage.tale;
    tale.say("-- two puppetservers: a second one starts, of the same authority and with the same environments");
    let witness = stage.witness.as_ref();
    let mut second = stage.puppetserver.another(&stage.folder.join("server2"), stage.programs, stage.module, &stage.belay, witness)?;
    second.start()?;
    second.ready().inspect_err(|_| println!("{}", second.said(30)))?;
    tale.say(&format!("it is ready after {} s", second.start_s));
    let told = both(stage, &second).inspect_err(|_| println!("{}", second.said(30)));
    stage.belay.cli(&["token", "revoke", &second.credential()])?;
    told
}

fn both(stage: &Stage<'_>, second: &Puppetserver) -> anyhow::Result<Value> {
    let (tale, host) = (stage.tale, CLASSIFIED[1]);
    let said = |server: &Puppetserver| -> anyhow::Result<String> {
        let said = server.classify(host)?;
        Ok(said.lines().find_map(|line| line.strip_prefix("environment: ")).unwrap_or("none").to_owned())
    };
    let answers = || Ok::<_, anyhow::Error>([said(&stage.puppetserver)?, said(second)?]);
    let [before, _] = wait_for("both to say the same", LIMIT, || {
        let now = answers()?;
        Ok(if now[0] == now[1] && now[0] != "none" { Ok(now) } else { Err(format!("{now:?}")) })
    })?;
    let (release, after) = if before == "r142" { ("141", "r141") } else { ("142", "r142") };
    second.cut_off(true)?;
    tale.say(&format!("both say {before} of {host}; the second one's belay-agent is cut off, and {host} gets release {release}"));
    // What was said just before may still be fresh.
    std::thread::sleep(STILL);
    stage.belay.runs_release(host, release)?;
    let began = Instant::now();
    while began.elapsed() < STILL {
        let now = answers()?;
        ensure!(now == [before.clone(), before.clone()], "one of them is cut off, and they say {now:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
    let doctor = stage.belay.get("/api/v1/doctor")?;
    let check = doctor["checks"].as_array().into_iter().flatten().find(|check| check["name"] == "outposts").cloned().unwrap_or_default();
    let text = check["text"].as_str().context("the doctor says nothing of outposts")?.to_owned();
    ensure!(text.contains("puppet2.example.com"), "it does not name who is waited for: {text}");
    tale.say(&format!("{} s later both still say {before}; belay doctor: {text}", STILL.as_secs()));
    second.cut_off(false)?;
    let (began, mut switched) = (Instant::now(), [None, None]);
    while switched.contains(&None) {
        ensure!(began.elapsed() < LIMIT, "they did not switch within {} s: {:?}", LIMIT.as_secs(), answers()?);
        for (now, at) in answers()?.iter().zip(&mut switched) {
            if now == after {
                at.get_or_insert(began.elapsed());
            }
        }
    }
    let [first, other] = switched.map(Option::unwrap_or_default);
    let apart = first.abs_diff(other);
    ensure!(apart <= APART, "they switched {} ms apart", apart.as_millis());
    tale.say(&format!("it is back: {} s later both say {after}, {} ms apart", first.as_secs(), apart.as_millis()));
    let port = second.port.to_string();
    let ran = stage.hosts.run(host, &["--serverport", &port])?.is(2)?;
    ensure!(stage.hosts.state(host)?.0.contains(&format!("release = {release}")), "the file of {release} did not come by the second one");
    let again = stage.hosts.run(host, &[])?.is(0)?;
    for (ran, which) in [(&ran, "second"), (&again, "first")] {
        ensure!(!ran.said.contains(&format!("restarting agent run with environment '{before}'")), "the {which} one sent it back");
    }
    tale.say(&format!("{host} ran by the second one and got {after}, then by the first one, and nothing changed"));
    Ok(json!({ "same_while_cut_off": true, "switch_apart_ms": apart.as_millis() as u64, "switched_after_s": first.as_secs() }))
}

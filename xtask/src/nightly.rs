//! `cargo xtask nightly`: what takes too long for every change. Every part runs even if one before it fails.

use std::path::Path;
use std::process::ExitCode;

use crate::child::{self, Tally};

const SEEDS: &[&str] = &["run", "--release", "--locked", "-p", "belay-sim", "--bin", "belay-sim", "--", "seeds", "20000"];
const CATCH: &[&str] = &["run", "--release", "--locked", "-p", "belay-sim", "--bin", "belay-sim", "--", "catch", "20000"];
// CI plays these with what its tests ran with; here they are played as they are shipped.
const DEMO: &[&str] = &["run", "--release", "--locked", "--", "demo", "--headless", "--json"];
const NIGHT: &[&str] = &["xtask", "night"];
const SERVER: &[&str] = &["xtask", "night", "--server"];
const FACE: &[&str] = &["xtask", "face", "--nightly"];
const KILLS: &[&str] = &["test", "--locked", "-p", "belay", "--test", "it", "kill", "--", "--nocapture"];
const KILL_CYCLES: (&str, &str) = ("BELAY_KILL_CYCLES", "1000");

pub fn run(root: &Path) -> anyhow::Result<ExitCode> {
    let mut played = Vec::new();
    for (name, command) in [("seeds", SEEDS), ("catch", CATCH), ("demo", DEMO), ("night", NIGHT), ("server", SERVER), ("face", FACE)] {
        played.push((name, play(root, command)?));
    }
    played.push(("kills", kills(root)?));
    println!();
    played.iter().for_each(|(name, outcome)| println!("{name:6} {}", outcome.line()));
    Ok(if played.iter().all(|(_, outcome)| outcome.good) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

struct Outcome {
    good: bool,
    said: String,
}

impl Outcome {
    fn line(&self) -> String {
        let skipped = self.said.starts_with("skipped:");
        let word = match self.good {
            true if skipped => "skipped",
            true => "ok",
            false => "FAILED",
        };
        format!("{word:7}  {}", self.said)
    }
}

fn play(root: &Path, command: &[&str]) -> anyhow::Result<Outcome> {
    println!("== cargo {}", command.join(" "));
    let mut last = String::new();
    let status = child::stream(&mut child::cargo(root, command), |line| {
        if !line.trim().is_empty() {
            last = line.to_owned();
        }
    })?;
    let said = if last.is_empty() { format!("it said nothing; {status}") } else { last };
    Ok(Outcome { good: status.success(), said })
}

fn kills(root: &Path) -> anyhow::Result<Outcome> {
    let (name, value) = KILL_CYCLES;
    println!("== {name}={value} cargo {}", KILLS.join(" "));
    let mut tally = Tally::default();
    let status = child::stream(child::cargo(root, KILLS).env(name, value), |line| tally.read(line))?;
    // A filter that matches nothing is a success to the test harness, and no evidence to us.
    let good = status.success() && tally.passed > 0;
    Ok(Outcome { good, said: format!("{} passed, {} failed, {name}={value}", tally.passed, tally.failed) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_played_here_is_not_called_ok() {
        let line = |good, said: &str| Outcome { good, said: said.to_owned() }.line();
        assert!(line(true, "skipped: no package source").starts_with("skipped  skipped: no package"));
        assert!(line(true, "20000 seeds").starts_with("ok "));
        assert!(line(false, "skipped: and then it failed").starts_with("FAILED "));
    }
}

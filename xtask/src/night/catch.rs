//! What the catch can do, with real Puppet, the real agent on every host and a server that enforces: a second fleet beside
//! that of the story, whose class only observes.

mod dead;
mod fleet;
mod gate;
mod hold;
mod revert;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::ensure;
use serde_json::{Map, Value, json};

use self::fleet::{APP, Fleet, R142, REL};
use super::belay::Belay;
use super::receiver::Receiver;
use super::ship::Shipper;
use super::sitemonitor::Sitemonitor;
use super::tale::{Tale, wait_for};

/// Requests of every host before anything is rejected, four a second. The way back is judged by a past that holds the outage: where that is
/// a third of it, the outage makes so much look usual that harm can hardly be excluded.
const PAST: u64 = 280;
/// How long anything may take that Belay or an agent has to see or to do.
const LIMIT: Duration = Duration::from_secs(90);
/// Nothing for so long is a flow that stopped.
const SILENCE: Duration = Duration::from_secs(2);

/// The programs that play.
pub struct Programs {
    /// The server and its command line.
    pub belay: PathBuf,
    /// The agent.
    pub agent: PathBuf,
    /// The tool.
    pub puppet: PathBuf,
}

/// Everything that plays. The agents end before the server does.
struct Stage<'t> {
    tale: &'t Tale,
    fleet: Fleet,
    sitemonitor: Sitemonitor,
    belay: Belay,
}

/// What one act found out, as it is written in the line that machines read.
type Facts = Map<String, Value>;

/// Plays all acts of the catch. The answer is its part of the line that machines read.
pub fn play(tale: &Tale, programs: &Programs, folder: &Path) -> anyhow::Result<Facts> {
    let hosts: Vec<&str> = APP.into_iter().chain(REL).collect();
    let receiver = Receiver::start()?;
    let sitemonitor = Sitemonitor::start(&hosts)?;
    let belay = Belay::start(&programs.belay, &folder.join("belay"), include_str!("files/catch.toml"), receiver.address())?;
    let shipper = Shipper::start(belay.address, belay.issue("catch-signals", "source", "sitemonitor")?, sitemonitor.flows.clone());
    let fleet = Fleet::build(folder, programs, &belay, sitemonitor.address())?;
    let mut stage = Stage { tale, fleet, sitemonitor, belay };
    let told = stage.acts();
    if told.is_err() {
        println!("-- the last that belay said\n{}", stage.belay.said(40));
        stage.fleet.said(15).iter().for_each(|(host, said)| println!("-- the last that was said on {host}\n{said}"));
    }
    drop(shipper);
    told
}

impl Stage<'_> {
    fn acts(&mut self) -> anyhow::Result<Facts> {
        self.enrol()?;
        let broken_s = hold::play(self)?;
        gate::release_match(self)?;
        self.past()?;
        let rejected = gate::rejected(self)?;
        let propagated = gate::keep_out(self, &rejected)?;
        gate::hook(self, &rejected)?;
        revert::play(self, &rejected)?;
        revert::by_pin(self)?;
        dead::play(self, &rejected)?;
        // An act that does not find what it insists on has ended the night before this.
        let found = json!({
            "propagated_to": propagated,
            "reverted": true,
            "flow_restored": true,
            "refused": true,
            "hold_broken_seen_s": broken_s,
            "hook_refused": true,
            "server_dead_ok": true,
        });
        let Value::Object(found) = found else { return Ok(Facts::new()) };
        ensure!(found["propagated_to"] == 0, "what was rejected came to {propagated} more hosts");
        Ok(found)
    }

    /// Agents tell the server of their hosts, and a first run brings what is there without any trial.
    fn enrol(&self) -> anyhow::Result<()> {
        self.tale.say("-- the catch: app1 to app3 and rel1 to rel2, each with its agent, all on release 142");
        wait_for("the agents to tell of their hosts", LIMIT, || {
            let known = self.belay.list("/api/v1/hosts")?;
            let there = known.iter().filter(|host| host["release"] == "142").count();
            Ok(if there == APP.len() + REL.len() { Ok(()) } else { Err(format!("{there} hosts")) })
        })?;
        let hosts = [APP[0], APP[1], APP[2], REL[0]];
        self.fleet.at_once(&hosts, |host| self.fleet.apply(host, R142)?.is(2))?;
        wait_for("the runs of the hosts", LIMIT, || {
            let runs = self.runs()?;
            let there = hosts.iter().filter(|host| runs.iter().any(|run| run["host"] == **host && run["kind"] == "changed")).count();
            Ok(if there == hosts.len() { Ok(()) } else { Err(format!("runs of {there} hosts")) })
        })?;
        let changes = self.changes()?;
        ensure!(changes.is_empty(), "first runs are not on trial, and yet there is {changes:?}");
        Ok(())
    }

    fn past(&self) -> anyhow::Result<()> {
        wait_for("an own past of every flow", LIMIT, || {
            let now = self.sitemonitor.flows.now();
            let least = APP.iter().filter_map(|host| now.get(*host)).map(|flow| flow.requests).min().unwrap_or(0);
            Ok(if least >= PAST { Ok(()) } else { Err(format!("{least} requests")) })
        })
    }

    fn changes(&self) -> anyhow::Result<Vec<Value>> {
        self.belay.list("/api/v1/changes")
    }

    fn runs(&self) -> anyhow::Result<Vec<Value>> {
        self.belay.list("/api/v1/runs")
    }

    fn runs_of(&self, host: &str) -> anyhow::Result<Vec<Value>> {
        Ok(self.runs()?.into_iter().filter(|run| run["host"] == host).collect())
    }
}

//! `cargo xtask night --server`: a real puppetserver with Belay's part in it, hosts with certificates of their own in two
//! environments, and what a site relies on: observing, the hook, the classifier, holds, and days on which a server is away.
//!
//! Every variant says one line of JSON. The puppetserver is started once for all of them.

mod away;
mod back;
mod compilers;
mod control;
mod enforced;
mod held;
mod hosts;
mod jvm;
mod layouts;
mod terminus;

use std::path::Path;
use std::time::Duration;

use anyhow::{bail, ensure};
use serde_json::{Map, Value, json};

use self::control::Control;
use self::hosts::Hosts;
use self::jvm::Puppetserver;
use self::terminus::Witness;
use super::belay::Belay;
use super::catch::Programs;
use super::install;
use super::puppet::side_by_side;
use super::receiver::Receiver;
use super::tale::{Tale, wait_for};
use crate::bench::reports::puppetdb;

/// How long anything may take that Belay or an agent has to see or to do.
const LIMIT: Duration = Duration::from_secs(90);

/// Hosts that nobody keeps from anything.
const OBSERVED: [&str; 2] = ["obs1", "obs2"];
/// Hosts whose Puppet asks the gate in its hook; an agent runs on them.
const HOOKED: [&str; 2] = ["hook1", "hook2"];
/// Hosts with nothing of Belay's on them: the puppetserver is told which environment they get.
const CLASSIFIED: [&str; 2] = ["enc1", "enc2"];

/// Hosts of a branch whose deployments are environments of their own; nothing of Belay's is on them, nor on those that follow.
const SNAPPED: [&str; 3] = ["encsnap1", "encsnap2", "encsnap3"];
/// Hosts of a branch that is deployed over itself.
const PLACED: [&str; 2] = ["encplace1", "encplace2"];
/// Hosts whose release Puppet itself installs.
const ASSIGNED: [&str; 2] = ["encput1", "encput2"];

/// What is played: a name, the hosts that it needs, and how.
struct Variant {
    name: &'static str,
    hosts: &'static [&'static [&'static str]],
    play: fn(&mut Stage<'_>) -> anyhow::Result<Value>,
}

/// In this order: the puppetserver does not come back from the last one.
const VARIANTS: &[Variant] = &[
    Variant { name: "observing", hosts: &[&OBSERVED], play: |stage| enforced::observing(stage) },
    Variant { name: "hook", hosts: &[&HOOKED], play: |stage| enforced::hook(stage) },
    Variant { name: "classifier", hosts: &[&CLASSIFIED], play: |stage| enforced::classifier(stage) },
    Variant { name: "compilers", hosts: &[&CLASSIFIED], play: compilers::play },
    Variant { name: "snapshots", hosts: &[&SNAPPED], play: layouts::snapshots },
    Variant { name: "in-place", hosts: &[&PLACED], play: layouts::in_place },
    Variant { name: "assigned", hosts: &[&ASSIGNED], play: layouts::assigned },
    Variant { name: "terminus", hosts: &[&CLASSIFIED], play: |stage| terminus::play(stage) },
    Variant { name: "puppetdb", hosts: &[&CLASSIFIED], play: terminus::beside_puppetdb },
    Variant { name: "hold", hosts: &[&HOOKED], play: |stage| held::play(stage) },
    Variant { name: "source", hosts: &[&HOOKED], play: |stage| back::source(stage) },
    Variant { name: "filebucket", hosts: &[&HOOKED], play: |stage| back::play(stage) },
    Variant { name: "belay-away", hosts: &[&HOOKED, &CLASSIFIED], play: away::belay },
    Variant { name: "puppetserver-away", hosts: &[&HOOKED, &OBSERVED], play: away::puppetserver },
];

/// Everything that plays. The agents end before the servers do.
struct Stage<'t> {
    tale: &'t Tale,
    programs: &'t Programs,
    folder: &'t Path,
    module: &'t Path,
    hosts: Hosts,
    puppetserver: Puppetserver,
    belay: Belay,
    /// None where there is no terminus.
    witness: Option<Witness>,
    /// None where there is no r10k.
    control: Option<Control>,
}

/// Why there is no puppetserver here, if there is none and it cannot be installed.
pub fn missing() -> anyhow::Result<Option<String>> {
    if !install::is_root()? {
        return Ok(Some("a puppetserver and the module's files are root's: run it as root".to_owned()));
    }
    if jvm::found() && terminus::found() && control::found() {
        return Ok(None);
    }
    let wanted = [&["puppetserver", "puppet-agent", "facter", terminus::PACKAGE], control::PACKAGES.as_slice()].concat();
    let installed = install::packages(&wanted)?;
    Ok(match installed {
        _ if jvm::found() => None,
        Ok(()) => Some(format!("the package puppetserver brought no {}", jvm::JAR)),
        Err(why) => Some(format!("puppetserver is not installed: {why}")),
    })
}

/// Plays the variants that are named, or all. The answer is the last line, that of all of them.
pub fn play(tale: &Tale, programs: &Programs, folder: &Path, module: &Path, only: &[String]) -> anyhow::Result<Value> {
    let mut variants = chosen(only)?;
    if !terminus::found() {
        println!("there is no {} here: the puppetserver has no terminus, and that variant is left out", terminus::PACKAGE);
        variants.retain(|variant| !["terminus", "puppetdb"].contains(&variant.name));
    }
    let wanted = variants.iter().any(|variant| variant.name == "puppetdb");
    if let Some(why) = if wanted { puppetdb::missing()? } else { None } {
        println!("there is no PuppetDB here ({why}): that variant is left out");
        variants.retain(|variant| variant.name != "puppetdb");
    }
    if !control::found() {
        println!("there is no {} here: what r10k deploys is left out", control::PACKAGES.join(", no "));
        variants.retain(|variant| !["snapshots", "in-place"].contains(&variant.name));
    }
    let names: Vec<&str> = variants.iter().flat_map(|variant| variant.hosts.iter().copied().flatten().copied()).collect();
    let mut stage = Stage::set(tale, programs, folder, module, &names)?;
    let mut told = Vec::new();
    for variant in variants {
        let began = tale.elapsed();
        let played = (variant.play)(&mut stage);
        let mut line = Map::from_iter([("night".to_owned(), json!("server")), ("variant".to_owned(), json!(variant.name))]);
        line.insert("ok".to_owned(), json!(played.is_ok()));
        match played {
            Ok(Value::Object(found)) => line.extend(found),
            Ok(_) => {}
            Err(error) => {
                println!("failed: {}: {error:#}", variant.name);
                stage.said();
                line.insert("why".to_owned(), json!(error.to_string().lines().next()));
            }
        }
        line.insert("seconds".to_owned(), json!((tale.elapsed() - began).as_secs()));
        println!("{}", Value::Object(line.clone()));
        told.push(line);
    }
    let good = told.iter().all(|line| line["ok"] == json!(true));
    let variants: Vec<&Value> = told.iter().map(|line| &line["variant"]).collect();
    Ok(json!({
        "story": if good { "ok" } else { "failed" },
        "night": "server",
        "variants": variants,
        "puppetserver_start_s": stage.puppetserver.start_s,
        "puppetserver_rss_mb": stage.puppetserver.rss_mb,
        "seconds": tale.elapsed().as_secs(),
    }))
}

/// The branches, as they are when the hosts come: one that will be deployed anew each time, and one over itself.
fn deployed(folder: &Path, puppetserver: &Puppetserver) -> anyhow::Result<Control> {
    let control = Control::build(folder, &puppetserver.environments(), puppetserver.port)?;
    for branch in ["production", "inplace"] {
        control.commit(branch, "1")?;
        control.deploy(branch)?;
    }
    Ok(control)
}

/// What a host's first run asks for, where that is not the environment of its puppet.conf.
fn first_environment(host: &str) -> &'static [&'static str] {
    match host {
        host if SNAPPED.contains(&host) => &["--environment", "production"],
        host if PLACED.contains(&host) => &["--environment", "inplace"],
        _ => &[],
    }
}

fn chosen(only: &[String]) -> anyhow::Result<Vec<&'static Variant>> {
    let known: Vec<&str> = VARIANTS.iter().map(|variant| variant.name).collect();
    if let Some(stranger) = only.iter().find(|name| !known.contains(&name.as_str())) {
        bail!("`{stranger}` is no variant; there are {}", known.join(", "));
    }
    Ok(VARIANTS.iter().filter(|variant| only.is_empty() || only.iter().any(|name| name == variant.name)).collect())
}

impl<'t> Stage<'t> {
    /// Starts everything, and lets the hosts become known: each with release 142 and its environment.
    fn set(tale: &'t Tale, programs: &'t Programs, folder: &'t Path, module: &'t Path, names: &[&str]) -> anyhow::Result<Self> {
        let mut names = names.to_vec();
        names.sort_unstable();
        names.dedup();
        let receiver = Receiver::start()?;
        let belay = Belay::start(&programs.belay, &folder.join("belay"), include_str!("files/server/belay.toml"), receiver.address())?;
        let mut witness = if terminus::found() { Some(Witness::at(&folder.join("witness"))?) } else { None };
        let mut puppetserver = Puppetserver::build(&folder.join("server"), programs, module, &belay, witness.as_ref())?;
        let control = if control::found() { Some(deployed(folder, &puppetserver)?) } else { None };
        puppetserver.start()?;
        tale.say("the module has set up the puppetserver, and it starts");
        let hosts = Hosts::build(folder, programs, module, &belay, puppetserver.port, &names);
        puppetserver.ready()?;
        tale.say(&format!("puppetserver is ready after {} s, with {} MB", puppetserver.start_s, puppetserver.rss_mb));
        if let Some(witness) = &mut witness {
            witness.start(&programs.belay, &folder.join("server"))?;
            tale.say("a second belay has a certificate of the puppetserver's authority, and listens for its terminus");
        }
        let stage = Self { tale, programs, folder, module, hosts: hosts?, puppetserver, belay, witness, control };
        stage.enrol(&names).inspect_err(|_| stage.said())?;
        Ok(stage)
    }

    fn enrol(&self, names: &[&str]) -> anyhow::Result<()> {
        for host in names {
            self.belay.runs_release(host, if ASSIGNED.contains(host) { "141" } else { "142" })?;
        }
        let classified: Vec<&str> = names.iter().copied().filter(|host| CLASSIFIED.contains(host)).collect();
        for host in classified {
            self.classified(host, "r142")?;
        }
        // All of them: each waits half a minute, idle, for the answer to its certificate request.
        side_by_side(names.len(), names, |host| self.hosts.run(host, first_environment(host))?.is(2).map(drop))?;
        wait_for("the reports of the first runs", LIMIT, || {
            let runs = self.belay.list("/api/v1/runs?limit=500")?;
            let lacking: Vec<&str> =
                names.iter().copied().filter(|host| !runs.iter().any(|run| run["host"] == **host && run["kind"] == "changed")).collect();
            Ok(if lacking.is_empty() { Ok(()) } else { Err(format!("no run of {}", lacking.join(", "))) })
        })?;
        let changes = self.belay.list("/api/v1/changes")?;
        ensure!(changes.is_empty(), "first runs are not on trial, and yet there is {changes:?}");
        self.tale.say(&format!("{} hosts got their certificates and ran", names.len()));
        Ok(())
    }

    /// Waits until the classifier names an environment for a host.
    fn classified(&self, host: &str, environment: &str) -> anyhow::Result<()> {
        wait_for("the classifier to know the host", LIMIT, || {
            let said = self.puppetserver.classify(host)?;
            Ok(if said.contains(&format!("environment: {environment}")) { Ok(()) } else { Err(said) })
        })
    }

    fn runs_of(&self, host: &str) -> anyhow::Result<Vec<Value>> {
        Ok(self.belay.list("/api/v1/runs?limit=500")?.into_iter().filter(|run| run["host"] == host).collect())
    }

    /// The newest run of a host, once there are more than there were.
    fn next_run(&self, host: &str, before: usize) -> anyhow::Result<Value> {
        wait_for("the report of the run", LIMIT, || {
            let runs = self.runs_of(host)?;
            Ok(if runs.len() > before { Ok(runs[0].clone()) } else { Err(format!("{} runs of {host}", runs.len())) })
        })
    }

    fn said(&self) {
        println!("-- the last that belay said\n{}", self.belay.said(40));
        if let Some(witness) = &self.witness {
            println!("-- the last that the second belay said\n{}", witness.said(25));
        }
        println!("-- the last that puppetserver said\n{}", self.puppetserver.said(25));
        self.hosts.said(12).iter().for_each(|(host, said)| println!("-- the last that was said on {host}\n{said}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variants_are_chosen_by_name_in_their_order() {
        let names = |only: &[&str]| {
            let only: Vec<String> = only.iter().map(|name| (*name).to_owned()).collect();
            chosen(&only).map(|variants| variants.iter().map(|variant| variant.name).collect::<Vec<_>>())
        };
        assert_eq!(names(&["hold", "classifier"]).expect("two"), ["classifier", "hold"]);
        assert_eq!(names(&[]).expect("all").len(), VARIANTS.len());
        assert!(names(&["hole"]).expect_err("no such variant").to_string().contains("hold"));
        assert_eq!(VARIANTS.last().map(|variant| variant.name), Some("puppetserver-away"));
    }
}

//! `cargo xtask night`: the incident of the night, played with real Puppet and the real server on this machine.
//!
//! Six hosts in a folder, each with its own Puppet and its own application; three get release 142, and later the files of release 141.
//! Nothing but what was written here is started, and nothing else is stopped.

mod app;
mod belay;
mod http;
mod install;
mod lab;
mod puppet;
mod receiver;
mod ship;
mod sitemonitor;
mod story;
mod tale;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use serde_json::{Value, json};

use self::belay::Belay;
use self::install::Found;
use self::lab::Lab;
use self::puppet::Puppet;
use self::receiver::Receiver;
use self::ship::Shipper;
use self::sitemonitor::Sitemonitor;
use self::story::Night;
use self::tale::Tale;

/// Plays the night. `app FOLDER` is the application of one host, which the night starts itself.
pub fn run(root: &Path, arguments: &[&str]) -> anyhow::Result<ExitCode> {
    if let ["app", folder] = arguments {
        return app::run(Path::new(folder)).map(|()| ExitCode::SUCCESS);
    }
    night(root, &Options::read(arguments)?)
}

#[derive(Default)]
struct Options {
    /// Leave the folder of the night behind.
    keep: bool,
    /// A binary to play with instead of the workspace's own.
    belay: Option<PathBuf>,
}

impl Options {
    fn read(mut words: &[&str]) -> anyhow::Result<Self> {
        let mut options = Self::default();
        loop {
            words = match words {
                [] => return Ok(options),
                ["--keep", rest @ ..] => {
                    options.keep = true;
                    rest
                }
                ["--belay", file, rest @ ..] => {
                    options.belay = Some(std::path::absolute(file)?);
                    rest
                }
                [other, ..] => anyhow::bail!("`{other}`?\n\nusage: cargo xtask night [--keep] [--belay FILE]"),
            };
        }
    }
}

fn night(root: &Path, options: &Options) -> anyhow::Result<ExitCode> {
    let puppet = match install::ensure()? {
        Found::Puppet(puppet) => puppet,
        Found::Missing(reason) => {
            println!("skipped: {reason}");
            return Ok(ExitCode::SUCCESS);
        }
    };
    let belay = match &options.belay {
        Some(file) => file.clone(),
        None => belay::build(root)?,
    };
    let mut folder = tempfile::Builder::new().prefix("belay-night-").tempdir().context("make a temporary folder")?;
    folder.disable_cleanup(options.keep);
    let told = tell(&belay, puppet, folder.path());
    if options.keep {
        println!("kept: {}", folder.path().display());
    }
    let last = told.unwrap_or_else(|error| {
        println!("failed: {error:#}");
        json!({ "story": "failed", "why": error.to_string().lines().next() })
    });
    println!("{last}");
    Ok(if last["story"] == "ok" { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Sets the stage, plays, and clears it again whatever happened: what was started ends when this returns.
fn tell(belay: &Path, puppet: PathBuf, folder: &Path) -> anyhow::Result<Value> {
    let tale = Tale::begin();
    let receiver = Receiver::start()?;
    let sitemonitor = Sitemonitor::start(&lab::hosts())?;
    let lab = Lab::build(folder, sitemonitor.address())?;
    let belay = Belay::start(belay, &folder.join("belay"), receiver.address())?;
    lab.report_to(&format!("http://relay:{}@{}/api/v1/runs/puppet", belay.relay, belay.address))?;
    tale.say(&format!("belay listens on {}, the sitemonitor on {}", belay.address, sitemonitor.address()));
    let shipper = Shipper::start(belay.address, belay.issue("night-signals", "source", "sitemonitor")?, sitemonitor.flows.clone());
    let puppet = Puppet { program: puppet, lab: &lab };
    let night = Night { tale: &tale, lab: &lab, puppet: &puppet, flows: &sitemonitor.flows, belay: &belay, receiver: &receiver };
    let told = night.play();
    let shipped = shipper.shipped();
    tale.say(&format!("{} writes of counters were acknowledged, {} were not{}", shipped.sent, shipped.failed, trouble(shipped.trouble)));
    if told.is_err() {
        println!("-- the last that belay said\n{}", belay.said(60));
        lab.hosts_said(20).iter().for_each(|(host, said)| println!("-- the last that puppet said on {host}\n{said}"));
    }
    told
}

fn trouble(last: Option<String>) -> String {
    last.map_or(String::new(), |text| format!(" (last: {text})"))
}

//! `cargo xtask night`: the incident of the night, played with real Puppet and the real server on this machine.
//!
//! Six hosts in a folder, each with its own Puppet and its own application; three get release 142, and later the files of release 141.
//! Nothing but what was written here is started, and nothing else is stopped.

mod app;
pub mod belay;
mod catch;
mod hold;
pub mod http;
pub mod install;
pub mod lab;
mod puppet;
mod receiver;
mod server;
mod ship;
mod sitemonitor;
mod story;
pub mod tale;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use serde_json::{Value, json};

use self::belay::Belay;
use self::catch::Programs;
use self::install::Found;
use self::lab::Lab;
use self::puppet::Puppet;
use self::receiver::Receiver;
use self::ship::Shipper;
use self::sitemonitor::Sitemonitor;
use self::story::Night;
use self::tale::Tale;
use crate::built::Built;

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
    /// Only the acts of the catch, without the story before them.
    catch: bool,
    /// A site with a puppetserver, instead of all that.
    server: bool,
    /// Only these variants of it.
    only: Vec<String>,
    /// The build of the workspace's own binaries.
    built: Built,
    /// Binaries to play with instead of the workspace's own.
    belay: Option<PathBuf>,
    agent: Option<PathBuf>,
}

impl Options {
    fn read(words: &[&str]) -> anyhow::Result<Self> {
        let (built, words) = Built::take(words);
        let mut options = Self { built, ..Self::default() };
        let mut words = words.as_slice();
        loop {
            words = match words {
                [] => return Ok(options),
                ["--keep", rest @ ..] => {
                    options.keep = true;
                    rest
                }
                ["--catch", rest @ ..] => {
                    options.catch = true;
                    rest
                }
                ["--server", rest @ ..] => {
                    options.server = true;
                    rest
                }
                ["--only", names, rest @ ..] => {
                    options.only = names.split(',').map(str::to_owned).collect();
                    rest
                }
                ["--belay", file, rest @ ..] => {
                    options.belay = Some(std::path::absolute(file)?);
                    rest
                }
                ["--agent", file, rest @ ..] => {
                    options.agent = Some(std::path::absolute(file)?);
                    rest
                }
                [other, ..] => anyhow::bail!(
                    "`{other}`?\n\nusage: cargo xtask night [--dev] [--keep] [--catch | --server [--only NAME,...]] [--belay FILE] [--agent FILE]"
                ),
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
    if options.server
        && let Some(reason) = server::missing()?
    {
        println!("skipped: {reason}");
        return Ok(ExitCode::SUCCESS);
    }
    let program = |given: &Option<PathBuf>, name| given.clone().map_or_else(|| options.built.program(root, name), Ok);
    let (belay, agent) = (program(&options.belay, "belay")?, program(&options.agent, "belay-agent")?);
    let programs = Programs { belay, agent, puppet };
    let mut folder = tempfile::Builder::new().prefix("belay-night-").tempdir().context("make a temporary folder")?;
    folder.disable_cleanup(options.keep);
    let told = if options.server {
        server::play(&Tale::begin(), &programs, folder.path(), &root.join("integrations/puppet"), &options.only)
    } else {
        tell(&programs, folder.path(), options.catch)
    };
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

/// The story, then what the catch can do. The line that machines read is that of both.
fn tell(programs: &Programs, folder: &Path, only_catch: bool) -> anyhow::Result<Value> {
    let tale = Tale::begin();
    let mut told = if only_catch { json!({ "story": "ok" }) } else { story(&tale, programs, folder)? };
    let caught = catch::play(&tale, programs, &folder.join("catch"))?;
    if let Some(told) = told.as_object_mut() {
        told.extend(caught);
        told.insert("seconds".to_owned(), tale.elapsed().as_secs().into());
    }
    Ok(told)
}

/// Sets the stage, plays, and clears it again whatever happened: what was started ends when this returns.
fn story(tale: &Tale, programs: &Programs, folder: &Path) -> anyhow::Result<Value> {
    let receiver = Receiver::start()?;
    let sitemonitor = Sitemonitor::start(&lab::hosts())?;
    let lab = Lab::build(folder, sitemonitor.address())?;
    let belay = Belay::start(&programs.belay, &folder.join("belay"), include_str!("night/files/belay.toml"), receiver.address())?;
    lab.report_to(&format!("http://relay:{}@{}/api/v1/runs/puppet", belay.relay, belay.address))?;
    tale.say(&format!("belay listens on {}, the sitemonitor on {}", belay.address, sitemonitor.address()));
    let shipper = Shipper::start(belay.address, belay.issue("night-signals", "source", "sitemonitor")?, sitemonitor.flows.clone());
    let puppet = Puppet { program: programs.puppet.clone(), lab: &lab };
    let night = Night { tale, lab: &lab, puppet: &puppet, flows: &sitemonitor.flows, belay: &belay, receiver: &receiver };
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

//! The read-only pull from the PuppetDB that the benchmark filled: a Belay that knows nothing is pointed at it.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::{Value, json};

use super::fleet::{Fleet, HOSTS};
use super::puppetdb::PuppetDb;
use super::{SENDERS, round, send};
use crate::night::belay::Belay;
use crate::night::tale::wait_for;

const LIMIT: Duration = Duration::from_secs(600);
/// Where nobody listens: no alert is configured.
const NOBODY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9);

/// Gives the PuppetDB the hosts' facts, and has a new Belay read it all.
pub fn all(program: &Path, puppetdb: &PuppetDb, fleet: &Fleet) -> anyhow::Result<Value> {
    send::all(puppetdb.address, None, &fleet.facts, SENDERS)?;
    wait_for("PuppetDB to know the facts", LIMIT, || {
        let known = puppetdb.with_facts()?;
        Ok(if known == HOSTS { Ok(()) } else { Err(format!("those of {known} hosts")) })
    })?;
    let folder = tempfile::tempdir()?;
    let config = format!(
        "[[class]]\nname = \"all\"\nhosts = [\"*\"]\nfacts = {{ \"os.family\" = \"Debian\" }}\n\
         [[inventory]]\nname = \"main\"\nkind = \"puppetdb\"\nurl = \"http://{}\"\n",
        puppetdb.address
    );
    let began = Instant::now();
    let belay = Belay::start(program, folder.path(), &config, NOBODY)?;
    let said = wait_for("belay to have read it", LIMIT, || {
        let doctor = belay.get("/api/v1/doctor")?;
        let check = doctor["checks"].as_array().and_then(|checks| checks.iter().find(|check| check["name"] == "inventories")).cloned();
        let text = check.as_ref().map_or(String::new(), |check| check["text"].as_str().unwrap_or_default().to_owned());
        let read = text.contains(": read ") && text.ends_with("its past is read");
        Ok(if read { Ok(text) } else { Err(text) })
    })?;
    let seconds = began.elapsed().as_secs_f64();
    println!("belay, which only reads that PuppetDB, after {seconds:.1} s: {said}");
    let hosts = belay.list("/api/v1/hosts?class=all&limit=500")?.len();
    ensure!(hosts == HOSTS, "{hosts} of {HOSTS} hosts are known, by their class");
    let runs = belay.list("/api/v1/runs?limit=500")?.len();
    ensure!(runs >= HOSTS, "{runs} runs were read, of {HOSTS} hosts");
    let changes = belay.list("/api/v1/changes")?;
    ensure!(changes.is_empty(), "the past is on no trial, and yet there is {changes:?}");
    Ok(json!({ "hosts": hosts, "runs": runs, "seconds": round(seconds) }))
}

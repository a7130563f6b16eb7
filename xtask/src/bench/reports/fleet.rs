//! The fleet's reports: recorded commands in which host, ids, times and, in the changed ones, contents are replaced by others of the same
//! length, so that every byte else is as Puppet's terminus sent it.

use std::io::{Read, Write};
use std::path::Path;

use anyhow::{Context, ensure};
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use crate::night::tale::{now_ms, stamp};

/// Hosts of the fleet.
pub const HOSTS: usize = 100;
/// One report in so many is of a run in which everything changed.
const CHANGED_EVERY: usize = 10;

const FOLDER: &str = "crates/belay-adapters/src/tools/puppet/fixtures/commands";
const CHANGED: &str = "big200-all-changed-store_report.body.gz";
const FACTS: &str = "env-r142-replace_facts.body.gz";
const UNCHANGED: &str = "big200-unchanged-include_unchanged-store_report.body.gz";
/// What is replaced: the host, and the two minutes in which both runs lay.
const HOST: &str = "web01.example.com";
const MINUTES: [&str; 2] = ["2026-11-22T07:12:", "2026-11-22T07:13:"];
/// What stands before a content's hash in a message.
const SUM: &str = "{sha256}";

/// A command as it goes over the wire.
pub struct Command {
    /// The request's path with its query.
    pub path: String,
    /// The payload, compressed.
    pub body: Vec<u8>,
    /// How long it is when it is not.
    pub plain: usize,
}

/// All commands.
pub struct Fleet {
    /// The facts of each host, for those who read them.
    pub facts: Vec<Command>,
    /// One of each host: with these it becomes known.
    pub known: Vec<Command>,
    /// Those that are timed.
    pub timed: Vec<Command>,
    /// How many of these are of runs in which everything changed.
    pub changed: usize,
}

impl Fleet {
    /// The reports of as many rounds as it takes, in the order in which they would come.
    pub fn make(root: &Path, reports: usize) -> anyhow::Result<Self> {
        let (changed, unchanged) = (Recorded::read(root, CHANGED)?, Recorded::read(root, UNCHANGED)?);
        let rounds = reports.div_ceil(HOSTS);
        let now = now_ms().unsigned_abs() / 1000;
        let text = inflated(root, FACTS)?;
        let facts = (0..HOSTS).map(|host| facts_of(&text, host, now)).collect::<anyhow::Result<_>>()?;
        let make = |number: usize| {
            let (round, host) = (number / HOSTS, number % HOSTS);
            let recorded = if is_changed(round, host) { &changed } else { &unchanged };
            // The last round is of a minute ago, and those before it a minute apart.
            recorded.command(round, host, now - 60 * (rounds - round + 1) as u64)
        };
        let known = (0..HOSTS).map(make).collect::<anyhow::Result<_>>()?;
        let timed: Vec<Command> = (HOSTS..HOSTS + reports).map(make).collect::<anyhow::Result<_>>()?;
        let changed = (HOSTS..HOSTS + reports).filter(|number| is_changed(number / HOSTS, number % HOSTS)).count();
        Ok(Self { facts, known, timed, changed })
    }
}

fn is_changed(round: usize, host: usize) -> bool {
    (round + host).is_multiple_of(CHANGED_EVERY)
}

/// A recorded payload, and the ids in it.
struct Recorded {
    text: String,
    ids: [String; 2],
}

impl Recorded {
    fn read(root: &Path, name: &str) -> anyhow::Result<Self> {
        let text = inflated(root, name)?;
        let value: serde_json::Value = serde_json::from_str(&text).with_context(|| name.to_owned())?;
        let id = |member: &str| value[member].as_str().map(str::to_owned).with_context(|| format!("{name} has no {member}"));
        ensure!(MINUTES.iter().any(|minute| text.contains(minute)), "{name} has other times than expected");
        Ok(Self { ids: [id("transaction_uuid")?, id("catalog_uuid")?], text })
    }

    fn command(&self, round: usize, host: usize, at: u64) -> anyhow::Result<Command> {
        let name = name_of(host)?;
        let mut text = self.text.replace(HOST, &name);
        for (which, id) in self.ids.iter().enumerate() {
            text = text.replace(id, &format!("{which:08x}-0000-4000-8000-{round:04x}{host:08x}"));
        }
        for (later, minute) in MINUTES.iter().enumerate() {
            // Whole minutes: seconds stay as they were recorded.
            text = text.replace(minute, &stamp(at - 120 + 60 * later as u64)[..minute.len()]);
        }
        command(&name, "command=store_report&version=8", &other_contents(&text, round), at)
    }
}

fn name_of(host: usize) -> anyhow::Result<String> {
    let name = format!("h{host:04}.example.com");
    ensure!(name.len() == HOST.len(), "{name} is of another length");
    Ok(name)
}

fn facts_of(text: &str, host: usize, at: u64) -> anyhow::Result<Command> {
    let name = name_of(host)?;
    let mut payload: serde_json::Value = serde_json::from_str(&text.replace(HOST, &name)).context(FACTS)?;
    payload["producer_timestamp"] = stamp(at).into();
    command(&name, "command=replace_facts&version=5", &payload.to_string(), at)
}

fn command(name: &str, command: &str, text: &str, at: u64) -> anyhow::Result<Command> {
    let mut packer = GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(text.as_bytes())?;
    let path = format!("/pdb/cmd/v1?certname={name}&{command}&producer-timestamp={}", stamp(at).replace(':', "%3A"));
    Ok(Command { path, body: packer.finish()?, plain: text.len() })
}

fn inflated(root: &Path, name: &str) -> anyhow::Result<String> {
    let file = root.join(FOLDER).join(name);
    let packed = std::fs::read(&file).with_context(|| format!("read {}", file.display()))?;
    let mut text = String::new();
    GzDecoder::new(&packed[..]).read_to_string(&mut text).with_context(|| format!("inflate {}", file.display()))?;
    Ok(text)
}

/// Gives each content another hash, the same on all hosts of a round.
fn other_contents(text: &str, round: usize) -> String {
    let mut parts = text.split(SUM);
    let mut other = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let round = format!("{round:04x}");
        other.push_str(SUM);
        other.push_str(&round);
        other.push_str(part.get(round.len()..).unwrap_or_default());
    }
    other
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_as_recorded_but_for_host_ids_times_and_contents() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let fleet = Fleet::make(&root, 250).expect("a fleet");
        assert_eq!((fleet.known.len(), fleet.timed.len(), fleet.changed), (100, 250, 25));
        let mut seen = std::collections::BTreeSet::new();
        for command in fleet.known.iter().chain(&fleet.timed) {
            let mut text = String::new();
            GzDecoder::new(&command.body[..]).read_to_string(&mut text).expect("it inflates");
            let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            assert_eq!(value["resources"].as_array().map(Vec::len), Some(207));
            assert!(!text.contains(HOST) && !text.contains("2026-11-22T07:1"), "{}", command.path);
            assert!(command.path.contains(value["certname"].as_str().expect("a host")));
            assert!(seen.insert(value["transaction_uuid"].to_string()), "an id twice");
        }
        let sums = other_contents("a {sha256}0123456789 {sha256}abcdef", 0x1f);
        assert_eq!(sums, "a {sha256}001f456789 {sha256}001fef");
    }
}

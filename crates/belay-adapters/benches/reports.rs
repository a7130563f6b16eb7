//! What reading a report costs: 200 resources, recorded, in each form they come in. Goals: YAML 5 ms unchanged
//! and 10 ms all changed, JSON 1 ms. `cargo bench -p belay-adapters`.

#![allow(missing_docs, reason = "macros of the benchmark make items of their own")]

use std::io::Read as _;

use belay_adapters::tools::puppet::{Puppet, PuppetDb};
use belay_adapters::tools::{Feed, Tool};

const YAML_UNCHANGED: &[u8] = include_bytes!("../src/tools/puppet/fixtures/big200-unchanged.yaml");
const YAML_CHANGED: &[u8] = include_bytes!("../src/tools/puppet/fixtures/big200-all-changed.yaml");
const JSON_UNCHANGED: &[u8] = include_bytes!("../src/tools/puppet/fixtures/json/big200-unchanged.json");
const JSON_CHANGED: &[u8] = include_bytes!("../src/tools/puppet/fixtures/json/big200-all-changed.json");
const COMMAND_CHANGED: &[u8] = include_bytes!("../src/tools/puppet/fixtures/commands/big200-all-changed-store_report.body.gz");

fn main() {
    divan::main();
}

fn decoded(body: &[u8]) -> usize {
    Puppet.decode(divan::black_box(body)).map_or(0, |decoded| decoded.report.events.len())
}

#[divan::bench]
fn yaml_200_unchanged() -> usize {
    decoded(YAML_UNCHANGED)
}

#[divan::bench]
fn yaml_200_all_changed() -> usize {
    decoded(YAML_CHANGED)
}

#[divan::bench]
fn json_200_unchanged() -> usize {
    decoded(JSON_UNCHANGED)
}

#[divan::bench]
fn json_200_all_changed() -> usize {
    decoded(JSON_CHANGED)
}

/// A command to PuppetDB, inflated before.
#[divan::bench]
fn command_200_all_changed(bencher: divan::Bencher<'_, '_>) {
    let mut body = Vec::new();
    let inflated = flate2::read::GzDecoder::new(COMMAND_CHANGED).read_to_end(&mut body);
    bencher.bench_local(|| inflated.is_ok() && PuppetDb.read("command=store_report&version=8", divan::black_box(&body)).is_ok());
}

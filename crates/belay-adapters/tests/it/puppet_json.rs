//! Reports as our own processor sends them: `report.to_data_hash.to_json`, written by the real Puppet from the
//! recorded YAML (the README tells how). Both forms of a report are one and the same run.

use std::path::{Path, PathBuf};

use belay_adapters::tools::Tool;
use belay_adapters::tools::puppet::Puppet;

use crate::puppet_fixtures::fixture;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tools/puppet/fixtures/json")
}

/// The recorded reports by name, sorted.
#[expect(clippy::disallowed_methods, reason = "a test may read its fixtures")]
fn recorded() -> Vec<(String, Vec<u8>)> {
    let paths = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> =
        paths.map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), std::fs::read(&path).unwrap())).collect();
    found.sort();
    assert!(found.len() >= 14, "only {} fixtures", found.len());
    found
}

#[test]
fn what_puppet_itself_writes_as_json_is_the_same_run_to_the_last_field() {
    for (name, json) in recorded() {
        let by_json = Puppet.decode(&json).unwrap_or_else(|bad| panic!("{name}: {bad}"));
        let mut by_yaml = Puppet.decode(fixture(&name).as_bytes()).unwrap();
        by_yaml.report.digest = by_json.report.digest;
        assert_eq!(by_json, by_yaml, "{name}");
    }
}

#[test]
fn json_that_was_cut_off_is_no_report() {
    for (name, json) in recorded().into_iter().filter(|(_, json)| json.len() < 12_000) {
        for cut in (1..json.len()).step_by(509) {
            assert!(Puppet.decode(&json[..cut]).is_err(), "{name} cut at {cut}");
        }
    }
}

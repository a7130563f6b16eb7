//! Every recorded report decodes to exactly what its expected file says.

use std::path::{Path, PathBuf};

use belay_adapters::tools::conformance::{Fixture, breaches};
use belay_adapters::tools::puppet::Puppet;
use belay_adapters::tools::{Tool, all, by_name};

use crate::convert;
use crate::dump::dump;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tools/puppet/fixtures")
}

/// The recorded reports by name, sorted.
#[expect(clippy::disallowed_methods, reason = "a test may read its fixtures")]
pub fn recorded() -> Vec<(String, Vec<u8>)> {
    let mut found: Vec<(String, Vec<u8>)> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), std::fs::read(&path).unwrap()))
        .collect();
    found.sort();
    assert!(found.len() >= 34, "only {} fixtures", found.len());
    found
}

/// The recorded report of this name.
pub fn fixture(name: &str) -> String {
    let (_, body) = recorded().into_iter().find(|(found, _)| found == name).unwrap();
    String::from_utf8(body).unwrap()
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test may read its fixtures, and write them when told so by BELAY_BLESS=1")]
fn every_recorded_report_decodes_to_what_its_expected_file_says() {
    let bless = std::env::var_os("BELAY_BLESS").is_some_and(|value| value == "1");
    let mut wrong = Vec::new();
    for (name, body) in recorded() {
        let path = folder().join(format!("{name}.expected.txt"));
        let got = dump(&Puppet.decode(&body).unwrap_or_else(|unreadable| panic!("{name}: {unreadable}")));
        if bless {
            std::fs::write(&path, &got).unwrap();
        }
        match std::fs::read_to_string(&path) {
            Ok(expected) if expected == got => {}
            Ok(expected) => wrong.push(format!("{name}: expected\n{expected}\ngot\n{got}")),
            Err(error) => wrong.push(format!("{name}: {error}; write it with BELAY_BLESS=1 and read it")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn puppet_keeps_what_every_tool_promises() {
    for name in ["changed-env-switched", "failed-compile-cached-catalog-used", "prerun-refused"] {
        let yaml = fixture(name);
        let strange = convert::with_strangers(&yaml);
        let (json, strange_json) = (convert::json(&yaml), convert::json(&strange));
        let fixtures = [
            Fixture { name, body: yaml.as_bytes(), with_strangers: strange.as_bytes() },
            Fixture { name: "as JSON", body: &json, with_strangers: &strange_json },
        ];
        assert_eq!(breaches(&Puppet, &fixtures), Vec::<String>::new());
    }
}

#[test]
fn the_same_report_as_json_is_the_same_run() {
    for (name, body) in recorded() {
        let yaml = Puppet.decode(&body).unwrap();
        let json = Puppet.decode(&convert::json(std::str::from_utf8(&body).unwrap()));
        let mut json = json.unwrap_or_else(|unreadable| panic!("{name}: {unreadable}"));
        json.report.digest = yaml.report.digest;
        // JSON's keys are sorted here, and so are its resources.
        let sorted = |decoded: &belay_core::model::report::Decoded| {
            let mut decoded = decoded.clone();
            decoded.report.events.sort_by(|a, b| (&a.resource, a.at, &a.item).cmp(&(&b.resource, b.at, &b.item)));
            decoded.report.failed.sort();
            decoded
        };
        assert_eq!(sorted(&json), sorted(&yaml), "{name}");
    }
}

#[test]
fn tools_are_found_by_their_name_and_no_two_share_a_door() {
    for tool in all() {
        assert!(by_name(tool.name()).is_some());
    }
    assert!(by_name("Puppet").is_none());
    let mut doors: Vec<&str> = all().iter().flat_map(|tool| tool.doors()).map(|door| door.path).collect();
    let count = doors.len();
    doors.sort_unstable();
    doors.dedup();
    assert_eq!(doors.len(), count);
}

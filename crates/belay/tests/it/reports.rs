//! Reports as the tool really sends them, written by its own adapter.

use std::time::{SystemTime, UNIX_EPOCH};

use belay_adapters::tools::puppet::write::{self, Ending, EventSpec, Mode, ReportSpec, ResourceSpec, ResourceState, VersionSpec};
use belay_core::model::report::EventOutcome;
use belay_core::model::time::Timestamp;

/// The door they come in by.
pub const DOOR: &str = "/api/v1/runs/puppet";

/// What time it is.
pub fn now_ms() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_millis())
        .expect("a clock before 292 million")
}

/// A small report of a host. `name` is its own, seen in its id and version; content, where given, is new on the host.
pub fn report(host: &str, name: &str, started_ms: i64, content: Option<&str>) -> Vec<u8> {
    let state = content.map_or(ResourceState::Unchanged, |content| {
        ResourceState::Events(vec![EventSpec {
            property: Some("content".to_owned()),
            previous: checksum("before"),
            desired: checksum(content),
            message: "content changed".to_owned(),
            outcome: EventOutcome::Applied,
        }])
    });
    write::yaml(&ReportSpec {
        host: host.to_owned(),
        started: Timestamp::from_ms(started_ms),
        took_s: 0.5,
        environment: "production".to_owned(),
        version: VersionSpec::Named(name.to_owned()),
        transaction_uuid: write::uuid_of(name),
        mode: Mode::Real,
        ending: Ending::Applied,
        cached: None,
        resources: vec![ResourceSpec { kind: "File".to_owned(), title: "/etc/app/sitemonitor.conf".to_owned(), state }],
    })
}

fn checksum(text: &str) -> String {
    let digest = belay_core::model::ids::Digest::of(text.as_bytes());
    format!("{{sha256}}{digest}{digest}")
}

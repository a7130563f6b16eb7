//! Breaking the glass, setting the release, and what the agent says it knows: all without a server.

use belay_core::host::talk::Happened;
use belay_core::model::gate::Enforce;

use crate::lab::{Lab, hold, policy};

fn held() -> Lab {
    let lab = Lab::new(Some("127.0.0.1:9"), "");
    let mut held = policy(1, Enforce::Waves);
    held.holds.push(hold(3));
    lab.keep(&held);
    lab
}

#[test]
fn it_opens_everything_offline_is_noted_and_ends() {
    let lab = held();
    assert_eq!(lab.says(&["gate"]).0, 10);
    let (code, said) = lab.says(&["break-glass", "--for", "2h", "--reason", "the disk is full"]);
    assert_eq!(code, 0, "{said}");
    let (code, said) = lab.says(&["gate"]);
    assert!(code == 0 && said.contains("the glass is broken: the disk is full"), "{said}");
    assert_eq!(lab.lock(), None);
    let notes = lab.kept().notes(belay_agent::clock::now());
    let told: Vec<&Happened> = notes.events.iter().map(|event| &event.what).collect();
    assert!(matches!(told[..], [Happened::BreakGlass(glass)] if glass.by == "alice" && glass.reason == "the disk is full"), "{told:?}");
    assert!(std::fs::read_to_string(lab.path("banner")).unwrap().contains("the glass is broken"));
    assert_eq!(lab.says(&["break-glass", "--end"]).0, 0);
    assert_eq!(lab.says(&["gate"]).0, 10);
    assert!(lab.lock().unwrap().contains("h-3"), "the hold stands again");
}

#[test]
fn it_needs_a_reason_and_an_end() {
    let lab = held();
    for args in [
        &["break-glass"][..],
        &["break-glass", "--for", "2h"],
        &["break-glass", "--reason", "x"],
        &["break-glass", "--for", "2h", "--reason", " "],
        &["break-glass", "--for", "forever", "--reason", "x"],
        &["break-glass", "--for", "30d", "--reason", "x"],
    ] {
        assert_ne!(lab.says(args).0, 0, "{args:?}");
    }
    assert_eq!(lab.says(&["gate"]).0, 10);
}

#[test]
fn a_lock_of_ours_goes_with_the_glass_and_one_of_somebody_elses_stays() {
    let lab = held();
    assert_eq!(lab.says(&["break-glass", "--end"]).0, 0);
    assert!(lab.lock().is_some());
    assert_eq!(lab.says(&["break-glass", "--for", "1h", "--reason", "x"]).0, 0);
    assert_eq!(lab.lock(), None);
    std::fs::write(lab.path("tool/lock"), r#"{"disabled_message":"bob"}"#).unwrap();
    for args in [&["break-glass", "--end"][..], &["break-glass", "--for", "1h", "--reason", "x"]] {
        assert_eq!(lab.says(args).0, 0);
        assert!(lab.lock().unwrap().contains("bob"));
    }
}

#[test]
fn the_release_can_be_set_where_nothing_tells_it() {
    let lab = held();
    let (code, said) = lab.says(&["release", "set", "143"]);
    assert!(code == 1 && said.contains("says where the release is read from"), "{said}");
    let text = std::fs::read_to_string(lab.path("agent.toml")).unwrap();
    let line = text.lines().find(|line| line.starts_with("release")).unwrap();
    std::fs::write(lab.path("agent.toml"), text.replace(line, "")).unwrap();
    assert_eq!(lab.says(&["release", "set", "143"]).0, 0);
    assert_eq!(lab.kept().release().unwrap().unwrap().as_str(), "143");
    assert_eq!(lab.says(&["release", "set", "1 4"]).0, 1);
}

#[test]
fn what_it_knows_is_said() {
    let lab = held();
    let (code, said) = lab.says(&["status"]);
    assert_eq!(code, 0);
    for part in ["web01.example.com", "Release 142", "1.1: class web, waves", "held by alice", "Lock none"] {
        assert!(said.contains(part), "{part} is not in:\n{said}");
    }
    let (_, said) = lab.says(&["status", "-o", "json"]);
    let json: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((json["release"].as_str(), json["holds"][0]["id"].as_str()), (Some("142"), Some("h-3")));
}

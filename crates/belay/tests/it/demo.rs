//! The demo, as a newcomer runs it: it plays to its end, proves what it says, and leaves nothing behind.

use std::io::Read;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::harness::{belay, ran};

/// What is left in a temporary directory.
fn left(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn the_whole_night_ends_as_it_should_in_under_a_minute_and_a_half() {
    let dir = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    let ended = ran(belay(&["demo", "--headless", "--json"]).env("TMPDIR", dir.path()).output().unwrap());
    let took = begun.elapsed();
    assert_eq!(ended.code, 0, "{}\n{}", ended.err, ended.out);
    assert!(took < Duration::from_secs(90), "it took {took:?}:\n{}", ended.err);
    assert_eq!(left(dir.path()), Vec::<std::path::PathBuf>::new());
    assert!(!ended.err.contains('\u{1b}'), "headless is without colour");

    assert_eq!(ended.out.lines().count(), 1, "exactly one line: {}", ended.out);
    let summary: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    let text = |key: &str| summary[key].as_str().unwrap_or_default().to_owned();
    assert_eq!(text("story"), "ok");
    assert_eq!(["good_change_verdict", "verdict", "missing_data_verdict"].map(text), ["accepted", "rejected", "inconclusive"]);
    let changed = summary["changed_hosts"].as_u64().unwrap();
    assert!(summary["hosts"].as_u64() == Some(30) && (2..=15).contains(&changed), "{summary}");
    assert_eq!(summary["propagated_to"].as_u64(), Some(0));
    assert_eq!(["reverted", "flow_restored", "refused"].map(|key| summary[key].as_bool()), [Some(true); 3]);
    assert!(summary["hold_broken_seen_s"].as_f64().is_some_and(|seen| seen > 0.0 && seen < 10.0), "{summary}");
    assert_eq!(summary["alert_names_cause"].as_bool(), Some(true));
    let seconds = |key: &str| summary[key].as_f64().unwrap();
    let (evidence, run) = (seconds("seconds_from_evidence_to_verdict"), seconds("seconds_from_first_run_to_verdict"));
    assert!(evidence > 0.0 && evidence <= 10.0 && run >= evidence - 1.0 && run <= 20.0, "{evidence} s, {run} s");
    // The alert is in the story, in full, as it was received.
    for part in [
        "[BROKEN] h-1",
        "held by alice",
        "do not re-enable",
        "[BREAKER]",
        "[REJECTED]",
        "/etc/app/sitemonitor.conf",
        "environment: r142 -> production",
        "requests stopped",
    ] {
        assert!(ended.err.contains(part), "{part} is missing:\n{}", ended.err);
    }
}

#[test]
fn interrupted_it_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = belay(&["demo", "--headless"]).env("TMPDIR", dir.path()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let (mut heard, mut part) = (String::new(), [0; 1024]);
    while !heard.contains("Enrolled") {
        let read = stdout.read(&mut part).unwrap();
        assert!(read > 0, "it ended early: {heard}");
        heard.push_str(&String::from_utf8_lossy(&part[..read]));
    }
    assert_eq!(left(dir.path()).len(), 1);
    let begun = Instant::now();
    let sent = std::process::Command::new("sh").args(["-c", &format!("kill -INT {}", child.id())]).status().unwrap();
    assert!(sent.success());
    stdout.read_to_string(&mut heard).unwrap();
    let status = child.wait().unwrap();
    assert_eq!((status.code(), left(dir.path())), (Some(130), Vec::new()), "{heard}");
    assert!(heard.contains("Interrupted") && begun.elapsed() < Duration::from_secs(15), "{heard}");
}

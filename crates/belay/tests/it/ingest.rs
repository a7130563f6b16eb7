//! `belay ingest`: the same reports give the same runs, whichever way they come.

use std::path::Path;

use crate::harness::{Server, run};
use crate::reports::{now_ms, report};

/// A small archive: two hosts, an earlier and a later run of one, and one file that is no report.
fn archive(dir: &Path) {
    let at = |minutes: i64| now_ms() - minutes * 60_000;
    let files = [
        ("web01/1.yaml", report("web01", "first", at(60), None)),
        ("web01/2.yaml", report("web01", "second", at(30), Some("new text"))),
        ("web02/1.yaml", report("web02", "third", at(45), None)),
        ("web02/broken.yaml", b"--- !ruby/object:Puppet::Transaction::Report\nhost: web02\n".to_vec()),
        ("web02/last_run_summary.yaml", b"---\nversion: {}\n".to_vec()),
    ];
    for (name, bytes) in files {
        let path = dir.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

/// Everything of all runs but when they were received.
fn runs(server: &Server) -> Vec<serde_json::Value> {
    let mut wire = crate::wire::Wire::connect(&server.socket()).unwrap();
    let list = wire.json("/api/v1/runs?limit=500");
    let ids = list["items"].as_array().unwrap().iter().map(|run| run["id"].as_str().unwrap().to_owned());
    let ids: Vec<String> = ids.collect();
    ids.iter()
        .map(|id| {
            let mut run = wire.json(&format!("/api/v1/runs/{id}"));
            run.as_object_mut().unwrap().remove("received");
            run
        })
        .collect()
}

#[test]
fn offline_and_online_give_the_same_runs() {
    let dir = tempfile::tempdir().unwrap();
    let reports = dir.path().join("reports");
    archive(&reports);
    let folder = reports.to_str().unwrap();

    let offline_state = dir.path().join("offline");
    let offline = run(&["ingest", folder, "--offline", "--state", offline_state.to_str().unwrap()]);
    assert_eq!(offline.code, 1, "one file is no report: {}\n{}", offline.out, offline.err);
    let server = Server::start(&dir.path().join("online"), &[]);
    let online = server.ask(&["ingest", folder]);
    // A server keeps unreadable bytes and says so; beyond that both say the same.
    let said = online.out.replace(". The bytes are kept in quarantine", "");
    assert_eq!((online.code, &said), (1, &offline.out), "{}", online.err);
    assert!(online.err.contains("3 reports; 0 of them known before; 1 not taken"), "{}", online.err);
    assert!(online.out.lines().any(|line| line.contains("changed") && line.contains("run-2") && line.contains("2.yaml")), "{}", online.out);

    let from_offline = Server::start(&offline_state, &[]);
    assert_eq!(runs(&from_offline), runs(&server));
    assert_eq!(runs(&server).len(), 3);

    let again = server.ask(&["ingest", folder]);
    assert_eq!(again.out.lines().filter(|line| line.ends_with("duplicate")).count(), 3, "{}", again.out);
    assert_eq!(runs(&server).len(), 3);
}

#[test]
fn a_single_good_file_ends_with_0_and_is_one_json_line_when_asked() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("last_run_report.yaml");
    std::fs::write(&file, report("web01", "only", now_ms(), None)).unwrap();
    let server = Server::start(&dir.path().join("state"), &[]);
    let taken = server.ask(&["ingest", file.to_str().unwrap(), "-o", "jsonl"]);
    assert_eq!(taken.code, 0, "{}", taken.err);
    let line: serde_json::Value = serde_json::from_str(taken.out.trim()).unwrap();
    assert_eq!((line["run"].as_str(), line["kind"].as_str(), line["duplicate"].as_bool()), (Some("run-1"), Some("unchanged"), Some(false)));
}

#[test]
fn offline_is_refused_while_a_server_runs_and_online_while_none_does() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.yaml");
    std::fs::write(&file, report("web01", "only", now_ms(), None)).unwrap();
    let server = Server::start(&dir.path().join("state"), &[]);
    let state = server.state.to_str().unwrap();
    let refused = run(&["ingest", "--offline", "--state", state, file.to_str().unwrap()]);
    assert!(
        refused.code == 1 && refused.err.contains("a server runs on") && refused.err.contains("leave out --offline"),
        "{}",
        refused.err
    );

    // Its socket is gone, and yet it runs.
    std::fs::remove_file(server.socket()).unwrap();
    let alone = run(&["ingest", "--state", state, file.to_str().unwrap()]);
    assert!(alone.code == 1 && alone.err.contains("no server answers at") && alone.err.contains("help: "), "{}", alone.err);
    let still = run(&["ingest", "--offline", "--state", state, file.to_str().unwrap()]);
    assert!(still.code == 1 && still.err.contains("a server runs on"), "{}", still.err);
}

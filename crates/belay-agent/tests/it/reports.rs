//! The spool: reports reach the server in order and once, through a killed agent and a server that
//! is away.

use std::sync::Arc;

use belay_core::model::gate::Enforce;

use crate::lab::{Lab, policy};
use crate::server::{Server, until};

fn write(lab: &Lab, text: &str) {
    // As tools do it: written beside and moved there.
    std::fs::write(lab.path("tool/next"), text).unwrap();
    std::fs::rename(lab.path("tool/next"), lab.path("tool/report")).unwrap();
}

fn spooled(lab: &Lab) -> usize {
    let is_report = |file: std::io::Result<std::fs::DirEntry>| file.unwrap().file_name().to_string_lossy().ends_with(".report");
    std::fs::read_dir(lab.path("state/spool")).map_or(0, |files| files.filter_map(|file| is_report(file).then_some(())).count())
}

fn taken(server: &Server) -> Vec<String> {
    let known = server.known.lock().unwrap();
    known.reports.iter().filter(|(status, _)| *status == 200).map(|(_, body)| String::from_utf8(body.clone()).unwrap()).collect()
}

#[test]
fn they_survive_a_killed_agent_and_a_server_away_in_order_and_once() {
    let server = Server::start(Some(policy(1, Enforce::Off)));
    let lab = Lab::new(Some(&server.address), "");
    let (address, known) = (server.address.clone(), Arc::clone(&server.known));
    write(&lab, "one");
    let daemon = lab.daemon();
    server.until("the first", |known| known.reports.len() == 1);
    until("an empty spool", || spooled(&lab) == 0);
    drop(server);
    for (nth, text) in ["two", "three"].into_iter().enumerate() {
        write(&lab, text);
        until("it is spooled", || spooled(&lab) == nth + 1);
    }
    drop(daemon);
    write(&lab, "four");
    let daemon = lab.daemon();
    until("what came while no agent ran", || spooled(&lab) == 3);
    drop(daemon);
    let _daemon = lab.daemon();
    let server = Server::at(&address, known);
    server.until("all", |known| known.reports.len() >= 4);
    until("an empty spool", || spooled(&lab) == 0);
    assert_eq!(taken(&server), ["one", "two", "three", "four"]);
}

#[test]
fn what_the_server_will_never_take_is_put_aside_and_what_it_cannot_take_now_waits() {
    let server = Server::start(Some(policy(1, Enforce::Off)));
    server.alter(|known| known.statuses = [503, 400, 503].into());
    let lab = Lab::new(Some(&server.address), "");
    write(&lab, "bad");
    let _daemon = lab.daemon();
    server.until("that the bad one is refused", |known| known.reports.len() == 2);
    write(&lab, "good");
    server.until("the good one", |known| known.reports.len() == 4);
    assert_eq!(taken(&server), ["good"]);
    let known = server.known.lock().unwrap();
    assert_eq!(known.reports.iter().map(|(status, _)| *status).collect::<Vec<_>>(), [503, 400, 503, 200]);
    assert_eq!(std::fs::read_dir(lab.path("state/spool/aside")).unwrap().count(), 1);
}

#[test]
fn the_catalog_a_run_applied_is_what_the_next_one_is_compared_with() {
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../belay-adapters/src/tools/puppet/fixtures");
    let recorded = |name: &str| std::fs::read_to_string(format!("{fixtures}/{name}")).unwrap();
    let lab = Lab::new(None, "");
    lab.keep(&policy(1, Enforce::Waves));
    std::fs::write(lab.path("tool/catalog"), recorded("catalog/lab-r142.json")).unwrap();
    write(&lab, &recorded("unchanged.yaml"));
    let _daemon = lab.daemon();
    until("it is spooled", || spooled(&lab) == 1);
    assert_eq!(lab.kept().applied(), None, "that run applied another catalog");
    let uuid = recorded("catalog/lab-r142.json");
    let uuid = uuid.split("\"catalog_uuid\":\"").nth(1).unwrap().split('"').next().unwrap();
    let report = recorded("unchanged.yaml");
    let other = report.split("catalog_uuid: ").nth(1).unwrap().lines().next().unwrap().to_owned();
    write(&lab, &report.replace(&other, uuid));
    until("what was applied", || lab.kept().applied().is_some());
    let (code, said) = lab.says(&["gate", "--catalog", &lab.path("tool/catalog").display().to_string(), "-o", "json"]);
    assert_eq!(code, 0, "{said}");
    let applied = lab.kept().applied().unwrap();
    let all: Vec<usize> = (0..applied.known().len()).collect();
    assert!(!applied.setting(&all).unwrap().items.is_empty());
}

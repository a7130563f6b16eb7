//! The policy as the daemon keeps it: durable, never a lower one, and holds a restored server lost.

use belay_core::host::policy::Stand;
use belay_core::model::gate::Enforce;

use crate::lab::{Lab, hold, policy};
use crate::server::{Server, until};

#[test]
fn a_restored_server_hears_of_holds_it_lost_before_they_go() {
    let mut held = policy(50, Enforce::Off);
    held.holds = vec![hold(1)];
    let server = Server::start(Some(held));
    let lab = Lab::new(Some(&server.address), "");
    let _daemon = lab.daemon();
    until("the lock", || lab.lock().is_some());
    let mut restored = policy(3, Enforce::Off);
    restored.stand = Stand { incarnation: 2, seq: 3 };
    server.alter(|known| {
        known.polls.clear();
        known.policy = Some(restored);
    });
    until("no lock", || lab.lock().is_none());
    let known = server.known.lock().unwrap();
    let told = known.polls.iter().filter(|poll| poll.have.is_some_and(|have| have.incarnation == 2));
    let first = told.clone().next().expect("it was asked again");
    assert_eq!(first.holds.len(), 1, "the hold was told to the server of the new incarnation before it went");
}

#[test]
fn a_lower_policy_is_not_taken() {
    let mut held = policy(50, Enforce::Off);
    held.holds = vec![hold(1)];
    let server = Server::start(Some(held));
    let lab = Lab::new(Some(&server.address), "");
    let _daemon = lab.daemon();
    until("the lock", || lab.lock().is_some());
    server.alter(|known| {
        known.polls.clear();
        known.policy = Some(policy(49, Enforce::Off));
    });
    server.until("some polls", |known| known.polls.len() >= 3);
    assert!(lab.lock().is_some());
    assert!(server.known.lock().unwrap().polls.iter().all(|poll| poll.have.is_some_and(|have| have.seq == 50)));
}

#[test]
fn what_stands_on_the_host_is_told() {
    let server = Server::start(Some(policy(1, Enforce::Off)));
    let lab = Lab::new(Some(&server.address), "[facts]\nrole = \"web\"\n");
    assert_eq!(lab.says(&["gate"]).0, 0);
    let _daemon = lab.daemon();
    server.until("a poll", |known| !known.polls.is_empty());
    let known = server.known.lock().unwrap();
    let poll = &known.polls[0];
    assert_eq!((poll.host.as_deref(), poll.release.as_deref()), (Some("web01.example.com"), Some("142")));
    assert_eq!(poll.facts.as_ref().unwrap()["role"], "web");
    assert_eq!(poll.status.gate.as_ref().unwrap().answer, "go");
    assert!(poll.agent.starts_with("belay-agent "));
}

#[test]
fn it_ends_cleanly_when_it_is_told_to() {
    let server = Server::start(Some(policy(1, Enforce::Off)));
    let lab = Lab::new(Some(&server.address), "");
    let mut daemon = lab.daemon();
    server.until("a poll", |known| !known.polls.is_empty());
    let pid = rustix::process::Pid::from_raw(i32::try_from(daemon.0.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(daemon.0.wait().unwrap().success());
}

#[test]
fn only_one_daemon_runs() {
    let lab = Lab::new(None, "");
    let _daemon = lab.daemon();
    until("the folder", || lab.path("state/spool").exists());
    let (code, said) = lab.says(&["run"]);
    assert!(code == 1 && said.contains("only one daemon"), "{said}");
}

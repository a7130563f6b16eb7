//! Reverts and rehearsals: what was declared and nothing else, once each, and the result is told.

use std::collections::BTreeMap;

use belay_core::host::policy::{HostPolicy, RevertOrder, RevertWay};
use belay_core::model::gate::Enforce;
use belay_core::model::ids::{Environment, RevertId};
use belay_core::model::time::Timestamp;

use crate::lab::{Lab, catalog, hold, policy};
use crate::server::{Server, until};

fn asking(way: RevertWay) -> HostPolicy {
    let mut asking = policy(1, Enforce::Off);
    asking.reverts.push(RevertOrder { id: RevertId(7), way, reason: "c-2 was rejected".to_owned() });
    asking
}

/// What the host told of the revert.
fn result(server: &Server) -> (bool, String) {
    server.until("the result", |known| known.polls.iter().any(|poll| !poll.results.is_empty()));
    let known = server.known.lock().unwrap();
    let result = known.polls.iter().flat_map(|poll| &poll.results).next().unwrap();
    assert_eq!(result.id, "r-7");
    (result.done, result.why_not.clone().unwrap_or_else(|| result.said.clone()))
}

#[test]
fn the_declared_command_is_run_once_and_its_result_told_until_it_is_taken() {
    let server = Server::start(Some(asking(RevertWay::Declared)));
    let lab = Lab::new(Some(&server.address), "[revert]\ncommand = [\"/bin/sh\", \"-c\", \"echo back >> DIR/done; echo went back\"]\n");
    let daemon = lab.daemon();
    assert_eq!(result(&server), (true, "went back".to_owned()));
    drop(daemon);
    let _daemon = lab.daemon();
    server.alter(|known| known.polls.clear());
    server.until("some polls", |known| known.polls.len() > 3);
    assert_eq!(std::fs::read_to_string(lab.path("done")).unwrap(), "back\n", "once");
    assert!(server.known.lock().unwrap().polls.last().unwrap().results.is_empty());
}

#[test]
fn what_is_not_declared_is_not_done() {
    let server = Server::start(Some(asking(RevertWay::Declared)));
    let lab = Lab::new(Some(&server.address), "");
    let _daemon = lab.daemon();
    let (done, why) = result(&server);
    assert!(!done && why.contains("set revert.command"), "{why}");
}

#[test]
fn files_come_back_only_where_that_is_allowed() {
    let files = |path: &str| RevertWay::Restore { files: BTreeMap::from([(path.to_owned(), "ab".repeat(32))]) };
    for (path, allowed) in [("/etc/app/a.conf", true), ("/etc/shadow", false), ("/etc/app/../shadow", false)] {
        let server = Server::start(Some(asking(files(path))));
        let lab = Lab::new(
            Some(&server.address),
            "restart = [\"/bin/sh\", \"-c\", \"echo restarted >> DIR/done\"]\n[revert]\npaths = [\"/etc/app/*\"]\n",
        );
        lab.program("");
        let _daemon = lab.daemon();
        let (done, why) = result(&server);
        assert_eq!(done, allowed, "{path}: {why}");
        assert_eq!(lab.argv().len(), usize::from(allowed));
        assert_eq!(lab.path("done").exists(), allowed, "restarted after it, and only then");
    }
}

#[test]
fn what_is_not_in_the_hosts_own_backups_comes_from_the_servers() {
    let way = RevertWay::Restore { files: BTreeMap::from([("/etc/app/a.conf".to_owned(), "ab".repeat(32))]) };
    for (program, done) in [("case \"$*\" in *--local*) echo gone; exit 1;; esac", true), ("echo no such sum; exit 1", false)] {
        let server = Server::start(Some(asking(way.clone())));
        let lab = Lab::new(Some(&server.address), "[revert]\npaths = [\"/etc/app/*\"]\n");
        lab.program(program);
        let _daemon = lab.daemon();
        let (was, said) = result(&server);
        assert_eq!((was, lab.argv().len()), (done, 2), "{said}");
        assert!(said.contains(if done { "1 of them from the backups of the tool's server" } else { "from the server: " }), "{said}");
    }
}

#[test]
fn a_pinned_host_runs_once_and_says_which_environment_it_took() {
    for (took, done) in [("r142", true), ("production", false)] {
        let server = Server::start(Some(asking(RevertWay::PinAndRun { environment: Environment::parse("r142").unwrap() })));
        let lab = Lab::new(Some(&server.address), "");
        lab.program("exit 2");
        std::fs::write(lab.path("tool/catalog"), catalog(took, "x")).unwrap();
        let _daemon = lab.daemon();
        let (was, why) = result(&server);
        assert_eq!(was, done, "{why}");
        assert_eq!(lab.argv().len(), 1);
        assert!(lab.argv()[0].starts_with("agent --onetime"), "{:?}", lab.argv());
    }
}

#[test]
fn an_expired_hold_is_rehearsed_once() {
    let mut expired = policy(1, Enforce::Off);
    expired.holds.push(hold(3));
    expired.holds[0].until = Timestamp::from_ms(1);
    expired.rehearse = true;
    let server = Server::start(Some(expired));
    let lab = Lab::new(Some(&server.address), "");
    lab.program("");
    let daemon = lab.daemon();
    until("the rehearsal", || lab.argv().len() == 1);
    assert!(lab.argv()[0].contains("--noop"));
    drop(daemon);
    let _daemon = lab.daemon();
    server.alter(|known| known.polls.clear());
    server.until("some polls", |known| known.polls.len() > 3);
    assert_eq!(lab.argv().len(), 1);
}

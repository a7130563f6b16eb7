//! The daemon and the tool's lock: put back once and then not fought for, through crashes.

use belay_api::agent::{HappenedBody, LockBody};
use belay_core::model::gate::Enforce;

use crate::lab::{Lab, hold, policy};
use crate::server::{Known, Server, until};

fn broken(server: &Server) -> Vec<bool> {
    told(server).into_iter().map(|(put_back, _)| put_back).collect()
}

/// Each time the lock was told to be broken: whether it is put back, and what is known of the hand.
fn told(server: &Server) -> Vec<(bool, Option<String>)> {
    let known = server.known.lock().unwrap();
    let mut seen: Vec<(u64, (bool, Option<String>))> = Vec::new();
    for event in known.polls.iter().flat_map(|poll| &poll.events) {
        if let HappenedBody::LockBroken { put_back, by, .. } = &event.what
            && seen.iter().all(|(number, _)| *number != event.number)
        {
            seen.push((event.number, (*put_back, by.clone())));
        }
    }
    seen.into_iter().map(|(_, told)| told).collect()
}

#[test]
fn a_lock_removed_by_hand_is_put_back_once_and_then_yielded_through_crashes() {
    let mut held = policy(1, Enforce::Off);
    held.holds.push(hold(3));
    let server = Server::start(Some(held));
    let lab = Lab::new(Some(&server.address), "");
    let daemon = lab.daemon();
    until("the lock", || lab.lock().is_some_and(|lock| lock.contains("h-3")));
    until("the banner", || std::fs::read_to_string(lab.path("banner")).is_ok_and(|text| text.contains("alice")));
    drop(daemon);
    std::fs::remove_file(lab.path("tool/lock")).unwrap();
    let daemon = lab.daemon();
    until("the lock again", || lab.lock().is_some());
    until("the news", || broken(&server) == [true]);
    std::fs::remove_file(lab.path("tool/lock")).unwrap();
    until("that it is yielded", || broken(&server) == [true, false]);
    drop(daemon);
    let _daemon = lab.daemon();
    let polls = server.known.lock().unwrap().polls.len();
    server.until("some polls", |known| known.polls.len() > polls + 3);
    assert_eq!(lab.lock(), None, "it is not fought for");
    assert_eq!(broken(&server), [true, false]);
}

#[test]
fn who_was_logged_in_is_told_with_a_broken_lock_and_whom_the_kernel_saw_before_that() {
    let mut held = policy(1, Enforce::Off);
    held.holds.push(hold(3));
    let server = Server::start(Some(held));
    let people = "[people]\nterminals = \"DIR/none\"\nsessions = \"DIR/sessions\"\naudit = \"DIR/audit.log\"\naccounts = \"DIR/none\"";
    let lab = Lab::new(Some(&server.address), people);
    std::fs::create_dir(lab.path("sessions")).unwrap();
    let session = format!("USER=bob\nCLASS=user\nSTATE=active\nTTY=pts/0\nREMOTE_HOST=10.0.0.7\nLEADER={}\n", std::process::id());
    std::fs::write(lab.path("sessions/3"), session).unwrap();
    let _daemon = lab.daemon();
    until("the lock", || lab.lock().is_some());
    // Written, and remembered as written: only then is its absence somebody's hand.
    until("the memory", || !lab.kept().notes(belay_agent::clock::now()).memory.writing);
    std::fs::remove_file(lab.path("tool/lock")).unwrap();
    let bob = Some("logged in then: bob (pts/0 from 10.0.0.7)".to_owned());
    until("the news", || told(&server) == [(true, bob.clone())]);
    let (at, lock) = (belay_agent::clock::now().ms() / 1_000, lab.path("tool/lock").display().to_string());
    let seen = format!(
        "type=SYSCALL msg=audit({}.000:7): success=yes auid=1000 uid=0 exe=\"/usr/bin/rm\"\u{1d}AUID=\"carol\" UID=\"root\"\n\
         type=PATH msg=audit({}.000:7): item=0 name=\"{lock}\" nametype=DELETE\n",
        at + 1,
        at + 1
    );
    std::fs::write(lab.path("audit.log"), seen).unwrap();
    std::fs::remove_file(lab.path("tool/lock")).unwrap();
    let carol = Some("observed: carol (as root, with /usr/bin/rm)".to_owned());
    until("the second news", || told(&server) == [(true, bob.clone()), (false, carol.clone())]);
}

#[test]
fn a_crash_between_memory_and_lock_is_nobodys_hand() {
    let mut held = policy(1, Enforce::Off);
    held.holds.push(hold(3));
    let server = Server::start(Some(held));
    let lab = Lab::new(Some(&server.address), "");
    // The folder of the lock is not there yet: the memory is written, the lock cannot be.
    std::fs::rename(lab.path("tool"), lab.path("later")).unwrap();
    let daemon = lab.daemon();
    until("the memory", || lab.kept().notes(belay_agent::clock::now()).memory.writing);
    drop(daemon);
    std::fs::rename(lab.path("later"), lab.path("tool")).unwrap();
    let _daemon = lab.daemon();
    until("the lock", || lab.lock().is_some());
    server.until("that it is told", |known| matches!(known.polls.last().unwrap().status.lock, LockBody::Ours { .. }));
    assert_eq!(broken(&server), Vec::<bool>::new());
}

#[test]
fn a_hold_goes_when_it_is_released_and_stands_while_the_server_is_away() {
    let mut held = policy(1, Enforce::Off);
    held.holds.push(hold(3));
    let server = Server::start(Some(held.clone()));
    let lab = Lab::new(Some(&server.address), "");
    let daemon = lab.daemon();
    until("the lock", || lab.lock().is_some());
    let (address, known) = (server.address.clone(), std::sync::Arc::clone(&server.known));
    drop(server);
    drop(daemon);
    let _daemon = lab.daemon();
    let deaf = std::net::TcpListener::bind(&address).unwrap();
    deaf.set_nonblocking(true).unwrap();
    until("that it asked in vain", || deaf.accept().is_ok());
    until("that it asked in vain again", || deaf.accept().is_ok());
    drop(deaf);
    assert!(lab.lock().is_some(), "agent and server were down, and it holds");
    let server = Server::at(&address, known);
    held.holds[0].until = held.holds[0].until - belay_core::model::time::Span::from_min(60);
    held.stand.seq = 2;
    server.alter(|known| known.policy = Some(held.clone()));
    until("the new text", || lab.lock().is_some_and(|lock| lock.contains(&held.holds[0].until.to_string())));
    held.holds.clear();
    held.stand.seq = 3;
    server.alter(|known| known.policy = Some(held));
    until("no lock", || lab.lock().is_none());
    until("no banner", || !lab.path("banner").exists());
}

#[test]
fn somebody_elses_lock_is_told_once_and_left() {
    let mut held = policy(1, Enforce::Off);
    held.holds.push(hold(3));
    let server = Server::start(Some(held));
    let lab = Lab::new(Some(&server.address), "");
    std::fs::write(lab.path("tool/lock"), r#"{"disabled_message":"bob is at it"}"#).unwrap();
    let _daemon = lab.daemon();
    let foreign = |lock: &LockBody| matches!(lock, LockBody::Foreign { message, since_ms: Some(_) } if message == "bob is at it");
    server.until("some polls", |known| known.polls.len() > 5 && foreign(&known.polls.last().unwrap().status.lock));
    let known = server.known.lock().unwrap();
    let mut told: Vec<u64> = known.polls.iter().flat_map(|poll| poll.events.iter().map(|event| event.number)).collect();
    told.dedup();
    assert_eq!(told.len(), 1);
    assert!(lab.lock().unwrap().contains("bob"));
}

#[test]
fn the_lock_of_a_run_is_told_with_the_limit_that_the_tool_s_own_settings_say() {
    let server = Server::start(Some(policy(1, Enforce::Off)));
    let lab = Lab::new(Some(&server.address), "");
    std::fs::write(lab.path("tool/settings"), "[agent]\nruntimeout = 20m\n").unwrap();
    // A process that ended and left its lock behind.
    std::fs::write(lab.path("tool/running"), "4194305").unwrap();
    let _daemon = lab.daemon();
    let told =
        |known: &Known| known.polls.last().is_some_and(|poll| poll.status.run_lock.is_some_and(|lock| lock.limit_ms == Some(1_200_000)));
    server.until("the lock of a run", told);
    assert!(!server.known.lock().unwrap().polls.last().unwrap().status.running, "nobody runs");
    std::fs::remove_file(lab.path("tool/running")).unwrap();
    server.until("no lock of a run", |known| known.polls.last().is_some_and(|poll| poll.status.run_lock.is_none()));
}

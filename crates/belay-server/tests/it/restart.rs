//! Stopping, crashing, starting again: nothing that was acknowledged is lost, nothing that was not
//! committed is seen.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use belay_core::model::policy::Pattern;
use belay_core::model::principal::Principal;
use belay_core::model::time::Timestamp;
use belay_server::ledger::{Batch, Deposit, Ledger, Op};
use belay_server::{Exposure, OfflineFile, Options, Outcome, StartError, ingest_offline, start};

use super::world::{NOON, World, door, options, recorded, report_of, tool, until};

async fn a_little_life(world: &World) {
    for (n, host) in ["web01", "web02", "web03"].into_iter().enumerate() {
        let n = u32::try_from(n).unwrap();
        assert_eq!(world.report(report_of("incident-1-steady-141", host, n)).await.status, 200);
        assert_eq!(world.report(report_of("incident-2-manual-142", host, 10 + n)).await.status, 200);
    }
    world.report("half a rep").await;
    world.send("PUT", "/api/v1/hosts/web01/facts", &world.relay, &[], "{\"release\":\"142\"}").await;
    world.token("viewer", "role", "viewer").await;
}

#[tokio::test]
async fn a_restart_gives_the_same_state_with_and_without_a_snapshot() {
    for every in [u64::MAX, 5] {
        let world = World::with(|options| options.bounds.drive.snapshot_every = every).await;
        a_little_life(&world).await;
        let before = world.running.state().to_facts();
        assert!(before.len() > 10);
        let world = world.again(|_| {}).await;
        assert_eq!(world.running.state().to_facts(), before, "snapshots every {every}");
        let again = world.report(report_of("incident-1-steady-141", "web01", 0)).await;
        assert_eq!(again.json()["duplicate"], true);
        let conn = rusqlite::Connection::open(world.dir.path().join("ledger.db")).unwrap();
        let snapshots: i64 = conn.query_row("SELECT count(*) FROM snapshots", [], |row| row.get(0)).unwrap();
        assert_eq!(snapshots > 0, every == 5);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_left_in_the_inbox_is_read_at_the_start() {
    let world = World::start().await;
    let World { dir, running, .. } = world;
    running.shutdown().await;
    let mut ledger = Ledger::open(dir.path(), None).unwrap();
    let (state, _) = ledger.load().unwrap();
    let deposit = |body: String| Deposit {
        received: Timestamp::from_ms(NOON),
        tool: tool().name(),
        head: String::new(),
        principal: Principal::Relay(Pattern::new("web*")),
        body: body.into(),
    };
    let deposits =
        vec![deposit(report_of("unchanged", "web01", 1)), deposit("half a rep".into()), deposit(report_of("unchanged", "db01", 2))];
    ledger.commit(&Batch { deposits, ..Batch::default() }, &state).unwrap();
    drop(ledger);
    let (options, ..) = options(dir.path());
    let running = start(options).await.unwrap();
    let done = || async {
        let state = running.state();
        let rows = running.drive().counts().inbox_rows.load(Ordering::Relaxed);
        state.counters.runs == 1 && rows == 0
    };
    until("the inbox is empty", done).await;
    assert!(running.state().hosts.keys().all(|host| host.as_str() == "web01"), "the relay does not speak for db01, then as now");
    running.shutdown().await;
}

#[tokio::test]
async fn bytes_that_bring_the_server_down_are_put_aside_in_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let body = report_of("unchanged", "web01", 1).into();
    let deposit = Deposit {
        received: Timestamp::from_ms(NOON),
        tool: tool().name(),
        head: String::new(),
        principal: Principal::Relay(Pattern::new("*")),
        body,
    };
    let mut ledger = Ledger::open(dir.path(), None).unwrap();
    let id = ledger.commit(&Batch { deposits: vec![deposit], ..Batch::default() }, &Default::default()).unwrap().deposits;
    // Three times somebody began to read it, and the process ended.
    (0..3).for_each(|_| ledger.begin_to_read(&id).unwrap());
    drop(ledger);
    let running = start(options(dir.path()).0).await.unwrap();
    until("the inbox is empty", || async { running.drive().counts().inbox_rows.load(Ordering::Relaxed) == 0 }).await;
    assert_eq!(running.state().counters.runs, 0);
    running.shutdown().await;
}

#[tokio::test]
async fn a_second_server_on_the_same_state_is_refused() {
    let world = World::start().await;
    let Err(refused) = start(options(world.dir.path()).0).await else { panic!("it was started") };
    assert!(refused.to_string().contains(&format!("in use by process {}", std::process::id())), "{refused}");
    let refused = ingest_offline(world.dir.path(), &[], &Principal::Relay(Pattern::new("*")), &options(world.dir.path()).0.clock);
    assert!(refused.is_err());
}

#[tokio::test]
async fn credentials_do_not_travel_in_the_clear_unless_somebody_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let everywhere = |exposure| Options { listen: Some("0.0.0.0:0".parse().unwrap()), exposure, ..options(dir.path()).0 };
    let Err(refused) = start(everywhere(Exposure::LoopbackOnly)).await else { panic!("it was started") };
    assert!(matches!(refused, StartError::InTheClear(_)) && refused.to_string().contains("127.0.0.1"), "{refused}");
    start(everywhere(Exposure::Plaintext)).await.unwrap().shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_sees_what_is_not_committed() {
    let (hold, held) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let (holding, waiting) = (Arc::clone(&hold), Arc::clone(&held));
    let hook = move |op| {
        while op == Op::Commit && holding.load(Ordering::SeqCst) {
            waiting.store(1, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    };
    let world = World::with(|options| options.hook = Some(Arc::new(hook))).await;
    hold.store(true, Ordering::SeqCst);
    let facts = world.send("PUT", "/api/v1/hosts/web01/facts", &world.relay, &[], "{\"facts\":{\"role\":\"web\"}}");
    tokio::pin!(facts);
    let early = tokio::time::timeout(Duration::from_millis(300), facts.as_mut()).await;
    assert!(early.is_err(), "it was acknowledged before its commit: {early:?}");
    assert_eq!(held.load(Ordering::SeqCst), 1, "the commit is being held");
    assert_eq!(world.get("/api/v1/hosts/web01").await.status, 404);
    assert_eq!(world.see("/api/v1/status").await["hosts"], 0);
    assert!(!world.see("/api/v1/audit").await.to_string().contains("web01"));
    hold.store(false, Ordering::SeqCst);
    assert_eq!(facts.await.status, 200);
    assert_eq!(world.get("/api/v1/hosts/web01").await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_fails_ends_everything_and_acknowledges_nothing() {
    let fail = Arc::new(AtomicBool::new(false));
    let failing = Arc::clone(&fail);
    let hook = move |op| if op == Op::Commit && failing.load(Ordering::SeqCst) { Err(rusqlite::Error::InvalidQuery) } else { Ok(()) };
    let world = World::with(|options| options.hook = Some(Arc::new(hook))).await;
    a_little_life(&world).await;
    let before = world.running.state().to_facts();
    fail.store(true, Ordering::SeqCst);
    let refused = world.report(report_of("unchanged", "web04", 40)).await;
    assert_eq!(refused.status, 503);
    // The sender hears of it when the writer lets go of its question, a moment before the writer ends.
    until("the process would have ended", || async { world.fatal.load(Ordering::SeqCst) == 1 }).await;
    assert_eq!(world.running.state().to_facts(), before, "nothing of it is seen");
    assert_eq!(world.get("/healthz").await.status, 503);
    let world = world.again(|_| {}).await;
    assert_eq!(world.running.state().to_facts(), before);
    assert_eq!(world.report(report_of("unchanged", "web04", 40)).await.json()["duplicate"], false);
}

#[tokio::test]
async fn reports_are_taken_from_files_while_no_server_runs() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let file = |name: &str, body: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, body).unwrap();
        OfflineFile { path, tool: tool().name().to_owned() }
    };
    let files = [
        file("a", &recorded("unchanged")),
        file("b", &recorded("unchanged")),
        file("c", "half a rep"),
        OfflineFile { path: dir.path().join("none"), tool: tool().name().to_owned() },
        OfflineFile { path: dir.path().join("a"), tool: "abacus".to_owned() },
    ];
    let clock = options(&state).0.clock;
    let done = ingest_offline(&state, &files, &super::story::admin(), &clock).unwrap();
    let outcomes: Vec<_> = done.into_iter().map(|done| done.outcome).collect();
    assert!(matches!(outcomes[0], Outcome::Run { duplicate: false, .. }), "{outcomes:?}");
    assert!(matches!(outcomes[1], Outcome::Run { duplicate: true, .. }));
    assert!(matches!(&outcomes[2], Outcome::NotTaken(why) if why.contains("not a readable report")));
    assert!(matches!(&outcomes[3], Outcome::NotTaken(why) if why.contains("could not be read")));
    assert!(matches!(&outcomes[4], Outcome::NotTaken(why) if why.contains(tool().name())));
    let running = start(options(&state).0).await.unwrap();
    assert_eq!(running.state().counters.runs, 1);
    running.shutdown().await;
    let _ = door();
}

#[tokio::test]
async fn a_hangup_loads_the_configuration_anew() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("belay.toml");
    std::fs::write(&path, "").unwrap();
    let world = World::with(|options| options.config = Some(path.clone())).await;
    std::fs::write(&path, "[[class]]\nname = \"db\"\nhosts = [\"db*\"]\n").unwrap();
    let sent = std::process::Command::new("kill").args(["-HUP", &std::process::id().to_string()]).status().unwrap();
    assert!(sent.success());
    until("the configuration is loaded", || async { world.running.state().policy.classes.len() == 1 }).await;
    assert!(world.see("/api/v1/audit").await.to_string().contains("configuration loaded"));
}

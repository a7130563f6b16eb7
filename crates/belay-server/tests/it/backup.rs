//! Faults 19 and 54: a backup is one moment, also while the server writes; put back, it begins another history; damage is named.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use belay_adapters::sources::facade_roots;
use belay_core::decide::host_policy::stand;
use belay_core::model::principal::Actor;
use belay_core::model::time::Timestamp;
use belay_server::backup::{BackupError, restore, take, verify};
use belay_server::fsck::{Looked, look};
use belay_server::ledger::{Ledger, LedgerError, Repair, repair};
use rusqlite::Connection;

use super::samples::body;
use super::world::{NOON, World, report_of, until};

const NOW: Timestamp = Timestamp::from_ms(NOON + 60_000);

fn put_back(archive: &[u8], into: &Path) -> Result<belay_server::backup::Restored, BackupError> {
    restore(archive, into, Actor("alice".into()), NOW)
}

fn fsck(dir: &Path) -> Looked {
    look(dir, &mut |_| {}).unwrap()
}

fn named(dir: &Path) -> Vec<String> {
    fsck(dir).findings().into_iter().map(|finding| finding.what).collect()
}

async fn samples(world: &World, n: i64) {
    let labels = [("__name__", "requests_total"), ("instance", "web01:9100")];
    let rows: Vec<(i64, f64)> = (0..60).map(|at| (NOON - 3_600_000 + n * 60_000 + at * 1000, at as f64)).collect();
    let path = format!("{}/write", facade_roots()[0]);
    assert_eq!(world.send("POST", &path, &world.admin, &[], body(&[(&labels, &rows)])).await.status, 204);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backups_taken_while_reports_come_are_whole_and_hold_what_was_acknowledged_before() {
    let world = Arc::new(World::with(|options| options.bounds.drive.snapshot_every = 7).await);
    let (stop, writes) = (Arc::new(AtomicBool::new(false)), Arc::clone(&world));
    let stopped = Arc::clone(&stop);
    let writing = tokio::spawn(async move {
        let mut n = 0_u32;
        while !stopped.load(Ordering::SeqCst) {
            n += 1;
            assert_eq!(writes.report(report_of("incident-1-steady-141", &format!("web{:03}", n % 500), n)).await.status, 200);
            samples(&writes, i64::from(n % 50)).await;
        }
        n
    });
    until("some reports came", || async { world.running.state().counters.runs > 20 }).await;
    for _ in 0..4 {
        let before = world.running.state().counters.runs;
        let answer = world.send("POST", "/api/v1/backup", &world.admin, &[], "").await;
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "application/gzip"));
        let after = world.running.state().counters.runs;
        let dir = tempfile::tempdir().unwrap();
        let into = dir.path().join("new");
        let restored = put_back(&answer.body, &into).unwrap();
        assert_eq!(restored.manifest, verify(&answer.body[..]).unwrap());
        let (state, last) = Ledger::open(&into, None).unwrap().load().unwrap();
        assert!((before..=after).contains(&state.counters.runs), "{before} {} {after}", state.counters.runs);
        assert_eq!((last, restored.incarnation, state.counters.incarnation), (restored.facts, 1, 1));
        let looked = fsck(&into);
        assert_eq!(looked.findings(), [], "what was restored is sound");
        assert!(looked.ledger.snapshots > 0 && looked.signals.segments > 0 && looked.signals.bytes > 100, "{looked:?}");
        assert_eq!(named(world.dir.path()), Vec::<String>::new(), "a state directory can be looked at while a server writes");
    }
    stop.store(true, Ordering::SeqCst);
    assert!(writing.await.unwrap() > 10, "too few writes for a test");
    assert!(world.see("/api/v1/audit").await.to_string().contains("took a backup"));
    assert!(!world.dir.path().join("backup.tmp").exists());
    let viewer = world.token("viewer", "role", "viewer").await;
    assert_eq!(world.send("POST", "/api/v1/backup", &viewer, &[], "").await.status, 403);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_put_back_is_what_was_there_and_hosts_take_it_for_a_new_history() {
    let world = World::start().await;
    for n in 0..5 {
        assert_eq!(world.report(report_of("incident-1-steady-141", &format!("web{n}"), n)).await.status, 200);
    }
    samples(&world, 1).await;
    let World { dir, running, .. } = world;
    let state = running.state();
    running.shutdown().await;
    let mut archive = Vec::new();
    take(dir.path(), NOW, &mut archive).unwrap();
    let new = tempfile::tempdir().unwrap();
    let restored = put_back(&archive, new.path()).unwrap();
    let (after, _) = Ledger::open(new.path(), None).unwrap().load().unwrap();
    assert_eq!((after.hosts.len(), after.acceptance == state.acceptance, after.policy == state.policy), (5, true, true));
    assert!(after.hosts.iter().zip(&state.hosts).all(|(new, old)| new == old) && after.tokens == state.tokens);
    assert!(stand(&after) > stand(&state) && restored.facts > restored.manifest.facts);
    let copied = |path: &Path| {
        let files = belay_signals::segments(&path.join("signals")).unwrap();
        files.iter().map(|file| std::fs::read(file).unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(copied(new.path()), copied(dir.path()));
    let occupied = put_back(&archive, new.path()).unwrap_err();
    assert!(matches!(occupied, BackupError::Occupied { .. }), "{occupied}");
}

#[tokio::test]
async fn a_backup_that_was_cut_or_altered_is_refused_and_leaves_nothing_behind() {
    let world = World::start().await;
    assert_eq!(world.report(report_of("incident-1-steady-141", "web1", 1)).await.status, 200);
    let archive = world.send("POST", "/api/v1/backup", &world.admin, &[], "").await.body.to_vec();
    let dir = tempfile::tempdir().unwrap();
    let (manifest, files, step) = (verify(&archive[..]).unwrap(), unpacked(&archive).unwrap(), (archive.len() / 60).max(1));
    let mut refusals = 0;
    for at in (0..archive.len()).step_by(step).chain([archive.len() - 1, archive.len() - 5]) {
        let mut altered = archive.clone();
        altered[at] ^= 0x10;
        match put_back(&altered, dir.path()) {
            Err(refused) => {
                assert!(matches!(refused, BackupError::Broken(_)), "byte {at}: {refused}");
                refusals += 1;
            }
            // Some bits are harmless: gzip's own that mean nothing, and a distance back into other bytes that are the same.
            Ok(restored) => {
                assert!(unpacked(&altered).unwrap() == files, "byte {at} of {} was altered unseen", archive.len());
                assert_eq!(restored.manifest, manifest);
                std::fs::read_dir(dir.path()).unwrap().flatten().for_each(|entry| match entry.path() {
                    path if path.is_dir() => std::fs::remove_dir_all(path).unwrap(),
                    path => std::fs::remove_file(path).unwrap(),
                });
            }
        }
        let cut = put_back(&archive[..at], dir.path()).unwrap_err();
        assert!(matches!(cut, BackupError::Broken(_)), "cut at {at}: {cut}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "the directory is as empty as before");
    }
    assert!(refusals > 30, "{refusals}");
}

/// What an archive unpacks to, if it can be unpacked.
fn unpacked(archive: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut out = Vec::new();
    flate2::read::MultiGzDecoder::new(archive).read_to_end(&mut out).map(|_| out)
}

/// A state directory with facts, two snapshots, evidence and samples, and nobody in it.
async fn left_alone() -> tempfile::TempDir {
    let world = World::with(|options| options.bounds.drive.snapshot_every = 5).await;
    for n in 0..12 {
        assert_eq!(world.report(report_of("incident-1-steady-141", &format!("web{n:02}"), n)).await.status, 200);
    }
    samples(&world, 1).await;
    let World { dir, running, .. } = world;
    running.shutdown().await;
    let conn = Connection::open(dir.path().join("ledger.db")).unwrap();
    let text = b"windows".to_vec();
    let gzip = belay_server::ledger::gzip(&text).unwrap();
    let name = belay_core::model::ids::Digest::of(&text).to_string();
    conn.execute("INSERT INTO blobs VALUES (?1, 1, ?2)", rusqlite::params![name, &gzip[..]]).unwrap();
    conn.pragma_update_and_check(None, "wal_checkpoint", "TRUNCATE", |_| Ok(())).unwrap();
    drop(conn);
    assert_eq!(named(dir.path()), Vec::<String>::new());
    dir
}

fn alter(dir: &Path, sql: &str) {
    let conn = Connection::open(dir.join("ledger.db")).unwrap();
    conn.pragma_update(None, "foreign_keys", false).unwrap();
    assert!(conn.execute(sql, []).unwrap() > 0, "{sql}");
}

#[tokio::test]
async fn damage_is_named_with_its_remedy_and_only_repaired_when_asked() {
    let flip = "cast(replace(cast(body AS TEXT), 'web', 'wab') AS TEXT)";
    for (damage, said, repaired) in [
        (format!("UPDATE facts SET body = {flip} WHERE seq = (SELECT max(seq) FROM facts WHERE body LIKE '%web%')"), "is damaged", false),
        ("UPDATE facts SET at = at + 1 WHERE seq = 4".to_owned(), "fact 4 is damaged: its checksum", false),
        ("DELETE FROM facts WHERE seq = 6".to_owned(), "facts 6 to 6 are missing", false),
        (
            "UPDATE snapshots SET body = substr(body, 1, length(body) - 9) WHERE seq = (SELECT max(seq) FROM snapshots)".to_owned(),
            "the snapshot of fact",
            true,
        ),
        ("UPDATE snapshots SET body = (SELECT body FROM snapshots ORDER BY seq LIMIT 1)".to_owned(), "is not what the facts come to", true),
        ("UPDATE blobs SET body = substr(body, 1, length(body) - 9)".to_owned(), "evidence ", true),
        ("UPDATE blobs SET digest = substr(digest, 2) || '0'".to_owned(), "is not what its name says", true),
        ("DELETE FROM runs WHERE id = 3".to_owned(), "11 rows of runs, and the facts tell of 12", false),
    ] {
        let dir = left_alone().await;
        alter(dir.path(), &damage);
        let findings = fsck(dir.path()).findings();
        assert!(findings.iter().any(|finding| finding.what.contains(said)), "{damage}: {findings:?}");
        assert!(findings.iter().all(|finding| finding.remedy.contains("belay ")), "{findings:?}");
        assert_eq!(fsck(dir.path()).findings(), findings, "looking changes nothing");
        let done = repair(dir.path(), &findings).unwrap();
        assert_eq!((!done.is_empty(), named(dir.path()).is_empty()), (repaired, repaired), "{damage}: {done:?} {:?}", named(dir.path()));
    }
}

#[tokio::test]
async fn one_byte_of_any_fact_is_named() {
    let dir = left_alone().await;
    let path = dir.path().join("ledger.db");
    let whole = std::fs::read(&path).unwrap();
    let conn = Connection::open(&path).unwrap();
    let mut statement = conn.prepare("SELECT substr(body, 1, 100) FROM facts").unwrap();
    let bodies: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert!(bodies.len() > 20, "{}", bodies.len());
    for body in bodies {
        // Where pages were split, the file may hold the same text twice; only one of them is read.
        let places: Vec<usize> = (0..whole.len() - body.len()).filter(|at| whole[*at..].starts_with(body.as_bytes())).collect();
        assert!(!places.is_empty(), "a fact's text is in the file");
        let mut altered = whole.clone();
        places.iter().for_each(|at| altered[at + body.len() / 2] ^= 0x01);
        std::fs::write(&path, &altered).unwrap();
        let found = named(dir.path());
        assert!(found.iter().any(|what| what.starts_with("fact ") && what.contains("is damaged: ")), "{body}: {found:?}");
    }
    std::fs::write(&path, b"not a database at all, but long enough to be looked at as one, which it is not").unwrap();
    let looked = named(dir.path());
    assert!(looked.len() == 1 && looked[0].contains("not a database"), "{looked:?}");
}

#[tokio::test]
async fn damaged_samples_and_broken_indexes_are_named() {
    let dir = left_alone().await;
    let segment = belay_signals::segments(&dir.path().join("signals")).unwrap().remove(0);
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[60] ^= 1;
    bytes.extend_from_slice(b"torn");
    // The last segment may end in the middle of a write; only what lies before a whole frame is damage.
    std::fs::write(&segment, &bytes).unwrap();
    let next = segment.with_file_name("segment-0000000002.log");
    std::fs::write(&next, &bytes).unwrap();
    let looked = fsck(dir.path());
    assert!(looked.findings().iter().any(|finding| finding.what.starts_with("signals/segment-0000000001.log: ")), "{looked:?}");
    assert!(matches!(repair(dir.path(), &looked.findings()), Ok(done) if done.is_empty()));
    let lock = belay_server::ledger::StateLock::take(dir.path()).unwrap();
    assert!(matches!(repair(dir.path(), &[]), Err(LedgerError::Locked { .. })));
    drop(lock);
    let conn = Connection::open(dir.path().join("ledger.db")).unwrap();
    conn.execute_batch("PRAGMA writable_schema = 1; UPDATE sqlite_schema SET sql = replace(sql, '(kind, seq)', '(seq, kind)') WHERE name = 'notes_by_kind'").unwrap();
    drop(conn);
    let findings = fsck(dir.path()).findings();
    assert!(findings.iter().any(|finding| finding.repair == Some(Repair::Reindex)), "{findings:?}");
    assert_eq!(repair(dir.path(), &findings).unwrap(), ["made the indexes again"]);
    assert!(!fsck(dir.path()).findings().iter().any(|finding| finding.repair.is_some()));
}

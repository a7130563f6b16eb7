//! Backups as an operator takes them and puts them back, and what fsck says.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::harness::{Ran, Server, belay, ran, run};
use crate::reports::{DOOR, now_ms, report};
use crate::wire::Wire;

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn offline(state: &Path, args: &[&str]) -> Ran {
    ran(belay(args).args(["--state", text(state)]).output().unwrap())
}

fn runs(server: &Server) -> usize {
    server.ask(&["hosts", "-o", "jsonl", "--limit", "100000"]).out.lines().count()
}

/// A server that is written to until this ends, and how many reports it acknowledged by now.
struct Busy {
    stop: Arc<AtomicBool>,
    writer: Option<std::thread::JoinHandle<usize>>,
}

impl Busy {
    fn with(socket: PathBuf) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let writer = std::thread::spawn(move || {
            let mut wire = Wire::connect(&socket).unwrap();
            (0..).take_while(|_| !stopped.load(Ordering::SeqCst)).map(|n| send(&mut wire, n)).count()
        });
        Self { stop, writer: Some(writer) }
    }

    fn end(mut self) -> usize {
        self.stop.store(true, Ordering::SeqCst);
        self.writer.take().unwrap().join().unwrap()
    }
}

fn send(wire: &mut Wire, n: usize) {
    let host = format!("web{n:05}");
    assert_eq!(wire.ask("POST", DOOR, &[], &report(&host, &format!("run {n}"), now_ms(), None)).unwrap().status, 200);
}

#[test]
fn a_backup_of_a_busy_server_becomes_a_server_that_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&dir.path().join("state"), &[]);
    let busy = Busy::with(server.socket());
    while runs(&server) < 20 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let before = runs(&server);
    let file = dir.path().join("one.tar.gz");
    let taken = server.ask(&["backup", text(&file)]);
    let after = runs(&server);
    assert!(taken.code == 0 && taken.err.contains("Backed up") && taken.out.is_empty(), "{}", taken.err);
    assert!(busy.end() > 20);
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let again = server.ask(&["backup", text(&file)]);
    assert!(again.code == 1 && again.err.contains("is there already"), "{}", again.err);
    let listed = std::process::Command::new("tar").args(["tzf", text(&file)]).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.starts_with("ledger.db\n") && listed.ends_with("manifest.json\n"), "{listed}");

    let into = dir.path().join("new");
    let occupied = run(&["restore", text(&file), "--into", text(&server.state)]);
    assert!(occupied.code == 1 && occupied.err.contains("is not empty"), "{}", occupied.err);
    let restored = run(&["restore", text(&file), "--into", text(&into)]);
    assert!(restored.code == 0 && restored.err.contains("history 1 begins"), "{}", restored.err);
    let sound = offline(&into, &["fsck"]);
    assert!(sound.code == 0 && sound.out.contains("facts folded"), "{}{}", sound.out, sound.err);
    let new = Server::start(&into, &[]);
    assert!((before..=after).contains(&runs(&new)), "{before} {} {after}", runs(&new));
    assert!(new.ask(&["audit"]).out.contains("restored the backup of"), "{}", new.ask(&["audit"]).out);
    assert!(server.ask(&["audit"]).out.contains("took a backup"));
    send(&mut Wire::connect(&new.socket()).unwrap(), 99_999);
    assert_eq!(offline(&into, &["fsck", "-o", "json"]).code, 0, "also beside a server");
    let locked = run(&["restore", text(&file), "--into", text(&into)]);
    assert_eq!(locked.code, 1, "{}", locked.err);
}

#[test]
fn a_directory_without_a_server_is_backed_up_directly_and_pipes_do() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let server = Server::start(&state, &[]);
    let mut wire = Wire::connect(&server.socket()).unwrap();
    (0..5).for_each(|n| send(&mut wire, n));
    let online = ran(belay(&["backup", "-", "--state"]).arg(&state).output_bytes(&dir.path().join("pipe")));
    assert_eq!(online.code, 0, "{}", online.err);
    assert!(server.stop().0.success());
    let file = dir.path().join("two.tar.gz");
    assert_eq!(offline(&state, &["backup", text(&file)]).code, 0);
    for (archive, into) in [(&file, "a"), (&dir.path().join("pipe"), "b")] {
        let into = dir.path().join(into);
        let piped = belay(&["restore", "-", "--into", text(&into)]).stdin(std::fs::File::open(archive).unwrap()).output().unwrap();
        assert!(piped.status.success(), "{}", String::from_utf8_lossy(&piped.stderr));
        assert_eq!(runs(&Server::start(&into, &[])), 5);
    }
    let nowhere = offline(&dir.path().join("none"), &["backup", text(&dir.path().join("three"))]);
    assert!(nowhere.code == 1 && nowhere.err.contains("no server answers"), "{}", nowhere.err);
    assert!(!dir.path().join("three.part").exists() && !dir.path().join("three").exists(), "nothing is left of what did not become whole");
    std::fs::write(&file, b"no backup").unwrap();
    let broken = run(&["restore", text(&file), "--into", text(&dir.path().join("c"))]);
    assert!(broken.code == 1 && broken.err.contains("no whole backup") && broken.err.contains("help: "), "{}", broken.err);
}

trait ToFile {
    fn output_bytes(&mut self, to: &Path) -> std::process::Output;
}

impl ToFile for std::process::Command {
    /// Runs with stdout in a file: what comes is not text.
    fn output_bytes(&mut self, to: &Path) -> std::process::Output {
        let file = std::fs::File::create(to).unwrap();
        self.stdout(file).stderr(std::process::Stdio::piped()).spawn().unwrap().wait_with_output().unwrap()
    }
}

#[test]
fn one_byte_on_disk_is_named_by_fsck_and_nothing_is_changed_until_it_is_asked() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let server = Server::start(&state, &[]);
    let mut wire = Wire::connect(&server.socket()).unwrap();
    (0..5).for_each(|n| send(&mut wire, n));
    // What was restored is in one file, with nothing of it left in the engine's log.
    let file = dir.path().join("one.tar.gz");
    assert_eq!(server.ask(&["backup", text(&file)]).code, 0);
    let state = dir.path().join("new");
    assert_eq!(run(&["restore", text(&file), "--into", text(&state)]).code, 0);
    let ledger = state.join("ledger.db");
    let mut bytes = std::fs::read(&ledger).unwrap();
    let fact = b"\"host\":\"web00003\"";
    // Where pages were split, the file may hold the same text twice; only one of them is read.
    let places: Vec<usize> = (0..bytes.len() - fact.len()).filter(|at| bytes[*at..].starts_with(fact)).collect();
    assert!(!places.is_empty(), "the fact is in the file");
    places.iter().for_each(|at| bytes[at + 9] = b'X');
    std::fs::write(&ledger, &bytes).unwrap();
    let found = offline(&state, &["fsck"]);
    assert!(found.code == 2 && found.out.contains("is damaged: its checksum does not fit its text"), "{}{}", found.out, found.err);
    assert!(found.out.contains("help: restore the last backup"), "{}", found.out);
    let report: serde_json::Value = serde_json::from_str(&offline(&state, &["fsck", "-o", "json"]).out).unwrap();
    assert!(report["sound"] == false && report["findings"][0]["repairable"] == false, "{report}");
    assert_eq!(offline(&state, &["fsck", "--repair"]).code, 2, "what facts told cannot be made again");
    assert_eq!(std::fs::read(&ledger).unwrap(), bytes);
    let nothing = run(&["fsck", "--state-dir", text(dir.path())]);
    assert!(nothing.code == 1 && nothing.err.contains("there is no ledger in"), "{}", nothing.err);
}

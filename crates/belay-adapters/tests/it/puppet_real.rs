//! What a real Puppet makes of our lock and of our command lines. Needs no server: a lock stops a run
//! before anything is asked of one, and a rehearsal that goes past it fails at the server's port.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::disallowed_macros,
    reason = "a real program is started in a folder of its own; without it the test says that it did not run"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use belay_adapters::tools::HostTool;
use belay_adapters::tools::host::{Ended, Places};
use belay_adapters::tools::puppet::Puppet;
use belay_core::host::lock::Found;
use belay_core::model::gate::HoldOrder;
use belay_core::model::ids::{HoldId, HostId};
use belay_core::model::time::{Span, Timestamp};

/// A Puppet of its own, below a folder that goes with it.
struct Lab {
    folder: PathBuf,
    places: Places,
}

impl Lab {
    /// `None`, said aloud, where there is no Puppet.
    fn new(name: &str) -> Option<Self> {
        if Command::new("puppet").arg("--version").output().is_err() {
            eprintln!("SKIPPED: there is no puppet here");
            return None;
        }
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("puppet-{name}-{}", std::process::id()));
        let var = folder.join("var");
        fs::create_dir_all(var.join("state")).unwrap();
        let places = Puppet.places(&Puppet.layouts()[1], &HostId::parse("web01").unwrap());
        // The same names below another folder.
        let moved = |path: &Path| var.join(path.strip_prefix("/var/cache/puppet").unwrap());
        let places = Places {
            program: PathBuf::from("puppet"),
            lock: moved(&places.lock),
            rehearsal_lock: moved(&places.rehearsal_lock),
            backups: moved(&places.backups),
            ..places
        };
        Some(Self { folder, places })
    }

    /// Runs a command line against nothing but this folder: what it said, and how it ended.
    fn run(&self, argv: &[String]) -> (String, Ended) {
        let path = |name: &str| self.folder.join(name).to_str().unwrap().to_owned();
        let mut command = Command::new(&argv[0]);
        command.args(&argv[1..]).args(["--confdir", &path("conf"), "--vardir", &path("var"), "--color", "false"]);
        if argv[1] == "agent" {
            command.args(["--verbose", "--server", "127.0.0.1", "--serverport", "1", "--ca_port", "1", "--waitforcert", "0"]);
        }
        let out = command.output().unwrap();
        let said = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
        (said, Puppet.ended(out.status.code()))
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // A folder that is left behind is in nobody's way.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn puppet_obeys_our_lock_and_shows_its_message_and_a_rehearsal_goes_past_it() {
    let Some(lab) = Lab::new("lock") else { return };
    let now = Timestamp::from_ms(1_795_329_886_000);
    let hold = HoldOrder {
        id: HoldId(3),
        owner: "alice".to_owned(),
        reason: "it's \"142\"\nnight".to_owned(),
        contact: "the web team".to_owned(),
        ticket: None,
        placed: now,
        until: now + Span::from_min(60),
        imports: None,
    };
    let lock = Puppet.write_lock(std::slice::from_ref(&hold), now);
    fs::write(&lab.places.lock, &lock).unwrap();

    let (said, ended) = lab.run(&Puppet.apply_now(&lab.places));
    assert_eq!(ended, Ended::NoRun, "{said}");
    assert!(said.contains("administratively disabled") && said.contains("held by alice until 2026-11-22T07:44:46Z"), "{said}");
    assert!(said.contains("because it's \"142\" | night; do not re-enable, ask the web team (h-3)"), "{said}");

    let (said, _) = lab.run(&Puppet.rehearse(&lab.places));
    assert!(!said.contains("administratively disabled") && said.contains("127.0.0.1:1"), "it asked the server: {said}");
    assert_eq!(fs::read(&lab.places.lock).unwrap(), lock, "the lock stays as it is");

    // To disable again what is disabled alters nothing, and to enable leaves nothing.
    let argv = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    lab.run(&argv(&["puppet", "agent", "--disable", "bob was here"]));
    assert!(matches!(Puppet.read_lock(&fs::read(&lab.places.lock).unwrap()), Found::Ours(_)));
    lab.run(&argv(&["puppet", "agent", "--enable"]));
    assert!(!lab.places.lock.exists());
    lab.run(&argv(&["puppet", "agent", "--disable", "bob was here"]));
    let found = Puppet.read_lock(&fs::read(&lab.places.lock).unwrap());
    assert_eq!(found, Found::Foreign { message: "bob was here".to_owned(), since: None });
}

#[test]
fn puppet_brings_a_file_back_by_our_command_line() {
    let Some(lab) = Lab::new("bucket") else { return };
    let file = lab.folder.join("app.conf");
    let path = file.to_str().unwrap();
    fs::write(&file, "release 142\n").unwrap();
    let backups = lab.places.backups.to_str().unwrap();
    let backup = ["puppet", "filebucket", "backup", "--local", "--bucket", backups, path].map(str::to_owned);
    let (said, _) = lab.run(&backup);
    let sum = hex(b"release 142\n");
    assert!(said.contains(&sum), "{said}");
    fs::write(&file, "release 141\n").unwrap();
    let (said, ended) = lab.run(&Puppet.restore(path, &format!("{{sha256}}{sum}"), &lab.places).unwrap());
    assert_eq!((fs::read_to_string(&file).unwrap().as_str(), ended), ("release 142\n", Ended::Unchanged), "{said}");
}

/// SHA-256 in hexadecimal digits, as the tool names its backups.
fn hex(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

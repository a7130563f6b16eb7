//! Exit codes, and that errors are one line with its remedy.

use crate::harness::{Server, belay, ran, run};
use crate::reports::{DOOR, now_ms, report};
use crate::wire::Wire;

#[test]
fn a_command_line_that_is_not_understood_ends_with_64() {
    for args in [&["bogus"][..], &[], &["show"], &["show", "web01"], &["watch", "run-1"], &["changes", "--limit", "0"], &["accept", "c-1"]]
    {
        let ended = run(args);
        assert_eq!(ended.code, 64, "{args:?}: {}", ended.err);
        assert!(!ended.err.is_empty() && ended.out.is_empty(), "{args:?}");
    }
    for args in [&["--help"][..], &["--version"], &["serve", "--help"]] {
        assert_eq!(run(args).code, 0, "{args:?}");
    }
}

#[test]
fn without_a_server_every_question_ends_with_1_and_the_next_step() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().to_str().unwrap();
    for args in
        [&["status"][..], &["changes"], &["show", "c-1"], &["why", "web01"], &["watch", "c-1"], &["lint"], &["doctor"], &["token", "list"]]
    {
        let ended = ran(belay(args).args(["--state", state]).output().unwrap());
        assert_eq!(ended.code, 1, "{args:?}: {}", ended.err);
        assert!(ended.err.starts_with("error: no server answers at ") && ended.err.contains("\nhelp: "), "{args:?}: {}", ended.err);
        assert!(!ended.err.contains("panicked") && ended.out.is_empty(), "{args:?}");
    }
}

#[test]
fn a_change_answers_with_the_code_of_its_verdict() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&dir.path().join("state"), &[]);
    let mut wire = Wire::connect(&server.socket()).unwrap();
    let mut send = |name: &str, content: Option<&str>| {
        let answer = wire.ask("POST", DOOR, &[], &report("web01", name, now_ms(), content)).unwrap();
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    };
    send("first", None);
    send("second", Some("new text"));
    let codes = |server: &Server| ["show", "why"].map(|verb| server.ask(&[verb, "c-1"]).code);
    assert_eq!(codes(&server), [4, 4], "{}", server.ask(&["changes"]).out);
    let watched = server.ask(&["watch", "c-1", "--timeout", "1s"]);
    assert!(watched.code == 4 && watched.out.lines().count() == 1, "{}{}", watched.out, watched.err);
    assert_eq!(server.ask(&["reject", "c-1", "--reason", "it is not ours"]).code, 0);
    assert_eq!(codes(&server), [2, 2]);
    assert_eq!(server.ask(&["watch", "c-1"]).code, 2);
    let accepted = server.ask(&["accept", "c-1", "--reason", "it is ours after all"]);
    assert!(accepted.code == 0 && accepted.out.contains("was rejected"), "{}{}", accepted.out, accepted.err);
    assert_eq!(codes(&server), [0, 0]);
    assert!(server.ask(&["audit"]).out.contains("it is ours after all"));
    let unknown = server.ask(&["show", "c-9"]);
    assert!(unknown.code == 1 && unknown.err.starts_with("error: there is no Change c-9"), "{}", unknown.err);
}

#[test]
fn a_signal_without_data_ends_lint_with_1() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("belay.toml");
    let text = "[[class]]\nname = \"web\"\nhosts = [\"web*\"]\n[[signal]]\nname = \"requests\"\nclass = \"web\"\nkind = \"flow\"\nselect = \"requests_total\"\n";
    std::fs::write(&file, text).unwrap();
    let server = Server::start(&dir.path().join("state"), &["--config", file.to_str().unwrap()]);
    let mut wire = Wire::connect(&server.socket()).unwrap();
    assert_eq!(wire.ask("POST", DOOR, &[], &report("web01", "first", now_ms(), None)).unwrap().status, 200);
    let lint = server.ask(&["lint"]);
    assert!(lint.code == 1 && lint.out.contains("requests"), "{}{}", lint.out, lint.err);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let script = format!("{} --help | head -1", env!("CARGO_BIN_EXE_belay"));
    let ended = ran(std::process::Command::new("sh").args(["-c", &script]).output().unwrap());
    assert!(ended.code == 0 && ended.err.is_empty(), "{}", ended.err);
}

//! The verbs that wait, decide and repeat, and servers by name.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::harness::{Server, belay, ran};
use crate::reports::{DOOR, now_ms, report};
use crate::wire::Wire;

/// A server with a Change on trial.
fn with_a_change(state: &Path, more: &[&str]) -> Server {
    let server = Server::start(state, more);
    let mut wire = Wire::connect(&server.socket()).unwrap();
    for (host, name, content) in [("web01", "first", None), ("web02", "second", None), ("web01", "third", Some("new text"))] {
        assert_eq!(wire.ask("POST", DOOR, &[], &report(host, name, now_ms(), content)).unwrap().status, 200);
    }
    server
}

#[test]
fn wait_ends_with_the_verdict_though_the_server_is_started_anew_meanwhile() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let server = with_a_change(&state, &[]);
    let timed_out = server.ask(&["wait", "c-1", "--timeout", "1s"]);
    assert!(timed_out.code == 4 && timed_out.out.contains("on trial"), "{}{}", timed_out.out, timed_out.err);
    let mut waits =
        belay(&["wait", "c-1", "--timeout", "2m", "--state"]).arg(&state).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(500));
    assert!(server.stop().0.success());
    let mut lines = BufReader::new(waits.stderr.take().unwrap()).lines().map_while(Result::ok);
    let away = lines.next().unwrap();
    assert!(away.contains("the server is away"), "{away}");
    let server = Server::start(&state, &[]);
    let back = lines.next().unwrap();
    assert!(back.contains("the server is back; c-1 is on trial on 1/2 hosts"), "{back}");
    assert_eq!(server.ask(&["override", "c-1", "--reject", "--reason", "not ours"]).code, 0);
    let ended = ran(waits.wait_with_output().unwrap());
    assert!(ended.code == 2 && ended.out.contains("rejected"), "{}", ended.out);
    let json = server.ask(&["wait", "c-1", "-o", "json"]);
    assert!(json.code == 2 && serde_json::from_str::<serde_json::Value>(&json.out).unwrap()["standing"] == "rejected", "{}", json.out);
}

#[test]
fn an_override_is_one_verdict_with_a_reason() {
    let dir = tempfile::tempdir().unwrap();
    let server = with_a_change(&dir.path().join("state"), &[]);
    for wrong in [
        &["override", "c-1", "--reason", "x"][..],
        &["override", "c-1", "--accept", "--reject", "--reason", "x"],
        &["override", "c-1", "--accept"],
        &["override", "c-1", "--accept", "--reason", " "],
        &["override", "web01", "--accept", "--reason", "x"],
        &["wait", "web01"],
        &["wait", "c-1", "--timeout", "soon"],
        &["pin", "web01", "--watch"],
    ] {
        let ended = server.ask(wrong);
        assert!(ended.code == 64 && ended.err.contains("error: "), "{wrong:?}: {} {}", ended.code, ended.err);
    }
    let accepted = server.ask(&["override", "c-1", "--accept", "--reason", "it is ours"]);
    assert!(accepted.code == 0 && accepted.out.contains("Accepted c-1 (was on trial)"), "{}{}", accepted.out, accepted.err);
    assert_eq!(server.ask(&["wait", "c-1"]).code, 0);
}

#[test]
fn the_plan_names_who_may_get_it_and_what_it_waits_for() {
    let dir = tempfile::tempdir().unwrap();
    let server = with_a_change(&dir.path().join("state"), &[]);
    let plan = server.ask(&["plan"]);
    assert!(plan.code == 0 && plan.out.starts_with("1 Change on trial; 1 host due now"), "{}{}", plan.out, plan.err);
    assert!(plan.out.contains("go        web02") && plan.out.contains("for its verdict"), "{}", plan.out);
    let lines = server.ask(&["plan", "default", "-o", "jsonl"]);
    assert_eq!(lines.out.lines().filter(|line| line.contains("\"c-1\"")).count(), 1, "{}", lines.out);
    let unknown = server.ask(&["plan", "none-such"]);
    assert!(unknown.code == 1 && unknown.err.contains("there is no such class"), "{}", unknown.err);
}

#[test]
fn watching_repeats_with_separators_where_nobody_sees_a_terminal_and_outlives_the_server() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let server = with_a_change(&state, &[]);
    let mut watch =
        belay(&["changes", "--watch=1", "--utc", "--state"]).arg(&state).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines().map_while(Result::ok);
    let (mut seen, begun) = (Vec::new(), Instant::now());
    let mut until = |seen: &mut Vec<String>, separators: usize| {
        while seen.iter().filter(|line| line.starts_with("-- 20")).count() < separators {
            assert!(begun.elapsed() < Duration::from_secs(60), "{seen:?}");
            seen.extend(lines.next());
        }
    };
    until(&mut seen, 2);
    assert!(seen.iter().any(|line| line.contains("c-1")) && !seen.concat().contains('\u{1b}'), "{seen:?}");
    server.kill();
    std::thread::sleep(Duration::from_millis(1500));
    let _server = Server::start(&state, &[]);
    let before = seen.iter().filter(|line| line.starts_with("-- 20")).count();
    until(&mut seen, before + 2);
    watch.kill().unwrap();
    let ended = ran(watch.wait_with_output().unwrap());
    assert!(ended.err.contains("error: no server answers at"), "{}", ended.err);
    let missing = ran(belay(&["changes", "--watch", "--state", "/nowhere"]).output().unwrap());
    assert_eq!(missing.code, 1, "the first question fails at once: {}", missing.err);
}

#[test]
fn a_server_is_asked_by_the_name_of_its_profile() {
    let dir = tempfile::tempdir().unwrap();
    let server = with_a_change(&dir.path().join("state"), &[]);
    let token = dir.path().join("token");
    let secret = server.greeting.lines().find_map(|line| line.trim().strip_prefix("admin ")).unwrap().trim();
    std::fs::write(&token, secret).unwrap();
    let mode = |mode| std::fs::set_permissions(&token, std::fs::Permissions::from_mode(mode)).unwrap();
    let url = format!("http://{}", server.address);
    let say = |args: &[&str]| ran(belay(args).env("XDG_CONFIG_HOME", dir.path()).output().unwrap());
    let add = ["profile", "add", "prod", "--url", &url, "--token-file", token.to_str().unwrap()];
    mode(0o644);
    let open = say(&add);
    assert!(open.code == 1 && open.err.contains("mode 0644") && open.err.contains("chmod 600"), "{}", open.err);
    mode(0o600);
    assert_eq!(say(&add).code, 0);
    assert!(say(&["profile", "list"]).out.contains(&url));
    let by_name = say(&["changes", "--profile", "prod"]);
    assert!(by_name.code == 0 && by_name.out.contains("c-1"), "{}{}", by_name.out, by_name.err);
    let by_variable = ran(belay(&["changes"]).env("XDG_CONFIG_HOME", dir.path()).env("BELAY_PROFILE", "prod").output().unwrap());
    assert_eq!(by_variable.code, 0, "{}", by_variable.err);
    let beaten = ["status", "--profile", "prod"];
    let beaten = ran(belay(&beaten).env("XDG_CONFIG_HOME", dir.path()).env("BELAY_SERVER", "http://127.0.0.1:1").output().unwrap());
    assert_eq!(beaten.code, 0, "a name on the command line beats a variable: {}", beaten.err);
    let both = say(&["status", "--profile", "prod", "--server", "http://127.0.0.1:1"]);
    assert!(both.code == 64 && both.err.contains("leave out one"), "{}", both.err);
    let unknown = say(&["status", "--profile", "test"]);
    assert!(unknown.code == 1 && unknown.err.contains("there are: prod"), "{}", unknown.err);
    assert_eq!(say(&["profile", "remove", "prod"]).code, 0);
    assert_eq!(say(&["profile", "remove", "prod"]).code, 1);
    assert_eq!(say(&["profile", "add", "a b", "--url", &url]).code, 64);
    assert_eq!(say(&["profile", "add", "ab", "--url", "belay.example.com"]).code, 64);
}

#[test]
fn completions_and_manual_pages_come_from_the_binary() {
    let dir = tempfile::tempdir().unwrap();
    let man = dir.path().join("man");
    let wrote = ran(belay(&["man", "--dir", man.to_str().unwrap()]).output().unwrap());
    assert_eq!(wrote.code, 0, "{}", wrote.err);
    let page = std::fs::read_to_string(man.join("belay-wait.1")).unwrap();
    assert!(page.starts_with(".ie") && page.contains("still on trial"), "{page}");
    let script = ran(belay(&["completion", "bash"]).output().unwrap());
    let file = dir.path().join("belay.bash");
    std::fs::write(&file, &script.out).unwrap();
    let checked = std::process::Command::new("bash").arg("-n").arg(&file).status();
    assert!(script.code == 0 && checked.is_ok_and(|status| status.success()));
    assert_eq!(ran(belay(&["completion", "csh"]).output().unwrap()).code, 64);
    let painted = ran(belay(&["--color=always", "--help"]).output().unwrap()).out;
    let plain = ran(belay(&["--color=always", "--help", "--color=never"]).output().unwrap()).out;
    assert!(painted.contains('\u{1b}') && !plain.contains('\u{1b}'));
}

#[test]
fn events_are_listed_and_followed_across_a_restart_without_a_gap() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let server = with_a_change(&state, &[]);
    let listed = server.ask(&["events", "--since", "1 h ago", "--utc"]);
    assert!(listed.code == 0 && listed.out.lines().any(|line| line.contains("Z  change-opened   ")), "{}{}", listed.out, listed.err);
    assert_eq!(server.ask(&["events", "-n", "0"]).out, "");
    let unknown = server.ask(&["events", "--since", "soon"]);
    assert!(unknown.code == 64 && unknown.err.contains("1 h ago"), "{}", unknown.err);
    let mut follows = belay(&["events", "-f", "-n", "0", "-o", "jsonl", "--state"])
        .arg(&state)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(follows.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut next = || serde_json::from_str::<serde_json::Value>(&lines.next().unwrap()).unwrap();
    // It takes a moment until it listens; what it would miss until then it does not miss afterwards either.
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(server.ask(&["hold", "add", "web01", "--for", "1h", "--reason", "one", "--confirm", "1"]).code, 0);
    let first = next();
    assert!(first["kind"] == "hold-placed" && first["hold"] == "h-1", "{first}");
    server.kill();
    let server = Server::start(&state, &[]);
    assert_eq!(server.ask(&["hold", "release", "h-1", "--reason", "two"]).code, 0);
    let second = next();
    assert!(second["kind"] == "hold-ended" && second["seq"].as_u64() > first["seq"].as_u64(), "{second}");
    follows.kill().unwrap();
    follows.wait().unwrap();
}

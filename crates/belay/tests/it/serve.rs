//! `belay serve`: what it says, what it hears, how it ends.

use crate::harness::{Server, read, run};

#[test]
fn secrets_are_printed_at_the_first_start_and_never_again() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let first = Server::start(&state, &[]);
    let greeting = first.greeting.clone();
    let secrets: Vec<&str> =
        greeting.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| word.starts_with("belay_")).collect();
    assert_eq!(secrets.len(), 4, "admin and relay, each once by itself and once to paste: {}", first.greeting);
    let url = format!("reporturl = http://relay:{}@{}/api/v1/runs/puppet", secrets[1], first.address);
    assert!(first.greeting.contains(&url), "{}", first.greeting);
    let (status, log) = first.stop();
    assert!(status.success(), "{log}");
    assert!(secrets.iter().all(|secret| !log.contains(secret)), "a secret is in the log");
    let second = Server::start(&state, &[]);
    assert!(!second.greeting.contains("belay_"), "{}", second.greeting);
    assert_eq!(second.ask(&["status"]).code, 0);
}

#[test]
fn the_secret_opens_the_network_and_nothing_else_does() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&dir.path().join("state"), &[]);
    let url = format!("http://{}", server.address);
    let without = run(&["status", "--server", &url]);
    assert!(without.code == 1 && without.err.contains("BELAY_TOKEN"), "{}", without.err);
    let secret = server.greeting.lines().find_map(|line| line.trim().strip_prefix("admin ")).unwrap().trim();
    let file = dir.path().join("token");
    std::fs::write(&file, format!("{secret}\n")).unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let with = run(&["status", "--server", &url, "--token-file", file.to_str().unwrap()]);
    assert_eq!(with.code, 0, "{}", with.err);
}

#[test]
fn a_hangup_loads_the_configuration_and_keeps_the_old_one_when_the_new_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("belay.toml");
    std::fs::write(&file, "").unwrap();
    let server = Server::start(&dir.path().join("state"), &["--config", file.to_str().unwrap()]);
    let classes = |server: &Server, wanted: &str| {
        for _ in 0..200 {
            if server.ask(&["status", "-o", "json"]).out.contains(wanted) {
                return true;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        false
    };
    std::fs::write(&file, "[[class]]\nname = \"web\"\nhosts = [\"web*\"]\n").unwrap();
    server.signal("HUP");
    assert!(classes(&server, "\"policy\":{\"classes\":1"), "{}", server.log());
    std::fs::write(&file, "[[class]]\nname = \"web\"\nhots = [\"web*\"]\n").unwrap();
    server.signal("HUP");
    for _ in 0..200 {
        if server.log().contains("hots") {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(server.log().contains("did you mean `hosts`?"), "{}", server.log());
    assert!(classes(&server, "\"policy\":{\"classes\":1"), "what was loaded before stays");
}

#[test]
fn logs_can_be_json_and_name_the_address() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&dir.path().join("state"), &["--log", "json"]);
    let address = server.address.to_string();
    let (_, log) = server.stop();
    let lines: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    assert!(lines.iter().any(|line| line["fields"]["address"] == address.as_str()), "{log}");
}

#[test]
fn a_second_server_on_the_same_state_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&dir.path().join("state"), &[]);
    let second = run(&["serve", "--listen", "127.0.0.1:0", "--state", server.state.to_str().unwrap()]);
    assert!(second.code == 1 && second.err.contains("is in use by process") && second.err.contains("help: "), "{}", second.err);
    assert!(server.socket().exists(), "the socket of the first is left alone");
}

#[test]
fn the_state_directory_is_nobody_elses() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&dir.path().join("state"), &[]);
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o007;
    assert_eq!((mode(&server.state), mode(&server.socket())), (0, 0));
    assert!(!read(&server.state.join("lock")).is_empty());
}

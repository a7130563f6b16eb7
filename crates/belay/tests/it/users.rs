//! Accounts from the command line: made, listed, altered; and the page they are for, with the password that came by a pipe.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Stdio;

use crate::harness::{Ran, Server, belay, ran, run};

/// A command for this server that gets this from a pipe.
fn piped(server: &Server, args: &[&str], text: &str) -> Ran {
    let mut command = belay(args);
    command.arg("--state").arg(&server.state).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary runs");
    // A command that refuses its arguments reads nothing.
    let _ = child.stdin.take().expect("a pipe").write_all(text.as_bytes());
    ran(child.wait_with_output().expect("it ends"))
}

/// What a browser's form is answered.
fn form(server: &Server, path: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(server.address).unwrap();
    let head = format!("POST {path} HTTP/1.1\r\nhost: {}\r\nsec-fetch-site: same-origin\r\nconnection: close\r\n", server.address);
    let kind = "content-type: application/x-www-form-urlencoded";
    write!(stream, "{head}{kind}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn accounts_are_made_and_altered_from_the_command_line_and_let_people_in() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&dir.path().join("state"), &[]);
    let made = piped(&server, &["user", "add", "alice", "--role", "operator", "--class", "web"], "a password by a pipe\n");
    assert!(made.code == 0 && made.err.contains("Made alice: operator in web"), "{}{}", made.out, made.err);
    let short = piped(&server, &["user", "add", "bob", "--role", "viewer"], "short\n");
    assert!(short.code == 1 && short.err.contains("shorter than 12 characters"), "{}", short.err);
    let nothing = server.ask(&["user", "add", "bob", "--role", "viewer"]);
    assert!(nothing.code == 64 && nothing.err.contains("nothing came"), "{}", nothing.err);
    let none = server.ask(&["user", "add", "bob", "--role", "viewer", "--no-password"]);
    assert_eq!(none.code, 0, "{}", none.err);

    let entered = form(&server, "/login", "name=alice&password=a+password+by+a+pipe");
    assert!(entered.starts_with("HTTP/1.1 303") && entered.contains("set-cookie: belay="), "{entered}");
    let listed = server.ask(&["user", "list"]);
    assert!(listed.out.contains("alice") && listed.out.contains("web") && listed.out.contains("no password"), "{}", listed.out);
    let sessions = server.ask(&["session", "list", "-o", "jsonl"]);
    let session: serde_json::Value = serde_json::from_str(sessions.out.trim()).unwrap();
    assert_eq!((&session["user"], &session["from"]), (&"alice".into(), &"127.0.0.1".into()));
    assert_eq!(server.ask(&["session", "revoke", session["id"].as_str().unwrap()]).code, 0);
    assert_eq!(server.ask(&["session", "list", "-o", "jsonl"]).out, "");

    assert_eq!(piped(&server, &["user", "passwd", "alice"], "another one by a pipe\n").code, 0);
    assert!(form(&server, "/login", "name=alice&password=a+password+by+a+pipe").starts_with("HTTP/1.1 403"));
    let role = server.ask(&["user", "role", "alice", "approver", "--everywhere", "--reason", "on call"]);
    assert!(role.code == 0 && role.err.contains("alice: approver in all classes"), "{}", role.err);
    assert_eq!(server.ask(&["user", "disable", "alice"]).code, 0);
    assert!(form(&server, "/login", "name=alice&password=another+one+by+a+pipe").starts_with("HTTP/1.1 403"));
    assert_eq!(server.ask(&["user", "remove", "alice", "--reason", "left"]).code, 0);
    let audit = server.ask(&["audit"]).out;
    assert!(audit.contains("account alice removed: left") && audit.contains(": on call"), "{audit}");
    let limited = server.ask(&["token", "add", "dba", "--role", "operator", "--class", "db*"]);
    assert!(limited.code == 0 && limited.err.contains("in db*"), "{}", limited.err);
    let roles = run(&["role", "list"]);
    assert!(roles.code == 0 && roles.out.contains("approver"), "{}", roles.out);
}

//! `belay-agent tell`, against a listener that plays the server.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Output};

/// Runs `belay-agent tell` once; answers with what it did and the request it sent.
fn tell(answer: &'static str, args: &[&str]) -> (Output, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let listening = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        let mut chunk = [0; 4096];
        while !complete(&request) {
            let n = stream.read(&mut chunk).unwrap();
            request.extend_from_slice(&chunk[..n]);
            if n == 0 {
                break;
            }
        }
        stream.write_all(answer.as_bytes()).unwrap();
        String::from_utf8(request).unwrap()
    });
    let dir = tempfile::tempdir().unwrap();
    let token = dir.path().join("token");
    std::fs::write(&token, "belay_secret\n").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_belay-agent"));
    command.args(["tell", "--server", &url, "--host", "web01", "--token-file"]).arg(&token).args(args);
    let output = command.output().unwrap();
    (output, listening.join().unwrap())
}

/// Whether a request is there with its whole body.
fn complete(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).and_then(|n| n.trim().parse().ok());
    length.is_some_and(|length: usize| body.len() >= length)
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
const NO: &str = "HTTP/1.1 403 Forbidden\r\ncontent-length: 57\r\nconnection: close\r\n\r\n{\"detail\":\"this credential does not speak for web01 ...\"}";

#[test]
fn it_tells_release_and_facts_with_its_credential() {
    let (output, request) = tell(OK, &["--release", "142", "--fact", "dc=fra"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(request.starts_with("PUT /api/v1/hosts/web01/facts HTTP/1.1\r\n"), "{request}");
    assert!(request.to_lowercase().contains("authorization: bearer belay_secret\r\n"), "{request}");
    assert!(request.ends_with(r#"{"facts":{"dc":"fra"},"release":"142"}"#), "{request}");
}

#[test]
fn a_servers_no_is_told_in_its_own_words() {
    let (output, _) = tell(NO, &["--release", "142"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("does not speak for web01"), "{said}");
}

//! TLS of the server's own, with real handshakes.

use std::time::{Duration, Instant};

use belay_core::model::time::Timestamp;
use belay_server::{Options, start};
use rustls::pki_types::ServerName;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use super::papers::{Authority, Papers, lay_out, put};
use super::world::{World, door};

const LATER: (i32, u8, u8) = (2101, 1, 1);

/// A server with these papers, and what they lie in.
async fn served(papers: &Papers, change: impl FnOnce(&mut Options)) -> (World, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let (_, config) = lay_out(dir.path(), &papers.both());
    let world = World::with(|options| {
        options.config = Some(config);
        change(options);
    })
    .await;
    (world, dir)
}

async fn asked(mut stream: impl AsyncRead + AsyncWrite + Unpin, path: &str, token: &str) -> String {
    let head = format!("GET {path} HTTP/1.1\r\nhost: belay\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await.expect("it was never closed");
    read.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn both_versions_of_tls_are_spoken_and_http_1_1_with_them() {
    let authority = Authority::new();
    let (world, _dir) = served(&authority.issue(&["belay.example"], LATER), |_| {}).await;
    assert_eq!(world.running.scheme(), "https");
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let stream = TcpStream::connect(world.running.address()).await.unwrap();
        let name = ServerName::try_from("belay.example").unwrap();
        let stream = authority.trusting(&[version]).connect(name, stream).await.unwrap();
        assert_eq!(
            (stream.get_ref().1.protocol_version(), stream.get_ref().1.alpn_protocol()),
            (Some(version.version), Some(&b"http/1.1"[..]))
        );
        let answer = asked(stream, "/api/v1/status", &world.admin).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"policy\""), "{answer}");
    }
    let other = authority.connect(world.running.address().port(), "other.example").await.unwrap_err();
    assert!(other.to_string().contains("not valid for name"), "{other}");
}

#[tokio::test]
async fn with_a_certificate_other_machines_may_connect_and_without_one_the_refusal_names_it() {
    let everywhere = |options: &mut Options| options.listen = Some("0.0.0.0:0".parse().unwrap());
    let authority = Authority::new();
    let (world, _dir) = served(&authority.issue(&["127.0.0.1"], LATER), everywhere).await;
    let stream = authority.connect(world.running.address().port(), "127.0.0.1").await.unwrap();
    assert!(asked(stream, "/healthz", "").await.ends_with("ok\n"));
    let dir = tempfile::tempdir().unwrap();
    let mut options = super::world::options(dir.path()).0;
    everywhere(&mut options);
    let refused = start(options).await.err().unwrap().to_string();
    assert!(refused.contains("certificate = \"/etc/belay/belay.pem\""), "{refused}");
}

#[tokio::test]
async fn a_reload_takes_the_new_certificate_and_keeps_the_old_one_when_the_new_is_bad() {
    let authority = Authority::new();
    let (world, dir) = served(&authority.issue(&["old.example"], LATER), |_| {}).await;
    let port = world.running.address().port();
    let pem = dir.path().join("belay.pem");
    let kept = authority.connect(port, "old.example").await.unwrap();
    put(&pem, "half of a fi");
    let refused = world.running.reload().await.unwrap_err().to_string();
    assert!(refused.contains("belay.pem cannot be used: there is no certificate in it"), "{refused}");
    authority.connect(port, "old.example").await.unwrap();
    put(&pem, &authority.issue(&["new.example"], LATER).both());
    world.running.reload().await.unwrap();
    authority.connect(port, "new.example").await.unwrap();
    authority.connect(port, "old.example").await.unwrap_err();
    assert!(asked(kept, "/healthz", "").await.starts_with("HTTP/1.1 200"), "who was connected stays so");
}

#[tokio::test]
async fn a_mistake_in_the_configuration_does_not_keep_a_renewed_certificate_out() {
    let authority = Authority::new();
    let (world, dir) = served(&authority.issue(&["old.example"], LATER), |_| {}).await;
    put(&dir.path().join("belay.pem"), &authority.issue(&["new.example"], LATER).both());
    std::fs::write(dir.path().join("belay.toml"), "[sever]\n").unwrap();
    assert!(world.running.reload().await.unwrap_err().to_string().contains("did you mean `server`?"));
    authority.connect(world.running.address().port(), "new.example").await.unwrap();
}

#[tokio::test]
async fn plain_http_is_told_to_speak_tls() {
    let authority = Authority::new();
    let (world, _dir) = served(&authority.issue(&["belay.example"], LATER), |_| {}).await;
    let answer = asked(TcpStream::connect(world.running.address()).await.unwrap(), "/api/v1/status", &world.admin).await;
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("https://") && answer.contains("problem:tls-needed"), "{answer}");
    let posted = world.send("POST", door(), &world.relay, &[], vec![b' '; 200 << 10]).await;
    assert_eq!(posted.status, 400, "also to whoever has much to say");
    let mut noise = TcpStream::connect(world.running.address()).await.unwrap();
    noise.write_all(&[0; 64]).await.unwrap();
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(10), noise.read_to_end(&mut answer)).await.expect("it was never closed");
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
}

#[tokio::test]
async fn whoever_dawdles_over_the_handshake_is_cut_and_keeps_nobody_waiting() {
    let authority = Authority::new();
    let head = Duration::from_millis(500);
    let (world, _dir) = served(&authority.issue(&["belay.example"], LATER), |options| options.bounds.connections.head = head).await;
    let mut slow = [TcpStream::connect(world.running.address()).await.unwrap(), TcpStream::connect(world.running.address()).await.unwrap()];
    slow[1].write_all(&[22, 3, 1]).await.unwrap();
    let began = Instant::now();
    let stream = authority.connect(world.running.address().port(), "belay.example").await.unwrap();
    assert!(asked(stream, "/healthz", "").await.starts_with("HTTP/1.1 200"));
    for stream in &mut slow {
        let mut rest = Vec::new();
        let cut = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut rest)).await;
        assert!(cut.is_ok(), "it was never closed");
    }
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[tokio::test]
async fn doctor_tells_when_the_certificate_ends() {
    let authority = Authority::new();
    // The clock of the test stands on 22 November 2026.
    assert_eq!(Timestamp::from_ms(super::world::NOON).to_string(), "2026-11-22T12:00:00Z");
    for (until, ok, text) in [
        ((2026, 12, 23), true, "belay.pem ends in 30 days, at 2026-12-23T00:00:00Z"),
        ((2026, 12, 1), false, "belay.pem ends in 8 days, at 2026-12-01T00:00:00Z"),
        ((2026, 11, 20), false, "belay.pem ended at 2026-11-20T00:00:00Z"),
    ] {
        let (world, _dir) = served(&authority.issue(&["belay.example"], until), |_| {}).await;
        let stream = tokio::net::UnixStream::connect(world.running.socket()).await.unwrap();
        let answer = asked(stream, "/api/v1/doctor", &world.admin).await;
        let view: serde_json::Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
        let check = view["checks"].as_array().unwrap().iter().find(|check| check["name"] == "certificate").unwrap();
        assert!(check["ok"] == ok && check["text"].as_str().unwrap().contains(text), "{check}");
    }
}

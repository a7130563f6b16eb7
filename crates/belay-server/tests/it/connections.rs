//! Fault 27: connections that are slow, endless, or simply too many.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::world::{World, door};

async fn read_all(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut all)).await;
    // A connection that is cut in the middle of what we send may be reset.
    assert!(read.is_ok(), "it was never closed");
    String::from_utf8_lossy(&all).into_owned()
}

#[tokio::test]
async fn a_client_that_dawdles_over_its_head_is_cut() {
    let world = World::with(|options| options.bounds.connections.head = Duration::from_millis(300)).await;
    let mut stream = TcpStream::connect(world.running.address()).await.unwrap();
    stream.write_all(b"GET /healthz HT").await.unwrap();
    let began = Instant::now();
    read_all(&mut stream).await;
    assert!(began.elapsed() < Duration::from_secs(3));
    assert_eq!(world.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn a_client_that_dawdles_over_its_body_is_told_so() {
    let world = World::with(|options| options.bounds.bodies.deadline = Duration::from_millis(300)).await;
    let mut stream = TcpStream::connect(world.running.address()).await.unwrap();
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: belay\r\nconnection: close\r\nauthorization: Bearer {}\r\ncontent-length: 1000\r\n\r\n",
        door(),
        world.relay
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(b"a few bytes").await.unwrap();
    let answer = read_all(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("did not arrive within"), "{answer}");
}

#[tokio::test]
async fn a_body_without_an_end_is_refused_at_the_limit() {
    let world = World::with(|options| options.bounds.bodies.report = 1 << 20).await;
    let mut stream = TcpStream::connect(world.running.address()).await.unwrap();
    let head =
        format!("POST {} HTTP/1.1\r\nhost: belay\r\nauthorization: Bearer {}\r\ntransfer-encoding: chunked\r\n\r\n", door(), world.relay);
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut read, mut write) = stream.into_split();
    let sending = tokio::spawn(async move {
        let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
        let mut sent = 0_u64;
        // 1 GiB, were it taken.
        while sent < 1 << 30 && write.write_all(chunk.as_bytes()).await.is_ok() {
            sent += 0x10000;
        }
        sent
    });
    let mut answer = [0; 12];
    read.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
    drop(read);
    let sent = sending.await.unwrap();
    assert!(sent < 64 << 20, "{sent} bytes were taken");
    assert_eq!(world.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn all_bodies_together_have_a_bound() {
    let world = World::with(|options| options.bounds.bodies.together = 256 << 10).await;
    let large = world.report(vec![b' '; 300 << 10]).await;
    assert_eq!((large.status.as_u16(), large.header("retry-after")), (503, "5"));
    assert_eq!(world.report(vec![b' '; 100 << 10]).await.status, 400, "what was lent was given back");
    assert_eq!(world.report(vec![b' '; 200 << 10]).await.status, 400);
}

#[tokio::test]
async fn beyond_the_bound_connections_wait_and_the_local_socket_stays_open() {
    let world = World::with(|options| options.bounds.connections.most = 2).await;
    let idle = [TcpStream::connect(world.running.address()).await.unwrap(), TcpStream::connect(world.running.address()).await.unwrap()];
    let late = tokio::time::timeout(Duration::from_millis(300), world.get("/healthz"));
    assert!(late.await.is_err(), "a third connection was served");
    tokio::net::UnixStream::connect(world.running.socket()).await.unwrap();
    drop(idle);
    assert_eq!(world.get("/healthz").await.status, 200);
}

//! How a connection begins: with TLS, or with an answer to whoever speaks none.

use std::time::Duration;

use belay_api::http::Problem;
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// How long somebody who speaks no TLS is listened to after the answer.
const FAREWELL: Duration = Duration::from_secs(1);
/// And how many bytes of what was sent are thrown away.
const FAREWELL_BYTES: u64 = 256 << 10;

/// Why a connection is not served.
#[derive(Debug, Error)]
pub(crate) enum Refused {
    /// The client was too slow.
    #[error("no handshake within {} s", .0.as_secs_f32())]
    Slow(Duration),
    /// The client spoke HTTP without TLS, and was told.
    #[error("plain HTTP on a port that speaks TLS")]
    Plain,
    /// The handshake failed.
    #[error(transparent)]
    Failed(#[from] std::io::Error),
}

/// Does the handshake.
///
/// # Errors
/// See [`Refused`]: there is nobody to serve.
pub(crate) async fn handshake(stream: TcpStream, acceptor: &TlsAcceptor, patience: Duration) -> Result<TlsStream<TcpStream>, Refused> {
    tokio::time::timeout(patience, greet(stream, acceptor)).await.unwrap_or(Err(Refused::Slow(patience)))
}

async fn greet(stream: TcpStream, acceptor: &TlsAcceptor) -> Result<TlsStream<TcpStream>, Refused> {
    let mut first = [0];
    stream.peek(&mut first).await?;
    // A handshake begins with the byte 22; a request with the letters of its method.
    if first[0].is_ascii_alphabetic() {
        say_so(stream).await?;
        return Err(Refused::Plain);
    }
    Ok(acceptor.accept(stream).await?)
}

/// Answers in the clear, in the form of every refusal.
async fn say_so(mut stream: TcpStream) -> std::io::Result<()> {
    let detail =
        "this port speaks TLS: begin the address with https:// instead of http://. What was sent, its secret too, went in the clear";
    let body = serde_json::to_vec(&Problem::new("tls-needed", 400, "Bad Request", detail)).unwrap_or_default();
    let head = format!(
        "HTTP/1.1 400 Bad Request\r\ncontent-type: application/problem+json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&body).await?;
    stream.shutdown().await?;
    // Closed with bytes unread, the connection would be reset, and the answer lost with it.
    let rest = async { tokio::io::copy(&mut (&mut stream).take(FAREWELL_BYTES), &mut tokio::io::sink()).await };
    let _ = tokio::time::timeout(FAREWELL, rest).await;
    Ok(())
}

//! An answer that is written while it is sent, by a thread that may wait: at most a few parts are held in between.

use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Bytes;
use hyper::body::{Body, Frame};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

/// Bytes of a part.
const PART: usize = 64 << 10;
/// Parts that wait to be sent.
const WAITING: usize = 8;
/// How long whoever reads may take for a part before they are given up.
const PATIENCE: Duration = Duration::from_secs(60);

/// The two ends of such an answer.
pub(super) fn streamed() -> (Sink, Streamed) {
    let (sender, parts) = mpsc::channel(WAITING);
    (Sink { sender, part: Vec::new(), handle: Handle::current() }, Streamed { parts })
}

/// Where it is written. Not to be used where waiting is not allowed.
pub(super) struct Sink {
    sender: mpsc::Sender<io::Result<Bytes>>,
    part: Vec<u8>,
    handle: Handle,
}

impl Sink {
    /// Breaks the answer off, so that nobody takes it for whole.
    pub(super) fn fail(&mut self, why: String) {
        self.part.clear();
        // Whoever reads may be gone already.
        let _ = self.send(Err(io::Error::other(why)));
    }

    fn send(&self, part: io::Result<Bytes>) -> io::Result<()> {
        let sent = self.handle.block_on(async { tokio::time::timeout(PATIENCE, self.sender.send(part)).await });
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(io::Error::new(io::ErrorKind::BrokenPipe, "whoever asked has gone")),
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "whoever asked does not read")),
        }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.part.extend_from_slice(bytes);
        if self.part.len() >= PART {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.part.is_empty() {
            return Ok(());
        }
        let part = Bytes::from(std::mem::take(&mut self.part));
        self.send(Ok(part))
    }
}

/// What is sent.
pub(super) struct Streamed {
    parts: mpsc::Receiver<io::Result<Bytes>>,
}

impl Body for Streamed {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let part = ready!(self.parts.poll_recv(context));
        Poll::Ready(part.map(|part| part.map(Frame::data)))
    }
}

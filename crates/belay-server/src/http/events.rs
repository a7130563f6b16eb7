//! News as it happens (server-sent events): each stream goes on from where its reader was, out of the ledger, and ends
//! when the server stops, the credential ends, or the reader is too slow. Whoever was cut off comes back with the number
//! of what it saw last, and misses nothing.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Response, header};
use belay_api::http::NewsView;
use hyper::body::Frame;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

use super::App;
use super::auth::Credential;
use super::refusal::Refusal;
use crate::ledger::NewsFilter;

/// Streams at one time.
const STREAMS: usize = 500;
/// News that wait for a reader.
const WAITING: usize = 64;
/// News that are read at once.
const PAGE: usize = 200;
/// A reader that takes nothing for so long is cut off.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often something is sent so that nobody between takes the stream for dead.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// News that come together are looked for once.
const GATHER: Duration = Duration::from_millis(100);

/// The streams there are.
pub struct Streams {
    places: Arc<Semaphore>,
    stop: watch::Receiver<bool>,
}

/// What somebody listens to.
pub struct Listening {
    /// Which news.
    pub filter: NewsFilter,
    /// After which.
    pub since: u64,
    /// By which credential.
    pub credential: Credential,
}

impl Streams {
    /// None yet; they end when the server stops.
    pub fn new(stop: watch::Receiver<bool>) -> Self {
        Self { places: Arc::new(Semaphore::new(STREAMS)), stop }
    }

    /// Begins a stream.
    ///
    /// # Errors
    /// 503 when there are too many.
    pub fn begin(&self, app: &Arc<App>, listening: Listening) -> Result<Response<Body>, Refusal> {
        let full = || Refusal::unavailable(format!("{STREAMS} others listen already; ask for the list instead, or later"), 30);
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| full())?;
        let (out, news) = mpsc::channel(WAITING);
        tokio::spawn(run(Arc::clone(app), listening, out, self.stop.clone(), place));
        let mut response = Response::new(Body::new(Stream(news)));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        // A proxy that gathers what it passes on would hold back what is urgent.
        response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
        Ok(response)
    }
}

/// What goes over the line.
struct Stream(mpsc::Receiver<Bytes>);

impl hyper::body::Body for Stream {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.poll_recv(cx).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}

async fn run(
    app: Arc<App>,
    mut listening: Listening,
    out: mpsc::Sender<Bytes>,
    mut stop: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
) {
    let mut news = app.drive.news();
    // How soon a browser comes back when it is cut off.
    let mut next = Bytes::from_static(b"retry: 3000\n\n");
    loop {
        if !put(&out, next).await || !listening.credential.holds(&app) || *stop.borrow() {
            return;
        }
        news.mark_unchanged();
        match read(&app, &mut listening).await {
            Some(bytes) if !bytes.is_empty() => {
                next = bytes;
                continue;
            }
            Some(_) => {}
            // What was not read is read by whoever comes back.
            None => return,
        }
        next = tokio::select! {
            changed = news.changed() => match changed {
                Ok(()) => {
                    tokio::time::sleep(GATHER).await;
                    Bytes::new()
                }
                Err(_) => return,
            },
            () = tokio::time::sleep(HEARTBEAT) => Bytes::from_static(b": still here\n\n"),
            _ = stop.changed() => return,
            () = out.closed() => return,
        };
    }
}

async fn put(out: &mpsc::Sender<Bytes>, bytes: Bytes) -> bool {
    bytes.is_empty() || matches!(tokio::time::timeout(PATIENCE, out.send(bytes)).await, Ok(Ok(())))
}

/// The next news as they are sent; none when the ledger could not be asked.
async fn read(app: &App, listening: &mut Listening) -> Option<Bytes> {
    let (filter, since) = (listening.filter.clone(), listening.since);
    let found = app.readers.ask(move |reader| reader.news_since(&filter, since, PAGE)).await.ok()?;
    let mut text = String::new();
    for news in &found {
        listening.since = news.seq;
        text.push_str(&event(news)?);
    }
    Some(Bytes::from(text))
}

/// JSON holds no line breaks, so one line of data is all of it.
fn event(news: &NewsView) -> Option<String> {
    Some(format!("id: {}\ndata: {}\n\n", news.seq, serde_json::to_string(news).ok()?))
}

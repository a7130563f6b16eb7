//! A server with a clock that the test holds, on port 0, with a state directory of its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, Request, StatusCode};
use belay_adapters::tools::{self, Tool};
use belay_core::model::time::Timestamp;
use belay_server::{Options, Running, start};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tempfile::TempDir;

/// After the last of the recorded reports was written.
pub const NOON: i64 = 1_795_348_800_000;

/// A running server and what a test needs around it.
pub struct World {
    pub dir: TempDir,
    pub running: Running,
    pub clock: Arc<AtomicI64>,
    pub fatal: Arc<AtomicUsize>,
    pub admin: String,
    pub relay: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// Options for a test: a clock that stands still, quick ticks, no spacing between alerts.
pub fn options(dir: &Path) -> (Options, Arc<AtomicI64>, Arc<AtomicUsize>) {
    let (clock, fatal) = (Arc::new(AtomicI64::new(NOON)), Arc::new(AtomicUsize::new(0)));
    let (time, failed) = (Arc::clone(&clock), Arc::clone(&fatal));
    let mut options = Options {
        state_dir: Some(dir.to_owned()),
        listen: Some("127.0.0.1:0".parse().unwrap()),
        clock: Arc::new(move || Timestamp::from_ms(time.load(Ordering::SeqCst))),
        fatal: Arc::new(move |_| {
            failed.fetch_add(1, Ordering::SeqCst);
        }),
        ..Options::default()
    };
    options.bounds.tick = Duration::from_millis(20);
    options.bounds.spacing = Duration::ZERO;
    (options, clock, fatal)
}

impl World {
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// A server whose passwords cost next to nothing.
    pub async fn cheap() -> Self {
        Self::with(|options| options.bounds.passwords = belay_server::http::passwords::Cost { memory_kib: 8, passes: 1 }).await
    }

    pub async fn with(change: impl FnOnce(&mut Options)) -> Self {
        Self::at(NOON, change).await
    }

    /// A server that is started at this time: its clock never goes back.
    pub async fn at(now: i64, change: impl FnOnce(&mut Options)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (mut options, clock, fatal) = options(dir.path());
        clock.store(now, Ordering::SeqCst);
        change(&mut options);
        let running = start(options).await.unwrap();
        let secret = |name: &str| running.first_secrets().iter().find(|first| first.name == name).map(|first| first.secret.clone());
        let (admin, relay) = (secret("admin").unwrap(), secret("relay").unwrap());
        Self { dir, running, clock, fatal, admin, relay, client: client() }
    }

    /// Stops the server and starts another on the same state.
    pub async fn again(self, change: impl FnOnce(&mut Options)) -> Self {
        let Self { dir, running, admin, relay, clock: before, .. } = self;
        running.shutdown().await;
        let (mut options, clock, fatal) = options(dir.path());
        clock.store(before.load(Ordering::SeqCst), Ordering::SeqCst);
        change(&mut options);
        let running = start(options).await.unwrap();
        assert!(running.first_secrets().is_empty(), "credentials are issued once");
        Self { dir, running, clock, fatal, admin, relay, client: client() }
    }

    pub fn advance(&self, by: Duration) {
        self.clock.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.running.address())
    }

    pub async fn send(&self, method: &str, path: &str, secret: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
        send(&self.client, method, &self.url(path), secret, headers, body.into()).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &self.admin, &[], "").await
    }

    /// What a path answers, as JSON, which it has to.
    pub async fn see(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {:?}", answer.body);
        answer.json()
    }

    pub async fn report(&self, body: impl Into<Bytes>) -> Answer {
        self.send("POST", door(), &self.relay, &[], body).await
    }

    /// A credential that stands for this.
    pub async fn token(&self, name: &str, kind: &str, whom: &str) -> String {
        let body = serde_json::json!({"name": name, kind: whom}).to_string();
        let answer = self.send("POST", "/api/v1/tokens", &self.admin, &[], body).await;
        assert_eq!(answer.status, 201, "{:?}", answer.body);
        answer.json()["secret"].as_str().unwrap().to_owned()
    }
}

pub fn client() -> Client<HttpConnector, Full<Bytes>> {
    Client::builder(TokioExecutor::new()).build_http()
}

pub async fn send(
    client: &Client<HttpConnector, Full<Bytes>>,
    method: &str,
    url: &str,
    secret: &str,
    headers: &[(&str, &str)],
    body: Bytes,
) -> Answer {
    let mut request = Request::builder().method(method).uri(url);
    if !secret.is_empty() {
        request = request.header("authorization", format!("Bearer {secret}"));
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = client.request(request.body(Full::from(body)).unwrap()).await.unwrap();
    let (parts, body) = answer.into_parts();
    Answer { status: parts.status, headers: parts.headers, body: body.collect().await.unwrap().to_bytes() }
}

/// The first tool there is.
pub fn tool() -> &'static dyn Tool {
    tools::all()[0]
}

/// The path of its first door.
pub fn door() -> &'static str {
    tool().doors()[0].path
}

/// A recorded report of the first tool.
pub fn recorded(name: &str) -> String {
    let tools = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../belay-adapters/src/tools");
    let path = tools.join(tool().name()).join("fixtures").join(format!("{name}.yaml"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A recorded report as another host's, under another id.
pub fn report_of(name: &str, host: &str, id: u32) -> String {
    let text = recorded(name);
    let decoded = tool().decode(text.as_bytes()).unwrap().report;
    text.replace(&decoded.tool_run_id, &format!("00000000-0000-4000-8000-{id:012}")).replace(&decoded.host, host)
}

/// Waits until something holds, and fails when it does not within some seconds.
pub async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    for _ in 0..500 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("not within ten seconds: {what}");
}

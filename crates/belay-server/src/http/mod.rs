//! HTTP: the table of routes, what each handler does, and the connections they are served on.

pub mod auth;
mod bearer;
pub mod body;
mod cookie;
mod events;
mod form;
mod guard;
pub(crate) mod handlers;
pub(crate) mod html;
mod issuer;
mod logins;
mod mark;
pub(crate) mod once;
mod openapi;
mod origin;
pub mod passwords;
pub(crate) mod refusal;
pub(crate) mod route;
pub mod serve;
mod stream;
mod table;
mod unix;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, header};
use belay_core::model::time::Timestamp;
use tokio::sync::Semaphore;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::config::Configuration;
use crate::drive::Drive;
use crate::drive::intake::Intake;
use crate::drive::inventory::Inventories;
use crate::drive::selfcheck::SelfChecker;
use crate::ledger::Readers;
use crate::signals::Signals;
use body::Bodies;
use cookie::Travel;
use logins::Logins;
use passwords::Passwords;
use refusal::Refusal;

pub use auth::May;
pub(crate) use events::Streams;
pub(crate) use issuer::Issuer;
pub use once::Once;
pub use route::Kind;
pub(crate) use unix::{FILE as SOCKET, listen as listen_local};

/// What handlers work with.
pub struct App {
    /// The drive.
    pub drive: Drive,
    /// The intake of reports.
    pub intake: Arc<Intake>,
    /// The ledger's readers.
    pub readers: Arc<Readers>,
    /// The store of signals.
    pub signals: Arc<Signals>,
    /// Who checks how often the judge is wrong.
    pub selfcheck: Arc<SelfChecker>,
    /// How reading what knows the fleet already goes.
    pub inventories: Arc<Inventories>,
    /// The configuration and how its last load went.
    pub configuration: Arc<Configuration>,
    /// The reader of bodies.
    pub bodies: Bodies,
    /// Polls that are kept back.
    pub polls: handlers::catch::Polls,
    /// What outposts classify by.
    pub tables: crate::drive::tables::Desk,
    /// Hashes and verifies passwords.
    pub passwords: Passwords,
    /// Counts attempts to log in.
    pub logins: Logins,
    /// The identity provider that people log in through.
    pub issuer: Option<Issuer>,
    /// Those who listen to news.
    pub streams: Streams,
    /// Ids of requests.
    pub requests: RequestIds,
    /// The state directory.
    pub state_dir: PathBuf,
    /// When the server was started.
    pub started: Timestamp,
    /// One backup at a time.
    pub backups: Arc<Semaphore>,
}

impl App {
    /// How a cookie travels that comes with these headers: encrypted where this server encrypts, or where whoever asks
    /// does so under the public address and that is encrypted.
    fn travel(&self, headers: &HeaderMap) -> Travel {
        let host = headers.get(header::HOST).and_then(|value| value.to_str().ok());
        let public = self.drive.read(|state| state.policy.public_url.clone().filter(|url| url.starts_with("https://")));
        let by_public =
            public.as_deref().and_then(origin::authority).zip(host).is_some_and(|(public, host)| public.eq_ignore_ascii_case(host));
        if self.configuration.tls().is_some() || by_public { Travel::Encrypted } else { Travel::Clear }
    }
}

/// Gives requests an id each, by which the log knows them.
#[derive(Debug)]
pub struct RequestIds {
    prefix: String,
    next: AtomicU64,
}

impl RequestIds {
    /// Ids of a server started then.
    pub fn new(started: Timestamp) -> Self {
        Self { prefix: format!("{:x}", started.ms()), next: AtomicU64::new(1) }
    }

    /// The next id.
    pub fn next(&self) -> String {
        format!("req-{}-{}", self.prefix, self.next.fetch_add(1, Ordering::Relaxed))
    }
}

/// A route as tests and manuals list it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its method.
    pub method: String,
    /// Its path.
    pub path: String,
    /// Who may use it.
    pub may: May,
    /// For whom it is.
    pub kind: Kind,
    /// What is remembered of a request with a key.
    pub once: Once,
}

/// All routes.
pub fn listed() -> Vec<Listed> {
    table::routes()
        .into_iter()
        .map(|route| Listed { method: route.method.to_string(), path: route.path, may: route.may, kind: route.kind, once: route.once })
        .collect()
}

/// The OpenAPI document.
pub fn openapi() -> serde_json::Value {
    serde_json::to_value(openapi::document(&table::routes())).unwrap_or_default()
}

/// Everything a connection is served with.
pub fn router(app: &Arc<App>) -> Router {
    let panicked = {
        let app = Arc::clone(app);
        move |panic: Box<dyn std::any::Any + Send>| panicked(&app, &*panic)
    };
    let header = |name: HeaderName, value: &'static str| SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value));
    route::router(app, &table::routes())
        .layer(CatchPanicLayer::custom(panicked))
        .layer(header(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(header(header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"))
        .layer(header(header::REFERRER_POLICY, "no-referrer"))
        .layer(header(header::CACHE_CONTROL, "no-store"))
}

/// A panic is a mistake in Belay: it costs the request it happened in, and is counted.
fn panicked(app: &App, panic: &(dyn std::any::Any + Send)) -> Response<Body> {
    let why = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let id = app.requests.next();
    app.drive.counts().panics.fetch_add(1, Ordering::Relaxed);
    tracing::error!(request_id = id, why = why.unwrap_or("no reason given"), "Belay failed on a request; please report this");
    Refusal::internal().into_response("", &id)
}

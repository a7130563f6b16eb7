//! The one HTTP client: whatever leaves the server leaves through here. It follows no redirect,
//! reads no more of an answer than it is told to, and waits no longer.

mod trust;

use std::time::Duration;

use axum::body::Bytes;
use axum::http::{Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use thiserror::Error;

pub use trust::{Trust, Untrusted};

/// Bounds of what is sent and waited for.
#[derive(Clone, Copy, Debug)]
pub struct ClientLimits {
    /// How long a request may take, answer included.
    pub timeout: Duration,
    /// Bytes of an answer that are read.
    pub answer: usize,
}

impl Default for ClientLimits {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(10), answer: 64 << 10 }
    }
}

/// Whether the same request may succeed later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// It may.
    Later,
    /// It will not.
    Never,
}

/// A request that was not answered with success.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{text}")]
pub struct NotSent {
    /// Whether the same request may succeed later.
    pub retry: Retry,
    /// Why, in plain words.
    pub text: String,
}

/// An answer that was not had.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotFetched {
    /// The request failed.
    #[error(transparent)]
    NotSent(#[from] NotSent),
    /// The answer is longer than is read.
    #[error("its answer has more than {0} bytes")]
    TooLong(usize),
}

/// A request to be sent. It is never printed: its address may hold a secret.
pub struct Outgoing {
    /// Where to; http or https.
    pub url: String,
    /// Headers beside length and host.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// The client.
#[derive(Clone)]
pub struct Client {
    http: Legacy<HttpsConnector<HttpConnector>, Full<Bytes>>,
    limits: ClientLimits,
}

impl Client {
    /// A client that trusts the certificates of the web.
    ///
    /// # Errors
    /// When the TLS library cannot be set up.
    pub fn new(limits: ClientLimits) -> Result<Self, NotSent> {
        let ring = rustls::crypto::ring::default_provider();
        let tls = HttpsConnectorBuilder::new().with_provider_and_webpki_roots(ring);
        let tls = tls.map_err(|error| never(format!("TLS cannot be set up: {error}")))?;
        Ok(Self::over(tls.https_or_http().enable_http1().wrap_connector(connector(limits)), limits))
    }

    /// A client that trusts these authorities and no others, and shows this certificate where it has one.
    ///
    /// # Errors
    /// See [`Untrusted`].
    pub fn trusting(trust: &Trust, limits: ClientLimits) -> Result<Self, Untrusted> {
        let tls = HttpsConnectorBuilder::new().with_tls_config(trust.config()?);
        Ok(Self::over(tls.https_or_http().enable_http1().wrap_connector(connector(limits)), limits))
    }

    fn over(https: HttpsConnector<HttpConnector>, limits: ClientLimits) -> Self {
        let mut builder = Legacy::builder(TokioExecutor::new());
        builder.pool_idle_timeout(Duration::from_secs(30)).pool_max_idle_per_host(2).pool_timer(TokioTimer::new());
        Self { http: builder.build(https), limits }
    }

    /// Asks for something, and reads the answer, which has to be a success, to its end.
    ///
    /// # Errors
    /// See [`NotFetched`].
    pub async fn get(&self, url: &str) -> Result<Bytes, NotFetched> {
        let builder = Request::builder().method(Method::GET).uri(address(url)?).header(header::USER_AGENT, "belay");
        let request = builder.header(header::ACCEPT, "application/json").body(Full::default());
        let request = request.map_err(|error| never(format!("the request cannot be made: {error}")))?;
        let fetched = tokio::time::timeout(self.limits.timeout, self.fetch(request)).await;
        fetched.unwrap_or_else(|_| Err(later(format!("no answer within {} s", self.limits.timeout.as_secs_f32())).into()))
    }

    async fn fetch(&self, request: Request<Full<Bytes>>) -> Result<Bytes, NotFetched> {
        let answer = self.http.request(request).await.map_err(|error| later(chain(&error)))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), self.limits.answer).collect().await;
        if !status.is_success() {
            let said = body.map(|body| excerpt(&body.to_bytes())).unwrap_or_default();
            let NotSent { retry, text } = refused(status);
            return Err(NotSent { retry, text: format!("{text}{said}") }.into());
        }
        match body {
            Ok(body) => Ok(body.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => Err(NotFetched::TooLong(self.limits.answer)),
            Err(error) => Err(later(format!("its answer broke off: {error}")).into()),
        }
    }

    /// Posts a request, whose answer has to be a success.
    ///
    /// # Errors
    /// [`NotSent`] says whether to try again.
    pub async fn post(&self, outgoing: Outgoing) -> Result<(), NotSent> {
        let request = request(outgoing)?;
        let sent = tokio::time::timeout(self.limits.timeout, self.send(request)).await;
        sent.unwrap_or_else(|_| Err(later(format!("no answer within {} s", self.limits.timeout.as_secs_f32()))))
    }

    /// Sends any request and gives its answer, whatever its status; an answer that is too long is none.
    ///
    /// # Errors
    /// [`NotSent`].
    pub async fn ask(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, NotSent> {
        let asked = async {
            let answer = self.http.request(request.map(Full::from)).await.map_err(|error| later(chain(&error)))?;
            let (parts, body) = answer.into_parts();
            let bytes = Limited::new(body, self.limits.answer).collect().await.map_err(|error| later(chain(&*error)))?.to_bytes();
            Ok(Response::from_parts(parts, bytes.to_vec()))
        };
        let answered = tokio::time::timeout(self.limits.timeout, asked).await;
        answered.unwrap_or_else(|_| Err(later(format!("no answer within {} s", self.limits.timeout.as_secs_f32()))))
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<(), NotSent> {
        let answer = self.http.request(request).await.map_err(|error| later(chain(&error)))?;
        let status = answer.status();
        if !status.is_success() {
            return Err(refused(status));
        }
        // It was taken; an answer that is too long or breaks off does not make it untaken. It is read
        // so that the connection can be used again.
        let _ = Limited::new(answer.into_body(), self.limits.answer).collect().await;
        Ok(())
    }
}

fn connector(limits: ClientLimits) -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_connect_timeout(Some(limits.timeout));
    connector
}

fn address(url: &str) -> Result<Uri, NotSent> {
    let uri: Uri = url.parse().map_err(|_| never("its address is no web address".to_owned()))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none_or(str::is_empty) {
        return Err(never("its address is no web address with http or https".to_owned()));
    }
    Ok(uri)
}

/// The beginning of what a server said to a request that it refused.
fn excerpt(said: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(said).chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect();
    if text.trim().is_empty() { String::new() } else { format!(": {}", text.trim()) }
}

fn request(outgoing: Outgoing) -> Result<Request<Full<Bytes>>, NotSent> {
    let mut builder = Request::builder().method(Method::POST).uri(address(&outgoing.url)?).header(header::USER_AGENT, "belay");
    for (name, value) in outgoing.headers {
        builder = builder.header(name, value);
    }
    builder.body(Full::from(outgoing.body)).map_err(|error| never(format!("the request cannot be made: {error}")))
}

/// A redirect is refused: whoever answers must not choose where the message goes.
fn refused(status: StatusCode) -> NotSent {
    match status.as_u16() {
        300..=399 => never(format!("it answered {status}: redirects are not followed, put the new address into the configuration")),
        408 | 425 | 429 | 500..=599 => later(format!("it answered {status}")),
        _ => never(format!("it answered {status}")),
    }
}

fn never(text: String) -> NotSent {
    NotSent { retry: Retry::Never, text }
}

fn later(text: String) -> NotSent {
    NotSent { retry: Retry::Later, text }
}

/// An error with its causes: the outermost alone says nothing ("client error").
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(&format!(": {inner}"));
        cause = inner.source();
    }
    text
}

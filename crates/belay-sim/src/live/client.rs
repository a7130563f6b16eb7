//! The HTTP client of the live fleet: few connections, every request bounded in time and repeats.

use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::LiveError;

/// How long one attempt may take.
const ATTEMPT_MAX: Duration = Duration::from_secs(10);
/// Attempts of a request that the server asks to repeat.
const ATTEMPTS: u32 = 5;
/// From attempt to attempt.
const WAIT: Duration = Duration::from_millis(200);
/// Bytes of an answer that are read.
const ANSWER_MAX: usize = 1024 * 1024;
/// Characters of an answer that are shown.
const SAID_MAX: usize = 300;

/// Whose credential a request carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum As {
    /// Whoever speaks for the hosts.
    Relay,
    /// A source of signals.
    Source,
}

/// A request.
pub(crate) struct Ask<'a> {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) credential: As,
    pub(crate) headers: &'a [(&'a str, &'a str)],
    pub(crate) body: Vec<u8>,
}

/// The client.
pub(crate) struct Client {
    address: SocketAddr,
    relay: String,
    source: String,
    http: hyper_util::client::legacy::Client<HttpConnector, Full<Bytes>>,
}

impl Client {
    pub(crate) fn new(address: SocketAddr, relay: &str, source: &str) -> Self {
        let http = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build(HttpConnector::new());
        Self { address, relay: relay.to_owned(), source: source.to_owned(), http }
    }

    /// Sends a request until the server takes it, says why it does not, or was asked often enough.
    pub(crate) async fn send(&self, ask: &Ask<'_>) -> Result<(), LiveError> {
        let body = Bytes::copy_from_slice(&ask.body);
        let mut last = LiveError::Unreachable { path: ask.path.clone(), why: "it was never tried".to_owned() };
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                tokio::time::sleep(WAIT * attempt).await;
            }
            last = match tokio::time::timeout(ATTEMPT_MAX, self.attempt(ask, body.clone())).await {
                Ok(Ok((status, _))) if status.is_success() => return Ok(()),
                Ok(Ok((status, said))) => LiveError::Refused { path: ask.path.clone(), status: status.as_u16(), said },
                Ok(Err(why)) => LiveError::Unreachable { path: ask.path.clone(), why },
                Err(_) => LiveError::Unreachable { path: ask.path.clone(), why: format!("no answer within {} s", ATTEMPT_MAX.as_secs()) },
            };
            if let LiveError::Refused { status, .. } = last
                && !matches!(status, 429 | 503)
            {
                break;
            }
        }
        Err(last)
    }

    /// Sends a request once and answers with the body of the answer.
    pub(crate) async fn ask(&self, ask: &Ask<'_>) -> Result<Vec<u8>, LiveError> {
        let unreachable = |why| LiveError::Unreachable { path: ask.path.clone(), why };
        let asked = tokio::time::timeout(ATTEMPT_MAX, self.exchange(ask, Bytes::copy_from_slice(&ask.body))).await;
        let (status, body) = asked.map_err(|_| unreachable("no answer in time".to_owned()))?.map_err(unreachable)?;
        if status.is_success() {
            return Ok(body.to_vec());
        }
        Err(LiveError::Refused { path: ask.path.clone(), status: status.as_u16(), said: shortened(&body) })
    }

    async fn attempt(&self, ask: &Ask<'_>, body: Bytes) -> Result<(StatusCode, String), String> {
        let (status, said) = self.exchange(ask, body).await?;
        Ok((status, shortened(&said)))
    }

    async fn exchange(&self, ask: &Ask<'_>, body: Bytes) -> Result<(StatusCode, Bytes), String> {
        let secret = match ask.credential {
            As::Relay => &self.relay,
            As::Source => &self.source,
        };
        let mut request = Request::builder()
            .method(ask.method.clone())
            .uri(format!("http://{}{}", self.address, ask.path))
            .header("authorization", format!("Bearer {secret}"));
        for (name, value) in ask.headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body)).map_err(|bad| bad.to_string())?;
        let answer = self.http.request(request).await.map_err(|failed| failed.to_string())?;
        let status = answer.status();
        let said = Limited::new(answer.into_body(), ANSWER_MAX).collect().await.map_err(|failed| failed.to_string())?.to_bytes();
        Ok((status, said))
    }
}

fn shortened(said: &[u8]) -> String {
    String::from_utf8_lossy(said).chars().take(SAID_MAX).collect()
}

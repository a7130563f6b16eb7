//! The one HTTP client of the command line: one request a connection, over the server's unix socket, TLS, or TCP on a
//! trusted network.
//!
//! It knows no route and no view. What the server refuses becomes a fault in the server's own words.

mod place;
#[cfg(test)]
mod tests;
mod trust;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use belay_api::http::Problem;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use crate::fault::{Fault, fault};

pub use place::Place;

const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(60);
/// The largest answer that is read.
const ANSWER_MAX: usize = 256 << 20;

/// How a server is reached, and as whom.
#[derive(Clone, Debug)]
pub struct Client {
    place: Place,
    token: Option<String>,
    /// Whom it trusts, where TLS is spoken.
    tls: Option<Arc<ClientConfig>>,
}

/// What the server answered.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// When it may be asked again, where the server says so.
    pub retry_after: Option<Duration>,
    /// The body as it was sent.
    pub body: Bytes,
}

/// A body to send.
#[derive(Clone, Debug)]
pub struct Content {
    kind: &'static str,
    bytes: Bytes,
    seen: Option<String>,
}

impl Content {
    /// A body as JSON.
    ///
    /// # Errors
    /// When it cannot be written as JSON, which is a mistake in this program.
    pub fn json(value: &impl Serialize) -> anyhow::Result<Self> {
        let bytes = serde_json::to_vec(value).context("could not write the request as JSON")?;
        Ok(Self::bytes("application/json", bytes))
    }

    /// A body as it is.
    pub fn bytes(kind: &'static str, bytes: impl Into<Bytes>) -> Self {
        Self { kind, bytes: bytes.into(), seen: None }
    }

    /// The same, to be taken only where this revision is still the newest (`If-Match`).
    #[must_use]
    pub fn seen(self, revision: Option<impl ToString>) -> Self {
        Self { seen: revision.map(|revision| revision.to_string()), ..self }
    }
}

impl Client {
    /// A client of the server at this place. Over TLS it trusts the authorities in the file, without one those of the web.
    /// Nothing is connected yet.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn new(place: Place, token: Option<String>, ca: Option<&Path>) -> anyhow::Result<Self> {
        let tls = place.speaks_tls().then(|| trust::trust(ca)).transpose()?;
        Ok(Self { place, token, tls })
    }

    /// Asks for something and reads the answer.
    ///
    /// # Errors
    /// The server's refusal, or why it could not be asked.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        read(&self.get_raw(path).await?)
    }

    /// Asks for something; the answer as it was sent.
    ///
    /// # Errors
    /// The server's refusal, or why it could not be asked.
    pub async fn get_raw(&self, path: &str) -> anyhow::Result<Bytes> {
        self.ask(Method::GET, path, None).await
    }

    /// Sends something; the answer as it was sent.
    ///
    /// # Errors
    /// The server's refusal, or why it could not be asked.
    pub async fn ask(&self, method: Method, path: &str, content: Option<Content>) -> anyhow::Result<Bytes> {
        let reply = self.send(method, path, content).await?;
        if reply.status.is_success() { Ok(reply.body) } else { Err(refused(path, &reply).into()) }
    }

    /// Sends something, and leaves it to the caller what the status means.
    ///
    /// # Errors
    /// Why it could not be asked.
    pub async fn send(&self, method: Method, path: &str, content: Option<Content>) -> anyhow::Result<Reply> {
        let request = self.request(method, path, content)?;
        let stream = self.connected().await?;
        let exchange = tokio::time::timeout(ANSWER, exchange(stream, request)).await;
        // The cause goes on as text only: a pipe that broke on the way to the server is not one that nobody reads.
        exchange.map_err(|_| self.place.silent(ANSWER))?.map_err(|error| self.place.broken_off(&error))
    }

    /// Asks for something large; each part of it is given away as it comes. For each part it has so much patience.
    ///
    /// # Errors
    /// The server's refusal, why it could not be asked, or that the answer did not come to its end.
    pub async fn download(
        &self,
        method: Method,
        path: &str,
        patience: Duration,
        mut each: impl FnMut(&[u8]) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let request = self.request(method, path, None)?;
        let stream = self.connected().await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let answer = async {
            let response = sender.send_request(request).await.map_err(|error| self.place.broken_off(&error.into()))?;
            if !response.status().is_success() {
                return Err(refused(path, &reply(response).await?).into());
            }
            let mut body = response.into_body();
            loop {
                let next = tokio::time::timeout(patience, body.frame()).await.map_err(|_| self.place.silent(patience))?;
                match next.transpose().map_err(|error| self.place.broken_off(&error.into()))? {
                    None => return Ok(()),
                    Some(frame) => frame.data_ref().map_or(Ok(()), |part| each(part))?,
                }
            }
        };
        tokio::pin!(connection, answer);
        tokio::select! {
            biased;
            answer = &mut answer => answer,
            _ = &mut connection => answer.await,
        }
    }

    async fn connected(&self) -> anyhow::Result<Box<dyn Stream>> {
        let connected = tokio::time::timeout(CONNECT, self.connect()).await;
        let connected = connected.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()));
        connected.map_err(|error| self.place.unreachable(&error))
    }

    fn request(&self, method: Method, path: &str, content: Option<Content>) -> anyhow::Result<Request<Full<Bytes>>> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.place.root()))
            .header(header::HOST, self.place.host())
            .header(header::USER_AGENT, concat!("belay/", env!("CARGO_PKG_VERSION")))
            .header(header::ACCEPT, "application/json");
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let mut body = Bytes::new();
        if let Some(content) = content {
            request = request.header(header::CONTENT_TYPE, content.kind);
            if let Some(revision) = content.seen {
                request = request.header(header::IF_MATCH, format!("\"{revision}\""));
            }
            body = content.bytes;
        }
        request.body(Full::new(body)).with_context(|| format!("could not make a request for {path}"))
    }

    async fn connect(&self) -> std::io::Result<Box<dyn Stream>> {
        Ok(match &self.place {
            Place::Socket(path) => Box::new(UnixStream::connect(path).await?),
            Place::Tcp { host, port, .. } => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                match &self.tls {
                    Some(tls) => Box::new(trust::handshake(tls, host, stream).await?),
                    None => Box::new(stream),
                }
            }
        })
    }
}

/// The query string of these parameters, with `?`; nothing when there are none.
pub fn query(parameters: &[(&str, Option<String>)]) -> String {
    let given = parameters.iter().filter_map(|(name, value)| Some(format!("{name}={}", escaped(value.as_ref()?))));
    let joined = given.collect::<Vec<_>>().join("&");
    if joined.is_empty() { joined } else { format!("?{joined}") }
}

/// A part of a path or query with everything but letters, digits and `-._~` escaped (RFC 3986, 2.1).
pub fn escaped(part: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    part.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// Reads an answer.
///
/// # Errors
/// When it is none that this release knows.
pub fn read<T: DeserializeOwned>(body: &[u8]) -> anyhow::Result<T> {
    let read = serde_json::from_slice(body);
    read.map_err(|error| {
        fault(format!("the server's answer is not understood: {error}"), "use the `belay` that belongs to the server's release")
    })
}

/// A refusal in the server's words.
pub fn refused(path: &str, reply: &Reply) -> Fault {
    let status = reply.status;
    let Ok(problem) = serde_json::from_slice::<Problem>(&reply.body) else {
        let fault = Fault::new(format!("the server answered {status}")).help("is it a belay server? `belay doctor` tells more");
        // So answers what stands before a server that is away.
        let away = matches!(status, StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT);
        return if away { fault.passing() } else { fault };
    };
    let fault = Fault::new(if problem.detail.is_empty() { problem.title } else { problem.detail });
    match (status, reply.retry_after) {
        (StatusCode::UNAUTHORIZED, _) => fault.help("set BELAY_TOKEN or --token-file; on the server's own machine leave out --server"),
        (StatusCode::NOT_FOUND, _) => fault.help(there_is(path)),
        (_, Some(after)) => fault.help(format!("try again in {} s", after.as_secs())).passing(),
        (StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE, None) => fault.passing(),
        (_, None) => fault,
    }
}

/// Where is listed what could have been asked for here.
fn there_is(path: &str) -> &'static str {
    let of = path.strip_prefix("/api/v1/").unwrap_or(path);
    match of.split(['/', '?']).next().unwrap_or_default() {
        "holds" => "`belay hold list --all` lists the holds",
        "tokens" => "`belay token list` lists the credentials",
        "plan" | "health" | "news" | "events" => "`belay status` lists the classes, `belay hosts` the hosts",
        "reverts" => "reverts are called like r-2; `belay events` tells of them",
        "gate" | "hosts" => "`belay hosts` lists the hosts",
        _ => "`belay changes` and `belay hosts` list what there is",
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A whole answer.
async fn reply(response: Response<Incoming>) -> anyhow::Result<Reply> {
    let after = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let status = response.status();
    let body =
        Limited::new(response.into_body(), ANSWER_MAX).collect().await.map_err(|error| anyhow::anyhow!("the answer broke off: {error}"))?;
    Ok(Reply { status, retry_after: after.map(Duration::from_secs), body: body.to_bytes() })
}

/// One request and its whole answer. The connection ends with this function.
async fn exchange(stream: Box<dyn Stream>, request: Request<Full<Bytes>>) -> anyhow::Result<Reply> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let answer = async move {
        let response = sender.send_request(request).await?;
        reply(response).await
    };
    tokio::pin!(connection, answer);
    // The connection only moves bytes; what counts is the answer, also when the server closes at once after it.
    tokio::select! {
        biased;
        answer = &mut answer => answer,
        closed = &mut connection => match answer.await {
            Ok(reply) => Ok(reply),
            Err(error) => Err(closed.err().map_or(error, Into::into)),
        },
    }
}

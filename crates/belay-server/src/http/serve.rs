//! Connections: accepted up to a bound, served until the server stops, and then given a while to
//! finish what they have begun.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use super::auth::Peer;
use super::bearer::{Bearer, Speaks};
use super::unix;
use crate::tls::{Refused, Tls, handshake, why};

/// Bounds of connections.
#[derive(Clone, Copy, Debug)]
pub struct Connections {
    /// Connections at one time.
    pub most: usize,
    /// How long a handshake and a request's head may take, and how long a connection may idle.
    pub head: Duration,
    /// How long connections may take to finish when the server stops.
    pub farewell: Duration,
}

impl Default for Connections {
    fn default() -> Self {
        Self { most: 5_000, head: Duration::from_secs(30), farewell: Duration::from_secs(10) }
    }
}

/// Where connections come from.
pub enum Listener {
    /// The network, in the clear.
    Tcp(TcpListener),
    /// The network, with TLS and nothing else.
    Tls(TcpListener, Arc<Tls>),
    /// The unix socket, with the user the server runs as.
    Unix(UnixListener, u32),
}

/// Serves a listener until the server stops.
pub async fn serve(listener: Listener, router: Router, bounds: Connections, mut stop: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(bounds.most));
    let for_connections = stop.clone();
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            _ = stop.changed() => break,
            accepted = accept(&listener, &router, bounds, &places, &for_connections) => match accepted {
                Ok(connection) => drop(tasks.spawn(connection)),
                // Out of descriptors, or a client that has gone already: the next one may do better.
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
        }
        while tasks.try_join_next().is_some() {}
    }
    drop(listener);
    let farewell = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(bounds.farewell, farewell).await.is_err() {
        tracing::warn!("connections that did not finish in time were cut");
    }
}

type Connection = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

async fn accept(
    listener: &Listener,
    router: &Router,
    bounds: Connections,
    places: &Arc<Semaphore>,
    stop: &watch::Receiver<bool>,
) -> std::io::Result<Connection> {
    let place = Arc::clone(places).acquire_owned().await.map_err(std::io::Error::other)?;
    let (router, stop) = (router.clone(), stop.clone());
    Ok(match listener {
        Listener::Tcp(listener) => {
            let (stream, from) = listener.accept().await?;
            // Answers are small and wait for nobody; where this cannot be set they are only slower.
            let _ = stream.set_nodelay(true);
            Box::pin(connection(stream, Client { speaks: Speaks::One(Peer::Network), from: Some(from) }, router, bounds, place, stop))
        }
        Listener::Tls(listener, tls) => {
            let (stream, from) = listener.accept().await?;
            let _ = stream.set_nodelay(true);
            // The handshake is the connection's: whoever dawdles over it keeps nobody else waiting.
            Box::pin(encrypted((stream, from), Arc::clone(tls), router, bounds, place, stop))
        }
        Listener::Unix(listener, own) => {
            let (stream, _) = listener.accept().await?;
            let peer = Peer::Local(unix::principal(stream.peer_cred()?.uid(), *own));
            Box::pin(connection(stream, Client { speaks: Speaks::One(peer), from: None }, router, bounds, place, stop))
        }
    })
}

/// Who is at the other end.
struct Client {
    speaks: Speaks,
    from: Option<SocketAddr>,
}

async fn encrypted(
    (stream, from): (TcpStream, SocketAddr),
    tls: Arc<Tls>,
    router: Router,
    bounds: Connections,
    place: OwnedSemaphorePermit,
    mut stop: watch::Receiver<bool>,
) {
    let acceptor = tls.acceptor();
    let greeted = tokio::select! {
        greeted = handshake(stream, &acceptor, bounds.head) => greeted,
        _ = stop.changed() => return,
    };
    match greeted {
        Ok(stream) => {
            let speaks = Bearer::of(tls, stream.get_ref().1.peer_certificates());
            connection(stream, Client { speaks, from: Some(from) }, router, bounds, place, stop).await;
        }
        Err(Refused::Failed(error)) if uncertified(&error).is_some() => {
            let why = uncertified(&error).unwrap_or_default();
            tracing::info!(why, "a connection was refused");
            tls.refused(&why);
        }
        Err(error) => tracing::debug!(%error, "a connection was not served"),
    }
}

/// Why a client's certificate made a handshake fail; nothing where something else did.
fn uncertified(error: &std::io::Error) -> Option<String> {
    let error = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    matches!(error, rustls::Error::InvalidCertificate(_)).then(|| why(error))
}

async fn connection<S>(
    stream: S,
    client: Client,
    router: Router,
    bounds: Connections,
    place: OwnedSemaphorePermit,
    mut stop: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let _place = place;
    let inner = TowerToHyperService::new(router);
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(client.speaks.peer());
        if let Some(from) = client.from {
            request.extensions_mut().insert(from);
        }
        hyper::service::Service::call(&inner, request)
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(bounds.head).max_buf_size(64 << 10);
    let serving = http.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(serving);
    loop {
        tokio::select! {
            served = serving.as_mut() => {
                if let Err(error) = served {
                    tracing::debug!(%error, "a connection ended early");
                }
                return;
            }
            _ = stop.changed() => serving.as_mut().graceful_shutdown(),
        }
    }
}

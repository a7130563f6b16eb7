//! The receiver of alerts that the demo itself runs on loopback: what arrives here is what anybody's webhook would get.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Context;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Bytes of one alert that are read.
const BODY_MAX: usize = 1 << 20;
/// Alerts that wait to be looked at; a sender finds the receiver busy beyond it.
const WAITING_MAX: usize = 64;

/// An alert as it was received.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Received {
    /// One line.
    pub title: String,
    /// The whole.
    pub text: String,
    /// The same for machines.
    pub details: Details,
}

/// What a machine wants to know of an alert.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Details {
    /// By which updates of the same alert are recognised: `belay/c-2`.
    pub key: String,
    /// How the Change stands.
    pub status: String,
}

/// The envelope it came in.
#[derive(Deserialize)]
struct Envelope {
    data: Received,
}

/// A receiver that runs until it is dropped.
pub struct Receiver {
    address: SocketAddr,
    alerts: mpsc::Receiver<Received>,
    _task: JoinSet<()>,
}

impl Receiver {
    /// Starts one on a free port.
    ///
    /// # Errors
    /// When no port is to be had.
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("could not listen for the alert")?;
        let address = listener.local_addr().context("could not listen for the alert")?;
        let (sender, alerts) = mpsc::channel(WAITING_MAX);
        let mut task = JoinSet::new();
        task.spawn(accept(listener, sender));
        Ok(Self { address, alerts, _task: task })
    }

    /// Where it listens, as a configuration says it.
    pub fn url(&self) -> String {
        format!("http://{}/alerts", self.address)
    }

    /// The next alert that has arrived, if any has.
    pub fn next(&mut self) -> Option<Received> {
        self.alerts.try_recv().ok()
    }
}

async fn accept(listener: TcpListener, alerts: mpsc::Sender<Received>) {
    let mut connections = JoinSet::new();
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            connections.spawn(serve(stream, alerts.clone()));
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(stream: TcpStream, alerts: mpsc::Sender<Received>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let alerts = alerts.clone();
        async move {
            let mut response = Response::new(Empty::<Bytes>::new());
            *response.status_mut() = take(request, &alerts).await;
            Ok::<_, Infallible>(response)
        }
    });
    // A connection that breaks off is the sender's to repeat.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn take(request: Request<Incoming>, alerts: &mpsc::Sender<Received>) -> StatusCode {
    let Ok(body) = Limited::new(request.into_body(), BODY_MAX).collect().await else { return StatusCode::PAYLOAD_TOO_LARGE };
    match serde_json::from_slice::<Envelope>(&body.to_bytes()) {
        Ok(envelope) => match alerts.try_send(envelope.data) {
            Ok(()) => StatusCode::NO_CONTENT,
            Err(_) => StatusCode::SERVICE_UNAVAILABLE,
        },
        Err(_) => StatusCode::BAD_REQUEST,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{Client, Content, Place};

    #[tokio::test]
    async fn what_is_posted_is_received_and_nonsense_is_refused() {
        let mut receiver = Receiver::start().await.unwrap();
        let place = Place::parse(&format!("http://{}", receiver.address)).unwrap();
        let post = async |body: serde_json::Value| {
            let content = Content::json(&body).unwrap();
            Client::new(place.clone(), None, None).unwrap().send(hyper::Method::POST, "/alerts", Some(content)).await.unwrap().status
        };
        let alert = serde_json::json!({ "title": "t", "text": "a\nb", "details": { "key": "belay/c-2", "status": "rejected" } });
        assert_eq!(post(serde_json::json!({ "type": "belay.alert", "data": alert })).await, StatusCode::NO_CONTENT);
        assert_eq!(post(serde_json::json!([])).await, StatusCode::BAD_REQUEST);
        assert_eq!(receiver.next().unwrap().text, "a\nb");
        assert!(receiver.next().is_none());
    }
}

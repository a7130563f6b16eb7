//! The service the hosts send to: it counts the requests of each host and knows when the last one came.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::http::{Request, Server};

/// What came from one host.
#[derive(Clone, Copy, Debug, Default)]
pub struct Flow {
    /// Requests so far.
    pub requests: u64,
    /// When the last of them came.
    pub last: Option<Instant>,
}

/// Counts by host, shared with whoever reads them.
#[derive(Clone)]
pub struct Flows(Arc<Mutex<BTreeMap<String, Flow>>>);

impl Flows {
    /// Zero for each host.
    pub fn of(hosts: &[&str]) -> Self {
        Self(Arc::new(Mutex::new(hosts.iter().map(|host| ((*host).to_owned(), Flow::default())).collect())))
    }

    /// The counts at this moment.
    pub fn now(&self) -> BTreeMap<String, Flow> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether nothing has come from the host for so long.
    pub fn silent(&self, host: &str, span: Duration) -> bool {
        self.now().get(host).and_then(|flow| flow.last).is_none_or(|last| last.elapsed() >= span)
    }

    fn count(&self, host: &str) -> bool {
        let mut flows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(flow) = flows.get_mut(host) else { return false };
        *flow = Flow { requests: flow.requests + 1, last: Some(Instant::now()) };
        true
    }
}

/// The service.
pub struct Sitemonitor {
    /// What came.
    pub flows: Flows,
    server: Server,
}

impl Sitemonitor {
    /// Starts it for these hosts; it turns others away.
    pub fn start(hosts: &[&str]) -> anyhow::Result<Self> {
        let flows = Flows::of(hosts);
        let counted = flows.clone();
        let server = Server::start(move |request| if take(&counted, request) { 204 } else { 400 })?;
        Ok(Self { flows, server })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address
    }
}

fn take(flows: &Flows, request: &Request) -> bool {
    matches!(request.path.as_str(), "/v1/submit" | "/v2/batch") && request.header("x-host").is_some_and(|host| flows.count(host))
}

#[cfg(test)]
mod tests {
    use super::super::http;
    use super::*;

    #[test]
    fn requests_are_counted_by_host_and_strangers_turned_away() {
        let service = Sitemonitor::start(&["web01", "web02"]).expect("a service");
        let post =
            |path: &str, host: &str| http::send(service.address(), "POST", path, &[("X-Host", host)], b"{}").expect("an answer").status;
        assert_eq!(
            [post("/v1/submit", "web01"), post("/v2/batch", "web01"), post("/v1/submit", "db01"), post("/", "web01")],
            [204, 204, 400, 400]
        );
        let counts: Vec<u64> = service.flows.now().values().map(|flow| flow.requests).collect();
        assert_eq!(counts, [2, 0]);
        assert!(service.flows.silent("web02", Duration::ZERO) && !service.flows.silent("web01", Duration::from_secs(60)));
    }
}

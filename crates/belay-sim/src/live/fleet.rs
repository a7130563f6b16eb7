//! What the live fleet consists of, and what it can be told to do.

use std::collections::BTreeMap;
use std::time::Duration;

use belay_adapters::sources::facade_roots;
use belay_adapters::sources::prometheus::WireSeries;
use belay_adapters::sources::prometheus::remote_write;
use belay_core::model::ids::{ClassName, Environment, HostId, Release};
use belay_core::model::time::{Span, Timestamp};
use hyper::Method;
use serde_json::json;

use super::client::{As, Ask};
use super::{LiveError, LiveFleet, Sent, Spec, now};
use crate::fleet::Fleet;
use crate::fleet::branch::parse_item;
use crate::fleet::host::{Order, SimHost};
use crate::signals::{Metric, Rhythm, Signals};
use crate::testimony;

/// What every live host exports.
const METRICS: [Metric; 2] = [Metric::Requests, Metric::Memory];
/// Seconds of history in one request.
const CHUNK: Span = Span::from_s(60);

/// The fleet with its signals, and what was sent of them.
pub(crate) struct Stage {
    pub(crate) fleet: Fleet,
    pub(crate) signals: Signals,
    pub(crate) sent: Sent,
    /// Samples up to this time were sent.
    pub(crate) streamed: Timestamp,
    /// Hosts to which the schedule brought the older release's files, and when the gate was asked.
    pub(super) came_back: Vec<(HostId, Timestamp)>,
    /// What the agents of the hosts keep.
    pub(super) machines: super::agents::Machines,
    /// Samples from this time on are made.
    begun: Timestamp,
}

impl Stage {
    pub(super) fn new(spec: &Spec, now: Timestamp) -> Self {
        let begun = now - span(spec.backfill);
        let mut signals = Signals::new(spec.seed);
        signals.rhythm = Rhythm { scrape: Span::from_s(1), apart: Span::from_ms(200), per_s: spec.per_s, day: 0.0, even: false };
        let mut fleet = Fleet::default();
        super::story::write_branches(&mut fleet, &class(spec));
        for number in 1..=spec.hosts {
            let id = HostId::parse(&format!("{}{number:02}", spec.class)).expect("a class and a number are a name");
            let mut host = SimHost::new(id, class(spec), Some(super::story::older()), super::story::stable());
            host.took = span(spec.run_takes);
            fleet.add(host, begun - Span::from_min(1));
        }
        Self { fleet, signals, sent: Sent::default(), streamed: begun, came_back: Vec::new(), machines: Default::default(), begun }
    }

    /// The series of `(from, to]`, and how many samples they hold.
    pub(super) fn series(&mut self, from: Timestamp, to: Timestamp) -> (Vec<WireSeries>, u64) {
        let (mut all, mut count) = (Vec::new(), 0);
        for host in self.fleet.hosts.values() {
            for metric in METRICS {
                let raw = self.signals.raw(&self.fleet, host, metric, self.begun, to);
                let samples: Vec<_> = raw.iter().copied().filter(|(ms, _)| *ms > from.ms() && *ms <= to.ms()).collect();
                count += samples.len() as u64;
                if !samples.is_empty() {
                    let labels = [("__name__", metric.name()), ("host", host.id.as_str()), ("job", "sitemonitor")];
                    let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
                    all.push(WireSeries { labels, samples });
                }
            }
        }
        (all, count)
    }
}

fn span(duration: Duration) -> Span {
    Span::from_ms(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
}

fn class(spec: &Spec) -> ClassName {
    ClassName::parse(&spec.class).expect("the class of a live fleet is a name")
}

impl LiveFleet {
    /// Sends the history of all signals, up to now.
    ///
    /// # Errors
    /// When the server does not take it.
    pub async fn backfill(&self) -> Result<(), LiveError> {
        let end = now();
        let mut from = self.with(|stage| stage.streamed);
        while from < end {
            let to = (from + CHUNK).min(end);
            self.send_samples(from, to).await?;
            from = to;
        }
        Ok(())
    }

    /// Sends the samples of `(from, to]`.
    pub(super) async fn send_samples(&self, from: Timestamp, to: Timestamp) -> Result<(), LiveError> {
        let (series, count) = self.with(|stage| stage.series(from, to));
        if count > 0 {
            let path = format!("{}/write", facade_roots().first().copied().unwrap_or_default());
            let body = remote_write::encode(&series);
            self.client.send(&Ask { method: Method::POST, path, credential: As::Source, headers: &remote_write::HEADERS, body }).await?;
        }
        self.with(|stage| {
            stage.sent.samples += count;
            stage.streamed = stage.streamed.max(to);
        });
        Ok(())
    }

    /// Tells the facts of hosts, with the release each runs.
    ///
    /// # Errors
    /// When the server does not take them.
    pub async fn tell_facts(&self, hosts: &[HostId]) -> Result<(), LiveError> {
        for host in hosts {
            let release = self.with(|stage| stage.fleet.hosts.get(host).and_then(|host| host.release.clone()));
            let facts = BTreeMap::from([("role", self.spec.class.as_str())]);
            let body = json!({ "release": release.map(|release| release.to_string()), "facts": facts }).to_string().into_bytes();
            let path = format!("/api/v1/hosts/{host}/facts");
            let headers = [("content-type", "application/json")];
            self.client.send(&Ask { method: Method::PUT, path, credential: As::Relay, headers: &headers, body }).await?;
            self.with(|stage| stage.sent.facts += 1);
        }
        Ok(())
    }

    /// Runs the tool on a host, in its own environment or another, and sends the report.
    ///
    /// # Errors
    /// When the server does not take it.
    pub async fn run(&self, host: &HostId, environment: Option<&Environment>) -> Result<(), LiveError> {
        let order = Order { environment: environment.cloned(), noop: false };
        let Some(said) = self.with(|stage| stage.fleet.run(host, &order, now())) else { return Ok(()) };
        tokio::time::sleep(self.spec.run_takes).await;
        self.send_report(&said).await
    }

    /// Sends the report of a run.
    pub(super) async fn send_report(&self, said: &testimony::Testimony) -> Result<(), LiveError> {
        let door = testimony::tool().doors().first().expect("a tool has a door");
        let headers: Vec<(&str, &str)> = door.content.first().map(|media| ("content-type", *media)).into_iter().collect();
        let ask = Ask {
            method: Method::POST,
            path: door.path.to_owned(),
            credential: As::Relay,
            headers: &headers,
            body: testimony::write(said),
        };
        self.client.send(&ask).await?;
        self.with(|stage| stage.sent.reports += 1);
        Ok(())
    }

    /// A host comes to run a release; the server is told at once.
    ///
    /// # Errors
    /// When the server does not take it.
    pub async fn release(&self, host: &HostId, release: &Release) -> Result<(), LiveError> {
        self.with(|stage| {
            if let Some(known) = stage.fleet.hosts.get_mut(host) {
                known.release = Some(release.clone());
            }
            stage.fleet.feel(host, now());
        });
        self.tell_facts(std::slice::from_ref(host)).await
    }

    /// What exports the signals of these hosts falls silent, or speaks again.
    pub fn silence(&self, hosts: &[HostId], silent: bool) {
        self.with(|stage| hosts.iter().for_each(|host| stage.fleet.hear(host, now(), |condition| condition.silent = silent)));
    }

    /// Puts a text into a branch, under a new version.
    pub fn commit(&self, environment: &Environment, version: &str, item: &str, text: &str) {
        let class = class(&self.spec);
        self.with(|stage| {
            let branch = stage.fleet.branches.entry(environment.clone()).or_default();
            branch.version = Some(version.to_owned());
            if let Some(item) = parse_item(item) {
                branch.put(&class, item, text);
            }
        });
    }
}

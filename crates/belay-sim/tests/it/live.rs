//! The live fleet against a small server that counts what it gets.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use belay_adapters::sources::prometheus::remote_write;
use belay_core::model::report::RunKind;
use belay_sim::live::{LiveError, LiveFleet, Spec, story};
use belay_sim::testimony;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// What came.
#[derive(Default)]
struct Got {
    facts: Vec<(String, String)>,
    runs: Vec<(String, RunKind, String)>,
    samples: BTreeMap<(String, String), Vec<(i64, f64)>>,
    polls: usize,
    strangers: Vec<String>,
}

/// What a host is told that has the newest policy, as far as it has one.
const NOTHING_NEW: &str = r#"{"protocol":1,"stand":{"incarnation":0,"seq":0},"issued_ms":0,"poll_after_ms":60000}"#;

type Shared = Arc<Mutex<Got>>;

async fn answer(request: Request<Incoming>, got: Shared) -> StatusCode {
    let (path, header) = (request.uri().path().to_owned(), request.headers().get("authorization").cloned());
    let credential = header.as_ref().and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let mut got = got.lock().unwrap();
    match (path.as_str(), credential.as_str()) {
        ("/api/v1/runs/puppet", "Bearer relay") => {
            let report = testimony::read(&body).unwrap().report;
            got.runs.push((report.host, report.kind, report.environment.unwrap().to_string()));
        }
        ("/prometheus/api/v1/write", "Bearer source") => {
            for series in remote_write::decode(&body, &remote_write::Limits::default()).unwrap() {
                let label = |wanted: &str| series.labels.iter().find(|(name, _)| name == wanted).unwrap().1.clone();
                got.samples.entry((label("__name__"), label("host"))).or_default().extend(series.samples);
            }
        }
        ("/api/v1/agent/poll", "Bearer relay") => got.polls += 1,
        (path, "Bearer relay") if path.starts_with("/api/v1/hosts/") => {
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            let host = path.trim_start_matches("/api/v1/hosts/").trim_end_matches("/facts");
            got.facts.push((host.to_owned(), body["release"].as_str().unwrap().to_owned()));
        }
        (path, _) => {
            got.strangers.push(path.to_owned());
            return StatusCode::UNAUTHORIZED;
        }
    }
    StatusCode::OK
}

async fn serve() -> (SocketAddr, Shared, JoinSet<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let (address, got) = (listener.local_addr().unwrap(), Shared::default());
    let (shared, mut tasks) = (Arc::clone(&got), JoinSet::new());
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let got = Arc::clone(&shared);
            let service = service_fn(move |request: Request<Incoming>| {
                let got = Arc::clone(&got);
                async move {
                    let polled = request.uri().path().ends_with("/poll");
                    let mut response = Response::new(Full::new(Bytes::from_static(if polled { NOTHING_NEW.as_bytes() } else { b"" })));
                    *response.status_mut() = answer(request, got).await;
                    Ok::<_, Infallible>(response)
                }
            });
            connections.spawn(async move {
                let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    (address, got, tasks)
}

fn spec() -> Spec {
    Spec {
        hosts: 4,
        backfill: Duration::from_secs(90),
        run_takes: Duration::from_millis(50),
        lasts: Duration::from_secs(20),
        ..Spec::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_night_is_sent_as_real_hosts_would_send_it() {
    let (address, got, _server) = serve().await;
    let fleet = Arc::new(LiveFleet::new(address, "relay", "source", spec()));
    let mut told = Vec::new();
    let short = Duration::from_millis(100);
    story::enrol(&fleet, |scene| told.push(scene.to_string())).await.unwrap();
    let stream = fleet.stream();
    story::good(&fleet, short, |scene| told.push(scene.to_string())).await.unwrap();
    assert_eq!(fleet.flowing(), 4);
    story::bad(&fleet, short, |scene| told.push(scene.to_string())).await.unwrap();
    assert_eq!(fleet.flowing(), 2);
    story::dark(&fleet, short, |scene| told.push(scene.to_string())).await.unwrap();
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    story::put_right(&fleet, short, |scene| told.push(scene.to_string())).await.unwrap();
    assert_eq!(fleet.flowing(), 4);
    let sent = stream.stop().await.unwrap();

    let got = got.lock().unwrap();
    assert_eq!(got.strangers, Vec::<String>::new());
    assert_eq!(got.polls, 2, "each gate asks before the run that it lets through");
    assert_eq!((sent.facts, sent.reports, sent.late), (6, 4 + 2 + 2 + 2 + 2, 0));
    assert_eq!(got.facts.iter().filter(|(_, release)| release == "142").count(), 2);
    let runs_of = |host: &str| got.runs.iter().filter(|run| run.0 == host).map(|run| (run.1.word(), run.2.as_str())).collect::<Vec<_>>();
    assert_eq!(runs_of("web01"), [("changed", "production"), ("changed", "production")]);
    assert_eq!(runs_of("web04"), [("changed", "production"), ("changed", "r142"), ("changed", "production"), ("changed", "r142")]);
    check_samples(&got);
    assert_eq!(told.len(), 2 + 2 + 2 + 3 + 2, "{told:?}");
}

/// One sample a second from each host and metric; the flow goes on where nothing happened, stops
/// where the wrong file came, and says nothing where the exporter is silent.
fn check_samples(got: &Got) {
    let of = |host: &str| &got.samples[&("sitemonitor_requests_total".to_owned(), host.to_owned())];
    assert_eq!(got.samples.len(), 8);
    for ((name, host), samples) in &got.samples {
        assert!(samples.len() >= 85, "{name} of {host}: {} samples", samples.len());
        assert!(samples.windows(2).all(|pair| pair[1].0 - pair[0].0 == 1000), "{name} of {host} is not one sample a second");
    }
    let last = |samples: &[(i64, f64)]| {
        let [.., before, last] = samples else { unreachable!("there are more than two") };
        last.1 - before.1
    };
    assert!(last(of("web03")) < f64::EPSILON, "the flow of web03 has stopped");
    assert!(of("web01").last().unwrap().0 < of("web03").last().unwrap().0, "web01 fell silent");
}

#[tokio::test]
async fn what_the_server_refuses_is_said_with_its_answer() {
    let (address, _got, _server) = serve().await;
    let fleet = LiveFleet::new(address, "nonsense", "source", spec());
    let failed = story::enrol(&fleet, |_| {}).await.unwrap_err();
    assert!(matches!(failed, LiveError::Refused { status: 401, .. }), "{failed}");
}

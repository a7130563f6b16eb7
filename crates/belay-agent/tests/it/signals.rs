//! Scraped targets and counted lines arrive at the server as samples with the host's label.

use std::io::{Read, Write};
use std::net::TcpListener;

use belay_adapters::sources::facade::{WireSeries, is_stale, remote_write};
use belay_core::model::gate::Enforce;

use crate::lab::{Lab, policy};
use crate::server::Server;

/// A target that answers once with this and then with nothing any more.
fn target(text: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        _ = stream.read(&mut request);
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", text.len());
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
    });
    address
}

fn received(server: &Server) -> Vec<WireSeries> {
    let writes = server.known.lock().unwrap().writes.clone();
    writes.iter().flat_map(|body| remote_write::decode(body, &remote_write::Limits::default()).unwrap()).collect()
}

fn label<'a>(series: &'a WireSeries, name: &str) -> &'a str {
    series.labels.iter().find(|(other, _)| other == name).map_or("", |(_, value)| value)
}

#[test]
fn a_target_is_scraped_and_its_end_is_told() {
    let server = Server::start(Some(policy(1, Enforce::Off)));
    let target = target("# TYPE requests_total counter\nrequests_total{code=\"200\",host=\"db01\"} 7\n");
    let lab = Lab::new(
        Some(&server.address),
        &format!("[[scrape]]\nurl = \"http://{target}/metrics\"\nevery = \"1s\"\nlabels = {{ job = \"app\" }}\n"),
    );
    let _daemon = lab.daemon();
    let values = |name: &str| {
        let of = |series: WireSeries| (label(&series, "__name__") == name).then(|| series.samples[0].1);
        received(&server).into_iter().filter_map(of).collect::<Vec<f64>>()
    };
    crate::server::until("that it is gone", || values("up").contains(&0.0));
    assert_eq!(values("up")[0], 1.0);
    let requests = values("requests_total");
    assert!(requests.len() == 2 && requests[0] == 7.0 && is_stale(requests[1]), "{requests:?}");
    let one = received(&server).into_iter().find(|series| label(series, "__name__") == "requests_total").unwrap();
    assert_eq!(["host", "exported_host", "job"].map(|name| label(&one, name)), ["web01.example.com", "db01", "app"]);
}

#[test]
fn lines_of_a_log_are_counted_and_the_last_ones_kept_on_the_host() {
    let server = Server::start(Some(policy(1, Enforce::Off)));
    let log = "[[log]]\nname = \"app\"\nfile = \"DIR/app.log\"\nevery = \"1s\"\npatterns = { dropped = \"request dropped\" }\n";
    let lab = Lab::new(Some(&server.address), log);
    std::fs::write(lab.path("app.log"), "request dropped, yesterday\n").unwrap();
    let _daemon = lab.daemon();
    let counts = || {
        let of = |series: WireSeries| (label(&series, "pattern") == "dropped").then(|| series.samples[0].1);
        received(&server).into_iter().filter_map(of).collect::<Vec<f64>>()
    };
    crate::server::until("a first count", || counts().first() == Some(&0.0));
    std::fs::write(lab.path("app.log"), "request dropped, yesterday\nERROR request dropped: unknown option\nok\n").unwrap();
    crate::server::until("the new count", || counts().last() == Some(&1.0));
    crate::server::until("the line", || {
        std::fs::read_to_string(lab.path("state/lines.json")).is_ok_and(|text| text.contains("unknown option"))
    });
    // The first line after a quiet hour is told at once, for whoever judges a change meanwhile.
    crate::server::until("that the server is told", || {
        let polls = server.known.lock().unwrap().polls.clone();
        let told = polls.iter().flat_map(|poll| poll.lines.clone()).find(|line| line.text.contains("unknown option"));
        told.is_some_and(|line| (line.log.as_str(), line.pattern.as_str(), line.since_ms == line.at_ms) == ("app", "dropped", true))
    });
}

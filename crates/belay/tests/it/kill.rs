//! Fault 18: kill -9 in the middle of a word, again and again. What was acknowledged is there afterwards, exactly once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use belay_adapters::sources::prometheus::WireSeries;
use belay_adapters::sources::prometheus::remote_write;
use belay_core::model::ids::Digest;

use crate::harness::Server;
use crate::reports::{DOOR, now_ms, report};
use crate::wire::Wire;

/// Cycles when BELAY_KILL_CYCLES does not say otherwise.
const CYCLES: u64 = 50;
const REPORTERS: u64 = 14;
const SAMPLERS: u64 = 4;
/// Acknowledged writes a second below which a cycle proves nothing.
const RATE_MIN: f64 = 200.0;
/// Cycles that may prove nothing before the test gives up.
const VOID_MAX: u64 = 25;

/// What the writers know to be acknowledged.
#[derive(Default)]
struct Acknowledged {
    /// The run of each report by its name; none where it was only said to be safe.
    reports: BTreeMap<String, Option<String>>,
    /// Timestamps of the samples of each sampler.
    samples: BTreeMap<u64, BTreeSet<i64>>,
    /// The report each reporter was not told of: it sends it again, as the tool would.
    unsure: BTreeMap<u64, (String, Vec<u8>)>,
}

#[test]
fn what_was_acknowledged_survives_kill_9_exactly_once() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let state = dir.path().join("state");
    let cycles = std::env::var("BELAY_KILL_CYCLES").ok().and_then(|text| text.parse().ok()).unwrap_or(CYCLES);
    let known = Mutex::new(Acknowledged::default());
    let (mut void, mut slowest, mut cycle) = (0, Duration::ZERO, 0);
    while cycle < cycles {
        let begun = Instant::now();
        let server = Server::start(&state, &[]);
        slowest = slowest.max(begun.elapsed());
        let rate = press_and_kill(server, cycle + void, &known);
        if rate < RATE_MIN {
            void += 1;
            assert!(void <= VOID_MAX, "{void} cycles were below {RATE_MIN} acknowledged writes a second; the last had {rate:.0}");
            continue;
        }
        cycle += 1;
    }
    let known = known.into_inner().expect("no writer panicked");
    let begun = Instant::now();
    let server = Server::start(&state, &[]);
    let last = begun.elapsed();
    let seen = check(&server, &known);
    println!(
        "{cycles} cycles ({void} void): {} reports and {} samples acknowledged, {seen} runs seen; restart at most {slowest:.1?}, the last {last:.1?}",
        known.reports.len(),
        known.samples.values().map(BTreeSet::len).sum::<usize>(),
    );
    assert!(last < Duration::from_secs(10), "the last restart took {last:?}");
}

/// One cycle; acknowledged writes a second.
fn press_and_kill(server: Server, cycle: u64, known: &Mutex<Acknowledged>) -> f64 {
    let (acks, over) = (AtomicU64::new(0), AtomicBool::new(false));
    let socket = server.socket();
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for writer in 0..REPORTERS {
            let (acks, over, socket) = (&acks, &over, &socket);
            scope.spawn(move || reporter(socket, cycle, writer, known, acks, over));
        }
        for writer in 0..SAMPLERS {
            let (acks, over, socket) = (&acks, &over, &socket);
            scope.spawn(move || sampler(socket, writer, known, acks, over));
        }
        std::thread::sleep(moment(cycle));
        over.store(true, Ordering::SeqCst);
        server.kill();
    });
    acks.load(Ordering::SeqCst) as f64 / begun.elapsed().as_secs_f64()
}

/// When the server of this cycle is killed: drawn, and the same in every run of the test.
fn moment(cycle: u64) -> Duration {
    let drawn = u16::from_le_bytes(Digest::of_parts(["kill", &cycle.to_string()]).0[..2].try_into().expect("two bytes"));
    Duration::from_millis(350 + u64::from(drawn) % 650)
}

/// Sends reports until the server dies under it.
fn reporter(socket: &Path, cycle: u64, writer: u64, known: &Mutex<Acknowledged>, acks: &AtomicU64, over: &AtomicBool) {
    let Ok(mut wire) = Wire::connect(socket) else { return };
    let host = format!("web{writer:02}.example.com");
    let again = known.lock().expect("no writer panicked").unsure.remove(&writer);
    for n in 0.. {
        let (name, bytes) = match (&again, n) {
            (Some(unsure), 0) => unsure.clone(),
            _ => {
                let name = format!("k-{cycle}-{writer}-{n}");
                let content = (n % 16 == 5).then(|| format!("content {cycle} {}", n / 16));
                let bytes = report(&host, &name, now_ms(), content.as_deref());
                (name, bytes)
            }
        };
        let answer = wire.ask("POST", DOOR, &[("content-type", "application/x-yaml")], &bytes);
        let mut known = known.lock().expect("no writer panicked");
        match answer {
            Ok(answer) if matches!(answer.status, 200 | 202) => {
                let run = serde_json::from_slice::<serde_json::Value>(&answer.body)
                    .ok()
                    .and_then(|value| Some(value["run"].as_str()?.to_owned()));
                known.reports.insert(name, run);
                acks.fetch_add(1, Ordering::Relaxed);
            }
            Ok(answer) if answer.status == 503 => {}
            Ok(answer) => panic!("{name}: {} {}", answer.status, String::from_utf8_lossy(&answer.body)),
            Err(error) => {
                assert!(over.load(Ordering::SeqCst), "the server went by itself: {error}");
                known.unsure.insert(writer, (name, bytes));
                return;
            }
        }
    }
}

/// Sends samples until the server dies under it: each body is one moment of a few series.
fn sampler(socket: &Path, writer: u64, known: &Mutex<Acknowledged>, acks: &AtomicU64, over: &AtomicBool) {
    let Ok(mut wire) = Wire::connect(socket) else { return };
    let mut last = known.lock().expect("no writer panicked").samples.get(&writer).and_then(|samples| samples.last().copied()).unwrap_or(0);
    loop {
        // Past the clock by what a second of hard work may give at most, so that no moment comes twice.
        last = now_ms().max(last + 1);
        let series = ["a", "b", "c"].map(|part| WireSeries { labels: labels(writer, part), samples: vec![(last, last as f64)] });
        match wire.ask("POST", "/api/v1/write", &remote_write::HEADERS, &remote_write::encode(&series)) {
            Ok(answer) if matches!(answer.status, 200 | 204) => {
                known.lock().expect("no writer panicked").samples.entry(writer).or_default().insert(last);
                acks.fetch_add(1, Ordering::Relaxed);
            }
            Ok(answer) if answer.status == 503 => {}
            Ok(answer) => panic!("samples: {} {}", answer.status, String::from_utf8_lossy(&answer.body)),
            Err(error) => {
                assert!(over.load(Ordering::SeqCst), "the server went by itself: {error}");
                return;
            }
        }
    }
}

fn labels(writer: u64, part: &str) -> Vec<(String, String)> {
    let labels = [("__name__", "kill_moment".to_owned()), ("part", part.to_owned()), ("writer", writer.to_string())];
    labels.map(|(name, value)| (name.to_owned(), value)).to_vec()
}

/// Everything acknowledged is there exactly once, and nothing is there twice; how many runs there are.
fn check(server: &Server, known: &Acknowledged) -> usize {
    let mut wire = Wire::connect(&server.socket()).expect("the server answers");
    let begun = Instant::now();
    let runs = loop {
        let runs = all_runs(&mut wire);
        let missing = known.reports.keys().filter(|name| !runs.contains_key(*name)).count();
        // What was only said to be safe is read from the inbox after the start.
        if missing == 0 || begun.elapsed() > Duration::from_secs(30) {
            assert_eq!(missing, 0, "{missing} of {} acknowledged reports are lost", known.reports.len());
            break runs;
        }
        std::thread::sleep(Duration::from_millis(200));
    };
    for (name, ids) in &runs {
        assert_eq!(ids.len(), 1, "{name} is there {} times: {ids:?}", ids.len());
    }
    for (name, run) in &known.reports {
        assert!(run.as_ref().is_none_or(|run| runs[name] == [run.clone()]), "{name} was acknowledged as {run:?} and is {:?}", runs[name]);
    }
    for (writer, acknowledged) in &known.samples {
        for part in ["a", "b", "c"] {
            check_samples(&mut wire, *writer, part, acknowledged);
        }
    }
    // More Changes than one page holds, by now: the command line turns the pages as well.
    let listed = server.ask(&["changes", "--limit", "1000000", "-o", "jsonl"]);
    assert_eq!(listed.out.lines().count(), count_of(&mut wire, "/api/v1/changes"), "{}", listed.err);
    runs.len()
}

/// How many entries a list of the API has.
fn count_of(wire: &mut Wire, path: &str) -> usize {
    let (mut count, mut after) = (0, String::new());
    loop {
        let page = wire.json(&format!("{path}?limit=100{after}"));
        count += page["items"].as_array().expect("a list").len();
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return count,
        }
    }
}

/// The runs of each report, by its name.
fn all_runs(wire: &mut Wire) -> BTreeMap<String, Vec<String>> {
    let mut runs: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut after = String::new();
    loop {
        let page = wire.json(&format!("/api/v1/runs?limit=500{after}"));
        for run in page["items"].as_array().expect("a list") {
            let text = |key: &str| run[key].as_str().unwrap_or_default().to_owned();
            runs.entry(text("version")).or_default().push(text("id"));
        }
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return runs,
        }
    }
}

fn check_samples(wire: &mut Wire, writer: u64, part: &str, acknowledged: &BTreeSet<i64>) {
    let (first, last) = (acknowledged.first().expect("some"), acknowledged.last().expect("some"));
    let range_s = (last - first) / 1000 + 60;
    let selector = format!("kill_moment%7Bwriter%3D%22{writer}%22%2Cpart%3D%22{part}%22%7D%5B{range_s}s%5D");
    let answer = wire.json(&format!("/api/v1/query?query={selector}&time={}", last / 1000 + 30));
    let series = answer["data"]["result"].as_array().expect("a list");
    assert_eq!(series.len(), 1, "writer {writer}, part {part}: {} series", series.len());
    let mut seen = BTreeSet::new();
    for sample in series[0]["values"].as_array().expect("samples") {
        let at = (sample[0].as_f64().expect("a time") * 1000.0).round() as i64;
        assert_eq!(sample[1].as_str().and_then(|text| text.parse().ok()), Some(at as f64), "writer {writer}, part {part} at {at}");
        assert!(seen.insert(at), "writer {writer}, part {part}: the sample at {at} is there twice");
    }
    let lost = acknowledged.difference(&seen).count();
    assert_eq!(lost, 0, "writer {writer}, part {part}: {lost} of {} acknowledged samples are lost", acknowledged.len());
}

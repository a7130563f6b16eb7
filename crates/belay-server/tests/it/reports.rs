//! Reports come in by the doors: repeated, truncated, foreign, oversized, hostile.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::world::{World, door, recorded, report_of, until};

/// So many zeros, gzipped, without ever holding them.
fn bomb(zeros: u64) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::fast());
    std::io::copy(&mut std::io::repeat(0).take(zeros), &mut out).unwrap();
    out.finish().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_is_one_run_however_often_it_comes() {
    let world = World::start().await;
    let first = world.report(recorded("unchanged")).await;
    assert_eq!((first.status.as_u16(), first.json()), (200, serde_json::json!({"run": "run-1", "duplicate": false})));
    let again = world.report(recorded("unchanged")).await;
    assert_eq!((again.status.as_u16(), again.json()), (200, serde_json::json!({"run": "run-1", "duplicate": true})));
    let zipped = world.send("POST", door(), &world.relay, &[("content-encoding", "gzip")], gzip(recorded("unchanged").as_bytes())).await;
    assert_eq!(zipped.json()["duplicate"], true);

    let body = report_of("changed-first-run", "web02", 2);
    let hundred = (0..100).map(|_| world.report(body.clone()));
    let mut set = Vec::new();
    for answer in join_all(hundred).await {
        assert_eq!(answer.status, 200);
        set.push(answer.json());
    }
    assert_eq!(set.iter().filter(|answer| answer["duplicate"] == false).count(), 1);
    assert!(set.iter().all(|answer| answer["run"] == "run-2"));
    assert_eq!(world.see("/api/v1/runs").await["items"].as_array().unwrap().len(), 2);
    let inbox = world.see("/api/v1/doctor").await["checks"].as_array().unwrap().iter().find(|c| c["name"] == "inbox").cloned().unwrap();
    assert!(inbox["text"].as_str().unwrap().starts_with("0 reports"), "{inbox}");
}

async fn join_all<T>(futures: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut pinned: Vec<_> = futures.map(Box::pin).collect();
    let mut done: Vec<Option<T>> = pinned.iter().map(|_| None).collect();
    std::future::poll_fn(move |context| {
        for (future, slot) in pinned.iter_mut().zip(&mut done) {
            if slot.is_none()
                && let std::task::Poll::Ready(value) = future.as_mut().poll(context)
            {
                *slot = Some(value);
            }
        }
        if done.iter().all(Option::is_some) {
            return std::task::Poll::Ready(done.iter_mut().map(|slot| slot.take().unwrap()).collect());
        }
        std::task::Poll::Pending
    })
    .await
}

#[tokio::test]
async fn an_old_run_is_known_again_though_the_state_has_forgotten_it() {
    let world = World::start().await;
    for id in 0..12 {
        assert_eq!(world.report(report_of("unchanged", "web01", id)).await.json()["duplicate"], false);
    }
    assert_eq!(world.report(report_of("unchanged", "web01", 0)).await.json(), serde_json::json!({"run": "run-1", "duplicate": true}));
}

#[tokio::test]
async fn a_truncated_report_is_put_aside_and_the_host_shows_it() {
    let world = World::start().await;
    let whole = recorded("changed-first-run");
    world.report(report_of("unchanged", "web01.example.com", 7)).await;
    let cut = world.report(whole[..whole.len() / 2].to_owned()).await;
    assert_eq!(cut.status, 400);
    assert_eq!(cut.header("content-type"), "application/problem+json");
    let problem = cut.json();
    assert!(problem["detail"].as_str().unwrap().contains("at byte "), "{problem}");
    assert!(problem["request_id"].as_str().unwrap().starts_with("req-"));
    assert_eq!(cut.header("x-request-id"), problem["request_id"]);
    let put_aside = world.see("/api/v1/quarantine").await;
    assert_eq!(put_aside["items"][0]["bytes"], whole.len() / 2);
    let host = world.see("/api/v1/hosts/web01.example.com").await;
    assert!(host["trouble"]["text"].as_str().unwrap().contains("not a readable report"), "{host}");
    assert_eq!(world.see("/api/v1/status").await["hosts_in_trouble"], 1);
    assert_eq!(world.see("/api/v1/runs").await["items"].as_array().unwrap().len(), 1, "never a part of a run");
    assert_eq!(world.report(whole).await.status, 200);
    assert_eq!(world.see("/api/v1/hosts/web01.example.com").await["trouble"], serde_json::Value::Null);
}

#[tokio::test]
async fn another_content_under_the_same_id_is_a_conflict_that_security_hears_of() {
    let world = World::start().await;
    world.report(report_of("unchanged", "web01", 1)).await;
    let other = world.report(report_of("changed-first-run", "web01", 1)).await;
    assert_eq!(other.status, 409, "{:?}", other.body);
    assert_eq!(world.see("/api/v1/quarantine").await["items"].as_array().unwrap().len(), 1);
    let audit = world.see("/api/v1/audit?kind=security").await;
    assert_eq!(audit["items"][0]["host"], "web01", "{audit}");
    assert_eq!(world.see("/api/v1/runs").await["items"][0]["kind"], "unchanged", "the first one stays");
}

#[tokio::test]
async fn nobody_reports_for_another_host() {
    let world = World::start().await;
    let secret = world.token("web02", "host", "web02").await;
    let foreign = world.send("POST", door(), &secret, &[], report_of("unchanged", "web01", 1)).await;
    assert_eq!(foreign.status, 403);
    let own = world.send("POST", door(), &secret, &[], report_of("unchanged", "web02", 2)).await;
    assert_eq!(own.status, 200);
    assert!(world.running.state().hosts.keys().all(|host| host.as_str() == "web02"));
    let audit = world.see("/api/v1/audit?kind=security").await;
    let named: Vec<_> = audit["items"].as_array().unwrap().iter().map(|note| note["host"].clone()).collect();
    assert_eq!(named, ["web02", "web01"], "both hosts are named");
    let facts = world.send("PUT", "/api/v1/hosts/web01/facts", &secret, &[], "{\"facts\":{}}").await;
    assert_eq!(facts.status, 403);
}

#[tokio::test]
async fn what_is_too_large_is_refused_while_it_streams() {
    let world = World::with(|options| {
        options.bounds.bodies.report = 1 << 20;
        options.bounds.bodies.inflated = 4 << 20;
    })
    .await;
    let large = world.report(vec![b' '; (1 << 20) + 1]).await;
    assert_eq!(large.status, 413);
    let bomb = bomb(64 << 20);
    assert!(bomb.len() < 1 << 20, "{}", bomb.len());
    let bombed = world.send("POST", door(), &world.relay, &[("content-encoding", "gzip")], bomb).await;
    assert_eq!(bombed.status, 413);
    let odd = world.send("POST", door(), &world.relay, &[("content-encoding", "br")], "x").await;
    assert_eq!(odd.status, 415);
    assert!(world.see("/api/v1/quarantine").await["items"].as_array().unwrap().is_empty(), "nothing of it was kept");
}

#[tokio::test]
async fn a_bomb_gets_no_memory() {
    let world = World::start().await;
    let bomb = bomb(140 << 20);
    let zipped = [("content-encoding", "gzip")];
    world.send("POST", door(), &world.relay, &zipped, gzip(b"half a rep")).await;
    let before = peak_kib();
    assert_eq!(world.send("POST", door(), &world.relay, &zipped, bomb).await.status, 413);
    assert!(peak_kib() - before < 50 << 10, "{} KiB more", peak_kib() - before);
}

/// The most memory this process ever had.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_at_once_is_taken_and_read_later() {
    let world = World::with(|options| options.bounds.queue = 0).await;
    let later = world.report(report_of("unchanged", "web01", 1)).await;
    assert_eq!(later.status, 202);
    until("the report is read", || async { world.running.state().counters.runs == 1 }).await;
}

#[tokio::test]
async fn a_full_inbox_says_so_and_when_to_come_again() {
    let world = World::with(|options| {
        options.bounds.queue = 0;
        options.bounds.drive.inbox_rows = 0;
    })
    .await;
    let full = world.report(recorded("unchanged")).await;
    assert_eq!((full.status.as_u16(), full.header("retry-after")), (503, "30"));
}

#[tokio::test]
async fn facts_set_class_and_release_and_show_on_the_host() {
    let world = World::start().await;
    let facts = "{\"release\":\"142\",\"facts\":{\"role\":\"web\"}}";
    let set = world.send("PUT", "/api/v1/hosts/Web01/facts", &world.relay, &[], facts).await;
    assert_eq!(set.status, 200, "{:?}", set.body);
    assert_eq!((set.json()["name"].clone(), set.json()["release"].clone()), ("web01".into(), "142".into()));
    let bad = world.send("PUT", "/api/v1/hosts/web01/facts", &world.relay, &[], "{\"release\":\"a/b\"}").await;
    assert_eq!((bad.status.as_u16(), bad.json()["errors"][0]["pointer"].clone()), (422, "/release".into()));
    for host in ["..%2f..%2fetc", "%2e%2e", "a%00b", "%F0%9F%98%80"] {
        let bad = world.send("PUT", &format!("/api/v1/hosts/{host}/facts"), &world.relay, &[], "{}").await;
        assert_eq!(bad.status, 400, "{host}: {:?}", bad.body);
    }
}

#[tokio::test]
async fn a_disk_that_is_nearly_full_takes_nothing_and_shows_everything() {
    use std::sync::atomic::Ordering;
    let world = World::start().await;
    assert_eq!(world.report(report_of("unchanged", "web01", 1)).await.status, 200);
    world.running.drive().counts().disk_low.store(true, Ordering::Relaxed);
    let refused = world.report(report_of("unchanged", "web01", 2)).await;
    assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (503, "300"));
    assert_eq!(world.see("/api/v1/runs").await["items"].as_array().unwrap().len(), 1);
    world.running.drive().counts().disk_low.store(false, Ordering::Relaxed);
    assert_eq!(world.report(report_of("unchanged", "web01", 2)).await.status, 200, "it recovers without hand work");
}

#[tokio::test]
async fn lists_come_in_pages_of_a_stable_order() {
    let world = World::start().await;
    for id in 0..7 {
        world.report(report_of("unchanged", if id % 2 == 0 { "web01" } else { "web02" }, id)).await;
    }
    let mut seen = Vec::new();
    let mut path = "/api/v1/runs?limit=3".to_owned();
    loop {
        let page = world.see(&path).await;
        seen.extend(page["items"].as_array().unwrap().iter().map(|run| run["id"].as_str().unwrap().to_owned()));
        // What comes in between changes nothing in the pages to come.
        world.report(report_of("unchanged", "web03", 100 + u32::try_from(seen.len()).unwrap())).await;
        match page["next"].as_str() {
            Some(next) => path = format!("/api/v1/runs?limit=3&after={next}"),
            None => break,
        }
    }
    assert_eq!(seen, (1..=7).rev().map(|n| format!("run-{n}")).collect::<Vec<_>>());
    assert_eq!(world.see("/api/v1/runs?host=web02").await["items"].as_array().unwrap().len(), 3);
    let hosts = world.see("/api/v1/hosts?limit=2").await;
    assert_eq!((hosts["items"].as_array().unwrap().len(), hosts["next"].as_str()), (2, Some("web02")));
    let rest = world.see("/api/v1/hosts?limit=2&after=web02").await;
    assert_eq!((rest["items"][0]["name"].as_str(), rest["next"].as_str()), (Some("web03"), None));
    let run = world.see("/api/v1/runs/run-1").await;
    assert_eq!((run["host"].as_str(), run["kind"].as_str()), (Some("web01"), Some("unchanged")));
}

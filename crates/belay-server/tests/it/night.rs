//! The night it exists for, small: a change comes to some hosts of a class, their flow stops, the
//! peers' does not. And how those who should know are told.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use belay_adapters::sources::facade_roots;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Mutex;

use super::samples::body;
use super::world::{World, report_of, until};

const MINUTE: i64 = 60_000;
/// A little after the recorded reports of the story were written.
const ONSET: i64 = 1_795_331_320_000;

/// A receiver that answers what it is told to, in order, the last one for ever.
pub struct Receiver {
    pub url: String,
    pub letters: Arc<Mutex<Vec<Value>>>,
    asked: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Receiver {
    pub async fn answering(answers: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let (letters, asked) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
        let (kept, count) = (Arc::clone(&letters), Arc::clone(&asked));
        let task = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = Vec::new();
                let letter = loop {
                    let mut part = [0; 4096];
                    let read = stream.read(&mut part).await.unwrap();
                    request.extend_from_slice(&part[..read]);
                    let text = String::from_utf8_lossy(&request);
                    let body = text.split_once("\r\n\r\n").and_then(|(_, body)| serde_json::from_str(body).ok());
                    match body {
                        Some(letter) => break letter,
                        None => assert!(read > 0, "the request broke off"),
                    }
                };
                let n = count.fetch_add(1, Ordering::SeqCst);
                kept.lock().await.push(letter);
                let status = answers[n.min(answers.len() - 1)];
                let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        Self { url, letters, asked, task }
    }

    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn config(dir: &std::path::Path, hooks: &[&str]) -> std::path::PathBuf {
    let mut text = "[[class]]\nname = \"web\"\nhosts = [\"web*\"]\nbake = \"5m\"\nhorizon = \"30m\"\ngrace = \"1m\"\n\n\
        [[signal]]\nname = \"requests\"\nclass = \"web\"\nkind = \"flow\"\nharm = \"down\"\nmust_have = true\n\
        select = \"requests_total\"\nhost_label = \"instance\"\nreading = \"counter\"\nstep = \"60s\"\n"
        .to_owned();
    for (n, hook) in hooks.iter().enumerate() {
        text.push_str(&format!("\n[[alert]]\nname = \"ops{n}\"\nurl = \"{hook}\"\n"));
    }
    let path = dir.join("belay.toml");
    std::fs::write(&path, text).unwrap();
    path
}

/// Ten hosts with their first run an hour ago; two of them get something else now.
async fn a_change_comes(world: &World) {
    for host in 0..10 {
        let first = world.report(report_of("incident-1-steady-141", &format!("web{host}"), host)).await;
        assert_eq!(first.status, 200, "{:?}", first.body);
    }
    for host in 0..2 {
        let second = world.report(report_of("incident-2-manual-142", &format!("web{host}"), 100 + host)).await;
        assert_eq!(second.status, 200, "{:?}", second.body);
    }
    assert_eq!(world.running.state().open_changes().count(), 1);
}

/// One sample a minute of each host, up to now; those of the first two stop counting at `stop`.
async fn samples(world: &World, from: i64, to: i64, stop: i64) {
    let hosts: Vec<String> = (0..10).map(|host| format!("web{host}:9100")).collect();
    let labels: Vec<[(&str, &str); 2]> = hosts.iter().map(|host| [("__name__", "requests_total"), ("instance", host.as_str())]).collect();
    let rows: Vec<Vec<(i64, f64)>> = (0..10)
        .map(|host| {
            let counted = |at: i64| if host < 2 { at.min(stop) } else { at };
            (from..to).step_by(60_000).map(|at| (at, (counted(at) - from) as f64 / 100.0)).collect()
        })
        .collect();
    let series: Vec<_> = labels.iter().zip(&rows).map(|(labels, row)| (&labels[..], &row[..])).collect();
    let path = format!("{}/write", facade_roots()[0]);
    let answer = world.send("POST", &path, &world.admin, &[], body(&series)).await;
    assert_eq!(answer.status, 204, "{:?}", answer.body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flow_that_stops_on_the_changed_hosts_is_rejected_and_told() {
    let receiver = Receiver::answering(&["200 OK"]).await;
    let config_dir = tempfile::tempdir().unwrap();
    let path = config(config_dir.path(), &[&receiver.url]);
    let world = World::at(ONSET, |options| options.config = Some(path)).await;
    a_change_comes(&world).await;
    samples(&world, ONSET - 240 * MINUTE, ONSET + MINUTE, ONSET).await;
    let lint = world.see("/api/v1/lint").await;
    assert_eq!((lint["ok"].clone(), lint["signals"][0]["hosts_with_data"].clone()), (true.into(), 10.into()), "{lint}");
    world.clock.store(ONSET + 12 * MINUTE, Ordering::SeqCst);
    samples(&world, ONSET - 240 * MINUTE, ONSET + 12 * MINUTE, ONSET).await;
    until("the Change is rejected", || async { world.see("/api/v1/changes/c-1").await["standing"] == "rejected" }).await;
    let change = world.see("/api/v1/changes/c-1").await;
    assert!(change["verdict"]["findings"][0]["code"].as_str().unwrap().starts_with("flow"), "{change}");
    until("the receiver was told", || async { receiver.asked() == 1 }).await;
    let letter = receiver.letters.lock().await[0].clone();
    assert!(letter["data"]["title"].as_str().unwrap().contains("REJECTED"), "{letter}");
    assert_eq!(letter["data"]["details"]["key"], "belay/c-1");

    let evidence = world.see("/api/v1/changes/c-1/evidence").await.to_string();
    let (trial, kept) = belay_api::journal::case_from_json(&evidence).unwrap();
    let again = belay_core::judge::judge(&trial, &kept);
    assert_eq!(again.standing.word(), "rejected", "the verdict can be given again from what was kept");
    assert!(!world.see("/api/v1/why/c-1").await["lines"].as_array().unwrap().is_empty());
    assert!(!world.see("/api/v1/why/web0").await["lines"].as_array().unwrap().is_empty());
    let before = world.running.state().to_facts();
    let world = world.again(|options| options.config = Some(config(config_dir.path(), &[&receiver.url]))).await;
    assert_eq!(world.running.state().to_facts(), before);
    assert_eq!(world.see("/api/v1/changes?standing=rejected").await["items"].as_array().unwrap().len(), 1);
}

async fn rejected_by_hand(world: &World) {
    a_change_comes(world).await;
    let because = "{\"reason\":\"it smells\"}";
    let blind = world.send("POST", "/api/v1/changes/c-1/reject", &world.admin, &[("if-match", "\"00000000\"")], because).await;
    assert_eq!(blind.status, 412, "{}", blind.json());
    assert_eq!(world.send("POST", "/api/v1/changes/c-1/reject", &world.admin, &[("if-match", "later")], because).await.status, 400);
    let mark = format!("{:?}", world.see("/api/v1/changes/c-1").await["evidence_mark"].as_str().unwrap());
    let ruled = world.send("POST", "/api/v1/changes/c-1/reject", &world.admin, &[("if-match", mark.leak())], because).await;
    assert_eq!(ruled.status, 200, "{:?}", ruled.body);
    assert_eq!(ruled.json()["verdict"]["reason"], "it smells");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alert_is_tried_again_until_it_is_delivered_and_then_no_more() {
    let receiver = Receiver::answering(&["500 Oh", "200 OK"]).await;
    let config_dir = tempfile::tempdir().unwrap();
    let path = config(config_dir.path(), &[&receiver.url]);
    let world = World::at(ONSET, |options| options.config = Some(path)).await;
    rejected_by_hand(&world).await;
    until("the first try is recorded", || async { world.see("/api/v1/alerts").await["items"][0]["attempts"] == 1 }).await;
    let waiting = world.see("/api/v1/alerts").await;
    assert!(waiting["items"][0]["last_error"].as_str().unwrap().contains("500"), "{waiting}");
    assert_eq!(receiver.asked(), 1, "not before it is due");
    world.advance(Duration::from_secs(2));
    until("it is delivered", || async { world.see("/api/v1/alerts").await["items"].as_array().unwrap().is_empty() }).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(receiver.asked(), 2);
    let letters = receiver.letters.lock().await;
    assert_eq!(letters[0]["data"]["key"], letters[1]["data"]["key"], "the receiver can tell that it is the same");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redirect_is_refused_shown_and_holds_up_nobody_else() {
    let (moved, well) =
        (Receiver::answering(&["302 Found\r\nlocation: http://127.0.0.1:1/inside"]).await, Receiver::answering(&["204 No"]).await);
    let deaf = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hangs = format!("http://{}/", deaf.local_addr().unwrap());
    let config_dir = tempfile::tempdir().unwrap();
    let path = config(config_dir.path(), &[&hangs, &moved.url, &well.url]);
    let world = World::at(ONSET, |options| {
        options.config = Some(path);
        options.bounds.client.timeout = Duration::from_secs(1);
    })
    .await;
    rejected_by_hand(&world).await;
    until("the healthy one is told", || async { well.asked() == 1 }).await;
    let dead = || async {
        let alerts = world.see("/api/v1/alerts").await;
        alerts["items"].as_array().unwrap().iter().any(|alert| alert["receiver"] == "ops1" && alert["dead"] == true)
    };
    until("the moved one is given up", dead).await;
    assert_eq!(moved.asked(), 1);
    let doctor = world.see("/api/v1/doctor").await;
    assert!(doctor["checks"].as_array().unwrap().iter().any(|check| check["name"] == "alerts" && check["ok"] == false), "{doctor}");
    let late = || async {
        let alerts = world.see("/api/v1/alerts").await;
        let hanging = alerts["items"].as_array().unwrap().iter().find(|alert| alert["receiver"] == "ops0").cloned().unwrap();
        hanging["last_error"].as_str().is_some_and(|text| text.contains("no answer within"))
    };
    until("the one that hangs is tried again later", late).await;
    assert_eq!(world.see("/api/v1/status").await["dead_letters"], 1);
}

#[tokio::test]
async fn a_configuration_with_a_mistake_is_refused_whole_and_the_old_one_stays() {
    let config_dir = tempfile::tempdir().unwrap();
    let path = config(config_dir.path(), &[]);
    let world = World::with(|options| options.config = Some(path.clone())).await;
    assert_eq!(world.running.state().policy.signals.len(), 1);
    std::fs::write(&path, "[[class]]\nname = \"db\"\nhosts = [\"db*\"]\n\n[[signal]]\nname = \"x\"\nkind = \"mood\"\n").unwrap();
    let refused = world.running.reload().await.unwrap_err().to_string();
    assert!(refused.contains("belay.toml:7"), "{refused}");
    assert_eq!(world.running.state().policy.signals.len(), 1);
    let check =
        |doctor: Value| doctor["checks"].as_array().unwrap().iter().find(|check| check["name"] == "configuration").cloned().unwrap();
    let sick = check(world.see("/api/v1/doctor").await);
    assert!(sick["ok"] == false && sick["text"].as_str().unwrap().contains("1 since the start"), "{sick}");
    std::fs::write(&path, "[[class]]\nname = \"db\"\nhosts = [\"db*\"]\n").unwrap();
    std::fs::create_dir(config_dir.path().join("belay.toml.d")).unwrap();
    std::fs::write(config_dir.path().join("belay.toml.d/10.toml"), "[[class]]\nname = \"web\"\nhosts = [\"web*\"]\n").unwrap();
    world.running.reload().await.unwrap();
    let classes: Vec<String> = world.running.state().policy.classes.iter().map(|class| class.name.to_string()).collect();
    assert_eq!(classes, ["db", "web"]);
    assert_eq!(check(world.see("/api/v1/doctor").await)["ok"], true);
    std::fs::write(&path, "nonsense").unwrap();
    let (options, ..) = super::world::options(config_dir.path());
    assert!(belay_server::start(belay_server::Options { config: Some(path), ..options }).await.is_err(), "nor does a server start with it");
}

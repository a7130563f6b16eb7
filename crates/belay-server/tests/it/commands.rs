//! What the servers of the first tool really sent, byte for byte, over real connections: commands by the door
//! of its database, reports by the stock processor.

use std::path::PathBuf;
use std::time::Duration;

use belay_core::model::policy::Pattern;
use belay_core::model::principal::Principal;
use belay_core::model::time::Timestamp;
use belay_server::ledger::{Deposit, Ledger};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::world::{NOON, World, door, recorded, until};

const HOST: &str = "web01.example.com";
const DOOR: &str = "/pdb/cmd/v1";

fn file(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../belay-adapters/src/tools/puppet/fixtures");
    std::fs::read(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The recorded commands, by name.
fn commands() -> Vec<String> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../belay-adapters/src/tools/puppet/fixtures/commands");
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter_map(|name| name.strip_suffix(".head").map(str::to_owned)).collect();
    names.sort();
    assert_eq!(names.len(), 15);
    names
}

/// The recorded query of a command.
fn query(name: &str) -> String {
    let head = String::from_utf8(file(&format!("commands/{name}.head"))).unwrap();
    head.split_whitespace().nth(1).unwrap().split_once('?').unwrap().1.to_owned()
}

/// Sends a recorded request with its own headers, by this credential: status, headers and body of the answer.
async fn replay(world: &World, secret: &str, head: &str, path: &str, body: &[u8]) -> (u16, String, String) {
    let mut stream = TcpStream::connect(world.running.address()).await.unwrap();
    let mut lines = head.lines();
    let first = lines.next().unwrap();
    let query = first.split_once('?').map_or(String::new(), |(_, rest)| format!("?{}", rest.split(' ').next().unwrap()));
    let mut text = format!("POST {path}{query} HTTP/1.1\r\nAuthorization: Bearer {secret}\r\n");
    let headers: Vec<&str> = lines.filter(|line| !line.starts_with('#')).collect();
    let chunked = headers.iter().any(|line| line.eq_ignore_ascii_case("transfer-encoding: chunked"));
    let closes = headers.iter().any(|line| line.eq_ignore_ascii_case("connection: close"));
    headers.iter().for_each(|line| text.push_str(&format!("{line}\r\n")));
    text.push_str(if closes { "\r\n" } else { "Connection: close\r\n\r\n" });
    stream.write_all(text.as_bytes()).await.unwrap();
    if chunked {
        for piece in body.chunks(700) {
            stream.write_all(format!("{:x}\r\n", piece.len()).as_bytes()).await.unwrap();
            stream.write_all(piece).await.unwrap();
            stream.write_all(b"\r\n").await.unwrap();
        }
        stream.write_all(b"0\r\n\r\n").await.unwrap();
    } else {
        stream.write_all(body).await.unwrap();
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), head.to_ascii_lowercase(), body.to_owned())
}

async fn command(world: &World, name: &str) -> Value {
    command_by(world, &world.relay, name).await
}

async fn command_by(world: &World, secret: &str, name: &str) -> Value {
    let head = String::from_utf8(file(&format!("commands/{name}.head"))).unwrap();
    let (status, headers, body) = replay(world, secret, &head, DOOR, &file(&format!("commands/{name}.body.gz"))).await;
    assert_eq!(status, 200, "{name}: {body}");
    assert!(headers.contains("content-type: application/json"), "{headers}");
    serde_json::from_str(&body).unwrap_or_else(|error| panic!("{name}: {error}: {body}"))
}

/// Waits until everything that was acknowledged is read.
async fn read(world: &World) {
    let waits = || async {
        world.see("/api/v1/doctor").await["checks"]
            .as_array()
            .unwrap()
            .iter()
            .any(|check| check["name"] == "inbox" && check["text"].as_str().unwrap().starts_with("0 reports"))
    };
    until("the inbox is empty", waits).await;
}

async fn check(world: &World, name: &str) -> Option<Value> {
    world.see("/api/v1/doctor").await["checks"].as_array().unwrap().iter().find(|check| check["name"] == name).cloned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_recorded_command_is_acknowledged_and_understood() {
    let world = World::start().await;
    let mut ids = Vec::new();
    for name in commands() {
        let answer = command(&world, &name).await;
        ids.push(answer["uuid"].as_str().unwrap().to_owned());
        assert_eq!(ids.last().unwrap().len(), 36, "{answer}");
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 15);
    read(&world).await;
    assert_eq!(world.see("/api/v1/quarantine").await["items"], serde_json::json!([]));
    let runs = world.see("/api/v1/runs").await;
    let mut kinds: Vec<&str> = runs["items"].as_array().unwrap().iter().map(|run| run["kind"].as_str().unwrap()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["changed", "changed", "changed", "no-catalog", "refused", "unchanged", "unchanged"]);
    let host = world.see(&format!("/api/v1/hosts/{HOST}")).await;
    assert_eq!((&host["facts"]["os.family"], &host["trouble"]), (&"Debian".into(), &Value::Null), "{host}");
    assert!(host["facts"].get("load_averages.1m").is_none(), "{host}");
    let feeds = check(&world, "feeds").await.unwrap();
    assert_eq!(feeds["ok"], true, "{feeds}");
    assert!(feeds["text"].as_str().unwrap().contains("1 messages were passed over since the start, 2 had another checksum"), "{feeds}");
    assert!(world.see("/api/v1/status").await["feeds"][0].as_str().unwrap().starts_with("puppetdb from relay:*"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_recorded_posts_of_the_stock_processor_are_taken() {
    let world = World::start().await;
    for (name, host) in [("puppetserver-changed", HOST), ("puppet-apply-changed", "")] {
        let head = String::from_utf8(file(&format!("http/{name}.head"))).unwrap();
        let (status, _, body) = replay(&world, &world.relay, &head, door(), &file(&format!("http/{name}.body.yaml"))).await;
        assert_eq!(status, 200, "{body}");
        let answer: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(answer["duplicate"], false);
        let run = world.see(&format!("/api/v1/runs/{}", answer["run"].as_str().unwrap())).await;
        assert!(host.is_empty() || run["host"] == host, "{run}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_comes_by_two_roads_is_one_run() {
    let pairs = [
        ("big200-all-changed-store_report", "big200-all-changed"),
        ("big200-unchanged-include_unchanged-store_report", "big200-unchanged"),
        ("env-switch-5-store_report", "enc-overrides-agent-env"),
        ("enc-failed-store_report", "enc-exit1"),
        ("prerun-refused-store_report", "prerun-refused"),
    ];
    for by_terminus_first in [true, false] {
        let world = World::start().await;
        for (command_name, yaml) in pairs {
            if by_terminus_first {
                command(&world, command_name).await;
                read(&world).await;
                assert_eq!(world.report(recorded(yaml)).await.json()["duplicate"], true, "{yaml}");
            } else {
                assert_eq!(world.report(recorded(yaml)).await.json()["duplicate"], false, "{yaml}");
                command(&world, command_name).await;
            }
        }
        read(&world).await;
        assert_eq!(world.see("/api/v1/runs").await["items"].as_array().unwrap().len(), pairs.len());
        assert_eq!(world.see("/api/v1/quarantine").await["items"], serde_json::json!([]));
        assert_eq!(world.see("/api/v1/audit?kind=security").await["items"], serde_json::json!([]));
        assert_eq!(world.see("/api/v1/audit?kind=warning").await["items"], serde_json::json!([]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_door_of_reports_takes_json_and_a_run_in_both_forms_is_one() {
    let world = World::start().await;
    for (nth, name) in ["changed-env-switched", "failed-resource", "failed-compile-cached-catalog-used"].into_iter().enumerate() {
        let json = file(&format!("json/{name}.json"));
        let answer = world
            .send("POST", door(), &world.relay, &[("content-type", "application/json"), ("content-encoding", "gzip")], gzip(&json))
            .await;
        assert_eq!(answer.json(), serde_json::json!({"run": format!("run-{}", nth + 1), "duplicate": false}));
        assert_eq!(world.report(recorded(name)).await.json()["duplicate"], true, "{name}");
    }
    assert_eq!(world.see("/api/v1/quarantine").await["items"], serde_json::json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_see_what_is_offered_and_what_came_as_lines_of_the_files() {
    let world = World::start().await;
    for name in ["env-switch-3-replace_facts", "env-switch-4-replace_catalog", "env-switch-5-store_report"] {
        command(&world, name).await;
        read(&world).await;
    }
    command(&world, "env-r142-replace_catalog").await;
    read(&world).await;
    // Before it is applied: what would come.
    let offered = world.see(&format!("/api/v1/hosts/{HOST}/diff")).await;
    assert_eq!((offered["environment"].as_str(), offered["version"].as_str()), (Some("r142"), Some("r142-94f21930c957")));
    let differs = offered["differs"].as_array().unwrap();
    assert_eq!(differs.len(), 1, "{offered}");
    assert_eq!(differs[0]["item"], "File[/opt/sitemonitor/etc/sitemonitor.conf] content");
    let lines = |diff: &Value| diff.as_str().unwrap().lines().map(str::to_owned).collect::<Vec<_>>();
    let expected = |said: &[String]| {
        said.iter().any(|line| line == "+format = v2") && said.iter().any(|line| line.starts_with("-") && line.contains("141"))
    };
    assert!(expected(&lines(&differs[0]["diff"])), "{offered}");
    // Afterwards: what came.
    command(&world, "env-r142-store_report").await;
    read(&world).await;
    let change = world.see("/api/v1/changes/c-1").await;
    let item = change["items"].as_array().unwrap().iter().find(|item| item["item"].as_str().unwrap().contains("sitemonitor.conf")).unwrap();
    assert!(expected(&lines(&item["diff"])), "{change}");
    let why = world.see("/api/v1/why/c-1").await;
    let said: Vec<&str> = why["lines"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    assert!(
        said.contains(&"text of File[/opt/sitemonitor/etc/sitemonitor.conf] content:") && said.contains(&"  +format = v2"),
        "{said:#?}"
    );
    let offered = world.see(&format!("/api/v1/hosts/{HOST}/diff")).await;
    assert_eq!(offered["differs"], serde_json::json!([]), "it has what it was offered");
    assert_eq!(world.get("/api/v1/hosts/web09/diff").await.status, 404);
    // The texts survive a restart, and so does what was offered.
    let world = world.again(|_| {}).await;
    assert!(expected(&lines(
        &world.see("/api/v1/changes/c-1").await["items"].as_array().unwrap().iter().find(|item| !item["diff"].is_null()).unwrap()["diff"]
    )));
    assert_eq!(world.see(&format!("/api/v1/hosts/{HOST}/diff")).await["environment"], "r142");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_in_a_command_is_ever_refused_to_its_sender() {
    let world = World::start().await;
    let post = |query: &str, body: &'static [u8]| {
        let path = format!("{DOOR}?{query}");
        let world = &world;
        async move { world.send("POST", &path, &world.relay, &[], body).await }
    };
    let bomb: &'static [u8] = Box::leak(gzip(&vec![b' '; 64 << 20]).into_boxed_slice());
    for (query, body) in [
        ("command=store_report&version=8&certname=web01", &b"not JSON"[..]),
        ("command=store_report&version=8&certname=web01", &b"\x1f\x8bnot gzip"[..]),
        ("command=replace_facts&version=5&certname=web01", &b"{\"certname\":\"../../x\",\"values\":{}}"[..]),
        ("command=replace_facts&version=5&certname=web02", &b"{\"certname\":\"web01\",\"values\":{}}"[..]),
        ("command=replace_catalog&version=9&certname=web01", &b""[..]),
        ("command=store_report&version=8&certname=web01", bomb),
    ] {
        let answer = post(query, body).await;
        assert_eq!(answer.status, 200, "{query}: {:?}", answer.body);
        assert!(answer.json()["uuid"].is_string());
    }
    for query in ["command=deactivate_node&version=3&certname=web01", "command=store_report&version=99&certname=web01", ""] {
        assert_eq!(post(query, b"{}").await.status, 200);
    }
    read(&world).await;
    assert_eq!(world.see("/api/v1/quarantine").await["items"].as_array().unwrap().len(), 6);
    assert_eq!(world.see("/api/v1/hosts").await["items"], serde_json::json!([]));
    // Whoever has no credential for it is refused all the same, and what is not the sender's is put aside.
    assert_eq!(world.send("POST", DOOR, "", &[], "{}").await.status, 401);
    let other = world.token("web02", "host", "web02.example.com").await;
    for name in ["env-r142-replace_facts", "env-r142-replace_catalog", "env-r142-store_report"] {
        command_by(&world, &other, name).await;
    }
    read(&world).await;
    assert_eq!(world.see("/api/v1/quarantine").await["items"].as_array().unwrap().len(), 9);
    assert_eq!(world.see("/api/v1/hosts").await["items"], serde_json::json!([]));
    assert!(world.see("/api/v1/audit?kind=security").await["items"].as_array().unwrap().len() >= 3);
    assert_eq!(world.get(&format!("/api/v1/hosts/{HOST}/diff")).await.status, 404, "nothing of it is kept");
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_before_a_crash_is_read_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    {
        let mut ledger = Ledger::open(dir.path(), None).unwrap();
        let deposit = |name: &str| Deposit {
            received: Timestamp::from_ms(NOON),
            tool: "puppetdb",
            head: query(name),
            principal: Principal::Relay(Pattern::new("*")),
            body: file(&format!("commands/{name}.body.gz")).into(),
        };
        let deposits = ["env-r142-replace_facts", "env-r142-replace_catalog", "env-r142-store_report"].map(deposit).to_vec();
        let batch = belay_server::ledger::Batch { deposits, ..Default::default() };
        ledger.commit(&batch, &belay_core::state::State::default()).unwrap();
    }
    let kept = dir.path().to_owned();
    let world = World::with(move |options| options.state_dir = Some(kept)).await;
    read(&world).await;
    assert_eq!(world.see("/api/v1/runs").await["items"].as_array().unwrap().len(), 1);
    assert_eq!(world.see(&format!("/api/v1/hosts/{HOST}/diff")).await["environment"], "r142");
    assert_eq!(world.see("/api/v1/quarantine").await["items"], serde_json::json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feed_that_falls_silent_is_seen_and_so_is_its_return() {
    let world = World::start().await;
    for _ in 0..8 {
        command(&world, "unchanged-store_report").await;
        read(&world).await;
        let seen = world.running.state().now;
        until("the feed was taken note of", || async { world.running.state().feeds.values().any(|feed| feed.last >= seen) }).await;
        world.advance(Duration::from_secs(15 * 60));
    }
    assert_eq!(check(&world, "feeds").await.unwrap()["ok"], true);
    world.advance(Duration::from_secs(8 * 3600));
    let silent = || async { check(&world, "feeds").await.unwrap()["ok"] == false };
    until("its silence is noticed", silent).await;
    let status = world.see("/api/v1/status").await;
    assert!(status["feeds"][0].as_str().unwrap().contains("silent since"), "{status}");
    assert!(status["catch"].as_array().unwrap().iter().any(|line| line.as_str().unwrap().contains("silent")), "{status}");
    command(&world, "unchanged-store_report").await;
    until("it is back", || async { check(&world, "feeds").await.unwrap()["ok"] == true }).await;
}

//! The catch over real HTTP: holds and who may, hosts that poll, the gate, pins, samples of hosts.

use belay_adapters::sources::facade::WireSeries;
use belay_adapters::sources::facade::remote_write::encode;
use serde_json::{Value, json};

use super::world::{World, until};

const CONFIG: &str = "[[class]]\nname = \"web\"\nhosts = [\"web*\"]\nenforce = \"release-match\"\n\
    environments = { \"141\" = \"production\", \"142\" = \"r142\" }\n";

pub async fn configured() -> World {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("belay.toml");
    std::fs::write(&path, CONFIG).unwrap();
    let world = World::with(|options| options.config = Some(path.clone())).await;
    for host in ["web01", "web02", "web03"] {
        let facts = world.send("PUT", &format!("/api/v1/hosts/{host}/facts"), &world.relay, &[], "{\"release\":\"142\"}").await;
        assert_eq!(facts.status, 200);
    }
    world
}

fn told(world: &World, extra: Value) -> String {
    let mut body = json!({"protocol": 1, "agent": "0.1.0", "sent_at_ms": world.running.drive().now().ms()});
    body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    body.to_string()
}

pub fn place() -> String {
    json!({"hosts": ["web01", "web02"], "reason": "release 142 needs new files", "for": "8h", "contact": "alice, room 4"}).to_string()
}

/// What the host knows of who removed its lock.
const BOB: &str = "logged in then: bob (pts/0 from 10.0.0.7), root (tty1)";

#[tokio::test]
async fn a_hold_reaches_its_hosts_and_a_hand_on_the_lock_reaches_people_within_one_poll() {
    let world = configured().await;
    let (alice, web01) = (world.token("alice", "role", "operator").await, world.token("web01", "host", "web01").await);
    let placed = world.send("POST", "/api/v1/holds", &alice, &[], place()).await;
    assert_eq!(placed.status, 201, "{}", placed.json());
    assert_eq!((placed.json()["id"].as_str(), placed.json()["hosts"].as_u64()), (Some("h-1"), Some(2)));
    let policy = world.send("POST", "/api/v1/agent/poll", &web01, &[], told(&world, json!({}))).await.json();
    assert_eq!(policy["policy"]["holds"][0]["owner"], "alice", "{policy}");
    let stand = policy["stand"].clone();
    let again = world.send("POST", "/api/v1/agent/poll", &web01, &[], told(&world, json!({"have": stand}))).await.json();
    assert!(again.get("policy").is_none(), "it has the newest: {again}");
    let at = world.running.drive().now().ms();
    let event = json!({"events": [{"number": 1, "at_ms": at, "what": "lock-broken", "holds": ["h-1"], "put_back": true, "by": BOB}]});
    let body = told(&world, event);
    let answered = world.send("POST", "/api/v1/agent/poll", &web01, &[], body).await;
    assert_eq!((answered.status.as_u16(), answered.json()["ack"].as_u64()), (200, Some(1)), "{}", answered.json());
    let hold = world.see("/api/v1/holds/h-1").await;
    let line = hold["broken_on"][0].as_str().unwrap();
    assert!(line.starts_with("broken by hand on web01") && line.ends_with(&format!("; put back; {BOB}")), "{hold}");
    let audit = world.see("/api/v1/audit").await.to_string();
    assert!(audit.contains(&format!("h-1 was broken by hand on web01: it was put back; {BOB}")), "{audit}");
    let world = world.again(|_| {}).await;
    assert_eq!(world.see("/api/v1/holds/h-1").await["broken"], 1, "a hold survives a restart");
}

#[tokio::test]
async fn a_hold_has_a_mark_that_alters_with_whatever_is_said_of_it() {
    let world = configured().await;
    let (admin, web01) = (world.admin.clone(), world.token("web01", "host", "web01").await);
    let post = |path: &'static str, headers: Vec<(&'static str, String)>, body: String| {
        let (world, admin) = (&world, &admin);
        async move {
            let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            world.send("POST", path, admin, &headers, body).await
        }
    };
    let key = || vec![("idempotency-key", "k1".to_owned())];
    let placed = post("/api/v1/holds", key(), place()).await;
    let first = placed.header("etag").to_owned();
    assert!(first.starts_with("\"1.") && first.ends_with('"'), "{first}");
    assert_eq!(post("/api/v1/holds", key(), place()).await.header("etag"), first, "also where it is answered again");
    let get = |known: String| {
        let (world, admin) = (&world, &admin);
        async move { world.send("GET", "/api/v1/holds/h-1", admin, &[("if-none-match", &known)], "").await }
    };
    let same = get(format!("\"x\", W/{first}")).await;
    assert_eq!((same.status.as_u16(), same.header("etag"), same.body.len()), (304, first.as_str(), 0));
    // A hand on the lock is no alteration of the hold, and yet has to be heard of.
    let at = world.running.drive().now().ms();
    let event = json!({"events": [{"number": 1, "at_ms": at, "what": "lock-broken", "holds": ["h-1"], "put_back": true}]});
    world.send("POST", "/api/v1/agent/poll", &web01, &[], told(&world, event)).await;
    let broken = get(first.clone()).await;
    assert_eq!((broken.status.as_u16(), broken.json()["broken"].as_u64()), (200, Some(1)));
    let second = broken.header("etag").to_owned();
    assert!(second.starts_with("\"1.") && second != first, "{second}");
    let long = || "{\"for\":\"20h\"}".to_owned();
    let extended = post("/api/v1/holds/h-1/extend", vec![("if-match", second.clone())], long()).await;
    assert!(extended.status == 200 && extended.header("etag").starts_with("\"2."), "{}", extended.json());
    assert_eq!(post("/api/v1/holds/h-1/extend", vec![("if-match", second)], long()).await.status, 412);
    let ended = post("/api/v1/holds/h-1/release", vec![("if-match", "\"2\"".to_owned())], "{\"reason\":\"done\"}".to_owned()).await;
    assert!(ended.status == 200 && ended.header("etag").starts_with("\"3."), "{}", ended.json());
}

#[tokio::test]
async fn who_alters_a_hold_says_what_was_seen_and_somebody_elses_needs_an_approver() {
    let world = configured().await;
    let (alice, bob) = (world.token("alice", "role", "operator").await, world.token("bob", "role", "operator").await);
    world.send("POST", "/api/v1/holds", &alice, &[], place()).await;
    let extend = |secret: String, seen: &'static str| {
        let world = &world;
        async move { world.send("POST", "/api/v1/holds/h-1/extend", &secret, &[("if-match", seen)], "{\"for\":\"20h\"}").await }
    };
    assert_eq!(extend(bob.clone(), "\"1\"").await.json()["revision"], 2);
    let outdated = extend(alice.clone(), "\"1\"").await;
    assert_eq!(outdated.status, 412);
    assert!(outdated.json()["detail"].as_str().unwrap().contains("altered since you looked"), "{}", outdated.json());
    assert_eq!(extend(alice.clone(), "soon").await.status, 400);
    let release = |secret: String| {
        let world = &world;
        async move { world.send("POST", "/api/v1/holds/h-1/release", &secret, &[], "{\"reason\":\"done\"}").await }
    };
    assert_eq!(release(bob).await.status, 403);
    assert_eq!(release(alice.clone()).await.json()["state"], "released");
    assert_eq!(release(alice.clone()).await.status, 409);
    assert_eq!(world.see("/api/v1/holds").await["items"].as_array().unwrap().len(), 0);
    assert_eq!(world.see("/api/v1/holds?all=1").await["items"].as_array().unwrap().len(), 1);
    let nobody = world.send("POST", "/api/v1/holds", &alice, &[], "{\"hosts\":[\"wbe*\"],\"reason\":\"x\",\"for\":\"1h\"}").await;
    assert_eq!(nobody.status, 422);
    let unsaid = world.send("POST", "/api/v1/holds", &alice, &[], "{\"reason\":\"x\",\"for\":\"a while\"}").await;
    let errors = unsaid.json()["errors"].to_string();
    assert!(errors.contains("/hosts") && errors.contains("/for"), "{errors}");
}

#[tokio::test]
async fn a_host_polls_for_itself_only_and_an_unknown_protocol_is_refused_by_name() {
    let world = configured().await;
    let web01 = world.token("web01", "host", "web01").await;
    let other = world.send("POST", "/api/v1/agent/poll", &web01, &[], told(&world, json!({"host": "web02"}))).await;
    assert_eq!(other.status, 403);
    assert!(world.see("/api/v1/audit?kind=security").await.to_string().contains("asked for the policy of web02"));
    let newer = world.send("POST", "/api/v1/agent/poll", &web01, &[], told(&world, json!({"protocol": 99}))).await;
    assert_eq!(newer.status, 400);
    assert!(newer.json()["type"].as_str().unwrap().ends_with("protocol-too-new"), "{}", newer.json());
    let relay = world.send("POST", "/api/v1/agent/poll", &world.relay, &[], told(&world, json!({"host": "web02"}))).await;
    assert_eq!(relay.json()["policy"]["host"], "web02");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poll_that_waits_is_answered_when_there_is_news() {
    let world = configured().await;
    let web01 = world.token("web01", "host", "web01").await;
    let have = world.send("POST", "/api/v1/agent/poll", &web01, &[], told(&world, json!({}))).await.json()["stand"].clone();
    let waits = told(&world, json!({"have": have, "wait_ms": 20_000}));
    let waiting = world.send("POST", "/api/v1/agent/poll", &web01, &[], waits);
    tokio::pin!(waiting);
    let early = tokio::time::timeout(std::time::Duration::from_millis(300), waiting.as_mut()).await;
    assert!(early.is_err(), "there was nothing new: {early:?}");
    world.send("POST", "/api/v1/holds", &world.admin, &[], place()).await;
    let answer = waiting.await.json();
    assert_eq!(answer["policy"]["holds"][0]["id"], "h-1", "{answer}");
}

#[tokio::test]
async fn a_relay_is_given_what_it_needs_to_classify_the_hosts_it_speaks_for_and_no_more() {
    let world = configured().await;
    world.send("POST", "/api/v1/holds", &world.admin, &[], place()).await;
    let ask = |body: Value| body.to_string();
    let all = world.send("POST", "/api/v1/agent/policies", &world.relay, &[], ask(json!({"protocol": 1}))).await.json();
    let hosts: Vec<&str> = all["policies"].as_array().unwrap().iter().map(|policy| policy["host"].as_str().unwrap()).collect();
    assert_eq!(hosts, ["web01", "web02", "web03"]);
    let one = &all["policies"][0];
    assert_eq!(one["environments"]["142"], "r142");
    assert_eq!((one["release"].as_str(), one["enforce"].as_str(), one["wave_open"].as_bool()), (Some("142"), Some("off"), Some(false)));
    assert!(["holds", "items", "reverts"].iter().all(|part| one[part].as_array().is_none_or(Vec::is_empty)), "{one}");
    let same = ask(json!({"protocol": 1, "have": all["stand"]}));
    let again = world.send("POST", "/api/v1/agent/policies", &world.relay, &[], same).await.json();
    assert_eq!((again["same"].as_bool(), again["policies"].as_array().map(Vec::len)), (Some(true), Some(0)), "{again}");
    let rest = ask(json!({"protocol": 1, "after": "web02"}));
    let rest = world.send("POST", "/api/v1/agent/policies", &world.relay, &[], rest).await.json();
    assert_eq!((rest["policies"][0]["host"].as_str(), rest["policies"].as_array().map(Vec::len)), (Some("web03"), Some(1)));
    let narrow = world.token("narrow", "relay", "*02").await;
    let few = world.send("POST", "/api/v1/agent/policies", &narrow, &[], ask(json!({"protocol": 1}))).await.json();
    assert_eq!((few["policies"][0]["host"].as_str(), few["policies"].as_array().map(Vec::len)), (Some("web02"), Some(1)));
    let web01 = world.token("web01", "host", "web01").await;
    let own = world.send("POST", "/api/v1/agent/policies", &web01, &[], ask(json!({"protocol": 1}))).await.json();
    assert_eq!((own["policies"][0]["host"].as_str(), own["policies"].as_array().map(Vec::len)), (Some("web01"), Some(1)));
    let viewer = world.token("eve", "role", "viewer").await;
    assert_eq!(world.send("POST", "/api/v1/agent/policies", &viewer, &[], ask(json!({"protocol": 1}))).await.status, 403);
    assert_eq!(world.send("POST", "/api/v1/agent/policies", &world.relay, &[], ask(json!({"protocol": 99}))).await.status, 400);
    assert_eq!(
        world.send("POST", "/api/v1/agent/policies", &world.relay, &[], ask(json!({"protocol": 1, "after": "a/b"}))).await.status,
        400
    );
}

#[tokio::test]
async fn the_gate_and_the_classifier_answer_and_a_pin_ends_by_itself() {
    let world = configured().await;
    let gate = world.see("/api/v1/gate/web01?environment=production").await;
    assert_eq!(gate["gate"], "refused", "{gate}");
    assert!(gate["why"].as_str().unwrap().contains("does not belong to release 142, which needs r142"), "{gate}");
    assert!(gate["remedy"].as_str().unwrap().contains("r142"), "{gate}");
    assert_eq!(world.see("/api/v1/gate/web01?environment=production&noop=1").await["gate"], "go");
    assert_eq!(world.get("/api/v1/gate/nobody").await.status, 404);
    let body = json!({"hosts": ["web03"], "environment": "production", "for": "1h", "reason": "by hand"}).to_string();
    let pinned = world.send("POST", "/api/v1/pins", &world.admin, &[], body).await;
    assert_eq!(pinned.json()["hosts"], 1, "{}", pinned.json());
    assert_eq!(world.see("/api/v1/pins").await["items"][0]["host"], "web03");
    assert!(world.see("/api/v1/why/web03").await.to_string().contains("pinned by admin until"));
    world.advance(std::time::Duration::from_secs(3_700));
    until("the pin has ended", || async { world.see("/api/v1/pins").await["items"].as_array().unwrap().is_empty() }).await;
}

#[tokio::test]
async fn a_host_sends_samples_of_its_own_and_of_nobody_else() {
    let world = configured().await;
    let web01 = world.token("web01", "host", "web01").await;
    let series = |labels: &[(&str, &str)]| {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let now = world.running.drive().now().ms();
        encode(&[WireSeries { labels, samples: vec![(now, 1.0)] }])
    };
    let send = |body: Vec<u8>| {
        let (world, web01) = (&world, web01.clone());
        async move { world.send("POST", "/prometheus/api/v1/write", &web01, &[], body).await }
    };
    assert_eq!(send(series(&[("__name__", "up"), ("host", "web01")])).await.status, 204);
    let other = send(series(&[("__name__", "up"), ("host", "web02")])).await;
    assert_eq!(other.status, 403);
    assert!(other.json()["detail"].as_str().unwrap().contains("speaks for web01 only"));
    assert_eq!(send(series(&[("__name__", "up")])).await.status, 403);
}

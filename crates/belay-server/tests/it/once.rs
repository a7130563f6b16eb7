//! `Idempotency-Key`: what is sent again is not done again, also after a restart, and secrets are not kept for it.

use std::time::Duration;

use belay_server::http::{Kind, Once, listed};

use super::catch::{configured, place};
use super::world::{Answer, World};

async fn hold(world: &World, key: &str, body: &str) -> Answer {
    world.send("POST", "/api/v1/holds", &world.admin, &[("idempotency-key", key)], body.to_owned()).await
}

#[tokio::test]
async fn a_hold_that_is_asked_for_again_is_placed_once() {
    let world = configured().await;
    let first = hold(&world, "k1", &place()).await;
    assert_eq!((first.status.as_u16(), first.header("idempotency-replayed")), (201, ""));
    let again = hold(&world, "\"k1\"", &place()).await;
    assert_eq!((again.status.as_u16(), again.header("idempotency-replayed")), (201, "true"));
    assert_eq!(again.body, first.body);
    let other = hold(&world, "k1", &place().replace("8h", "9h")).await;
    assert_eq!((other.status.as_u16(), other.json()["type"].as_str().unwrap()), (422, "urn:belay:problem:idempotency-key"));
    let bob = world.token("bob", "role", "operator").await;
    let his = world.send("POST", "/api/v1/holds", &bob, &[("idempotency-key", "k1")], place()).await;
    assert_eq!(his.json()["id"], "h-2", "keys are everybody's own");
    let path = "/api/v1/holds/h-1/release";
    let body = "{\"reason\":\"done\"}";
    let elsewhere = world.send("POST", path, &world.admin, &[("idempotency-key", "k1")], body).await;
    assert_eq!(elsewhere.status, 422);
    let world = world.again(|_| {}).await;
    assert_eq!(hold(&world, "k1", &place()).await.body, first.body, "a restart forgets nothing");
    assert_eq!(world.see("/api/v1/holds").await["items"].as_array().unwrap().len(), 2);
    world.advance(Duration::from_secs(24 * 3600 + 1));
    assert_eq!(hold(&world, "k1", &place()).await.json()["id"], "h-3", "a day later the key is free");
    for bad in ["", "a b", &"x".repeat(201), "\"\""] {
        assert_eq!(hold(&world, bad, &place()).await.status, 400, "{bad:?}");
    }
}

#[tokio::test]
async fn what_did_not_come_about_may_be_tried_again_with_its_key() {
    let world = configured().await;
    let none = hold(&world, "k1", "{\"hosts\":[\"later\"],\"reason\":\"x\",\"for\":\"1h\"}").await;
    assert_eq!(none.status, 422);
    world.send("PUT", "/api/v1/hosts/later/facts", &world.relay, &[], "{}").await;
    let done = hold(&world, "k1", "{\"hosts\":[\"later\"],\"reason\":\"x\",\"for\":\"1h\"}").await;
    assert_eq!(done.status, 201, "{:?}", done.body);
}

#[tokio::test]
async fn of_many_at_the_same_time_one_is_done() {
    let world = configured().await;
    let place = place();
    let asked = (0..8).map(|_| hold(&world, "k1", &place));
    let answers = all(asked).await;
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    assert!(statuses.iter().all(|status| [201, 409].contains(status)) && statuses.contains(&201), "{statuses:?}");
    let begun = answers.iter().find(|answer| answer.status == 409);
    assert!(begun.is_none_or(|answer| answer.header("retry-after") == "1"));
    assert_eq!(world.see("/api/v1/holds").await["items"].as_array().unwrap().len(), 1);
}

/// Waits for all of them together.
async fn all<F: Future<Output = Answer>>(asked: impl Iterator<Item = F>) -> Vec<Answer> {
    let mut waiting: Vec<_> = asked.map(Box::pin).collect();
    let mut done = Vec::new();
    std::future::poll_fn(|cx| {
        waiting.retain_mut(|one| match one.as_mut().poll(cx) {
            std::task::Poll::Ready(answer) => {
                done.push(answer);
                false
            }
            std::task::Poll::Pending => true,
        });
        if waiting.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done
}

#[tokio::test]
async fn what_a_stop_cut_off_is_not_done_again_blindly() {
    let world = configured().await;
    let request = belay_server::ledger::Request { who: "admin".into(), key: "k1".into(), digest: None, at: world.running.drive().now() };
    world.running.drive().claim(request).await.unwrap();
    let begun = hold(&world, "k1", &place()).await;
    assert_eq!((begun.status.as_u16(), begun.header("retry-after")), (409, "1"));
    world.advance(Duration::from_secs(1));
    let world = world.again(|_| {}).await;
    let unknown = hold(&world, "k1", &place()).await;
    assert_eq!(unknown.status, 409);
    assert!(unknown.json()["detail"].as_str().unwrap().contains("stopped before it could say what came of it"), "{}", unknown.json());
}

#[tokio::test]
async fn no_secret_is_kept_for_it() {
    let world = World::cheap().await;
    let key = [("idempotency-key", "k1")];
    let body = "{\"name\":\"bob\",\"role\":\"viewer\"}";
    let first = world.send("POST", "/api/v1/tokens", &world.admin, &key, body).await;
    assert_eq!(first.status, 201);
    let secret = first.json()["secret"].as_str().unwrap().to_owned();
    let again = world.send("POST", "/api/v1/tokens", &world.admin, &key, body).await;
    assert_eq!(again.status, 409);
    assert!(again.json()["detail"].as_str().unwrap().contains("a secret is shown once"), "{}", again.json());
    let key = [("idempotency-key", "k2")];
    let body = "{\"name\":\"alice\",\"role\":\"viewer\",\"password\":\"a password nobody keeps\"}";
    assert_eq!(world.send("POST", "/api/v1/users", &world.admin, &key, body).await.status, 201);
    assert_eq!(world.send("POST", "/api/v1/users", &world.admin, &key, body).await.status, 409);
    let held = |path: &str| std::fs::read(world.dir.path().join(path)).unwrap_or_default();
    for file in ["ledger.db", "ledger.db-wal"] {
        let bytes = held(file);
        for text in [secret.as_str(), "a password nobody keeps"] {
            assert!(!bytes.windows(text.len()).any(|part| part == text.as_bytes()), "{file}");
        }
    }
    let secret = |route: &&belay_server::http::Listed| route.once == Once::Secret;
    let paths: Vec<String> = listed().iter().filter(secret).map(|route| route.path.clone()).collect();
    assert_eq!(paths, ["/api/v1/tokens", "/api/v1/users", "/api/v1/users/{name}/password"]);
}

#[test]
fn whatever_a_person_makes_or_decides_has_a_key() {
    let own = |route: &&belay_server::http::Listed| route.kind == Kind::Api && route.method == "POST" && route.once == Once::Never;
    let without: Vec<String> = listed().iter().filter(own).map(|route| route.path.clone()).collect();
    let reads = |path: &String| path.starts_with("/prometheus/") || path.starts_with("/api/v1/query") || path.starts_with("/api/v1/series");
    let rest: Vec<&String> = without.iter().filter(|path| !reads(path)).collect();
    for path in &rest {
        let machine = ["/api/v1/agent/", "/api/v1/runs/", "/pdb/", "/api/v1/write", "/api/v1/labels", "/api/v2/", "/log"];
        // Two backups are two copies: nothing is done, and no answer of that size is kept.
        let copies = path.as_str() == "/api/v1/backup";
        assert!(copies || machine.iter().any(|begin| path.starts_with(begin)), "{path} is done twice when it is sent twice");
    }
}

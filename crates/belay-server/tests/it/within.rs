//! People who are limited to classes: whatever they do to another class is refused by its name.

use serde_json::json;

use super::catch::{configured, place};
use super::sessions::{enter_as, user};
use super::world::World;

async fn token(world: &World, name: &str, role: &str, classes: &[&str]) -> String {
    let body = json!({"name": name, "role": role, "classes": classes}).to_string();
    let answer = world.send("POST", "/api/v1/tokens", &world.admin, &[], body).await;
    assert_eq!(answer.status, 201, "{:?}", answer.body);
    answer.json()["secret"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn whoever_is_limited_to_a_class_acts_there_and_nowhere_else() {
    let world = configured().await;
    world.send("PUT", "/api/v1/hosts/db01/facts", &world.relay, &[], "{}").await;
    let (web, other) = (token(&world, "webber", "approver", &["we*"]).await, token(&world, "dba", "approver", &["db"]).await);
    let post = |secret: &str, path: &'static str, body: String| {
        let (world, secret) = (&world, secret.to_owned());
        async move { world.send("POST", path, &secret, &[], body).await }
    };
    let refused = post(&other, "/api/v1/holds", place()).await;
    assert_eq!(refused.status, 403);
    assert_eq!(refused.json()["detail"], "it concerns class web; you are limited to db");
    assert_eq!(post(&web, "/api/v1/holds", place()).await.status, 201);
    let both = json!({"hosts": ["web01", "db01"], "reason": "x", "for": "1h"}).to_string();
    assert_eq!(post(&web, "/api/v1/holds", both).await.status, 403, "one host too many");
    let open = json!({"hosts": ["web*"], "reason": "x", "for": "1h"}).to_string();
    let open = post(&web, "/api/v1/holds", open).await;
    assert!(open.json()["detail"].as_str().unwrap().starts_with("hosts web* may be of any class"), "{}", open.json());
    let class = json!({"classes": ["web"], "reason": "x", "for": "1h"}).to_string();
    assert_eq!(post(&web, "/api/v1/holds", class.clone()).await.status, 201);
    assert_eq!(post(&other, "/api/v1/holds", class).await.status, 403);
    assert_eq!(post(&other, "/api/v1/holds/h-1/release", "{\"reason\":\"x\"}".into()).await.status, 403);
    assert_eq!(post(&other, "/api/v1/holds/h-1/extend", "{\"for\":\"9h\"}".into()).await.status, 403);
    assert_eq!(post(&web, "/api/v1/holds/h-1/extend", "{\"for\":\"9h\"}".into()).await.status, 200);
    let pin = json!({"hosts": ["web01"], "environment": "r142", "for": "1h", "reason": "x"}).to_string();
    assert_eq!(post(&other, "/api/v1/pins", pin.clone()).await.status, 403);
    assert_eq!(post(&web, "/api/v1/pins", pin).await.status, 200);
    let facts = |secret: &str, host: &'static str| {
        let (world, secret) = (&world, secret.to_owned());
        async move { world.send("PUT", &format!("/api/v1/hosts/{host}/facts"), &secret, &[], "{\"release\":\"141\"}").await.status.as_u16() }
    };
    assert_eq!((facts(&web, "web02").await, facts(&web, "db01").await, facts(&web, "unheard-of").await), (200, 403, 403));
    assert_eq!(world.send("GET", "/api/v1/hosts/db01", &web, &[], "").await.status, 200, "looking is not limited");
    let audit = world.see("/api/v1/audit?kind=security").await.to_string();
    assert!(audit.contains("dba, who is limited to db, was refused: it concerns class web"), "{audit}");
}

#[tokio::test]
async fn a_change_is_ruled_on_by_those_of_its_class() {
    let world = World::cheap().await;
    for (_, input) in super::story::inputs() {
        world.running.drive().decide(input, belay_server::drive::Keep::default()).await.unwrap();
    }
    user(&world, "mine", "approver", &["web"]).await;
    user(&world, "theirs", "approver", &["other*"]).await;
    let theirs = enter_as(&world, "theirs").await;
    let report = super::world::report_of("changed-first-run", "web01", 8);
    let before = world.see("/api/v1/status").await["quarantined"].as_u64().unwrap();
    let secret = token(&world, "bringer", "operator", &["other*"]).await;
    let brought = world.send("POST", super::world::door(), &secret, &[], report).await;
    assert_eq!(brought.status, 403, "{:?}", brought.body);
    assert_eq!(world.see("/api/v1/status").await["quarantined"], before + 1, "its bytes are kept, and nothing waits for them");
    let me = theirs.send(&world, "GET", "/api/v1/me", "").await.json();
    assert_eq!(me["principal"]["classes"], json!(["other*"]));
    for path in ["/api/v1/changes/c-1/accept", "/api/v1/changes/c-1/reject", "/api/v1/changes/c-1/revert"] {
        let refused = theirs.send(&world, "POST", path, "{\"reason\":\"x\"}").await;
        assert_eq!(refused.status, 403, "{path}: {:?}", refused.body);
        assert!(refused.json()["detail"].as_str().unwrap().starts_with("it concerns class web"), "{}", refused.json());
    }
    let mine = enter_as(&world, "mine").await;
    assert_eq!(mine.send(&world, "POST", "/api/v1/changes/c-1/reject", "{\"reason\":\"x\"}").await.status, 200);
}

#[tokio::test]
async fn an_admin_is_not_limited_and_the_last_one_stays() {
    let world = World::cheap().await;
    let limited = json!({"name": "a", "role": "admin", "classes": ["web"], "password": "a long password"}).to_string();
    assert_eq!(world.send("POST", "/api/v1/users", &world.admin, &[], limited).await.status, 422);
    let limited = json!({"name": "a", "role": "admin", "classes": ["web"]}).to_string();
    assert_eq!(world.send("POST", "/api/v1/tokens", &world.admin, &[], limited).await.status, 422);
    let host = json!({"name": "a", "host": "web01", "classes": ["web"]}).to_string();
    assert_eq!(world.send("POST", "/api/v1/tokens", &world.admin, &[], host).await.status, 422);
    user(&world, "root", "admin", &[]).await;
    for (method, body) in [("DELETE", ""), ("PATCH", "{\"disabled\":true}"), ("PATCH", "{\"role\":\"viewer\"}")] {
        let stays = world.send(method, "/api/v1/users/root", &world.admin, &[], body).await;
        assert_eq!(stays.status, 409);
        assert!(stays.json()["detail"].as_str().unwrap().contains("Credentials of admins, and the socket"), "{}", stays.json());
    }
    user(&world, "boss", "admin", &[]).await;
    assert_eq!(world.send("DELETE", "/api/v1/users/root", &world.admin, &[], "").await.status, 204);
    let audit = world.see("/api/v1/audit").await.to_string();
    assert!(audit.contains("account root removed") && audit.contains("account boss made: admin in all classes"), "{audit}");
    assert_eq!(world.send("POST", "/api/v1/users", &world.admin, &[], "{\"name\":\"boss\",\"role\":\"viewer\"}").await.status, 409);
    let rows = world.see("/api/v1/users?limit=1").await;
    assert_eq!((&rows["items"][0]["name"], &rows["next"]), (&"boss".into(), &serde_json::Value::Null));
}

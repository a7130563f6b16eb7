//! Deployments by the API: what a pipeline publishes, what a relay's machine tells, and what the classifier is given of it.

use serde_json::{Value, json};

use super::world::{World, report_of};

const CONFIG: &str =
    "[[class]]\nname = \"web\"\nhosts = [\"web*\"]\nrelease = { reported = true }\nenvironments = { \"141\" = \"production\" }\n";

async fn publish(world: &World, secret: &str, name: &str) -> (u16, Value) {
    let body = json!({ "environment": name, "reason": "merged" }).to_string();
    let answer = world.send("POST", "/api/v1/deployments", secret, &[("content-type", "application/json")], body).await;
    (answer.status.as_u16(), answer.json())
}

async fn told(world: &World, secret: &str, environments: Value) -> u16 {
    let body = json!({ "protocol": 1, "host": "puppet1", "sent_at_ms": 1_795_331_320_000_i64, "environments": environments }).to_string();
    world.send("POST", "/api/v1/agent/deployments", secret, &[("content-type", "application/json")], body).await.status.as_u16()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_published_reaches_the_classifier_once_it_is_there() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), CONFIG).unwrap();
    let world = World::at(1_795_331_320_000, |options| options.config = Some(file.path().to_owned())).await;
    let facts = json!({ "release": "141", "facts": {} }).to_string();
    assert_eq!(
        world.send("PUT", "/api/v1/hosts/web01/facts", &world.admin, &[("content-type", "application/json")], facts).await.status,
        200
    );
    assert_eq!(world.report(report_of("incident-1-steady-141", "web01", 1)).await.status, 200);
    assert_eq!(world.see("/api/v1/deployments").await["items"], json!([]));

    let pipeline = world.token("pipeline", "role", "operator").await;
    let looker = world.token("looker", "role", "viewer").await;
    assert_eq!(publish(&world, &looker, "production_9f2c1e0").await.0, 403);
    assert_eq!(publish(&world, &pipeline, "staging_9f2c1e0").await.0, 422);
    assert_eq!(publish(&world, &pipeline, "pro duction").await.0, 400);
    let there = |version: &str| json!({ "version": version, "began_ms": 1_795_331_300_000_i64, "ended_ms": 1_795_331_310_000_i64 });
    assert_eq!(told(&world, &pipeline, json!({})).await, 403, "a person has no machine");
    assert_eq!(told(&world, &world.relay, json!({ "production": there("1d41403") })).await, 200);
    let (status, refused) = publish(&world, &pipeline, "production_9f2c1e0").await;
    assert_eq!(status, 409, "{refused}");
    assert!(refused["detail"].as_str().unwrap().contains("not deployed on puppet1"), "{refused}");
    let both = json!({ "production": there("1d41403"), "production_9f2c1e0": there("9f2c1e0aa") });
    assert_eq!(told(&world, &world.relay, both).await, 200);
    let (status, row) = publish(&world, &pipeline, "production_9f2c1e0").await;
    assert_eq!(status, 201, "{row}");
    assert_eq!((&row["branch"], &row["by"], &row["places"][0]["version"]), (&json!("production"), &json!("pipeline"), &json!("9f2c1e0aa")));
    assert_eq!((&row["stands"][0]["class"], &row["stands"][0]["state"]), (&json!("web"), &json!("coming")), "{row}");

    let ask = json!({ "protocol": 1 }).to_string();
    let given = world.send("POST", "/api/v1/agent/policies", &world.relay, &[("content-type", "application/json")], ask).await.json();
    assert_eq!(given["policies"][0]["environments"]["141"], "production_9f2c1e0", "{given}");
    let rows = world.see("/api/v1/deployments").await;
    assert_eq!(rows["items"].as_array().unwrap().len(), 2, "{rows}");

    let world = world.again(|options| options.config = Some(file.path().to_owned())).await;
    assert_eq!(world.see("/api/v1/deployments").await, rows, "a restart forgets nothing");
    let body = json!({ "reason": "a mistake" }).to_string();
    let path = "/api/v1/deployments/production_9f2c1e0/withdraw";
    let withdrawn = world.send("POST", path, &pipeline, &[("content-type", "application/json")], body.clone()).await;
    assert_eq!((withdrawn.status.as_u16(), &withdrawn.json()["published"]), (200, &Value::Null));
    assert_eq!(world.send("POST", path, &pipeline, &[("content-type", "application/json")], body).await.status, 404);
    let audit = world.see("/api/v1/audit").await.to_string();
    for line in ["production_9f2c1e0 is published: merged", "is offered no more: a mistake", "production was deployed at version 1d41403"] {
        assert!(audit.contains(line), "{line}: {audit}");
    }
}

//! Outposts over real HTTP: tables page by page, who is an outpost, and relays that know no tables.

use std::time::Duration;

use serde_json::{Value, json};

use super::catch::configured;
use super::world::World;

const POLICIES: &str = "/api/v1/agent/policies";

async fn ask(world: &World, secret: &str, body: Value) -> Value {
    let answer = world.send("POST", POLICIES, secret, &[], body.to_string()).await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    answer.json()
}

/// An outpost of this name asks, with these tables.
async fn outpost(world: &World, secret: &str, host: &str, stored: &Value, in_force: &Value) -> Value {
    ask(world, secret, json!({"protocol": 1, "table": {"host": host, "stored": stored, "in_force": in_force}})).await
}

async fn release(world: &World, host: &str, release: &str) {
    let body = json!({ "release": release }).to_string();
    assert_eq!(world.send("PUT", &format!("/api/v1/hosts/{host}/facts"), &world.relay, &[], body).await.status, 200);
}

/// The release by which a host is classified in an answer.
fn of<'a>(answer: &'a Value, host: &str) -> &'a str {
    let policies = answer["policies"].as_array().unwrap();
    policies.iter().find(|policy| policy["host"] == host).and_then(|policy| policy["release"].as_str()).unwrap_or("none")
}

/// An outpost that has the first table in force.
async fn first(world: &World, secret: &str) -> Value {
    let given = outpost(world, secret, "ps1", &Value::Null, &Value::Null).await["table"]["given"].clone();
    let told = outpost(world, secret, "ps1", &given, &Value::Null).await;
    assert_eq!((&told["table"]["in_force"]["table"], told["policies"].as_array().map(Vec::len)), (&given, Some(0)), "{told}");
    given
}

#[tokio::test]
async fn a_table_is_of_one_moment_and_of_the_hosts_the_credential_speaks_for() {
    let world = configured().await;
    let narrow = world.token("ps2", "relay", "web02*").await;
    let given = outpost(&world, &narrow, "ps2", &Value::Null, &Value::Null).await;
    assert_eq!((given["policies"].as_array().map(Vec::len), of(&given, "web02"), given["same"].as_bool()), (Some(1), "142", Some(false)));
    let wide = outpost(&world, &world.relay, "ps1", &Value::Null, &Value::Null).await;
    assert_eq!((&wide["table"]["given"], wide["policies"].as_array().map(Vec::len)), (&given["table"]["given"], Some(3)));
    assert_eq!(wide["policies"][0].get("items").and_then(Value::as_array).map_or(0, Vec::len), 0, "no more than classifying takes");
    release(&world, "web03", "141").await;
    let table = json!({"host": "ps1", "page": given["table"]["given"]});
    let page = ask(&world, &world.relay, json!({"protocol": 1, "after": "web02", "table": table})).await;
    assert_eq!(
        (of(&page, "web03"), &page["table"]["given"]),
        ("142", &given["table"]["given"]),
        "what was decided since is of the next table"
    );
    let gone = json!({"protocol": 1, "after": "web02", "table": {"host": "ps1", "page": {"incarnation": 9, "number": 9}}});
    assert_eq!(world.send("POST", POLICIES, &world.relay, &[], gone.to_string()).await.status, 404);
    let odd = json!({"protocol": 1, "table": {"host": "a/b"}});
    assert_eq!(world.send("POST", POLICIES, &world.relay, &[], odd.to_string()).await.status, 422);
}

#[tokio::test]
async fn a_host_or_a_person_that_asks_is_no_outpost() {
    let world = configured().await;
    let web01 = world.token("web01", "host", "web01").await;
    for secret in [&web01, &world.admin] {
        let answer = outpost(&world, secret, "ps1", &Value::Null, &Value::Null).await;
        assert!(answer.get("table").is_none() && of(&answer, "web01") == "142", "{answer}");
    }
    assert!(world.running.state().outposts.is_empty());
}

#[tokio::test]
async fn a_relay_that_knows_no_tables_gets_policies_as_before_and_beside_outposts_what_they_answer_by() {
    let world = configured().await;
    let old = world.token("old", "relay", "web*").await;
    let plain = || ask(&world, &old, json!({"protocol": 1}));
    assert!(plain().await.get("table").is_none());
    let relay = world.relay.clone();
    let table = first(&world, &relay).await;
    let before = plain().await;
    assert_eq!((of(&before, "web01"), before.get("table")), ("142", None));
    let same = ask(&world, &old, json!({"protocol": 1, "have": before["stand"]})).await;
    assert_eq!((same["same"].as_bool(), &same["stand"]), (Some(true), &before["stand"]));
    release(&world, "web01", "141").await;
    let next = outpost(&world, &relay, "ps1", &table, &table).await;
    assert_eq!(of(&next, "web01"), "141");
    assert_eq!(of(&plain().await, "web01"), "142", "the outpost does not have it yet");
    outpost(&world, &relay, "ps1", &next["table"]["given"], &table).await;
    assert_eq!(of(&plain().await, "web01"), "141", "it is not waited for, and comes along at the switch");
}

#[tokio::test]
async fn an_outpost_that_waits_hears_of_what_is_decided_meanwhile() {
    let world = configured().await;
    let relay = world.relay.clone();
    let table = first(&world, &relay).await;
    let waits =
        ask(&world, &relay, json!({"protocol": 1, "wait_ms": 20_000, "table": {"host": "ps1", "stored": table, "in_force": table}}));
    let decides = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        // Nothing of it is classified by: it is no table.
        let hold = world.send("POST", "/api/v1/holds", &world.admin, &[], super::catch::place()).await;
        assert_eq!(hold.status, 201);
        tokio::time::sleep(Duration::from_millis(100)).await;
        release(&world, "web02", "141").await;
    };
    let (next, ()) = tokio::time::timeout(Duration::from_secs(10), async { tokio::join!(waits, decides) }).await.expect("it was answered");
    assert_eq!((of(&next, "web02"), next["table"]["given"]["number"].as_u64()), ("141", table["number"].as_u64().map(|number| number + 1)));
}

#[tokio::test]
async fn doctor_says_who_classifies_and_what_is_waited_for_and_a_restart_forgets_neither() {
    let world = configured().await;
    let relay = world.relay.clone();
    let table = first(&world, &relay).await;
    let doctor = async |world: &World| {
        let checks = world.see("/api/v1/doctor").await["checks"].as_array().unwrap().clone();
        checks.into_iter().find(|check| check["name"] == "outposts").expect("there is a line")
    };
    let well = doctor(&world).await;
    assert!(well["ok"] == true && well["text"].as_str().unwrap().contains("table 1 is in force since"), "{well}");
    let other = world.token("ps2", "relay", "web*").await;
    outpost(&world, &other, "ps2", &Value::Null, &Value::Null).await;
    release(&world, "web01", "141").await;
    outpost(&world, &relay, "ps1", &table, &table).await;
    outpost(&world, &relay, "ps1", &json!({"incarnation": table["incarnation"], "number": 2}), &table).await;
    world.advance(Duration::from_secs(90));
    let ill = doctor(&world).await;
    let text = ill["text"].as_str().unwrap();
    assert!(ill["ok"] == false && text.contains("table 2 waits for ps1 by relay, ps2 by ps2 for 1 min 30 s"), "{ill}");
    assert!(ill["help"].as_str().unwrap().contains("belay token revoke"), "{ill}");
    let world = world.again(|_| {}).await;
    let again = doctor(&world).await;
    assert!(again["text"].as_str().unwrap().contains("ps2 by ps2 was not heard since the start"), "{again}");
    let given = outpost(&world, &relay, "ps1", &json!({"incarnation": table["incarnation"], "number": 2}), &table).await;
    assert_eq!(given["table"]["given"]["number"], 3, "a number is never given twice");
    assert_eq!(given["table"]["in_force"]["table"], table);
}

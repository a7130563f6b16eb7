//! The plan by the API.

use super::world::{World, report_of};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_change_is_planned_with_its_hosts_and_what_it_waits_for() {
    let world = World::at(1_795_331_320_000, |_| {}).await;
    assert_eq!(world.see("/api/v1/plan").await["items"], serde_json::json!([]));
    assert_eq!(world.report(report_of("incident-1-steady-141", "web01", 1)).await.status, 200);
    assert_eq!(world.report(report_of("incident-1-steady-141", "web02", 2)).await.status, 200);
    assert_eq!(world.report(report_of("incident-2-manual-142", "web01", 3)).await.status, 200);

    let seen = world.see("/api/v1/plan").await;
    let planned = &seen["items"][0];
    assert_eq!((&planned["change"]["id"], &planned["waves"]), (&"c-1".into(), &serde_json::Value::Null), "{seen}");
    assert_eq!((&planned["now"]["count"], &planned["now"]["hosts"][0]["host"]), (&1.into(), &"web02".into()), "{seen}");
    assert_eq!(planned["now"]["hosts"][0]["gate"], "go");
    assert!(planned["waits"][0].as_str().unwrap().starts_with("its verdict"), "{seen}");

    assert_eq!(world.see("/api/v1/plan?after=1").await["items"], serde_json::json!([]));
    assert_eq!(world.get("/api/v1/plan?class=none-such").await.status, 404);
    assert_eq!(world.get("/api/v1/plan?class=default&limit=1").await.status, 200);
    assert_eq!(world.get("/api/v1/plan?limit=0").await.status, 400);
    assert_eq!(world.send("GET", "/api/v1/plan", "no-such-secret", &[], "").await.status, 401);
}

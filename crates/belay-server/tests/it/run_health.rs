//! The health of runs, by the API and as numbers.

use std::time::Duration;

use super::night::Receiver;
use super::world::{World, recorded, report_of, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_resource_is_named_and_counted_by_api_and_metrics() {
    let world = World::start().await;
    assert_eq!(world.see("/api/v1/health").await["worst"], "ok");
    assert_eq!(world.report(recorded("failed-resource")).await.status, 200);
    assert_eq!(world.report(report_of("unchanged", "web02", 2)).await.status, 200);

    let seen = world.see("/api/v1/health").await;
    assert_eq!((&seen["worst"], &seen["hosts"]), (&"critical".into(), &2.into()), "{seen}");
    let host = seen["listed"].as_array().unwrap().iter().find(|host| host["ailments"][0]["ailment"] == "failing").unwrap().clone();
    assert!(host["ailments"][0]["text"].as_str().unwrap().starts_with("fails: "), "{host}");
    let name = host["host"].as_str().unwrap();
    let one = world.see(&format!("/api/v1/health?host={name}")).await;
    assert_eq!((&one["hosts"], &one["ailing"]), (&1.into(), &1.into()), "{one}");

    assert_eq!(world.get("/api/v1/health?host=nobody").await.status, 404);
    assert_eq!(world.get("/api/v1/health?class=none-such").await.status, 404);
    assert_eq!(world.get("/api/v1/health?class=default").await.status, 200);

    let metrics = world.get("/metrics").await;
    assert_eq!((metrics.status.as_u16(), metrics.header("content-type")), (200, "text/plain; version=0.0.4; charset=utf-8"));
    let text = String::from_utf8(metrics.body.to_vec()).unwrap();
    assert!(text.contains("\nbelay_hosts{class=\"default\"} 2\n"), "{text}");
    assert!(text.contains("\nbelay_run_health_hosts{class=\"default\",ailment=\"failing\"} 1\n"), "{text}");
    assert!(
        text.contains("\nbelay_run_health_hosts{class=\"default\",ailment=\"cached-catalog\"} 0\n"),
        "a number at zero is there: {text}"
    );
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        assert!(line.rsplit_once(' ').is_some_and(|(_, value)| value.parse::<f64>().is_ok()), "{line}");
    }
    assert_eq!(world.send("GET", "/metrics", "no-such-secret", &[], "").await.status, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_goes_on_failing_is_one_alert_and_the_alert_says_when_it_is_over() {
    let sink = Receiver::answering(&["200 OK"]).await;
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("belay.toml");
    std::fs::write(&config, format!("[[alert]]\nname = \"pager\"\nurl = \"{}\"\n", sink.url)).unwrap();
    let world = World::with(|options| options.config = Some(config.clone())).await;
    assert_eq!(world.report(recorded("failed-resource")).await.status, 200);
    // Taken note of when it is looked at, told once it has stood for longer than a run takes to come again.
    let noted = || async { !world.running.state().ailing.is_empty() };
    until("it is taken note of", noted).await;
    assert_eq!(sink.asked(), 0);
    world.advance(Duration::from_secs(36 * 60));
    until("it is told", || async { sink.asked() == 1 }).await;
    let told = sink.letters.lock().await[0].to_string();
    assert!(told.contains("ailing:failing:default") && told.contains("resources fail on 1 of 1 hosts"), "{told}");
    assert_eq!(world.report(report_of("incident-7-steady-142", "web01.example.com", 2)).await.status, 200);
    until("that it is over is told", || async { sink.asked() == 2 }).await;
    let over = sink.letters.lock().await[1].to_string();
    assert!(over.contains("[RESOLVED]"), "{over}");
}

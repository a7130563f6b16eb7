//! The store of signals through its facade: what is acknowledged is visible, exactly.

use belay_adapters::sources::facade_roots;
use serde_json::{Value, json};

use super::samples::{Series, body};
use super::world::{Answer, NOON, World};

const S: i64 = 1_000;

async fn write(world: &World, secret: &str, series: &[Series<'_>]) -> Answer {
    let headers = [("content-type", "application/x-protobuf"), ("content-encoding", "snappy")];
    world.send("POST", &format!("{}/write", facade_roots()[0]), secret, &headers, body(series)).await
}

async fn ask(world: &World, question: &str) -> Value {
    world.see(&format!("{}/{question}", facade_roots()[0])).await
}

fn up(host: &'static str) -> [(&'static str, &'static str); 2] {
    [("__name__", "requests_total"), ("instance", host)]
}

#[tokio::test]
async fn what_is_acknowledged_is_visible_to_the_bit() {
    let world = World::start().await;
    let secret = world.token("p1", "source", "p1").await;
    let t = NOON - 600 * S;
    let samples = [(t, 1.0), (t + 15 * S, 0.1 + 0.2), (t + 30 * S, f64::from_bits(0x7ff0_0000_0000_0002)), (t + 45 * S, 5e-324)];
    let answer = write(&world, &secret, &[(&up("web01:9100"), &samples), (&up("web02:9100"), &[(t, f64::INFINITY)])]).await;
    assert_eq!(answer.status, 204, "{:?}", answer.body);
    let written = answer.headers.iter().find(|(name, _)| name.as_str().ends_with("samples-written")).unwrap();
    assert_eq!(written.1, "5");
    for root in facade_roots() {
        let raw = world
            .see(&format!("{root}/query?query=requests_total%7Binstance%3D%22web01:9100%22%7D%5B600s%5D&time={}", (t + 60 * S) / S))
            .await;
        let values: Vec<(f64, String)> = serde_json::from_value(raw["data"]["result"][0]["values"].clone()).unwrap();
        let read: Vec<f64> = values.iter().map(|(_, text)| text.parse().unwrap()).collect();
        assert_eq!((read[0], read[1], read[2].is_nan(), read[3]), (1.0, 0.1 + 0.2, true, 5e-324), "{raw}");
    }
    let again = write(&world, &secret, &[(&up("web01:9100"), &samples)]).await;
    assert_eq!(again.status, 204, "sending again does no harm");
    let status = world.see("/api/v1/status").await;
    assert_eq!((status["signals"]["series"].clone(), status["signals"]["samples"].clone()), (json!(2), json!(5)));
    assert_eq!((status["sources"][0]["name"].clone(), status["sources"][0]["ok"].clone()), (json!("source:p1"), json!(true)));
}

#[tokio::test]
async fn the_few_questions_are_answered_as_clients_expect() {
    let world = World::start().await;
    let t = NOON - 300 * S;
    let stale = f64::from_bits(0x7ff0_0000_0000_0002);
    let one: Vec<(i64, f64)> = (0..10).map(|n| (t + n * 15 * S, n as f64)).collect();
    let two = [(t, 7.0), (t + 60 * S, stale)];
    let admin = world.admin.clone();
    assert_eq!(write(&world, &admin, &[(&up("web01"), &one), (&up("web02"), &two)]).await.status, 204);

    let vector = ask(&world, &format!("query?query=requests_total&time={}", (t + 150 * S) / S)).await;
    assert_eq!(vector["data"]["resultType"], "vector");
    assert_eq!(vector["data"]["result"].as_array().unwrap().len(), 1, "what said that it ended has no last value: {vector}");
    assert_eq!(vector["data"]["result"][0]["value"][1], "9");

    let range = ask(&world, &format!("query_range?query=requests_total&start={}&end={}&step=30s", t / S, (t + 90 * S) / S)).await;
    let values = |n: usize| -> Vec<String> {
        range["data"]["result"][n]["values"].as_array().unwrap().iter().map(|pair| pair[1].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!((values(0), values(1)), (vec!["0".into(), "2".into(), "4".into(), "6".into()], vec!["7".into(), "7".into()]));

    let form = "query=requests_total&time=".to_owned() + &((t + 150 * S) / S).to_string();
    let posted = world.send("POST", &format!("{}/query", facade_roots()[0]), &admin, &[], form).await;
    assert_eq!(posted.json(), vector, "a form says the same as a query");

    assert_eq!(ask(&world, "labels").await["data"], json!(["__name__", "instance"]));
    assert_eq!(ask(&world, "label/instance/values").await["data"], json!(["web01", "web02"]));
    let series = ask(&world, "series?match[]=requests_total%7Binstance=%22web02%22%7D").await;
    assert_eq!(series["data"], json!([{"__name__": "requests_total", "instance": "web02"}]));

    for (question, word) in [
        ("query?query=rate(x%5B5m%5D)", "function"),
        ("query", "query"),
        ("query?query=x&time=soon", "time"),
        ("query_range?query=x&step=1&start=0&end=1e9", "steps"),
    ] {
        let refused = world.get(&format!("{}/{question}", facade_roots()[0])).await;
        assert_eq!((refused.status.as_u16(), refused.json()["status"].clone()), (400, json!("error")), "{question}");
        assert!(refused.json()["error"].as_str().unwrap().contains(word), "{:?}", refused.body);
    }
}

#[tokio::test]
async fn what_cannot_be_taken_is_refused_with_its_label_and_nothing_of_it_is_stored() {
    let world = World::with(|options| options.bounds.signals.max_series = 3).await;
    let secret = world.token("p1", "source", "p1").await;
    let hosts: Vec<String> = (0..9).map(|n| format!("web{n}")).collect();
    let labels: Vec<[(&str, &str); 2]> = hosts.iter().map(|host| [("__name__", "x"), ("instance", host.as_str())]).collect();
    let series: Vec<Series<'_>> = labels.iter().map(|labels| (&labels[..], &[(NOON, 1.0)][..])).collect();
    let many = write(&world, &secret, &series).await;
    assert_eq!(many.status, 400);
    assert!(many.json()["detail"].as_str().unwrap().contains("instance"), "{:?}", many.body);
    let future = write(&world, &secret, &[(&up("a"), &[(NOON + 3_600 * S, 1.0)])]).await;
    assert_eq!(future.status, 400);
    let path = format!("{}/write", facade_roots()[0]);
    assert_eq!(world.send("POST", &path, &secret, &[], "nonsense").await.status, 400);
    let second = [("content-type", "application/x-protobuf;proto=io.x.write.v2.Request")];
    assert_eq!(world.send("POST", &path, &secret, &second, "").await.status, 415);
    assert_eq!(world.send("POST", &path, &secret, &[("content-type", "text/plain")], "").await.status, 415);
    assert_eq!(ask(&world, "labels").await["data"], json!([]));
    let doctor = world.see("/api/v1/doctor").await;
    let sources = doctor["checks"].as_array().unwrap().iter().find(|check| check["name"] == "sources").unwrap();
    assert_eq!(sources["ok"], false, "{sources}");
}

#[tokio::test]
async fn samples_survive_a_restart() {
    let world = World::start().await;
    let admin = world.admin.clone();
    write(&world, &admin, &[(&up("web01"), &[(NOON, 4.5)])]).await;
    let world = world.again(|_| {}).await;
    let vector = ask(&world, "query?query=requests_total").await;
    assert_eq!(vector["data"]["result"][0]["value"][1], "4.5");
}

//! The judge is asked about nothing, on samples in the store: a signal that behaves, and one that jumps all the time.

use std::sync::atomic::Ordering;
use std::time::Duration;

use belay_adapters::sources::facade_roots;
use serde_json::Value;

use super::samples::body;
use super::world::{World, report_of, until};

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;
/// A little after the recorded reports of the story were written.
const ONSET: i64 = 1_795_331_320_000;
const HOSTS: u32 = 6;

fn config(dir: &std::path::Path) -> std::path::PathBuf {
    let mut text =
        "[[class]]\nname = \"web\"\nhosts = [\"web*\"]\nbake = \"5m\"\nhorizon = \"30m\"\ngrace = \"1m\"\npast_steps = 120\n".to_owned();
    for name in ["calm", "jumpy"] {
        text.push_str(&format!(
            "\n[[signal]]\nname = \"{name}\"\nclass = \"web\"\nkind = \"gauge\"\nharm = \"both\"\nmust_have = true\nselect = \"{name}\"\nhost_label = \"instance\"\nstep = \"60s\"\n"
        ));
    }
    let path = dir.join("belay.toml");
    std::fs::write(&path, text).unwrap();
    path
}

/// A number from 0 to 1 that is another one for every name and place.
fn chance(name: &str, place: i64) -> f64 {
    let mut mixed = name
        .bytes()
        .fold(place.cast_unsigned() ^ 0x9e37_79b9_7f4a_7c15, |mixed, byte| (mixed ^ u64::from(byte)).wrapping_mul(0xbf58_476d_1ce4_e5b9));
    for shift in [30, 27, 31] {
        mixed = (mixed ^ (mixed >> shift)).wrapping_mul(0x94d0_49bb_1331_11eb);
    }
    (mixed >> 11) as f64 / (1_u64 << 53) as f64
}

/// A hundred, give or take a little; the jumpy signal is at another level every two hours and a half or so, on each host by itself.
fn value(signal: &str, host: u32, minute: i64, level: &mut f64) -> f64 {
    let name = format!("{signal}{host}");
    if signal == "jumpy" && chance(&name, -minute) < 1.0 / 150.0 {
        *level = 50.0 + 200.0 * chance(&name, minute ^ 0x5555);
    }
    *level * (1.0 + 0.04 * (chance(&name, minute) - 0.5))
}

async fn samples(world: &World, from: i64, to: i64) {
    for signal in ["calm", "jumpy"] {
        let hosts: Vec<String> = (0..HOSTS).map(|host| format!("web{host}:9100")).collect();
        let labels: Vec<[(&str, &str); 2]> = hosts.iter().map(|host| [("__name__", signal), ("instance", host.as_str())]).collect();
        let row = |host| {
            let mut level = 100.0;
            let minutes = (from / MINUTE)..(to / MINUTE);
            minutes.map(|minute| (minute * MINUTE, value(signal, host, minute, &mut level))).collect::<Vec<_>>()
        };
        let rows: Vec<Vec<(i64, f64)>> = (0..HOSTS).map(row).collect();
        let series: Vec<_> = labels.iter().zip(&rows).map(|(labels, row)| (&labels[..], &row[..])).collect();
        let path = format!("{}/write", facade_roots()[0]);
        let answer = world.send("POST", &path, &world.admin, &[], body(&series)).await;
        assert_eq!(answer.status, 204, "{:?}", answer.body);
    }
}

/// Asks for a check and waits until it is done; what it found of the class.
async fn checked(world: &World, secret: &str) -> Value {
    let asked = world.send("POST", "/api/v1/selfcheck", secret, &[], "{}").await;
    assert_eq!((asked.status.as_u16(), asked.json()["running"].clone()), (202, serde_json::json!(["web"])), "{:?}", asked.body);
    for _ in 0..1_200 {
        let view = world.see("/api/v1/selfcheck").await;
        if view["running"].as_array().unwrap().is_empty() {
            return view["classes"][0].clone();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the self-check did not end within two minutes");
}

fn of<'v>(class: &'v Value, name: &str) -> &'v Value {
    class["signals"].as_array().unwrap().iter().find(|signal| signal["signal"] == name).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_that_raises_false_alarms_gets_wider_thresholds_and_later_findings_say_so() {
    let config_dir = tempfile::tempdir().unwrap();
    let path = config(config_dir.path());
    let began = ONSET - 4 * DAY;
    let world = World::at(began, |options| options.config = Some(path)).await;
    for host in 0..HOSTS {
        let first = report_of("incident-1-steady-141", &format!("web{host}"), host).replace("2026-11-22T", "2026-11-18T");
        assert_eq!(world.report(first).await.status, 200);
    }
    let operator = world.token("olga", "role", "operator").await;
    let viewer = world.token("vera", "role", "viewer").await;
    let before = world.send("GET", "/api/v1/selfcheck", &viewer, &[], "").await.json();
    assert!(before["classes"][0]["at"].is_null() && before["classes"][0]["text"].as_str().unwrap().contains("not checked yet"), "{before}");
    assert_eq!(world.send("POST", "/api/v1/selfcheck", &viewer, &[], "{}").await.status, 403);
    assert_eq!(world.send("POST", "/api/v1/selfcheck", &operator, &[], "{\"classes\":[\"db\"]}").await.status, 404);
    let skipped = checked(&world, &operator).await;
    assert_eq!(skipped["skipped"], "the store holds nothing of its signals", "{skipped}");

    world.clock.store(ONSET, Ordering::SeqCst);
    samples(&world, began, ONSET + MINUTE).await;
    let class = checked(&world, &operator).await;
    assert!(class["skipped"].is_null() && class["trials"] == 200 && class["apart"].as_u64() > Some(100), "{class:#}");
    assert!(class["judged"].as_u64() > Some(190), "{class:#}");
    let (calm, jumpy) = (of(&class, "calm"), of(&class, "jumpy"));
    assert!(calm["exceeds"] == false && calm["factor"] == 1.0 && calm["judged"].as_u64() > Some(190), "{class:#}");
    assert!(jumpy["exceeds"] == true && jumpy["factor"] == 1.25 && jumpy["compared"].as_u64() > Some(4), "{class:#}");
    let words = jumpy["caution"].as_str().unwrap().to_owned();
    assert!(words.starts_with("thresholds 25 % wider: this signal raised"), "{words}");
    let doctor = world.see("/api/v1/doctor").await;
    let judge = doctor["checks"].as_array().unwrap().iter().find(|check| check["name"] == "judge").cloned().unwrap();
    assert!(class["exceeds"] == true && judge["ok"] == false && judge["text"].as_str().unwrap().contains("class web"), "{judge}");
    let audit = world.see("/api/v1/audit").await.to_string();
    assert!(audit.contains("self-check of class web") && audit.contains("olga"), "{audit}");

    for host in 0..2 {
        let second = report_of("incident-2-manual-142", &format!("web{host}"), 100 + host);
        assert_eq!(world.report(second).await.status, 200);
    }
    world.clock.store(ONSET + 12 * MINUTE, Ordering::SeqCst);
    samples(&world, ONSET + MINUTE, ONSET + 12 * MINUTE).await;
    let said = |change: &Value, code: &str| {
        let findings = change["findings"].as_array().or(change["verdict"]["findings"].as_array()).cloned().unwrap_or_default();
        findings.iter().find(|finding| finding["code"] == code).map(|finding| finding["text"].as_str().unwrap().to_owned())
    };
    until("a finding is there", || async { said(&world.see("/api/v1/changes/c-1").await, "level:jumpy").is_some() }).await;
    let change = world.see("/api/v1/changes/c-1").await;
    assert!(said(&change, "level:jumpy").unwrap().ends_with(&words), "{change:#}");
    assert!(!said(&change, "level:calm").unwrap().contains("wider"), "{change:#}");
    let why = world.see("/api/v1/why/c-1").await.to_string();
    assert!(why.contains("trials in which nothing had changed"), "{why}");
    let kept = world.running.state().selfchecks;
    let world = world.again(|_| {}).await;
    assert_eq!(world.running.state().selfchecks, kept, "it survives a restart");
}

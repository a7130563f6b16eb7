//! `belay judge`: a file of cases in, a file of verdicts out.

use std::path::Path;

use serde_json::{Value, json};

use crate::harness::run;

const PAST: u32 = 400;
const STEPS: u32 = PAST + 48;

/// A case of one check on changed and unchanged hosts: `fails` says of a changed host whether a probe fails in a step since the change.
fn case(id: &str, changed: u32, peers: u32, fails: impl Fn(u32, u32) -> bool) -> Value {
    // Each host fails by itself now and then.
    let now_and_then = |host: u32, step: u32| (step + 31 * host).is_multiple_of(97);
    let row = |host: u32, fails: &dyn Fn(u32) -> bool| -> Vec<f64> {
        let failing = |step: u32| now_and_then(host, step) || step.checked_sub(PAST).is_some_and(fails);
        (0..STEPS).map(|step| f64::from(u8::from(failing(step)))).collect()
    };
    let treated: Vec<_> = (0..changed).map(|host| row(host, &|step| fails(host, step))).collect();
    let control: Vec<_> = (changed..changed + peers).map(|host| row(host, &|_| false)).collect();
    json!({
        "id": id, "step_s": 60, "past": PAST, "horizon": 48, "grace": 2,
        "signals": [{ "name": "probe_failures", "kind": "check", "direction": "up", "must_have": true, "treated": treated, "control": control }],
    })
}

/// One host of four fails in every third step: its rate tells, no run of failures does.
fn one_of_four(id: &str, peers: u32) -> Value {
    case(id, 4, peers, |host, step| host == 2 && step >= 4 && step.is_multiple_of(3))
}

/// The verdicts on cases, by their ids.
fn verdicts(dir: &Path, cases: &[Value]) -> Vec<(String, String, Option<u64>)> {
    let (from, to) = (dir.join("cases.jsonl"), dir.join("verdicts.jsonl"));
    let lines: Vec<String> = cases.iter().map(Value::to_string).collect();
    std::fs::write(&from, lines.join("\n")).unwrap();
    let ended = run(&["judge", from.to_str().unwrap(), "--out", to.to_str().unwrap()]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    let verdict = |line: &str| {
        let verdict: Value = serde_json::from_str(line).unwrap();
        (verdict["id"].as_str().unwrap().to_owned(), verdict["verdict"].as_str().unwrap().to_owned(), verdict["t"].as_u64())
    };
    std::fs::read_to_string(to).unwrap().lines().map(verdict).collect()
}

#[test]
fn each_case_has_its_verdict_and_one_ill_host_of_several_is_rejected() {
    let dir = tempfile::tempdir().unwrap();
    let cases = [
        case("well", 4, 3, |_, _| false),
        case("all", 4, 3, |_, step| step >= 4),
        one_of_four("one", 3),
        one_of_four("one without peers", 0),
    ];
    let verdicts = verdicts(dir.path(), &cases);
    let words: Vec<(&str, &str)> = verdicts.iter().map(|(id, verdict, _)| (id.as_str(), verdict.as_str())).collect();
    assert_eq!(words, [("well", "accepted"), ("all", "rejected"), ("one", "rejected"), ("one without peers", "rejected")]);
    let times: Vec<Option<u64>> = verdicts.iter().map(|(.., t)| *t).collect();
    assert!(times[0].is_none() && times[1..].iter().all(|t| t.is_some_and(|t| (4..48).contains(&t))), "{times:?}");
}

#[test]
fn reasons_are_told_of_one_case_and_a_line_that_is_none_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let cases = dir.path().join("cases.jsonl");
    let write = |lines: &[String]| std::fs::write(&cases, lines.join("\n")).unwrap();
    let one = one_of_four("one", 0).to_string();
    write(std::slice::from_ref(&one));
    let explain = |id: &str| run(&["judge", cases.to_str().unwrap(), "--explain", id]);
    let told = explain("one");
    assert!(told.code == 0 && told.out.contains("probe_failures fails more often on 1 of 4 changed hosts"), "{}{}", told.out, told.err);
    let none = explain("two");
    assert!(none.code != 0 && none.err.contains("there is no case two in"), "{}", none.err);
    let short = case("short", 1, 3, |_, _| false).to_string().replacen("\"past\":400", "\"past\":401", 1);
    write(&[one, short]);
    let wrong = explain("short");
    assert!(wrong.code != 0 && wrong.err.contains("cases.jsonl:2 (short) is no case: "), "{}", wrong.err);
}

//! `belay judge`: a file of cases in, a file of verdicts out.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::harness::{Ran, belay, ran, run};

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
    fs::write(&from, lines.join("\n")).unwrap();
    let ended = run(&["judge", from.to_str().unwrap(), "--out", to.to_str().unwrap()]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    let verdict = |line: &str| {
        let verdict: Value = serde_json::from_str(line).unwrap();
        (verdict["id"].as_str().unwrap().to_owned(), verdict["verdict"].as_str().unwrap().to_owned(), verdict["t"].as_u64())
    };
    fs::read_to_string(to).unwrap().lines().map(verdict).collect()
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
    let write = |lines: &[String]| fs::write(&cases, lines.join("\n")).unwrap();
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
    let told = "cases.jsonl:2: case short, signal probe_failures: treated row 0 has 448 values, past + horizon is 449\n";
    assert!(wrong.code == 1 && wrong.err.contains(told), "{}", wrong.err);
    let before = explain("one");
    assert_eq!(before.code, 0, "a bad line after the case hides nothing: {}", before.err);
}

/// A folder with files, and the command run in it.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn put(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn judge(&self, args: &[&str]) -> Ran {
        ran(belay(&["judge"]).args(args).current_dir(self.0.path()).output().unwrap())
    }

    /// What is said of one line that is no case.
    fn complaint(&self, line: &str) -> String {
        self.put("bad.jsonl", format!("\n\n{line}\n"));
        let ended = self.judge(&["bad.jsonl", "--out", "out"]);
        assert!(ended.code == 1 && !self.path("out").exists(), "{} {}", ended.code, ended.err);
        ended.err
    }
}

fn well(id: &str) -> Value {
    case(id, 2, 3, |_, _| false)
}

#[test]
fn no_file_is_lost_by_naming_it_for_the_verdicts() {
    let folder = Folder::new();
    let cases = well("a").to_string();
    folder.put("cases", &cases);
    symlink("cases", folder.path("link")).unwrap();
    fs::hard_link(folder.path("cases"), folder.path("twin")).unwrap();
    for out in ["cases", "./cases", "link", "twin"] {
        let ended = folder.judge(&["cases", "--out", out]);
        assert!(ended.code == 1 && ended.err.contains(&format!("--out {out} is the file of cases itself")), "{}", ended.err);
        assert_eq!(folder.text("cases"), cases, "--out {out}");
    }
    folder.put("old", "old\n");
    for bad in [&["nofile", "--out", "old"][..], &["/dev/null", "--out", "old"], &["cases", "--out", "old", "--explain", "b"]] {
        assert_eq!(folder.judge(bad).code, 1, "{bad:?}");
        assert_eq!(folder.text("old"), "old\n", "{bad:?}");
    }
    symlink("old", folder.path("to-old")).unwrap();
    assert_eq!(folder.judge(&["cases", "--out", "to-old"]).code, 0);
    assert!(folder.text("old").starts_with("{\"id\":\"a\"") && folder.path("to-old").is_symlink());
    let appended = fs::File::options().append(true).open(folder.path("old")).unwrap();
    let mut again = belay(&["judge", "cases", "--out", "/dev/stdout"]);
    assert!(again.current_dir(folder.0.path()).stdout(appended).status().unwrap().success());
    assert_eq!(folder.text("old").lines().count(), 2, "what is appended to is not replaced");
    let mut names: Vec<_> = fs::read_dir(folder.0.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["cases", "link", "old", "to-old", "twin"], "nothing is left behind");
}

#[test]
fn verdicts_before_a_bad_line_are_kept_and_counted() {
    let folder = Folder::new();
    folder.put("cases", format!("{}\n{}\n{{\"id\": NaN}}\n{}\n", well("a"), well("b"), well("c")));
    let ended = folder.judge(&["cases", "--out", "out"]);
    assert_eq!(ended.code, 1);
    assert!(
        ended.err.contains("cases:3 is no case: expected value (column 8); the verdicts on 2 cases before it are in out\n"),
        "{}",
        ended.err
    );
    assert!(ended.err.contains("NaN and Infinity are no JSON: write null where data are missing"), "{}", ended.err);
    assert_eq!(folder.text("out").lines().count(), 2);
}

#[test]
fn a_file_without_cases_is_an_error_and_one_with_cases_is_summed_up() {
    let folder = Folder::new();
    for nothing in ["", "\n \n", "\u{feff}\n"] {
        folder.put("empty", nothing);
        let ended = folder.judge(&["empty", "--out", "out"]);
        assert!(ended.code == 1 && ended.err.contains("there is no case in empty\n"), "{nothing:?}: {}", ended.err);
    }
    folder.put("cases", format!("{}\n{}\n", well("a"), case("b", 4, 3, |_, step| step >= 4)));
    let ended = folder.judge(&["cases", "--out", "out"]);
    assert_eq!(ended.err.trim(), "Judged 2 cases: 1 rejected, 1 accepted, 0 inconclusive; written to out");
    let piped = folder.judge(&["cases", "--out", "-"]);
    assert_eq!((piped.code, piped.out), (0, folder.text("out")), "a summary among verdicts would be no verdict");
}

#[test]
fn a_file_is_what_its_content_is_whatever_it_is_called() {
    let folder = Folder::new();
    let cases = format!("\u{feff}{}\r\n{}", well("a"), well("b"));
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(cases.as_bytes()).unwrap();
    folder.put("packed.jsonl", packer.finish().unwrap());
    folder.put("plain.gz", &cases);
    for name in ["packed.jsonl", "plain.gz"] {
        let ended = folder.judge(&[name, "--out", "-"]);
        assert!(ended.code == 0 && ended.out.lines().count() == 2, "{name}: {}", ended.err);
        let mut piped = belay(&["judge", "-", "--out", "-"]);
        let mut piped = piped.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        piped.stdin.take().unwrap().write_all(&fs::read(folder.path(name)).unwrap()).unwrap();
        assert_eq!(ran(piped.wait_with_output().unwrap()).out, ended.out, "{name}");
    }
}

#[test]
fn what_is_wrong_with_a_case_is_told_with_its_place_and_what_is_allowed() {
    let folder = Folder::new();
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut case = well("x");
        change(&mut case);
        folder.complaint(&case.to_string())
    };
    let told = |change: &dyn Fn(&mut Value), wanted: &str| {
        let complaint = changed(change);
        assert!(complaint.contains(&format!("bad.jsonl:3: case x{wanted}\n")), "{complaint}\nis not\n{wanted}");
    };
    let of = ", signal probe_failures: ";
    told(&|case| case["grace"] = json!(48), ": grace 48 leaves nothing of horizon 48; it has to be smaller");
    let too_long = format!(": past {} + horizon 48 is more than can be counted", u64::MAX);
    told(&|case| case["past"] = json!(u64::MAX), &too_long);
    let kind = format!("{of}\"histogram\" is no kind of signal; it is one of gauge, latency, count, flow, check");
    told(&|case| case["signals"][0]["kind"] = json!("histogram"), &kind);
    let direction = format!("{of}\"worse\" is no direction; it is one of up, down, both");
    told(&|case| case["signals"][0]["direction"] = json!("worse"), &direction);
    let row = format!("{of}control row 2 has 1 values, past + horizon is 448");
    told(&|case| case["signals"][0]["control"][2] = json!([0.0]), &row);
    let twice = |case: &mut Value| {
        let again = case["signals"][0].clone();
        case["signals"].as_array_mut().unwrap().push(again);
    };
    told(&twice, &format!("{of}two signals have this name; give each its own"));
    let spaced = changed(&|case| case["signals"][0]["name"] = json!("of a door"));
    assert!(spaced.contains("bad.jsonl:3: case x, signal of a door: it cannot be called so: "), "{spaced}");
    let twins = folder.complaint("{\"id\": \"x\"}");
    assert!(twins.contains("bad.jsonl:3 is no case: missing field") && !twins.contains("line 1"), "{twins}");
}

#[test]
fn two_cases_of_one_id_are_refused_at_the_second() {
    let folder = Folder::new();
    folder.put("cases", format!("{}\n{}\n{}\n", well("a"), well("b"), well("a")));
    let ended = folder.judge(&["cases", "--out", "out"]);
    assert!(ended.code == 1 && ended.err.contains("cases:3: case a: line 1 has a case of this id already"), "{}", ended.err);
}

#[test]
fn a_signal_that_is_gone_while_others_come_is_no_dead_host() {
    let folder = Folder::new();
    let mut gone = well("gone");
    let mut other = gone["signals"][0].clone();
    other["name"] = json!("other_failures");
    gone["signals"].as_array_mut().unwrap().push(other);
    for row in gone["signals"][0]["treated"].as_array_mut().unwrap() {
        row.as_array_mut().unwrap().iter_mut().skip(PAST as usize + 2).for_each(|value| *value = Value::Null);
    }
    folder.put("cases", gone.to_string());
    let told = folder.judge(&["cases", "--explain", "gone"]);
    assert!(told.out.starts_with("gone: rejected at sample ") && told.out.contains(": vanished of probe_failures\n"), "{}", told.out);
    assert!(told.out.contains("2 hosts: host and exporter are there, but the signal is not\n"), "{}", told.out);
    // The only signal of its hosts: whether they are alive cannot be known, and it is not accepted either.
    gone["signals"].as_array_mut().unwrap().pop();
    folder.put("cases", gone.to_string());
    let told = folder.judge(&["cases", "--explain", "gone"]);
    assert!(told.out.starts_with("gone: inconclusive (no-data) after 48 samples: probe_failures was not seen\n"), "{}", told.out);
    assert!(told.out.contains("nothing at all comes from the host\n"), "{}", told.out);
}

#[test]
fn an_explanation_says_first_what_was_decided_and_an_id_may_be_looked_for_by_its_end() {
    let folder = Folder::new();
    folder.put("cases", format!("{}\n{}\n", one_of_four("dev-1", 0), case("dev-21", 4, 3, |_, step| step >= 4)));
    let one = folder.judge(&["cases", "--explain", "dev-1"]).out;
    let mut lines = one.lines();
    let (first, second) = (lines.next().unwrap(), lines.next().unwrap());
    assert!(
        first.starts_with("dev-1: rejected at sample ")
            && first.ends_with(": single-host of probe_failures; failure-rate of probe_failures"),
        "{one}"
    );
    assert_eq!(second, "  one host is ill by itself; in production its wave is held, a verdict file counts it as rejected");
    assert!(one.ends_with('\n') && !one.ends_with("\n\n"), "{one:?}");
    let all = folder.judge(&["cases", "--explain", "dev-21"]).out;
    assert!(all.starts_with("dev-21: rejected at sample ") && !all.contains("ill by itself;"), "{all}");
    let near = folder.judge(&["cases", "--explain", "21"]).err;
    assert!(near.contains("did you mean --explain dev-21?"), "{near}");
    let several = folder.judge(&["cases", "--explain", "1"]).err;
    assert!(several.contains("look for its id in the file"), "{several}");
    assert!(folder.judge(&["--help"]).out.contains("docs/judge.md#formats"));
}

use std::collections::BTreeMap;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use belay_core::model::policy::Pattern;
use belay_core::model::principal::{Principal, Role};

use super::*;
use crate::ledger::{Deposit, RunFilter, open_reader};

fn admin() -> Principal {
    Principal::person("alice", Role::Admin)
}

fn facts(host: &str) -> Input {
    Input::Facts {
        principal: admin(),
        host: HostId::parse(host).unwrap(),
        release: None,
        facts: BTreeMap::from([("a".into(), "b".into())]),
    }
}

fn unreadable(inbox: Option<InboxId>) -> Input {
    let principal = Principal::Relay(Pattern::new("*"));
    Input::Unreadable { principal, inbox, host: None, digest: Digest::of(b"x"), reason: "half".into() }
}

fn writer(dir: &std::path::Path, clock: Clock) -> Writer {
    let limits = Limits { batch_time: Duration::from_secs(600), ..Limits::default() };
    Writer::new(Ledger::open(dir, None).unwrap(), clock, limits).unwrap()
}

fn at(ms: i64) -> Clock {
    Arc::new(move || Timestamp::from_ms(ms))
}

/// Takes all of it in one batch and gives the answers.
fn batch(writer: &mut Writer, inputs: Vec<Input>) -> Vec<Answer> {
    let (mut works, mut answers) = (Vec::new(), Vec::new());
    for input in inputs {
        let (reply, answer) = oneshot::channel();
        works.push(Work::Input { input: Box::new(input), keep: Keep::default(), reply });
        answers.push(answer);
    }
    let mut works = works.into_iter();
    writer.turn(works.next().unwrap(), || works.next()).unwrap();
    answers.iter_mut().map(|answer| answer.try_recv().unwrap()).collect()
}

fn decide_or_panic(state: &State, now: Timestamp, input: &Input) -> (Vec<Fact>, Answer) {
    match input {
        Input::Facts { host, .. } if host.as_str() == "poison" => panic!("cannot be digested"),
        _ => decide(state, now, input),
    }
}

#[test]
fn an_input_on_which_belay_fails_is_put_aside_and_everybody_else_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer { decide: decide_or_panic, ..writer(dir.path(), at(1_000)) };
    let answers = batch(&mut writer, vec![facts("web01"), facts("poison"), facts("web02")]);
    assert_eq!((&answers[0], &answers[2]), (&Answer::Done, &Answer::Done));
    assert!(matches!(&answers[1], Answer::Unprocessable(text) if text.contains("cannot be digested")), "{answers:?}");
    let hosts = |state: &State| state.hosts.keys().map(HostId::to_string).collect::<Vec<_>>();
    assert_eq!(hosts(&writer.state), ["web01", "web02"]);
    assert_eq!(hosts(&writer.published.read().unwrap()), ["web01", "web02"]);
    assert_eq!(writer.counts.panics.load(Ordering::Relaxed), 1);
    let path = writer.ledger.path().to_owned();
    drop(writer);
    let audit = open_reader(&path).unwrap().audit(&Default::default(), None, 10).unwrap();
    assert!(audit.items.iter().any(|note| note.kind == "warning" && note.text.contains("mistake in Belay")));
    assert_eq!(Ledger::open(dir.path(), None).unwrap().load().unwrap().0.hosts.len(), 2, "no crash loop");
}

#[test]
fn a_row_of_the_inbox_is_decided_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(dir.path(), at(1_000));
    let (reply, mut id) = oneshot::channel();
    let deposit =
        Deposit { received: Timestamp::from_ms(1_000), tool: "tool", head: String::new(), principal: admin(), body: "half".into() };
    writer.turn(Work::Deposit { deposit, reply }, || None).unwrap();
    let id = id.try_recv().unwrap().unwrap();
    assert_eq!(writer.counts.inbox_rows.load(Ordering::Relaxed), 1);
    batch(&mut writer, vec![unreadable(Some(id))]);
    batch(&mut writer, vec![unreadable(Some(id))]);
    assert_eq!(writer.counts.inbox_rows.load(Ordering::Relaxed), 0);
    assert_eq!(open_reader(writer.ledger.path()).unwrap().quarantined().unwrap(), 1);
}

#[test]
fn time_never_goes_back() {
    let dir = tempfile::tempdir().unwrap();
    let time = Arc::new(AtomicI64::new(5_000));
    let shown = Arc::clone(&time);
    let mut writer = writer(dir.path(), Arc::new(move || Timestamp::from_ms(shown.load(Ordering::SeqCst))));
    batch(&mut writer, vec![facts("web01")]);
    time.store(1_000, Ordering::SeqCst);
    batch(&mut writer, vec![facts("web02")]);
    assert_eq!(writer.state.now, Timestamp::from_ms(5_000));
    assert_eq!(writer.state.hosts[&HostId::parse("web02").unwrap()].since, Timestamp::from_ms(5_000));
}

#[test]
fn a_repeated_report_is_known_within_a_batch_too() {
    use belay_core::model::ids::ToolName;
    use belay_core::model::report::{Decoded, Report, RunKind, Version};
    use belay_core::model::time::Span;
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(dir.path(), at(1_000_000));
    let report = |n: usize| {
        let report = Report {
            tool: ToolName::parse("tool").unwrap(),
            host: "web01".into(),
            tool_run_id: n.to_string(),
            digest: Digest::of(&[n.try_into().unwrap()]),
            kind: RunKind::Unchanged,
            started: Timestamp::from_ms(1_000_000),
            took: Span::ZERO,
            environment: None,
            version: Version::Unknown,
            events: vec![],
            failed: vec![],
            resources: 0,
            skipped: 0,
            tool_version: String::new(),
        };
        let decoded = Box::new(Decoded { report, complaints: vec![] });
        Input::Report {
            principal: admin(),
            decoded,
            received: Timestamp::from_ms(1_000_000),
            inbox: None,
            earlier: None,
            before: None,
            past: false,
        }
    };
    // More than the state remembers of a host, then the first one again: all in one batch.
    let answers = batch(&mut writer, (0..20).chain([0]).map(report).collect());
    assert_eq!(answers[20], Answer::Run { run: RunId(1), duplicate: true });
    assert_eq!(open_reader(writer.ledger.path()).unwrap().runs(&RunFilter::default(), None, 100).unwrap().items.len(), 20);
}

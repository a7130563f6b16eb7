//! A small story of reports, told by inputs: enough that every table of the ledger gets rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use belay_core::decide::{Input, decide};
use belay_core::model::ids::{Digest, HostId, InboxId, ToolName};
use belay_core::model::item::ItemKey;
use belay_core::model::principal::{Principal, Role, Token};
use belay_core::model::report::{Decoded, Event, EventOutcome, FailedResource, Report, RunKind, Version};
use belay_core::model::time::{Span, Timestamp};
use belay_core::state::{Fact, State};

/// When the story begins.
pub const BEGIN: Timestamp = Timestamp::from_ms(1_795_329_000_000);

/// Who may do everything.
pub fn admin() -> Principal {
    Principal::person("alice", Role::Admin)
}

/// A report of a host: what it changes is (title, content).
pub fn report(host: &str, id: &str, at: Timestamp, changes: &[(&str, &str)]) -> Decoded {
    let event = |(title, content): &(&str, &str)| Event {
        item: Some(ItemKey::new("File", title, "content")),
        resource: format!("File[{title}]"),
        old: String::new(),
        new: (*content).to_owned(),
        content: Some(Digest::of(content.as_bytes())),
        message: "content changed".into(),
        outcome: EventOutcome::Applied,
        at: Some(at),
    };
    let events: Vec<Event> = changes.iter().map(event).collect();
    let report = Report {
        tool: ToolName::parse("tool").unwrap(),
        host: host.into(),
        tool_run_id: id.into(),
        digest: Digest::of_parts([host, id]),
        kind: if events.is_empty() { RunKind::Unchanged } else { RunKind::Changed },
        started: at,
        took: Span::from_s(1),
        environment: None,
        version: Version::Named("v1".into()),
        events,
        failed: Vec::<FailedResource>::new(),
        resources: 10,
        skipped: 0,
        tool_version: "1".into(),
    };
    Decoded { report, complaints: vec![] }
}

/// An input that brings a report.
pub fn arrival(decoded: Decoded, inbox: Option<InboxId>) -> Input {
    let received = decoded.report.started + Span::from_s(2);
    Input::Report { principal: admin(), decoded: Box::new(decoded), received, inbox, earlier: None, before: None, past: false }
}

/// The inputs of the story, each with the time it comes at. Some belong to a row of the inbox, whose
/// number is that of the input.
pub fn inputs() -> Vec<(Timestamp, Input)> {
    let minute = |n: i64| BEGIN + Span::from_min(n);
    let facts = |host: &str| Input::Facts {
        principal: admin(),
        host: HostId::parse(host).unwrap(),
        release: None,
        facts: BTreeMap::from([("role".into(), "web".into())]),
    };
    let token = Token { hash: Digest::of(b"secret"), name: "t".into(), principal: Principal::Source("p1".into()), issued: BEGIN };
    let policy = belay_api::config::parse("belay.toml", CONFIG).expect("a valid configuration").policy;
    let mut inputs = vec![
        Input::Policy { policy: Arc::new(policy), actor: admin().actor() },
        facts("web01"),
        Input::IssueToken { principal: admin(), token },
    ];
    for (n, host) in [(1, "web01"), (2, "web02"), (3, "web03")] {
        inputs.push(arrival(report(host, "first", minute(n), &[("/etc/a", "one")]), None));
    }
    for (n, host) in [(11, "web01"), (12, "web02")] {
        inputs.push(arrival(report(host, "second", minute(n), &[("/etc/a", "two"), ("/etc/b", "new")]), None));
    }
    inputs.push(arrival(report("web03", "second", minute(13), &[]), None));
    inputs.push(arrival(report("web01", "second", minute(11), &[("/etc/a", "two"), ("/etc/b", "new")]), None));
    inputs.push(Input::Unreadable {
        principal: admin(),
        inbox: None,
        host: Some("web02".into()),
        digest: Digest::of(b"half a rep"),
        reason: "it ends in the middle".into(),
    });
    inputs.into_iter().enumerate().map(|(n, input)| (minute(20 + i64::try_from(n).unwrap()), input)).collect()
}

const CONFIG: &str = r#"
[[class]]
name = "web"
hosts = ["web*"]

[[alert]]
name = "ops"
url = "http://127.0.0.1:9/hook"
"#;

/// Decides an input, applies it, and gives its facts.
pub fn step(state: &mut State, now: Timestamp, input: &Input) -> Vec<(Timestamp, Fact)> {
    let (facts, _) = decide(state, now, input);
    facts.iter().for_each(|fact| state.apply(now, fact));
    facts.into_iter().map(|fact| (now, fact)).collect()
}

//! A small laboratory: a state, a clock that the test moves, and short words for inputs.

use std::collections::BTreeMap;
use std::sync::Arc;

use belay_core::decide::{Answer, Input, Ruling, decide};
use belay_core::model::ids::{ChangeId, ClassName, Digest, Environment, HostId, ReceiverName, Release, SignalName, ToolName};
use belay_core::model::item::{ItemKey, Mark};
use belay_core::model::policy::{ClassPolicy, Pattern, Policy, Receiver};
use belay_core::model::principal::{Actor, Principal, Role};
use belay_core::model::report::{Decoded, Event, EventOutcome, FailedResource, Report, RunKind, Version};
use belay_core::model::run::Run;
use belay_core::model::signal::{Harm, Reading, Signal, SignalKind};
use belay_core::model::time::{Span, Timestamp};
use belay_core::model::verdict::{Finding, Lack, Look, Outcome, Standing};
use belay_core::state::{Fact, Scope, State};

pub const FILE: &str = "/etc/app/sitemonitor.conf";

/// A laboratory.
pub struct Lab {
    pub state: State,
    pub now: Timestamp,
    pub journal: Vec<(Timestamp, Fact)>,
    runs: u64,
}

/// A run to be reported.
#[derive(Clone)]
pub struct Told {
    pub host: String,
    pub kind: RunKind,
    pub environment: String,
    pub version: Version,
    pub contents: Vec<(ItemKey, String, EventOutcome)>,
    pub failed: Vec<String>,
    pub id: Option<String>,
    pub started: Option<Timestamp>,
}

pub fn told(host: &str, environment: &str) -> Told {
    Told {
        host: host.to_owned(),
        kind: RunKind::Changed,
        environment: environment.to_owned(),
        version: Version::Unknown,
        contents: vec![],
        failed: vec![],
        id: None,
        started: None,
    }
}

impl Told {
    pub fn version(mut self, name: &str) -> Self {
        self.version = Version::Named(name.to_owned());
        self
    }
    pub fn file(mut self, path: &str, text: &str) -> Self {
        self.contents.push((ItemKey::new("File", path, "content"), text.to_owned(), EventOutcome::Applied));
        self
    }
    pub fn kind(mut self, kind: RunKind) -> Self {
        self.kind = kind;
        self
    }
    pub fn failing(mut self, resource: &str) -> Self {
        self.failed.push(resource.to_owned());
        self.kind(RunKind::Failed)
    }
    pub fn id(mut self, id: &str) -> Self {
        self.id = Some(id.to_owned());
        self
    }
    pub fn started(mut self, at: Timestamp) -> Self {
        self.started = Some(at);
        self
    }
}

impl Lab {
    pub fn new() -> Self {
        let mut lab = Self { state: State::default(), now: Timestamp::from_ms(1_795_000_000_000), journal: vec![], runs: 0 };
        let policy = Policy {
            classes: vec![class("web"), class("db")],
            signals: vec![flow("requests")],
            receivers: vec![Receiver { name: ReceiverName::parse("pager").unwrap(), url: "http://127.0.0.1:9/x".into(), classes: vec![] }],
            ..Policy::default()
        };
        lab.tell(&Input::Policy { policy: Arc::new(policy), actor: Actor("test".into()) });
        lab
    }

    pub fn tell(&mut self, input: &Input) -> Answer {
        let (facts, answer) = decide(&self.state, self.now, input);
        for fact in facts {
            self.state.apply(self.now, &fact);
            self.journal.push((self.now, fact));
        }
        answer
    }

    pub fn pass(&mut self, span: Span) {
        self.now = self.now + span;
    }

    pub fn release(&mut self, host: &str, release: &str) -> Answer {
        self.tell(&Input::Facts {
            principal: admin(),
            host: HostId::parse(host).unwrap(),
            release: Some(Release::parse(release).unwrap()),
            facts: BTreeMap::new(),
        })
    }

    pub fn report(&mut self, told: Told) -> Answer {
        self.report_as(admin(), told)
    }

    /// A report of what was before Belay was there.
    pub fn past(&mut self, told: Told) -> Answer {
        self.report_of(admin(), told, true)
    }

    pub fn report_as(&mut self, principal: Principal, told: Told) -> Answer {
        self.report_of(principal, told, false)
    }

    fn report_of(&mut self, principal: Principal, told: Told, past: bool) -> Answer {
        self.runs += 1;
        let id = told.id.clone().unwrap_or_else(|| format!("uuid-{}", self.runs));
        let started = told.started.unwrap_or(self.now - Span::from_s(10));
        let report = Report {
            tool: ToolName::parse("tool").unwrap(),
            host: told.host.clone(),
            digest: Digest::of(format!("{id}{:?}", told.contents).as_bytes()),
            tool_run_id: id,
            kind: told.kind.clone(),
            started,
            took: Span::from_s(10),
            environment: Environment::parse(&told.environment).ok(),
            version: told.version.clone(),
            events: told.contents.iter().map(|(key, text, outcome)| event(key, text, *outcome, started)).collect(),
            failed: told.failed.iter().map(|r| FailedResource { resource: r.clone(), message: "no".into() }).collect(),
            resources: 10,
            skipped: 0,
            tool_version: "1".into(),
        };
        let decoded = Box::new(Decoded { report, complaints: vec![] });
        let before = self.run_of(&told.host, &decoded.report.tool_run_id).map(Box::new);
        self.tell(&Input::Report { principal, decoded, received: self.now, inbox: None, earlier: None, before, past })
    }

    /// The run that is recorded under this id, as a ledger would know it.
    pub fn run_of(&self, host: &str, tool_run_id: &str) -> Option<Run> {
        self.journal.iter().rev().find_map(|(_, fact)| match fact {
            Fact::RunRecorded { run, .. } if run.host.as_str() == host && run.tool_run_id == tool_run_id => Some((**run).clone()),
            _ => None,
        })
    }

    /// Tells the writer what a look found, as if the judge had said so.
    pub fn look(&mut self, change: u64, standing: Standing, findings: Vec<Finding>, lacks: Vec<Lack>) {
        let look = Box::new(Look { at: self.now, standing, findings, lacks });
        self.tell(&Input::Looked { change: ChangeId(change), look, evidence: Digest::of(b"evidence") });
    }

    pub fn conclude(&mut self, change: u64, outcome: Outcome) {
        self.look(change, Standing::Final(outcome), vec![], vec![]);
    }

    pub fn rule(&mut self, role: Role, change: u64, ruling: Ruling, reason: &str) -> Answer {
        let principal = Principal::person("alice", role);
        self.tell(&Input::Override { principal, change: ChangeId(change), ruling, seen: None, reason: reason.into() })
    }

    pub fn mark(&self, class: &str, release: &str, path: &str, text: &str) -> Option<Mark> {
        self.state.acceptance.mark(&scope(class, Some(release)), &ItemKey::new("File", path, "content"), &content(text))
    }

    /// Hosts of a class, enrolled with a release, an environment and a first run that changed nothing.
    pub fn enrol(&mut self, names: &[&str], release: &str, environment: &str) {
        for name in names {
            self.release(name, release);
            self.report(told(name, environment).kind(RunKind::Unchanged).version("v1"));
        }
    }
}

pub fn event(key: &ItemKey, text: &str, outcome: EventOutcome, at: Timestamp) -> Event {
    Event {
        item: Some(key.clone()),
        resource: format!("{}[{}]", key.kind, key.title),
        old: "old".into(),
        new: text.to_owned(),
        content: Some(content(text)),
        message: format!("content changed to {text}"),
        outcome,
        at: Some(at + Span::from_s(5)),
    }
}

pub fn content(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

pub fn scope(class: &str, release: Option<&str>) -> Scope {
    Scope { class: ClassName::parse(class).unwrap(), release: release.map(|r| Release::parse(r).unwrap()) }
}

pub fn class(name: &str) -> ClassPolicy {
    ClassPolicy {
        hosts: vec![Pattern::new(&format!("{name}*"))],
        bake: Span::from_min(5),
        horizon: Span::from_min(30),
        grace: Span::from_min(1),
        ..ClassPolicy::defaults(ClassName::parse(name).unwrap())
    }
}

pub fn flow(name: &str) -> Signal {
    Signal {
        name: SignalName::parse(name).unwrap(),
        classes: vec![],
        kind: SignalKind::Flow,
        harm: Harm::Down,
        must_have: true,
        select: format!("{name}_total"),
        host_label: "host".into(),
        reading: Reading::Counter,
        step: Span::from_min(1),
        weight: Default::default(),
    }
}

pub fn admin() -> Principal {
    Principal::person("root", Role::Admin)
}

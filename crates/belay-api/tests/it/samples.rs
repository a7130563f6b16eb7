//! At least one rich value of every fact, in an order that can be folded.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use belay_api::config;
use belay_core::model::alert::{Effect, Task};
use belay_core::model::change::{
    Change, Failure, ItemWords, Nearness, Overlaps, Peer, Spoilt, Stay, Treated, Trial, Waves, release_content, release_item,
};
use belay_core::model::evidence::Evidence;
use belay_core::model::host::{Carried, Host, LastRun, Seen, Trouble};
use belay_core::model::ids::{
    ChangeId, ClassName, Digest, EffectId, Environment, HostId, InboxId, ReceiverName, Release, RunId, SignalName, ToolName,
};
use belay_core::model::item::{ItemKey, Items, Mark, environment_content};
use belay_core::model::log::{Line, LogEvidence};
use belay_core::model::policy::Pattern;
use belay_core::model::principal::{Actor, Principal, Role, Token, Within};
use belay_core::model::report::{Event, EventOutcome, FailedResource, RunKind, Version};
use belay_core::model::run::Run;
use belay_core::model::selfcheck::Cautions;
use belay_core::model::signal::{Harm, Missing, Reading, Sample, Series, Signal, SignalKind, Weight, Window};
use belay_core::model::time::{Span, Timestamp};
use belay_core::model::user::{Proof, Session, User};
use belay_core::model::verdict::{Check, Finding, Gap, Judge, Lack, Look, Numbers, Outcome, Says, Standing, Verdict};
use belay_core::state::{Counters, Fact, Note, NoteKind, Scope};

/// 2026-11-22T06:37:23.317Z.
pub const NOW: Timestamp = Timestamp::from_ms(1_795_329_443_317);

const POLICY: &str = r#"
[server]
public_url = "https://belay.example.com"
[[class]]
name = "web"
hosts = ["web*"]
facts = { role = "web" }
environments = { "141" = "production", "142" = "r142" }
[[signal]]
name = "requests"
class = "web"
kind = "flow"
select = "sitemonitor_requests_total"
[[alert]]
name = "team"
url = "https://alerts.example.com/belay"
"#;

pub fn class() -> ClassName {
    ClassName::parse("web").unwrap()
}

pub fn host(name: &str) -> HostId {
    HostId::parse(name).unwrap()
}

pub fn release(name: &str) -> Release {
    Release::parse(name).unwrap()
}

pub fn environment(name: &str) -> Environment {
    Environment::parse(name).unwrap()
}

pub fn signal_name() -> SignalName {
    SignalName::parse("requests").unwrap()
}

pub fn actor() -> Actor {
    Actor("alice".into())
}

pub fn key() -> ItemKey {
    ItemKey::new("File", "/etc/app/sitemonitor.conf", "content")
}

pub fn items() -> Items {
    let r142 = environment("r142");
    BTreeMap::from([
        (key(), Digest::of(b"142")),
        (ItemKey::environment(), environment_content(&r142)),
        (release_item(), release_content(&release("142"))),
    ])
}

fn words() -> BTreeMap<ItemKey, ItemWords> {
    let words = |old: &str, new: &str| ItemWords { old: old.into(), new: new.into() };
    BTreeMap::from([
        (key(), words("{sha256}aa", "{sha256}bb")),
        (ItemKey::environment(), words("production", "r142")),
        (release_item(), words("141", "142")),
    ])
}

pub fn treated() -> BTreeMap<HostId, Treated> {
    let failures =
        BTreeMap::from([("Service[app]".to_owned(), Failure { times: 2, message: "could not start \u{201c}app\u{201d}".into() })]);
    let one = Treated {
        left: None,
        onset: NOW,
        run: Some(RunId(7)),
        skewed: true,
        environment: Some(environment("r142")),
        failures,
        compile_error: Some("no such class \"x\"\nat line 3".into()),
    };
    let bare = Treated { run: None, skewed: false, environment: None, failures: BTreeMap::new(), compile_error: None, ..one.clone() };
    BTreeMap::from([(host("web01"), one), (host("web02"), bare)])
}

fn finding(check: Check, says: Says) -> Finding {
    Finding {
        check,
        signal: Some(signal_name()),
        says,
        hosts: vec![host("web01"), host("web02")],
        of: 2,
        peers_alike: (0, 13),
        text: "requests stopped on 2 of 2 hosts and on none of 13 peers".into(),
        numbers: Numbers {
            treated: Some(0.0),
            own_past: Some(41.25),
            peers: Some(1.0 / 3.0),
            peers_past: None,
            samples: 12,
            ln_e: Some(6.907_755_278_982_137),
            effect: Some(-41.25),
            effect_low: Some(-44.5),
            effect_high: Some(-38.0),
            p: Some(0.001),
            budget: Some(0.005),
        },
        since: Some(NOW),
    }
}

fn findings() -> Vec<Finding> {
    let mut all: Vec<Finding> = Check::ALL.into_iter().map(|check| finding(check, Says::Harm)).collect();
    all.extend(Gap::ALL.into_iter().map(|gap| finding(Check::Presence, Says::CannotTell(gap))));
    all.push(Finding {
        signal: None,
        hosts: vec![],
        since: None,
        numbers: Numbers::default(),
        ..finding(Check::FailedResource, Says::Suspicion)
    });
    all.push(finding(Check::FlowShare, Says::Fine));
    all.push(finding(Check::FailureRate, Says::Fine));
    all
}

fn lacks() -> Vec<Lack> {
    MISSING.map(|why| Lack { signal: signal_name(), must_have: why == Missing::NoSeries, why, hosts: vec![host("web01")] }).to_vec()
}

const MISSING: [Missing; 6] =
    [Missing::HostGone, Missing::ExporterGone, Missing::NoSeries, Missing::TooFew, Missing::Stale, Missing::NotUnderstood];

pub fn look(standing: Standing) -> Look {
    Look { at: NOW, standing, findings: findings(), lacks: lacks() }
}

pub fn verdict(outcome: Outcome, by: Judge) -> Verdict {
    Verdict { outcome, at: NOW, by, findings: findings(), lacks: lacks(), evidence: Some(Digest::of(b"windows")) }
}

pub fn line() -> Line {
    Line { log: "app".into(), pattern: "dropped".into(), since: NOW, at: NOW, text: "no target: request dropped".into() }
}

pub fn logs() -> LogEvidence {
    let mut logs = LogEvidence::default();
    logs.add(&host("web01"), true, &line());
    logs.add(&host("web02"), false, &line());
    logs
}

pub fn change(id: u64) -> Change {
    Change {
        id: ChangeId(id),
        class: class(),
        release: Some(release("142")),
        version: Version::Named("9f2c1e04 (production)".into()),
        environment: Some(environment("r142")),
        items: items(),
        words: words(),
        opened: NOW,
        renewed: NOW,
        treated: treated(),
        standing: Standing::Suspect,
        look: Some(look(Standing::Suspect)),
        verdict: Some(verdict(Outcome::Inconclusive(Gap::PeersSick), Judge::Successor(ChangeId(18)))),
        after_rejection: 3,
        supersedes: Some(ChangeId(16)),
        waves: Some(Waves { order: vec![host("web01"), host("web02")], sizes: vec![1, 2], open: 1, opened: NOW }),
        logs: logs(),
    }
}

/// A Change of which as little is known as can be.
pub fn bare_change(id: u64) -> Change {
    Change {
        release: None,
        version: Version::Unknown,
        environment: None,
        items: Items::new(),
        words: BTreeMap::new(),
        treated: BTreeMap::new(),
        standing: Standing::OnTrial,
        look: None,
        verdict: None,
        after_rejection: 0,
        supersedes: None,
        waves: None,
        logs: LogEvidence::default(),
        ..change(id)
    }
}

fn event(outcome: EventOutcome) -> Event {
    Event {
        item: Some(key()),
        resource: "File[/etc/app/sitemonitor.conf]".into(),
        old: "{sha256}aa".into(),
        new: "{sha256}bb".into(),
        content: Some(Digest::of(b"142")),
        message: "content changed\tto \u{1f600}".into(),
        outcome,
        at: Some(NOW),
    }
}

pub fn run(id: u64, kind: RunKind) -> Run {
    let bare = Event { item: None, content: None, at: None, ..event(EventOutcome::Applied) };
    Run {
        id: RunId(id),
        host: host("web01"),
        class: class(),
        release: Some(release("142")),
        tool: ToolName::parse("sometool").unwrap(),
        tool_run_id: format!("uuid-{id}"),
        digest: Digest::of(&id.to_le_bytes()),
        kind,
        started: NOW,
        took: Span::from_ms(1_234),
        received: NOW + Span::from_s(2),
        environment: Some(environment("r142")),
        version: Version::Named("9f2c1e04".into()),
        events: vec![
            event(EventOutcome::Applied),
            event(EventOutcome::Failed),
            event(EventOutcome::WouldApply),
            event(EventOutcome::Audited),
            bare,
        ],
        event_count: 999,
        failed: vec![FailedResource { resource: "Service[app]".into(), message: String::new() }],
        delta: items(),
        drift: 4,
        restored: BTreeMap::from([(key(), Digest::of(b"put back"))]),
        skewed: true,
        first: false,
        change: Some(ChangeId(17)),
    }
}

fn run_kinds() -> Vec<RunKind> {
    let text = || "because \u{b7} \"quoted\"".to_owned();
    vec![
        RunKind::Changed,
        RunKind::Unchanged,
        RunKind::NoopWouldChange,
        RunKind::NoopUnchanged,
        RunKind::Partial,
        RunKind::Failed,
        RunKind::FailedCompile(text()),
        RunKind::Aborted(text()),
        RunKind::Refused(text()),
        RunKind::CachedCatalog(text()),
    ]
}

pub fn rich_host() -> Host {
    Host {
        release: Some(release("142")),
        facts: BTreeMap::from([("role".to_owned(), "web".to_owned()), (String::new(), "\u{0}\u{7f}".to_owned())]),
        last_run: Some(LastRun { id: RunId(7), kind: RunKind::Refused("held by alice".into()), at: NOW }),
        last_applied: Some(NOW),
        environment: Some(environment("r142")),
        version: Some(Version::Unknown),
        items: BTreeMap::from([(key(), Carried { content: Digest::of(b"142"), at: NOW })]),
        failing: BTreeSet::from(["Service[app]".to_owned(), "Exec[x]".to_owned()]),
        trouble: Some(Trouble { at: NOW, text: "not readable".into() }),
        agent: Some(super::catch::agent()),
        pin: Some(super::catch::pin()),
        recent: vec![Seen { tool_run_id: "uuid-7".into(), run: RunId(7), digest: Digest::of(b"7") }],
        ..Host::new(host("web09"), class(), NOW)
    }
}

fn effect(id: u64, dead: bool) -> Effect {
    Effect {
        id: EffectId(id),
        task: Task::Notify {
            receiver: ReceiverName::parse("team").unwrap(),
            about: belay_core::model::alert::Subject::Change(ChangeId(17)),
        },
        attempts: 3,
        next_try: NOW,
        asked: NOW - Span::from_s(90),
        last_error: dead.then(|| "503 from https://alerts.example.com".to_owned()),
        dead,
    }
}

fn tokens() -> Vec<Token> {
    let mut principals: Vec<Principal> = Role::ALL.into_iter().map(|role| Principal::person("alice", role)).collect();
    principals.extend([Principal::Host(host("web01")), Principal::Relay(Pattern::new("web*")), Principal::Source("p1".into())]);
    let token = |(at, principal)| Token { hash: Digest::of(b"secret"), name: format!("token-{at}"), principal, issued: NOW };
    principals.into_iter().enumerate().map(token).collect()
}

/// Floats that are easily lost on the way through a text.
pub const FLOATS: [f64; 8] =
    [0.1, -0.0, 1.0 / 3.0, 5e-324, f64::MIN_POSITIVE, f64::MAX, 9_007_199_254_740_993.0, 2.225_073_858_507_201e-308];

fn signals() -> Vec<Signal> {
    let signal = |kind: SignalKind| Signal {
        name: SignalName::parse(kind.word()).unwrap(),
        classes: vec![class()],
        kind,
        harm: Harm::ALL[kind as usize % 3],
        must_have: kind == SignalKind::Flow,
        select: format!("{kind}{{job=\"x\"}}"),
        host_label: "host".into(),
        reading: if kind == SignalKind::Flow { Reading::Counter } else { Reading::Value },
        step: Span::from_s(15),
        weight: Weight(kind as u32 % 3 + 1),
    };
    SignalKind::ALL.map(signal).to_vec()
}

pub fn trial() -> Trial {
    let peer = |nearness, until| Peer { nearness, until, failing: vec!["Service[app]".into()] };
    Trial {
        change: ChangeId(17),
        release: Some(release("142")),
        treated: treated(),
        peers: BTreeMap::from([
            (host("web03"), peer(Nearness::SameRelease, None)),
            (host("web04"), peer(Nearness::OtherRelease, Some(NOW))),
            (host("app01"), peer(Nearness::Kin, None)),
        ]),
        signals: signals(),
        environment_due: Some(environment("r142")),
        grace: Span::from_min(2),
        accept_from: NOW,
        ends: NOW + Span::from_min(30),
        past_steps: 240,
        budget: Some(0.01),
        caution: Cautions(BTreeMap::from([(signal_name(), crate::catch::caution())])),
        class_size: 15,
        confounder: Some(ChangeId(16)),
        overlaps: Overlaps(BTreeMap::from([(ChangeId(15), BTreeMap::from([(host("web01"), NOW)]))])),
        spoilt: Spoilt(BTreeMap::from([(
            host("web01"),
            vec![Stay { change: ChangeId(12), from: NOW - Span::from_min(9), to: NOW - Span::from_min(2) }],
        )])),
    }
}

pub fn evidence() -> Evidence {
    let sample = |(at, value): (usize, f64)| Sample { at: NOW + Span::from_s(15 * i64::try_from(at).unwrap()), value };
    let mut hosts: BTreeMap<HostId, Series> =
        MISSING.iter().enumerate().map(|(at, why)| (host(&format!("gone{at}")), Series::Missing(*why))).collect();
    hosts.insert(host("web01"), Series::Samples(FLOATS.into_iter().enumerate().map(sample).collect()));
    hosts.insert(host("web02"), Series::Samples(vec![]));
    let odd = [i64::MIN, i64::MAX, 0, -1].map(|ms| Sample { at: Timestamp::from_ms(ms), value: 1.0 });
    hosts.insert(host("web03"), Series::Samples(odd.to_vec()));
    let heard = BTreeMap::from([(host("web01"), NOW), (host("gone1"), Timestamp::from_ms(-1))]);
    let window = Window { step: Span::from_s(15), from: NOW, to: NOW + Span::from_min(30), hosts, heard };
    Evidence { at: NOW, windows: BTreeMap::from([(signal_name(), window)]) }
}

/// At least one rich value of every fact.
pub fn samples() -> Vec<Fact> {
    let policy = Arc::new(config::parse("belay.toml", POLICY).unwrap().policy);
    let moved = BTreeMap::from([(host("web01"), class())]);
    let facts = BTreeMap::from([("role".to_owned(), "web".to_owned())]);
    let scope = Scope { class: class(), release: Some(release("142")) };
    let mut all = vec![
        Fact::CountersRestored {
            counters: Counters { runs: 1, changes: 2, effects: u64::MAX - 1, holds: 3, reverts: 4, facts: 99, steered: 98, incarnation: 2 },
            now: NOW,
        },
        Fact::PolicyLoaded { policy, actor: actor(), moved },
        Fact::PolicyLoaded { policy: Arc::default(), actor: actor(), moved: BTreeMap::new() },
        Fact::HostEnrolled { host: host("web01"), class: class() },
        Fact::FactsSet { host: host("web01"), class: class(), release: Some(release("142")), facts: facts.clone(), actor: actor() },
        Fact::FactsSet { host: host("web01"), class: class(), release: None, facts, actor: actor() },
        Fact::HostRestored(Box::new(rich_host())),
        Fact::HostRestored(Box::new(Host::new(host("new"), class(), NOW))),
        Fact::Quarantined {
            inbox: Some(InboxId(4)),
            host: Some(host("web01")),
            digest: Digest::of(b"x"),
            reason: "not readable (at byte 17)".into(),
        },
        Fact::Quarantined { inbox: None, host: None, digest: Digest::of(b""), reason: String::new() },
        Fact::InboxDone { inbox: InboxId(5) },
        Fact::ItemsMarked { scope: Scope { release: None, ..scope.clone() }, items: Items::new(), mark: Mark::Adopted },
    ];
    let runs = run_kinds().into_iter().enumerate().map(|(at, kind)| run(20 + at as u64, kind));
    all.extend(runs.map(|run| Fact::RunRecorded { run: Box::new(run), inbox: Some(InboxId(6)), actor: actor() }));
    let bare = Run {
        release: None,
        environment: None,
        version: Version::Unknown,
        events: vec![],
        change: None,
        first: true,
        ..run(40, RunKind::Changed)
    };
    all.push(Fact::RunRecorded { run: Box::new(bare), inbox: None, actor: actor() });
    let marks = [Mark::Adopted, Mark::OnTrial(ChangeId(17)), Mark::Accepted(ChangeId(17)), Mark::Rejected(ChangeId(17))];
    all.extend(marks.map(|mark| Fact::ItemsMarked { scope: scope.clone(), items: items(), mark }));
    all.extend(of_changes());
    all.extend(super::catch::of_the_catch());
    all.extend([
        Fact::EffectAsked { effect: effect(1, false) },
        Fact::EffectTried { effect: effect(2, true) },
        Fact::EffectDone { effect: EffectId(1), delivered: true },
        Fact::EffectDone { effect: EffectId(9), delivered: false },
        Fact::TokenRevoked { name: "token-0".into(), actor: actor() },
    ]);
    all.extend(tokens().into_iter().map(|token| Fact::TokenIssued { token, actor: actor() }));
    all.extend(of_people());
    let note = |kind| Note { kind, actor: actor(), host: Some(host("web01")), text: "somebody tried to speak for web02".into() };
    all.extend([NoteKind::Security, NoteKind::Warning, NoteKind::Info].map(|kind| Fact::Noted(note(kind))));
    all.push(Fact::Noted(Note { host: None, ..note(NoteKind::Info) }));
    all
}

fn of_people() -> Vec<Fact> {
    let within = Within(vec![Pattern::new("web"), Pattern::new("db*")]);
    let user = User { name: "alice".into(), role: Role::Approver, within, hash: Some("$argon2id$...".into()), disabled: false, since: NOW };
    let bare = User { name: "bob".into(), role: Role::Viewer, within: Within::default(), hash: None, disabled: true, since: NOW };
    let session = |id: &[u8], person: &User, by: Proof, from: Option<&str>| Session {
        id: Digest::of(id),
        person: person.principal(),
        by,
        opened: NOW,
        seen: NOW + Span::from_min(20),
        from: from.map(str::to_owned),
    };
    let set = |user: &User| Fact::UserSet { user: Box::new(user.clone()), actor: actor(), what: format!("made {}", user.name) };
    let opened = |session| Fact::SessionOpened { session: Box::new(session) };
    vec![
        set(&user),
        set(&bare),
        opened(session(b"one", &user, Proof::Password, Some("192.0.2.7"))),
        opened(session(b"two", &bare, Proof::Token("token-0".into()), None)),
        opened(session(b"three", &user, Proof::Issuer, None)),
        Fact::SessionSeen { id: Digest::of(b"one") },
        Fact::SessionEnded { id: Digest::of(b"two"), actor: actor(), what: "logged out".into() },
        Fact::UserRemoved { name: "bob".into(), actor: actor(), what: "removed bob".into() },
    ]
}

fn of_changes() -> Vec<Fact> {
    let id = ChangeId(17);
    let person = Judge::Person { actor: actor(), reason: "seen and fine".into() };
    let mut all = vec![
        Fact::ChangeOpened { change: Box::new(bare_change(17)) },
        Fact::ChangeJoined { change: id, treated: treated(), items: items(), words: words(), after_rejection: true },
        Fact::ChangeJoined { change: id, treated: BTreeMap::new(), items: Items::new(), words: BTreeMap::new(), after_rejection: false },
        Fact::WaveOpened { change: id, open: 2 },
        Fact::Looked { change: id, look: Box::new(look(Standing::OnTrial)) },
        Fact::Looked {
            change: id,
            look: Box::new(Look { at: NOW, standing: Standing::Final(Outcome::Rejected), findings: vec![], lacks: vec![] }),
        },
        Fact::Decided { change: id, verdict: Box::new(verdict(Outcome::Accepted, person)) },
        Fact::Decided { change: id, verdict: Box::new(Verdict { evidence: None, ..verdict(Outcome::Rejected, Judge::Belay) }) },
        Fact::ChangeRestored { change: Box::new(change(18)), alerted: Some(NOW) },
        Fact::ChangeRestored { change: Box::new(bare_change(19)), alerted: None },
    ];
    let gaps = Gap::ALL.map(|gap| Box::new(verdict(Outcome::Inconclusive(gap), Judge::Belay)));
    all.extend(gaps.map(|verdict| Fact::Decided { change: id, verdict }));
    all
}

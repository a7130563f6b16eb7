//! Rich values of the facts of the catch.

use std::collections::{BTreeMap, BTreeSet};

use belay_core::host::policy::{Pin, RevertWay};
use belay_core::host::talk::{Asked, BreakGlass, HostStatus, Lock, RunLock, Schedule};
use belay_core::model::ailment::Ailment;
use belay_core::model::alert::Subject;
use belay_core::model::closed::{Closed, ClosedBy};
use belay_core::model::deployment::{Deployed, Published};
use belay_core::model::feed::{Feed, FeedId};
use belay_core::model::gate::Gate;
use belay_core::model::hold::{Broken, Hold, HoldEnd, HoldScope, Told, Turns};
use belay_core::model::host::{Agent, OwnFacts};
use belay_core::model::ids::{ChangeId, Environment, HoldId, Release, RevertId};
use belay_core::model::policy::Pattern;
use belay_core::model::principal::Actor;
use belay_core::model::revert::{Progress, Revert};
use belay_core::model::selfcheck::{Caution, SelfCheck, SignalCheck};
use belay_core::model::table::{Outpost, OutpostId, TableId};
use belay_core::model::time::Span;
use belay_core::state::{Breaker, Fact, Scope, Would};

use super::samples::{NOW, actor, class, environment, host, line, signal_name};

pub fn caution() -> Caution {
    Caution { factor: 1.25, alarms: 7, checks: 198 }
}

fn self_check() -> SelfCheck {
    let signal = SignalCheck { judged: 198, alarms: 9, compared: 7, suspicions: 4, share: 0.01, caution: Some(caution()) };
    SelfCheck {
        class: class(),
        at: NOW,
        seed: u64::MAX,
        skipped: None,
        drawn: 200,
        apart: 120,
        judged: 198,
        rejected: 9,
        budget: 0.02,
        moved: Some(NOW),
        signals: BTreeMap::from([(signal_name(), signal)]),
    }
}

pub fn pin() -> Pin {
    Pin { environment: environment("r142"), until: NOW, reason: "until the map has it".into(), by: "alice".into() }
}

pub fn agent() -> Agent {
    let lock = Lock::Foreign { message: "bob: \"do not touch\"".into(), since: Some(NOW) };
    let glass = BreakGlass { until: NOW, reason: "the gate is wrong".into(), by: "root".into() };
    let gate = Some(Asked { at: NOW, answer: Gate::Refused, why: "refused: environment production".into() });
    let schedule = Schedule::SwitchedOff("# */30 * * * * root agent".into());
    Agent {
        version: "0.1.0".into(),
        status: HostStatus {
            lock,
            schedule,
            break_glass: Some(glass),
            running: true,
            run_lock: Some(RunLock { since: NOW, limit: Some(Span::from_min(60)) }),
            gate,
        },
        events: 17,
        own: OwnFacts(BTreeMap::from([("role".into(), "web".into())])),
    }
}

fn feed() -> Feed {
    Feed {
        id: FeedId::of(&Actor("relay:web*".into()), "puppetdb"),
        hosts: Some(Pattern::new("web*")),
        since: NOW,
        last: NOW,
        times: 17,
        gap: Span::from_s(31),
        pauses: vec![Span::ZERO, Span::from_min(7)],
        silent: Some(NOW),
    }
}

fn outpost() -> Outpost {
    Outpost { host: host("puppet1"), token: Some("puppet1-relay".into()), since: NOW, heard: NOW, left: None }
}

fn outpost_id() -> OutpostId {
    OutpostId::of(&host("puppet1"), "puppet1-relay")
}

fn statuses() -> Vec<HostStatus> {
    let schedules = [Schedule::Unknown, Schedule::There("cron".into()), Schedule::Missing, Schedule::SwitchedOff(String::new())];
    let locks = [
        Lock::Absent,
        Lock::Ours(BTreeSet::from([HoldId(1), HoldId(2)])),
        Lock::Foreign { message: String::new(), since: None },
        Lock::Absent,
    ];
    let gates = [Gate::Go, Gate::Deferred, Gate::Refused, Gate::Held];
    let status = |((schedule, lock), answer)| HostStatus {
        lock,
        schedule,
        break_glass: None,
        running: false,
        run_lock: None,
        gate: Some(Asked { at: NOW, answer, why: String::new() }),
    };
    schedules.into_iter().zip(locks).zip(gates).map(status).collect()
}

fn hold(told: Told) -> Hold {
    let broken = Broken { at: NOW, times: 2, put_back: false, by: Some("bob".into()) };
    Hold {
        id: HoldId(3),
        scope: HoldScope { classes: BTreeSet::from([class()]), hosts: vec![Pattern::new("db*")] },
        owner: "alice".into(),
        reason: "release 142 needs new files".into(),
        ticket: Some("OPS-1".into()),
        contact: "alice, +49 1".into(),
        placed: NOW,
        until: NOW,
        revision: 4,
        told,
        broken: BTreeMap::from([(host("web01"), broken.clone()), (host("web02"), Broken { by: None, put_back: true, ..broken })]),
        asked: Turns(BTreeMap::from([(host("web01"), NOW), (host("web03"), NOW)])),
        handed_over: BTreeSet::from([host("web03")]),
        would_change: BTreeMap::from([(host("web01"), vec!["File[/etc/x] content".to_owned()])]),
        imports: Some("bob: upgrade".into()),
        end: None,
    }
}

fn revert() -> Revert {
    let ways = BTreeMap::from([
        (host("web01"), RevertWay::PinAndRun { environment: environment("r142") }),
        (host("web02"), RevertWay::Restore { files: BTreeMap::from([("/etc/x".to_owned(), "ab".repeat(32))]) }),
        (host("web03"), RevertWay::Declared),
        (host("web04"), RevertWay::Declared),
    ]);
    let hosts = BTreeMap::from([
        (host("web01"), Progress::Waiting),
        (host("web02"), Progress::Asked(NOW)),
        (host("web03"), Progress::Done(NOW)),
        (host("web04"), Progress::Failed("no such command".into())),
    ]);
    Revert {
        id: RevertId(2),
        change: ChangeId(17),
        asked: NOW,
        by: actor(),
        reason: "the flow stopped".into(),
        ways,
        hosts,
        hold: Some(HoldId(3)),
        stopped: Some("it failed".into()),
    }
}

fn named(name: &str) -> Environment {
    Environment::parse(name).unwrap()
}

fn scope() -> Scope {
    Scope { class: class(), release: Release::parse("142").ok() }
}

fn published() -> Published {
    Published { environment: named("production_9f2c1e0"), at: NOW, by: actor() }
}

fn deployed() -> Deployed {
    Deployed { version: Some("9f2c1e0".into()), began: NOW, ended: NOW }
}

/// At least one rich value of every fact of the catch.
pub fn of_the_catch() -> Vec<Fact> {
    let set = |hold: Hold| Fact::HoldSet { hold: Box::new(hold), actor: actor(), what: "alice placed h-3".into() };
    let mut all: Vec<Fact> =
        [Told::Nothing, Told::Early, Told::Late, Told::Expired, Told::Escalated].map(hold).into_iter().map(set).collect();
    let end = Some(HoldEnd { at: NOW, by: actor(), reason: "done".into() });
    all.push(set(Hold { end, ticket: None, imports: None, scope: HoldScope::default(), ..hold(Told::Nothing) }));
    all.extend(statuses().into_iter().map(|status| {
        let agent = Agent { version: String::new(), status, events: u64::MAX, own: OwnFacts::default() };
        Fact::HostTold { host: host("web01"), agent: Box::new(agent) }
    }));
    let bare = Revert { hold: None, stopped: None, ways: BTreeMap::new(), hosts: BTreeMap::new(), ..revert() };
    all.extend([
        Fact::HostTold { host: host("web01"), agent: Box::new(agent()) },
        Fact::PinSet { host: host("web01"), pin: Some(pin()), actor: actor() },
        Fact::PinSet { host: host("web01"), pin: None, actor: actor() },
        Fact::RevertSet { revert: Box::new(revert()), actor: actor(), what: "alice asked to revert c-17".into() },
        Fact::RevertSet { revert: Box::new(bare), actor: actor(), what: String::new() },
        Fact::WouldHaveRefused { class: class(), would: Would { since: NOW, release_match: 3, rejected: 4, told: None } },
        Fact::WouldHaveRefused { class: class(), would: Would { since: NOW, release_match: 3, rejected: 4, told: Some(NOW) } },
        Fact::ForeignSet { class: class(), hosts: BTreeSet::from([host("web01")]) },
        Fact::AilingSet {
            class: class(),
            ailment: Ailment::Stuck,
            began: BTreeSet::from([host("web01")]),
            ended: BTreeSet::new(),
            told: 1,
        },
        Fact::PublishedSet { branch: named("production"), published: vec![published()], actor: actor(), what: "published".into() },
        Fact::DeployedSet {
            place: "puppet1".into(),
            environment: named("production_9f2c1e0"),
            deployed: vec![deployed(), Deployed { version: None, ..deployed() }],
        },
        Fact::SpreadSet { scope: scope(), environment: Some(named("production_9f2c1e0")), open: 2 },
        Fact::SpreadSet { scope: Scope { release: None, ..scope() }, environment: None, open: 0 },
        Fact::PulledSet { inventory: "main".into(), mark: "{}".into() },
        Fact::StaleSet { class: class(), hosts: BTreeSet::from([host("web01")]) },
        Fact::StaleSet { class: class(), hosts: BTreeSet::new() },
        Fact::LineTold { change: ChangeId(17), host: host("web01"), treated: true, line: line() },
        Fact::SelfChecked { check: Box::new(self_check()), actor: actor() },
        Fact::SelfChecked { check: Box::new(SelfCheck { skipped: Some("its past is too short".into()), ..self_check() }), actor: actor() },
        Fact::BreakerSet { breaker: Some(Breaker { since: NOW, refused: 12, asked: 30 }) },
        Fact::BreakerSet { breaker: None },
        Fact::FeedSet { id: feed().id, feed: Some(Box::new(feed())) },
        Fact::FeedSet { id: feed().id, feed: None },
        Fact::AlertedRestored { about: Subject::Feed(feed().id), at: NOW },
        Fact::OutpostSet { id: outpost_id(), outpost: Some(Box::new(outpost())) },
        Fact::OutpostSet { id: outpost_id(), outpost: Some(Box::new(Outpost { token: None, left: Some(NOW), ..outpost() })) },
        Fact::OutpostSet { id: outpost_id(), outpost: None },
        Fact::TableMade { table: TableId { incarnation: 2, number: 7 } },
        Fact::TableInForce { table: TableId { incarnation: 2, number: 7 }, from: NOW },
        Fact::ClosedSet { class: class(), closed: Some(Closed { by: ClosedBy::Hours, until: Some(NOW) }) },
        Fact::ClosedSet { class: class(), closed: None },
        Fact::ClosedSet { class: class(), closed: Some(Closed { by: ClosedBy::NotLeading, until: None }) },
        Fact::ClosedSet { class: class(), closed: Some(Closed { by: ClosedBy::Freeze("end of the year".into()), until: Some(NOW) }) },
        Fact::IncarnationBegun { incarnation: 2 },
    ]);
    let about = [
        Subject::Hold(HoldId(3)),
        Subject::Stale(class()),
        Subject::Foreign(class()),
        Subject::Ailing(Ailment::Failing, class()),
        Subject::Observed(class()),
        Subject::Glass(host("web01")),
        Subject::Breaker,
    ];
    all.extend(about.map(|about| Fact::AlertedRestored { about, at: NOW }));
    all
}

//! Feeds: what a server of a tool brings by several roads is one thing, and its silence is told.

use std::collections::BTreeMap;
use std::sync::Arc;

use belay_core::decide::feeds::{NOTED_EVERY, SILENCE_MIN, patience};
use belay_core::decide::{Answer, FACTS_MAX, Fed, Input, wake};
use belay_core::explain::alert::alert;
use belay_core::model::alert::Subject;
use belay_core::model::feed::{Feed, FeedId};
use belay_core::model::ids::{ChangeId, Digest, HostId, InboxId};
use belay_core::model::policy::{Pattern, Policy, ReleaseSource};
use belay_core::model::principal::{Actor, Principal};
use belay_core::model::report::RunKind;
use belay_core::model::time::Span;
use belay_core::state::{Fact, NoteKind, State};

use crate::lab::{FILE, Lab, Told, class, told};

const DOOR: &str = "commands";

fn relay() -> Principal {
    Principal::Relay(Pattern::new("web*"))
}

fn id() -> FeedId {
    FeedId::of(&relay().actor(), DOOR)
}

impl Lab {
    fn heard(&mut self) {
        let input = Input::Heard { principal: relay(), door: DOOR, at: self.now };
        assert_eq!(self.tell(&input), Answer::Done);
    }

    /// Something comes every so often, for so long, and the clock is looked at all the while.
    fn steady(&mut self, every: Span, long: Span) {
        let end = self.now + long;
        while self.now < end {
            self.pass(every);
            self.heard();
            self.tell(&Input::Wake);
        }
    }

    /// Nothing comes, for so long.
    fn quiet(&mut self, long: Span) {
        let end = self.now + long;
        while self.now < end {
            self.pass(Span::from_min(1));
            self.tell(&Input::Wake);
        }
    }

    fn feed(&self) -> &Feed {
        &self.state.feeds[&id()]
    }

    /// How often people were asked to be told of the feed.
    fn letters(&self) -> usize {
        let about = |fact: &Fact| matches!(fact, Fact::EffectAsked { effect } if format!("{:?}", effect.task).contains("Feed"));
        self.journal.iter().filter(|(_, fact)| about(fact)).count()
    }

    fn fed(&mut self, principal: Principal, message: Fed) -> Answer {
        self.tell(&Input::Fed { principal, inbox: Some(InboxId(7)), digest: Digest::of(b"x"), message })
    }

    fn inbox_is_done(&self) -> bool {
        matches!(self.journal.last(), Some((_, Fact::InboxDone { inbox: InboxId(7) })))
    }
}

#[test]
fn a_feed_that_falls_silent_is_told_of_once_and_again_when_it_is_back() {
    let mut lab = Lab::new();
    lab.enrol(&["web1", "web2", "db1"], "142", "r142");
    lab.steady(Span::from_s(2), Span::from_min(90));
    assert_eq!(lab.feed().silent, None);
    assert!(lab.feed().gap >= NOTED_EVERY && patience(lab.feed()) <= SILENCE_MIN + Span::from_min(2), "{:?}", lab.feed());
    lab.quiet(Span::from_min(9));
    assert_eq!(lab.letters(), 0);
    lab.quiet(Span::from_min(6));
    assert_eq!(lab.letters(), 1);
    lab.quiet(Span::from_min(300));
    assert_eq!(lab.letters(), 1, "once");
    let said = alert(&lab.state, &Subject::Feed(id()), lab.now).unwrap();
    assert!(said.firing && said.status == "feed silent", "{said:?}");
    assert!(said.title.contains("2 hosts"), "those that its credential speaks for: {}", said.title);
    let since = lab.feed().silent.unwrap();
    lab.heard();
    assert_eq!((lab.feed().silent, lab.letters()), (None, 2));
    assert!(since < lab.now && !alert(&lab.state, &Subject::Feed(id()), lab.now).unwrap().firing);
    // The silence that was told of is not usual from now on.
    assert!(patience(lab.feed()) <= SILENCE_MIN + Span::from_min(2));
    assert_eq!(Subject::parse(&Subject::Feed(id()).to_string()), Some(Subject::Feed(id())));
}

#[test]
fn what_is_usual_is_learnt_from_the_feed_itself() {
    let mut lab = Lab::new();
    // One host, every half hour: ten hours of silence are twenty of its gaps.
    lab.steady(Span::from_min(30), Span::from_min(600));
    assert_eq!(lab.feed().gap, Span::from_min(30));
    lab.quiet(Span::from_min(540));
    assert_eq!(lab.letters(), 0);
    lab.quiet(Span::from_min(90));
    assert_eq!(lab.letters(), 1);

    // A fleet whose runs are all at night: told of on the first days, then its pause is its rhythm.
    let mut lab = Lab::new();
    let night = |lab: &mut Lab| {
        lab.steady(Span::from_s(30), Span::from_min(60));
        lab.quiet(Span::from_min(23 * 60));
    };
    for _ in 0..5 {
        night(&mut lab);
    }
    let learning = lab.letters();
    for _ in 0..10 {
        night(&mut lab);
    }
    assert_eq!(lab.letters(), learning, "no more of it once it is known");
    lab.quiet(Span::from_min(2 * 24 * 60));
    assert_eq!(lab.letters(), learning + 1, "a night without any is");
}

#[test]
fn a_busy_feed_is_a_record_now_and_then_and_no_host_is_a_feed() {
    let mut lab = Lab::new();
    let notes = |lab: &Lab| lab.journal.iter().filter(|(_, fact)| matches!(fact, Fact::FeedSet { .. })).count();
    for _ in 0..6_000 {
        lab.pass(Span::from_ms(20));
        lab.heard();
    }
    assert_eq!(notes(&lab), 4, "two minutes");
    let host = Principal::Host(HostId::parse("web1").unwrap());
    lab.tell(&Input::Heard { principal: host, door: DOOR, at: lab.now });
    assert_eq!((notes(&lab), lab.state.feeds.len()), (4, 1));
}

#[test]
fn while_this_server_was_away_nobody_was_silent() {
    let mut lab = Lab::new();
    lab.steady(Span::from_s(10), Span::from_min(90));
    lab.pass(Span::from_min(8 * 60));
    assert!(wake::due(&lab.state, lab.now), "it would be told of");
    lab.state.listening = lab.now;
    lab.quiet(Span::from_min(9));
    assert_eq!(lab.letters(), 0);
    let gap = lab.feed().gap;
    lab.heard();
    assert_eq!(lab.feed().gap, gap, "a gap in which nobody listened is none of the feed's");
    lab.quiet(Span::from_min(20));
    assert_eq!(lab.letters(), 1);
    // What is known of feeds is in a snapshot, and goes when nobody expects them any more.
    let mut again = State::default();
    lab.state.to_facts().iter().for_each(|(at, fact)| again.apply(*at, fact));
    assert_eq!(again.feeds, lab.state.feeds);
    lab.quiet(Span::from_min(15 * 24 * 60));
    assert!(lab.state.feeds.is_empty());
}

fn facts(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn facts_of_a_feed_give_class_and_release_and_repeat_without_a_record() {
    let mut lab = Lab::new();
    let by_fact = belay_core::model::policy::ClassPolicy {
        hosts: vec![],
        facts: facts(&[("zz.role", "web")]),
        release: ReleaseSource::Fact("zz.release".to_owned()),
        ..class("web")
    };
    let policy = Policy { classes: vec![by_fact], ..Policy::default() };
    lab.tell(&Input::Policy { policy: Arc::new(policy), actor: Actor("test".into()) });
    // More than are kept: those that the configuration reads go first.
    let mut many: BTreeMap<String, String> = (0..FACTS_MAX * 2).map(|n| (format!("f{n:04}"), "x".to_owned())).collect();
    many.extend(facts(&[("zz.role", "web"), ("zz.release", "142")]));
    let told = Fed::Facts { host: "web1".to_owned(), facts: many };
    assert_eq!(lab.fed(relay(), told.clone()), Answer::Done);
    assert!(lab.inbox_is_done());
    let host = &lab.state.hosts[&HostId::parse("web1").unwrap()];
    assert_eq!((host.class.as_str(), host.release.as_ref().unwrap().as_str(), host.facts.len()), ("web", "142", FACTS_MAX));
    let records = lab.journal.len();
    lab.fed(relay(), told);
    assert_eq!(lab.journal.len(), records + 1, "only that the bytes are done with");

    let bad = Fed::Facts { host: "web1".to_owned(), facts: facts(&[("zz.role", "web"), ("zz.release", "1/2")]) };
    assert!(matches!(lab.fed(relay(), bad), Answer::Unprocessable(_)));
    assert!(matches!(lab.journal.last(), Some((_, Fact::Quarantined { inbox: Some(_), .. }))));
}

#[test]
fn a_feed_speaks_only_for_its_hosts_and_what_is_nothing_is_done_with() {
    let mut lab = Lab::new();
    let db = HostId::parse("db1").unwrap();
    for message in [Fed::Facts { host: "db1".to_owned(), facts: facts(&[("a", "b")]) }, Fed::Offered { host: db.clone() }] {
        assert!(matches!(lab.fed(relay(), message), Answer::Forbidden(_)));
        let note = lab.journal.iter().rev().find_map(|(_, fact)| match fact {
            Fact::Noted(note) => Some(note.clone()),
            _ => None,
        });
        assert_eq!(note.unwrap().kind, NoteKind::Security);
        assert!(matches!(lab.journal.last(), Some((_, Fact::Quarantined { inbox: Some(_), host: None, .. }))));
    }
    assert!(!lab.state.hosts.contains_key(&db));
    for message in [Fed::Nothing, Fed::Offered { host: HostId::parse("web1").unwrap() }] {
        assert_eq!(lab.fed(relay(), message), Answer::Done);
        assert!(lab.inbox_is_done());
    }
}

/// A class with a run of web1 recorded under `u1`, and a Change under way there.
fn with_a_run() -> (Lab, Told) {
    let mut lab = Lab::new();
    lab.enrol(&["web1", "web2", "web3"], "142", "r142");
    lab.pass(Span::from_min(30));
    let started = lab.now - Span::from_s(10);
    let first = told("web1", "r142").version("v2").file(FILE, "a").id("u1").started(started);
    assert!(matches!(lab.report(first.clone()), Answer::Run { duplicate: false, .. }));
    assert!(lab.state.changes.contains_key(&ChangeId(1)));
    (lab, first)
}

/// The report in other bytes.
fn otherwise(told: &Told) -> Told {
    let mut other = told.clone();
    other.contents.push((
        belay_core::model::item::ItemKey::new("Exec", "x", "returns"),
        "0".to_owned(),
        belay_core::model::report::EventOutcome::Audited,
    ));
    other
}

fn runs(lab: &Lab) -> u64 {
    lab.state.counters.runs
}

#[test]
fn a_run_told_of_by_two_roads_is_one_run() {
    let (mut lab, first) = with_a_run();
    let (before, records) = (lab.state.clone(), lab.journal.len());
    lab.pass(Span::from_s(3));
    let answer = lab.report(otherwise(&first));
    assert!(matches!(answer, Answer::Run { duplicate: true, .. }), "{answer:?}");
    assert_eq!((runs(&lab), lab.journal.len()), (before.counters.runs, records));
    assert_eq!(lab.state.changes, before.changes);
}

#[test]
fn the_road_that_tells_worse_counts() {
    let (mut lab, first) = with_a_run();
    let count = runs(&lab);
    let failed = otherwise(&first).failing("Service[app]");
    let answer = lab.report(failed.clone());
    assert!(matches!(answer, Answer::Run { duplicate: true, .. }), "{answer:?}");
    assert_eq!(runs(&lab), count, "still one run");
    let host = &lab.state.hosts[&HostId::parse("web1").unwrap()];
    assert_eq!(host.last_run.as_ref().unwrap().kind, RunKind::Failed);
    assert!(host.failing.contains("Service[app]"));
    assert_eq!(host.recent.iter().filter(|seen| seen.tool_run_id == "u1").count(), 1);
    let treated = &lab.state.changes[&ChangeId(1)].treated[&host.id];
    assert!(treated.failures.contains_key("Service[app]"), "the trial hears of it: {treated:?}");
    // Told once more, it is known; the better word of the first road does not undo it.
    let records = lab.journal.len();
    assert!(matches!(lab.report(failed), Answer::Run { duplicate: true, .. }));
    assert_eq!(lab.journal.len(), records);
}

#[test]
fn the_road_that_tells_more_adds_to_it_and_one_that_contradicts_is_put_aside() {
    let (mut lab, first) = with_a_run();
    let more = first.clone().file("/etc/other", "b");
    assert!(matches!(lab.report(more), Answer::Run { duplicate: true, .. }));
    let change = &lab.state.changes[&ChangeId(1)];
    assert!(change.items.keys().any(|key| &*key.title == "/etc/other"), "{:?}", change.items);
    assert_eq!(lab.state.hosts[&HostId::parse("web1").unwrap()].items.keys().filter(|key| &*key.kind == "File").count(), 2);

    let (mut lab, first) = with_a_run();
    let far = first.clone().started(lab.now - Span::from_min(20));
    let elsewhere = Told { environment: "r141".to_owned(), ..otherwise(&first) };
    let other_content = told("web1", "r142").version("v2").file(FILE, "evil").id("u1").started(lab.now - Span::from_s(10));
    let better = told("web1", "r142").version("v2").kind(RunKind::Unchanged).id("u1").started(lab.now - Span::from_s(10));
    for report in [otherwise(&far), elsewhere, other_content, better] {
        let answer = lab.report(report);
        assert!(matches!(answer, Answer::Conflict(_)), "{answer:?}");
    }
    // Nor does a run that changed nothing become one that did.
    let started = lab.now - Span::from_s(5);
    lab.report(told("web2", "r142").version("v2").kind(RunKind::Unchanged).id("u2").started(started));
    let changed = told("web2", "r142").version("v2").file(FILE, "a").id("u2").started(started);
    assert!(matches!(lab.report(changed), Answer::Conflict(_)));
}

#[test]
fn what_an_agent_tells_of_its_host_stands_beside_what_a_feed_tells() {
    use belay_core::host::talk::{HostStatus, Lock, Poll, Schedule};
    let mut lab = Lab::new();
    let host = HostId::parse("web1").unwrap();
    let status =
        HostStatus { lock: Lock::Absent, schedule: Schedule::Unknown, break_glass: None, running: false, run_lock: None, gate: None };
    let poll = |lab: &mut Lab, own: Option<BTreeMap<String, String>>| {
        let poll = Poll {
            agent: "1".into(),
            have: None,
            sent_at: lab.now,
            release: None,
            facts: own,
            status: status.clone(),
            holds: vec![],
            events: vec![],
            results: vec![],
            lines: vec![],
        };
        let answer = lab.tell(&Input::Polled { principal: Principal::Host(host.clone()), host: host.clone(), poll: Box::new(poll) });
        assert!(matches!(answer, Answer::Polled { .. }), "{answer:?}");
    };
    let fed = |lab: &mut Lab, told: &[(&str, &str)]| {
        lab.fed(relay(), Fed::Facts { host: "web1".to_owned(), facts: facts(told) });
    };
    let known = |lab: &Lab| lab.state.hosts[&host].facts.clone();
    poll(&mut lab, Some(facts(&[("role", "web")])));
    fed(&mut lab, &[("os", "Debian"), ("role", "an old one")]);
    let both = facts(&[("os", "Debian"), ("role", "web")]);
    assert_eq!(known(&lab), both);
    // Neither takes the place of the other, and their taking turns is no news.
    let records = |lab: &Lab| lab.journal.iter().filter(|(_, fact)| matches!(fact, Fact::FactsSet { .. })).count();
    let before = records(&lab);
    for _ in 0..3 {
        poll(&mut lab, Some(facts(&[("role", "web")])));
        fed(&mut lab, &[("os", "Debian"), ("role", "an old one")]);
        poll(&mut lab, None);
    }
    assert_eq!((known(&lab), records(&lab)), (both, before));
    // What the agent tells no more is gone, and so is what the feed tells no more.
    poll(&mut lab, Some(facts(&[("rack", "7")])));
    fed(&mut lab, &[("os", "Ubuntu")]);
    assert_eq!(known(&lab), facts(&[("os", "Ubuntu"), ("rack", "7")]));
}

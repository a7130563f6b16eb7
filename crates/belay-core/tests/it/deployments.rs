//! Deployments as environments of their own: offered by a pipeline, given to hosts wave by wave; and those that are only noticed.

use std::collections::BTreeMap;
use std::sync::Arc;

use belay_core::decide::host_policy::{classified, gate, host_policy};
use belay_core::decide::{Answer, Input, reverts};
use belay_core::host::policy::RevertWay;
use belay_core::model::deployment::Deployed;
use belay_core::model::gate::{Enforce, Gate};
use belay_core::model::ids::{ChangeId, Environment, HostId, Release};
use belay_core::model::policy::{ClassPolicy, Pattern, Policy, WaveSize};
use belay_core::model::principal::{Actor, Principal, Role};
use belay_core::model::report::{RunKind, Version};
use belay_core::model::time::{Span, Timestamp};
use belay_core::model::verdict::Outcome;
use belay_core::state::{Fact, State};

use crate::lab::{FILE, Lab, admin, class, flow, told};

const HOSTS: usize = 20;
const A: &str = "production_aaaaaaa";
const B: &str = "production_bbbbbbb";
const C: &str = "production_ccccccc";

fn names() -> Vec<String> {
    (1..=HOSTS).map(|n| format!("web{n:02}")).collect()
}

fn environment(name: &str) -> Environment {
    Environment::parse(name).unwrap()
}

fn release(name: &str) -> Release {
    Release::parse(name).unwrap()
}

fn configure(lab: &mut Lab, alter: impl FnOnce(&mut ClassPolicy)) {
    let mut web = class("web");
    web.enforce = Enforce::Waves;
    web.waves = vec![WaveSize::Hosts(1), WaveSize::Percent(25), WaveSize::Percent(100)];
    web.environments = BTreeMap::from([(release("141"), environment("production")), (release("142"), environment("r142"))]);
    alter(&mut web);
    let policy = Policy { classes: vec![web], signals: vec![flow("requests")], ..Policy::default() };
    lab.tell(&Input::Policy { policy: Arc::new(policy), actor: Actor("test".into()) });
}

fn fleet(alter: impl FnOnce(&mut ClassPolicy)) -> Lab {
    let mut lab = Lab::new();
    configure(&mut lab, alter);
    for host in names() {
        lab.release(&host, "141");
        lab.report(told(&host, "production").file(FILE, "old").version("v1"));
    }
    lab.pass(Span::from_min(60));
    lab
}

fn publish_as(lab: &mut Lab, role: Role, name: &str, withdraw: bool) -> Answer {
    let principal = Principal::person("pipeline", role);
    lab.tell(&Input::Publish { principal, environment: environment(name), withdraw, reason: String::new() })
}

fn publish(lab: &mut Lab, name: &str) -> Answer {
    publish_as(lab, Role::Operator, name, false)
}

fn given(lab: &Lab, host: &str) -> String {
    given_by(&lab.state, lab.now, host)
}

fn given_by(state: &State, now: Timestamp, host: &str) -> String {
    let classified = classified(state, &HostId::parse(host).unwrap(), now).unwrap();
    classified.environment.map_or_else(String::new, |environment| environment.to_string())
}

fn who_gets(lab: &Lab, name: &str) -> Vec<String> {
    names().into_iter().filter(|host| given(lab, host) == name).collect()
}

/// Every host runs with what the classifier gives it; a text comes where the deployment brings it.
fn round(lab: &mut Lab, brings: &[(&str, &str)]) {
    for host in names() {
        let environment = given(lab, &host);
        let text = brings.iter().find(|(name, _)| *name == environment).map(|(_, text)| *text);
        let run = told(&host, &environment).version(&environment);
        lab.report(match text {
            Some(text) => run.file(FILE, text),
            None => run.kind(RunKind::Unchanged),
        });
    }
    lab.pass(Span::from_min(1));
    lab.tell(&Input::RunHealth);
}

/// A fleet that has all of a first deployment, with which nothing new came.
fn settled() -> Lab {
    let mut lab = fleet(|_| {});
    assert_eq!(publish(&mut lab, A), Answer::Done);
    for _ in 0..5 {
        round(&mut lab, &[]);
    }
    assert_eq!(who_gets(&lab, A).len(), HOSTS);
    lab
}

fn folded(lab: &Lab) -> State {
    let mut state = State::default();
    lab.state.to_facts().iter().for_each(|(at, fact)| state.apply(*at, fact));
    state
}

#[test]
fn only_what_a_class_declares_and_a_pipeline_may_is_published() {
    let mut lab = fleet(|_| {});
    assert!(matches!(publish_as(&mut lab, Role::Viewer, A, false), Answer::Forbidden(_)));
    for (name, why) in [("production", "no deployment of its own"), ("staging_aaaaaaa", "no class declares staging"), ("r_141", "git id")] {
        let Answer::Unprocessable(text) = publish(&mut lab, name) else { panic!("{name}") };
        assert!(text.contains(why), "{text}");
    }
    assert_eq!(publish(&mut lab, A), Answer::Done);
    let facts = lab.journal.len();
    assert_eq!(publish(&mut lab, A), Answer::Done);
    assert_eq!(lab.journal.len(), facts, "to say it twice is to say it once");
    assert!(matches!(publish_as(&mut lab, Role::Operator, B, true), Answer::NotFound(_)));
    assert_eq!(publish_as(&mut lab, Role::Operator, A, true), Answer::Done);
    assert!(lab.state.published.is_empty());
}

#[test]
fn a_deployment_that_brings_nothing_new_goes_along_the_waves_as_fast_as_runs_come() {
    let mut lab = fleet(|_| {});
    assert_eq!(given(&lab, "web01"), "production");
    publish(&mut lab, A);
    let mut before = Vec::new();
    for reached in [1, 5, 17, 20] {
        let now = who_gets(&lab, A);
        assert_eq!(now.len(), reached);
        assert!(before.iter().all(|host| now.contains(host)), "nobody is taken back");
        let again = folded(&lab);
        assert!(names().iter().all(|host| given_by(&again, lab.now, host) == given(&lab, host)), "a snapshot says the same");
        before = now;
        round(&mut lab, &[]);
    }
    assert!(lab.state.changes.is_empty(), "nothing new came, nothing is on trial");
    assert!(lab.state.spread.is_empty(), "it is known to be good, and all have it");
    // Where another release asks for another branch, it gets what that class and release need.
    lab.release("web07", "142");
    assert_eq!(given(&lab, "web07"), "r142");
}

#[test]
fn one_that_is_published_while_the_one_before_still_spreads_takes_nobody_back() {
    let mut lab = fleet(|_| {});
    publish(&mut lab, A);
    round(&mut lab, &[]);
    round(&mut lab, &[]);
    let had: Vec<String> =
        names().into_iter().filter(|host| lab.state.hosts[&HostId::parse(host).unwrap()].environment == Some(environment(A))).collect();
    assert_eq!(had.len(), 5);
    publish(&mut lab, B);
    let first = who_gets(&lab, B);
    assert_eq!(first.len(), 1);
    assert!(had.iter().all(|host| given(&lab, host) == A || first.contains(host)), "who has it keeps it");
    round(&mut lab, &[(B, "new")]);
    lab.pass(Span::from_min(31));
    lab.conclude(1, Outcome::Rejected);
    assert!(who_gets(&lab, B).is_empty());
    for _ in 0..4 {
        round(&mut lab, &[]);
    }
    assert_eq!(who_gets(&lab, A).len(), HOSTS, "the one before goes on");
}

#[test]
fn what_has_come_to_all_is_good_before_the_next_one_comes() {
    let mut lab = fleet(|_| {});
    publish(&mut lab, A);
    for _ in 0..3 {
        round(&mut lab, &[]);
    }
    // The last of them ran within the minute: nobody has counted them yet.
    for host in who_gets(&lab, A) {
        lab.report(told(&host, A).kind(RunKind::Unchanged).version(A));
    }
    publish(&mut lab, B);
    assert_eq!((who_gets(&lab, B).len(), who_gets(&lab, A).len()), (1, HOSTS - 1));
    round(&mut lab, &[(B, "new")]);
    lab.pass(Span::from_min(31));
    lab.conclude(1, Outcome::Rejected);
    assert_eq!(who_gets(&lab, A).len(), HOSTS);
}

#[test]
fn new_content_puts_the_deployment_on_trial_and_a_rejection_takes_its_hosts_back() {
    let mut lab = settled();
    publish(&mut lab, B);
    let first = who_gets(&lab, B);
    assert_eq!(first.len(), 1);
    round(&mut lab, &[(B, "new")]);
    let change = lab.state.changes[&ChangeId(1)].clone();
    assert_eq!(change.waves.as_ref().unwrap().order[0].as_str(), first[0], "the Change goes on where the deployment began");
    assert_eq!(who_gets(&lab, B), first);
    assert_eq!(who_gets(&lab, A).len(), HOSTS - 1, "all others get what is good, and run");
    assert!(host_policy(&lab.state, &HostId::parse(&first[0]).unwrap(), lab.now).unwrap().wave_open);
    publish(&mut lab, C);
    assert_eq!((who_gets(&lab, B), who_gets(&lab, C).len()), (first.clone(), 0), "what is newer waits");
    publish_as(&mut lab, Role::Operator, C, true);
    let plan = reverts::plan(&lab.state, ChangeId(1)).unwrap();
    let back = RevertWay::PinAndRun { environment: environment(A) };
    assert_eq!(plan.ways.values().collect::<Vec<_>>(), [&back]);
    lab.pass(Span::from_min(31));
    lab.conclude(1, Outcome::Rejected);
    assert_eq!(who_gets(&lab, A).len(), HOSTS, "also the first of them");
    let told = belay_core::explain::alert::alert(&lab.state, &belay_core::model::alert::Subject::Change(ChangeId(1)), lab.now).unwrap();
    let text = format!("{told:?}");
    assert!(text.contains(&format!("gives {B} to nobody any more: its hosts get {A} with their next run")), "{text}");
    assert!(text.contains("(nothing new came with it)"), "{text}");
    assert_eq!(publish(&mut lab, C), Answer::Done);
    assert_eq!(who_gets(&lab, C).len(), 1, "the next one has its own trial");
}

#[test]
fn an_accepted_deployment_goes_wave_by_wave_and_then_to_all() {
    let mut lab = settled();
    publish(&mut lab, B);
    for (wave, reached) in [1, 5, 17].into_iter().enumerate() {
        assert_eq!(who_gets(&lab, B).len(), reached);
        round(&mut lab, &[(B, "new")]);
        lab.pass(Span::from_min(31));
        if wave < 2 {
            lab.conclude(1, Outcome::Accepted);
        }
    }
    lab.conclude(1, Outcome::Accepted);
    round(&mut lab, &[(B, "new")]);
    lab.pass(Span::from_min(31));
    lab.conclude(1, Outcome::Accepted);
    assert!(!lab.state.changes[&ChangeId(1)].open());
    assert_eq!(who_gets(&lab, B).len(), HOSTS);
    publish_as(&mut lab, Role::Operator, B, true);
    assert_eq!(who_gets(&lab, A).len(), HOSTS, "what is taken back is no choice any more");
}

#[test]
fn what_does_not_compile_is_blamed_on_its_deployment() {
    let mut lab = settled();
    publish(&mut lab, B);
    let first = who_gets(&lab, B)[0].clone();
    lab.report(told(&first, B).version(B).kind(RunKind::FailedCompile("no such class".into())));
    let change = &lab.state.changes[&ChangeId(1)];
    assert!(change.items.contains_key(&belay_core::model::item::ItemKey::deployment()), "{:?}", change.items);
    lab.pass(Span::from_min(31));
    lab.conclude(1, Outcome::Rejected);
    assert_eq!(who_gets(&lab, A).len(), HOSTS);
}

#[test]
fn while_a_class_is_closed_nobody_comes_to_it_and_nobody_is_taken_back() {
    use belay_core::model::closed::Freeze;
    let mut lab = settled();
    publish(&mut lab, B);
    let first = who_gets(&lab, B);
    round(&mut lab, &[]);
    let mut policy = (*lab.state.policy).clone();
    policy.freezes = vec![Freeze {
        from: lab.now - Span::from_min(1),
        until: lab.now + Span::from_min(60),
        reason: "end of the year".into(),
        classes: vec![],
    }];
    lab.tell(&Input::Policy { policy: Arc::new(policy), actor: Actor("test".into()) });
    assert_eq!(who_gets(&lab, B), first, "the second wave waits");
    lab.pass(Span::from_min(1));
    lab.tell(&Input::RunHealth);
    assert_eq!(who_gets(&lab, B), first);
}

fn relay() -> Principal {
    Principal::Relay(Pattern::new("web*"))
}

fn deployed(lab: &mut Lab, place: &str, what: &[(&str, &str, Timestamp, Timestamp)]) -> Answer {
    let one = |(name, version, began, ended): &(&str, &str, Timestamp, Timestamp)| {
        (environment(name), Deployed { version: Some((*version).to_owned()), began: *began, ended: *ended })
    };
    lab.tell(&Input::Deployed { principal: relay(), host: HostId::parse(place).unwrap(), environments: what.iter().map(one).collect() })
}

#[test]
fn nothing_is_offered_that_a_machine_does_not_have() {
    let mut lab = settled();
    let (from, to) = (lab.now - Span::from_min(2), lab.now - Span::from_min(1));
    deployed(&mut lab, "puppet1", &[(A, "aaaaaaa", from, to), (B, "bbbbbbb", from, to)]);
    deployed(&mut lab, "puppet2", &[(A, "aaaaaaa", from, to)]);
    let Answer::Conflict(text) = publish(&mut lab, B) else { panic!() };
    assert!(text.contains("not deployed on puppet2"), "{text}");
    deployed(&mut lab, "puppet2", &[(A, "aaaaaaa", from, to), (B, "bbbbbbb", from, to)]);
    assert_eq!(publish(&mut lab, B), Answer::Done);
    assert_eq!(who_gets(&lab, B).len(), 1);
    deployed(&mut lab, "puppet1", &[(A, "aaaaaaa", from, to)]);
    assert_eq!(who_gets(&lab, A).len(), HOSTS, "it is gone from one of them");
    assert_eq!(folded(&lab).deployed, lab.state.deployed);
    let other = Principal::Relay(Pattern::new("db*"));
    let host = HostId::parse("puppet1").unwrap();
    lab.tell(&Input::Deployed { principal: other, host: host.clone(), environments: BTreeMap::new() });
    assert!(lab.state.deployed["puppet1 by relay:web*"].contains_key(&environment(A)), "what one said is not another's to take back");
    let refused = lab.tell(&Input::Deployed { principal: admin(), host, environments: BTreeMap::new() });
    assert!(matches!(refused, Answer::Forbidden(_)));
}

#[test]
fn a_machine_that_nobody_is_sent_to_any_more_keeps_nothing_back() {
    use belay_core::model::table::{Outpost, OutpostId};
    let mut lab = settled();
    let (from, to) = (lab.now - Span::from_min(2), lab.now - Span::from_min(1));
    deployed(&mut lab, "puppet1", &[(A, "aaaaaaa", from, to), (B, "bbbbbbb", from, to)]);
    deployed(&mut lab, "puppet2", &[(A, "0123abc", from, to)]);
    let stands = |lab: &mut Lab, host: &str, left: Option<Timestamp>| {
        let host = HostId::parse(host).unwrap();
        let id = OutpostId::of(&host, "relay");
        let outpost = Outpost { host, token: Some("relay".into()), since: from, heard: to, left };
        lab.state.apply(lab.now, &Fact::OutpostSet { id, outpost: Some(Box::new(outpost)) });
    };
    stands(&mut lab, "puppet1", None);
    stands(&mut lab, "puppet2", None);
    assert!(matches!(publish(&mut lab, B), Answer::Conflict(_)));
    let left = lab.now;
    stands(&mut lab, "puppet2", Some(left));
    assert_eq!(publish(&mut lab, B), Answer::Done);
    lab.report(told("web01", A).kind(RunKind::Unchanged));
    assert_eq!(version_of(&lab), Version::Named("aaaaaaa".into()), "what it has is nothing to go by either");
}

#[test]
fn one_whose_content_could_not_be_told_goes_no_further() {
    let mut lab = settled();
    publish(&mut lab, B);
    let first = who_gets(&lab, B);
    round(&mut lab, &[(B, "new")]);
    lab.pass(Span::from_min(31));
    lab.conclude(1, Outcome::Inconclusive(belay_core::model::verdict::Gap::NoData));
    assert!(!lab.state.changes[&ChangeId(1)].open());
    for _ in 0..3 {
        round(&mut lab, &[]);
    }
    assert_eq!(who_gets(&lab, B), first, "who has it keeps it, nobody else gets it");
}

fn version_of(lab: &Lab) -> Version {
    let run = lab.journal.iter().rev().find_map(|(_, fact)| match fact {
        Fact::RunRecorded { run, .. } => Some(run.version.clone()),
        _ => None,
    });
    run.unwrap()
}

#[test]
fn a_run_that_does_not_say_its_version_has_the_one_that_was_deployed_then() {
    let mut lab = fleet(|_| {});
    let report = |lab: &mut Lab| {
        lab.report(told("web01", "production").kind(RunKind::Unchanged));
        let version = version_of(lab);
        lab.pass(Span::from_min(30));
        version
    };
    assert_eq!(report(&mut lab), Version::Unknown);
    let at = |lab: &Lab, minutes: i64| lab.now - Span::from_min(minutes);
    let first = ("production", "9f2c1e0", at(&lab, 10), at(&lab, 9));
    deployed(&mut lab, "puppet1", &[first]);
    assert_eq!(report(&mut lab), Version::Named("9f2c1e0".into()));
    let second = ("production", "0123abc", lab.now - Span::from_s(5), lab.now);
    deployed(&mut lab, "puppet1", &[second]);
    assert_eq!(report(&mut lab), Version::Unknown, "while it was deployed");
    assert_eq!(report(&mut lab), Version::Named("0123abc".into()));
    deployed(&mut lab, "puppet2", &[first]);
    assert_eq!(report(&mut lab), Version::Unknown, "the two have different ones");
    let late = told("web01", "production").kind(RunKind::Unchanged).started(first.3 + Span::from_min(1));
    lab.report(late);
    assert_eq!(version_of(&lab), Version::Named("9f2c1e0".into()), "a report that comes late is of then");
    lab.report(told("web01", "production").kind(RunKind::Unchanged).version("own"));
    assert_eq!(version_of(&lab), Version::Named("own".into()), "what a run says itself goes before");
}

#[test]
fn a_release_that_the_tool_installs_comes_in_waves_and_its_run_belongs_to_it() {
    let mut lab = fleet(|web| web.target = Some(release("142")));
    let first = who_gets(&lab, "r142");
    assert_eq!(first.len(), 1);
    let other = names().into_iter().find(|host| *host != first[0]).unwrap();
    let offered = |name: &str| belay_core::model::gate::Offered { environment: Some(environment(name)), ..Default::default() };
    let ask = |lab: &Lab, host: &str, name: &str| gate(&lab.state, &HostId::parse(host).unwrap(), &offered(name), lab.now).gate;
    assert_eq!((ask(&lab, &first[0], "r142"), ask(&lab, &other, "r142")), (Gate::Go, Gate::Refused));
    // Nothing was ever asked to be run with the release that it installs: the run itself says that it is there.
    lab.report(told(&first[0], "r142").file(FILE, "of 142").version("v2"));
    let change = lab.state.changes[&ChangeId(1)].clone();
    assert!(change.brings_release() && change.release == Some(release("142")));
    assert_eq!(change.treated.len(), 1);
    assert_eq!(lab.state.hosts[&HostId::parse(&first[0]).unwrap()].release, Some(release("142")));
    assert_eq!(lab.mark("web", "141", FILE, "of 142"), None, "nothing of it is on trial for the release before");
    assert_eq!(who_gets(&lab, "r142"), first);
    lab.pass(Span::from_min(31));
    lab.conclude(1, Outcome::Accepted);
    assert_eq!(who_gets(&lab, "r142").len(), 5, "the second wave");
    lab.conclude(1, Outcome::Rejected);
    assert_eq!(who_gets(&lab, "r142"), first, "nobody else comes to it; who runs it needs what belongs to it");
    assert_eq!(ask(&lab, &other, "production"), Gate::Go);
}

#[test]
fn a_class_without_releases_gets_deployments_of_its_one_branch() {
    let mut lab = fleet(|web| {
        web.environments = BTreeMap::new();
        web.environment = Some(environment("production"));
    });
    assert_eq!(given(&lab, "web01"), "", "nothing is named before anything was published");
    publish(&mut lab, A);
    assert_eq!((who_gets(&lab, A).len(), who_gets(&lab, "production").len()), (1, HOSTS - 1));
}

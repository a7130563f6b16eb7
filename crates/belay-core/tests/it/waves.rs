//! Waves: a Change comes to a few hosts first, and no further than it proved good.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use belay_core::decide::Input;
use belay_core::decide::host_policy::{gate, host_policy};
use belay_core::model::gate::{Enforce, Gate, Offered, Why};
use belay_core::model::ids::{ChangeId, Environment, HostId};
use belay_core::model::item::{ItemKey, Items, Mark};
use belay_core::model::policy::{Branches, ClassPolicy, OnInconclusive, Pattern, Policy, WaveSize};
use belay_core::model::principal::Actor;
use belay_core::model::time::Span;
use belay_core::model::verdict::{Gap, Outcome, Standing};
use belay_stats::rng::Rng;

use crate::holds::id;
use crate::lab::{FILE, Lab, admin, class, content, flow, told};

pub const HOSTS: u64 = 20;

pub fn names() -> Vec<String> {
    (1..=HOSTS).map(|n| format!("web{n:02}")).collect()
}

pub fn fleet(alter: impl FnOnce(&mut ClassPolicy)) -> Lab {
    let mut lab = Lab::new();
    let mut web = class("web");
    web.enforce = Enforce::Waves;
    web.waves = vec![WaveSize::Hosts(1), WaveSize::Percent(25), WaveSize::Percent(100)];
    alter(&mut web);
    let receivers = lab.state.policy.receivers.clone();
    let policy = Policy { classes: vec![web], signals: vec![flow("requests")], receivers, ..Policy::default() };
    lab.tell(&Input::Policy { policy: Arc::new(policy), actor: Actor("test".into()) });
    for host in names() {
        lab.release(&host, "141");
        lab.report(told(&host, "production").file(FILE, "old").version("v1"));
    }
    lab.pass(Span::from_min(60));
    lab
}

pub fn offered(text: &str) -> Offered {
    let delta = Items::from([(ItemKey::new("File", FILE, "content"), content(text))]);
    Offered { environment: Environment::parse("production").ok(), delta: Some(delta), ..Offered::default() }
}

/// The same, with one more parameter of the file.
fn with(text: &str, parameter: &str, value: &str) -> Offered {
    let mut offered = offered(text);
    offered.delta.as_mut().unwrap().insert(ItemKey::new("File", FILE, parameter), content(value));
    offered
}

pub fn may(lab: &Lab, host: &str, text: &str) -> bool {
    gate(&lab.state, &id(host), &offered(text), lab.now).gate == Gate::Go
}

/// Every host runs, and gets the text where its gate lets it.
pub fn round(lab: &mut Lab, text: &str) -> BTreeSet<String> {
    let mut got = BTreeSet::new();
    for host in names() {
        if may(lab, &host, text) {
            lab.report(told(&host, "production").file(FILE, text).version("v2"));
            got.insert(host);
        }
    }
    got
}

pub fn waves_open(lab: &Lab) -> u32 {
    lab.state.changes[&ChangeId(1)].waves.as_ref().unwrap().open
}

#[test]
fn a_change_comes_wave_by_wave_and_is_accepted_with_the_last() {
    let mut lab = fleet(|_| {});
    for (wave, hosts) in [(1, 1), (2, 5), (3, 17)] {
        let came = round(&mut lab, "new").len();
        assert_eq!((waves_open(&lab), came), (wave, hosts), "three peers are kept to the last");
        lab.pass(Span::from_min(31));
        lab.conclude(1, Outcome::Accepted);
        assert!(lab.state.changes[&ChangeId(1)].open(), "wave {wave} proved good, the Change is not over");
    }
    assert_eq!(round(&mut lab, "new").len(), HOSTS as usize);
    lab.pass(Span::from_min(31));
    lab.conclude(1, Outcome::Accepted);
    assert!(!lab.state.changes[&ChangeId(1)].open());
    assert!(names().iter().all(|host| may(&lab, host, "new")), "what is accepted goes everywhere");
}

#[test]
fn whose_a_file_is_comes_with_accepted_content_and_nothing_else_does() {
    let lab = fleet(|_| {});
    let host = id("web07");
    let answers = |offered: Offered| gate(&lab.state, &host, &offered, lab.now).gate;
    assert_eq!(answers(offered("old")), Gate::Go);
    for parameter in ["owner", "group", "mode"] {
        assert_eq!(answers(with("old", parameter, "root")), Gate::Go, "{parameter} of a file with accepted content");
        assert_eq!(answers(with("new", parameter, "root")), Gate::Deferred, "{parameter} of a file nobody has seen");
    }
    for parameter in ["ensure", "target", "command", "source"] {
        assert_eq!(answers(with("old", parameter, "new")), Gate::Deferred, "{parameter} nobody has seen");
    }
}

#[test]
fn no_wave_opens_past_a_rejection() {
    let mut lab = fleet(|_| {});
    let first = round(&mut lab, "bad");
    lab.conclude(1, Outcome::Rejected);
    assert_eq!(round(&mut lab, "bad").len(), 0, "not even the first host gets it again: {first:?}");
    let answer = gate(&lab.state, &id("web07"), &offered("bad"), lab.now);
    assert!(matches!(answer.why[0], Why::Rejected { .. }), "{answer:?}");
}

#[test]
fn a_deferred_host_is_told_why_and_a_wave_waits_for_its_hosts() {
    let mut lab = fleet(|_| {});
    round(&mut lab, "new");
    lab.pass(Span::from_min(31));
    lab.conclude(1, Outcome::Accepted);
    let late = names().into_iter().find(|host| !may(&lab, host, "new")).unwrap();
    let answer = gate(&lab.state, &id(&late), &offered("new"), lab.now);
    assert_eq!((answer.gate, &answer.why[0]), (Gate::Deferred, &Why::WaveNotOpen { items: 1, change: Some(ChangeId(1)) }));
    lab.pass(Span::from_min(31));
    lab.conclude(1, Outcome::Accepted);
    assert_eq!(waves_open(&lab), 2, "nobody of the second wave has changed yet");
    lab.pass(Span::from_min(4 * 30));
    lab.conclude(1, Outcome::Accepted);
    assert_eq!(waves_open(&lab), 3, "after long enough it goes on without them");
}

#[test]
fn what_could_not_be_told_goes_on_after_twice_the_bake_and_what_was_not_seen_does_not() {
    let gone_on = |gap, on| {
        let mut lab = fleet(|class| class.on_inconclusive = on);
        round(&mut lab, "new");
        lab.pass(Span::from_min(31));
        lab.conclude(1, Outcome::Inconclusive(gap));
        (lab.state.changes[&ChangeId(1)].open(), waves_open(&lab))
    };
    assert_eq!(gone_on(Gap::TooLittle, OnInconclusive::Next), (true, 2));
    assert_eq!(gone_on(Gap::PeersSick, OnInconclusive::Next), (true, 2));
    assert_eq!(gone_on(Gap::TooLittle, OnInconclusive::Hold), (false, 1));
    assert_eq!(gone_on(Gap::NoData, OnInconclusive::Next), (false, 1), "missing data open nothing");
}

#[test]
fn canaries_come_first_and_the_values_of_a_fact_take_turns() {
    let mut lab = fleet(|class| {
        class.canaries = vec![Pattern::new("web1?")];
        class.spread = Some("dc".into());
        class.waves = vec![WaveSize::Hosts(4), WaveSize::Percent(100)];
    });
    for (nth, host) in names().iter().enumerate() {
        let facts = BTreeMap::from([("dc".to_owned(), if nth % 5 < 4 { "fra" } else { "iad" }.to_owned())]);
        lab.tell(&Input::Facts { principal: admin(), host: id(host), release: None, facts });
    }
    let first = round(&mut lab, "new");
    assert!(first.iter().all(|host| host.starts_with("web1")), "{first:?}");
    let far = first.iter().filter(|host| lab.state.hosts[&id(host)].facts["dc"] == "iad").count();
    assert_eq!(far, 2, "half of them, though a fifth of the class: {first:?}");
}

#[test]
fn the_classifier_gives_the_new_branch_to_the_open_waves_only() {
    let mut lab = fleet(|class| {
        let name = |name: &str| Environment::parse(name).unwrap();
        class.branches = Some(Branches { stable: name("production"), candidate: name("candidate") });
    });
    let on_candidate = |lab: &Lab| -> Vec<String> {
        let given = |host: &String| host_policy(&lab.state, &id(host), lab.now).unwrap().wave.unwrap().to_string();
        names().into_iter().filter(|host| given(host) == "candidate").collect()
    };
    let first = on_candidate(&lab);
    assert_eq!(first.len(), 1);
    lab.report(told(&first[0], "candidate").file(FILE, "new").version("v2"));
    lab.pass(Span::from_min(31));
    lab.conclude(1, Outcome::Accepted);
    assert_eq!(on_candidate(&lab).len(), 5);
    lab.conclude(1, Outcome::Rejected);
    assert_eq!(on_candidate(&lab).len(), 0, "what was rejected is given to nobody");
}

/// Over many random histories: content that is not accepted comes only to hosts of open waves, and
/// none opens after a rejection.
#[test]
fn unaccepted_content_never_comes_further_than_the_open_waves() {
    let mut opened = 0;
    for seed in 0..400 {
        let mut rng = Rng::new(seed);
        let mut lab = fleet(|class| class.on_inconclusive = if rng.chance(0.5) { OnInconclusive::Hold } else { OnInconclusive::Next });
        for step in 0..60 {
            let text = format!("text {}", step / 20);
            match rng.below(4) {
                0 | 1 => {
                    let host = format!("web{:02}", 1 + rng.below(HOSTS));
                    if may(&lab, &host, &text) {
                        let mark = lab.mark("web", "141", FILE, &text);
                        assert!(!matches!(mark, Some(Mark::Rejected(_))), "seed {seed}: rejected content was let through");
                        lab.report(told(&host, "production").file(FILE, &text).version(&text));
                        within_its_waves(&lab, seed, &id(&host));
                    }
                }
                2 => lab.pass(Span::from_min(1 + i64::try_from(rng.below(40)).unwrap())),
                _ => conclude(&mut lab, &mut rng),
            }
        }
        opened += lab.state.changes.values().filter(|change| change.waves.as_ref().is_some_and(|waves| waves.open > 1)).count();
    }
    assert!(opened > 100, "a second wave opened {opened} times only: the histories prove nothing");
}

fn conclude(lab: &mut Lab, rng: &mut Rng) {
    let Some(before) = lab.state.open_changes().next().cloned() else { return };
    let outcomes = [
        Outcome::Accepted,
        Outcome::Accepted,
        Outcome::Rejected,
        Outcome::Inconclusive(Gap::TooLittle),
        Outcome::Inconclusive(Gap::NoData),
    ];
    let outcome = outcomes[usize::try_from(rng.below(5)).unwrap()];
    lab.conclude(before.id.0, outcome);
    let after = &lab.state.changes[&before.id];
    if outcome == Outcome::Rejected {
        assert_eq!(after.standing, Standing::Final(Outcome::Rejected));
        assert_eq!(after.waves, before.waves, "a wave opened past a rejection");
    }
}

fn within_its_waves(lab: &Lab, seed: u64, host: &HostId) {
    let Some(change) = lab.state.open_changes().find(|change| change.treated.contains_key(host)) else { return };
    let waves = change.waves.as_ref().unwrap();
    let reached = waves.order.iter().take(waves.reach()).any(|known| known == host);
    // Who is treated by a superseding Change may have come with the waves of the one before.
    assert!(reached || change.supersedes.is_some(), "seed {seed}: {host} is in no open wave of {}", change.id);
}

#[test]
fn the_waves_of_a_change_share_its_budget_of_false_rejections() {
    use belay_core::decide::trial::{BUDGET_MAX, BUDGET_MIN, trial_of};
    let given = |sizes: Vec<WaveSize>| {
        let mut lab = fleet(|web| web.waves = sizes);
        round(&mut lab, "new");
        let waves = lab.state.changes[&ChangeId(1)].waves.as_ref().unwrap().sizes.len();
        (waves, trial_of(&lab.state, ChangeId(1)).unwrap().budget.unwrap())
    };
    // The last three hosts are a wave of their own.
    assert_eq!(given(vec![WaveSize::Hosts(1), WaveSize::Percent(25), WaveSize::Percent(100)]), (4, BUDGET_MAX / 4.0));
    assert_eq!(given(vec![WaveSize::Hosts(17)]), (2, BUDGET_MAX / 2.0));
    let (waves, given) = given((1..=17).map(WaveSize::Hosts).collect());
    assert!(waves >= 17 && given >= BUDGET_MIN, "less would blind it: {waves} {given}");
}

//! What an inventory tells of the time before Belay: history. It is kept, and nothing of it is on trial, told, or good for any release.

use belay_core::decide::{Answer, Input};
use belay_core::model::ids::HostId;
use belay_core::model::item::Mark;
use belay_core::model::report::RunKind;
use belay_core::model::time::Span;
use belay_core::state::{Fact, State};

use super::lab::{Lab, told};

const FILE: &str = "/etc/app.conf";

fn pulled(lab: &mut Lab, mark: &str, whole: bool) -> Answer {
    lab.tell(&Input::Pulled { inventory: "main".into(), mark: mark.into(), told: whole })
}

fn days_ago(lab: &Lab, days: i64) -> belay_core::model::time::Timestamp {
    lab.now - Span::from_min(days * 24 * 60)
}

/// A fleet that is known by its past: 141's file came ten days ago, 142's two days ago, and it runs release 142.
fn known() -> Lab {
    let mut lab = Lab::new();
    let (old, new) = (days_ago(&lab, 10), days_ago(&lab, 2));
    for host in ["web1", "web2", "web3"] {
        lab.release(host, "142");
        lab.past(told(host, "production").file(FILE, "141").version("v1").started(old));
        lab.past(told(host, "r142").file(FILE, "142").version("v2").started(new));
    }
    lab
}

#[test]
fn the_past_is_kept_and_nothing_follows_from_it() {
    let mut lab = known();
    assert_eq!(lab.state.changes.len(), 0);
    assert_eq!(lab.state.effects.len(), 0);
    let recorded = lab.journal.iter().filter(|(_, fact)| matches!(fact, Fact::RunRecorded { .. })).count();
    assert_eq!(recorded, 6);
    let host = &lab.state.hosts[&HostId::parse("web1").unwrap()];
    assert_eq!(host.environment.as_ref().map(|name| name.as_str()), Some("r142"), "what came last counts");
    assert_eq!(lab.mark("web", "142", FILE, "142"), None, "not before all of it is told");
    let answer = lab.past(told("web1", "r142").kind(RunKind::FailedCompile("no such class".into())).started(days_ago(&lab, 1)));
    assert!(matches!(answer, Answer::Run { duplicate: false, .. }));
    assert_eq!(lab.state.changes.len(), 0, "an error of the past is on no trial");
}

#[test]
fn once_it_is_told_what_hosts_carry_is_adopted_and_the_files_of_the_release_before_are_not() {
    let mut lab = known();
    assert_eq!(pulled(&mut lab, "{}", true), Answer::Done);
    assert_eq!(lab.mark("web", "142", FILE, "142"), Some(Mark::Adopted));
    assert_eq!(lab.mark("web", "142", FILE, "141"), None);
    // The night: 141's file comes back to a host of release 142.
    lab.pass(Span::from_min(5));
    lab.report(told("web1", "production").file(FILE, "141").version("v1"));
    assert_eq!(lab.state.open_changes().count(), 1, "what was there days ago is not good for the release of now");
    // And a newcomer that gets what all have is no Change.
    lab.release("web4", "142");
    lab.report(told("web4", "r142").file(FILE, "142").version("v2"));
    assert_eq!(lab.state.open_changes().count(), 1);
}

#[test]
fn in_a_class_that_is_known_for_long_the_past_adopts_nothing() {
    let mut lab = Lab::new();
    lab.enrol(&["web1", "web2"], "142", "r142");
    lab.pass(Span::from_min(48 * 60));
    let old = days_ago(&lab, 1);
    lab.release("web3", "142");
    lab.past(told("web3", "r142").file(FILE, "bad").version("v9").started(old));
    pulled(&mut lab, "{}", true);
    assert_eq!(lab.mark("web", "142", FILE, "bad"), None, "a newcomer's past is no way past the trial");
}

#[test]
fn what_is_told_late_does_not_take_the_place_of_what_is_known_already() {
    let mut lab = Lab::new();
    lab.enrol(&["web1"], "142", "r142");
    lab.report(told("web1", "r142").file(FILE, "142").version("v2"));
    let (before, old) = (lab.state.hosts[&HostId::parse("web1").unwrap()].clone(), days_ago(&lab, 3));
    lab.past(told("web1", "production").file(FILE, "141").version("v1").started(old));
    let after = &lab.state.hosts[&HostId::parse("web1").unwrap()];
    assert_eq!((&after.items, &after.environment, &after.version), (&before.items, &before.environment, &before.version));
}

#[test]
fn how_far_it_was_read_survives_a_snapshot_and_is_bounded() {
    let mut lab = known();
    assert_eq!(pulled(&mut lab, "{\"since\":1}", false), Answer::Done);
    let mut folded = State::default();
    lab.state.to_facts().iter().for_each(|(at, fact)| folded.apply(*at, fact));
    assert_eq!(folded.pulled, lab.state.pulled);
    let before = lab.journal.len();
    pulled(&mut lab, "{\"since\":1}", false);
    assert_eq!(lab.journal.len(), before, "the same mark is no fact");
    assert!(matches!(pulled(&mut lab, &"x".repeat(2_000), false), Answer::Unprocessable(_)));
    for nth in 0..40 {
        lab.tell(&Input::Pulled { inventory: format!("i{nth}"), mark: "{}".into(), told: false });
    }
    assert!(lab.state.pulled.len() <= belay_core::state::INVENTORIES_MAX);
}

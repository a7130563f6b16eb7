//! Run health: what ails a host follows from the state and the time.

use std::sync::Arc;

use belay_core::decide::Input;
use belay_core::decide::health::{Ailment, Severity, of_fleet};
use belay_core::model::ids::{Environment, HostId, Release};
use belay_core::model::policy::ClassPolicy;
use belay_core::model::principal::Actor;
use belay_core::model::report::RunKind;
use belay_core::model::time::Span;

use super::lab::{Lab, class, told};

fn lab() -> Lab {
    let mut lab = Lab::new();
    let environments =
        [("141", "production"), ("142", "r142")].map(|(r, e)| (Release::parse(r).unwrap(), Environment::parse(e).unwrap())).into();
    let mut policy = lab.state.policy.as_ref().clone();
    policy.classes = vec![ClassPolicy { environments, ..class("web") }];
    lab.tell(&Input::Policy { policy: Arc::new(policy), actor: Actor("test".into()) });
    lab.enrol(&["web01", "web02", "web03", "web04"], "141", "production");
    lab
}

fn ails(lab: &Lab, host: &str) -> Vec<(Ailment, Severity)> {
    let found = of_fleet(&lab.state, None, lab.now);
    found.get(&HostId::parse(host).unwrap()).map_or_else(Vec::new, |ails| ails.iter().map(|ails| (ails.what, ails.severity)).collect())
}

#[test]
fn a_host_that_was_applied_to_lately_is_well_and_goes_stale_with_time() {
    let mut lab = lab();
    assert!(of_fleet(&lab.state, None, lab.now).is_empty());
    lab.pass(Span::from_min(66));
    assert_eq!(ails(&lab, "web01"), [(Ailment::Stale, Severity::Warning)]);
    // A rehearsal makes it look fresh to others.
    lab.report(told("web01", "production").kind(RunKind::NoopUnchanged));
    assert_eq!(ails(&lab, "web01"), [(Ailment::Stale, Severity::Warning)]);
    lab.pass(Span::from_min(240));
    assert_eq!(ails(&lab, "web02"), [(Ailment::Stale, Severity::Critical)]);
    lab.report(told("web02", "production"));
    assert_eq!(ails(&lab, "web02"), []);
}

#[test]
fn each_way_in_which_a_run_is_not_well_has_its_word() {
    let mut lab = lab();
    lab.report(told("web01", "production").failing("Service[app]"));
    assert_eq!(ails(&lab, "web01"), [(Ailment::Failing, Severity::Critical)]);
    lab.report(told("web02", "production").kind(RunKind::FailedCompile("syntax error".into())));
    assert_eq!(ails(&lab, "web02"), [(Ailment::FailedCompile, Severity::Critical)]);
    lab.report(told("web03", "production").kind(RunKind::CachedCatalog("no server".into())));
    assert_eq!(ails(&lab, "web03")[0], (Ailment::CachedCatalog, Severity::Warning));
    lab.release("web04", "142");
    assert_eq!(ails(&lab, "web04"), [(Ailment::WrongEnvironment, Severity::Critical)]);
    let found = of_fleet(&lab.state, None, lab.now);
    let text = &found[&HostId::parse("web04").unwrap()][0].text;
    assert_eq!(text, "environment production was applied, and release 142 needs r142");
}

#[test]
fn what_would_change_does_not_wait_unseen_for_days() {
    let mut lab = lab();
    for _ in 0..50 {
        lab.pass(Span::from_min(60));
        lab.report(told("web01", "production").kind(RunKind::NoopWouldChange).file("/etc/a", "new"));
    }
    assert!(ails(&lab, "web01").contains(&(Ailment::Pending, Severity::Warning)), "{:?}", ails(&lab, "web01"));
}

#[test]
fn one_host_that_stays_behind_is_named_and_a_rollout_is_no_lag() {
    let mut lab = lab();
    lab.enrol(&["web05", "web06", "web07", "web08"], "141", "production");
    for host in ["web01", "web02", "web03", "web04", "web05", "web06", "web07"] {
        lab.report(told(host, "production").version("v2"));
    }
    lab.report(told("web08", "production").version("v1"));
    assert_eq!(ails(&lab, "web08"), [(Ailment::Lagging, Severity::Warning)]);
    assert_eq!(ails(&lab, "web01"), []);
    // Six of eight still carry v2; web01 has something new.
    lab.report(told("web01", "production").version("v3").file("/etc/new", "content"));
    assert!(lab.state.open_changes().next().is_some());
    assert_eq!(ails(&lab, "web08"), []);
}

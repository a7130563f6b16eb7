//! The night, in items: what the design says of it, step by step.

use belay_core::model::ids::ChangeId;
use belay_core::model::item::Mark;
use belay_core::model::report::RunKind;
use belay_core::model::time::Span;
use belay_core::model::verdict::{Gap, Outcome, Standing};

use crate::lab::{FILE, Lab, told};

const A: &str = "141's text";
const B: &str = "142's text";

fn enrolled() -> Lab {
    let mut lab = Lab::new();
    for host in ["web1", "web2", "web3", "web4"] {
        lab.release(host, "141");
        lab.report(told(host, "production").file(FILE, A).version("v1"));
    }
    lab.pass(Span::from_min(60));
    lab
}

fn half_on_142() -> Lab {
    let mut lab = enrolled();
    for host in ["web1", "web2"] {
        lab.release(host, "142");
        lab.report(told(host, "r142").file(FILE, B).version("v2"));
    }
    lab.pass(Span::from_min(40));
    lab.conclude(1, Outcome::Accepted);
    lab
}

#[test]
fn what_was_there_at_first_contact_is_adopted_and_opens_nothing() {
    let lab = enrolled();
    assert_eq!(lab.mark("web", "141", FILE, A), Some(Mark::Adopted));
    assert!(lab.state.changes.is_empty());
}

#[test]
fn a_new_release_with_its_files_is_one_change_and_accepts_what_its_hosts_carry() {
    let lab = half_on_142();
    assert_eq!(lab.state.changes.len(), 1);
    let change = &lab.state.changes[&ChangeId(1)];
    assert_eq!((change.treated.len(), change.brings_release(), change.switches_environment()), (2, true, true));
    assert_eq!(lab.mark("web", "142", FILE, B), Some(Mark::Accepted(ChangeId(1))));
    assert_eq!(lab.mark("web", "141", FILE, B), None, "acceptance leaked to another release");
}

#[test]
fn old_files_on_new_code_are_a_change_and_its_rejection_leaves_the_old_release_alone() {
    let mut lab = half_on_142();
    for host in ["web1", "web2"] {
        lab.report(told(host, "production").file(FILE, A).version("v1"));
    }
    assert_eq!(lab.state.changes.len(), 2);
    assert_eq!(lab.mark("web", "142", FILE, A), Some(Mark::OnTrial(ChangeId(2))));
    lab.conclude(2, Outcome::Rejected);
    assert_eq!(lab.mark("web", "142", FILE, A), Some(Mark::Rejected(ChangeId(2))));
    assert_eq!(lab.mark("web", "141", FILE, A), Some(Mark::Adopted));
    assert_eq!(lab.mark("web", "142", FILE, B), Some(Mark::Accepted(ChangeId(1))));
}

#[test]
fn a_host_that_comes_to_rejected_content_is_counted_and_told_of() {
    let mut lab = half_on_142();
    lab.report(told("web1", "production").file(FILE, A).version("v1"));
    lab.conclude(2, Outcome::Rejected);
    lab.report(told("web2", "production").file(FILE, A).version("v1"));
    let change = &lab.state.changes[&ChangeId(2)];
    assert_eq!((change.after_rejection, change.treated.len()), (1, 2));
    assert_eq!(lab.state.changes.len(), 2, "rejected content opened a second trial");
}

#[test]
fn a_merge_that_touches_only_another_class_opens_nothing_here() {
    let mut lab = half_on_142();
    lab.report(told("web3", "production").kind(RunKind::Unchanged).version("v9"));
    lab.report(told("web1", "r142").kind(RunKind::Unchanged).version("v9"));
    assert_eq!(lab.state.changes.len(), 1);
}

#[test]
fn going_back_to_accepted_content_needs_no_trial() {
    let mut lab = half_on_142();
    lab.report(told("web1", "production").file(FILE, A).version("v1"));
    lab.conclude(2, Outcome::Rejected);
    lab.report(told("web1", "r142").file(FILE, B).version("v2"));
    assert_eq!(lab.state.changes.len(), 2);
}

#[test]
fn newer_content_takes_the_place_of_a_trial_under_way_with_its_hosts_and_items() {
    let mut lab = enrolled();
    lab.report(told("web1", "production").file(FILE, "new").version("v2"));
    lab.pass(Span::from_min(3));
    lab.report(told("web2", "production").file("/etc/other", "x").version("v3"));
    let (old, new) = (&lab.state.changes[&ChangeId(1)], &lab.state.changes[&ChangeId(2)]);
    assert_eq!(old.standing, Standing::Final(Outcome::Inconclusive(Gap::Superseded)));
    assert_eq!((new.items.len(), new.treated.len(), new.supersedes), (2, 2, Some(ChangeId(1))));
    assert_eq!(lab.mark("web", "141", FILE, "new"), Some(Mark::OnTrial(ChangeId(2))));
}

#[test]
fn the_same_version_on_more_hosts_is_the_same_change() {
    let mut lab = enrolled();
    lab.report(told("web1", "production").file(FILE, "new").version("v2"));
    lab.report(told("web2", "production").file("/etc/other", "x").version("v2"));
    assert_eq!(lab.state.changes.len(), 1);
    assert_eq!(lab.state.changes[&ChangeId(1)].items.len(), 2);
}

#[test]
fn what_is_only_put_back_is_drift_and_opens_nothing() {
    let mut lab = enrolled();
    lab.report(told("web1", "production").file(FILE, A).version("v7"));
    lab.report(told("web2", "production").file("/etc/never-seen", "x").version("v1"));
    assert!(lab.state.changes.is_empty(), "{:?}", lab.state.changes);
}

#[test]
fn a_host_without_a_known_release_is_never_treated_where_others_have_one() {
    let mut lab = enrolled();
    lab.report(told("web9", "production").kind(RunKind::Unchanged).version("v1"));
    lab.report(told("web9", "production").file(FILE, "new").version("v2"));
    assert!(lab.state.changes.is_empty());
}

#[test]
fn a_newcomers_first_run_cannot_bring_content_past_the_trial() {
    let mut lab = half_on_142();
    lab.report(told("web1", "production").file(FILE, A).version("v1"));
    lab.conclude(2, Outcome::Rejected);
    lab.release("web7", "142");
    lab.report(told("web7", "production").file(FILE, A).version("v1"));
    assert_eq!(lab.mark("web", "142", FILE, A), Some(Mark::Rejected(ChangeId(2))));
}

#[test]
fn the_same_compile_error_on_two_hosts_is_one_change() {
    let mut lab = enrolled();
    for host in ["web1", "web2"] {
        let kind = RunKind::FailedCompile(format!("Syntax error at 'x' on {host}"));
        lab.report(told(host, "production").kind(kind));
    }
    assert_eq!(lab.state.changes.len(), 1);
    assert_eq!(lab.state.changes[&ChangeId(1)].treated.values().filter(|t| t.compile_error.is_some()).count(), 2);
}

#[test]
fn a_rehearsal_a_refusal_and_a_cached_catalog_that_changes_nothing_open_nothing() {
    let mut lab = enrolled();
    for kind in
        [RunKind::NoopWouldChange, RunKind::Refused("held".into()), RunKind::CachedCatalog("500".into()), RunKind::Aborted("x".into())]
    {
        lab.report(told("web1", "production").kind(kind));
    }
    assert!(lab.state.changes.is_empty());
}

#[test]
fn a_resource_that_fails_again_on_a_treated_host_is_counted_and_one_that_failed_before_is_not() {
    let mut lab = enrolled();
    lab.report(told("web1", "production").file(FILE, "new").version("v2").failing("Service[app]"));
    lab.report(told("web1", "production").failing("Service[app]").version("v2"));
    let failures =
        |lab: &Lab| lab.state.changes[&ChangeId(1)].treated.values().flat_map(|t| t.failures.values().map(|f| f.times)).collect::<Vec<_>>();
    assert_eq!(failures(&lab), [2]);
    let mut lab = enrolled();
    lab.report(told("web1", "production").failing("Service[app]").version("v1"));
    lab.report(told("web1", "production").file(FILE, "new").version("v2").failing("Service[app]"));
    assert_eq!(failures(&lab), [0; 0]);
}

#[test]
fn content_that_was_inconclusive_is_tried_anew_when_it_comes_to_further_hosts() {
    let mut lab = enrolled();
    lab.report(told("web1", "production").file(FILE, "new").version("v2"));
    lab.conclude(1, Outcome::Inconclusive(Gap::NoData));
    lab.report(told("web2", "production").file(FILE, "new").version("v2"));
    assert_eq!(lab.state.changes[&ChangeId(2)].supersedes, Some(ChangeId(1)));
    assert_eq!(lab.mark("web", "141", FILE, "new"), Some(Mark::OnTrial(ChangeId(2))));
}

#[test]
fn content_of_a_class_that_nothing_watches_is_not_tried_again_and_again() {
    let mut lab = enrolled();
    lab.report(told("web1", "production").file(FILE, "new").version("v2"));
    lab.conclude(1, Outcome::Inconclusive(Gap::NoSignals));
    lab.report(told("web2", "production").file(FILE, "new").version("v2"));
    assert_eq!((lab.state.changes.len(), lab.state.changes[&ChangeId(1)].treated.len()), (1, 2));
}

#[test]
fn drift_that_strikes_many_hosts_at_once_is_a_change_and_what_is_put_back_in_every_run_is_not() {
    let mut lab = enrolled();
    for host in ["web5", "web6", "web7"] {
        lab.release(host, "141");
        lab.report(told(host, "production").file(FILE, A).version("v1"));
    }
    for (i, host) in ["web1", "web2", "web3", "web4"].into_iter().enumerate() {
        lab.report(told(host, "production").file(FILE, A).version("v1"));
        assert_eq!(lab.state.changes.len(), usize::from(i == 3), "{host}");
    }
    assert!(belay_core::explain::change::what(&lab.state.changes[&ChangeId(1)]).contains("put back File"));
    lab.pass(Span::from_min(60));
    lab.conclude(1, Outcome::Accepted);
    for host in ["web1", "web2", "web3", "web4"] {
        lab.report(told(host, "production").file(FILE, A).version("v1"));
    }
    assert_eq!(lab.state.changes.len(), 1, "what every run puts back is no news");
}

#[test]
fn a_release_that_was_judged_before_its_files_came_does_not_accept_the_old_ones() {
    let mut lab = enrolled();
    lab.release("web1", "142");
    lab.pass(Span::from_min(40));
    lab.conclude(1, Outcome::Accepted);
    assert_eq!(lab.mark("web", "142", FILE, A), None, "what the old release left was accepted for the new one");
    lab.report(told("web1", "r142").file(FILE, B).version("v2"));
    lab.conclude(2, Outcome::Accepted);
    lab.report(told("web1", "production").file(FILE, A).version("v1"));
    assert_eq!(lab.mark("web", "142", FILE, A), Some(Mark::OnTrial(ChangeId(3))), "the night would have passed unseen");
}

#[test]
fn a_release_whose_hosts_were_confirmed_by_a_run_accepts_what_they_carry() {
    let mut lab = enrolled();
    lab.release("web1", "142");
    lab.pass(Span::from_min(5));
    lab.report(told("web1", "production").kind(RunKind::Unchanged).version("v1"));
    lab.pass(Span::from_min(40));
    lab.conclude(1, Outcome::Accepted);
    assert_eq!(lab.mark("web", "142", FILE, A), Some(Mark::Accepted(ChangeId(1))));
}

#[test]
fn rejected_content_that_a_tool_puts_back_after_somebody_mended_it_by_hand_is_said() {
    let mut lab = half_on_142();
    lab.report(told("web1", "production").file(FILE, A).version("v1"));
    lab.conclude(2, Outcome::Rejected);
    lab.pass(Span::from_min(60));
    lab.report(told("web1", "production").file(FILE, A).version("v1"));
    assert_eq!(lab.state.changes[&ChangeId(2)].after_rejection, 1, "the incident repeated silently");
}

#[test]
fn an_upgrade_that_keeps_the_old_environment_is_a_change_of_the_environment_for_the_new_release() {
    let mut lab = half_on_142();
    lab.release("web3", "142");
    lab.report(told("web3", "production").kind(RunKind::Unchanged).version("v1"));
    let change = lab.state.open_changes().next().expect("nobody would have said that production was never judged for 142");
    assert!(change.switches_environment());
}

#[test]
fn what_does_not_compile_takes_no_place_from_what_was_deployed() {
    let mut lab = enrolled();
    lab.report(told("web1", "production").file(FILE, "new").version("v2"));
    for host in ["web2", "web3"] {
        lab.report(told(host, "mybranch").kind(RunKind::FailedCompile("Syntax error".into())));
    }
    assert_eq!(lab.state.changes.len(), 1);
    assert!(lab.state.changes[&ChangeId(1)].open());
}

#[test]
fn the_first_host_of_a_new_release_does_not_adopt_it_for_a_class_that_was_enrolled_long_ago() {
    let mut lab = enrolled();
    lab.pass(Span::from_min(60 * 48));
    lab.report(told("web1", "production").kind(RunKind::Unchanged).version("v1"));
    lab.release("web9", "142");
    lab.report(told("web9", "r142").file(FILE, "bad").version("v2"));
    assert_eq!(lab.mark("web", "142", FILE, "bad"), None);
    lab.release("web1", "142");
    assert!(lab.state.open_changes().next().is_some_and(|change| change.brings_release()));
}

#[test]
fn the_budget_of_false_rejections_is_shared_by_the_changes_of_its_span() {
    use belay_core::decide::trial::{BUDGET_MAX, trial_of};
    let mut lab = enrolled();
    let given = |lab: &Lab, id: u64| trial_of(&lab.state, ChangeId(id)).unwrap().budget.unwrap();
    let next = |lab: &mut Lab, nth: u64| {
        lab.report(told("web1", "production").file(FILE, &format!("text {nth}")).version(&format!("v{nth}")));
        lab.pass(Span::from_min(31));
    };
    next(&mut lab, 1);
    assert_eq!(given(&lab, 1), BUDGET_MAX, "alone it gets the most there is");
    for nth in 2..=100 {
        lab.conclude(nth - 1, Outcome::Accepted);
        next(&mut lab, nth + 10);
    }
    assert!((given(&lab, 100) - 0.01).abs() < 1e-12, "1 per 30 days over 100 changes: {}", given(&lab, 100));
    let before = given(&lab, 100);
    lab.pass(Span::from_min(60 * 24 * 31));
    assert_eq!(given(&lab, 100), before, "what comes later, or time, does not alter it");
    lab.conclude(100, Outcome::Accepted);
    next(&mut lab, 999);
    assert_eq!(given(&lab, 101), BUDGET_MAX, "those of long ago do not count");
}

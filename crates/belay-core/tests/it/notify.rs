//! Alerts: one a Change, retried, given up visibly. People's verdicts.

use belay_core::decide::trial::watched;
use belay_core::decide::{Answer, Input, Ruling};
use belay_core::explain::alert::{TITLE_MAX, alert};
use belay_core::explain::why;
use belay_core::model::alert::{ATTEMPTS_MAX, Attempt, Subject};
use belay_core::model::ids::{ChangeId, HostId, SignalName};
use belay_core::model::item::Mark;
use belay_core::model::principal::Role;
use belay_core::model::signal::Missing;
use belay_core::model::time::Span;
use belay_core::model::verdict::{Check, Finding, Gap, Lack, Numbers, Outcome, Says, Standing};

use crate::lab::{FILE, Lab, told};

fn on_trial() -> Lab {
    let mut lab = Lab::new();
    lab.enrol(&["web1", "web2", "web3"], "141", "production");
    lab.pass(Span::from_min(60));
    lab.report(told("web1", "r142").file(FILE, "new").version("v2"));
    lab
}

#[test]
fn a_rejection_is_told_at_once_and_what_follows_is_gathered_into_one_more_message() {
    let mut lab = on_trial();
    lab.conclude(1, Outcome::Rejected);
    assert_eq!(lab.state.effects.len(), 1);
    for host in ["web2", "web3"] {
        lab.report(told(host, "r142").file(FILE, "new").version("v2"));
        assert_eq!(lab.state.effects.len(), 2, "the first may be on its way with older words; one more says the rest");
    }
    let effect = *lab.state.effects.keys().next().unwrap();
    lab.tell(&Input::Tried { effect, attempt: Attempt::Done });
    let waiting: Vec<_> = lab.state.effects.values().map(|effect| effect.next_try.since(lab.now)).collect();
    assert_eq!(waiting, [Span::from_s(10)]);
}

#[test]
fn a_verdict_is_never_lost_in_a_message_that_is_on_its_way_and_nothing_piles_up_for_a_receiver_that_is_away() {
    let mut lab = on_trial();
    lab.look(1, Standing::Suspect, vec![], vec![]);
    let suspect = *lab.state.effects.keys().next().unwrap();
    lab.conclude(1, Outcome::Rejected);
    lab.tell(&Input::Tried { effect: suspect, attempt: Attempt::Done });
    assert_eq!(lab.state.effects.len(), 1, "the receiver would never hear of the rejection");
    let effect = *lab.state.effects.keys().next().unwrap();
    for n in 0..40 {
        lab.tell(&Input::Tried { effect, attempt: Attempt::Later("away".into()) });
        lab.report(told("web2", "r142").file(FILE, "new").version("v2").id(&format!("n{n}")));
    }
    assert!(lab.state.effects.len() <= 2, "{} messages wait", lab.state.effects.len());
}

#[test]
fn a_receiver_that_fails_is_tried_again_later_and_later_and_then_shown_as_given_up() {
    let mut lab = on_trial();
    lab.conclude(1, Outcome::Rejected);
    let effect = *lab.state.effects.keys().next().unwrap();
    let mut waits = vec![];
    for _ in 0..ATTEMPTS_MAX {
        lab.tell(&Input::Tried { effect, attempt: Attempt::Later("500".into()) });
        waits.push(lab.state.effects[&effect].next_try.since(lab.now));
    }
    assert!(waits.windows(2).all(|pair| pair[0] <= pair[1]) && waits[0] <= Span::from_s(2), "{waits:?}");
    assert!(lab.state.effects[&effect].dead);
    assert_eq!(lab.state.effects[&effect].last_error.as_deref(), Some("500"));
    lab.tell(&Input::Tried { effect, attempt: Attempt::Done });
    assert!(lab.state.effects.contains_key(&effect), "a given-up message came back to life");
}

#[test]
fn a_given_up_message_leaves_when_a_newer_one_for_the_same_ears_arrives() {
    let mut lab = on_trial();
    lab.conclude(1, Outcome::Rejected);
    let dead = *lab.state.effects.keys().next().unwrap();
    lab.tell(&Input::Tried { effect: dead, attempt: Attempt::Never("redirect".into()) });
    lab.report(told("web2", "r142").file(FILE, "new").version("v2"));
    let newer = *lab.state.effects.keys().max().unwrap();
    assert_ne!(dead, newer);
    lab.tell(&Input::Tried { effect: newer, attempt: Attempt::Done });
    assert!(lab.state.effects.is_empty());
}

#[test]
fn an_alert_says_what_changed_where_since_when_what_is_missing_and_what_to_do() {
    let mut lab = on_trial();
    lab.conclude(1, Outcome::Rejected);
    let alert = alert(&lab.state, &Subject::Change(ChangeId(1)), lab.now).unwrap();
    let text: String = alert.parts.iter().flat_map(|part| part.lines.iter().map(|line| format!("{}: {line}\n", part.heading))).collect();
    for needed in [
        FILE,
        "environment: production -> r142",
        "web1",
        "class web",
        "release 141",
        "Missing: none",
        "belay why c-1",
        "--reason",
        "first host changed",
    ] {
        assert!(text.contains(needed), "{needed} is not in\n{text}");
    }
    assert!(alert.title.chars().count() <= TITLE_MAX && alert.title.starts_with("[REJECTED] c-1 web"), "{}", alert.title);
    assert!(alert.firing);
}

#[test]
fn an_accepted_change_that_nobody_was_told_of_stays_quiet() {
    let mut lab = on_trial();
    lab.conclude(1, Outcome::Accepted);
    assert!(lab.state.effects.is_empty());
}

#[test]
fn nothing_is_accepted_where_something_that_must_be_seen_was_not_whatever_the_judge_says() {
    let mut lab = on_trial();
    let lack = Lack { signal: SignalName::parse("requests").unwrap(), must_have: true, why: Missing::HostGone, hosts: vec![] };
    lab.look(1, Standing::Final(Outcome::Accepted), vec![], vec![lack]);
    assert_eq!(lab.state.changes[&ChangeId(1)].standing, Standing::Final(Outcome::Inconclusive(Gap::NoData)));
    assert_eq!(lab.mark("web", "141", FILE, "new"), Some(Mark::OnTrial(ChangeId(1))));
}

#[test]
fn a_person_may_overrule_with_a_reason_and_the_right_role() {
    let mut lab = on_trial();
    lab.conclude(1, Outcome::Rejected);
    assert!(matches!(lab.rule(Role::Operator, 1, Ruling::Accept, "fine"), Answer::Forbidden(_)));
    assert!(matches!(lab.rule(Role::Approver, 1, Ruling::Accept, "  "), Answer::Unprocessable(_)));
    assert!(matches!(lab.rule(Role::Approver, 9, Ruling::Accept, "x"), Answer::NotFound(_)));
    assert_eq!(lab.rule(Role::Approver, 1, Ruling::Accept, "measured wrongly"), Answer::Done);
    assert_eq!(lab.mark("web", "141", FILE, "new"), Some(Mark::Accepted(ChangeId(1))));
    let lines = why::change(&lab.state, ChangeId(1), lab.now).join("\n");
    assert!(lines.contains("accepted") && lines.contains("alice: measured wrongly"), "{lines}");
}

#[test]
fn after_a_rejection_more_of_the_same_harm_is_recorded_and_told_and_the_verdict_stays() {
    let harm = |hosts: &[&str]| Finding {
        check: Check::FlowStopped,
        signal: SignalName::parse("requests").ok(),
        says: Says::Harm,
        hosts: hosts.iter().map(|host| HostId::parse(host).unwrap()).collect(),
        of: 3,
        peers_alike: (0, 2),
        text: format!("requests stopped on {} hosts", hosts.len()),
        numbers: Numbers::default(),
        since: None,
    };
    let mut lab = on_trial();
    lab.look(1, Standing::Final(Outcome::Rejected), vec![harm(&["web1"])], vec![]);
    let verdict = lab.state.changes[&ChangeId(1)].verdict.clone();
    assert_eq!(watched(&lab.state, lab.now), [ChangeId(1)]);
    let effect = *lab.state.effects.keys().next().unwrap();
    lab.tell(&Input::Tried { effect, attempt: Attempt::Done });
    lab.look(1, Standing::OnTrial, vec![harm(&["web1", "web2"])], vec![]);
    lab.look(1, Standing::OnTrial, vec![], vec![]);
    let change = &lab.state.changes[&ChangeId(1)];
    assert_eq!((&change.verdict, change.standing), (&verdict, Standing::Final(Outcome::Rejected)));
    assert!(alert(&lab.state, &Subject::Change(ChangeId(1)), lab.now).unwrap().title.contains("stopped on 2 hosts"));
    assert_eq!(lab.state.effects.len(), 1);
    lab.pass(Span::from_min(120));
    assert!(watched(&lab.state, lab.now).is_empty());
}

#[test]
fn a_verdict_is_told_at_once_even_right_after_a_suspicion() {
    let mut lab = on_trial();
    lab.look(1, Standing::Suspect, vec![], vec![]);
    let effect = *lab.state.effects.keys().next().unwrap();
    lab.tell(&Input::Tried { effect, attempt: Attempt::Done });
    lab.pass(Span::from_s(1));
    lab.report(told("web2", "r142").file(FILE, "new").version("v2"));
    lab.conclude(1, Outcome::Rejected);
    assert_eq!(lab.state.effects.values().map(|effect| effect.next_try).collect::<Vec<_>>(), [lab.now]);
    let effect = *lab.state.effects.keys().next().unwrap();
    lab.tell(&Input::Tried { effect, attempt: Attempt::Done });
    lab.report(told("web3", "r142").file(FILE, "new").version("v2"));
    assert!(lab.state.effects.values().all(|effect| effect.next_try > lab.now), "more of the same is gathered");
}

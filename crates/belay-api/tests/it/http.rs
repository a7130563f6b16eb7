//! The structs of the HTTP API.

use std::collections::BTreeMap;

use belay_api::http::{
    ChangeRow, ChangeView, DoctorView, EffectRow, FactsBody, FieldError, HostRow, HostView, NoteRow, Page, Problem, QuarantineRow,
    RulingBody, RunAnswer, RunRow, RunView, StatusView, TokenBody, TokenIssued, TokenRow, VerdictView, WhyView,
};
use belay_core::model::change::ItemWords;
use belay_core::model::ids::{ChangeId, RunId};
use belay_core::model::item::ItemKey;
use belay_core::model::principal::Actor;
use belay_core::model::report::RunKind;
use belay_core::model::time::Span;
use belay_core::model::verdict::{Check, Finding, Judge, Look, Numbers, Outcome, Standing};
use belay_core::state::{Fact, State};
use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use crate::samples::{NOW, bare_change, change, look, rich_host, run, samples, verdict};

fn state() -> State {
    let mut state = State::default();
    samples().iter().for_each(|fact| state.apply(NOW, fact));
    state
}

/// What it looks like as JSON, after it was read back as the same.
fn json<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(view: &T) -> serde_json::Value {
    let text = serde_json::to_string(view).unwrap();
    assert_eq!(serde_json::from_str::<T>(&text).unwrap(), *view);
    serde_json::from_str(&text).unwrap()
}

#[test]
fn a_change_with_everything() {
    let mut change = change(17);
    let few = |look: Look| Look {
        findings: look.findings.into_iter().take(2).collect(),
        lacks: look.lacks.into_iter().take(1).collect(),
        ..look
    };
    let seen = few(look(Standing::Final(Outcome::Rejected)));
    let mut judged = verdict(Outcome::Rejected, Judge::Belay);
    (judged.findings, judged.lacks) = (seen.findings.clone(), seen.lacks.clone());
    (change.standing, change.look, change.verdict) = (seen.standing, Some(seen), Some(judged));
    change.words.insert(ItemKey::environment(), ItemWords { old: "r142".into(), new: "production".into() });
    let mut view = ChangeView::of(&state(), &change);
    view.explanation = vec!["c-17 was rejected".into(), "requests stopped".into()];
    insta::assert_json_snapshot!(json(&view));
}

#[test]
fn a_change_of_which_little_is_known() {
    insta::assert_json_snapshot!(json(&ChangeView::of(&State::default(), &bare_change(3))));
}

#[test]
fn the_main_reason_is_a_stable_code() {
    let reason = |standing: Standing, by: Option<Judge>| {
        let mut change = bare_change(1);
        change.standing = standing;
        change.look = Some(look(standing));
        change.verdict = by.map(|by| match standing {
            Standing::Final(outcome) => verdict(outcome, by),
            Standing::OnTrial | Standing::Suspect => unreachable!("a verdict is final"),
        });
        ChangeRow::of(&State::default(), &change).reason
    };
    let person = || Some(Judge::Person { actor: Actor("alice".into()), reason: "seen".into() });
    assert_eq!(reason(Standing::OnTrial, None), None);
    assert_eq!(reason(Standing::Suspect, None).as_deref(), Some("failed-resource:requests"));
    assert_eq!(reason(Standing::Final(Outcome::Rejected), Some(Judge::Belay)).as_deref(), Some("failed-resource:requests"));
    assert_eq!(reason(Standing::Final(Outcome::Accepted), Some(Judge::Belay)), None);
    assert_eq!(reason(Standing::Final(Outcome::Accepted), person()).as_deref(), Some("override"));
    let gap = Outcome::Inconclusive(belay_core::model::verdict::Gap::NoData);
    assert_eq!(reason(Standing::Final(gap), Some(Judge::Belay)).as_deref(), Some("no-data"));
}

#[test]
fn who_gave_a_verdict_is_said_by_kind_and_name() {
    let by = |judge: Judge| {
        let view = VerdictView::from(&verdict(Outcome::Accepted, judge));
        (view.judge, view.by, view.reason)
    };
    assert_eq!(by(Judge::Belay), ("belay".into(), "belay".into(), None));
    assert_eq!(by(Judge::Successor(ChangeId(18))), ("successor".into(), "c-18".into(), None));
    let person = Judge::Person { actor: Actor("alice".into()), reason: "seen".into() };
    assert_eq!(by(person), ("person".into(), "alice".into(), Some("seen".into())));
}

#[test]
fn a_number_that_is_not_finite_is_not_known() {
    let numbers = Numbers { treated: Some(f64::NAN), peers: Some(f64::INFINITY), ..Numbers::default() };
    let finding = Finding { numbers, ..look(Standing::OnTrial).findings.remove(0) };
    let view = belay_api::http::FindingView::from(&finding);
    assert_eq!((view.numbers.treated, view.numbers.peers), (None, None));
    assert_eq!(view.check, Check::FailedResource.code());
}

#[test]
fn a_run_and_a_host() {
    insta::assert_json_snapshot!("run", json(&RunView::from(&run(7, RunKind::CachedCatalog("server away".into())))));
    let state = state();
    insta::assert_json_snapshot!("host", json(&HostView::of(&state, &rich_host())));
    assert_eq!(json(&RunAnswer::new(RunId(7), true)), serde_json::json!({ "run": "run-7", "duplicate": true }));
    let row = RunRow::from(&run(7, RunKind::Unchanged));
    assert_eq!((row.kind.as_str(), row.detail, row.took_s), ("unchanged", None, 1.234));
}

#[test]
fn the_status_counts_and_names_what_matters() {
    let state = state();
    let view = StatusView::of(NOW + Span::from_s(60), &state, "0.1.0", NOW);
    let classes: Vec<(String, u32, usize)> =
        view.classes.iter().map(|class| (class.name.clone(), class.hosts, class.releases.len())).collect();
    assert_eq!(classes, [("web".to_owned(), 3, 2)]);
    assert_eq!(view.classes[0].releases.last().unwrap().release, None);
    let open: Vec<&str> = view.open_changes.iter().map(|row| row.id.as_str()).collect();
    assert_eq!((open, view.dead_letters, view.hosts, view.hosts_in_trouble), (vec!["c-19"], 1, 3, 1));
    json(&view);

    let mut rejected = state;
    rejected.apply(NOW, &Fact::Decided { change: ChangeId(19), verdict: Box::new(verdict(Outcome::Rejected, Judge::Belay)) });
    let count = |after: Span| StatusView::of(NOW + after, &rejected, "0.1.0", NOW).rejected_24h.len();
    assert_eq!((count(Span::from_s(86_400)), count(Span::from_s(86_401))), (1, 0));
}

#[test]
fn the_audit_says_who_did_what() {
    let lines: Vec<String> = samples()
        .iter()
        .enumerate()
        .filter_map(|(seq, fact)| NoteRow::of(seq as u64, NOW, fact))
        .map(|row| format!("{} {} {} {} | {}", row.kind, row.fact, row.actor, row.host.as_deref().unwrap_or("-"), row.text))
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
    let put_aside: Vec<QuarantineRow> = samples().iter().filter_map(|fact| QuarantineRow::of(1, NOW, fact, Some(17))).collect();
    assert_eq!(put_aside.len(), 2);
    assert_eq!((put_aside[0].host.as_deref(), put_aside[0].bytes), (Some("web01"), Some(17)));
}

#[test]
fn rows_of_the_outbox_and_of_credentials() {
    let state = state();
    let dead: Vec<EffectRow> = state.effects.values().map(EffectRow::from).collect();
    insta::assert_json_snapshot!("effects", json(&dead));
    let tokens: Vec<TokenRow> = state.tokens.iter().map(TokenRow::from).collect();
    insta::assert_json_snapshot!("tokens", json(&tokens));
}

#[test]
fn a_credential_stands_for_exactly_one() {
    let body = |text: &str| serde_json::from_str::<TokenBody>(text).unwrap().principal();
    let actor = |text: &str| body(text).unwrap().actor().0;
    assert_eq!(actor(r#"{"name":"alice","role":"approver"}"#), "alice");
    assert_eq!(actor(r#"{"name":"t","host":"WEB01.example.com"}"#), "host:web01.example.com");
    assert_eq!(actor(r#"{"name":"t","relay":"*.example.com"}"#), "relay:*.example.com");
    assert_eq!(actor(r#"{"name":"t","source":"p1"}"#), "source:p1");
    for (text, pointer) in [
        (r#"{"name":"","role":"admin"}"#, "/name"),
        (r#"{"name":"host:x","role":"admin"}"#, "/name"),
        (r#"{"name":"a","role":"root"}"#, "/role"),
        (r#"{"name":"a","host":"../x"}"#, "/host"),
        (r#"{"name":"a","relay":"a b"}"#, "/relay"),
        (r#"{"name":"a","source":"a:b"}"#, "/source"),
        (r#"{"name":"a"}"#, ""),
        (r#"{"name":"a","role":"admin","host":"web01"}"#, ""),
    ] {
        assert_eq!(body(text).unwrap_err()[0].pointer, pointer, "{text}");
    }
}

#[test]
fn bodies_are_checked_with_pointers() {
    let facts: FactsBody = serde_json::from_str(r#"{"release":"142","facts":{"role":"web"},"later":1}"#).unwrap();
    assert_eq!(facts.checked_release().unwrap().unwrap().as_str(), "142");
    assert_eq!(serde_json::from_str::<FactsBody>("{}").unwrap().checked_release(), Ok(None));
    let long =
        FactsBody { release: Some("a b".into()), facts: BTreeMap::from([("a/b".into(), "x".repeat(5_000)), (" ".into(), String::new())]) };
    let pointers: Vec<String> = long.checked_release().unwrap_err().into_iter().map(|error| error.pointer).collect();
    assert_eq!(pointers, ["/release", "/facts/ ", "/facts/a~1b"]);
    assert_eq!(RulingBody { reason: " seen \n".into() }.checked_reason().unwrap(), "seen");
    assert_eq!(RulingBody { reason: " ".into() }.checked_reason().unwrap_err()[0].pointer, "/reason");
}

#[test]
fn a_problem_is_problem_json() {
    let mut problem = Problem::new("not-found", 404, "No such thing", "there is no Change c-99; `belay changes` lists them");
    let bare = json(&problem);
    assert_eq!(bare["type"], "urn:belay:problem:not-found");
    assert!(bare.get("errors").is_none() && bare.get("request_id").is_none());
    problem.errors.push(FieldError::new("/reason", "missing"));
    (problem.instance, problem.request_id) = (Some("/api/v1/changes/c-99".into()), Some("r-1".into()));
    assert_eq!(json(&problem)["errors"][0]["pointer"], "/reason");
}

#[test]
fn every_view_has_a_schema_that_names_its_fields() {
    fn properties<T: utoipa::PartialSchema>() -> String {
        serde_json::to_string(&T::schema()).unwrap()
    }
    assert!(properties::<ChangeView>().contains("explanation"));
    assert!(properties::<Page<HostRow>>().contains("\"next\""));
    assert!(properties::<Problem>().contains("\"type\""));
    assert_eq!(TokenIssued::name(), "TokenIssued");
    json(&Page { items: vec![WhyView { subject: "c-17".into(), lines: vec![] }], next: Some("c-16".into()) });
    assert!(DoctorView::new(vec![]).ok);
}

//! The journal's record form.
//!
//! `journal-v1.jsonl` is what this form wrote. BELAY_BLESS=1 writes it anew, which is right only
//! until a release has written the form: from then on the file stays, and core's changes get form 2.

use belay_api::journal::{self, BadRecord, FORM};
use belay_core::model::evidence::Evidence;
use belay_core::model::signal::{Sample, Series};
use belay_core::model::time::{Span, Timestamp};
use belay_core::state::{Fact, State};
use serde_json::Value;

use crate::samples::{FLOATS, NOW, evidence, host, samples, trial};

const RECORDED: &str = include_str!("journal-v1.jsonl");

/// Every kind of fact. A new one does not compile until it is named here, and fails until it has a sample.
macro_rules! kinds {
    ($($variant:ident),* $(,)?) => {
        const KINDS: &[&str] = &[$(stringify!($variant)),*];

        fn variant(fact: &Fact) -> &'static str {
            match fact {
                $(Fact::$variant { .. } => stringify!($variant)),*
            }
        }
    };
}

kinds!(
    PolicyLoaded,
    HostEnrolled,
    FactsSet,
    RunRecorded,
    Quarantined,
    InboxDone,
    ItemsMarked,
    ChangeOpened,
    ChangeJoined,
    WaveOpened,
    Looked,
    Decided,
    UserSet,
    UserRemoved,
    SessionOpened,
    SessionSeen,
    SessionEnded,
    HoldSet,
    PinSet,
    HostTold,
    RevertSet,
    LineTold,
    WouldHaveRefused,
    StaleSet,
    ForeignSet,
    AilingSet,
    PulledSet,
    PublishedSet,
    DeployedSet,
    SpreadSet,
    ClosedSet,
    SelfChecked,
    FeedSet,
    OutpostSet,
    TableMade,
    TableInForce,
    BreakerSet,
    IncarnationBegun,
    AlertedRestored,
    EffectAsked,
    EffectTried,
    EffectDone,
    TokenIssued,
    TokenRevoked,
    Noted,
    CountersRestored,
    HostRestored,
    ChangeRestored,
);

fn at(line: usize) -> Timestamp {
    NOW + Span::from_s(i64::try_from(line).unwrap())
}

fn fold<'a>(facts: impl IntoIterator<Item = &'a Fact>) -> State {
    let mut state = State::default();
    facts.into_iter().enumerate().for_each(|(line, fact)| state.apply(at(line), fact));
    state
}

#[test]
fn every_fact_has_a_sample_and_comes_back_as_it_was() {
    let samples = samples();
    for kind in KINDS {
        assert!(samples.iter().any(|fact| variant(fact) == *kind), "{kind} has no sample");
    }
    for fact in &samples {
        let record = journal::encode(fact);
        assert_eq!((record.kind.as_str(), record.form), (fact.kind(), FORM));
        assert!(!record.body.contains('\n'), "{} is more than a line", record.body);
        let back = journal::decode(&record.kind, record.form, &record.body).unwrap_or_else(|bad| panic!("{bad}\n{}", record.body));
        assert_eq!(back, *fact, "{}", record.body);
    }
}

#[test]
fn the_recorded_journal_of_form_1_still_folds_to_the_same_state() {
    let samples = samples();
    if blessed() {
        let line = |(line, fact): (usize, &Fact)| {
            let record = journal::encode(fact);
            format!(
                "{{\"seq\":{},\"at\":{},\"kind\":\"{}\",\"form\":{},\"body\":{}}}\n",
                line + 1,
                at(line).ms(),
                record.kind,
                record.form,
                record.body
            )
        };
        return bless(&samples.iter().enumerate().map(line).collect::<String>());
    }
    let decoded: Vec<Fact> = RECORDED
        .lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            let form = u32::try_from(line["form"].as_u64().unwrap()).unwrap();
            journal::decode(line["kind"].as_str().unwrap(), form, &line["body"].to_string()).unwrap_or_else(|bad| panic!("{bad}"))
        })
        .collect();
    assert_eq!(decoded.len(), samples.len(), "run the test with BELAY_BLESS=1 and read the difference");
    for (recorded, sample) in decoded.iter().zip(&samples) {
        assert_eq!(recorded, sample);
    }
    assert_eq!(fold(&decoded).to_facts(), fold(&samples).to_facts());
}

#[expect(clippy::disallowed_methods, reason = "the recorded journal is written only when somebody asks for it")]
fn blessed() -> bool {
    std::env::var_os("BELAY_BLESS").is_some()
}

#[expect(clippy::disallowed_methods, reason = "the recorded journal is written only when somebody asks for it")]
fn bless(text: &str) {
    std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/journal-v1.jsonl"), text).unwrap();
}

#[test]
fn a_newer_form_and_an_unknown_kind_are_refused_by_name() {
    let said = |kind: &str, form: u32| journal::decode(kind, form, "{}").unwrap_err().to_string();
    assert!(
        said("looked", 3).starts_with("record form 3 of kind looked is newer than this build understands (1)"),
        "{}",
        said("looked", 3)
    );
    assert!(said("gate-asked", 9).contains("record form 9 of kind gate-asked is newer"));
    assert!(said("gate-asked", 1).starts_with("record kind gate-asked is unknown in form 1"), "{}", said("gate-asked", 1));
    assert!(said("looked", 0).contains("form 0 of kind looked is none"));
    assert!(matches!(journal::case_from_json("{\"form\":2}"), Err(BadRecord::NewerForm { form: 2, .. })));
}

#[test]
fn a_fault_names_its_place() {
    let record = journal::encode(&samples().into_iter().find(|fact| fact.kind() == "run-recorded").unwrap());
    let broken = |from: &str, to: &str| {
        assert!(record.body.contains(from), "{}", record.body);
        journal::decode(&record.kind, FORM, &record.body.replacen(from, to, 1)).unwrap_err().to_string()
    };
    for (from, to, said) in [
        ("\"id\":\"run-20\"", "\"id\":\"c-20\"", "run.id: \"c-20\" is no RunId"),
        ("\"host\":\"web01\"", "\"host\":\"../x\"", "run.host: \"../x\" is no HostId: a name may not start with '.'"),
        ("\"kind\":\"changed\"", "\"kind\":\"chnaged\"", "run.kind: this form has no word `chnaged` here; it has changed, unchanged"),
        ("\"title\":\"/etc/app/sitemonitor.conf\"", "\"title\":7", "run.events[0].item.title: expected a text, found a number"),
        ("\"took\":1234", "\"took\":1.5", "run.took: expected a whole number, found a number"),
        ("\"first\":false", "\"firs\":false", "run.first: it is not there"),
        ("\"drift\":4", "\"drift\":4,\"drfit\":5", "run.drfit: this form has no such field"),
        ("\"drift\":4", "\"drift\":4294967296", "run.drift: 4294967296 is more than 4294967295"),
        ("{\"run\":", "[\"run\":", "the body: not JSON: "),
    ] {
        let found = broken(from, to);
        assert!(found.contains(said), "{found}\n  does not say\n{said}");
    }
}

#[test]
fn a_configuration_that_no_longer_reads_is_named_with_its_line() {
    let body = r#"{"policy":"[[class]]\nnaem = \"web\"\n","actor":"alice","moved":[]}"#;
    let said = journal::decode("policy-loaded", FORM, body).unwrap_err().to_string();
    assert!(said.contains("policy: ") && said.contains("recorded configuration:2:1: error: unknown key `naem`"), "{said}");
}

#[test]
fn a_case_comes_back_as_it_was_to_the_last_bit() {
    let text = journal::case_to_json(&trial(), &evidence());
    assert!(text.starts_with("{\"form\":1,"));
    let (trial_back, evidence_back) = journal::case_from_json(&text).unwrap();
    assert_eq!((trial_back, &evidence_back), (trial(), &evidence()));
    let series = evidence_back.windows.values().next().unwrap().hosts[&host("web01")].clone();
    let bits: Vec<u64> = series.samples().iter().map(|sample| sample.value.to_bits()).collect();
    assert_eq!(bits, FLOATS.map(f64::to_bits));
    let nothing = journal::case_from_json(&journal::case_to_json(&trial(), &Evidence::default())).unwrap();
    assert_eq!(nothing, (trial(), Evidence::default()));
}

#[test]
fn a_value_that_is_not_finite_does_not_panic_and_comes_back() {
    let mut evidence = evidence();
    let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY].map(|value| Sample { at: NOW, value });
    evidence.windows.values_mut().for_each(|window| {
        window.hosts.insert(host("odd"), Series::Samples(odd.to_vec()));
    });
    let (_, back) = journal::case_from_json(&journal::case_to_json(&trial(), &evidence)).unwrap();
    let values: Vec<f64> = back.windows.values().next().unwrap().hosts[&host("odd")].samples().iter().map(|s| s.value).collect();
    assert!(values[0].is_nan() && values[1] == f64::INFINITY && values[2] == f64::NEG_INFINITY);
}

#[test]
fn whatever_is_put_in_a_place_of_a_body_nothing_panics() {
    let samples = samples();
    for kind in KINDS {
        let fact = samples.iter().find(|fact| variant(fact) == *kind).unwrap();
        let record = journal::encode(fact);
        let body: Value = serde_json::from_str(&record.body).unwrap();
        for at in 0..places(&body).min(60) {
            for junk in [
                Value::Null,
                Value::from(-1.5),
                Value::from("\u{0}"),
                Value::Array(vec![Value::Null]),
                Value::Object(serde_json::Map::new()),
            ] {
                let mut broken = body.clone();
                replace(&mut broken, &mut { at }, &junk);
                // Some junk is a value that may stand there; all of it is read or refused.
                let _ = journal::decode(&record.kind, FORM, &broken.to_string());
            }
        }
        for cut in 0..record.body.len() {
            if record.body.is_char_boundary(cut) && (cut < 200 || cut % 97 == 0) {
                assert!(journal::decode(&record.kind, FORM, &record.body[..cut]).is_err());
            }
        }
    }
}

fn places(value: &Value) -> usize {
    1 + match value {
        Value::Array(list) => list.iter().map(places).sum(),
        Value::Object(fields) => fields.values().map(places).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

fn replace(value: &mut Value, at: &mut usize, junk: &Value) -> bool {
    if *at == 0 {
        *value = junk.clone();
        return true;
    }
    *at -= 1;
    match value {
        Value::Array(list) => list.iter_mut().any(|one| replace(one, at, junk)),
        Value::Object(fields) => fields.values_mut().any(|one| replace(one, at, junk)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// A hold as it was written before it was known whom it asked to rehearse.
#[test]
fn a_hold_that_asked_nobody_is_written_as_before_and_an_old_one_reads() {
    let samples = samples();
    let placed = samples.iter().find_map(|fact| match fact {
        Fact::HoldSet { hold, actor, what } => Some((hold.clone(), actor.clone(), what.clone())),
        _ => None,
    });
    let (mut hold, actor, what) = placed.unwrap();
    assert!(journal::encode(&Fact::HoldSet { hold: hold.clone(), actor: actor.clone(), what: what.clone() }).body.contains("\"asked\":[["));
    hold.asked.0.clear();
    let plain = Fact::HoldSet { hold, actor, what };
    let record = journal::encode(&plain);
    assert!(!record.body.contains("\"asked\""), "{}", record.body);
    assert_eq!(journal::decode(&record.kind, record.form, &record.body).unwrap(), plain);
}

#[test]
fn a_case_without_cautions_is_written_as_before_and_an_old_one_reads() {
    let plain = belay_core::model::change::Trial { caution: Default::default(), ..trial() };
    let text = journal::case_to_json(&plain, &Evidence::default());
    assert!(!text.contains("caution"), "{text}");
    assert_eq!(journal::case_from_json(&text).unwrap().0, plain);
    assert!(journal::case_to_json(&trial(), &Evidence::default()).contains("\"caution\":[[\"requests\",{\"factor\":1.25,"));
}

//! Single steps that surprise: spikes of the past are no excuse for what lasts, and what surprises is not called usual.

use belay_core::model::change::Trial;
use belay_core::model::verdict::{Check, Outcome, Says, Standing};
use belay_stats::rng::Rng;

use crate::gaps::{gauge, level, looked, usual};
use crate::judging::at;

/// About 100, and about four times that for a step in eight.
fn spiky(name: &str, step: i64) -> f64 {
    let mut rng = Rng::new(11).fork((step + 1000) as u64).fork(name.bytes().map(u64::from).sum());
    let noise = 1.0 + 0.1 * rng.normal();
    noise * if rng.unit() < 0.125 { 400.0 } else { 100.0 }
}

#[test]
fn what_lasts_is_found_behind_the_spikes_of_the_past() {
    let trial = Trial { ends: at(30), ..gauge(1, 4) };
    let doubled = |name: &str, step: i64| Some(spiky(name, step).max(if name == "t0" && step >= 2 { 240.0 } else { 0.0 }));
    let look = looked(&trial, 30, doubled);
    assert_eq!(look.standing, Standing::Final(Outcome::Rejected), "{look:#?}");
    assert_eq!(level(&look).says, Says::Harm, "{look:#?}");
    let calm = looked(&trial, 30, |name, step| Some(spiky(name, step)));
    assert_eq!(level(&calm).says, Says::Fine, "{calm:#?}");
}

#[test]
fn steps_that_surprise_on_peers_as_well_are_not_called_usual() {
    let shaken = |name: &str, step: i64| {
        let quiet = usual(name, step);
        Some(if step >= 2 { quiet + 8.0 * (spiky(name, step) - 100.0).clamp(-10.0, 10.0).signum() } else { quiet })
    };
    let look = looked(&Trial { ends: at(30), ..gauge(1, 4) }, 30, shaken);
    let drift = look.findings.iter().find(|finding| finding.check == Check::Drift).expect("a word of the steps");
    assert_eq!(drift.says, Says::Fine, "{look:#?}");
    assert!(drift.text.starts_with("requests: its single steps since the change are unusual (e-value 10^"), "{}", drift.text);
    assert!(drift.text.ends_with(" of 4 peers show it too"), "{}", drift.text);
}

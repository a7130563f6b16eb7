//! Changes that came to the same hosts in the same time: which of them is named.

use belay_core::judge::judge;
use belay_core::model::ids::ChangeId;
use belay_core::model::verdict::{Gap, Look, Outcome, Standing};

use crate::judging::{HORIZON, at, evidence, host, steady, trial};

/// Harm on `harmed` of five changed hosts from step 4 on, where another Change came to `others` at these steps.
fn overlapping(harmed: &[&str], others: &[(&str, i64)], until: i64) -> Look {
    let mut trial = trial(5, 6);
    trial.overlaps.0.insert(ChangeId(2), others.iter().map(|(name, step)| (host(name), at(*step))).collect());
    judge(&trial, &evidence(&trial, until, |name, step| Some(if harmed.contains(&name) && step >= 5 { 0.0 } else { steady(name, step) })))
}

#[test]
fn of_overlapping_changes_the_one_that_fits_clearly_better_is_named() {
    let all = ["t0", "t1", "t2", "t3", "t4"];
    let own = overlapping(&all, &[("t0", -20), ("t1", -20)], 15);
    assert_eq!(own.standing, Standing::Final(Outcome::Rejected), "the other came long before, and to two of five: {own:#?}");
    assert!(own.findings[0].text.contains("c-2 to 2 of 5 of these hosts came in the same time and fits less"), "{}", own.findings[0].text);
    let late = overlapping(&all, &all.map(|name| (name, 8)), 15);
    assert_eq!(late.standing, Standing::Final(Outcome::Rejected), "what came after the harm had begun is out");
    let other = overlapping(&["t3", "t4"], &[("t3", 4), ("t4", 5)], HORIZON);
    assert_eq!(other.standing, Standing::Final(Outcome::Inconclusive(Gap::Confounded)), "exactly its hosts fail, at once");
    assert!(other.findings[0].text.contains("c-2 came to the same hosts in the same time and fits better"), "{}", other.findings[0].text);
    let unclear = overlapping(&all, &all.map(|name| (name, 2)), 15);
    assert_eq!(unclear.standing, Standing::Suspect);
    assert!(unclear.findings[0].text.contains("cannot be told apart"), "{}", unclear.findings[0].text);
}

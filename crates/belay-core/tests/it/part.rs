//! What is said of a part of the changed hosts is said of these hosts, not of the mean of all.

use belay_core::model::change::Trial;
use belay_core::model::verdict::Says;

use crate::gaps::{gauge, level, looked, usual};
use crate::judging::{at, host};

#[test]
fn one_host_that_moved_is_named_with_its_own_effect() {
    let trial = Trial { ends: at(16), accept_from: at(16), ..gauge(4, 4) };
    let moved = |name: &str, step: i64| Some(usual(name, step) + if name == "t2" && step >= 1 { 20.0 } else { 0.0 });
    let found = (4..=16).map(|until| level(&looked(&trial, until, moved)).clone()).find(|found| found.says == Says::Suspicion);
    let found = found.expect("the host is seen");
    assert_eq!(found.hosts, [host("t2")]);
    assert!(found.text.starts_with("requests on 1 of 4 changed hosts (t2): +"), "{}", found.text);
    let effect = found.numbers.effect.expect("an effect");
    assert!((15.0..25.0).contains(&effect), "its own 20, not the 5 of the mean: {effect}");
    let (p, budget) = (found.numbers.p.expect("a p-value"), found.numbers.budget.expect("a budget"));
    assert!(p <= budget, "{p} of {budget}");
}

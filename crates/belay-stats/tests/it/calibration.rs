//! How often nothing is called harm. `cargo xtask bench calibration` plays many more of the same trials.

use crate::nulls::{Null, SHORT};

#[test]
fn nothing_is_called_harm_about_as_often_as_promised() {
    let trials = 4_000;
    let false_ones = (0..trials).filter(|seed| Null::of(*seed).rejected(0.02)).count();
    let rate = false_ones as f64 / trials as f64;
    assert!(rate <= 0.03, "{false_ones} of {trials}: {rate}");
}

#[test]
fn nor_is_it_where_the_past_holds_three_stretches_as_long_as_a_trial() {
    let trials = 2_000;
    let false_ones = (0..trials).filter(|seed| Null::after(*seed, SHORT).rejected(0.02)).count();
    assert!(false_ones as f64 <= 0.03 * trials as f64, "{false_ones} of {trials}");
}

#[test]
fn every_kind_of_null_is_played() {
    let mut kinds: Vec<&str> = (0..200).map(|seed| Null::of(seed).kind()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds, ["no peers", "peers", "peers, shock to all", "peers, turnover", "peers, turnover and shock"]);
}

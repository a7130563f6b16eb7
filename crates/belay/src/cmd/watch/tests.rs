use super::*;
use crate::cmd::samples;
use crate::out::when::Zone;

#[test]
fn the_tree_shows_the_worst_hosts_first() {
    insta::assert_snapshot!(tree(&samples::view("c-2", "suspect"), &When::new(Zone::Utc), Paint::plain()));
}

#[test]
fn elsewhere_a_change_is_one_line() {
    let said = line(&samples::view("c-2", "rejected"), Paint::plain());
    assert_eq!(said, "x rejected  c-2  2/30 hosts: requests stopped on 1 of 2 changed hosts, on none of 28 peers");
}

#[test]
fn lengths_of_time_have_units() {
    let read = |text: &str| duration(text).map(|duration| duration.as_secs());
    assert_eq!((read("90s"), read("30m"), read("2h"), read("5")), (Ok(90), Ok(1800), Ok(7200), Ok(5)));
    assert!(["", "m", "1d", "-5s", "99999999999999999999s"].iter().all(|text| duration(text).is_err()));
}

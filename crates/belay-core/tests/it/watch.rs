//! A watch that goes on says the same as one that begins anew.

use belay_core::judge::{Watch, judge};
use belay_core::model::change::Trial;
use belay_core::model::signal::{Sample, Series};

use crate::judging::{HORIZON, at, evidence, steady, trial};

#[test]
fn a_watch_fed_step_by_step_says_the_same_as_one_look_over_everything() {
    let trial = trial(4, 5);
    let value = |name: &str, step: i64| Some(if name.starts_with('t') && step >= 9 { 0.0 } else { steady(name, step) });
    let mut watch = Watch::begin(&trial, &evidence(&trial, 0, value));
    for until in 1..=14 {
        let mut new = evidence(&trial, until, value);
        for window in new.windows.values_mut() {
            window.from = at(until - 1);
            for series in window.hosts.values_mut() {
                let last: Vec<Sample> = series.samples().iter().copied().filter(|sample| sample.at >= at(until - 1)).collect();
                *series = Series::Samples(last);
            }
        }
        assert_eq!(watch.look(&new), judge(&trial, &evidence(&trial, until, value)), "at step {until}");
    }
}

#[test]
fn a_watch_given_the_whole_evidence_each_time_says_the_same_as_a_new_one() {
    let trial = trial(4, 5);
    let value = |name: &str, step: i64| Some(if name == "t1" && step >= 9 { 0.0 } else { steady(name, step) });
    let mut watch = Watch::begin(&trial, &evidence(&trial, 0, value));
    for until in 1..=HORIZON {
        // A sample that was there is gone: the store is what counts.
        let whole = evidence(&trial, until, |name, step| value(name, step).filter(|_| until < 20 || step != 3));
        assert_eq!(watch.look(&whole), judge(&trial, &whole), "at step {until}");
    }
    assert!(watch.is_of(&trial) && !watch.is_of(&Trial { class_size: 99, ..trial.clone() }));
}

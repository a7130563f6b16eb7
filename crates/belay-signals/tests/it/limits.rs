//! What is not taken in, and what it says.

use crate::world::{DAY, LabelSet, NOW, labels, world};
use belay_signals::{Limits, Refused, Retry, SeriesIn, Store};

fn refused(store: &Store, source: &str, sets: &[LabelSet], t: i64) -> Refused {
    let samples = [(t, 1.0)];
    let request: Vec<SeriesIn<'_>> = sets.iter().map(|labels| SeriesIn { labels, samples: &samples }).collect();
    let before = store.stats();
    let refused = store.append(source, &request, NOW).unwrap_err();
    let after = store.stats();
    assert_eq!((after.series, after.samples, after.log_bytes), (before.series, before.samples, before.log_bytes), "all or nothing");
    assert_eq!(after.refused_total, before.refused_total + 1);
    assert_eq!(refused.retry(), Retry::Never);
    refused
}

#[test]
fn a_sample_too_far_ahead_refuses_the_request_and_names_itself() {
    let w = world(Limits::default());
    let good = labels("up", &[("host", "a")]);
    let request = [
        SeriesIn { labels: &good, samples: &[(NOW, 1.0)] },
        SeriesIn { labels: &good, samples: &[(NOW + 300_000, 1.0), (NOW + 300_001, 1.0)] },
    ];
    let error = w.store.append("test", &request, NOW).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(r#"series {{__name__="up", host="a"}}: sample at {} ms is 300001 ms ahead (at most 300000)"#, NOW + 300_001)
    );
    assert!(w.content().is_empty());
    w.put(&good, NOW + 300_000, 1.0, NOW).unwrap();
}

#[test]
fn a_series_beyond_the_cap_names_the_label_that_explodes_and_evicts_nobody() {
    let w = world(Limits { max_series: 10, max_series_per_source: 8, ..Limits::default() });
    let per_host = |n: usize| -> Vec<LabelSet> { (0..n).map(|i| labels("up", &[("host", &format!("h{i}"))])).collect() };
    for set in per_host(4) {
        w.put(&set, NOW, 1.0, NOW).unwrap();
    }
    let uuids: Vec<LabelSet> = (0..7).map(|i| labels("req", &[("host", "h0"), ("id", &format!("uuid-{i}"))])).collect();
    let error = refused(&w.store, "noisy", &uuids, NOW);
    assert!(matches!(error, Refused::TooManySeries { wanted: 11, limit: 10, ref label, values: 7 } if label == "id"), "{error}");
    let error = refused(&w.store, "test", &per_host(9)[4..], NOW);
    assert!(
        matches!(error, Refused::TooManySeriesOfSource { wanted: 9, limit: 8, ref label, values: 9, .. } if label == "host"),
        "{error}"
    );
    // Known series, and a source within its share, are not touched by the noisy one.
    assert_eq!(w.put(&per_host(1)[0], NOW + 1, 1.0, NOW).unwrap().samples, 1);
    w.store.append("other", &[SeriesIn { labels: &labels("ok", &[]), samples: &[(NOW, 1.0)] }], NOW).unwrap();
    assert_eq!(w.content().len(), 5);
}

#[test]
fn caps_hold_over_a_restart() {
    let limits = Limits { max_series_per_source: 1, ..Limits::default() };
    let w = world(limits.clone());
    w.put(&labels("a", &[]), NOW, 1.0, NOW).unwrap();
    let w = w.reopen(limits);
    refused(&w.store, "test", &[labels("b", &[])], NOW);
}

#[test]
fn labels_are_checked_before_they_are_stored() {
    let w = world(Limits { max_labels_per_series: 3, max_label_bytes: 20, ..Limits::default() });
    let own = |pairs: &[(&str, &str)]| -> LabelSet { pairs.iter().map(|&(n, v)| (n.to_owned(), v.to_owned())).collect() };
    let cases = [
        (own(&[("host", "a")]), "no __name__"),
        (own(&[("__name__", "")]), "no __name__"),
        (own(&[]), "no __name__"),
        (own(&[("__name__", "up"), ("b", "1"), ("a", "2")]), "ascending"),
        (own(&[("__name__", "up"), ("a", "1"), ("a", "2")]), "each name once"),
        (own(&[("", "x"), ("__name__", "up")]), "without a name"),
        (labels("up", &[("a", "1"), ("b", "2"), ("c", "3")]), "has 4 labels (at most 3)"),
        (labels("up", &[("a", "a value of more than 20 bytes")]), "label a has 29 bytes (at most 20)"),
    ];
    for (set, message) in cases {
        let error = refused(&w.store, "test", &[labels("fine", &[]), set], NOW).to_string();
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn a_hostile_label_does_not_make_a_long_message() {
    let w = world(Limits::default());
    let many: Vec<LabelSet> = vec![(0..10_000).map(|i| (format!("l{i:05}"), "\u{1b}[31mé".repeat(400))).collect()];
    let error = refused(&w.store, "test", &many, NOW).to_string();
    assert!(error.len() < 1_500 && !error.contains('\u{1b}'), "{error}");
}

#[test]
fn empty_labels_count_as_absent() {
    let w = world(Limits::default());
    w.put(&labels("up", &[("mode", "")]), NOW, 1.0, NOW).unwrap();
    let done = w.put(&labels("up", &[]), NOW, 1.0, NOW).unwrap();
    assert_eq!((done.duplicates, done.new_series), (1, 0));
    assert_eq!(w.content().into_keys().collect::<Vec<_>>(), ["__name__=up;"]);
}

#[test]
fn what_is_older_than_the_retention_is_counted_and_left_out() {
    let w = world(Limits { retention_ms: DAY, ..Limits::default() });
    let up = labels("up", &[]);
    let samples = [(NOW - DAY - 1, 1.0), (NOW - DAY, 2.0), (NOW, 3.0), (i64::MIN, 4.0)];
    let done = w.store.append("test", &[SeriesIn { labels: &up, samples: &samples }], NOW).unwrap();
    assert_eq!((done.samples, done.too_old), (2, 2));
    let only_old = w.put(&labels("old", &[]), 0, 1.0, NOW).unwrap();
    assert_eq!((only_old.samples, only_old.too_old, only_old.new_series), (0, 1, 0));
    assert_eq!(w.store.stats().total.too_old, 3);
    assert_eq!(w.content(), w.after_death(Limits::default()).content());
}

#[test]
fn the_same_new_series_twice_in_one_request_is_one() {
    let w = world(Limits::default());
    let up = labels("up", &[]);
    let request = [SeriesIn { labels: &up, samples: &[(NOW, 1.0)] }, SeriesIn { labels: &up, samples: &[(NOW, 2.0), (NOW - 1, 0.0)] }];
    let done = w.store.append("test", &request, NOW).unwrap();
    assert_eq!((done.new_series, done.samples, done.conflicts, done.out_of_order), (1, 2, 1, 1));
    assert_eq!(w.content(), w.after_death(Limits::default()).content());
}

#[test]
fn an_empty_request_is_fine_and_writes_nothing() {
    let w = world(Limits::default());
    w.store.append("test", &[], NOW).unwrap();
    w.store.append("test", &[SeriesIn { labels: &labels("up", &[]), samples: &[] }], NOW).unwrap();
    assert_eq!((w.store.stats().segments, w.store.stats().series), (0, 0));
}

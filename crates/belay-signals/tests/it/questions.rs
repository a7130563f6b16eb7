//! What is answered: select, names and values, when something was last seen; also while a writer is at work.

use crate::world::{NOW, World, labels, names, world};
use belay_signals::{Limits, Matcher, Op, STALE, SelectError, SeriesIn};
use std::sync::atomic::{AtomicBool, Ordering};

fn fleet() -> World {
    let w = world(Limits::default());
    for (i, host) in ["a", "b"].into_iter().enumerate() {
        let t = NOW + i as i64 * 1_000;
        w.put(&labels("up", &[("host", host)]), t, 1.0, NOW).unwrap();
        w.put(&labels("load", &[("host", host), ("cpu", "0")]), t + 10, 0.5, NOW).unwrap();
    }
    w
}

#[test]
fn both_ends_of_the_time_are_included() {
    let w = world(Limits::default());
    let up = labels("up", &[]);
    for t in 0..5 {
        w.put(&up, NOW + t, t as f64, NOW).unwrap();
    }
    let found = w.store.select(&[Matcher::eq("__name__", "up")], NOW + 1, NOW + 3).unwrap();
    assert_eq!(found[0].samples, [(NOW + 1, 1.0), (NOW + 2, 2.0), (NOW + 3, 3.0)]);
    assert!(w.store.select(&[], NOW + 5, NOW + 9).unwrap().is_empty(), "no sample in that time, no series");
    assert!(w.store.select(&[], NOW + 3, NOW + 1).unwrap().is_empty());
}

#[test]
fn answers_come_in_the_order_of_their_labels_also_after_a_restart() {
    let w = fleet();
    let expected = ["__name__=load;cpu=0;host=a;", "__name__=load;cpu=0;host=b;", "__name__=up;host=a;", "__name__=up;host=b;"];
    assert_eq!(names(&w.store, &[]), expected);
    assert_eq!(names(&w.reopen(Limits::default()).store, &[]), expected);
}

#[test]
fn names_values_and_series_of_what_matches() {
    let w = fleet();
    let (from, to) = (i64::MIN, i64::MAX);
    assert_eq!(w.store.label_names(&[], from, to).unwrap(), ["__name__", "cpu", "host"].map(Into::into));
    assert_eq!(w.store.label_names(&[Matcher::eq("__name__", "up")], from, to).unwrap(), ["__name__", "host"].map(Into::into));
    assert_eq!(w.store.label_values("host", &[], from, to).unwrap(), ["a", "b"].map(Into::into));
    assert_eq!(w.store.label_values("host", &[], NOW + 500, to).unwrap(), ["b"].map(Into::into));
    assert_eq!(w.store.label_values("nothing", &[], from, to).unwrap(), []);
    assert_eq!(w.store.series(&[Matcher::new("host", Op::Nre, "a|x")], from, to).unwrap().len(), 2);
}

#[test]
fn last_seen_tells_a_host_that_is_gone_from_a_series_that_is_gone() {
    let w = fleet();
    w.put(&labels("load", &[("host", "a"), ("cpu", "0")]), NOW + 5_000, f64::from_bits(STALE), NOW).unwrap();
    assert_eq!(w.store.last_seen("host", "a"), Some(NOW + 10), "a staleness marker is no sign of life");
    w.put(&labels("up", &[("host", "a")]), NOW + 9_000, f64::NAN, NOW).unwrap();
    assert_eq!(w.store.last_seen("host", "a"), Some(NOW + 9_000), "a NaN is: somebody sent it");
    assert_eq!((w.store.last_seen("host", "c"), w.store.last_seen("nothing", "a")), (None, None));
    let w = w.reopen(Limits::default());
    assert_eq!(w.store.last_seen("host", "a"), Some(NOW + 9_000));
    w.store.drop_before(NOW + 2_000).unwrap();
    assert_eq!((w.store.last_seen("host", "a"), w.store.last_seen("host", "b")), (Some(NOW + 9_000), None));
}

#[test]
fn an_answer_that_would_be_too_large_is_refused() {
    let w = world(Limits { max_select_samples: 3, max_select_series: 2, ..Limits::default() });
    for (name, samples) in [("a", 3), ("b", 1), ("c", 1)] {
        for t in 0..samples {
            w.put(&labels(name, &[]), NOW + t, 1.0, NOW).unwrap();
        }
    }
    assert_eq!(w.store.select(&[Matcher::eq("__name__", "a")], 0, i64::MAX).unwrap()[0].samples.len(), 3);
    let two = w.store.select(&[Matcher::new("__name__", Op::Re, "a|b")], 0, i64::MAX);
    assert!(matches!(two, Err(SelectError::TooManySamples { limit: 3 })), "{two:?}");
    assert!(matches!(w.store.select(&[], 0, i64::MAX), Err(SelectError::TooManySeries { found: 3, limit: 2 })));
    assert!(matches!(w.store.select(&[Matcher::new("x", Op::Re, "(")], 0, 1), Err(SelectError::BadPattern { .. })));
}

#[test]
fn readers_see_whole_appends_while_the_writer_goes_on() {
    let w = world(Limits { segment_bytes: 20_000, ..Limits::default() });
    let sets: Vec<_> = (0..20).map(|i| labels("m", &[("i", &format!("{i:02}"))])).collect();
    let done = AtomicBool::new(false);
    let (store, sets, done) = (&w.store, &sets, &done);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(move || {
                    let mut seen = 0;
                    loop {
                        let last_round = done.load(Ordering::Acquire);
                        let found = store.select(&[Matcher::eq("__name__", "m")], i64::MIN, i64::MAX).unwrap();
                        let lengths: Vec<usize> = found.iter().map(|s| s.samples.len()).collect();
                        assert!(lengths.is_empty() || lengths == vec![lengths[0]; 20], "half an append: {lengths:?}");
                        let now = lengths.first().copied().unwrap_or(0);
                        assert!(now >= seen, "what was seen stays seen");
                        seen = now;
                        if last_round {
                            return seen;
                        }
                    }
                })
            })
            .collect();
        for t in 0..400 {
            let samples = [(NOW + t, t as f64)];
            let request: Vec<SeriesIn<'_>> = sets.iter().map(|labels| SeriesIn { labels, samples: &samples }).collect();
            store.append("test", &request, NOW).unwrap();
            if t % 50 == 0 {
                store.sync().unwrap();
                store.compact().unwrap();
            }
        }
        done.store(true, Ordering::Release);
        for reader in readers {
            assert_eq!(reader.join().unwrap(), 400);
        }
    });
    assert_eq!(w.content(), w.after_death(Limits::default()).content());
}

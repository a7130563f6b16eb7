//! What is old goes: from answers at once, from memory by chunks, from the disk by segments.

use crate::world::{DAY, NOW, files, labels, names, world};
use belay_signals::Limits;

#[test]
fn a_raised_floor_hides_and_frees_and_survives_a_restart() {
    let w = world(Limits::default());
    for day in 0..5 {
        w.put(&labels("daily", &[]), NOW + day * DAY, 1.0, NOW + day * DAY).unwrap();
        w.put(&labels("once", &[("day", &day.to_string())]), NOW + day * DAY, 1.0, NOW + day * DAY).unwrap();
    }
    assert_eq!(w.store.stats().segments, 5);
    w.store.drop_before(NOW + 2 * DAY).unwrap();
    let stats = w.store.stats();
    assert_eq!((stats.segments, files(w.dir.path()).len(), stats.floor_ms), (3, 3, Some(NOW + 2 * DAY)));
    let kept = w.content();
    assert_eq!(kept["__name__=daily;"].len(), 3);
    assert_eq!(kept.len(), 4, "series without samples go");
    assert_eq!(stats.series, 4);
    let again = w.after_death(Limits::default());
    assert_eq!(again.content(), kept);
    assert_eq!(again.store.stats().floor_ms, Some(NOW + 2 * DAY));
    w.store.drop_before(NOW).unwrap();
    assert_eq!(w.content(), kept, "a floor never sinks");
}

#[test]
fn old_samples_in_a_young_segment_are_hidden_too() {
    let w = world(Limits::default());
    let late = labels("late", &[]);
    w.put(&late, NOW - 5 * DAY, 1.0, NOW).unwrap();
    w.put(&late, NOW, 2.0, NOW).unwrap();
    w.store.drop_before(NOW - DAY).unwrap();
    w.put(&labels("next", &[]), NOW + DAY, 1.0, NOW + DAY).unwrap();
    for world in [w.after_death(Limits::default()), w] {
        assert_eq!(world.content()["__name__=late;"].len(), 1);
        let done = world.put(&late, NOW - 2 * DAY, 3.0, NOW + DAY).unwrap();
        assert_eq!((done.samples, done.too_old), (0, 1), "nothing comes in below the floor");
        // Compaction writes the floor into the new file, and leaves out what is below.
        while world.store.compact().unwrap().is_some() {}
        assert_eq!(world.after_death(Limits::default()).content(), world.content());
    }
}

#[test]
fn series_that_come_back_after_retention_are_the_same_to_a_reader() {
    let w = world(Limits::default());
    let (host, other) = (labels("up", &[("host", "a")]), labels("up", &[("host", "b")]));
    w.put(&host, NOW, 1.0, NOW).unwrap();
    w.put(&other, NOW + 10, 1.0, NOW).unwrap();
    w.store.drop_before(NOW + 5).unwrap();
    assert_eq!(names(&w.store, &[]), ["__name__=up;host=b;"]);
    w.put(&host, NOW + 20, 2.0, NOW).unwrap();
    assert_eq!(names(&w.store, &[]), ["__name__=up;host=a;", "__name__=up;host=b;"]);
    let again = w.after_death(Limits::default());
    assert_eq!(again.content(), w.content());
    again.put(&host, NOW + 30, 3.0, NOW).unwrap();
    assert_eq!(again.after_death(Limits::default()).content(), again.content());
}

#[test]
fn an_empty_store_takes_a_floor() {
    let w = world(Limits::default());
    w.store.drop_before(NOW).unwrap();
    assert_eq!(w.store.stats().segments, 0);
    assert_eq!(w.put(&labels("up", &[]), NOW - 1, 1.0, NOW).unwrap().too_old, 1);
}

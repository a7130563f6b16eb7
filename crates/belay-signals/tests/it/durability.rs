//! What is acknowledged is there after any death; what is damaged is noticed; nothing is invented.

use crate::world::{Content, DAY, LabelSet, NOW, World, files, labels, world};
use belay_signals::{Limits, Refused, Retry, STALE, SeriesIn, Store, StoreError};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Small segments, so that a few appends make several.
fn small() -> Limits {
    Limits { segment_bytes: 700, ..Limits::default() }
}

fn series_labels(n: u8) -> LabelSet {
    labels(["up", "requests_total", "load"][usize::from(n % 3)], &[("host", &format!("h{}", n / 3))])
}

fn key(n: u8) -> String {
    series_labels(n).iter().map(|(name, value)| format!("{name}={value};")).collect()
}

/// One step of a history. Times are small numbers after `NOW`, so that samples meet.
#[derive(Debug, Clone)]
enum Step {
    /// Series, offset, value.
    Append(Vec<(u8, i64, u8)>),
    Reopen,
    Compact,
    NextDay,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => prop::collection::vec((0u8..12, 0i64..200, any::<u8>()), 1..30).prop_map(Step::Append),
        1 => Just(Step::Reopen),
        1 => Just(Step::Compact),
        1 => Just(Step::NextDay),
    ]
}

/// Integers, decimals, full entropy, markers and other NaN.
fn value(seed: u8) -> f64 {
    match seed % 8 {
        0..3 => f64::from(seed),
        3..5 => f64::from(seed) / 100.0,
        5 => f64::from_bits(STALE),
        6 => f64::from_bits(0x7ff8_0000_0000_0000 | u64::from(seed)),
        _ => (f64::from(seed) + 0.1).sqrt(),
    }
}

struct History {
    world: World,
    model: Content,
    /// Per append: the newest file, its length afterwards, and the model afterwards.
    acknowledged: Vec<(PathBuf, u64, Content)>,
    /// Every value ever written.
    ever: BTreeSet<(String, i64, u64)>,
}

fn run(steps: &[Step]) -> History {
    let mut h = History { world: world(small()), model: Content::new(), acknowledged: Vec::new(), ever: BTreeSet::new() };
    let mut now = NOW;
    for step in steps {
        match step {
            Step::Append(samples) => append(&mut h, samples, now),
            Step::Reopen => {
                h.world = h.world.reopen(small());
                assert!(h.world.recovered.is_whole() && h.world.recovered.torn_bytes == 0, "{:?}", h.world.recovered);
                assert_eq!(h.world.content(), h.model);
            }
            Step::Compact => while h.world.store.compact().unwrap().is_some() {},
            Step::NextDay => now += DAY,
        }
    }
    h
}

fn append(h: &mut History, samples: &[(u8, i64, u8)], now: i64) {
    let mut by_series: BTreeMap<u8, Vec<(i64, f64)>> = BTreeMap::new();
    for &(series, offset, seed) in samples {
        by_series.entry(series).or_default().push((NOW + offset * 1_000, value(seed)));
    }
    let label_sets: Vec<LabelSet> = by_series.keys().map(|&n| series_labels(n)).collect();
    let request: Vec<SeriesIn<'_>> =
        label_sets.iter().zip(by_series.values()).map(|(labels, samples)| SeriesIn { labels, samples }).collect();
    let before: usize = h.model.values().map(BTreeMap::len).sum();
    let done = h.world.store.append("test", &request, now).unwrap();
    for (&n, samples) in &by_series {
        for &(t, v) in samples {
            h.model.entry(key(n)).or_default().insert(t, v.to_bits());
            h.ever.insert((key(n), t, v.to_bits()));
        }
    }
    let after: usize = h.model.values().map(BTreeMap::len).sum();
    assert_eq!(done.samples as usize, after - before);
    assert_eq!(done.samples + done.duplicates + done.conflicts, samples.len() as u64);
    let newest = files(h.world.dir.path()).pop().unwrap();
    let length = std::fs::metadata(&newest).unwrap().len();
    h.acknowledged.push((newest, length, h.model.clone()));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_history_reads_back_like_the_model(steps in prop::collection::vec(step(), 1..25)) {
        let h = run(&steps);
        prop_assert_eq!(h.world.content(), h.model.clone());
        let again = h.world.after_death(small());
        prop_assert!(again.recovered.is_whole(), "{:?}", again.recovered);
        prop_assert_eq!(again.content(), h.model);
    }

    #[test]
    fn death_at_any_byte_keeps_every_whole_append_and_invents_nothing(
        steps in prop::collection::vec(step(), 1..20), cut in any::<prop::sample::Index>(),
    ) {
        let h = run(&steps);
        let Some(newest) = files(h.world.dir.path()).pop() else { return Ok(()) };
        let bytes = std::fs::read(&newest).unwrap();
        let cut = cut.index(bytes.len() + 1);
        // The last append whose frame is whole after the cut; those in older files always are.
        let expected = h.acknowledged.iter().rev().find(|(file, length, _)| *file != newest || *length <= cut as u64);
        let expected = expected.map(|(_, _, content)| content.clone()).unwrap_or_default();
        std::fs::write(&newest, &bytes[..cut]).unwrap();
        let found = h.world.after_death(small());
        prop_assert!(found.recovered.is_whole(), "{:?}", found.recovered);
        prop_assert_eq!(found.content(), expected);
        // And it goes on from there.
        found.put(&series_labels(0), NOW + 999_000, 1.0, NOW + 5 * DAY).unwrap();
        let again = found.after_death(small());
        prop_assert!(again.recovered.is_whole() && again.recovered.torn_bytes == 0);
        prop_assert_eq!(again.content(), found.content());
    }

    #[test]
    fn a_flipped_bit_is_noticed_and_never_served(
        steps in prop::collection::vec(step(), 4..20), file in any::<prop::sample::Index>(), bit in any::<prop::sample::Index>(),
    ) {
        let h = run(&steps);
        let files = files(h.world.dir.path());
        prop_assume!(!files.is_empty());
        let path = &files[file.index(files.len())];
        let mut bytes = std::fs::read(path).unwrap();
        let bit = bit.index(bytes.len() * 8);
        // A flipped format number is another story: it may say "newer", which is refused.
        prop_assume!(!(64..80).contains(&bit));
        bytes[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(path, &bytes).unwrap();
        let found = h.world.after_death(small());
        prop_assert!(!found.recovered.is_whole() || found.recovered.torn_bytes > 0, "{:?}", found.recovered);
        for (series, samples) in found.content() {
            for (t, v) in samples {
                prop_assert!(h.ever.contains(&(series.clone(), t, v)), "{} {} {:x} was never written", series, t, v);
            }
        }
        found.put(&series_labels(0), NOW + 999_000, 1.0, NOW + 5 * DAY).unwrap();
        prop_assert_eq!(found.after_death(small()).content(), found.content());
    }
}

#[test]
fn staleness_markers_and_other_nan_keep_their_bits() {
    let w = world(Limits::default());
    let bits = [STALE, f64::NAN.to_bits(), 0xfff8_dead_0000_0001, f64::INFINITY.to_bits(), (-0.0f64).to_bits(), 1f64.to_bits()];
    let samples: Vec<(i64, f64)> = bits.iter().enumerate().map(|(i, &b)| (NOW + i as i64, f64::from_bits(b))).collect();
    let up = labels("up", &[]);
    let done = w.store.append("test", &[SeriesIn { labels: &up, samples: &samples }], NOW).unwrap();
    assert_eq!((done.stale_markers, done.not_finite), (1, 3));
    for world in [w.after_death(Limits::default()), w] {
        let read: Vec<u64> = world.content().remove("__name__=up;").unwrap().into_values().collect();
        assert_eq!(read, bits);
    }
}

#[test]
fn two_stores_never_share_a_directory() {
    let w = world(Limits::default());
    let second = Store::open(w.dir.path(), Limits::default());
    assert!(matches!(second, Err(StoreError::InUse(ref dir)) if dir == w.dir.path()));
    let again = w.reopen(Limits::default());
    again.put(&labels("up", &[]), NOW, 1.0, NOW).unwrap();
}

fn snapshot(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    files(dir).into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

#[test]
fn a_newer_format_is_refused_by_name_and_nothing_is_touched() {
    let w = world(Limits::default());
    w.put(&labels("up", &[]), NOW, 1.0, NOW).unwrap();
    w.put(&labels("up", &[]), NOW, 2.0, NOW + DAY).unwrap();
    let World { dir, store, .. } = w;
    drop(store);
    let newest = files(dir.path()).pop().unwrap();
    let mut bytes = std::fs::read(&newest).unwrap();
    bytes[8] = 3;
    std::fs::write(&newest, bytes).unwrap();
    std::fs::write(dir.path().join("segment-0000000001.log.tmp"), "left by a compaction").unwrap();
    let before = snapshot(dir.path());
    let error = Store::open(dir.path(), Limits::default()).unwrap_err();
    assert!(error.to_string().ends_with("format 3 is newer than this build understands (0)"), "{error}");
    assert_eq!(snapshot(dir.path()), before);
}

#[test]
fn damage_in_the_middle_costs_one_frame_and_is_named() {
    let w = world(Limits::default());
    for i in 0..5 {
        w.put(&labels(&format!("m{i}"), &[]), NOW, 1.0, NOW).unwrap();
    }
    let path = files(w.dir.path()).pop().unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let found = w.after_death(Limits::default());
    assert_eq!(found.content().len(), 4);
    assert_eq!(found.recovered.damage.len(), 1);
    let damage = &found.recovered.damage[0];
    assert!(damage.file == "segment-0000000001.log" && damage.offset <= at as u64 && at as u64 <= damage.offset + damage.bytes);
    // A damaged segment is neither continued nor rewritten.
    found.put(&labels("new", &[]), NOW, 1.0, NOW).unwrap();
    assert_eq!(found.store.stats().segments, 2);
    assert_eq!(found.store.compact().unwrap(), None);
    let again = found.after_death(Limits::default());
    assert_eq!((again.content().len(), again.recovered.damage.len()), (5, 1));
}

#[test]
fn a_directory_that_is_gone_refuses_and_shows_nothing() {
    let w = world(Limits::default());
    std::fs::remove_dir_all(w.dir.path()).unwrap();
    let refused = w.put(&labels("up", &[]), NOW, 1.0, NOW).unwrap_err();
    assert!(matches!(refused, Refused::NotWritten(StoreError::Io { .. })) && refused.retry() == Retry::Later, "{refused}");
    assert!(w.content().is_empty());
    assert_eq!((w.store.stats().failed_total, w.store.stats().series), (1, 0));
    std::fs::create_dir(w.dir.path()).unwrap();
    w.put(&labels("up", &[]), NOW, 1.0, NOW).unwrap();
    assert_eq!(w.content().len(), 1, "works again once the cause is gone");
}

#[test]
fn compaction_keeps_every_sample_in_fewer_bytes_and_survives_its_own_death() {
    let w = world(Limits::default());
    let sets: Vec<LabelSet> = (0..50).map(|i| labels("load", &[("host", &format!("h{i}"))])).collect();
    for t in 0..200 {
        let samples: Vec<[(i64, f64); 1]> = (0..50).map(|i| [(NOW + t * 15_000, (i + t * t % 7) as f64 / 10.0)]).collect();
        let request: Vec<SeriesIn<'_>> = sets.iter().zip(&samples).map(|(labels, samples)| SeriesIn { labels, samples }).collect();
        w.store.append("test", &request, NOW + t * 15_000).unwrap();
    }
    assert_eq!(w.store.compact().unwrap(), None, "the open segment is not compacted");
    w.put(&sets[0], NOW + 1, f64::from_bits(STALE), NOW + DAY).unwrap();
    let before = w.content();
    let compacted = w.store.compact().unwrap().unwrap();
    assert!(compacted.after * 2 < compacted.before, "{compacted:?}");
    assert!(w.store.stats().log_bytes < compacted.after + 500);
    assert_eq!(w.store.compact().unwrap(), None);
    assert_eq!(w.content(), before);
    // A death during the next compaction leaves half a file beside the whole one.
    let leftover = w.dir.path().join("segment-0000000001.log.tmp");
    std::fs::write(&leftover, "half").unwrap();
    let again = w.after_death(Limits::default());
    assert!(again.recovered.is_whole() && again.recovered.samples == 10_001);
    assert_eq!(again.content(), before);
    assert_eq!(files(again.dir.path()).len(), 2);
}

/// Where the child of [`a_killed_process_loses_nothing_it_acknowledged`] works; without it the "test" below does nothing.
const CHILD_DIR: &str = "BELAY_SIGNALS_TEST_CHILD_DIR";

#[test]
fn child_appends_until_it_is_killed() {
    let Some(dir) = std::env::var_os(CHILD_DIR) else { return };
    let (store, recovered) = Store::open(Path::new(&dir), small()).unwrap();
    let up = labels("up", &[]);
    for t in recovered.samples as i64.. {
        store.append("child", &[SeriesIn { labels: &up, samples: &[(NOW + t, t as f64)] }], NOW + t).unwrap();
        println!("\nacknowledged {t}");
    }
}

#[test]
fn a_killed_process_loses_nothing_it_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = 0;
    for round in 1..=8u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "durability::child_appends_until_it_is_killed", "--nocapture"])
            .env(CHILD_DIR, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        // Killed while it writes, somewhere after so many; what it still said is acknowledged too.
        let mut acks = lines.by_ref().filter_map(|line| line.strip_prefix("acknowledged ").map(|t| t.parse::<i64>().unwrap()));
        acknowledged = acks.nth(100 * round as usize).unwrap().max(acknowledged);
        child.kill().unwrap();
        acknowledged = acks.last().unwrap_or(acknowledged).max(acknowledged);
        child.wait().unwrap();
        let (store, recovered) = Store::open(dir.path(), small()).unwrap();
        assert!(recovered.is_whole(), "{recovered:?}");
        let times: Vec<i64> = store.select(&[], 0, i64::MAX).unwrap()[0].samples.iter().map(|&(t, _)| t - NOW).collect();
        assert!(times.len() as i64 > acknowledged, "{} of {acknowledged}", times.len());
        assert_eq!(times, (0..times.len() as i64).collect::<Vec<_>>());
    }
    assert!(acknowledged > 3_000);
}

#[test]
fn a_sync_writes_through_and_can_be_repeated() {
    let w = world(small());
    w.store.sync().unwrap();
    for i in 0..20 {
        w.put(&labels("m", &[("i", &i.to_string())]), NOW, 1.0, NOW).unwrap();
    }
    assert!(w.store.stats().segments > 1);
    w.store.sync().unwrap();
    w.store.sync().unwrap();
}

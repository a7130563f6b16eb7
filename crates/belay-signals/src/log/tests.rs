use super::*;
use crate::codec::Hint;
use crate::head::Head;
use crate::replay;

const NOW: i64 = 1_790_000_000_000;

/// A store directory, and what a log does in it: drafts with one sample each.
struct World {
    dir: tempfile::TempDir,
    log: Log,
}

fn world() -> World {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::new(dir.path(), 1 << 20, Vec::new(), None, 0);
    World { dir, log }
}

impl World {
    fn append(&mut self, now: i64, t: i64) -> Result<(), StoreError> {
        let active = self.log.open_segment(now, None)?;
        let mut draft = Draft::new(active.header.number, active.next, t);
        let number = draft.define("s", &[("__name__", "m")], &Head::default());
        draft.row(number, [(t, 1.0)].into_iter(), Hint::default());
        self.log.write(&draft)
    }

    /// The samples that a start would find.
    fn times(&self) -> Vec<i64> {
        let copy = tempfile::tempdir().unwrap();
        for entry in fs::read_dir(self.dir.path()).unwrap().map(Result::unwrap) {
            fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
        }
        let (head, _, recovered) = replay::open(copy.path(), 1 << 20).unwrap();
        assert!(recovered.is_whole(), "{recovered:?}");
        let mut samples = Vec::new();
        head.iter().for_each(|(_, series)| series.read(i64::MIN, i64::MAX, &mut samples));
        samples.into_iter().map(|(t, _)| t).collect()
    }

    fn active(&mut self) -> &mut Active {
        self.log.active.as_mut().unwrap()
    }

    fn files(&self) -> usize {
        fs::read_dir(self.dir.path()).unwrap().count()
    }
}

/// A file that every write to fails for lack of space, and that cannot be cut either.
fn full() -> File {
    OpenOptions::new().write(true).open("/dev/full").unwrap()
}

#[test]
fn a_full_disk_refuses_and_goes_on_by_itself_once_there_is_room() {
    let mut world = world();
    world.append(NOW, 1).unwrap();
    let good = std::mem::replace(&mut world.active().file, full());
    let error = world.append(NOW, 2).unwrap_err();
    assert!(matches!(error, StoreError::Io { ref source, .. } if source.kind() == io::ErrorKind::StorageFull), "{error}");
    assert!(world.active().ragged);
    assert!(world.append(NOW, 3).is_err(), "nothing is written behind bytes that could not be cut off");
    // What the failed writes left, and room again.
    good.write_all_at(b"half of a frame", world.active().bytes).unwrap();
    world.active().file = good;
    world.append(NOW, 4).unwrap();
    assert_eq!(world.times(), [1, 4]);
}

#[test]
fn a_torn_write_is_not_carried_into_the_next_segment() {
    let mut world = world();
    world.append(NOW, 1).unwrap();
    let bytes = world.active().bytes;
    world.active().file.write_all_at(b"half of a frame", bytes).unwrap();
    world.active().ragged = true;
    world.append(NOW + DAY_MS, 2).unwrap();
    assert_eq!(world.times(), [1, 2]);
}

#[test]
fn a_segment_ends_with_its_day_or_its_size_but_not_with_a_clock_that_goes_back() {
    let mut world = world();
    world.append(NOW, 1).unwrap();
    world.append(NOW - 3 * DAY_MS, 2).unwrap();
    assert_eq!(world.log.segments(), 1);
    world.append(NOW + DAY_MS, 3).unwrap();
    assert_eq!(world.log.segments(), 2);
    world.log.segment_bytes = 1;
    world.append(NOW + DAY_MS, 4).unwrap();
    assert_eq!(world.log.segments(), 3);
    assert_eq!(world.times(), [1, 2, 3, 4]);
}

#[test]
fn retention_removes_whole_segments_and_unreadable_ones_with_the_next() {
    let mut world = world();
    for day in 0..4 {
        world.append(NOW + day * DAY_MS, 100 * (day + 1)).unwrap();
    }
    world.log.closed[0].newest = None;
    world.log.drop_before(150).unwrap();
    assert_eq!((world.log.segments(), world.files()), (4, 4), "nothing after the unreadable one is old yet");
    world.log.drop_before(201).unwrap();
    assert_eq!((world.log.segments(), world.files()), (2, 2));
    world.log.drop_before(i64::MAX).unwrap();
    assert_eq!(world.log.segments(), 1, "the open segment stays");
}

#[test]
fn after_a_failed_sync_nothing_is_acknowledged() {
    let mut world = world();
    world.append(NOW, 1).unwrap();
    world.log.take_unsynced().unwrap().sync().unwrap();
    assert!(!world.active().dirty);
    world.log.sync_failed();
    assert!(matches!(world.append(NOW, 2), Err(StoreError::Broken)));
    assert!(matches!(world.log.take_unsynced(), Err(StoreError::Broken)));
}

#[test]
fn a_compacted_file_that_is_no_smaller_or_comes_too_late_is_thrown_away() {
    let mut world = world();
    world.append(NOW, 1).unwrap();
    world.append(NOW + DAY_MS, 2).unwrap();
    let new = world.dir.path().join("segment-0000000001.log.tmp");
    for (number, bytes) in [(1, u64::MAX), (77, 1)] {
        fs::write(&new, "x").unwrap();
        assert!(!world.log.replace(number, &new, bytes).unwrap());
        assert!(!new.exists());
    }
    assert!(world.log.closed[0].settled);
    assert_eq!(world.times(), [1, 2]);
}

#[test]
fn names_of_segments_are_told_from_others() {
    assert_eq!(segment_number("segment-0000000012.log"), Some(12));
    for other in ["segment-12.log.tmp", "segment-x.log", "LOCK", "segment-.log"] {
        assert_eq!(segment_number(other), None, "{other}");
    }
    assert_eq!(segment_path(Path::new("d"), 12), Path::new("d/segment-0000000012.log"));
}

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn series() -> Series {
    Series::new(Box::new([]), 0)
}

fn all(series: &Series) -> Vec<(i64, u64)> {
    let mut out = Vec::new();
    series.read(i64::MIN, i64::MAX, &mut out);
    out.into_iter().map(|(t, v)| (t, v.to_bits())).collect()
}

#[test]
fn the_last_write_wins_and_is_counted() {
    let mut s = series();
    let mut tally = Tally::default();
    s.insert([(10, 1.0), (20, 2.0), (10, 1.0), (10, 9.0), (15, 5.0), (20, 2.0)], &mut tally);
    assert_eq!(tally, Tally { stored: 3, duplicates: 2, conflicts: 1, out_of_order: 1 });
    assert_eq!(all(&s), [(10, 9f64.to_bits()), (15, 5f64.to_bits()), (20, 2f64.to_bits())]);
}

#[test]
fn a_marker_that_replaces_the_newest_value_takes_it_back() {
    let mut s = series();
    let stale = f64::from_bits(STALE);
    s.insert([(10, 1.0), (20, 2.0), (30, stale)], &mut Tally::default());
    assert_eq!(s.last_present, Some(20), "a marker is no sign of life");
    s.insert([(20, stale)], &mut Tally::default());
    assert_eq!(s.last_present, Some(10));
    s.insert([(10, stale)], &mut Tally::default());
    assert_eq!(s.last_present, None);
}

#[test]
fn a_late_backlog_is_split_into_chunks_again() {
    let mut s = series();
    s.insert((10_000..10_200).map(|t| (t, 1.0)), &mut Tally::default());
    for t in (0..5_000).rev() {
        s.insert([(t, t as f64)], &mut Tally::default());
    }
    assert_eq!(all(&s).len(), 5_200);
    assert!(s.sealed.iter().all(|c| c.count <= 2 * CHUNK));
    assert!(s.sealed.windows(2).all(|pair| pair[0].end < pair[1].start));
}

#[test]
fn retention_forgets_whole_chunks_only() {
    let mut s = series();
    s.insert((0..300).map(|t| (t, 1.0)), &mut Tally::default());
    assert_eq!(s.drop_before(119), 0);
    assert_eq!(s.drop_before(121), 120);
    assert_eq!(all(&s).len(), 180);
    assert_eq!(s.drop_before(1_000), 180);
    assert!(s.is_empty());
    s.insert([(5, 1.0)], &mut Tally::default());
    assert_eq!(all(&s).len(), 1, "an emptied series takes samples again");
}

proptest! {
    #[test]
    fn any_order_gives_the_map_a_model_gives(
        batches in prop::collection::vec(prop::collection::vec((0i64..400, 0u8..3), 1..80), 1..12),
        from in 0i64..400, length in 0i64..400,
    ) {
        let (mut s, mut model, mut tally) = (series(), BTreeMap::new(), Tally::default());
        for batch in batches {
            s.insert(batch.iter().map(|&(t, v)| (t, f64::from(v))), &mut tally);
            model.extend(batch.iter().map(|&(t, v)| (t, f64::from(v).to_bits())));
        }
        prop_assert_eq!(tally.stored as usize, model.len());
        prop_assert_eq!(all(&s), model.clone().into_iter().collect::<Vec<_>>());
        let mut window = Vec::new();
        s.read(from, from + length, &mut window);
        let expected: Vec<(i64, u64)> = model.range(from..=from + length).map(|(&t, &v)| (t, v)).collect();
        prop_assert_eq!(window.into_iter().map(|(t, v)| (t, v.to_bits())).collect::<Vec<_>>(), expected);
        prop_assert_eq!(s.overlaps(i64::MIN, i64::MAX), !model.is_empty());
        prop_assert_eq!(s.last_present, model.keys().next_back().copied());
    }
}

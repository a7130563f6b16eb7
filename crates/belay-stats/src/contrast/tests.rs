use proptest::prelude::*;

use super::*;
use crate::alarm::{Alarms, Terms};
use crate::rng::Rng;

const PAST: usize = 400;
const HORIZON: usize = 40;

fn question(direction: Direction) -> Question {
    Question {
        nature: Nature::Proportional,
        others: Others::Peers,
        direction,
        season: None,
        shape: Shape { base: 24, grace: 2, horizon: HORIZON },
    }
}

/// Hosts that share a wandering load and have noise of their own, all from one seed.
fn fleet(seed: u64, hosts: usize, steps: usize) -> Vec<Vec<f64>> {
    let mut rng = Rng::new(seed);
    let mut load = 0.0;
    let mut own = vec![0.0; hosts];
    let mut rows = vec![Vec::with_capacity(steps); hosts];
    for _ in 0..steps {
        load = 0.95 * load + 0.05 * rng.normal();
        for (row, own) in rows.iter_mut().zip(&mut own) {
            *own = 0.6 * *own + 0.02 * rng.normal();
            row.push(100.0 * (load + *own).exp());
        }
    }
    rows
}

fn treated(rows: &[Vec<f64>], onsets: &[usize], until: usize, harm: impl Fn(usize) -> f64) -> Vec<Treated> {
    let one = |(row, &onset): (&Vec<f64>, &usize)| {
        let values = row[..until].iter().enumerate().map(|(t, v)| if t >= onset { v * harm(t - onset) } else { *v });
        Treated { values: values.collect(), onset }
    };
    rows.iter().zip(onsets).map(one).collect()
}

fn cut(rows: &[Vec<f64>], until: usize) -> Vec<Vec<f64>> {
    rows.iter().map(|row| row[..until].to_vec()).collect()
}

/// The view and the alarms after all steps up to `until`.
fn judged(rows: &[Vec<f64>], onsets: &[usize], until: usize, harm: impl Fn(usize) -> f64 + Copy) -> (Contrast, Alarms) {
    let (hosts, peers) = rows.split_at(onsets.len());
    let treated = treated(hosts, onsets, until, harm);
    let peers = cut(peers, until);
    let mut contrast = Contrast::prepare(question(Direction::Both), &treated, &peers).unwrap();
    contrast.look(&treated, &peers);
    let alarms = Alarms::of(&mut contrast, Terms { alpha: 0.02, signals: 1, caution: 1.0, together: &[] });
    (contrast, alarms)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn step_by_step_is_the_same_as_from_scratch_bit_for_bit(seed in 0u64..1_000, late in 0usize..6, gap in 0usize..30) {
        let mut rows = fleet(seed, 7, PAST + HORIZON);
        rows[4][PAST + gap] = f64::NAN;
        let onsets = [PAST, PAST + late, PAST + 2 * late];
        let harm = |h: usize| if h > 9 { 1.1 } else { 1.0 };
        let (hosts, peers) = rows.split_at(3);
        let begun = PAST + 2 * late + 1;
        let mut contrast = Contrast::prepare(question(Direction::Both), &treated(hosts, &onsets, begun, harm), &cut(peers, begun)).unwrap();
        for until in begun..=PAST + HORIZON {
            let (treated, peers) = (treated(hosts, &onsets, until, harm), cut(peers, until));
            contrast.look(&treated, &peers);
            let alarms = Alarms::of(&mut contrast, Terms { alpha: 0.02, signals: 1, caution: 1.0, together: &[] });
            let (fresh, fresh_alarms) = judged(&rows, &onsets, until, harm);
            prop_assert_eq!(format!("{:?}", contrast.view()), format!("{:?}", fresh.view()));
            prop_assert_eq!(alarms, fresh_alarms);
        }
    }
}

#[test]
fn what_was_seen_otherwise_before_leaves_no_trace() {
    let rows = fleet(11, 7, PAST + HORIZON);
    let (hosts, peers) = rows.split_at(3);
    let peers = cut(peers, PAST + HORIZON);
    let seen = |harm: f64| treated(hosts, &[PAST; 3], PAST + HORIZON, move |h| if h > 5 { harm } else { 1.0 });
    let terms = || Terms { alpha: 0.02, signals: 1, caution: 1.0, together: &[] };
    let mut contrast = Contrast::prepare(question(Direction::Both), &seen(1.0), &peers).unwrap();
    let mut leaned = 0;
    for harm in [1.0, 3.0, 1.02, 1.0] {
        contrast.look(&seen(harm), &peers);
        let alarms = Alarms::of(&mut contrast, terms());
        let mut fresh = Contrast::prepare(question(Direction::Both), &seen(1.0), &peers).unwrap();
        fresh.look(&seen(harm), &peers);
        assert_eq!(alarms, Alarms::of(&mut fresh, terms()), "{harm}");
        assert_eq!(format!("{:?}", contrast.view()), format!("{:?}", fresh.view()), "{harm}");
        leaned += contrast.view().hosts.iter().flatten().filter(|host| !host.ln_e.is_empty()).count();
    }
    assert!((3..12).contains(&leaned), "bets are made where windows lean, and nowhere else: {leaned}");
}

#[test]
fn a_shift_at_each_hosts_own_time_is_found_as_fast_as_a_common_one() {
    let found = |onsets: &[usize]| {
        let harm = |h: usize| if h >= 2 { 1.25 } else { 1.0 };
        let last = onsets.iter().max().unwrap();
        let at = |until: &usize| judged(&fleet(3, 10, PAST + HORIZON), onsets, *until, harm).1.group.bets.is_some();
        (last + 3..PAST + HORIZON).find(at).map(|until| until - last)
    };
    let (common, staggered) = (found(&[PAST; 4]).unwrap(), found(&[PAST, PAST + 2, PAST + 5, PAST + 9]).unwrap());
    assert!(staggered <= common + 2, "{common} {staggered}");
}

#[test]
fn a_shock_to_all_in_the_middle_of_the_splay_is_nobodys_harm() {
    for seed in 0..10 {
        let mut rows = fleet(seed, 10, PAST + HORIZON);
        rows.iter_mut().for_each(|row| row[PAST + 5..].iter_mut().for_each(|v| *v *= 1.5));
        let (_, alarms) = judged(&rows, &[PAST, PAST + 3, PAST + 6, PAST + 9], PAST + HORIZON, |_| 1.0);
        assert_eq!((alarms.group.windows, alarms.group.bets), (None, None), "seed {seed}: {alarms:?}");
    }
}

#[test]
fn one_sick_host_of_many_leads_and_is_named() {
    let mut rows = fleet(5, 10, PAST + HORIZON);
    rows[2][PAST + 2..].iter_mut().for_each(|v| *v *= 3.0);
    let (_, alarms) = judged(&rows, &[PAST; 4], PAST + 30, |_| 1.0);
    assert_eq!(alarms.led_by, Some(2));
    assert!(alarms.hosts[2].as_ref().is_some_and(|alarm| alarm.bets.is_some()));
    let (_, all) = judged(&fleet(5, 10, PAST + HORIZON), &[PAST; 4], PAST + 30, |h| if h >= 2 { 3.0 } else { 1.0 });
    assert_eq!(all.led_by, None);
}

#[test]
fn a_host_that_is_late_absent_or_without_a_past_harms_nothing() {
    let mut rows = fleet(8, 10, PAST + HORIZON);
    rows[0][PAST..].fill(f64::NAN);
    rows[1][..PAST].fill(f64::NAN);
    let (contrast, alarms) = judged(&rows, &[PAST, PAST, PAST, PAST + 39], PAST + HORIZON, |_| 1.0);
    assert_eq!((alarms.group.windows, alarms.group.bets, contrast.view().hosts[1].is_none()), (None, None, true));
}

#[test]
fn too_short_a_past_calibrates_nothing() {
    let rows = fleet(1, 6, 60);
    let treated = treated(&rows[..1], &[40], 60, |_| 9.0);
    let contrast = Contrast::prepare(question(Direction::Both), &treated, &cut(&rows[1..], 60));
    assert!(contrast.is_none_or(|contrast| contrast.group().reference.is_none()));
}

/// Two things of three hosts that are busy together, without peers: the first of each is treated, the second its sibling.
fn two_things(seed: u64) -> (Vec<Vec<f64>>, Vec<Vec<f64>>) {
    let mut rows = fleet(seed, 6, PAST + HORIZON);
    let siblings = rows.split_off(3);
    (rows, siblings)
}

/// What a contrast with the own past alone raises, and what one with siblings does.
fn with_siblings(hosts: &[Vec<f64>], siblings: &[Vec<f64>]) -> (Alarms, Alarms) {
    let terms = Terms { alpha: 0.01, signals: 1, caution: 1.0, together: &[] };
    let contrast = |others: Others, rows: &[Vec<f64>], beside: &[Vec<f64>]| {
        let treated: Vec<Treated> = rows.iter().map(|values| Treated { values: values.clone(), onset: PAST }).collect();
        let mut contrast = Contrast::prepare(Question { others, ..question(Direction::Both) }, &treated, beside).unwrap();
        contrast.look(&treated, beside);
        contrast
    };
    let (mut own, theirs) = (contrast(Others::Peers, hosts, &[]), contrast(Others::Peers, siblings, &[]));
    let mut beside = contrast(Others::Siblings, hosts, siblings);
    let alarms = Alarms::of(&mut own, terms);
    (alarms, Alarms::of_siblings(&mut beside, &own, &[&theirs], terms))
}

fn raised(alarms: &Alarms) -> bool {
    alarms.group.bets.is_some() || alarms.group.again.is_some()
}

fn move_all(rows: &mut [Vec<f64>], by: f64) {
    rows.iter_mut().for_each(|row| row[PAST + 2..].iter_mut().for_each(|v| *v *= by));
}

#[test]
fn siblings_tell_harm_from_load_that_the_own_past_cannot_tell() {
    let (mut alone, mut beside) = (0, 0);
    for seed in 0..40 {
        let (mut hosts, siblings) = two_things(seed);
        move_all(&mut hosts, 1.2);
        let (own, kin) = with_siblings(&hosts, &siblings);
        alone += usize::from(raised(&own));
        beside += usize::from(raised(&kin));
    }
    assert!(alone <= 5 && beside >= 24, "{alone} {beside} of 40");
}

#[test]
fn of_a_series_and_its_sibling_the_one_that_moved_is_blamed() {
    let (mut blamed, mut moved) = (0, 0);
    for seed in 0..40 {
        let (hosts, mut siblings) = two_things(seed);
        move_all(&mut siblings, 0.6);
        blamed += usize::from(raised(&with_siblings(&hosts, &siblings).1));
        moved += usize::from(raised(&with_siblings(&siblings, &hosts).1));
    }
    // Where the load goes the other way at the time, it looks as if the one that stands still had moved instead.
    assert!(blamed <= 8 && moved >= 38, "{blamed} {moved} of 40");
}

//! How often nothing is called harm: seeded trials in which nothing happened, with all that makes judges cry: autocorrelation, days,
//! shocks that strike everybody, peers that come and go.

use crate::alarm::Alarms;
use crate::contrast::{Contrast, Nature, Question, Treated};
use crate::placebo::Shape;
use crate::rng::Rng;
use crate::share::Direction;

const DAY: usize = 96;
const PAST: usize = 3 * DAY;
const HORIZON: usize = 32;

/// A null trial: treated rows and peers' rows.
fn null(seed: u64) -> (Vec<Treated>, Vec<Vec<f64>>) {
    let mut rng = Rng::new(seed);
    let k = 1 + rng.below(3) as usize;
    let m = [0, 3, 6, 10][rng.below(4) as usize];
    let steps = PAST + HORIZON;
    // Without peers nobody can tell a shock to all from harm: the own past says that it is unheard of.
    let shock_at = if m > 0 && rng.chance(0.2) { PAST + rng.below(20) as usize } else { steps };
    let shock = 0.4 * rng.normal();
    let phase = rng.below(DAY as u64) as usize;
    let mut common = 0.0;
    let mut own = vec![0.0; k + m];
    let day: Vec<f64> = (0..k + m).map(|_| 0.2 + 0.1 * rng.unit()).collect();
    let mut rows = vec![Vec::with_capacity(steps); k + m];
    for t in 0..steps {
        common = 0.8 * common + 0.03 * rng.normal();
        let angle = (t + phase) as f64 / DAY as f64 * std::f64::consts::TAU;
        for (i, row) in rows.iter_mut().enumerate() {
            own[i] = 0.8 * own[i] + 0.03 * rng.normal();
            let level = day[i] * angle.sin() + common + own[i] + if t >= shock_at { shock } else { 0.0 };
            row.push(50.0 * level.exp());
        }
    }
    let mut rows = rows.into_iter();
    let treated = rows.by_ref().take(k).map(|values| Treated { values, onset: PAST }).collect();
    let mut peers: Vec<Vec<f64>> = rows.collect();
    if m > 3 && rng.chance(0.3) {
        peers[0][..PAST / 2].fill(f64::NAN);
        peers[1][PAST + 10..].fill(f64::NAN);
    }
    (treated, peers)
}

/// Whether a trial of one signal would be rejected: bets, or windows with a second sign.
fn rejected(seed: u64) -> bool {
    let (treated, peers) = null(seed);
    let shape = Shape { base: 24, grace: 2, horizon: HORIZON };
    let question = Question { nature: Nature::Proportional, direction: Direction::Both, season: Some(DAY), shape };
    let mut contrast = Contrast::prepare(question, &treated, &peers).unwrap();
    let view = contrast.look(&treated, &peers);
    let alarms = Alarms::of(&mut contrast, &view, &peers, 0.02, 1);
    let group = (alarms.group.bets.is_some() || alarms.group.again.is_some()) && alarms.led_by.is_none();
    let alone = alarms.hosts.iter().flatten().filter(|alarm| alarm.windows.is_some() || alarm.bets.is_some()).count();
    group || alone >= 2
}

#[test]
fn nothing_is_called_harm_about_as_often_as_promised() {
    let trials = 4_000;
    let false_ones = (0..trials).filter(|seed| rejected(*seed)).count();
    let rate = false_ones as f64 / trials as f64;
    assert!(rate <= 0.03, "{false_ones} of {trials}: {rate}");
}

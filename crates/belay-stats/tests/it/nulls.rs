//! Seeded trials in which nothing happened, with all that makes judges cry: autocorrelation, days, shocks that strike everybody, peers
//! that come and go. The series of a seed stay what they are: figures in docs/ name the seeds they were made with.

use belay_stats::Rng;
use belay_stats::alarm::{Alarms, Terms};
use belay_stats::contrast::{Contrast, Nature, Question, Treated};
use belay_stats::placebo::Shape;
use belay_stats::share::Direction;

const DAY: usize = 96;
const PAST: usize = 3 * DAY;
const HORIZON: usize = 32;

/// A null trial of one signal.
pub struct Null {
    pub treated: Vec<Treated>,
    peers: Vec<Vec<f64>>,
    shock: bool,
    turnover: bool,
}

impl Null {
    /// The trial of a seed.
    pub fn of(seed: u64) -> Null {
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
        let turnover = m > 3 && rng.chance(0.3);
        if turnover {
            peers[0][..PAST / 2].fill(f64::NAN);
            peers[1][PAST + 10..].fill(f64::NAN);
        }
        Null { treated, peers, shock: shock_at < steps, turnover }
    }

    /// What it has in it.
    pub fn kind(&self) -> &'static str {
        match (self.peers.is_empty(), self.shock, self.turnover) {
            (true, _, _) => "no peers",
            (false, false, false) => "peers",
            (false, true, false) => "peers, shock to all",
            (false, false, true) => "peers, turnover",
            (false, true, true) => "peers, turnover and shock",
        }
    }

    /// Whether it would be rejected at this budget: bets, or windows with a second sign.
    pub fn rejected(&self, budget: f64) -> bool {
        let shape = Shape { base: 24, grace: 2, horizon: HORIZON };
        let question = Question { nature: Nature::Proportional, direction: Direction::Both, season: Some(DAY), shape };
        let mut contrast = Contrast::prepare(question, &self.treated, &self.peers).expect("three days of past are enough");
        contrast.look(&self.treated, &self.peers);
        let alarms = Alarms::of(&mut contrast, Terms { alpha: budget, signals: 1, caution: 1.0, together: &[] });
        let group = (alarms.group.bets.is_some() || alarms.group.again.is_some()) && alarms.led_by.is_none();
        let alone = alarms.hosts.iter().flatten().filter(|alarm| alarm.windows.is_some() || alarm.bets.is_some()).count();
        group || alone >= 2
    }
}

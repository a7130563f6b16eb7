//! Seeded trials in which nothing happened, with all that makes judges cry: autocorrelation, days, shocks that strike everybody, peers
//! that come and go. Where there are no peers, each host has a sibling: another series that is as busy as it is. The series of a seed
//! stay what they are: figures in docs/ name the seeds they were made with.

use belay_stats::Rng;
use belay_stats::alarm::{Alarms, Terms};
use belay_stats::contrast::{Contrast, Others, Question, Treated};
use belay_stats::law::Nature;
use belay_stats::placebo::Shape;
use belay_stats::share::Direction;

const DAY: usize = 96;
const PAST: usize = 3 * DAY;
/// A past too short for a season, and for more than three stretches as long as a trial.
pub const SHORT: usize = 90;
const HORIZON: usize = 32;
/// What makes the randomness of siblings one of its own.
const SIBLINGS: u64 = 0x0005_1b11_2e55;

/// A null trial of one signal.
pub struct Null {
    pub treated: Vec<Treated>,
    peers: Vec<Vec<f64>>,
    siblings: Vec<Vec<f64>>,
    shock: bool,
    turnover: bool,
    /// Steps of past.
    past: usize,
}

impl Null {
    /// The trial of a seed, with three days of past.
    pub fn of(seed: u64) -> Null {
        Self::after(seed, PAST)
    }

    /// The same kind of trial after so many steps of past.
    pub fn after(seed: u64, past: usize) -> Null {
        let mut rng = Rng::new(seed);
        let k = 1 + rng.below(3) as usize;
        let m = [0, 3, 6, 10][rng.below(4) as usize];
        let steps = past + HORIZON;
        // Without peers nobody can tell a shock to all from harm: the own past says that it is unheard of.
        let shock_at = if m > 0 && rng.chance(0.2) { past + rng.below(20) as usize } else { steps };
        let shock = 0.4 * rng.normal();
        let phase = rng.below(DAY as u64) as usize;
        let mut common = 0.0;
        let mut own = vec![0.0; k + m];
        let day: Vec<f64> = (0..k + m).map(|_| 0.2 + 0.1 * rng.unit()).collect();
        let mut rows = vec![Vec::with_capacity(steps); k + m];
        let mut load = Vec::with_capacity(steps);
        for t in 0..steps {
            common = 0.8 * common + 0.03 * rng.normal();
            load.push(common);
            let angle = (t + phase) as f64 / DAY as f64 * std::f64::consts::TAU;
            for (i, row) in rows.iter_mut().enumerate() {
                own[i] = 0.8 * own[i] + 0.03 * rng.normal();
                let level = day[i] * angle.sin() + common + own[i] + if t >= shock_at { shock } else { 0.0 };
                row.push(50.0 * level.exp());
            }
        }
        let mut rows = rows.into_iter();
        let treated = rows.by_ref().take(k).map(|values| Treated { values, onset: past }).collect();
        let mut peers: Vec<Vec<f64>> = rows.collect();
        let turnover = m > 3 && rng.chance(0.3);
        if turnover {
            peers[0][..past / 2].fill(f64::NAN);
            peers[1][past + 10..].fill(f64::NAN);
        }
        let mut rng = Rng::new(seed ^ SIBLINGS);
        let mut sibling = |day: &f64| {
            let mut own = 0.0;
            let value = |(t, load): (usize, &f64)| {
                own = 0.8 * own + 0.03 * rng.normal();
                20.0 * (day * ((t + phase) as f64 / DAY as f64 * std::f64::consts::TAU).sin() + load + own).exp()
            };
            load.iter().enumerate().map(value).collect()
        };
        let siblings = if m == 0 { day.iter().map(&mut sibling).collect() } else { Vec::new() };
        Null { treated, peers, siblings, shock: shock_at < steps, turnover, past }
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

    /// Whether it would be rejected at this budget: bets, or windows with a second sign. Siblings get half of it.
    pub fn rejected(&self, budget: f64) -> bool {
        let part = if self.siblings.is_empty() { budget } else { budget / 2.0 };
        let mut own = self.contrast(Others::Peers, &self.treated, &self.peers);
        let terms = Terms { alpha: part, signals: 1, caution: 1.0, together: &[] };
        if raised(&Alarms::of(&mut own, terms)) {
            return true;
        }
        if self.siblings.is_empty() {
            return false;
        }
        let siblings: Vec<Treated> = self.siblings.iter().map(|values| Treated { values: values.clone(), onset: self.past }).collect();
        let theirs = self.contrast(Others::Peers, &siblings, &[]);
        let mut beside = self.contrast(Others::Siblings, &self.treated, &self.siblings);
        raised(&Alarms::of_siblings(&mut beside, &own, &[&theirs], terms))
    }

    fn contrast(&self, others: Others, treated: &[Treated], beside: &[Vec<f64>]) -> Contrast {
        let shape = Shape { base: 24, grace: 2, horizon: HORIZON };
        let season = Some(DAY).filter(|day| self.past >= 2 * day);
        let question = Question { nature: Nature::Proportional, others, direction: Direction::Both, season, shape };
        let mut contrast = Contrast::prepare(question, treated, beside).expect("there is past enough");
        contrast.look(treated, beside);
        contrast
    }
}

fn raised(alarms: &Alarms) -> bool {
    let group = (alarms.group.bets.is_some() || alarms.group.again.is_some()) && alarms.led_by.is_none();
    let alone = alarms.hosts.iter().flatten().filter(|alarm| alarm.windows.is_some() || alarm.bets.is_some()).count();
    group || alone >= 2
}

//! Lays a signal out for the comparison with its own past and its peers, and keeps what was calibrated on the past from look to look.

use belay_stats::alarm::{Alarms, Terms};
use belay_stats::contrast::{Contrast, Nature, Question, Treated, View};
use belay_stats::placebo::{PLACEBOS_MIN, Shape};
use belay_stats::share::Direction;

use super::budget;
use super::sight::{Row, Sight};
use crate::model::change::Trial;
use crate::model::ids::HostId;
use crate::model::signal::{Harm, SignalKind};

/// Steps before a change that make its level, at most.
const BASE_MAX: usize = 24;
/// Peers that are compared with, nearest first.
const PEERS_MAX: usize = 40;
/// A day: the season of what people and schedules do.
const DAY_MS: i64 = 86_400_000;

/// A signal, weighed.
pub(super) struct Weighed<'c> {
    pub(super) contrast: &'c Contrast,
    pub(super) view: View,
    pub(super) alarms: Alarms,
    /// The treated hosts, in the order of the view.
    pub(super) hosts: Vec<HostId>,
    /// Peers compared with.
    pub(super) peers: usize,
    /// The budget of the signal.
    pub(super) alpha: f64,
    /// Looks that the past can calibrate, of those the trial has.
    pub(super) looks: (usize, usize),
    /// Whether something struck all hosts, in this signal or another.
    pub(super) shaken: bool,
}

/// What is compared, in steps.
#[derive(Clone, Debug, PartialEq)]
struct Layout {
    question: Question,
    treated: Vec<Treated>,
    peers: Vec<Vec<f64>>,
    hosts: Vec<HostId>,
    looks: (usize, usize),
}

/// A contrast with the past it was calibrated on.
#[derive(Clone, Debug)]
pub(super) struct Calibrated {
    past: Layout,
    contrast: Option<Contrast>,
}

/// A signal laid out against its past, before it is known what the other signals show.
pub(super) struct Laid<'c> {
    contrast: &'c mut Contrast,
    layout: Layout,
    view: View,
    /// The budget of the signal.
    alpha: f64,
    /// How many signals the trial has.
    signals: usize,
    caution: f64,
}

/// Lays a signal out; `None` where its past is too short to calibrate anything.
pub(super) fn lay<'c>(known: &'c mut Option<Calibrated>, trial: &Trial, sight: &Sight<'_>) -> Option<Laid<'c>> {
    let layout = Layout::of(trial, sight)?;
    let past = layout.past();
    if known.as_ref().is_none_or(|known| !known.past.same(&past)) {
        let contrast = Contrast::prepare(past.question, &past.treated, &past.peers);
        *known = Some(Calibrated { past, contrast });
    }
    let contrast = known.as_mut()?.contrast.as_mut()?;
    let alpha = budget::of_contrast(trial, sight.signal);
    let view = contrast.look(&layout.treated, &layout.peers);
    let caution = trial.caution.factor(&sight.signal.name);
    Some(Laid { contrast, layout, view, alpha, signals: trial.signals.len(), caution })
}

impl<'c> Laid<'c> {
    fn terms<'t>(&self, together: &'t [usize]) -> Terms<'t> {
        Terms { alpha: self.alpha, signals: self.signals, caution: self.caution, together }
    }

    /// At each look, the smallest number of signals among which its bets would be believed.
    pub(super) fn believed_among(&self) -> Vec<Option<usize>> {
        self.terms(&[]).believed_among(self.contrast, &self.view)
    }

    /// Whether something struck all hosts: the mean of the treated moved further than placebo changes do, and what the peers did leaves
    /// nothing of it.
    pub(super) fn shaken(&self) -> bool {
        let Some(reference) = self.contrast.group().reference.as_ref() else { return false };
        let bar = reference.threshold(self.alpha / 2.0);
        let beyond = |deviation: &[f64]| deviation.iter().any(|z| *z > bar);
        let group = &self.view.group;
        !self.layout.peers.is_empty() && beyond(&group.uncapped) && !beyond(&group.deviation)
    }

    /// The step of the first look.
    pub(super) fn origin(&self) -> usize {
        self.contrast.origin()
    }

    /// Weighs it; `together`: at each look, of how many signals the bets are believed together; `shaken`: in any signal.
    pub(super) fn weigh(self, together: &[usize], shaken: bool) -> Weighed<'c> {
        let alarms = Alarms::of(self.contrast, &self.view, &self.layout.peers, self.terms(together));
        let Self { contrast, layout, view, alpha, .. } = self;
        Weighed { contrast, view, alarms, peers: layout.peers.len(), hosts: layout.hosts, alpha, looks: layout.looks, shaken }
    }
}

impl Layout {
    fn of(trial: &Trial, sight: &Sight<'_>) -> Option<Self> {
        let rows: Vec<&Row> =
            sight.treated.iter().filter(|row| row.onset < sight.steps && (!row.has_left() || row.end > row.settled)).collect();
        let origin = rows.iter().map(|row| row.onset).min()?;
        let grace = rows.iter().map(|row| row.settled.saturating_sub(row.onset)).max()?;
        let base = BASE_MAX.min(origin / 8);
        let day = usize::try_from(DAY_MS / sight.signal.step.ms().max(1)).unwrap_or(usize::MAX);
        let season = Some(day).filter(|day| *day >= 2 && origin >= day.saturating_mul(2));
        let due = usize::try_from(trial.ends.since(sight.time(origin)).ms() / sight.signal.step.ms().max(1)).unwrap_or(0);
        // A trial that lasts longer than its past can calibrate is compared for as long as it can.
        let room = origin.saturating_sub(season.unwrap_or(0) + base + PLACEBOS_MIN);
        let horizon = due.min(room.max(origin / 3)).max(grace + 1);
        let question = Question {
            nature: nature(sight.signal.kind),
            direction: direction(sight.signal.harm),
            season,
            shape: Shape { base, grace, horizon },
        };
        let treated = rows.iter().map(|row| Treated { values: numbers(row, row.end), onset: row.onset }).collect();
        let hosts = rows.iter().map(|row| row.host.clone()).collect();
        let there = |row: &&Row| present(&row.values[..origin.min(row.onset)], origin, 2) && still(row, origin, sight.steps);
        let peers: Vec<Vec<f64>> = sight.nearest().filter(there).take(PEERS_MAX).map(|row| numbers(row, row.onset)).collect();
        let peers = if peers.len() < 2 { Vec::new() } else { peers };
        Some(Self { question, treated, peers, hosts, looks: (horizon, due) })
    }

    /// The layout as it was when the first host changed: what calibration may see.
    fn past(&self) -> Self {
        let origin = self.treated.iter().map(|t| t.onset).min().unwrap_or(0);
        let cut = |t: &Treated| Treated { values: t.values[..t.onset.min(t.values.len())].to_vec(), onset: t.onset };
        let last = self.treated.iter().map(|t| t.onset).max().unwrap_or(origin);
        let peers = self.peers.iter().map(|values| values[..last.min(values.len())].to_vec()).collect();
        Self { treated: self.treated.iter().map(cut).collect(), peers, ..self.clone() }
    }

    /// Whether two pasts are the same, bit for bit (a missing value equals itself).
    fn same(&self, other: &Self) -> bool {
        let equal = |a: &[f64], b: &[f64]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits());
        self.question == other.question
            && self.hosts == other.hosts
            && self.peers.len() == other.peers.len()
            && self.treated.iter().zip(&other.treated).all(|(a, b)| a.onset == b.onset && equal(&a.values, &b.values))
            && self.peers.iter().zip(&other.peers).all(|(a, b)| equal(a, b))
    }
}

/// The values of a row up to a step; what lies beyond is no evidence, and missing.
fn numbers(row: &Row, end: usize) -> Vec<f64> {
    let value = |(step, value): (usize, &Option<f64>)| value.filter(|_| step < end).unwrap_or(f64::NAN);
    row.values.iter().enumerate().map(value).collect()
}

/// Whether at least one in `one_in` of so many steps has a value.
fn present(values: &[Option<f64>], of: usize, one_in: usize) -> bool {
    values.iter().flatten().count() * one_in >= of && of > 0
}

/// Whether a peer is still one: it has values in most of the steps since the first host changed.
fn still(row: &Row, origin: usize, steps: usize) -> bool {
    let since = &row.values[origin.min(row.onset)..row.onset];
    since.iter().flatten().count() * 5 >= (steps - origin) * 4
}

const fn nature(kind: SignalKind) -> Nature {
    match kind {
        SignalKind::Gauge | SignalKind::Latency => Nature::Proportional,
        SignalKind::Count | SignalKind::Flow | SignalKind::Check => Nature::Counted,
    }
}

pub(super) const fn direction(harm: Harm) -> Direction {
    match harm {
        Harm::Up => Direction::Up,
        Harm::Down => Direction::Down,
        Harm::Both => Direction::Both,
    }
}

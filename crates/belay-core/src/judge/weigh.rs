//! Lays a signal out for the comparison with its own past and its peers, and keeps what was calibrated on the past from look to look.

use std::cell::OnceCell;

use belay_stats::alarm::{Alarms, Terms};
use belay_stats::contrast::{Contrast, Nature, Question, Treated};
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
    /// The effect in the unit of the signal with its interval, which several findings tell: made once a look.
    pub(super) told: OnceCell<Option<[f64; 3]>>,
}

/// What is compared, in steps: which rows, and how.
#[derive(Clone, Debug, PartialEq)]
struct Layout {
    question: Question,
    /// Rows of the treated hosts, and the step of each one's change.
    treated: Vec<(usize, usize)>,
    peers: Vec<usize>,
    looks: (usize, usize),
}

/// The values that calibration may see: of each treated host those before its own change, of peers those before the last of these.
#[derive(Clone, Debug)]
struct Past {
    treated: Vec<Treated>,
    peers: Vec<Vec<f64>>,
}

/// A contrast with the past it was calibrated on.
#[derive(Clone, Debug)]
pub(super) struct Calibrated {
    layout: Layout,
    /// The layout of the rows it was made for.
    laid: u64,
    past: Past,
    contrast: Option<Contrast>,
    /// The values since the first change, treated hosts first; made anew at each look in the same room.
    since: Vec<Vec<f64>>,
}

/// A signal laid out against its past, before it is known what the other signals show.
pub(super) struct Laid<'c> {
    contrast: &'c mut Contrast,
    /// The treated hosts, and how many peers.
    hosts: Vec<HostId>,
    peers: usize,
    looks: (usize, usize),
    /// The budget of the signal.
    alpha: f64,
    /// How many signals the trial has.
    signals: usize,
    caution: f64,
}

/// Lays a signal out; `None` where its past is too short to calibrate anything.
pub(super) fn lay<'c>(known: &'c mut Option<Calibrated>, trial: &Trial, sight: &Sight<'_>) -> Option<Laid<'c>> {
    let layout = Layout::of(trial, sight)?;
    let (hosts, looks) = (layout.treated.iter().map(|(row, _)| sight.treated[*row].host.clone()).collect(), layout.looks);
    if known.as_ref().is_none_or(|known| !known.holds(&layout, sight)) {
        let past = Past::of(&layout, sight);
        let contrast = Contrast::prepare(layout.question, &past.treated, &past.peers);
        *known = Some(Calibrated { layout, laid: sight.laid, past, contrast, since: Vec::new() });
    }
    let known = known.as_mut()?;
    known.bring(sight);
    let peers = known.layout.peers.len();
    let contrast = known.contrast.as_mut()?;
    contrast.see(&known.since);
    let alpha = budget::of_contrast(trial, sight.signal);
    let caution = trial.caution.factor(&sight.signal.name);
    Some(Laid { contrast, hosts, peers, looks, alpha, signals: trial.signals.len(), caution })
}

impl<'c> Laid<'c> {
    fn terms<'t>(&self, together: &'t [usize]) -> Terms<'t> {
        Terms { alpha: self.alpha, signals: self.signals, caution: self.caution, together }
    }

    /// At each look, the smallest number of signals among which its bets would be believed.
    pub(super) fn believed_among(&self) -> Vec<Option<usize>> {
        self.terms(&[]).believed_among(self.contrast)
    }

    /// Whether something struck all hosts: the mean of the treated moved further than placebo changes do, and what the peers did leaves
    /// nothing of it.
    pub(super) fn shaken(&self) -> bool {
        let Some(reference) = self.contrast.group().reference.as_ref() else { return false };
        let bar = reference.threshold(self.alpha / 2.0);
        let beyond = |deviation: &[f64]| deviation.iter().any(|z| *z > bar);
        let group = self.contrast.view().group;
        self.peers > 0 && beyond(&group.uncapped) && !beyond(&group.deviation)
    }

    /// How unusual it is what the peers did up to a step since the first look; none where they cannot say.
    pub(super) fn storm(&self, step: usize) -> Option<f64> {
        self.contrast.storm(step)
    }

    /// Weighs what was seen, given at each step how much of a say single peers have.
    pub(super) fn follow(&mut self, storms: &[f64]) {
        self.contrast.follow(storms);
    }

    /// The step of the first look.
    pub(super) fn origin(&self) -> usize {
        self.contrast.origin()
    }

    /// Weighs it; `together`: at each look, of how many signals the bets are believed together; `shaken`: in any signal.
    pub(super) fn weigh(self, together: &[usize], shaken: bool) -> Weighed<'c> {
        let alarms = Alarms::of(self.contrast, self.terms(together));
        let Self { contrast, hosts, peers, looks, alpha, .. } = self;
        Weighed { contrast, alarms, hosts, peers, alpha, looks, shaken, told: OnceCell::new() }
    }
}

impl Calibrated {
    /// Whether it was calibrated on this very past. Steps that were only added change nothing of it.
    fn holds(&self, layout: &Layout, sight: &Sight<'_>) -> bool {
        let same = self.layout.question == layout.question && self.layout.treated == layout.treated && self.layout.peers == layout.peers;
        same && (self.laid == sight.laid || self.past.same(&Past::of(layout, sight)))
    }

    /// Brings the values since the first change up to now: all of them where the rows were laid out anew, else those that were added.
    fn bring(&mut self, sight: &Sight<'_>) {
        let anew = self.laid != sight.laid;
        self.laid = sight.laid;
        let origin = self.layout.origin();
        let treated = self.layout.treated.iter().map(|(row, _)| &sight.treated[*row]).map(|row| (row, row.end));
        let peers = self.layout.peers.iter().map(|row| &sight.peers[*row].1).map(|row| (row, row.onset));
        self.since.resize_with(self.layout.treated.len() + self.layout.peers.len(), Vec::new);
        for (since, (row, end)) in self.since.iter_mut().zip(treated.chain(peers)) {
            if anew {
                since.clear();
            }
            since.extend(numbers(row, origin + since.len(), row.values.len(), end));
        }
    }
}

impl Layout {
    fn of(trial: &Trial, sight: &Sight<'_>) -> Option<Self> {
        let compared = |row: &Row| row.onset < sight.steps && (!row.has_left() || row.end > row.settled);
        let rows = || sight.treated.iter().enumerate().filter(|(_, row)| compared(row));
        let origin = rows().map(|(_, row)| row.onset).min()?;
        let grace = rows().map(|(_, row)| row.grace).max()?;
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
        let there = |row: &Row| {
            let past = row.known.before(&row.values, origin.min(row.onset));
            origin > 0 && past.count * 2 >= origin && still(row, origin, sight.steps)
        };
        let mut peers: Vec<usize> = sight.nearest_places().filter(|place| there(&sight.peers[*place].1)).take(PEERS_MAX).collect();
        if peers.len() < 2 {
            peers.clear();
        }
        Some(Self { question, treated: rows().map(|(i, row)| (i, row.onset)).collect(), peers, looks: (horizon, due) })
    }

    /// The step of the first change.
    fn origin(&self) -> usize {
        self.treated.iter().map(|(_, onset)| *onset).min().unwrap_or(0)
    }
}

impl Past {
    fn of(layout: &Layout, sight: &Sight<'_>) -> Self {
        let last = layout.treated.iter().map(|(_, onset)| *onset).max().unwrap_or(0);
        let treated = |(row, onset): &(usize, usize)| {
            let row = &sight.treated[*row];
            Treated { values: numbers(row, 0, *onset, row.end).collect(), onset: *onset }
        };
        let peer = |row: &usize| {
            let row = &sight.peers[*row].1;
            numbers(row, 0, last.min(row.values.len()), row.onset).collect()
        };
        Self { treated: layout.treated.iter().map(treated).collect(), peers: layout.peers.iter().map(peer).collect() }
    }

    /// Whether two pasts of the same layout are the same, bit for bit (a missing value equals itself).
    fn same(&self, other: &Self) -> bool {
        let equal = |a: &[f64], b: &[f64]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits());
        self.treated.iter().zip(&other.treated).all(|(a, b)| equal(&a.values, &b.values))
            && self.peers.iter().zip(&other.peers).all(|(a, b)| equal(a, b))
    }
}

/// The values of some steps of a row; what lies beyond `end` is no evidence, and missing.
fn numbers(row: &Row, from: usize, to: usize, end: usize) -> impl Iterator<Item = f64> {
    let value = move |(step, value): (usize, &Option<f64>)| value.filter(|_| from + step < end).unwrap_or(f64::NAN);
    row.values[from.min(to)..to].iter().enumerate().map(value)
}

/// Whether a peer is still one: it has values in most of the steps since the first host changed.
fn still(row: &Row, origin: usize, steps: usize) -> bool {
    let before = row.known.before(&row.values, origin.min(row.onset));
    (row.known.past.count - before.count) * 5 >= (steps - origin) * 4
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

//! Lays a signal out for the comparison with its own past and its peers, and keeps what was calibrated on the past from look to look.

use std::cell::OnceCell;

use belay_stats::alarm::{Alarms, Terms};
use belay_stats::contrast::{Contrast, Others, Question, Treated};
use belay_stats::law::Nature;
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
    /// Rows of other signals of the same hosts that it is compared with.
    pub(super) kin: usize,
    /// Where there are no peers: the same against the other signals of the same hosts.
    pub(super) siblings: Option<Box<Weighed<'c>>>,
    /// The part of the budget of the signal that this comparison may spend.
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
    /// Rows of peers, or those of the treated hosts in other signals: the place of the signal, and of the row in it.
    others: Vec<(usize, usize)>,
    looks: (usize, usize),
}

/// The values that calibration may see: of each treated host those before its own change, of the others those before the last of these.
#[derive(Clone, Debug)]
struct Past {
    treated: Vec<Treated>,
    others: Vec<Vec<f64>>,
}

/// A contrast with the past it was calibrated on.
#[derive(Clone, Debug)]
pub(super) struct Calibrated {
    layout: Layout,
    /// The layout of the rows of each signal it was made for.
    laid: Vec<u64>,
    past: Past,
    contrast: Option<Contrast>,
    /// The values since the first change, treated hosts first; made anew at each look in the same room.
    since: Vec<Vec<f64>>,
}

/// What is kept of a signal from look to look.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    own: Option<Calibrated>,
    siblings: Option<Calibrated>,
}

/// Other signals of the same hosts that a signal is laid out against.
struct Siblings<'c> {
    contrast: &'c mut Contrast,
    /// Where they are among all, and how many rows of theirs are compared with.
    signals: Vec<usize>,
    rows: usize,
}

/// A signal laid out against its past, before it is known what the other signals show.
pub(super) struct Laid<'c> {
    contrast: &'c mut Contrast,
    /// Where there are no peers: the contrast with the other signals of the same hosts.
    siblings: Option<Siblings<'c>>,
    /// The treated hosts, and how many peers.
    hosts: Vec<HostId>,
    peers: usize,
    looks: (usize, usize),
    /// The part of the budget of the signal that each comparison may spend.
    alpha: f64,
    /// How many signals the trial has.
    signals: usize,
    caution: f64,
}

/// Lays a signal out, one of `all`; `None` where its past is too short to calibrate anything.
pub(super) fn lay<'c>(kept: &'c mut Kept, trial: &Trial, place: usize, all: &[Sight<'_>]) -> Option<Laid<'c>> {
    let sight = &all[place];
    let layout = Layout::of(trial, place, all)?;
    let (hosts, looks) = (layout.treated.iter().map(|(row, _)| sight.treated[*row].host.clone()).collect(), layout.looks);
    let (peers, beside) = (layout.others.len(), layout.with_siblings(place, all));
    let contrast = calibrated(&mut kept.own, layout, place, all)?;
    let siblings = beside.and_then(|layout| {
        let (rows, mut signals): (usize, Vec<usize>) = (layout.others.len(), layout.others.iter().map(|(signal, _)| *signal).collect());
        signals.sort_unstable();
        signals.dedup();
        let contrast = calibrated(&mut kept.siblings, layout, place, all)?;
        contrast.group().reference.is_some().then_some(Siblings { contrast, signals, rows })
    });
    let comparisons = if siblings.is_some() { 2.0 } else { 1.0 };
    let alpha = budget::of_contrast(trial, sight.signal) / comparisons;
    let caution = trial.caution.factor(&sight.signal.name);
    Some(Laid { contrast, siblings, hosts, peers, looks, alpha, signals: trial.signals.len(), caution })
}

/// The contrast of a layout with what has come taken in; what was calibrated before is kept where it was on this very past.
fn calibrated<'c>(known: &'c mut Option<Calibrated>, layout: Layout, place: usize, all: &[Sight<'_>]) -> Option<&'c mut Contrast> {
    if known.as_ref().is_none_or(|known| !known.holds(&layout, place, all)) {
        let past = Past::of(&layout, place, all);
        let contrast = Contrast::prepare(layout.question, &past.treated, &past.others);
        let laid = layout.laid(place, all);
        *known = Some(Calibrated { layout, laid, past, contrast, since: Vec::new() });
    }
    let known = known.as_mut()?;
    known.bring(place, all);
    let contrast = known.contrast.as_mut()?;
    contrast.see(&known.since);
    Some(contrast)
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

    /// What the comparison with past and peers raises; `together`: at each look, of how many signals the bets are believed together.
    pub(super) fn alarms(&mut self, together: &[usize]) -> Alarms {
        let terms = Terms { alpha: self.alpha, signals: self.signals, caution: self.caution, together };
        Alarms::of(self.contrast, terms)
    }
}

/// All signals weighed, given what each raises against its own past and the peers; `shaken`: something struck all hosts, in any signal.
pub(super) fn weighed<'c>(mut laid: Vec<Option<Laid<'c>>>, alarms: Vec<Option<Alarms>>, shaken: bool) -> Vec<Option<Weighed<'c>>> {
    let beside: Vec<_> = (0..laid.len()).map(|place| beside(&mut laid, place)).collect();
    let all = laid.into_iter().zip(alarms).zip(beside);
    all.map(|((laid, alarms), beside)| {
        let Laid { contrast, hosts, peers, looks, alpha, .. } = laid?;
        let weighed = |contrast, alarms, kin| {
            let (hosts, told) = (hosts.clone(), OnceCell::new());
            Weighed { contrast, alarms, hosts, peers, kin, siblings: None, alpha, looks, shaken, told }
        };
        let siblings = beside.map(|(siblings, alarms)| Box::new(weighed(siblings.contrast, alarms, siblings.rows)));
        Some(Weighed { siblings, ..weighed(contrast, alarms?, 0) })
    })
    .collect()
}

/// What the comparison of a signal with the other signals of the same hosts raises, where there are no peers.
fn beside<'c>(laid: &mut [Option<Laid<'c>>], place: usize) -> Option<(Siblings<'c>, Alarms)> {
    let siblings = laid[place].as_mut()?.siblings.take()?;
    siblings.contrast.follow(&[]);
    let own = laid[place].as_ref()?;
    let alike = |other: &&Laid<'c>| other.contrast.origin() == own.contrast.origin() && other.hosts == own.hosts;
    let theirs: Vec<&Contrast> =
        siblings.signals.iter().filter_map(|signal| laid[*signal].as_ref()).filter(alike).map(|other| &*other.contrast).collect();
    let alarms = Alarms::of_siblings(siblings.contrast, own.contrast, &theirs, own.terms(&[]));
    Some((siblings, alarms))
}

impl Calibrated {
    /// Whether it was calibrated on this very past. Steps that were only added change nothing of it.
    fn holds(&self, layout: &Layout, place: usize, all: &[Sight<'_>]) -> bool {
        let same = self.layout.question == layout.question && self.layout.treated == layout.treated && self.layout.others == layout.others;
        same && (self.laid == layout.laid(place, all) || self.past.same(&Past::of(layout, place, all)))
    }

    /// Brings the values since the first change up to now: all of them where the rows were laid out anew, else those that were added.
    fn bring(&mut self, place: usize, all: &[Sight<'_>]) {
        let laid = self.layout.laid(place, all);
        let anew = self.laid != laid;
        self.laid = laid;
        let origin = self.layout.origin();
        let treated = self.layout.treated.iter().map(|(row, _)| &all[place].treated[*row]).map(|row| (row, row.end));
        self.since.resize_with(self.layout.treated.len() + self.layout.others.len(), Vec::new);
        for (since, (row, end)) in self.since.iter_mut().zip(treated.chain(self.layout.rows(place, all))) {
            if anew {
                since.clear();
            }
            since.extend(numbers(row, origin + since.len(), row.values.len(), end));
        }
    }
}

impl Layout {
    /// Against the own past, and the peers where there are two or more.
    fn of(trial: &Trial, place: usize, all: &[Sight<'_>]) -> Option<Self> {
        let sight = &all[place];
        let compared = |row: &Row| !row.unknown && row.onset < sight.steps && (!row.has_left() || row.end > row.settled);
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
            others: Others::Peers,
            direction: direction(sight.signal.harm),
            season,
            shape: Shape { base, grace, horizon },
        };
        let since = Since { told: told(sight, origin), due };
        let there = |row: &Row| {
            let past = row.known.before(&row.values, origin.min(row.onset));
            origin > 0 && past.count * 2 >= origin && still(row, origin, &since)
        };
        let mut peers: Vec<usize> = sight.nearest_places().filter(|place| there(&sight.peers[*place].1)).take(PEERS_MAX).collect();
        if peers.len() < 2 {
            peers.clear();
        }
        let others = peers.into_iter().map(|peer| (place, peer)).collect();
        Some(Self { question, treated: rows().map(|(i, row)| (i, row.onset)).collect(), others, looks: (horizon, due) })
    }

    /// Against the other signals of the same hosts; none where there are peers, or no other signal that tells a level in the same steps.
    fn with_siblings(&self, place: usize, all: &[Sight<'_>]) -> Option<Self> {
        let sight = &all[place];
        if !self.others.is_empty() || self.question.nature != Nature::Proportional {
            return None;
        }
        let last = self.treated.iter().map(|(_, onset)| *onset).max().unwrap_or(0);
        let alike = |other: &Sight<'_>| {
            nature(other.signal.kind) == Nature::Proportional
                && (other.from, other.signal.step) == (sight.from, sight.signal.step)
                && other.treated.len() == sight.treated.len()
                && other.steps > last
        };
        let signals = all.iter().enumerate().filter(|(i, other)| *i != place && alike(other));
        // Host by host, so that of many hosts no signal is left out.
        let rows = self.treated.iter().flat_map(|(row, _)| signals.clone().map(move |(i, other)| (i, *row, &other.treated[*row])));
        let there = rows.filter(|(_, _, row)| row.past_count() * 2 >= row.onset);
        let others: Vec<(usize, usize)> = there.map(|(i, row, _)| (i, row)).take(PEERS_MAX).collect();
        let question = Question { others: Others::Siblings, ..self.question };
        (!others.is_empty()).then(|| Self { question, others, treated: self.treated.clone(), looks: self.looks })
    }

    /// The rows that the treated ones are compared with, and where each ends to be evidence.
    fn rows<'r>(&'r self, place: usize, all: &'r [Sight<'_>]) -> impl Iterator<Item = (&'r Row, usize)> {
        self.others.iter().map(move |(signal, row)| {
            if *signal == place {
                let row = &all[place].peers[*row].1;
                (row, row.onset)
            } else {
                let row = &all[*signal].treated[*row];
                (row, row.end)
            }
        })
    }

    /// The layouts of the rows that it rests on.
    fn laid(&self, place: usize, all: &[Sight<'_>]) -> Vec<u64> {
        let mut signals: Vec<usize> = self.others.iter().map(|(signal, _)| *signal).chain([place]).collect();
        signals.sort_unstable();
        signals.dedup();
        signals.into_iter().map(|signal| all[signal].laid).collect()
    }

    /// The step of the first change.
    fn origin(&self) -> usize {
        self.treated.iter().map(|(_, onset)| *onset).min().unwrap_or(0)
    }
}

impl Past {
    fn of(layout: &Layout, place: usize, all: &[Sight<'_>]) -> Self {
        let last = layout.treated.iter().map(|(_, onset)| *onset).max().unwrap_or(0);
        let treated = |(row, onset): &(usize, usize)| {
            let row = &all[place].treated[*row];
            Treated { values: numbers(row, 0, *onset, row.end).collect(), onset: *onset }
        };
        // What was seen of a sibling after its own host's change tells nothing of how things were.
        let other = |(row, end): (&Row, usize)| numbers(row, 0, last.min(row.values.len()), end.min(row.onset)).collect();
        Self { treated: layout.treated.iter().map(treated).collect(), others: layout.rows(place, all).map(other).collect() }
    }

    /// Whether two pasts of the same layout are the same, bit for bit (a missing value equals itself).
    fn same(&self, other: &Self) -> bool {
        let equal = |a: &[f64], b: &[f64]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits());
        self.treated.iter().zip(&other.treated).all(|(a, b)| equal(&a.values, &b.values))
            && self.others.iter().zip(&other.others).all(|(a, b)| equal(a, b))
    }
}

/// The values of some steps of a row; what lies beyond `end` is no evidence, and missing.
fn numbers(row: &Row, from: usize, to: usize, end: usize) -> impl Iterator<Item = f64> {
    let value = move |(step, value): (usize, &Option<f64>)| value.filter(|_| from + step < end).unwrap_or(f64::NAN);
    row.values[from.min(to)..to].iter().enumerate().map(value)
}

/// The steps since the first host changed.
struct Since {
    /// Those in which any host was seen.
    told: usize,
    /// All that the trial has.
    due: usize,
}

/// In how many steps since the first host changed any host was seen: what nobody told is no peer's fault.
fn told(sight: &Sight<'_>, origin: usize) -> usize {
    let rows = || sight.treated.iter().chain(sight.peers.iter().map(|(_, row)| row));
    (origin..sight.steps).filter(|step| rows().any(|row| row.values.get(*step).is_some_and(Option::is_some))).count()
}

/// A peer that misses so large a part of a trial is none: one in so many steps.
const GONE: usize = 3;

/// Whether a peer is still one. Once it is not it never is again: peers that came and went would make another comparison of each look, and
/// none of these is paid for.
fn still(row: &Row, origin: usize, since: &Since) -> bool {
    let before = row.known.before(&row.values, origin.min(row.onset));
    let there = row.known.past.count - before.count;
    // What changed itself is no peer from then on, and soon too little of one.
    let changed = row.onset < row.values.len();
    if changed { there * 5 >= since.told * 4 } else { since.told.saturating_sub(there) * GONE <= since.due }
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

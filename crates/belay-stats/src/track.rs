//! One series of residuals with its own reference: how unusual is what came after a moment, given what came before it?
//!
//! The reference is the series' own past. What is unusual for a series may still be usual among its peers at that hour: a shock that
//! strikes all alike leaves a residual where a regression used too little, or too much, of them. So a deviation is *capped* by rivals:
//! differences to single peers. It counts as far as it exceeds nearly all of them in the same direction, and not beyond. How much of a
//! say rivals have is the weather's to tell (`weather`): on a calm day, none.

use std::sync::OnceLock;

use crate::law::{Law, Nature};
use crate::placebo::{Beside, Means, Reference, Running, Shape, WIDTHS};
use crate::share::Direction;
use crate::wealth::{self, Wealth, Whitener};

/// Placebo stretches that the guard of the e-process needs.
const STRETCHES_MIN: usize = 12;

/// So many stretches that do not overlap make a guard that is believed as it is. Of fewer, one that reaches far may well be missing:
/// more evidence is asked.
const APART: f64 = 12.0;

/// Steps that room is made for at once.
const ROOM: usize = 48;

/// What a track is asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Asked {
    /// Windows and looks.
    pub shape: Shape,
    /// Which way is worse.
    pub direction: Direction,
    /// The smallest noise of one value that is believed.
    pub floor: f64,
    /// How its values vary.
    pub nature: Nature,
}

/// How exactly all move together when they move: a part of the common movement that is nobody's harm.
const ALLOWED: f64 = 0.25;

/// Whether a track bets on single steps besides comparing windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Betting {
    /// Windows alone.
    No,
    /// Windows and bets.
    Yes,
}

/// A track, calibrated on its past.
#[derive(Debug, Clone)]
pub struct Track {
    asked: Asked,
    /// The last values of the past, the latest first.
    before: [f64; wealth::ORDER],
    /// The last value of the past that is there.
    last: f64,
    level: f64,
    /// The placebo changes in time, where the past is long enough.
    pub reference: Option<Reference>,
    /// What the e-process needs, where something is bet on and the past is long enough.
    bets: Option<Bets>,
    /// The first step of the past that can be used.
    from: usize,
}

#[derive(Debug, Clone)]
struct Bets {
    whitener: Whitener,
    /// What they are bet against.
    law: Law,
    /// The innovations of the past, and the length and stride of placebo stretches in them.
    innovations: Vec<f64>,
    stretch: (usize, usize),
    /// What the evidence reaches over these: computed once something asks for it.
    reached: OnceLock<f64>,
    /// How many stretches of the past do not overlap: what the guard really rests on.
    apart: f64,
}

/// One step since the moment: what the target did, and what single peers did.
#[derive(Debug, Clone, Copy)]
pub struct Step<'d> {
    /// Against its prediction.
    pub residual: f64,
    /// How much the step counts: less where it rests on less than the past did.
    pub weight: f64,
    /// How far the target moved from its level before the moment.
    pub own: f64,
    /// The same minus how far each peer moved.
    pub differences: &'d [f64],
    /// How much of a say these have, from none (0) to all (1): where peers did nothing unusual, nothing needs their word.
    pub storm: f64,
}

/// What a track shows since the moment in question, at each look.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Shown {
    /// Largest standardised deviation towards harm at each look, as far as no rival shows it; minus infinity where none is defined.
    pub deviation: Vec<f64>,
    /// The same, whatever rivals show.
    pub uncapped: Vec<f64>,
    /// Evidence of the e-process, natural logarithm, at each look; empty where it cannot run, or nothing is bet on.
    pub ln_e: Vec<f64>,
    /// The means over the windows at each look, as far as no rival shows them.
    pub means: Vec<Means>,
}

/// A track as far as it has been followed since the moment: a further step costs the same at every look.
#[derive(Debug, Clone, Default)]
pub struct Stream {
    shown: Shown,
    target: Running,
    own: Running,
    differences: Beside,
    /// What rivals leave of each single step: what is bet on.
    left: Vec<f64>,
    wealth: Vec<Wealth>,
    /// The first step at which the windows leaned the way of harm.
    leaned: Option<usize>,
    /// Room for the means of the differences that are there.
    rivals: Vec<f64>,
}

impl Stream {
    /// What was shown so far.
    #[must_use]
    pub fn shown(&self) -> &Shown {
        &self.shown
    }

    /// How many steps it was followed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.left.len()
    }

    /// Whether it was not followed yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    /// Whether the windows leaned the way of harm at any step: before, bets do not count ([`crate::alarm`]).
    #[must_use]
    pub fn leaned(&self) -> bool {
        self.leaned.is_some()
    }

    /// Forgets all bets.
    pub fn unbet(&mut self) {
        self.shown.ln_e.clear();
        self.wealth.clear();
    }

    /// Forgets the steps from this one on.
    pub fn truncate(&mut self, steps: usize) {
        self.shown.deviation.truncate(steps);
        self.shown.uncapped.truncate(steps);
        self.shown.ln_e.truncate(steps);
        self.shown.means.truncate(steps);
        self.left.truncate(steps);
        self.wealth.truncate(steps);
        self.leaned = self.leaned.filter(|leaned| *leaned < steps);
        [&mut self.target, &mut self.own].into_iter().for_each(|running| running.truncate(steps));
        self.differences.truncate(steps);
    }

    /// Makes room for many steps at once.
    fn make_room(&mut self) {
        if self.left.len() == self.left.capacity() {
            self.left.reserve(ROOM);
            self.shown.deviation.reserve(ROOM);
            self.shown.uncapped.reserve(ROOM);
            self.shown.ln_e.reserve(ROOM);
            self.shown.means.reserve(ROOM);
            self.wealth.reserve(ROOM);
        }
    }

    /// The means over the windows that end with a step, and what is left of them when rivals have had their say.
    fn means(&mut self, shape: &Shape, step: &Step<'_>, level: f64) -> (Means, Means) {
        let all = self.target.push(shape, (step.residual - level) * step.weight);
        let own = self.own.push(shape, step.own);
        self.differences.push(shape, step.differences);
        let mut left = all;
        for (width, mean) in left.iter_mut().enumerate() {
            if step.storm > 0.0 {
                self.differences.means(shape, width, &mut self.rivals);
                *mean += step.storm * (capped(*mean, own[width], &mut self.rivals) - *mean);
            }
        }
        (all, left)
    }
}

impl Track {
    /// Calibrates on the past; the moment in question is its end. `from` is the first step of it that can be used.
    #[must_use]
    pub fn calibrate(past: &[f64], from: usize, asked: Asked, betting: Betting) -> Track {
        let until = past.len();
        let from = from.min(until);
        let level = asked.shape.level(past, until);
        let reference = Reference::of(past, from, asked.shape, asked.floor, asked.direction);
        let last = past.iter().rev().copied().find(|v| v.is_finite()).unwrap_or(0.0);
        let before = std::array::from_fn(|lag| until.checked_sub(lag + 1).map_or(f64::NAN, |t| past[t]));
        let mut track = Track { asked, before, last, level, reference, bets: None, from };
        if betting == Betting::Yes {
            track.begin_to_bet(past);
        }
        track
    }

    /// Bets from now on, given the past on which it was calibrated.
    pub fn begin_to_bet(&mut self, past: &[f64]) {
        if self.bets.is_none() {
            self.bets = Bets::fit(&past[self.from..], &self.asked);
        }
    }

    /// Follows the next step since the moment.
    pub fn follow(&self, stream: &mut Stream, step: &Step<'_>) {
        let look = stream.len();
        stream.make_room();
        let (all, means) = stream.means(&self.asked.shape, step, self.level);
        let deviation = |means: &Means| self.reference.as_ref().map_or(f64::NEG_INFINITY, |reference| reference.deviation(look, means));
        // The bets are made on single steps, so they are fed what rivals leave of single steps.
        stream.left.push(if step.residual.is_finite() { self.level + means[0] } else { f64::NAN });
        let deviates = deviation(&means);
        if stream.leaned.is_none() && self.reference.as_ref().is_some_and(|reference| deviates >= reference.quantiles[0]) {
            stream.leaned = Some(look);
        }
        stream.shown.deviation.push(deviates);
        stream.shown.uncapped.push(deviation(&all));
        stream.shown.means.push(means);
    }

    /// Bets on all steps that were followed and not bet on yet.
    pub fn bet(&self, stream: &mut Stream) {
        let Some(bets) = &self.bets else { return };
        for look in stream.wealth.len()..stream.left.len() {
            let mut wealth = stream.wealth.last().cloned().unwrap_or_else(|| Wealth::new(self.asked.direction, bets.law));
            if look >= self.asked.shape.grace {
                wealth.step(bets.whitener.next(stream.left[look], std::array::from_fn(|lag| self.lagged(&stream.left, look, lag + 1))));
            }
            stream.shown.ln_e.push(wealth.ln_e());
            stream.wealth.push(wealth);
        }
    }

    /// What was so many steps before a look: within the grace the last value of the past stands.
    fn lagged(&self, left: &[f64], look: usize, lag: usize) -> f64 {
        match look.checked_sub(lag) {
            Some(at) if at >= self.asked.shape.grace => left[at],
            Some(_) => self.last,
            None => self.before[lag - look - 1],
        }
    }

    /// The threshold of the e-process at a budget, of which `streams` take part.
    #[must_use]
    pub fn evidence_threshold(&self, alpha: f64, streams: f64) -> Option<f64> {
        let threshold = |bets: &Bets| wealth::threshold(bets.reached(self.asked.direction), alpha, streams);
        self.bets.as_ref().map(|bets| threshold(bets) * (APART / bets.apart).clamp(1.0, 2.0))
    }

    /// What that threshold is at least: it costs nothing, and evidence below it needs no other.
    #[must_use]
    pub fn evidence_at_least(&self, alpha: f64) -> Option<f64> {
        self.bets.as_ref().map(|_| (1.0 / alpha).ln())
    }

    /// The smallest noise of one value that is believed.
    #[must_use]
    pub fn floor(&self) -> f64 {
        self.asked.floor
    }

    /// Robust size of an innovation, if the e-process can run.
    #[must_use]
    pub fn innovation(&self) -> Option<f64> {
        self.bets.as_ref().map(|bets| bets.whitener.scale)
    }

    /// The index of the longest window length that fits into a look.
    #[must_use]
    pub fn widest(&self, look: usize) -> usize {
        WIDTHS.iter().rposition(|w| look + 1 >= self.asked.shape.grace + w).unwrap_or(0)
    }
}

impl Bets {
    fn fit(past: &[f64], asked: &Asked) -> Option<Bets> {
        let (whitener, innovations) = Whitener::fit_and_follow(past, asked.nature.heavy())?;
        let length = asked.shape.horizon.saturating_sub(asked.shape.grace).max(1);
        let stride = (innovations.len().saturating_sub(length) / 24).clamp(1, 12);
        if wealth::stretches(innovations.len(), length, stride) < STRETCHES_MIN {
            return None;
        }
        let apart = innovations.len() as f64 / length as f64;
        let law = Law::of(asked.nature, &innovations);
        Some(Bets { whitener, law, innovations, stretch: (length, stride), reached: OnceLock::new(), apart })
    }

    fn reached(&self, direction: Direction) -> f64 {
        let (length, stride) = self.stretch;
        *self.reached.get_or_init(|| wealth::reached(&wealth::guard(&self.innovations, length, stride, direction, self.law)))
    }
}

/// Sorts by insertion where there are few, as there mostly are.
fn sort_few(values: &mut [f64]) {
    if values.len() > 16 {
        values.sort_unstable_by(f64::total_cmp);
        return;
    }
    for i in 1..values.len() {
        let (before, rest) = values.split_at_mut(i);
        // The smaller stays and the larger goes on, without a branch that nobody could foresee.
        for place in before {
            let (least, most) = if rest[0] < *place { (rest[0], *place) } else { (*place, rest[0]) };
            (*place, rest[0]) = (least, most);
        }
    }
}

/// What is left of a mean when rivals have had their say: the one nearer to zero of it and of the differences to nearly all rivals, zero
/// where the signs differ. A quarter of the rivals may disagree: one sick peer of four or more decides nothing. Where all moved far, they
/// do not move by exactly the same: a part of the common movement is allowed for. `own` is how far the target moved, `differences` the
/// same minus how far each rival did.
fn capped(mean: f64, own: f64, differences: &mut [f64]) -> f64 {
    if differences.len() < 2 {
        return mean;
    }
    sort_few(differences);
    let last = differences.len() - 1;
    let spared = differences.len() / 4;
    let middle = 0.5 * (differences[last / 2] + differences[last.div_ceil(2)]);
    let common = own - middle;
    let allowed = if common.is_finite() { ALLOWED * common.abs() } else { 0.0 };
    if mean > 0.0 { (mean.min(differences[spared]) - allowed).max(0.0) } else { (mean.max(differences[last - spared]) + allowed).min(0.0) }
}

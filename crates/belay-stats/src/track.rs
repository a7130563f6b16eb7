//! One series of residuals with its own reference: how unusual is what came after a moment, given what came before it?
//!
//! The reference is the series' own past. What is unusual for a series may still be usual among its peers at that hour: a shock that
//! strikes all alike leaves a residual where a regression used too little, or too much, of them. So a deviation is *capped* by rivals:
//! differences to single peers. It counts as far as it exceeds nearly all of them in the same direction, and not beyond.

use crate::placebo::{Means, Reference, Shape, WIDTHS};
use crate::share::Direction;
use crate::wealth::{self, Wealth, Whitener};

/// Placebo stretches that the guard of the e-process needs.
const STRETCHES_MIN: usize = 12;

/// So many stretches that do not overlap make a guard that is believed as it is. Of fewer, one that reaches far may well be missing:
/// more evidence is asked.
const APART: f64 = 12.0;

/// What a track is asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Asked {
    /// Windows and looks.
    pub shape: Shape,
    /// Which way is worse.
    pub direction: Direction,
    /// The smallest noise of one value that is believed.
    pub floor: f64,
    /// The part of the plain SD below which the size of an innovation never falls.
    pub heavy: f64,
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
    past: Vec<f64>,
    level: f64,
    /// The placebo changes in time, where the past is long enough.
    pub reference: Option<Reference>,
    /// What the e-process needs, where the past is long enough.
    bets: Option<Bets>,
    /// Usual size of one residual.
    pub noise: f64,
}

#[derive(Debug, Clone)]
struct Bets {
    whitener: Whitener,
    /// What placebo stretches reached.
    reached: f64,
    /// How many stretches of the past do not overlap: what the guard really rests on.
    apart: f64,
}

/// The e-process as far as it has run, with what it was fed: it goes on where the input is the same.
#[derive(Debug, Clone, Default)]
pub struct Run {
    fed: Vec<f64>,
    states: Vec<Wealth>,
}

/// What a track shows since the moment in question, at each look.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Shown {
    /// Largest standardised deviation towards harm at each look, as far as no rival shows it; minus infinity where none is defined.
    pub deviation: Vec<f64>,
    /// The same, whatever rivals show.
    pub uncapped: Vec<f64>,
    /// Evidence of the e-process, natural logarithm, at each look; empty where it cannot run.
    pub ln_e: Vec<f64>,
    /// The means over the windows at each look.
    pub means: Means,
}

impl Track {
    /// Calibrates on the past; the moment in question is its end. `from` is the first step of it that can be used.
    #[must_use]
    pub fn calibrate(past: Vec<f64>, from: usize, asked: Asked, betting: Betting) -> Track {
        let until = past.len();
        let from = from.min(until);
        let level = asked.shape.level(&past, until);
        let placebos: Vec<Means> = asked.shape.moments(from, until).into_iter().map(|at| means_at(&past, &asked.shape, at)).collect();
        let reference = Reference::of(&placebos, asked.floor, asked.direction);
        let bets = if betting == Betting::Yes { Bets::fit(&past[from..], &asked) } else { None };
        let there: Vec<f64> = past[from..].iter().copied().filter(|v| v.is_finite()).collect();
        let rms = (there.iter().map(|e| e * e).sum::<f64>() / there.len().max(1) as f64).sqrt();
        let noise = crate::robust::mad(&there).unwrap_or(0.0).max(rms);
        Track { asked, past, level, reference, bets, noise }
    }

    /// What the residuals since the moment show; `weight` shrinks steps that rest on less than the past did. Steps that were shown
    /// before in the same form cost the e-process nothing again.
    #[must_use]
    pub fn show(&self, run: &mut Run, since: &[f64], weight: &[f64], rivals: &Rivals) -> Shown {
        let v: Vec<f64> = since.iter().zip(weight).map(|(e, w)| (e - self.level) * w).collect();
        let means = self.asked.shape.means(&v);
        let deviations = |means: &Means| match &self.reference {
            Some(reference) => reference.deviations(means),
            None => vec![f64::NEG_INFINITY; means.len()],
        };
        let uncapped = deviations(&means);
        let capped_means = rivals.cap(means);
        let deviation = deviations(&capped_means);
        // The bets are made on single steps, so they are fed what rivals leave of single steps.
        let left: Vec<f64> =
            capped_means.iter().zip(since).map(|(row, e)| if e.is_finite() { self.level + row[0] } else { f64::NAN }).collect();
        Shown { deviation, uncapped, ln_e: self.evidence(run, &left), means: capped_means }
    }

    fn evidence(&self, run: &mut Run, since: &[f64]) -> Vec<f64> {
        let Some(bets) = &self.bets else { return Vec::new() };
        let grace = self.asked.shape.grace.min(since.len());
        let series = followed(&self.past, since, grace);
        for h in grace..since.len() {
            let z = bets.whitener.standardised(&series, series.len() - since.len() + h);
            let place = h - grace;
            if run.fed.get(place).is_some_and(|fed| fed.to_bits() == z.to_bits()) {
                continue;
            }
            run.fed.truncate(place);
            run.states.truncate(place);
            let mut state = run.states.last().cloned().unwrap_or_else(|| Wealth::new(self.asked.direction));
            state.step(z);
            run.fed.push(z);
            run.states.push(state);
        }
        let looks = run.states.iter().take(since.len() - grace).map(Wealth::ln_e);
        std::iter::repeat_n(0.0, grace).chain(looks).collect()
    }

    /// The threshold of the e-process at a budget, of which `streams` take part.
    #[must_use]
    pub fn evidence_threshold(&self, alpha: f64, streams: f64) -> Option<f64> {
        self.bets.as_ref().map(|bets| wealth::threshold(bets.reached, alpha, streams) * (APART / bets.apart).clamp(1.0, 2.0))
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
        let whitener = Whitener::fit(past, asked.heavy)?;
        let innovations: Vec<f64> = (3..past.len()).map(|t| whitener.standardised(past, t)).collect();
        let length = asked.shape.horizon.saturating_sub(asked.shape.grace).max(1);
        let stride = (innovations.len().saturating_sub(length) / 24).clamp(1, 12);
        let maxima = wealth::guard(&innovations, length, stride, asked.direction, STRETCHES_MIN)?;
        Some(Bets { whitener, reached: wealth::reached(&maxima), apart: innovations.len() as f64 / length as f64 })
    }
}

fn means_at(past: &[f64], shape: &Shape, at: usize) -> Means {
    let level = shape.level(past, at);
    let v: Vec<f64> = past[at..at + shape.horizon].iter().map(|e| e - level).collect();
    shape.means(&v)
}

/// What single peers show in the same windows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rivals {
    /// How far the target moved from its level before the moment.
    pub own: Means,
    /// The same minus how far each peer moved.
    pub differences: Vec<Means>,
}

impl Rivals {
    /// What is left of each mean when rivals have had their say: the one nearer to zero of it and of the differences to nearly all
    /// rivals, zero where the signs differ. A quarter of the rivals may disagree: one sick peer of four or more decides nothing. Where
    /// all moved far, they do not move by exactly the same: a part of the common movement is allowed for.
    fn cap(&self, mut means: Means) -> Means {
        let mut differences = Vec::with_capacity(self.differences.len());
        for (look, row) in means.iter_mut().enumerate() {
            for (width, mean) in row.iter_mut().enumerate() {
                differences.clear();
                differences.extend(self.differences.iter().filter_map(|r| r.get(look)).map(|r| r[width]).filter(|d| d.is_finite()));
                if differences.len() < 2 {
                    continue;
                }
                differences.sort_unstable_by(f64::total_cmp);
                let last = differences.len() - 1;
                let spared = differences.len() / 4;
                let middle = 0.5 * (differences[last / 2] + differences[last.div_ceil(2)]);
                let common = self.own[look][width] - middle;
                let allowed = if common.is_finite() { ALLOWED * common.abs() } else { 0.0 };
                *mean = if *mean > 0.0 {
                    (mean.min(differences[spared]) - allowed).max(0.0)
                } else {
                    (mean.max(differences[last - spared]) + allowed).min(0.0)
                };
            }
        }
        means
    }
}

/// The last steps of the past and what followed, where the grace is replaced by the last value before it.
fn followed(past: &[f64], since: &[f64], grace: usize) -> Vec<f64> {
    let before = &past[past.len().saturating_sub(8)..];
    let last = past.iter().rev().copied().find(|v| v.is_finite()).unwrap_or(0.0);
    let graced = since.iter().enumerate().map(|(h, e)| if h < grace { last } else { *e });
    before.iter().copied().chain(graced).collect()
}

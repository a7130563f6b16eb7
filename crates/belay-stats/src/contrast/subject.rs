//! A series judged by itself: a treated one, or a peer as if it were treated.

use super::moved::Moved;
use super::{Others, Question};
use crate::law::Nature;
use crate::panel::{Calendar, Design, Panel, Predictor};
use crate::placebo::Shape;
use crate::robust::{finite, middle_in_place};
use crate::track::{Betting, Shown, Stream, Track};
use crate::transform::Scale;

#[derive(Debug, Clone)]
pub(super) struct Subject {
    pub(super) scale: Scale,
    pub(super) centre: f64,
    pub(super) onset: usize,
    pub(super) predictor: Predictor,
    pub(super) past: Vec<f64>,
    /// Where its residuals were before its moment, and its usual value in its own unit.
    pub(super) home: (f64, f64),
    /// Its own level before its moment, and that of each peer then, where peers may contradict it.
    pub(super) levels: (f64, Vec<f64>),
    pub(super) track: Option<Track>,
    pub(super) bets: bool,
    pub(super) moved: Moved,
    pub(super) stream: Stream,
}

impl Subject {
    pub(super) fn fit(
        question: Question,
        past: &[f64],
        (scale, centre): (Scale, f64),
        onset: usize,
        (panel, design): (&Panel, &Design),
    ) -> Option<Subject> {
        let calendar = Calendar { season: question.season, until: onset };
        let (predictor, residuals) = Predictor::fit(past, panel, design, calendar)?;
        let level = |series: &[f64]| question.shape.level(series, onset.min(series.len()));
        let rivals = if question.others == Others::Siblings { 0 } else { panel.len() };
        let levels = (level(past), (0..rivals).map(|j| level(panel.member(j))).collect());
        let (moved, stream) = (Moved::default(), Stream::default());
        let home = (question.shape.level(&residuals, residuals.len()), scale.inverse(centre));
        Some(Subject { scale, centre, onset, predictor, past: residuals, home, levels, track: None, bets: false, moved, stream })
    }

    /// Makes it one that is judged by itself; by bets too, once its windows lean the way of harm.
    pub(super) fn calibrate(&mut self, question: Question, bets: bool) {
        let from = question.season.unwrap_or(0);
        self.track = Some(Track::calibrate(&self.past, from, question.asked(self.scale.floor()), Betting::No));
        self.bets = bets;
    }

    /// What it shows by itself, where it is judged by itself.
    pub(super) fn shown(&self) -> Option<&Shown> {
        self.track.as_ref().map(|_| self.stream.shown())
    }

    /// The past, its end moved to the origin.
    pub(super) fn aligned_past(&self, origin: usize) -> &[f64] {
        &self.past[self.onset - origin..]
    }

    /// Takes its value at a step of the panel, which begins at `origin` and is this look for it.
    pub(super) fn take(&mut self, own: f64, panel: &Panel, (step, origin): (usize, usize), look: usize, storms: (f64, f64)) {
        let peers = self.levels.1.len();
        self.moved.residuals.push(self.predictor.residual(own, panel, step, origin));
        let moved = own - self.levels.0;
        self.moved.own.push(moved);
        self.moved.storms.push(storms);
        self.moved.differences.extend((0..peers).map(|j| moved - (panel.member(j)[step] - self.levels.1[j])));
        if let Some(track) = &mut self.track {
            track.follow(&mut self.stream, &self.moved.step(look, peers));
            // Of many hosts most never lean the way of harm: what bets on them would say is not asked.
            if self.bets && self.stream.leaned() {
                track.begin_to_bet(&self.past);
                track.bet(&mut self.stream);
            }
        }
    }

    /// Forgets its looks from this one on.
    pub(super) fn truncate(&mut self, looks: usize) {
        self.moved.residuals.truncate(looks);
        self.moved.own.truncate(looks);
        self.moved.storms.truncate(looks);
        self.moved.differences.truncate(looks * self.levels.1.len());
        self.stream.truncate(looks);
        if !self.stream.leaned() {
            self.stream.unbet();
        }
    }

    /// How far it moved from its level before, on average over the looks that count.
    pub(super) fn distance(&self, shape: Shape) -> f64 {
        let level = self.home.0;
        let there = self.moved.residuals.iter().skip(shape.grace).filter(|e| e.is_finite());
        let (sum, count) = there.fold((0.0, 0.0_f64), |(sum, count), e| (sum + (e - level).abs(), count + 1.0));
        sum / count.max(1.0)
    }
}

pub(super) fn scale(nature: Nature, past: &[f64]) -> (Scale, f64) {
    let mut there = finite(past);
    let middle = middle_in_place(&mut there);
    let scale = match nature {
        Nature::Proportional if past.iter().any(|v| *v < 0.0) => Scale::proportional(past),
        // Of values that are not below zero the usual size is the usual value.
        Nature::Proportional => Scale::of_level(middle.map_or(0.0, |(lower, upper)| f64::midpoint(lower, upper))),
        Nature::Counted => Scale::Root,
    };
    // Scales rise with their values, so that the median of all is made of the middle two.
    let centre = middle.map_or(0.0, |(lower, upper)| f64::midpoint(scale.of(lower), scale.of(upper)));
    (scale, centre)
}

pub(super) fn transformed(values: &[f64], (scale, centre): (Scale, f64)) -> Vec<f64> {
    values.iter().map(|v| scale.of(*v) - centre).collect()
}

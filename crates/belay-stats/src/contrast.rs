//! Series that something happened to, beside series it did not happen to: did they get worse because of it?
//!
//! Each treated series has its own moment. Its residual against the peers is taken in calendar time, because seasons and common shocks
//! live there; residuals are averaged in time since the moment. With one common moment that is the plain mean.

use crate::panel::{Calendar, Panel, Predictor};
use crate::placebo::Shape;
use crate::robust::median;
use crate::share::Direction;
use crate::track::{Asked, Betting, Rivals, Run, Shown, Track};
use crate::transform::Scale;

/// Peers that are judged as if they were treated, at most.
const JURY_MAX: usize = 12;

/// How values are made comparable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nature {
    /// Noise in proportion to the level.
    Proportional,
    /// Counts.
    Counted,
}

/// What is asked of a contrast.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Question {
    /// What the values are.
    pub nature: Nature,
    /// Which way is worse.
    pub direction: Direction,
    /// Steps of a season, where the past holds at least two.
    pub season: Option<usize>,
    /// Windows and looks.
    pub shape: Shape,
}

/// A treated series: values in calendar steps (NaN is missing), and the step at which it happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Treated {
    /// Its values.
    pub values: Vec<f64>,
    /// The first step since it happened.
    pub onset: usize,
}

#[derive(Debug, Clone)]
struct Subject {
    scale: Scale,
    centre: f64,
    onset: usize,
    predictor: Predictor,
    past: Vec<f64>,
    /// Its own level before its moment, and that of each peer then.
    levels: (f64, Vec<f64>),
    track: Option<Track>,
    run: Run,
}

/// A contrast, calibrated on the past: made once, looked at as often as values arrive.
#[derive(Debug, Clone)]
pub struct Contrast {
    question: Question,
    subjects: Vec<Option<Subject>>,
    peers: Vec<(Scale, f64)>,
    panel_past: Panel,
    /// The step of the earliest moment: time since the moment is counted from here.
    origin: usize,
    group: Track,
    /// How far the bets on the mean have run, and those on the mean without the one that moved most.
    runs: (Run, Run),
    jury: Vec<Option<Subject>>,
}

/// What a contrast shows at the last look.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// The mean of the treated.
    pub group: Shown,
    /// Each treated series by itself; none where its past is too short, or where there is only one.
    pub hosts: Vec<Option<Shown>>,
    /// With several: which one moved most, and the mean of the others.
    pub rest: Option<(usize, Shown)>,
}

impl Contrast {
    /// What a deviation of the mean of the treated is in the unit of the values: from the level at which they usually are to where such
    /// a shift takes them; both are means over the treated.
    #[must_use]
    pub fn in_units(&self, shift: f64) -> (f64, f64) {
        let there: Vec<&Subject> = self.subjects.iter().flatten().collect();
        let level = |s: &Subject| s.scale.inverse(s.centre);
        let n = there.len().max(1) as f64;
        (there.iter().map(|s| level(s)).sum::<f64>() / n, there.iter().map(|s| s.scale.shifted(level(s), shift)).sum::<f64>() / n)
    }

    /// By how much the mean of the treated moves on the common scale when every value moves by this part of its level.
    #[must_use]
    pub fn relative(&self, part: f64) -> f64 {
        let moved = |s: &Subject| {
            let level = s.scale.inverse(s.centre);
            s.scale.of(level + part * level.abs()) - s.scale.of(level)
        };
        let there: Vec<f64> = self.subjects.iter().flatten().map(moved).collect();
        there.iter().sum::<f64>() / there.len().max(1) as f64
    }

    /// Calibrates on the past. `None` if no treated series has enough of it.
    #[must_use]
    pub fn prepare(question: Question, treated: &[Treated], peers: &[Vec<f64>]) -> Option<Contrast> {
        let origin = treated.iter().map(|t| t.onset).min()?;
        let scales: Vec<(Scale, f64)> = peers.iter().map(|values| scale(question.nature, &values[..origin.min(values.len())])).collect();
        let panel = Panel::of(peers.iter().zip(&scales).map(|(values, s)| transformed(values, *s)).collect());
        let subjects: Vec<Option<Subject>> = treated
            .iter()
            .map(|t| {
                let onset = t.onset.min(t.values.len());
                let own = scale(question.nature, &t.values[..onset]);
                Subject::fit(question, &transformed(&t.values[..onset], own), own, onset, &panel)
            })
            .collect();
        let past = mean(&subjects.iter().flatten().map(|s| s.aligned_past(origin)).collect::<Vec<_>>(), origin)?;
        let floor = scales.first().map_or_else(|| subjects.iter().flatten().next().map_or(0.02, |s| s.scale.floor()), |s| s.0.floor());
        let group = Track::calibrate(past, question.season.unwrap_or(0), question.asked(floor), Betting::Yes);
        let mut contrast =
            Contrast { question, subjects, peers: scales, panel_past: panel, origin, group, runs: Default::default(), jury: Vec::new() };
        if contrast.subjects.len() > 1 {
            contrast.subjects.iter_mut().flatten().for_each(|subject| subject.calibrate(question, Betting::Yes));
        }
        Some(contrast)
    }

    /// The mean of the treated, calibrated.
    #[must_use]
    pub fn group(&self) -> &Track {
        &self.group
    }

    /// A treated series, calibrated by itself.
    #[must_use]
    pub fn host(&self, index: usize) -> Option<&Track> {
        self.subjects.get(index)?.as_ref()?.track.as_ref()
    }

    /// How many steps after the earliest moment a treated series had its own.
    #[must_use]
    pub fn late(&self, index: usize) -> Option<usize> {
        Some(self.subjects.get(index)?.as_ref()?.onset - self.origin)
    }

    /// The step of the earliest moment.
    #[must_use]
    pub fn origin(&self) -> usize {
        self.origin
    }

    /// What the values up to now show; all series reach to the same step.
    #[must_use]
    pub fn look(&mut self, treated: &[Treated], peers: &[Vec<f64>]) -> View {
        let panel = self.panel(peers);
        let origin = self.origin;
        let alone = self.subjects.len() == 1;
        let looks = treated.iter().map(|t| t.values.len()).max().unwrap_or(origin).saturating_sub(origin).min(self.question.shape.horizon);
        let mut all: Vec<(usize, Moved)> = Vec::new();
        let mut hosts = Vec::new();
        for (index, (subject, t)) in self.subjects.iter_mut().zip(treated).enumerate() {
            let Some(subject) = subject else {
                hosts.push(None);
                continue;
            };
            let own = subject.own(&t.values, origin);
            let moved = subject.since(&own, &panel, subject.onset - origin, looks);
            hosts.push(if alone { None } else { subject.shown(&moved, self.question.shape) });
            all.push((index, moved));
        }
        let everyone: Vec<&Moved> = all.iter().map(|(_, moved)| moved).collect();
        let group = Moved::mean_of(&everyone, everyone.len(), looks).shown(&self.group, &mut self.runs.0, self.question.shape);
        let most = all.iter().max_by(|a, b| self.distance(a).total_cmp(&self.distance(b))).map(|(index, _)| *index);
        let rest = most.filter(|_| everyone.len() > 1).map(|most| {
            let others: Vec<&Moved> = all.iter().filter(|(index, _)| *index != most).map(|(_, moved)| moved).collect();
            (most, Moved::mean_of(&others, everyone.len(), looks).shown(&self.group, &mut self.runs.1, self.question.shape))
        });
        View { group, hosts, rest }
    }

    /// How far a treated series moved from its level before, on average over the steps that count.
    fn distance(&self, (index, moved): &(usize, Moved)) -> f64 {
        let level = self.subjects[*index].as_ref().map_or(0.0, |s| self.question.shape.level(&s.past, s.past.len()));
        let there = || moved.residuals.iter().skip(self.question.shape.grace).filter(|e| e.is_finite()).map(|e| (e - level).abs());
        there().sum::<f64>() / there().count().max(1) as f64
    }

    /// How many peers would look like that: each peer judged as if it were treated. Deviations at each look since the origin.
    #[must_use]
    pub fn jury(&mut self, peers: &[Vec<f64>]) -> Vec<Vec<f64>> {
        if self.peers.len() < 2 {
            return Vec::new();
        }
        if self.jury.is_empty() {
            for member in 0..self.peers.len().min(JURY_MAX) {
                let others = self.panel_past.without(member);
                let row = &self.panel_past.member(member)[..self.origin];
                let mut subject = Subject::fit(self.question, row, self.peers[member], self.origin, &others);
                if let Some(subject) = &mut subject {
                    subject.calibrate(self.question, Betting::No);
                }
                self.jury.push(subject);
            }
        }
        let panel = self.panel(peers);
        let (origin, horizon) = (self.origin, self.question.shape.horizon);
        let steps = peers.first().map_or(0, Vec::len);
        let looks = steps.saturating_sub(origin).min(horizon);
        let mut all = Vec::new();
        for (member, subject) in self.jury.iter_mut().enumerate() {
            let Some(subject) = subject else { continue };
            let others = panel.without(member);
            let moved = subject.since(panel.member(member), &others, 0, looks);
            if let Some(shown) = subject.shown(&moved, self.question.shape) {
                all.push(shown.deviation);
            }
        }
        all
    }

    /// The panel since the origin.
    fn panel(&self, peers: &[Vec<f64>]) -> Panel {
        let since = |(values, s): (&Vec<f64>, &(Scale, f64))| transformed(&values[self.origin.min(values.len())..], *s);
        Panel::of(peers.iter().zip(&self.peers).map(since).collect())
    }
}

impl Question {
    fn asked(&self, floor: f64) -> Asked {
        let heavy = if self.nature == Nature::Counted { 0.5 } else { 0.25 };
        Asked { shape: self.shape, direction: self.direction, floor, heavy }
    }
}

impl Subject {
    fn fit(question: Question, past: &[f64], (scale, centre): (Scale, f64), onset: usize, panel: &Panel) -> Option<Subject> {
        let calendar = Calendar { season: question.season, until: onset };
        let predictor = Predictor::fit(past, panel, calendar)?;
        let residuals = predictor.residuals(past, panel, 0);
        let level = |series: &[f64]| question.shape.level(series, onset.min(series.len()));
        let levels = (level(past), (0..panel.len()).map(|j| level(panel.member(j))).collect());
        Some(Subject { scale, centre, onset, predictor, past: residuals, levels, track: None, run: Run::default() })
    }

    fn calibrate(&mut self, question: Question, betting: Betting) {
        let from = question.season.unwrap_or(0);
        self.track = Some(Track::calibrate(self.past.clone(), from, question.asked(self.scale.floor()), betting));
    }

    /// The past, its end moved to the origin.
    fn aligned_past(&self, origin: usize) -> Vec<f64> {
        self.past[self.onset - origin..].to_vec()
    }

    /// Its values since the origin, on its scale.
    fn own(&self, values: &[f64], origin: usize) -> Vec<f64> {
        transformed(&values[origin.min(values.len())..], (self.scale, self.centre))
    }

    /// Since its own moment, which is `late` steps after the origin.
    fn since(&self, own: &[f64], panel: &Panel, late: usize, looks: usize) -> Moved {
        let end = own.len().min(late + looks);
        let from = late.min(end);
        let residuals = self.predictor.residuals_since(&own[..end], panel, from, self.onset - late);
        let moved = |t: usize| own[t] - self.levels.0;
        let difference = |j: usize, t: usize| moved(t) - (panel.member(j)[t] - self.levels.1[j]);
        let differences = (0..panel.len()).map(|j| (from..end).map(|t| difference(j, t)).collect()).collect();
        Moved { weight: vec![1.0; residuals.len()], residuals, own: (from..end).map(moved).collect(), differences }
    }

    fn shown(&mut self, moved: &Moved, shape: Shape) -> Option<Shown> {
        Some(moved.shown(self.track.as_ref()?, &mut self.run, shape))
    }
}

/// What a series did since its moment.
struct Moved {
    /// Against its prediction.
    residuals: Vec<f64>,
    /// How much each step counts: less where it rests on less than the past did.
    weight: Vec<f64>,
    /// Against its level before.
    own: Vec<f64>,
    /// The same, minus what each peer did.
    differences: Vec<Vec<f64>>,
}

impl Moved {
    /// The mean of several, where the reference is that of `whole` series: a mean over fewer is noisier, and counts by the root of its part.
    fn mean_of(all: &[&Moved], whole: usize, steps: usize) -> Moved {
        let of = |part: &dyn Fn(&Moved) -> &Vec<f64>| mean(&all.iter().map(|m| part(m)).collect::<Vec<_>>(), steps).unwrap_or_default();
        let there = |t: usize| all.iter().filter(|m| m.residuals.get(t).is_some_and(|v| v.is_finite())).count();
        let peers = all.first().map_or(0, |m| m.differences.len());
        Moved {
            residuals: of(&|m| &m.residuals),
            weight: (0..steps).map(|t| (there(t) as f64 / whole.max(1) as f64).sqrt()).collect(),
            own: of(&|m| &m.own),
            differences: (0..peers).map(|j| of(&|m| &m.differences[j])).collect(),
        }
    }

    fn shown(&self, track: &Track, run: &mut Run, shape: Shape) -> Shown {
        let rivals = Rivals { own: shape.means(&self.own), differences: self.differences.iter().map(|d| shape.means(d)).collect() };
        track.show(run, &self.residuals, &self.weight, &rivals)
    }
}

fn scale(nature: Nature, past: &[f64]) -> (Scale, f64) {
    let scale = match nature {
        Nature::Proportional => Scale::proportional(past),
        Nature::Counted => Scale::Root,
    };
    let there: Vec<f64> = past.iter().filter(|v| v.is_finite()).map(|v| scale.of(*v)).collect();
    (scale, median(&there).unwrap_or(0.0))
}

fn transformed(values: &[f64], (scale, centre): (Scale, f64)) -> Vec<f64> {
    values.iter().map(|v| scale.of(*v) - centre).collect()
}

/// At each step the mean over those that reach it and were seen; none of nothing.
fn mean<V: AsRef<[f64]>>(all: &[V], steps: usize) -> Option<Vec<f64>> {
    let at = |t: usize| {
        let there = || all.iter().filter_map(|v| v.as_ref().get(t)).filter(|v| v.is_finite());
        let n = there().count();
        if n == 0 { f64::NAN } else { there().sum::<f64>() / n as f64 }
    };
    (!all.is_empty()).then(|| (0..steps).map(at).collect())
}

#[cfg(test)]
mod tests;

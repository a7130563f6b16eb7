//! Series that something happened to, beside series it did not happen to: did they get worse because of it?
//!
//! Each treated series has its own moment. Its residual against the peers is taken in calendar time, because seasons and common shocks
//! live there; residuals are averaged in time since the moment. With one common moment that is the plain mean.
//!
//! What was followed once is kept: a look at one more step costs that step. Where values that were seen before differ now, what rests on
//! them is followed anew, so that a contrast shows the same however often it was looked at.

mod gaps;
mod jury;
mod moved;
mod subject;

use self::gaps::{held, last, told};
use self::jury::Juror;
use self::moved::{Moved, Sum, mean_of};
use self::subject::{Subject, scale, transformed};
use crate::law::Nature;
use crate::panel::{Design, Panel};
use crate::placebo::Shape;
use crate::ridge::dot;
use crate::robust::{centre_and_mad, finite};
use crate::share::Direction;
use crate::track::{Asked, Betting, Shown, Stream, Track};
use crate::transform::Scale;
use crate::weather::Weather;

/// How much of a say single peers have in what one of several treated series does by itself: all of it in any weather. Of many series one
/// always looks odd to a regression that was fitted too well.
const ALONE: f64 = 1.0;

/// What the series beside the treated ones are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Others {
    /// The same of others that were not treated: what they do together is nobody's harm.
    Peers,
    /// Other things of the treated ones themselves: they tell what each should be, and no more.
    Siblings,
}

/// What is asked of a contrast.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Question {
    /// What the values are.
    pub nature: Nature,
    /// What stands beside them.
    pub others: Others,
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
    /// Usual size of one residual of the mean of the treated.
    noise: f64,
    /// The values since the origin that were seen, treated series first.
    seen: Vec<Vec<f64>>,
    /// The peers since the origin.
    panel: Panel,
    /// What strikes all of them, where there are several and their past can say what is usual.
    weather: Option<Weather>,
    /// At each step since the origin that was followed, how much of a say single peers had.
    storms: Vec<f64>,
    mean: Stream,
    /// For each treated series the mean of the others, as far as it was asked for, and which one was asked for last.
    rests: Vec<Stream>,
    most: Option<usize>,
    jury: Option<Vec<Juror>>,
}

/// What a contrast shows at the last look.
#[derive(Debug, Clone, PartialEq)]
pub struct View<'c> {
    /// The mean of the treated.
    pub group: &'c Shown,
    /// Each treated series by itself; none where its past is too short, or where there is only one.
    pub hosts: Vec<Option<&'c Shown>>,
    /// With several, where it was asked for: which one moved most, and the mean of the others.
    pub rest: Option<(usize, &'c Shown)>,
}

impl Contrast {
    /// What a deviation of the mean of the treated is in the unit of the values: from the level at which they usually are to where such
    /// a shift takes them; both are means over the treated.
    #[must_use]
    pub fn in_units(&self, shift: f64) -> (f64, f64) {
        let there = || self.subjects.iter().flatten();
        let n = there().count().max(1) as f64;
        let shifted = there().map(|s| s.scale.shifted(s.home.1, shift)).sum::<f64>();
        (there().map(|s| s.home.1).sum::<f64>() / n, shifted / n)
    }

    /// As [`Contrast::in_units`], of one treated series; none where it is not judged by itself.
    #[must_use]
    pub fn one_in_units(&self, index: usize, shift: f64) -> Option<(f64, f64)> {
        let subject = self.subjects.get(index)?.as_ref()?;
        Some((subject.home.1, subject.scale.shifted(subject.home.1, shift)))
    }

    /// By how much the mean of the treated moves on the common scale when every value moves by this part of its level.
    #[must_use]
    pub fn relative(&self, part: f64) -> f64 {
        let moved = |s: &Subject| {
            let level = s.home.1;
            s.scale.of(level + part * level.abs()) - s.scale.of(level)
        };
        let there: Vec<f64> = self.subjects.iter().flatten().map(moved).collect();
        there.iter().sum::<f64>() / there.len().max(1) as f64
    }

    /// Calibrates on the past. `None` if no treated series has enough of it.
    #[must_use]
    pub fn prepare(question: Question, treated: &[Treated], peers: &[Vec<f64>]) -> Option<Contrast> {
        let origin = treated.iter().map(|t| t.onset).min()?;
        let last = treated.iter().map(|t| t.onset.min(t.values.len())).max()?;
        let scales: Vec<(Scale, f64)> = peers.iter().map(|values| scale(question.nature, &values[..origin.min(values.len())])).collect();
        let past = |values: &Vec<f64>, s: &(Scale, f64)| transformed(&values[..last.min(values.len())], *s);
        let panel = Panel::of(held(peers.iter().zip(&scales).map(|(values, s)| past(values, s)).collect()));
        let design = Design::of(&panel, question.season, origin.min(last), last);
        let mut subjects: Vec<Option<Subject>> = treated
            .iter()
            .map(|t| {
                let onset = t.onset.min(t.values.len());
                let own = scale(question.nature, &t.values[..onset]);
                Subject::fit(question, &transformed(&t.values[..onset], own), own, onset, (&panel, &design))
            })
            .collect();
        let past = mean(&subjects.iter().flatten().map(|s| s.aligned_past(origin)).collect::<Vec<_>>(), origin)?;
        let floor = scales.first().map_or_else(|| subjects.iter().flatten().next().map_or(0.02, |s| s.scale.floor()), |s| s.0.floor());
        let group = Track::calibrate(&past, question.season.unwrap_or(0), question.asked(floor), Betting::Yes);
        let noise = size(&past[question.season.unwrap_or(0).min(past.len())..]);
        let weather = if peers.len() < 2 || question.others == Others::Siblings {
            None
        } else {
            Weather::of(&panel, question.season, question.shape, origin.min(last), floor)
        };
        if subjects.len() > 1 {
            subjects.iter_mut().flatten().for_each(|subject| subject.calibrate(question, true));
        }
        Some(Contrast {
            question,
            seen: vec![Vec::new(); treated.len() + peers.len()],
            panel: Panel::empty(peers.len()),
            weather,
            storms: Vec::new(),
            mean: Stream::default(),
            rests: vec![Stream::default(); subjects.len()],
            most: None,
            subjects,
            peers: scales,
            panel_past: panel,
            origin,
            group,
            noise,
            jury: None,
        })
    }

    /// How many others may contradict what a treated series does.
    fn rivals(&self) -> usize {
        if self.question.others == Others::Siblings { 0 } else { self.peers.len() }
    }

    /// The mean of the treated, calibrated.
    #[must_use]
    pub fn group(&self) -> &Track {
        &self.group
    }

    /// Usual size of one residual of the mean of the treated.
    #[must_use]
    pub fn noise(&self) -> f64 {
        self.noise
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

    /// Takes in the values up to now; all series reach to the same step.
    pub fn look(&mut self, treated: &[Treated], peers: &[Vec<f64>]) {
        let since = |values: &'_ Vec<f64>| values[self.origin.min(values.len())..].to_vec();
        let all: Vec<Vec<f64>> = treated.iter().map(|t| &t.values).chain(peers).map(since).collect();
        self.look_since(&all);
    }

    /// As [`Contrast::look`], given the values since the origin alone: those of the treated series, then those of the peers.
    pub fn look_since(&mut self, all: &[Vec<f64>]) {
        self.see(all);
        let storms: Vec<f64> = (0..self.steps()).map(|step| self.storm(step).unwrap_or(1.0)).collect();
        self.follow(&storms);
    }

    /// Takes in the values since the origin without weighing them: what struck the peers is known then ([`Contrast::storm`]), and
    /// [`Contrast::follow`] comes next.
    pub fn see(&mut self, all: &[Vec<f64>]) {
        let steps = all.iter().map(Vec::len).max().unwrap_or(0);
        let same = |(a, b): (&Vec<f64>, &Vec<f64>)| a.iter().zip(b).take_while(|(a, b)| a.to_bits() == b.to_bits()).count();
        let known = self.seen.iter().zip(all).map(same).min().unwrap_or(0);
        if known < self.steps() {
            self.seen.iter_mut().for_each(|values| values.truncate(known));
            self.panel.truncate(known);
            self.weather.iter_mut().for_each(|weather| weather.truncate(known));
            self.unfollow(known);
        }
        let treated = self.subjects.len();
        for step in known..steps {
            let value = |row: usize| all[row].get(step).copied().unwrap_or(f64::NAN);
            self.seen.iter_mut().enumerate().for_each(|(row, seen)| seen.push(value(row)));
            let peers = &self.seen[treated..];
            let any = told(peers.iter().map(|seen| seen[step]));
            let of_peer = |((scale, centre), seen): (&(Scale, f64), &Vec<f64>)| scale.of(last(seen, any)) - centre;
            self.panel.push(self.peers.iter().zip(peers).map(of_peer));
            self.weather.iter_mut().for_each(|weather| weather.take(&self.panel, step, self.origin));
        }
    }

    /// Steps since the origin that were seen.
    fn steps(&self) -> usize {
        self.seen.iter().map(Vec::len).max().unwrap_or(0)
    }

    /// How unusual it is what the peers did up to a step since the origin, from nothing (0) to a storm (1); none where they cannot say.
    #[must_use]
    pub fn storm(&self, step: usize) -> Option<f64> {
        self.weather.as_ref()?.storms().get(step).copied()
    }

    /// Weighs what was seen. `storms`: at each step since the origin how much of a say single peers have, in this signal's weather and
    /// that of others.
    pub fn follow(&mut self, storms: &[f64]) {
        // Where it is not said, single peers have all of it.
        let say = |step: usize| storms.get(step).copied().unwrap_or(1.0);
        let known = (0..self.storms.len()).take_while(|step| self.storms[*step].to_bits() == say(*step).to_bits()).count();
        if known < self.storms.len() {
            self.unfollow(known);
        }
        let steps = self.steps();
        for step in known..steps {
            self.storms.push(say(step));
            self.take(step, say(step));
        }
        self.add_up(steps);
    }

    /// Forgets what was weighed from this step on, counted from the origin.
    fn unfollow(&mut self, steps: usize) {
        self.storms.truncate(steps);
        self.subjects.iter_mut().flatten().for_each(|subject| subject.truncate(steps.saturating_sub(subject.onset - self.origin)));
        for juror in self.jury.iter_mut().flatten() {
            juror.others.truncate(steps);
            juror.subject.truncate(steps);
        }
        self.unsure_from(steps);
    }

    /// What is added up over treated series is final up to the step that the last of them has reached.
    fn unsure_from(&mut self, step: usize) {
        let final_ones = self.subjects.iter().flatten().map(|s| (step + self.origin).saturating_sub(s.onset)).min().unwrap_or(0);
        self.rests.iter_mut().chain([&mut self.mean]).for_each(|stream| stream.truncate(final_ones));
    }

    /// Follows each treated series by one step.
    fn take(&mut self, step: usize, storm: f64) {
        self.unsure_from(step);
        for (row, subject) in self.subjects.iter_mut().enumerate() {
            let Some(subject) = subject else { continue };
            if let Some(look) = (self.origin + step).checked_sub(subject.onset).filter(|look| *look < self.question.shape.horizon) {
                let own = subject.scale.of(self.seen[row][step]) - subject.centre;
                subject.take(own, &self.panel, (step, self.origin), look, (storm, ALONE));
            }
        }
    }

    /// Follows the mean of the treated to the last step.
    fn add_up(&mut self, steps: usize) {
        let looks = steps.min(self.question.shape.horizon);
        let there = self.subjects.iter().enumerate().filter_map(|(i, subject)| Some((i, subject.as_ref()?)));
        let everyone: Vec<(usize, &Moved)> = there.map(|(i, subject)| (i, &subject.moved)).collect();
        let mut sum = Sum { whole: everyone.len(), peers: self.rivals(), differences: Vec::with_capacity(self.rivals()) };
        for look in self.mean.len()..looks {
            self.group.follow(&mut self.mean, &sum.step(&everyone, look));
            self.group.bet(&mut self.mean);
        }
        self.most = None;
    }

    /// Asks what the mean would show without the one that moved most; from then on until more is taken in, views tell it.
    pub fn ask_rest(&mut self) {
        let there = self.subjects.iter().enumerate().filter_map(|(i, subject)| Some((i, subject.as_ref()?)));
        let whole = there.clone().count();
        if whole < 2 {
            return;
        }
        let far = there.clone().map(|(i, subject)| (i, subject.distance(self.question.shape)));
        let Some((most, _)) = far.max_by(|a, b| a.1.total_cmp(&b.1)) else { return };
        let others: Vec<(usize, &Moved)> = there.filter(|(i, _)| *i != most).map(|(i, subject)| (i, &subject.moved)).collect();
        let mut sum = Sum { whole, peers: self.rivals(), differences: Vec::with_capacity(self.rivals()) };
        let rest = &mut self.rests[most];
        for look in rest.len()..self.mean.len() {
            self.group.follow(rest, &sum.step(&others, look));
            self.group.bet(rest);
        }
        self.most = Some(most);
    }

    /// What the values taken in so far show.
    #[must_use]
    pub fn view(&self) -> View<'_> {
        View {
            group: self.mean.shown(),
            hosts: self.subjects.iter().map(|subject| subject.as_ref().and_then(Subject::shown)).collect(),
            rest: self.most.map(|most| (most, self.rests[most].shown())),
        }
    }

    /// What one of the treated shows by itself; none where it is not judged by itself.
    #[must_use]
    pub fn shown(&self, index: usize) -> Option<&Shown> {
        self.subjects.get(index)?.as_ref()?.shown()
    }
}

impl Question {
    fn asked(&self, floor: f64) -> Asked {
        Asked { shape: self.shape, direction: self.direction, floor, nature: self.nature }
    }
}

/// How large values usually are, and no less than the robust size says.
fn size(values: &[f64]) -> f64 {
    let mut there = finite(values);
    let rms = (dot(&there, &there) / there.len().max(1) as f64).sqrt();
    centre_and_mad(&mut there, rms).map_or(0.0, |(_, mad)| mad).max(rms)
}

/// At each step the mean over those that reach it and were seen; none of nothing.
fn mean(all: &[&[f64]], steps: usize) -> Option<Vec<f64>> {
    let at = |t: usize| mean_of(all.iter().filter_map(|v| v.get(t).copied()));
    (!all.is_empty()).then(|| (0..steps).map(at).collect())
}

#[cfg(test)]
mod tests;

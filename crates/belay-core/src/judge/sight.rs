//! A signal as the checks see it: one row of steps a host, each row knowing where its own change
//! is. Hosts of a wave change at different moments, so "since the change" is per host; peers and
//! treated hosts share the calendar, so rows have a common beginning.
//!
//! Rows are laid out once and grow with what comes; what checks ask of the past of a row is kept with it.

use std::cell::OnceCell;

use super::known::Known;
use super::spoilt::{Left, Steps, left};
use super::window::InOrder;
use crate::model::change::{Nearness, Peer, Trial};
use crate::model::ids::HostId;
use crate::model::signal::{Sample, Signal, Window};
use crate::model::time::{Span, Timestamp};
use crate::model::verdict::Numbers;

/// A signal of a trial, ready to be looked at.
pub(super) struct Sight<'a> {
    /// The signal.
    pub(super) signal: &'a Signal,
    /// Start of step 0.
    pub(super) from: Timestamp,
    /// Number of steps.
    pub(super) steps: usize,
    /// Hosts that changed, without those whose clock forbids tight comparisons.
    pub(super) treated: &'a [Row],
    /// Hosts compared with, nearest first.
    pub(super) peers: &'a [(Nearness, Row)],
    /// Which layout of the rows it is: while it is the same, steps were added at most.
    pub(super) laid: u64,
    /// The numbers of all treated hosts, which several findings tell: made once a look.
    pub(super) numbers: OnceCell<Numbers>,
}

/// The rows of a signal, kept from look to look.
#[derive(Clone, Debug, Default)]
pub(super) struct Rows {
    from: Timestamp,
    step: Span,
    steps: usize,
    grace: Span,
    treated: Vec<Row>,
    peers: Vec<(Nearness, Row)>,
    laid: u64,
    /// Whether the window held samples beyond its end: they count once it reaches them.
    early: bool,
}

/// One host's steps.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// The host.
    pub(super) host: HostId,
    /// A value for each step, absent where there was none.
    pub(super) values: Vec<Option<f64>>,
    /// First step that lies wholly after the host's own change (for a peer: its end).
    pub(super) onset: usize,
    /// First step after the grace.
    pub(super) settled: usize,
    /// Steps of the grace, those to come included.
    pub(super) grace: usize,
    /// First step that is no evidence any more, because the host had left the Change.
    pub(super) end: usize,
    /// When anything at all was last heard of the host.
    pub(super) heard: Option<Timestamp>,
    /// When the host changed, and when it left the Change.
    times: (Option<Timestamp>, Option<Timestamp>),
    /// Steps of the past in which the host carried Changes that were rejected: they are left out.
    pub(super) spoilt: Steps,
    /// Their values.
    aside: Vec<(usize, f64)>,
    /// Whether next to nothing is left then: nothing is compared with what it did.
    pub(super) unknown: bool,
    /// What checks ask of its past.
    pub(super) known: Known,
}

impl Rows {
    /// Takes in what has come: `window` is all of it, `new` what this look brought. Where it only adds steps at the end, so does this.
    pub(super) fn update(&mut self, trial: &Trial, signal: &Signal, window: Option<&Window>, new: Option<&Window>) {
        let Some(window) = window else {
            self.lay(trial, signal, None);
            return;
        };
        let end = self.from + self.step.times(i64::try_from(self.steps).unwrap_or(i64::MAX));
        let follows = self.laid > 0 && !self.early && self.step == signal.step && window.from == self.from;
        match new {
            Some(new) if follows && new.from == end && window.to == new.to => {
                self.fill(new);
                if self.early {
                    self.lay(trial, signal, Some(window));
                }
            }
            None if follows && window.to.since(end) < self.step && window.to >= end => {}
            Some(_) | None => self.lay(trial, signal, Some(window)),
        }
    }

    /// Lays a window out anew.
    fn lay(&mut self, trial: &Trial, signal: &Signal, window: Option<&Window>) {
        let from = window.map_or(Timestamp::default(), |window| window.from);
        let tight = trial.treated.iter().filter(|(_, treated)| !treated.skewed);
        let treated = tight.map(|(host, treated)| Row::of(host, (Some(treated.onset), treated.left))).collect();
        let peer = |(host, peer): (&HostId, &Peer)| (peer.nearness, Row::of(host, (peer.until, None)));
        let mut peers: Vec<(Nearness, Row)> = trial.peers.iter().map(peer).collect();
        peers.sort_by(|a, b| (a.0, &a.1.host).cmp(&(b.0, &b.1.host)));
        *self = Self { from, step: signal.step, steps: 0, grace: trial.grace, treated, peers, laid: self.laid + 1, early: false };
        self.leave_out(trial, window);
        if let Some(window) = window {
            self.fill(window);
        }
    }

    /// Fills the steps from the last on with a window.
    fn fill(&mut self, window: &Window) {
        let span = window.to.since(self.from).ms() / self.step.ms().max(1);
        let steps = usize::try_from(span).unwrap_or(0).max(self.steps);
        let calendar = Calendar { from: self.from, step: self.step, known: self.steps, steps, grace: self.grace };
        let mut early = false;
        let (mut hosts, mut heard) = (InOrder::of(&window.hosts), InOrder::of(&window.heard));
        self.all().for_each(|row| {
            let samples = hosts.get(&row.host).map_or(&[][..], |series| series.samples());
            early |= row.fill(&calendar, samples, heard.get(&row.host).copied());
        });
        self.early = early;
        let first = self.treated.iter().map(|row| row.onset).min().unwrap_or(steps);
        self.all().for_each(|row| row.known.follow(&row.values, row.onset, first));
        self.steps = steps;
    }

    /// Leaves the time under rejected Changes out of the pasts. Hosts of which nothing else is known have none then, where there are others.
    fn leave_out(&mut self, trial: &Trial, window: Option<&Window>) {
        let (from, step) = (self.from, self.step);
        let first = trial.treated.values().map(|treated| treated.onset).min().unwrap_or(from);
        let samples = |host: &HostId| window.and_then(|window| window.hosts.get(host)).map_or(&[][..], |series| series.samples());
        let known = |host: &HostId| samples(host).first().map_or(from, |sample| sample.at.max(from));
        let left = |row: &Row| left(trial, &row.host, (from, known(&row.host), first), step);
        let others = self.treated.iter().any(|row| !matches!(left(row), Left::Nothing(_)));
        self.all().for_each(|row| match left(row) {
            Left::Most(steps) => row.spoilt = steps,
            Left::Nothing(steps) if others => (row.spoilt, row.unknown) = (steps, true),
            Left::Little | Left::Nothing(_) => {}
        });
    }

    fn all(&mut self) -> impl Iterator<Item = &mut Row> {
        self.treated.iter_mut().chain(self.peers.iter_mut().map(|(_, row)| row))
    }

    /// The signal as the checks see it.
    pub(super) fn sight<'a>(&'a self, signal: &'a Signal) -> Sight<'a> {
        Sight {
            signal,
            from: self.from,
            steps: self.steps,
            treated: &self.treated,
            peers: &self.peers,
            laid: self.laid,
            numbers: OnceCell::new(),
        }
    }
}

/// What all rows of a signal have in common.
struct Calendar {
    from: Timestamp,
    step: Span,
    /// Steps that were filled before, and steps there are.
    known: usize,
    steps: usize,
    grace: Span,
}

impl Sight<'_> {
    /// When a step begins.
    pub(super) fn time(&self, step: usize) -> Timestamp {
        self.from + self.signal.step.times(i64::try_from(step).unwrap_or(i64::MAX))
    }

    /// Whether there are peers that can contradict: with a past of their own and values since the
    /// first host changed.
    pub(super) fn has_peers(&self) -> bool {
        let first = self.treated.iter().map(|row| row.onset).min().unwrap_or(self.steps);
        self.nearest().any(|row| row.past_count() > 0 && row.values[first.min(row.onset)..row.onset].iter().any(Option::is_some))
    }

    /// The nearest peers that are enough to compare with: those of the same release where there
    /// are at least three, else all.
    pub(super) fn nearest(&self) -> impl Iterator<Item = &Row> {
        self.nearest_places().map(|place| &self.peers[place].1)
    }

    /// Where the nearest peers are among all.
    pub(super) fn nearest_places(&self) -> impl Iterator<Item = usize> {
        let same = self.peers.iter().filter(|(nearness, _)| *nearness == Nearness::SameRelease).count();
        let all = same < 3;
        (0..self.peers.len()).filter(move |place| all || self.peers[*place].0 == Nearness::SameRelease)
    }
}

impl Row {
    fn of(host: &HostId, times: (Option<Timestamp>, Option<Timestamp>)) -> Self {
        let known = Known::default();
        Self {
            host: host.clone(),
            values: Vec::new(),
            onset: 0,
            settled: 0,
            grace: 0,
            end: 0,
            heard: None,
            times,
            spoilt: Vec::new(),
            aside: Vec::new(),
            unknown: false,
            known,
        }
    }

    /// Takes the values of a window into its steps; says whether there are values beyond them, or of steps that were filled before.
    fn fill(&mut self, calendar: &Calendar, samples: &[Sample], heard: Option<Timestamp>) -> bool {
        let Calendar { from, step, known, steps, grace } = *calendar;
        let length = step.ms().max(1);
        if self.values.is_empty() {
            self.values.reserve(steps + steps / 8);
        }
        self.values.resize(steps, None);
        let mut early = false;
        // Most samples are a step after the one before: no division is needed to know that.
        let (mut index, mut begins) = (known, from + step.times(i64::try_from(known).unwrap_or(i64::MAX)));
        for sample in samples {
            if sample.at != begins {
                let Some(found) = usize::try_from(sample.at.since(from).ms() / length).ok().filter(|_| sample.at >= from) else { continue };
                (index, begins) = (found, from + step.times(i64::try_from(found).unwrap_or(i64::MAX)));
            }
            match self.values.get_mut(index).filter(|_| index >= known) {
                Some(slot) => *slot = Some(sample.value).filter(|value| value.is_finite()),
                None => early = true,
            }
            (index, begins) = (index + 1, begins + step);
        }
        let first_after = |at: Timestamp| {
            let ms = at.since(from).ms().max(0);
            usize::try_from((ms + length - 1) / length).unwrap_or(usize::MAX)
        };
        let (changed, left) = self.times;
        self.onset = changed.map_or(steps, |at| first_after(at).min(steps));
        self.end = left.map_or(steps, |at| first_after(at - step).min(steps)).max(self.onset);
        self.values[self.end.max(known)..].fill(None);
        self.put_aside();
        self.settled = changed.map_or(steps, |at| first_after(at + grace).min(steps)).min(self.end);
        self.grace = changed.map_or(0, |at| first_after(at + grace) - first_after(at));
        self.heard = self.heard.max(heard);
        early
    }

    /// Puts what it did under a rejected Change aside.
    fn put_aside(&mut self) {
        for (_, steps) in &self.spoilt {
            for step in steps.start.min(self.onset)..steps.end.min(self.onset) {
                self.aside.extend(self.values[step].take().map(|value| (step, value)));
            }
        }
    }

    /// The values of the last so many steps before its own change, those that are left out of its past among them.
    pub(super) fn lately(&self, steps: usize) -> Vec<f64> {
        let from = self.onset.saturating_sub(steps);
        let aside = self.aside.iter().filter(|(step, _)| *step >= from).map(|(_, value)| *value);
        self.values[from..self.onset].iter().flatten().copied().chain(aside).collect()
    }

    /// The steps before the host's own change.
    pub(super) fn past(&self) -> &[Option<f64>] {
        &self.values[..self.onset]
    }

    /// The steps since the grace ended, as long as the host carried the Change.
    pub(super) fn settled(&self) -> &[Option<f64>] {
        &self.values[self.settled..self.end]
    }

    /// Whether the host ceased to carry the Change.
    pub(super) fn has_left(&self) -> bool {
        self.end < self.values.len()
    }

    /// Steps after `begin` that do not count by themselves because a restart is expected in them. A
    /// peer, asked about a time before its own change, has none.
    pub(super) fn grace_after(&self, begin: usize) -> usize {
        if begin < self.onset { 0 } else { self.settled.saturating_sub(begin) }
    }

    /// Where the answer of a host that is asked from step `begin` on must end: a peer is asked about
    /// the time before its own change only.
    pub(super) fn end_after(&self, begin: usize) -> usize {
        if begin < self.onset { self.onset } else { self.end }
    }

    /// How many past steps have a value.
    pub(super) fn past_count(&self) -> usize {
        self.known.past.count
    }
}

/// How many values there are and what they add up to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Total {
    pub(super) count: usize,
    pub(super) sum: f64,
}

impl Total {
    /// Takes in these steps.
    pub(super) fn with(self, values: &[Option<f64>]) -> Self {
        let add = |total: Self, value: &f64| Self { count: total.count + 1, sum: total.sum + value };
        values.iter().flatten().fold(self, add)
    }

    /// Both together.
    pub(super) fn and(self, other: Self) -> Self {
        Self { count: self.count + other.count, sum: self.sum + other.sum }
    }

    /// The mean; none of nothing.
    pub(super) fn mean(self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }
}

/// Mean of the values that are there.
pub(super) fn mean<'b>(values: impl IntoIterator<Item = &'b Option<f64>>) -> Option<f64> {
    let (sum, count) = values.into_iter().flatten().fold((0.0, 0_u32), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

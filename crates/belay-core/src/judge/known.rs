//! What checks ask of the past of a row at every look: kept with the row, so that a look costs what has come since.

use std::cell::Cell;

use belay_stats::failures::FailureTest;

use super::extent::Extent;
use super::sight::Total;

/// Runs of steps for which something holds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Runs {
    longest: usize,
    second: usize,
    now: usize,
    /// Steps that could be asked.
    count: usize,
}

impl Runs {
    /// Takes in a step: whether it holds, nothing where it cannot be asked, which ends a run.
    pub(super) fn take(&mut self, holds: Option<bool>) {
        self.count += usize::from(holds.is_some());
        if holds == Some(true) {
            self.now += 1;
        } else if self.now > 0 {
            *self = self.ended();
        }
    }

    const fn ended(self) -> Self {
        let Self { longest, second, now, count } = self;
        if now > longest {
            Self { longest: now, second: longest, now: 0, count }
        } else {
            Self { longest, second: if second > now { second } else { now }, now: 0, count }
        }
    }

    /// The longest run, as a host usually has it. Where peers can contradict, one run that is far longer than all others is an incident
    /// of the past (the bad change of an hour ago) and must not blind the host to the next.
    pub(super) const fn usual(self, peers: bool) -> usize {
        let Self { longest, second, count, .. } = self.ended();
        let rare = 2 * longest < count;
        let incident = peers && rare && longest >= INCIDENT_MIN && longest > 4 * second;
        if incident { second } else { longest }
    }
}

/// A run must be this long to be an incident of its own.
const INCIDENT_MIN: usize = 8;

/// What is known of a row's past.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Known {
    /// The values before the row's own change.
    pub(super) past: Total,
    /// Those before the first change of any treated host, as far as they are of the row's past: up to which step, and they.
    first: (usize, Total),
    /// Runs of zeros.
    zeros: Runs,
    /// Runs of exact repeats, and of those that are not at zero.
    repeats: [Runs; 2],
    followed: usize,
    /// How far it reaches, and up to which step, where that was asked.
    extent: Cell<Option<(usize, Extent)>>,
    /// What failures are tested against, where that was asked.
    failures: Cell<Option<Fitted>>,
}

/// A test of failures, and for a past and a trial of how many steps; none where the past is too short.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Fitted {
    of: (usize, usize),
    test: Option<FailureTest>,
}

impl Known {
    /// The test of failures for a past and a trial of so many steps: fitted once, as the past does not change.
    pub(super) fn failures(&self, past: usize, due: usize, fit: impl FnOnce() -> Option<FailureTest>) -> Option<FailureTest> {
        if let Some(known) = self.failures.get().filter(|known| known.of == (past, due)) {
            return known.test;
        }
        let test = fit();
        self.failures.set(Some(Fitted { of: (past, due), test }));
        test
    }

    /// Follows the values up to the row's own change. The first change of all is at `first`.
    pub(super) fn follow(&mut self, values: &[Option<f64>], onset: usize, first: usize) {
        for step in self.followed..onset {
            if step == first {
                self.first = (first, self.past);
            }
            self.past = self.past.with(&values[step..=step]);
            take(&mut self.zeros, &mut self.repeats, values, step);
        }
        self.followed = self.followed.max(onset);
        if first >= onset {
            self.first = (onset, self.past);
        }
    }

    /// The runs of zeros and of repeats before a step of the past.
    pub(super) fn runs(&self, values: &[Option<f64>], step: usize) -> (Runs, [Runs; 2]) {
        if step == self.followed {
            return (self.zeros, self.repeats);
        }
        let (mut zeros, mut repeats) = (Runs::default(), [Runs::default(); 2]);
        (0..step).for_each(|step| take(&mut zeros, &mut repeats, values, step));
        (zeros, repeats)
    }

    /// How far the values before a step reach, where leaps take so many steps: the past does not change, and is gone over once.
    pub(super) fn extent(&self, values: &[Option<f64>], step: usize, over: usize) -> Extent {
        if let Some((_, extent)) = self.extent.get().filter(|(until, extent)| (*until, extent.steps()) == (step, over)) {
            return extent;
        }
        let extent = Extent::of(&values[..step], over);
        self.extent.set(Some((step, extent)));
        extent
    }

    /// The values before a step of the past.
    pub(super) fn before(&self, values: &[Option<f64>], step: usize) -> Total {
        if step == self.first.0 {
            self.first.1
        } else if step == self.followed {
            self.past
        } else {
            Total::default().with(&values[..step])
        }
    }
}

fn take(zeros: &mut Runs, repeats: &mut [Runs; 2], values: &[Option<f64>], step: usize) {
    let value = values[step];
    zeros.take(value.map(|value| value == 0.0));
    let before = step.checked_sub(1).and_then(|before| values[before]);
    let same = before.zip(value).map(|(before, value)| before.to_bits() == value.to_bits());
    repeats[0].take(same);
    repeats[1].take(same.map(|same| same && value != Some(0.0)));
}

//! What treated series did since their moments, one by one and added up.

use crate::track::Step;

/// What a series did at each look since its moment.
#[derive(Debug, Clone, Default)]
pub(super) struct Moved {
    /// Against its prediction.
    pub(super) residuals: Vec<f64>,
    /// Against its level before.
    pub(super) own: Vec<f64>,
    /// How much of a say single peers have in what the mean of several does, and in what it does by itself.
    pub(super) storms: Vec<(f64, f64)>,
    /// The same, minus what each peer did: as many values a look as there are peers.
    pub(super) differences: Vec<f64>,
}

impl Moved {
    pub(super) fn len(&self) -> usize {
        self.residuals.len()
    }

    pub(super) fn step(&self, look: usize, peers: usize) -> Step<'_> {
        let differences = &self.differences[look * peers..(look + 1) * peers];
        Step { residual: self.residuals[look], weight: 1.0, own: self.own[look], differences, storm: self.storms[look].1 }
    }
}

/// Adds up what several series did, where the reference is that of `whole` series: a mean over fewer is noisier, and counts by the root
/// of its part.
pub(super) struct Sum {
    pub(super) whole: usize,
    pub(super) peers: usize,
    pub(super) differences: Vec<f64>,
}

impl Sum {
    /// At one look the mean over those that reach it and were seen.
    pub(super) fn step(&mut self, all: &[(usize, &Moved)], look: usize) -> Step<'_> {
        let reach = || all.iter().map(|(_, moved)| *moved).filter(|moved| moved.len() > look);
        let there = reach().filter(|moved| moved.residuals[look].is_finite()).count();
        let peers = self.peers;
        self.differences.clear();
        self.differences.extend((0..peers).map(|j| mean_of(reach().map(|moved| moved.differences[look * peers + j]))));
        Step {
            residual: mean_of(reach().map(|moved| moved.residuals[look])),
            weight: (there as f64 / self.whole.max(1) as f64).sqrt(),
            own: mean_of(reach().map(|moved| moved.own[look])),
            differences: &self.differences,
            storm: reach().map(|moved| moved.storms[look].0).fold(0.0, f64::max),
        }
    }
}

/// The mean of the values that are there; NaN of none.
pub(super) fn mean_of(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.filter(|v| v.is_finite()).fold((0.0, 0.0), |(sum, count), v| (sum + v, count + 1.0));
    if count == 0.0 { f64::NAN } else { sum / count }
}

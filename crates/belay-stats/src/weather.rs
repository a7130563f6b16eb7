//! Did something strike all peers? What they did together since a moment, held against what they did together after other moments of
//! their past.
//!
//! A regression fitted on quiet days knows how series follow each other on quiet days; of how they follow a shock it says nothing. So
//! where the peers moved unusually, single peers have a say in what is left of a deviation (`track`). Where they moved as on any day, the
//! regression speaks for them already, and its reference knows how well: to ask each peer once more would only let their own noise
//! contradict what is true.

use crate::panel::{Calendar, Design, Panel, Predictor};
use crate::placebo::{Reference, Running, Shape};
use crate::share::Direction;

/// The median of the peers against its own season, as far as it has been followed since the moment in question.
#[derive(Debug, Clone)]
pub struct Weather {
    predictor: Predictor,
    /// A panel without members: the peers are predicted by nobody.
    nobody: Panel,
    level: f64,
    reference: Reference,
    shape: Shape,
    moved: Running,
    storms: Vec<f64>,
}

impl Weather {
    /// Calibrates on the past of a panel before `origin`; `floor` is the smallest noise of one value that is believed. `None` where that
    /// past is too short to say what is usual.
    #[must_use]
    pub fn of(panel: &Panel, season: Option<usize>, shape: Shape, origin: usize, floor: f64) -> Option<Weather> {
        let median: Vec<f64> = (0..origin).map(|t| panel.median(t)).collect();
        let (nobody, calendar) = (Panel::default(), Calendar { season, until: origin });
        let (predictor, past) = Predictor::fit(&median, &nobody, &Design::of(&nobody, season, origin, origin), calendar)?;
        let reference = Reference::of(&past, season.unwrap_or(0), shape, floor, Direction::Both)?;
        let level = shape.level(&past, past.len());
        Some(Weather { predictor, nobody, level, reference, shape, moved: Running::default(), storms: Vec::new() })
    }

    /// Takes in a step of a panel that begins at step `origin` of the calendar.
    pub fn take(&mut self, panel: &Panel, step: usize, origin: usize) {
        let residual = self.predictor.residual(panel.median(step), &self.nobody, step, origin);
        let means = self.moved.push(&self.shape, residual - self.level);
        let [half, tenth, _] = self.reference.quantiles;
        let moved = self.reference.deviation(step, &means);
        let storm = ((moved - half) / (tenth - half).max(1e-9)).clamp(0.0, 1.0);
        // Where the peers are not seen, nothing says that it is calm.
        self.storms.push(if moved.is_finite() { storm } else { 1.0 });
    }

    /// At each step since the moment how unusual it is what the peers did: 0 up to what half of all placebo changes reach at any look, 1
    /// from what one in ten reaches, straight between.
    #[must_use]
    pub fn storms(&self) -> &[f64] {
        &self.storms
    }

    /// Forgets the steps from this one on.
    pub fn truncate(&mut self, steps: usize) {
        self.moved.truncate(steps);
        self.storms.truncate(steps);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    const ORIGIN: usize = 300;
    const SHAPE: Shape = Shape { base: 24, grace: 2, horizon: 30 };

    /// Three peers with noise of their own; from step `at` after the origin on all are moved by `size`.
    fn storms(seed: u64, size: f64, at: usize) -> Vec<f64> {
        let mut rng = Rng::new(seed);
        let value = |t: usize, rng: &mut Rng| rng.normal() + if t >= ORIGIN + at { size } else { 0.0 };
        let rows: Vec<Vec<f64>> = (0..3).map(|_| (0..ORIGIN + 30).map(|t| value(t, &mut rng)).collect()).collect();
        let past = Panel::of(rows.iter().map(|row| row[..ORIGIN].to_vec()).collect());
        let mut weather = Weather::of(&past, None, SHAPE, ORIGIN, 0.02).unwrap();
        let mut panel = Panel::empty(3);
        for step in 0..30 {
            panel.push(rows.iter().map(|row| row[ORIGIN + step]));
            weather.take(&panel, step, ORIGIN);
        }
        weather.storms().to_vec()
    }

    #[test]
    fn a_storm_is_rare_and_what_strikes_all_is_one_from_then_on() {
        let stormy = |seed: &u64| storms(*seed, 0.0, 0)[2..].iter().any(|storm| *storm >= 1.0);
        // One placebo change in ten reaches it; what is not among those that the units were measured on does somewhat more often.
        let stormy = (0..600).filter(stormy).count();
        assert!(stormy <= 150, "{stormy} of 600 where nothing strikes");
        for size in [8.0, -8.0] {
            let struck = storms(3, size, 10);
            assert!(struck[12..].iter().all(|storm| *storm >= 1.0), "{struck:?}");
        }
    }

    #[test]
    fn what_is_not_seen_is_not_calm_and_a_past_too_short_says_nothing() {
        assert!(storms(3, f64::NAN, 0).iter().all(|storm| *storm >= 1.0));
        assert!(Weather::of(&Panel::of(vec![vec![1.0; 40]; 3]), None, SHAPE, 40, 0.02).is_none());
    }
}

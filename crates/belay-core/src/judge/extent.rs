//! How far a row's past reaches: its extremes, and the largest leaps in it.

/// The extremes of some values, and their largest leaps up and down.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Extent {
    /// Steps that a leap may take.
    over: usize,
    low: f64,
    high: f64,
    rise: f64,
    fall: f64,
}

/// Which way a leap goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Up,
    Down,
}

impl Extent {
    /// That of these values, where a leap takes so many steps.
    pub(super) fn of(values: &[Option<f64>], over: usize) -> Self {
        let mut extent = Self { over, low: f64::INFINITY, high: f64::NEG_INFINITY, rise: 0.0, fall: 0.0 };
        for (step, value) in values.iter().enumerate().filter_map(|(step, value)| Some((step, (*value)?))) {
            let risen = rise(values, step, over).unwrap_or(0.0);
            (extent.low, extent.high) = (extent.low.min(value), extent.high.max(value));
            (extent.rise, extent.fall) = (extent.rise.max(risen), extent.fall.max(-risen));
        }
        extent
    }

    /// Steps that a leap may take.
    pub(super) const fn steps(&self) -> usize {
        self.over
    }

    /// From where a value lies beyond all of it by so large a part of its range; nothing where it never moved.
    pub(super) fn beyond(&self, way: Way, part: f64) -> Option<f64> {
        let margin = part * (self.high - self.low);
        (margin > 0.0).then(|| way.of(self.furthest(way)) + margin)
    }

    /// What is furthest that way.
    pub(super) const fn furthest(&self, way: Way) -> f64 {
        match way {
            Way::Up => self.high,
            Way::Down => self.low,
        }
    }

    /// The largest leap that way.
    pub(super) const fn leap(&self, way: Way) -> f64 {
        match way {
            Way::Up => self.rise,
            Way::Down => self.fall,
        }
    }
}

impl Way {
    /// A value as seen this way: what lies further that way is larger.
    pub(super) const fn of(self, value: f64) -> f64 {
        match self {
            Self::Up => value,
            Self::Down => -value,
        }
    }
}

/// How far a value lies above the one so many steps before; nothing where either is missing.
pub(super) fn rise(values: &[Option<f64>], step: usize, over: usize) -> Option<f64> {
    Some(values[step]? - values[step.checked_sub(over)?]?)
}

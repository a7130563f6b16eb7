//! Self-checks: the judge asked about trials of a class in which nothing changed, so that every rejection is a false one.

use std::collections::BTreeMap;

use belay_stats::binomial::clopper_pearson;

use super::ids::{ClassName, SignalName};
use super::time::Timestamp;

/// The most by which thresholds are widened.
pub const FACTOR_MAX: f64 = 3.0;
/// The chance that an interval misses the true rate.
const MISSED: f64 = 0.05;

/// The last self-check of a class.
#[derive(Clone, Debug, PartialEq)]
pub struct SelfCheck {
    /// The class.
    pub class: ClassName,
    /// When it was done.
    pub at: Timestamp,
    /// What its trials were drawn by: the same seed, time and state draw the same.
    pub seed: u64,
    /// Why there was none, in plain words.
    pub skipped: Option<String>,
    /// Trials that were drawn.
    pub drawn: u32,
    /// Stretches of time apart from one another that they lie in: what happens in one counts once.
    pub apart: u32,
    /// Trials in which at least one signal could be judged.
    pub judged: u32,
    /// Trials that ended rejected.
    pub rejected: u32,
    /// The chance of a false rejection that each was given.
    pub budget: f64,
    /// When thresholds were last widened or relaxed.
    pub moved: Option<Timestamp>,
    /// Each signal of the class.
    pub signals: BTreeMap<SignalName, SignalCheck>,
}

/// What the trials of a self-check found of one signal.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct SignalCheck {
    /// Trials in which it could be judged.
    pub judged: u32,
    /// Trials in which it was said to be harmed: false alarms.
    pub alarms: u32,
    /// Those of them that the comparison with past and peers raised. The others came from plain checks, which have no threshold to widen.
    pub compared: u32,
    /// Trials in which harm was suspected, and no more.
    pub suspicions: u32,
    /// The chance of a false alarm that it was given.
    pub share: f64,
    /// By how much its thresholds are widened from now on, if at all.
    pub caution: Option<Caution>,
}

/// Wider thresholds for a signal, and what they rest on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Caution {
    /// Thresholds are multiplied by it.
    pub factor: f64,
    /// False alarms of the self-check that last widened them.
    pub alarms: u32,
    /// Trials in which that self-check could judge the signal.
    pub checks: u32,
}

/// The cautions a trial is judged with, by signal.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Cautions(pub BTreeMap<SignalName, Caution>);

/// How often something happened, with the interval that holds the true rate in 95 of 100 cases.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// The rate that was seen.
    pub seen: f64,
    /// Lower end of its interval.
    pub low: f64,
    /// Upper end of its interval.
    pub high: f64,
}

impl Rate {
    /// `count` of `of`, which lie in so many stretches of time apart. Trials that share their time share its weather: they narrow the
    /// interval no further than so many trials would. The interval is the exact binomial one. `None` of nothing.
    pub fn of(count: u32, of: u32, apart: u32) -> Option<Self> {
        let worth = of.min(apart);
        if worth == 0 {
            return None;
        }
        let counted = u64::from(count) * u64::from(worth) / u64::from(of);
        let (low, high) = clopper_pearson(counted, u64::from(worth), MISSED);
        Some(Self { seen: f64::from(count) / f64::from(of), low, high })
    }
}

impl SelfCheck {
    /// How often a good Change of the class would have been rejected.
    pub fn rate(&self) -> Option<Rate> {
        Rate::of(self.rejected, self.judged, self.apart)
    }

    /// Whether that is more often than chance explains.
    pub fn exceeds(&self) -> bool {
        self.rate().is_some_and(|rate| rate.low > self.budget)
    }

    /// How often a signal raised a false alarm.
    pub fn rate_of(&self, signal: &SignalCheck) -> Option<Rate> {
        Rate::of(signal.alarms, signal.judged, self.apart)
    }

    /// How often the comparison of a signal with past and peers raised one.
    pub fn compared_rate(&self, signal: &SignalCheck) -> Option<Rate> {
        Rate::of(signal.compared, signal.judged, self.apart)
    }
}

impl Caution {
    /// In plain words: `thresholds 25 % wider: this signal raised 7 false alarms in 200 checks`.
    pub fn words(&self) -> String {
        let (wider, alarms, checks) = ((self.factor - 1.0) * 100.0, self.alarms, self.checks);
        let alarms = if alarms == 1 { "1 false alarm".to_owned() } else { format!("{alarms} false alarms") };
        format!("thresholds {wider:.0} % wider: this signal raised {alarms} in {checks} checks")
    }
}

impl Cautions {
    /// What thresholds of a signal are multiplied by.
    pub fn factor(&self, signal: &SignalName) -> f64 {
        self.0.get(signal).map_or(1.0, |caution| caution.factor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trials_that_share_their_time_do_not_count_as_many() {
        let far = Rate::of(8, 200, 200).unwrap();
        let near = Rate::of(8, 200, 25).unwrap();
        assert_eq!(far.seen.to_bits(), near.seen.to_bits());
        assert!(near.low < far.low && far.high < near.high, "{near:?} {far:?}");
        // The exact 95 % interval of 8 of 200.
        assert!((far.low - 0.0174).abs() < 1e-3 && (far.high - 0.0773).abs() < 1e-3, "{far:?}");
        assert_eq!(Rate::of(0, 0, 9), None);
    }

    #[test]
    fn a_caution_says_what_it_rests_on() {
        let caution = |factor, alarms| Caution { factor, alarms, checks: 200 }.words();
        assert_eq!(caution(1.25, 7), "thresholds 25 % wider: this signal raised 7 false alarms in 200 checks");
        assert_eq!(caution(3.0, 1), "thresholds 200 % wider: this signal raised 1 false alarm in 200 checks");
    }
}

//! Self-checks: how often the judge rejects, or raises an alarm, where nothing had changed.

use belay_core::decide::selfcheck::classes;
use belay_core::explain::selfcheck::summary;
use belay_core::model::ids::SignalName;
use belay_core::model::selfcheck::{Rate, SelfCheck, SignalCheck};
use belay_core::state::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::printed;

/// The last self-check of every class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SelfCheckView {
    /// Classes that are being checked, or wait for it.
    pub running: Vec<String>,
    /// Classes with signals, each with what its last self-check found.
    pub classes: Vec<ClassCheckView>,
}

/// The last self-check of a class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ClassCheckView {
    /// The class.
    pub class: String,
    /// When it was done; `null` when never.
    pub at: Option<String>,
    /// Why there was none, in plain words.
    pub skipped: Option<String>,
    /// Trials that were drawn.
    pub trials: u32,
    /// Trials in which at least one signal could be judged.
    pub judged: u32,
    /// Stretches of time apart from one another that they lie in: intervals rest on so many at most.
    pub apart: u32,
    /// Trials that ended rejected.
    pub rejected: u32,
    /// The part of the judged trials that ended rejected.
    pub rate: Option<f64>,
    /// Lower end of its 95 % interval.
    pub rate_low: Option<f64>,
    /// Upper end of its 95 % interval.
    pub rate_high: Option<f64>,
    /// The part that may be: the budget of a trial.
    pub nominal: f64,
    /// It is more than chance explains.
    pub exceeds: bool,
    /// In plain words.
    pub text: String,
    /// Each signal of the class.
    pub signals: Vec<SignalCheckView>,
}

/// What the trials of a self-check found of one signal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SignalCheckView {
    /// The signal.
    pub signal: String,
    /// Trials in which it could be judged.
    pub judged: u32,
    /// Trials in which it was said to be harmed: false alarms.
    pub alarms: u32,
    /// Those of them that the comparison with past and peers raised; plain checks raised the others.
    pub compared: u32,
    /// Trials in which harm was suspected, and no more.
    pub suspicions: u32,
    /// The part of the judged trials with a false alarm.
    pub rate: Option<f64>,
    /// Lower end of its 95 % interval.
    pub rate_low: Option<f64>,
    /// Upper end of its 95 % interval.
    pub rate_high: Option<f64>,
    /// The part that may be: its share of the budget.
    pub nominal: f64,
    /// It is more than chance explains.
    pub exceeds: bool,
    /// What its thresholds are multiplied by from now on.
    pub factor: f64,
    /// Why they are wider, in plain words.
    pub caution: Option<String>,
}

/// Which classes are to be checked now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SelfCheckBody {
    /// The classes; all where none is named.
    #[serde(default)]
    pub classes: Vec<String>,
}

/// Classes whose self-check was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SelfCheckAsked {
    /// They are being checked, or wait for it: `GET /api/v1/selfcheck` says when it is done.
    pub running: Vec<String>,
}

impl SelfCheckView {
    /// What is known, while these classes are being checked.
    pub fn of(state: &State, running: Vec<String>) -> Self {
        let view = |class| match state.selfchecks.get(&class) {
            Some(check) => ClassCheckView::from(check),
            None => ClassCheckView::never(class.to_string()),
        };
        Self { running, classes: classes(state).into_iter().map(view).collect() }
    }
}

impl ClassCheckView {
    fn never(class: String) -> Self {
        let text = format!("class {class} was not checked yet");
        Self {
            class,
            at: None,
            skipped: None,
            trials: 0,
            judged: 0,
            apart: 0,
            rejected: 0,
            rate: None,
            rate_low: None,
            rate_high: None,
            nominal: 0.0,
            exceeds: false,
            text,
            signals: Vec::new(),
        }
    }
}

impl From<&SelfCheck> for ClassCheckView {
    fn from(check: &SelfCheck) -> Self {
        let rate = check.rate();
        Self {
            class: check.class.to_string(),
            at: printed(Some(&check.at)),
            skipped: check.skipped.clone(),
            trials: check.drawn,
            judged: check.judged,
            apart: check.apart,
            rejected: check.rejected,
            rate: rate.map(|rate| rate.seen),
            rate_low: rate.map(|rate| rate.low),
            rate_high: rate.map(|rate| rate.high),
            nominal: check.budget,
            exceeds: check.exceeds(),
            text: summary(check),
            signals: check.signals.iter().map(|(name, signal)| of_signal(check, name, signal)).collect(),
        }
    }
}

fn of_signal(check: &SelfCheck, name: &SignalName, signal: &SignalCheck) -> SignalCheckView {
    let rate: Option<Rate> = check.rate_of(signal);
    SignalCheckView {
        signal: name.to_string(),
        judged: signal.judged,
        alarms: signal.alarms,
        compared: signal.compared,
        suspicions: signal.suspicions,
        rate: rate.map(|rate| rate.seen),
        rate_low: rate.map(|rate| rate.low),
        rate_high: rate.map(|rate| rate.high),
        nominal: signal.share,
        exceeds: rate.is_some_and(|rate| rate.low > signal.share),
        factor: signal.caution.map_or(1.0, |caution| caution.factor),
        caution: signal.caution.map(|caution| caution.words()),
    }
}

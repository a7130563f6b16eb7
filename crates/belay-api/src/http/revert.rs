//! Pins, reverts and the gate: asked for and looked at.

use std::collections::BTreeMap;

use belay_core::decide::PinAsk;
use belay_core::explain::gate as words;
use belay_core::host::policy::RevertWay;
use belay_core::model::gate::GateAnswer;
use belay_core::model::host::Host;
use belay_core::model::ids::{Environment, HostId};
use belay_core::model::item::ItemKey;
use belay_core::model::revert::{Plan, Progress, Revert};
use belay_core::model::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::answer::FieldError;
use super::hold::{scope, until};

/// Hosts that are to be fixed to an environment, or no more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PinPlaced {
    /// Patterns of host names, with `*` and `?`.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Whole classes.
    #[serde(default)]
    pub classes: Vec<String>,
    /// The environment; `null` ends their pins.
    #[serde(default)]
    pub environment: Option<String>,
    /// For how long, for example `8h`; this or `until_ms`.
    #[serde(default, rename = "for")]
    pub lasts: Option<String>,
    /// Until when, in milliseconds since the epoch.
    #[serde(default)]
    pub until_ms: Option<i64>,
    /// Why.
    #[serde(default)]
    pub reason: String,
}

/// How many hosts something was done to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CountView {
    /// How many.
    pub hosts: u32,
}

/// A host that is fixed to an environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PinRow {
    /// The host.
    pub host: String,
    /// The environment.
    pub environment: String,
    /// Until when.
    pub until: String,
    /// Who fixed it.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// Why a Change is to be taken back, or a revert stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RevertBody {
    /// Why.
    pub reason: String,
}

/// What taking a Change back would do: nothing of it is done yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlanView {
    /// The Change.
    pub change: String,
    /// The way back of each host, in words.
    pub hosts: BTreeMap<String, String>,
    /// What will be restored: item, and what comes back.
    pub restored: BTreeMap<String, String>,
    /// What will remain, and why.
    pub remain: BTreeMap<String, String>,
    /// What cannot be undone, and why.
    pub cannot: BTreeMap<String, String>,
    /// Hosts that cannot go back, and why.
    pub left_out: BTreeMap<String, String>,
    /// Hosts that are held for a day meanwhile, because their next run would undo it.
    pub held: Vec<String>,
}

/// A revert with how far each host is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RevertView {
    /// Its number, for example `r-2`.
    pub id: String,
    /// The Change that is taken back.
    pub change: String,
    /// `going on`, `done`, `stopped` or `failed on some hosts`.
    pub state: String,
    /// When it was asked for.
    pub asked: String,
    /// Who asked.
    pub by: String,
    /// Why.
    pub reason: String,
    /// How far each host is, in words.
    pub hosts: BTreeMap<String, String>,
    /// The hold that keeps the next run from undoing it, where one is needed.
    pub hold: Option<String>,
    /// Why it was stopped.
    pub stopped: Option<String>,
}

/// What the gate answers for a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GateView {
    /// The host.
    pub host: String,
    /// `go`, `held`, `refused` or `deferred`.
    pub gate: String,
    /// Why, in one sentence.
    pub why: String,
    /// What to do about it.
    pub remedy: Option<String>,
    /// Until when it stands, where that is known.
    pub until: Option<String>,
}

impl PinPlaced {
    /// What is asked for.
    ///
    /// # Errors
    /// Every part that cannot be taken, with its place.
    pub fn ask(&self, now: Timestamp) -> Result<PinAsk, Vec<FieldError>> {
        let mut errors = Vec::new();
        let scope = scope(&self.hosts, &self.classes, &mut errors);
        let environment = self.environment.as_deref().map(Environment::parse).transpose();
        errors.extend(environment.as_ref().err().map(|why| FieldError::new("/environment", why.to_string())));
        let until = until(self.lasts.as_deref(), self.until_ms, now, &mut errors);
        match (errors.is_empty(), environment) {
            (true, Ok(environment)) => Ok(PinAsk { scope, environment, until, reason: self.reason.clone() }),
            _ => Err(errors),
        }
    }
}

impl PinRow {
    /// The row of a host; none when it is not fixed to anything.
    pub fn of(host: &Host) -> Option<Self> {
        let pin = host.pin.as_ref()?;
        Some(Self {
            host: host.id.to_string(),
            environment: pin.environment.to_string(),
            until: pin.until.to_string(),
            by: pin.by.clone(),
            reason: pin.reason.clone(),
        })
    }
}

impl PlanView {
    /// The view of a plan.
    pub fn of(change: impl ToString, plan: &Plan) -> Self {
        let items = |items: &BTreeMap<ItemKey, String>| items.iter().map(|(key, text)| (key.to_string(), text.clone())).collect();
        Self {
            change: change.to_string(),
            hosts: plan.ways.iter().map(|(host, way)| (host.to_string(), way_words(way))).collect(),
            restored: items(&plan.restored),
            remain: items(&plan.remain),
            cannot: items(&plan.cannot),
            left_out: plan.left_out.iter().map(|(host, why)| (host.to_string(), why.clone())).collect(),
            held: plan.held().map(ToString::to_string).collect(),
        }
    }
}

fn way_words(way: &RevertWay) -> String {
    match way {
        RevertWay::PinAndRun { environment } => format!("pinned to environment {environment}, then a run"),
        RevertWay::Restore { files } => format!("{} files from the tool's own backups", files.len()),
        RevertWay::Declared => "the command that the host declares".to_owned(),
    }
}

impl RevertView {
    /// The view of a revert.
    pub fn of(revert: &Revert) -> Self {
        let failed = revert.count(|progress| matches!(progress, Progress::Failed(_)));
        let state = match (&revert.stopped, revert.goes_on(), failed) {
            (Some(_), _, _) => "stopped",
            (None, true, _) => "going on",
            (None, false, 0) => "done",
            (None, false, _) => "failed on some hosts",
        };
        let words = |(host, progress): (&HostId, &Progress)| {
            let said = match progress {
                Progress::Waiting => "waits for its turn".to_owned(),
                Progress::Asked(at) => format!("asked {at}"),
                Progress::Done(at) => format!("went back {at}"),
                Progress::Failed(why) => format!("failed: {why}"),
            };
            (host.to_string(), said)
        };
        Self {
            id: revert.id.to_string(),
            change: revert.change.to_string(),
            state: state.to_owned(),
            asked: revert.asked.to_string(),
            by: revert.by.to_string(),
            reason: revert.reason.clone(),
            hosts: revert.hosts.iter().map(words).collect(),
            hold: revert.hold.map(|hold| hold.to_string()),
            stopped: revert.stopped.clone(),
        }
    }
}

impl GateView {
    /// The view of an answer.
    pub fn of(host: &HostId, answer: &GateAnswer, now: Timestamp) -> Self {
        Self {
            host: host.to_string(),
            gate: answer.gate.word().to_owned(),
            why: words::sentence(answer, now),
            remedy: words::remedy(answer),
            until: answer.until.map(|until| until.to_string()),
        }
    }
}

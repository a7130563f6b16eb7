//! A case as the judge sees it in production: a trial, its own past, and then one step after the other.

use std::collections::BTreeMap;

use anyhow::Context;
use belay_core::judge::Watch;
use belay_core::model::change::{Nearness, Overlaps, Peer, Spoilt, Treated, Trial};
use belay_core::model::evidence::Evidence;
use belay_core::model::ids::{ChangeId, HostId, SignalName};
use belay_core::model::signal::{Missing, Reading, Sample, Series, Signal, Window};
use belay_core::model::time::{Span, Timestamp};
use belay_core::model::verdict::{Check, Finding, Gap, Look, Outcome, Says, Standing};

use super::case::{Case, Measured};

/// When the change came, in cases: a midnight, so that steps are whole.
const CHANGED: Timestamp = Timestamp::from_ms(1_790_035_200_000);

/// What a case came to.
#[derive(Debug)]
pub struct Judged {
    /// What was decided.
    pub outcome: Outcome,
    /// The step after the change at which it was decided.
    pub last: usize,
    /// The look that decided.
    pub look: Look,
}

impl Judged {
    /// The step after the change at which a rejection was decided.
    pub fn at(&self) -> Option<usize> {
        (self.outcome == Outcome::Rejected).then_some(self.last)
    }
}

/// A trial made of a case, and how its values are dealt out.
struct Feed<'c> {
    case: &'c Case,
    trial: Trial,
    names: Vec<SignalName>,
    step: Span,
}

/// Judges a case: begins with its past, then looks after every step until there is a verdict.
///
/// # Errors
/// When the case is none, see [`Case::check`].
pub fn judge(case: &Case) -> anyhow::Result<Judged> {
    let feed = Feed::of(case)?;
    let mut watch = Watch::begin(&feed.trial, &feed.evidence(0, case.past));
    let mut last = None;
    for step in 0..case.horizon {
        let look = watch.look(&feed.evidence(case.past + step, case.past + step + 1));
        let decided = outcome(&look);
        if let Some(outcome) = decided {
            return Ok(Judged { outcome, last: step, look });
        }
        last = Some((step, look));
    }
    let (last, look) = last.context("a case without steps after the change")?;
    Ok(Judged { outcome: Outcome::Inconclusive(Gap::TooLittle), last, look })
}

/// What a look decides. A verdict file has no word for a host that is ill by itself while its wave is only held: that is written as a
/// rejection, as the rules of the benchmark say.
fn outcome(look: &Look) -> Option<Outcome> {
    let host = |finding: &Finding| finding.says == Says::Suspicion && speaks_for_a_host(finding);
    if look.findings.iter().any(host) {
        return Some(Outcome::Rejected);
    }
    match look.standing {
        Standing::Final(outcome) => Some(outcome),
        Standing::OnTrial | Standing::Suspect => None,
    }
}

/// Checks whose suspicion says for certain that a single host of several is ill.
pub(super) fn speaks_for_a_host(finding: &Finding) -> bool {
    let of = finding.of as usize;
    match finding.check {
        Check::SingleHost => true,
        Check::Frozen | Check::Leap | Check::FlowStopped => of > 1,
        Check::Relation | Check::FailureRate => finding.hosts.len() < of,
        Check::FailedResource
        | Check::CompileError
        | Check::EnvironmentMismatch
        | Check::Vanished
        | Check::CheckFailing
        | Check::FlowShare
        | Check::Presence
        | Check::Level
        | Check::Drift => false,
    }
}

impl<'c> Feed<'c> {
    fn of(case: &'c Case) -> anyhow::Result<Self> {
        let step = Span::from_s(i64::from(case.step_s));
        let names: Vec<SignalName> = case.signals.iter().map(|signal| name(&signal.name)).collect::<anyhow::Result<_>>()?;
        let signals =
            case.signals.iter().zip(&names).map(|(measured, name)| signal(measured, name, step)).collect::<anyhow::Result<_>>()?;
        let rows = |of: fn(&Measured) -> usize| case.signals.iter().map(of).max().unwrap_or(0);
        let hosts = rows(|signal| signal.treated.len());
        let peers = rows(|signal| signal.peers.len());
        let onset = |host: usize| case.onsets.get(host).and_then(|steps| i64::try_from(*steps).ok()).unwrap_or(0);
        let treated = |host| Treated {
            onset: CHANGED + step.times(onset(host)),
            run: None,
            skewed: false,
            environment: None,
            failures: BTreeMap::new(),
            compile_error: None,
            left: None,
        };
        let peer = |_| Peer { nearness: Nearness::SameRelease, until: None, failing: Vec::new() };
        let ends = CHANGED + step.times(i64::try_from(case.horizon)?);
        let trial = Trial {
            budget: None,
            caution: Default::default(),
            change: ChangeId(1),
            release: None,
            treated: (0..hosts).map(|i| Ok((changed(i)?, treated(i)))).collect::<anyhow::Result<_>>()?,
            peers: (0..peers).map(|i| Ok((unchanged(i)?, peer(i)))).collect::<anyhow::Result<_>>()?,
            signals,
            environment_due: None,
            grace: step.times(i64::try_from(case.grace)?),
            accept_from: ends,
            ends,
            past_steps: u32::try_from(case.past)?,
            class_size: u32::try_from(hosts + peers)?,
            confounder: None,
            overlaps: Overlaps::default(),
            spoilt: Spoilt::default(),
        };
        Ok(Self { case, trial, names, step })
    }

    fn at(&self, step: usize) -> Timestamp {
        CHANGED + self.step.times(i64::try_from(step).unwrap_or(i64::MAX)) - self.step.times(i64::try_from(self.case.past).unwrap_or(0))
    }

    /// The evidence of the steps `from..to`.
    fn evidence(&self, from: usize, to: usize) -> Evidence {
        let heard = self.heard(from, to);
        let window = |measured: &Measured| {
            let hosts = self.rows(measured).map(|(host, row)| (host.clone(), self.series(row, from, to))).collect();
            Window { step: self.step, from: self.at(from), to: self.at(to), hosts, heard: heard.clone() }
        };
        let windows = self.names.iter().cloned().zip(self.case.signals.iter().map(window)).collect();
        Evidence { at: self.at(to), windows }
    }

    /// Each host with its row of a signal.
    fn rows<'a>(&'a self, measured: &'a Measured) -> impl Iterator<Item = (&'a HostId, &'a Vec<Option<f64>>)> {
        let treated = self.trial.treated.keys().zip(&measured.treated);
        treated.chain(self.trial.peers.keys().zip(&measured.peers))
    }

    /// When each host was last heard of in the steps `from..to`, by any of its signals: a signal that is gone while others go on is the
    /// signal's loss, not the host's. A case holds nothing else that could tell.
    fn heard(&self, from: usize, to: usize) -> BTreeMap<HostId, Timestamp> {
        let mut last: BTreeMap<HostId, Timestamp> = BTreeMap::new();
        for (host, row) in self.case.signals.iter().flat_map(|measured| self.rows(measured)) {
            let Some(step) = (from..to).rev().find(|step| row.get(*step).is_some_and(Option::is_some)) else { continue };
            let at = self.at(step);
            last.entry(host.clone()).and_modify(|known| *known = at.max(*known)).or_insert(at);
        }
        last
    }

    fn series(&self, row: &[Option<f64>], from: usize, to: usize) -> Series {
        let values = row.iter().enumerate().take(to).skip(from);
        let samples: Vec<Sample> = values.filter_map(|(step, value)| Some(Sample { at: self.at(step), value: (*value)? })).collect();
        if samples.is_empty() { Series::Missing(Missing::NoSeries) } else { Series::Samples(samples) }
    }
}

/// Names sort as the rows do.
fn changed(index: usize) -> anyhow::Result<HostId> {
    HostId::parse(&format!("changed-{index:04}")).map_err(|bad| anyhow::anyhow!("{bad}"))
}

fn unchanged(index: usize) -> anyhow::Result<HostId> {
    HostId::parse(&format!("peer-{index:04}")).map_err(|bad| anyhow::anyhow!("{bad}"))
}

fn name(given: &str) -> anyhow::Result<SignalName> {
    SignalName::parse(given).map_err(|bad| anyhow::anyhow!("{bad}"))
}

fn signal(measured: &Measured, name: &SignalName, step: Span) -> anyhow::Result<Signal> {
    Ok(Signal {
        name: name.clone(),
        classes: Vec::new(),
        kind: measured.kind().with_context(|| format!("signal {name} is of no kind"))?,
        harm: measured.harm().with_context(|| format!("signal {name} has no direction"))?,
        must_have: measured.must_have,
        select: String::new(),
        host_label: String::new(),
        reading: Reading::Value,
        step,
        weight: Default::default(),
    })
}

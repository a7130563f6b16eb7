//! A trial that is long over, lived through again: the judge looks as often as it would have then, and knows at each look no more than
//! what had come by then. One look at the end would not do: a flow that stopped for some minutes and came back was a rejection at the
//! time.

use std::collections::BTreeMap;

use super::{Watch, compares};
use crate::model::change::Trial;
use crate::model::evidence::Evidence;
use crate::model::ids::{HostId, SignalName};
use crate::model::signal::{Missing, Sample, Series, Window};
use crate::model::time::{Span, Timestamp};
use crate::model::verdict::{Check, Finding, Look, Outcome, Says, Standing};

/// Looks after the first change, at most: shorter steps are looked at some at a time.
const LOOKS_MAX: i64 = 60;

/// What became of a trial.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Relived {
    /// It ended rejected.
    pub rejected: bool,
    /// What was said of each signal, at any look.
    pub signals: BTreeMap<SignalName, Said>,
}

/// What was said of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Said {
    /// It could be judged: anything was said but that it cannot be told.
    pub judged: bool,
    /// Harm was found.
    pub harm: bool,
    /// Harm was found by the comparison with past and peers.
    pub compared: bool,
    /// Harm was suspected.
    pub suspected: bool,
}

/// Lives through a trial; the evidence has to reach to its end.
pub fn relive(trial: &Trial, evidence: &Evidence) -> Relived {
    let mut relived = Relived::default();
    let Some(began) = trial.treated.values().map(|treated| treated.onset).min() else { return relived };
    let mut cut = began;
    let mut watch = Watch::begin(trial, &piece(evidence, Timestamp::default(), cut));
    let step = trial.signals.iter().map(|signal| signal.step).min().unwrap_or(Span::from_min(1));
    let steps = trial.ends.since(began).ms() / step.ms().max(1);
    let pace = step.times(((steps + LOOKS_MAX - 1) / LOOKS_MAX).max(1));
    while cut < evidence.at && cut < trial.ends {
        let next = (cut + pace).min(evidence.at);
        let look = watch.look(&piece(evidence, cut, next));
        relived.take(&look);
        cut = next;
        // A trial that was accepted early looks no more.
        if matches!(look.standing, Standing::Final(_)) {
            break;
        }
    }
    relived
}

impl Relived {
    fn take(&mut self, look: &Look) {
        self.rejected |= look.standing == Standing::Final(Outcome::Rejected);
        for finding in &look.findings {
            if let Some(signal) = &finding.signal {
                self.signals.entry(signal.clone()).or_default().take(finding);
            }
        }
    }

    /// Whether any of its signals could be judged.
    pub fn judged(&self) -> bool {
        self.signals.values().any(|said| said.judged)
    }
}

impl Said {
    fn take(&mut self, finding: &Finding) {
        let harm = finding.says == Says::Harm;
        // That a signal is there says nothing of what it shows.
        self.judged |= finding.check != Check::Presence && !matches!(finding.says, Says::CannotTell(_));
        self.harm |= harm;
        self.compared |= harm && compares(finding.check);
        self.suspected |= finding.says == Says::Suspicion;
    }
}

/// What came after `from` and was complete by `to`.
fn piece(evidence: &Evidence, from: Timestamp, to: Timestamp) -> Evidence {
    let heard = heard(evidence, to);
    let windows = evidence.windows.iter().map(|(name, window)| (name.clone(), cut(window, from, to, &heard))).collect();
    Evidence { at: to, windows }
}

fn cut(window: &Window, from: Timestamp, to: Timestamp, heard: &BTreeMap<HostId, Timestamp>) -> Window {
    let first = from <= window.from;
    let row = |(host, series): (&HostId, &Series)| {
        let all = series.samples();
        let begin = all.partition_point(|sample| sample.at + window.step <= from);
        let end = all.partition_point(|sample| sample.at + window.step <= to);
        let samples: Vec<Sample> = all[begin..end.max(begin)].to_vec();
        match (series, samples.is_empty()) {
            (_, false) => Some((host.clone(), Series::Samples(samples))),
            (Series::Missing(why), true) => first.then(|| (host.clone(), Series::Missing(*why))),
            (Series::Samples(_), true) => first.then(|| (host.clone(), Series::Missing(Missing::NoSeries))),
        }
    };
    let heard = window.hosts.keys().filter_map(|host| Some((host.clone(), *heard.get(host)?))).collect();
    Window {
        step: window.step,
        // A window that claims the whole time would take the place of what came before it.
        from: window.from.max(from.floor(window.step)),
        to: window.to.min(to.floor(window.step)),
        hosts: window.hosts.iter().filter_map(row).collect(),
        heard,
    }
}

/// When each host was last heard of by then, as far as its signals tell. Only at the end is it known what else was heard.
fn heard(evidence: &Evidence, to: Timestamp) -> BTreeMap<HostId, Timestamp> {
    let mut last: BTreeMap<HostId, Timestamp> = BTreeMap::new();
    let mut note = |host: &HostId, at: Timestamp| {
        let known = last.entry(host.clone()).or_insert(at);
        *known = (*known).max(at);
    };
    for window in evidence.windows.values() {
        for (host, series) in &window.hosts {
            let all = series.samples();
            let end = all.partition_point(|sample| sample.at + window.step <= to);
            end.checked_sub(1).and_then(|last| all.get(last)).into_iter().for_each(|sample| note(host, sample.at));
        }
        let known = window.heard.iter().filter(|(_, at)| **at < to);
        known.for_each(|(host, at)| note(host, *at));
    }
    last
}

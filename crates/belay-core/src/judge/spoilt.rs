//! What a rejected Change leaves behind on hosts: a past that is left out of what is usual, and harm that may be its doing still.

use std::collections::BTreeSet;

use belay_stats::robust::median;

use super::sight::{Row, Sight};
use crate::model::change::Trial;
use crate::model::ids::{ChangeId, HostId};
use crate::model::signal::Harm;
use crate::model::time::Span;
use crate::model::verdict::{Finding, Says};

/// Steps around a change in which a host shows whether it was well.
const WELL: usize = 6;
/// Values of the past whose median is what is usual.
const USUAL: usize = 24;

/// Says of findings where part of the past is left out. Harm that hosts showed already under what was rejected, until just now, is a
/// suspicion: what came to put them right must not be blamed for what it found.
pub(super) fn tell(trial: &Trial, sights: &[Sight<'_>], findings: &mut [Finding]) {
    if trial.spoilt.0.is_empty() {
        return;
    }
    for finding in findings {
        let Some(sight) = sights.iter().find(|sight| Some(&sight.signal.name) == finding.signal.as_ref()) else { continue };
        let row = |host: &HostId| sight.treated.iter().find(|row| row.host == *host);
        let doer = |host: &HostId| just_left(trial, host, sight.signal.step).filter(|_| row(host).is_some_and(|row| was_so(sight, row)));
        let doers: Option<BTreeSet<ChangeId>> = finding.hosts.iter().map(doer).collect();
        match doers.filter(|doers| finding.says == Says::Harm && !doers.is_empty()) {
            Some(doers) => {
                finding.says = Says::Suspicion;
                finding.text.push_str(&format!("; it was so already under {}, which was rejected", names(&doers)));
            }
            None => {
                let left_out = left_out(trial, sight);
                if super::compares(finding.check) && !left_out.is_empty() {
                    finding.text.push_str(&format!("; the time under {}, which was rejected, is left out of the past", names(&left_out)));
                }
            }
        }
    }
}

/// The Change that a host carried until just before it got the one on trial, if it was rejected.
fn just_left(trial: &Trial, host: &HostId, step: Span) -> Option<ChangeId> {
    let onset = trial.treated.get(host)?.onset;
    let near = trial.grace.max(step.times(i64::try_from(WELL).unwrap_or(i64::MAX)));
    trial.spoilt.0.get(host)?.iter().find(|stay| onset.since(stay.to) <= near).map(|stay| stay.change)
}

/// Whether a host was as it is since the change already: silent, or stuck at one value, or, just before the change and just after it, at
/// least half as far from what is usual.
fn was_so(sight: &Sight<'_>, row: &Row) -> bool {
    let before = row.lately(WELL);
    let after: Vec<f64> = row.settled().iter().flatten().copied().collect();
    let Some(now) = mean_of(&after) else { return before.is_empty() };
    let (Some(then), Some(first)) = (mean_of(&before), mean_of(&after[..after.len().min(WELL)])) else { return false };
    let usual: Vec<f64> = row.past().iter().rev().flatten().copied().take(USUAL).collect();
    let Some(usual) = median(&usual) else { return false };
    let moved = match sight.signal.harm {
        Harm::Up => 1.0,
        Harm::Down => -1.0,
        Harm::Both => (now - usual).signum(),
    };
    let [then, first, now] = [then, first, now].map(|mean| moved * (mean - usual));
    let stuck = before.iter().chain(&after).all(|value| value.to_bits() == before[0].to_bits());
    stuck || (now > 0.0 && then.min(first) >= 0.5 * now)
}

/// The Changes under which changed hosts have a past that is left out.
fn left_out(trial: &Trial, sight: &Sight<'_>) -> BTreeSet<ChangeId> {
    let hosts = sight.treated.iter().filter(|row| row.is_spoilt()).filter_map(|row| trial.spoilt.0.get(&row.host));
    hosts.flatten().map(|stay| stay.change).collect()
}

fn names(changes: &BTreeSet<ChangeId>) -> String {
    let names: Vec<String> = changes.iter().map(ToString::to_string).collect();
    names.join(" and ")
}

fn mean_of(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

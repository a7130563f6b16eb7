//! What a rejected Change leaves behind on hosts: a past that is left out of what is usual, and harm that may be its doing still.

use std::collections::BTreeSet;
use std::ops::Range;

use belay_stats::robust::{mean, median};

use super::checks::PAST_MIN;
use super::sight::{Row, Sight};
use crate::model::change::{Stay, Trial};
use crate::model::ids::{ChangeId, HostId};
use crate::model::signal::Harm;
use crate::model::time::{Span, Timestamp};
use crate::model::verdict::{Finding, Says};

/// Steps around a change in which a host shows whether it was well.
const WELL: usize = 6;
/// Values of the past whose median is what is usual.
const USUAL: usize = 24;
/// A host that was so far from what is usual, as a part of how far it is now, was so already.
const SO_ALREADY: f64 = 0.5;

/// Steps in which a host carried Changes that were rejected, and which.
pub(super) type Steps = Vec<(ChangeId, Range<usize>)>;

/// What is left of a past without the time under rejected Changes, which is these steps.
pub(super) enum Left {
    /// Half of it or more.
    Most(Steps),
    /// Too little to say much: it is taken as it is.
    Little,
    /// Next to nothing: the host says nothing of what is usual.
    Nothing(Steps),
}

/// What is left of the past of a host that begins with step 0, from when it is known until the first change.
pub(super) fn left(trial: &Trial, host: &HostId, (from, known, first): (Timestamp, Timestamp, Timestamp), step: Span) -> Left {
    let step_of = |at: Timestamp| usize::try_from(at.since(from).ms().max(0) / step.ms().max(1)).unwrap_or(usize::MAX);
    let stays = trial.spoilt.0.get(host).map_or(&[][..], |stays| &stays[..]);
    let begins = step_of(known);
    let of = |stay: &Stay| (stay.change, step_of(stay.from).max(begins)..step_of(stay.to));
    let mut steps: Steps = stays.iter().map(of).filter(|(_, steps)| !steps.is_empty()).collect();
    steps.sort_unstable_by_key(|(_, steps)| steps.start);
    let (all, gone) = (step_of(first).saturating_sub(begins), covered(&steps));
    match () {
        () if gone <= all / 2 => Left::Most(steps),
        () if all.saturating_sub(gone) < PAST_MIN => Left::Nothing(steps),
        () => Left::Little,
    }
}

/// How many steps these hold, which come in order and may overlap.
fn covered(steps: &[(ChangeId, Range<usize>)]) -> usize {
    let add = |(count, until): (usize, usize), (_, steps): &(ChangeId, Range<usize>)| {
        (count + steps.end.saturating_sub(steps.start.max(until)), until.max(steps.end))
    };
    steps.iter().fold((0, 0), add).0
}

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
                finding.text.push_str(&format!("; it was so already under {}", names(&doers)));
            }
            None => {
                let left_out = left_out(sight);
                if super::compares(finding.check) && !left_out.is_empty() {
                    finding.text.push_str(&format!("; the time under {}, is left out of the past", names(&left_out)));
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
    let Some(now) = mean(&after) else { return before.is_empty() };
    let (Some(then), Some(first)) = (mean(&before), mean(&after[..after.len().min(WELL)])) else { return false };
    let usual: Vec<f64> = row.past().iter().rev().flatten().copied().take(USUAL).collect();
    let Some(usual) = median(&usual) else { return false };
    let moved = match sight.signal.harm {
        Harm::Up => 1.0,
        Harm::Down => -1.0,
        Harm::Both => (now - usual).signum(),
    };
    let [then, first, now] = [then, first, now].map(|level| moved * (level - usual));
    let stuck = before.iter().chain(&after).all(|value| value.to_bits() == before[0].to_bits());
    stuck || (now > 0.0 && then.min(first) >= SO_ALREADY * now)
}

/// The Changes under which changed hosts have a past that is left out.
fn left_out(sight: &Sight<'_>) -> BTreeSet<ChangeId> {
    sight.treated.iter().flat_map(|row| &row.spoilt).map(|(change, _)| *change).collect()
}

/// `c-9, which was rejected`.
fn names(changes: &BTreeSet<ChangeId>) -> String {
    let names: Vec<String> = changes.iter().map(ToString::to_string).collect();
    format!("{}, which {} rejected", names.join(" and "), if changes.len() == 1 { "was" } else { "were" })
}

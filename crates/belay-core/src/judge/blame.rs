//! Several Changes came to the same hosts in the same time: which of them fits the harm best? Ranked by
//! how soon after each the harm began, how many of the harmed hosts got it (spread), and how many of
//! the hosts that got it are harmed (dose); what came after the harm had begun is out (Li et al.,
//! "Gandalf", NSDI 2020, ranks deployments likewise). Where the best does not fit twice as well as the
//! next, they cannot be told apart.

use std::collections::BTreeSet;

use crate::model::change::Trial;
use crate::model::ids::{ChangeId, HostId};
use crate::model::time::{Span, Timestamp};
use crate::model::verdict::{Finding, Says};

/// The best must fit so many times as well as the next.
const CLEARLY: f64 = 2.0;
/// The shortest time in which the weight of a Change halves.
const HALF_MIN: Span = Span::from_min(1);

/// What the harm is put down to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blame {
    /// The Change on trial: no other came, or it fits clearly better.
    Own,
    /// Another one, which fits clearly better.
    Other(ChangeId),
    /// They cannot be told apart.
    Unclear,
}

/// How well one Change fits.
struct Fit {
    /// None is the Change on trial.
    change: Option<ChangeId>,
    strength: f64,
    /// Harmed hosts that got it.
    harmed: usize,
}

/// Puts the harm that signals show down to one of the Changes that came, and says so in the findings.
pub(super) fn blame(trial: &Trial, findings: &mut [Finding]) -> Blame {
    let harm = |finding: &&mut Finding| finding.says == Says::Harm && finding.signal.is_some();
    if trial.overlaps.0.is_empty() {
        return Blame::Own;
    }
    // A comparison of sums names all hosts that changed, and its windows begin early; one that asks each host says which it is, and when.
    let shown = findings.iter().filter(|finding| finding.says == Says::Harm && finding.signal.is_some() && !finding.hosts.is_empty());
    let told = shown.filter_map(|finding| finding.since.map(|since| (&finding.hosts, since))).min_by_key(|(hosts, _)| hosts.len());
    let Some((hosts, since)) = told else { return Blame::Unclear };
    let harmed: BTreeSet<HostId> = hosts.iter().cloned().collect();
    let mut fits: Vec<Fit> =
        trial.overlaps.0.keys().map(|other| Some(*other)).chain([None]).map(|of| fit(trial, of, &harmed, since)).collect();
    fits.sort_by(|a, b| b.strength.total_cmp(&a.strength));
    let (best, next) = (&fits[0], &fits[1]);
    let clear = best.strength > 0.0 && best.strength >= CLEARLY * next.strength;
    let blame = match (clear, best.change) {
        (true, None) => Blame::Own,
        (true, Some(other)) => Blame::Other(other),
        (false, _) => Blame::Unclear,
    };
    let words = words(blame, &fits, harmed.len());
    findings.iter_mut().filter(harm).for_each(|finding| finding.text.push_str(&words));
    blame
}

fn fit(trial: &Trial, change: Option<ChangeId>, harmed: &BTreeSet<HostId>, since: Timestamp) -> Fit {
    let came = |host: &HostId| match change {
        None => trial.treated.get(host).map(|treated| treated.onset),
        Some(other) => trial.overlaps.0.get(&other).and_then(|hosts| hosts.get(host)).copied(),
    };
    let half = trial.grace.max(HALF_MIN).ms() as f64;
    let weight = |host: &HostId| {
        // On a host that changed later than the first one showed harm, it can have begun with its own change at the soonest.
        let begun = trial.treated.get(host).map_or(since, |own| own.onset.max(since));
        came(host).filter(|came| *came <= begun).map(|came| (-(begun.since(came).ms() as f64) / half * std::f64::consts::LN_2).exp())
    };
    let weights: Vec<f64> = harmed.iter().filter_map(weight).collect();
    let got = trial.treated.keys().filter(|host| came(host).is_some()).count();
    let (spread, dose) = (part(weights.len(), harmed.len()), part(weights.len(), got));
    let soon = if weights.is_empty() { 0.0 } else { weights.iter().sum::<f64>() / weights.len() as f64 };
    Fit { change, strength: spread * dose * soon, harmed: weights.len() }
}

fn part(of: usize, all: usize) -> f64 {
    of as f64 / all.max(1) as f64
}

fn words(blame: Blame, fits: &[Fit], harmed: usize) -> String {
    let others = fits.iter().filter_map(|fit| fit.change.map(|change| format!("{change} to {} of {harmed}", fit.harmed)));
    let others = others.collect::<Vec<_>>().join(", ");
    match blame {
        Blame::Own => format!("; {others} of these hosts came in the same time and fits less"),
        Blame::Other(other) => format!("; {other} came to the same hosts in the same time and fits better ({others})"),
        Blame::Unclear => format!("; {others} of these hosts came in the same time and cannot be told apart"),
    }
}

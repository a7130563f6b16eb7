//! The checks, one file each. A check says what it found; none decides what follows.
//!
//! Those of [`runs`] read the reports alone; those of [`signals`] read one signal.

mod check_failing;
mod compile_error;
mod drift;
mod environment;
mod failed_resource;
mod failure_rate;
mod flow_share;
pub(super) mod flow_stopped;
mod frozen;
mod leap;
pub(super) mod level;
mod measure;
mod presence;
pub(super) mod quorum;
mod relation;
mod single_host;
mod vanished;

use super::budget::of_own_test;
use super::sight::Sight;
use super::weigh::Weighed;
use crate::model::change::Trial;
use crate::model::signal::SignalKind;
use crate::model::time::Timestamp;
use crate::model::verdict::{Finding, Lack};

/// The fewest values of its own past a host needs to be compared with itself.
pub(super) const PAST_MIN: usize = 10;

/// The checks that read what the reports say.
pub(super) fn runs(trial: &Trial) -> Vec<Finding> {
    [failed_resource::check(trial), compile_error::check(trial), environment::check(trial)].into_iter().flatten().collect()
}

/// The checks that read one signal, of which `weighed` is the comparison with past and peers, where there could be one. `over`: the
/// trial is, so that what is not excluded by now stays open.
pub(super) fn signals(trial: &Trial, sight: &Sight<'_>, weighed: Option<&Weighed<'_>>, over: bool) -> Vec<Finding> {
    let mut found = Vec::new();
    if sight.signal.must_have {
        found.extend(vanished::check(sight));
        found.extend(presence::check(sight));
    }
    match sight.signal.kind {
        SignalKind::Flow => {
            let stopped = flow_stopped::check(trial, sight);
            found.extend(flow_share::check(sight, of_own_test(trial, sight.signal)));
            found.extend(stopped);
        }
        SignalKind::Gauge | SignalKind::Latency => {
            found.extend(frozen::check(trial, sight));
            found.extend(weighed.and_then(|weighed| leap::check(trial, sight, weighed)));
        }
        SignalKind::Check => {
            found.extend(check_failing::check(trial, sight));
            found.extend(failure_rate::check(trial, sight, of_own_test(trial, sight.signal)));
        }
        SignalKind::Count => {}
    }
    found.extend(level::check(sight, weighed, over));
    if let Some(weighed) = weighed {
        found.extend(drift::check(sight, weighed));
        found.extend(single_host::check(sight, weighed));
        found.extend(weighed.siblings.as_ref().and_then(|siblings| relation::check(sight, siblings)));
    }
    found
}

/// What should have been seen of a signal and was not.
pub(super) fn lacks(sight: &Sight<'_>, at: Timestamp) -> Vec<Lack> {
    presence::lacks(sight, at)
}

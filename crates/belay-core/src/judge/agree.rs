//! Suspicions that agree. One sign alone only holds a wave; a second one makes it harm. A later look is seen by the checks
//! themselves, other hosts by the quorum; here it is two signals whose levels moved, or two checks of one signal that look at different
//! things: its level, and whether it stands still or fails.

use std::collections::BTreeSet;

use super::checks::quorum::quorum;
use crate::model::ids::SignalName;
use crate::model::verdict::{Check, Finding, Says};

/// Makes suspicions harm where a second sign agrees.
pub(super) fn agree(findings: &mut [Finding], treated: usize) {
    let moved = signals(findings, treated, |check| check == Check::Level);
    let still = signals(findings, treated, |check| matches!(check, Check::Frozen | Check::FlowStopped | Check::CheckFailing));
    let both: BTreeSet<SignalName> = moved.intersection(&still).cloned().collect();
    if moved.len() >= 2 {
        let names: Vec<String> = moved.iter().map(ToString::to_string).collect();
        raise(findings, treated, &moved, |check| check == Check::Level, &format!("; {} moved together", names.join(" and ")));
    }
    raise(findings, treated, &both, |check| check != Check::Relation, "; level and run agree");
}

/// The signals of which such a check suspects enough hosts to speak for the wave.
fn signals(findings: &[Finding], treated: usize, of: impl Fn(Check) -> bool) -> BTreeSet<SignalName> {
    let suspect = |finding: &&Finding| of(finding.check) && suspect(finding, treated);
    findings.iter().filter(suspect).filter_map(|finding| finding.signal.clone()).collect()
}

fn suspect(finding: &Finding, treated: usize) -> bool {
    finding.says == Says::Suspicion && finding.hosts.len() >= quorum(treated)
}

fn raise(findings: &mut [Finding], treated: usize, signals: &BTreeSet<SignalName>, of: impl Fn(Check) -> bool, why: &str) {
    let concerned = |finding: &Finding| finding.signal.as_ref().is_some_and(|signal| signals.contains(signal));
    for finding in findings.iter_mut().filter(|finding| suspect(finding, treated) && concerned(finding) && of(finding.check)) {
        finding.says = Says::Harm;
        finding.text.push_str(why);
    }
}

//! From findings to where the trial stands. The order matters: harm first, then missing data, then
//! acceptance.

use super::blame::{Blame, blame};
use super::checks::flow_stopped::{dry, flowed, rests};
use super::sight::{Row, Sight};
use crate::model::change::Trial;
use crate::model::signal::SignalKind;
use crate::model::time::Timestamp;
use crate::model::verdict::{Finding, Gap, Lack, Look, Outcome, Says, Standing};

/// `assured`: harm above the margin is excluded in every must-have signal, at any look.
pub(super) fn conclude(
    trial: &Trial,
    at: Timestamp,
    sights: &[Sight<'_>],
    mut findings: Vec<Finding>,
    lacks: Vec<Lack>,
    assured: bool,
) -> Look {
    findings.sort_by_key(|finding| (rank(finding.says), finding.check));
    let blame = blame(trial, &mut findings);
    let standing = match standing(trial, at, sights, &findings, &lacks, blame) {
        Standing::OnTrial if assured && early(trial, at, sights, &findings, &lacks) => Standing::Final(Outcome::Accepted),
        standing => standing,
    };
    Look { at, standing, findings, lacks }
}

/// Findings that say harm come first, then suspicions, then what cannot be told.
fn rank(says: Says) -> u8 {
    match says {
        Says::Harm => 0,
        Says::Suspicion => 1,
        Says::CannotTell(_) => 2,
        Says::Fine => 3,
    }
}

fn standing(trial: &Trial, at: Timestamp, sights: &[Sight<'_>], findings: &[Finding], lacks: &[Lack], blame: Blame) -> Standing {
    let says = |what: Says| findings.iter().any(|finding| finding.says == what);
    let over = at >= trial.ends;
    if says(Says::Harm) {
        let by_reports = findings.iter().any(|finding| finding.says == Says::Harm && finding.signal.is_none());
        let own = by_reports || (blame == Blame::Own && trial.confounder.is_none());
        return match (own, over) {
            (true, _) => Standing::Final(Outcome::Rejected),
            (false, false) => Standing::Suspect,
            (false, true) => Standing::Final(Outcome::Inconclusive(Gap::Confounded)),
        };
    }
    if over {
        let outcome = gap(trial, at, sights, findings, lacks).map_or(Outcome::Accepted, Outcome::Inconclusive);
        return Standing::Final(outcome);
    }
    if says(Says::Suspicion) { Standing::Suspect } else { Standing::OnTrial }
}

/// Steps since its grace that each host must have shown before a trial may end early.
const EARLY_MIN: usize = 6;

/// Whether a trial may end accepted before its horizon: it has lasted its bake, nothing at all stands against it, nothing that is wanted is
/// missing, and of every signal that must be there each value since the grace was seen, on every host, and enough of them. Nor while a flow
/// rests: in a lull nothing can stop, and a stop shows when it is over.
fn early(trial: &Trial, at: Timestamp, sights: &[Sight<'_>], findings: &[Finding], lacks: &[Lack]) -> bool {
    let whole =
        |sight: &Sight<'_>| sight.treated.iter().all(|row| row.settled().len() >= EARLY_MIN && row.settled().iter().all(Option::is_some));
    let must_have = sights.iter().filter(|sight| sight.signal.must_have);
    let at_rest = |sight: &Sight<'_>| on_one_in_twenty(sight, rests);
    lacks.is_empty()
        && must_have.into_iter().all(|sight| whole(sight) && !at_rest(sight))
        && gap(trial, at, sights, findings, lacks).is_none()
}

/// Why a trial that is over cannot end accepted; `None` when nothing stands against it.
fn gap(trial: &Trial, at: Timestamp, sights: &[Sight<'_>], findings: &[Finding], lacks: &[Lack]) -> Option<Gap> {
    let must_have = || sights.iter().filter(|sight| sight.signal.must_have);
    if trial.treated.values().all(|treated| treated.compile_error.is_some()) {
        return Some(Gap::RunsFailed);
    }
    if must_have().count() == 0 {
        return Some(Gap::NoSignals);
    }
    if trial.treated.values().all(|treated| treated.left.is_some()) || must_have().any(|sight| sight.treated.is_empty()) {
        return Some(Gap::TooLittle);
    }
    if lacks.iter().any(|lack| lack.must_have) || must_have().any(|sight| !seen(sight)) {
        return Some(Gap::NoData);
    }
    if at < trial.accept_from || must_have().any(|sight| !comparable(sight) || mute(sight)) {
        return Some(Gap::TooLittle);
    }
    let cannot = findings.iter().find_map(|finding| match finding.says {
        Says::CannotTell(gap) => Some(gap),
        Says::Harm | Says::Suspicion | Says::Fine => None,
    });
    let suspicious = findings.iter().any(|finding| finding.says == Says::Suspicion);
    let dried_up = |sight: &Sight<'_>| on_one_in_twenty(sight, dry);
    cannot.or(suspicious.then_some(Gap::Conflicting)).or(must_have().any(dried_up).then_some(Gap::TooLittle))
}

/// Whether it is a flow, and something holds of it on one host in twenty or more.
fn on_one_in_twenty(sight: &Sight<'_>, holds: fn(&Row) -> bool) -> bool {
    let hosts = sight.treated.iter().filter(|row| holds(row)).count();
    sight.signal.kind == SignalKind::Flow && hosts > 0 && hosts * 20 >= sight.treated.len()
}

/// Whether a flow has shown nothing at all since the change on more than half of the hosts. Where
/// nothing flows nothing can stop: a host that an earlier change brought to a standstill looks as it
/// did in its past, and that is no proof of anything. One that stands by beside each that works is usual.
fn mute(sight: &Sight<'_>) -> bool {
    let since = |row: &&Row| row.settled().iter().any(Option::is_some);
    let flows = |row: &&Row| flowed(row).iter().flatten().any(|value| *value > 0.0);
    let (seen, flowing) = (sight.treated.iter().filter(since).count(), sight.treated.iter().filter(flows).count());
    sight.signal.kind == SignalKind::Flow && (flowing == 0 || flowing * 2 < seen)
}

/// Whether at least half of the values that should be there since the grace are there.
fn seen(sight: &Sight<'_>) -> bool {
    let settled = || sight.treated.iter().flat_map(|row| row.settled());
    let (there, due) = (settled().flatten().count(), settled().count());
    due > 0 && there * 2 >= due
}

/// Whether there is anything to compare with: a past of their own on half of the hosts. Peers alone are not enough: what a host should show
/// beside them is learned from both their pasts.
fn comparable(sight: &Sight<'_>) -> bool {
    let with_past = sight.treated.iter().filter(|row| row.past_count() >= super::checks::PAST_MIN).count();
    with_past * 2 >= sight.treated.len() && with_past > 0
}

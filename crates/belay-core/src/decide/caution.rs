//! What a self-check comes to: signals that raise more false alarms than they may are given wider thresholds, night by night; those that
//! behave get them back. What plain checks raise widens nothing: they have no thresholds.

use std::collections::BTreeMap;

use super::Answer;
use super::draft::Draft;
use super::selfcheck::Tally;
use super::trial::budget_at;
use crate::judge::budget::share;
use crate::model::ids::{ClassName, SignalName};
use crate::model::principal::Actor;
use crate::model::selfcheck::{Caution, Cautions, FACTOR_MAX, Rate, SelfCheck, SignalCheck};
use crate::model::signal::Signal;
use crate::model::time::Span;
use crate::state::{Fact, State};

/// By how much thresholds widen in a night.
const WIDER: f64 = 1.25;
/// By how much they relax in one.
const RELAXED: f64 = 1.1;
/// Thresholds move once a night, however often somebody asks for a check.
const NIGHTLY: Span = Span::from_min(20 * 60);

/// The cautions with which trials of a class are judged.
pub fn of(state: &State, class: &ClassName) -> Cautions {
    let Some(check) = state.selfchecks.get(class) else { return Cautions::default() };
    Cautions(check.signals.iter().filter_map(|(name, signal)| Some((name.clone(), signal.caution?))).collect())
}

pub(super) fn checked(draft: &mut Draft<'_>, actor: &Actor, class: &ClassName, tally: &Tally) -> Answer {
    let before = draft.state.selfchecks.get(class);
    let moved = before.and_then(|check| check.moved);
    let moves = tally.skipped.is_none() && moved.is_none_or(|at| draft.now.since(at) >= NIGHTLY);
    let declared = || draft.state.policy.signals_of(class);
    let budget = budget_at(draft.state, draft.now, None);
    let checked = |signal: &Signal| {
        let name = &signal.name;
        let found = tally.signals.get(name).copied().unwrap_or_default();
        let known = before.and_then(|check| check.signals.get(name)).and_then(|signal| signal.caution);
        let found = SignalCheck { share: share(budget, signal, declared()), caution: known, ..found };
        if moves { SignalCheck { caution: moved_by(&found, tally.apart), ..found } } else { found }
    };
    let signals: BTreeMap<SignalName, SignalCheck> = declared().map(|signal| (signal.name.clone(), checked(signal))).collect();
    let check = SelfCheck {
        class: class.clone(),
        at: draft.now,
        seed: tally.seed,
        skipped: tally.skipped.clone(),
        drawn: tally.drawn,
        apart: tally.apart,
        judged: tally.judged,
        rejected: tally.rejected,
        budget,
        moved: if moves { Some(draft.now) } else { moved },
        signals,
    };
    draft.push(Fact::SelfChecked { check: Box::new(check), actor: actor.clone() });
    Answer::Done
}

/// The caution of a signal after such a night; a night in which it was not judged changes nothing.
fn moved_by(found: &SignalCheck, apart: u32) -> Option<Caution> {
    let Some(rate) = Rate::of(found.compared, found.judged, apart) else { return found.caution };
    let factor = found.caution.map_or(1.0, |caution| caution.factor);
    if rate.low > found.share {
        return Some(Caution { factor: (factor * WIDER).min(FACTOR_MAX), alarms: found.compared, checks: found.judged });
    }
    let relaxed = factor / RELAXED;
    found.caution.filter(|_| relaxed > 1.0).map(|caution| Caution { factor: relaxed, ..caution })
}

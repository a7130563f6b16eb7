//! Who is told of a Change, and what becomes of each attempt. One alert a Change: while a message
//! waits to be sent, further news need none of their own, because its text is made when it is sent.

use super::Answer;
use super::draft::Draft;
use crate::model::alert::{ATTEMPTS_MAX, Attempt, Effect, Subject, Task};
use crate::model::ids::{ChangeId, ClassName, EffectId};
use crate::model::policy::Receiver;
use crate::model::principal::Actor;
use crate::model::time::Span;
use crate::state::{Fact, NoteKind};

/// Updates of one alert keep at least this distance.
const UPDATE_EVERY: Span = Span::from_s(10);
/// A message that must not be lost in one that may be on its way follows it after this time.
const AFTER: Span = Span::from_s(1);
/// The longest wait between two attempts.
const BACK_OFF_MAX: Span = Span::from_min(60);

/// How soon people are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// It stands otherwise than before: at once.
    AtOnce,
    /// More of the same: not more often than every [`UPDATE_EVERY`].
    Gathered,
}

/// Asks for every receiver of the class to be told how the Change stands.
pub(super) fn tell(draft: &mut Draft<'_>, change: ChangeId, class: &ClassName, pace: Pace) {
    tell_of(draft, &Subject::Change(change), &[class], pace);
}

/// Asks for every receiver of these classes (of all, where none is named) to be told how something
/// stands.
pub(super) fn tell_of(draft: &mut Draft<'_>, about: &Subject, classes: &[&ClassName], pace: Pace) {
    let policy = draft.state.policy.clone();
    let soonest = match pace {
        Pace::AtOnce => draft.now,
        Pace::Gathered => draft.state.alerted.get(about).map_or(draft.now, |last| *last + UPDATE_EVERY).max(draft.now),
    };
    let wants = |receiver: &&Receiver| {
        receiver.classes.is_empty() || classes.is_empty() || classes.iter().any(|class| receiver.classes.contains(class))
    };
    for receiver in policy.receivers.iter().filter(wants) {
        let task = Task::Notify { receiver: receiver.name.clone(), about: about.clone() };
        let same = || draft.state.effects.values().filter(|effect| effect.task == task && !effect.dead);
        // One that is not due yet will say this as well. One that is due may be on its way with older words.
        match same().find(|effect| effect.next_try > draft.now) {
            Some(waiting) if waiting.attempts == 0 && waiting.next_try > soonest => {
                draft.push(Fact::EffectTried { effect: Effect { next_try: soonest, ..waiting.clone() } });
            }
            Some(_) => {}
            None => {
                let next_try = if same().next().is_some() { soonest.max(draft.now + AFTER) } else { soonest };
                let effect =
                    Effect { id: draft.next_effect(), task, attempts: 0, next_try, asked: draft.now, last_error: None, dead: false };
                draft.push(Fact::EffectAsked { effect });
            }
        }
    }
}

/// Takes note of an attempt: done, to be tried again after a longer and longer wait, or given up.
pub(super) fn tried(draft: &mut Draft<'_>, id: EffectId, attempt: &Attempt) -> Answer {
    let Some(effect) = draft.state.effects.get(&id).filter(|effect| !effect.dead) else { return Answer::Done };
    let (error, may_retry) = match attempt {
        Attempt::Done => {
            done(draft, effect);
            return Answer::Done;
        }
        Attempt::Later(error) => (error, true),
        Attempt::Never(error) => (error, false),
    };
    let attempts = effect.attempts + 1;
    let dead = !may_retry || attempts >= ATTEMPTS_MAX;
    let next_try = draft.now + back_off(id, attempts);
    let tried = Effect { attempts, next_try, last_error: Some(error.clone()), dead, ..effect.clone() };
    draft.push(Fact::EffectTried { effect: tried });
    if dead {
        let Task::Notify { receiver, about } = &effect.task;
        let text = format!("gave up telling {receiver} of {about} after {attempts} attempts: {error}");
        draft.note(NoteKind::Warning, &Actor("belay".to_owned()), None, text);
    }
    Answer::Done
}

/// A delivered message says how things stand now: given-up ones for the same ears are obsolete.
fn done(draft: &mut Draft<'_>, effect: &Effect) {
    draft.push(Fact::EffectDone { effect: effect.id, delivered: true });
    let obsolete: Vec<EffectId> =
        draft.state.effects.values().filter(|other| other.dead && other.task == effect.task).map(|other| other.id).collect();
    for effect in obsolete {
        draft.push(Fact::EffectDone { effect, delivered: false });
    }
}

/// 1 s, 2 s, 4 s ... up to an hour, each lengthened by up to a quarter that depends on the number,
/// so that many messages to one receiver do not return together.
fn back_off(id: EffectId, attempts: u32) -> Span {
    let doubled = 1000_i64.saturating_mul(1_i64 << attempts.saturating_sub(1).min(20));
    let base = doubled.min(BACK_OFF_MAX.ms());
    let spread = i64::try_from(id.0.wrapping_mul(0x9E37_79B9_7F4A_7C15) % 256).unwrap_or(0);
    Span::from_ms(base + base * spread / 1024)
}

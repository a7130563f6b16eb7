//! What people decide: verdicts of their own, and credentials.

use super::draft::Draft;
use super::{Answer, Ruling, look, sessions};
use crate::model::ids::ChangeId;
use crate::model::principal::{Principal, Role, Token};
use crate::model::verdict::{Judge, Outcome, Verdict};
use crate::state::{Fact, NoteKind};

/// The longest reason kept, in characters.
const REASON_MAX: usize = 1000;
/// Why an admin is not limited to classes.
pub(super) const ADMIN_EVERYWHERE: &str =
    "classes: an admin may do everything, so cannot be limited to classes; make it an approver, or leave the classes out";
/// The most credentials there may be.
const TOKENS_MAX: usize = 10_000;

pub(super) fn rule(draft: &mut Draft<'_>, principal: &Principal, id: ChangeId, ruling: Ruling, seen: Option<&str>, reason: &str) -> Answer {
    let actor = principal.actor();
    if !principal.has(Role::Approver) {
        draft.note(NoteKind::Security, &actor, None, format!("{actor} tried to rule on {id} without the role of an approver"));
        return Answer::Forbidden("a verdict needs the role of an approver".to_owned());
    }
    let reason = reason.trim();
    if reason.is_empty() {
        return Answer::Unprocessable("reason: it is empty; say why, it is shown with the Change for ever".to_owned());
    }
    if reason.chars().count() > REASON_MAX {
        return Answer::Unprocessable(format!("reason: it is longer than {REASON_MAX} characters"));
    }
    let Some(change) = draft.state.changes.get(&id) else {
        return Answer::NotFound(format!("there is no Change {id} any more that could be ruled on"));
    };
    let mark = change.evidence_mark();
    if seen.is_some_and(|seen| seen != mark) {
        return Answer::Outdated(format!(
            "{id} stands otherwise than when you looked (it is {} now, evidence {mark}): look again with `belay why {id}`",
            crate::explain::change::standing(change)
        ));
    }
    let outcome = match ruling {
        Ruling::Accept => Outcome::Accepted,
        Ruling::Reject => Outcome::Rejected,
    };
    let (findings, lacks, evidence) = known(change);
    let by = Judge::Person { actor, reason: reason.to_owned() };
    let verdict = Verdict { outcome, at: draft.now, by, findings, lacks, evidence };
    look::conclude(draft, change, verdict);
    Answer::Done
}

type Known = (Vec<crate::model::verdict::Finding>, Vec<crate::model::verdict::Lack>, Option<crate::model::ids::Digest>);

/// What Belay had found before a person ruled.
fn known(change: &crate::model::change::Change) -> Known {
    match (&change.verdict, &change.look) {
        (Some(verdict), _) => (verdict.findings.clone(), verdict.lacks.clone(), verdict.evidence),
        (None, Some(look)) => (look.findings.clone(), look.lacks.clone(), None),
        (None, None) => (Vec::new(), Vec::new(), None),
    }
}

pub(super) fn issue(draft: &mut Draft<'_>, principal: &Principal, token: &Token) -> Answer {
    if !principal.has(Role::Admin) {
        return Answer::Forbidden("issuing a credential needs the role of an admin".to_owned());
    }
    if token.name.is_empty() || token.name.len() > 100 || !token.name.bytes().all(|b| b.is_ascii_graphic()) {
        return Answer::Unprocessable("name: it must have 1 to 100 printable ASCII characters without spaces".to_owned());
    }
    if draft.state.tokens.len() >= TOKENS_MAX {
        return Answer::Unprocessable(format!("there are {TOKENS_MAX} credentials already; revoke some"));
    }
    if matches!(&token.principal, Principal::Person { role: Role::Admin, within, .. } if within.limits()) {
        return Answer::Unprocessable(ADMIN_EVERYWHERE.to_owned());
    }
    sessions::end_by_token(draft, &principal.actor(), &token.name);
    draft.push(Fact::TokenIssued { token: token.clone(), actor: principal.actor() });
    Answer::Done
}

pub(super) fn revoke(draft: &mut Draft<'_>, principal: &Principal, name: &str) -> Answer {
    if !principal.has(Role::Admin) {
        return Answer::Forbidden("ending a credential needs the role of an admin".to_owned());
    }
    if !draft.state.tokens.iter().any(|token| token.name == name) {
        return Answer::NotFound(format!("there is no credential called {name}"));
    }
    sessions::end_by_token(draft, &principal.actor(), name);
    draft.push(Fact::TokenRevoked { name: name.to_owned(), actor: principal.actor() });
    Answer::Done
}

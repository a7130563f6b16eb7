//! What people decide about holds: to place, extend, end them. An editor says which revision was
//! seen, so that nobody's decision is overwritten blind.

use std::collections::BTreeSet;

use super::Answer;
use super::draft::Draft;
use crate::host::talk::Lock;
use crate::model::gate::HoldOrder;
use crate::model::hold::{HOLD_MAX, HOLDS_MAX, Hold, HoldEnd, HoldScope, Told};
use crate::model::host::Host;
use crate::model::ids::{ClassName, HoldId, HostId};
use crate::model::principal::{Actor, Principal, Role};
use crate::model::time::{Span, Timestamp};
use crate::state::{Fact, NoteKind, State};

/// The longest reason, owner, contact or ticket, in characters.
const TEXT_MAX: usize = 500;
/// A hold on more than this part of the fleet has to be confirmed with the number of its hosts.
const CONFIRM_ABOVE: usize = 10;
/// A fleet smaller than this needs no such confirmation.
const CONFIRM_FROM: usize = 20;

/// A hold that is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HoldAsk {
    /// The hosts it is about.
    pub scope: HoldScope,
    /// Who answers for it; the one who asks, where nobody is named.
    pub owner: Option<String>,
    /// Why; mandatory.
    pub reason: String,
    /// A ticket.
    pub ticket: Option<String>,
    /// Whom to ask; the owner, where nobody is named.
    pub contact: Option<String>,
    /// Until when; mandatory.
    pub until: Option<Timestamp>,
    /// The number of hosts it is about, as the one who asks counted them: needed for a large part
    /// of the fleet.
    pub confirm: Option<u32>,
    /// It is made of the foreign lock that stands on this host.
    pub import: Option<HostId>,
}

/// An alteration of a hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HoldEdit {
    /// It lasts until then.
    Extend(Timestamp),
    /// It ends.
    Release,
}

pub(super) fn place(draft: &mut Draft<'_>, principal: &Principal, ask: &HoldAsk) -> Answer {
    let actor = principal.actor();
    if !principal.has(Role::Operator) {
        return refuse(draft, &actor, "place a hold");
    }
    let scope = match &ask.import {
        Some(host) => HoldScope { hosts: vec![crate::model::policy::Pattern::new(host.as_str())], classes: BTreeSet::new() },
        None => ask.scope.clone(),
    };
    let checked = texts(ask).and_then(|()| times(ask.until, draft.now)).and_then(|until| {
        count(draft.state, &scope, ask.confirm)?;
        Ok((until, imported(draft.state, ask.import.as_ref())?))
    });
    let (until, imports) = match checked {
        Ok(checked) => checked,
        Err(text) => return Answer::Unprocessable(text),
    };
    if draft.state.holds.values().filter(|hold| hold.stands()).count() >= HOLDS_MAX {
        return Answer::Unprocessable(format!("{HOLDS_MAX} holds stand already; release some"));
    }
    let owner = ask.owner.clone().filter(|owner| !owner.trim().is_empty()).unwrap_or_else(|| actor.0.clone());
    let id = draft.next_hold();
    let order = HoldOrder {
        id,
        contact: ask.contact.clone().filter(|contact| !contact.trim().is_empty()).unwrap_or_else(|| owner.clone()),
        owner,
        reason: ask.reason.trim().to_owned(),
        ticket: ask.ticket.clone(),
        placed: draft.now,
        until,
        imports,
    };
    let hold = Hold::placed(order, scope);
    let verb = if ask.import.is_some() { "imported a foreign lock as" } else { "placed" };
    let what = format!("{actor} {verb} {id} on {} until {until}: {}", hold.scope.words(), hold.reason);
    draft.push(Fact::HoldSet { hold: Box::new(hold), actor, what });
    Answer::Hold { hold: id, revision: 1 }
}

fn refuse(draft: &mut Draft<'_>, actor: &Actor, what: &str) -> Answer {
    draft.note(NoteKind::Security, actor, None, format!("{actor} tried to {what} without the role of an operator"));
    Answer::Forbidden(format!("to {what} needs the role of an operator"))
}

fn texts(ask: &HoldAsk) -> Result<(), String> {
    if ask.reason.trim().is_empty() {
        return Err("reason: it is empty; say why, it is shown to whoever meets the hold".to_owned());
    }
    let fields =
        [("reason", Some(&ask.reason)), ("owner", ask.owner.as_ref()), ("ticket", ask.ticket.as_ref()), ("contact", ask.contact.as_ref())];
    match fields.iter().find(|(_, text)| text.is_some_and(|text| text.chars().count() > TEXT_MAX)) {
        Some((name, _)) => Err(format!("{name}: it is longer than {TEXT_MAX} characters")),
        None => Ok(()),
    }
}

fn times(until: Option<Timestamp>, now: Timestamp) -> Result<Timestamp, String> {
    let Some(until) = until else {
        return Err("until: a hold needs an end; say for how long".to_owned());
    };
    if until <= now {
        return Err(format!("until: {until} is over; it is {now}"));
    }
    if until.since(now) > HOLD_MAX {
        return Err(format!("until: a hold lasts at most {HOLD_MAX}; it can be extended before it ends"));
    }
    Ok(until)
}

/// A hold on nobody is a slip of the pen; one on a large part of the fleet has to be meant.
fn count(state: &State, scope: &HoldScope, confirm: Option<u32>) -> Result<usize, String> {
    let hosts = state.hosts.values().filter(|host| scope.holds(&host.id, &host.class)).count();
    let fleet = state.hosts.len();
    if hosts == 0 {
        return Err(format!("scope: no host is meant by {}; `belay hosts` lists those there are", scope.words()));
    }
    let large = fleet >= CONFIRM_FROM && hosts * 100 > fleet * CONFIRM_ABOVE;
    match confirm {
        Some(counted) if usize::try_from(counted) != Ok(hosts) => {
            Err(format!("confirm: {counted} hosts were counted, but {hosts} are meant by {}; look again", scope.words()))
        }
        None if large => {
            Err(format!("scope: {hosts} of {fleet} hosts are meant by {}; confirm that number, if it is what you mean", scope.words()))
        }
        Some(_) | None => Ok(hosts),
    }
}

fn imported(state: &State, host: Option<&HostId>) -> Result<Option<String>, String> {
    let Some(host) = host else { return Ok(None) };
    match state.hosts.get(host).and_then(|host| host.agent.as_ref()).map(|agent| &agent.status.lock) {
        Some(Lock::Foreign { message, .. }) => Ok(Some(message.clone())),
        Some(Lock::Absent | Lock::Ours(_)) => Err(format!("import: no foreign lock stands on {host}")),
        None => Err(format!("import: no agent has told of {host}; it cannot be known whether a lock stands there")),
    }
}

pub(super) fn edit(draft: &mut Draft<'_>, principal: &Principal, id: HoldId, seen: Option<u32>, edit: &HoldEdit, reason: &str) -> Answer {
    let actor = principal.actor();
    if !principal.has(Role::Operator) {
        return refuse(draft, &actor, "alter a hold");
    }
    let Some(hold) = draft.state.holds.get(&id) else { return Answer::NotFound(format!("there is no hold {id}")) };
    if let Some(end) = &hold.end {
        return Answer::Conflict(format!("{id} was ended by {} at {}: {}", end.by, end.at, end.reason));
    }
    if seen.is_some_and(|seen| seen != hold.revision) {
        return Answer::Outdated(format!("{id} was altered since you looked at it (revision {}); look again", hold.revision));
    }
    if reason.chars().count() > TEXT_MAX {
        return Answer::Unprocessable(format!("reason: it is longer than {TEXT_MAX} characters"));
    }
    let mut new = Hold { revision: hold.revision + 1, ..hold.clone() };
    let what = match edit {
        HoldEdit::Extend(until) => match times(Some(*until), draft.now) {
            Err(text) => return Answer::Unprocessable(text),
            Ok(until) => {
                extend(&mut new, until);
                format!("{actor} extended {id} until {until}{}", because(reason))
            }
        },
        HoldEdit::Release if !may_release(principal, hold) => {
            return Answer::Forbidden(format!("{id} belongs to {}: to end somebody else's hold needs the role of an approver", hold.owner));
        }
        HoldEdit::Release if reason.trim().is_empty() => {
            return Answer::Unprocessable("reason: it is empty; say why the hold can go".to_owned());
        }
        HoldEdit::Release => {
            new.end = Some(HoldEnd { at: draft.now, by: actor.clone(), reason: reason.trim().to_owned() });
            format!("{actor} released {id}{}", because(reason))
        }
    };
    let revision = new.revision;
    draft.push(Fact::HoldSet { hold: Box::new(new), actor, what });
    Answer::Hold { hold: id, revision }
}

/// What expiry had begun is undone: the hold holds everywhere again.
fn extend(hold: &mut Hold, until: Timestamp) {
    hold.until = until;
    hold.told = Told::Nothing;
    hold.asked.0.clear();
    hold.handed_over.clear();
    hold.would_change.clear();
}

fn because(reason: &str) -> String {
    if reason.trim().is_empty() { String::new() } else { format!(": {}", reason.trim()) }
}

/// Stopping needs no approval, starting again does: the owner may, or an approver.
fn may_release(principal: &Principal, hold: &Hold) -> bool {
    principal.has(Role::Approver) || principal.actor().0 == hold.owner
}

/// The classes of the hosts a hold is about, for those who want to hear of them.
pub(super) fn classes_of<'a>(state: &'a State, hold: &Hold) -> Vec<&'a ClassName> {
    let classes: BTreeSet<&ClassName> = state.hosts.values().filter(|host: &&Host| hold.is_about(host)).map(|host| &host.class).collect();
    classes.into_iter().collect()
}

/// From now on a hold that was placed for this long is worth the early warning.
pub(super) fn lasts(hold: &Hold) -> Span {
    hold.until.since(hold.placed)
}

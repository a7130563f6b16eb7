//! Outposts ask for what they classify by: tables, of which each is in force when all have it.

use std::time::Duration;

use belay_api::agent::{PAGE_MAX, PROTOCOL, PoliciesAnswer, PoliciesAsk, TableAnswer, TableAsk};
use belay_core::decide::tables::{self, Word};
use belay_core::host::policy::{HostPolicy, Stand};
use belay_core::model::ids::{Digest, HostId};
use belay_core::model::principal::Principal;
use belay_core::model::table::{OUTPOSTS_MAX, OutpostId};
use tokio::time::{Instant, timeout_at};

use super::super::auth::Credential;
use super::super::refusal::Refusal;
use super::super::route::{Call, Reply};
use super::invalid;
use crate::drive::tables::{Snapshot, Turn};

/// The longest time an answer is kept back.
const WAIT_MAX: Duration = Duration::from_secs(30);
/// The same, while a table waits for outposts: that one can be reached has to be known anew again and again.
const WAIT_PENDING: Duration = Duration::from_secs(1);

/// A switch lies no further ahead than this.
const AHEAD_MAX: Duration = Duration::from_secs(2);

/// A page of a table, or what there is to be told of tables.
pub(super) async fn tables(
    call: &Call,
    principal: &Principal,
    ask: &PoliciesAsk,
    told: &TableAsk,
) -> Result<Reply<PoliciesAnswer>, Refusal> {
    let after = ask.after.as_deref().map(HostId::parse).transpose().map_err(|bad| Refusal::bad_request(format!("after: {bad}")))?;
    let desk = &call.app.tables;
    if let (Some(after), Some(table)) = (&after, told.page) {
        let snapshot = desk.snapshot(table.into()).await;
        let gone = || Refusal::not_found("this table is not given any more: begin anew, without `after`");
        return Ok(given(call, principal, &*snapshot.ok_or_else(gone)?, Some(after)));
    }
    let (id, word) = word(call, told)?;
    if !call.app.drive.read(|state| tables::has_room(state, &id)) {
        return Err(Refusal::unavailable(format!("{OUTPOSTS_MAX} others classify hosts already; no more are known at one time"), 60));
    }
    let wait = Duration::from_millis(u64::try_from(ask.wait_ms).unwrap_or(0)).min(WAIT_MAX);
    let turn = until_news(call, &id, &word, wait).await?;
    Ok(match &turn.given {
        Some(snapshot) => given(call, principal, snapshot, None),
        None => answer(call, None, &[], None),
    })
}

/// What a relay gets that knows no tables, where outposts beside it do: the table in force, when it comes in force. It
/// cannot be waited for, because it answers by what it is given at once. None where there is no such table here.
pub(super) async fn plain(
    call: &Call,
    principal: &Principal,
    have: Option<Stand>,
    after: Option<&HostId>,
    wait: Duration,
) -> Result<Option<Reply<PoliciesAnswer>>, Refusal> {
    let (app, place) = (&call.app, call.app.polls.place());
    let until = Instant::now() + if place.is_some() { wait } else { Duration::ZERO };
    let mut committed = app.drive.committed();
    while matches!(principal, Principal::Relay(_)) && app.drive.read(|state| !state.outposts.is_empty()) {
        committed.borrow_and_update();
        let Some(snapshot) = app.tables.in_force(&app.drive).await? else { break };
        let news = after.is_some() || have != Some(snapshot.stand);
        if news || timeout_at(until, committed.changed()).await.is_err() {
            let ahead = app.drive.read(|state| state.tables.force).map_or(0, |force| force.from.since(app.drive.now()).ms());
            tokio::time::sleep(Duration::from_millis(u64::try_from(ahead).unwrap_or(0)).min(AHEAD_MAX)).await;
            let answer = if news { given(call, principal, &snapshot, after) } else { answer(call, None, &[], None) };
            let stand = snapshot.stand.into();
            return Ok(Some(Reply(answer.0, PoliciesAnswer { stand, table: None, ..answer.1 })));
        }
    }
    Ok(None)
}

/// Waits until there is something that the outpost has not heard, or for this long.
async fn until_news(call: &Call, id: &OutpostId, word: &Word, wait: Duration) -> Result<Turn, Refusal> {
    let (app, began) = (&call.app, Instant::now());
    let place = app.polls.place();
    let wait = if place.is_some() { wait } else { Duration::ZERO };
    let mut committed = app.drive.committed();
    committed.borrow_and_update();
    let mut turn = app.tables.asked(&app.drive, id, word).await?;
    while !turn.due.is_news() {
        let until = began + wait.min(patience(call, &turn));
        // What is waited for may be the time from which a table is in force: then it is looked at once more.
        let timed_out = timeout_at(until, committed.changed()).await.is_err();
        turn = app.tables.waited(&app.drive, word).await?;
        if timed_out {
            break;
        }
        committed.borrow_and_update();
    }
    Ok(turn)
}

/// How long an answer may be kept back as tables stand.
fn patience(call: &Call, turn: &Turn) -> Duration {
    let ahead = turn.due.force.map_or(0, |force| force.from.since(call.app.drive.now()).ms());
    match (turn.pending, u64::try_from(ahead)) {
        (true, _) => WAIT_PENDING,
        (false, Ok(ahead @ 1..)) => Duration::from_millis(ahead),
        (false, _) => WAIT_MAX,
    }
}

/// Who asks, and what it says. What it calls itself only tells apart those who show one credential.
fn word(call: &Call, told: &TableAsk) -> Result<(OutpostId, Word), Refusal> {
    let host = told.host().map_err(|error| invalid(vec![error]))?;
    let named =
        |hash: Digest| call.app.drive.read(|state| state.tokens.iter().find(|token| token.hash == hash).map(|token| token.name.clone()));
    let token = match call.credential {
        Credential::Token(hash) => named(hash),
        Credential::Session(_) | Credential::Connection => None,
    };
    let by = match (&token, &call.certified) {
        (Some(name), _) => name.clone(),
        (None, Some(certified)) => format!("the certificate of {certified}"),
        (None, None) => call.principal()?.actor().to_string(),
    };
    let (stored, in_force) = (told.stored.map(Into::into), told.in_force.map(Into::into));
    let id = OutpostId::of(&host, &by);
    Ok((id, Word { at: call.app.drive.now(), host, token, stored, in_force }))
}

fn given(call: &Call, principal: &Principal, snapshot: &Snapshot, after: Option<&HostId>) -> Reply<PoliciesAnswer> {
    let (policies, more) = snapshot.page(principal, after, PAGE_MAX);
    let next = policies.last().filter(|_| more).map(|last| last.host.to_string());
    answer(call, Some(snapshot), &policies, next)
}

fn answer(call: &Call, given: Option<&Snapshot>, policies: &[&HostPolicy], next: Option<String>) -> Reply<PoliciesAnswer> {
    let drive = &call.app.drive;
    let (stand, force) = drive.read(|state| (belay_core::decide::host_policy::stand(state), state.tables.force));
    let stand: Stand = given.map_or(stand, |given| given.stand);
    let table = TableAnswer { given: given.map(|given| given.table.into()), in_force: force.map(Into::into), now_ms: drive.now().ms() };
    let policies = policies.iter().map(|policy| (*policy).into()).collect();
    let wait_ms = i64::try_from(WAIT_MAX.as_millis()).unwrap_or(0);
    PoliciesAnswer { protocol: PROTOCOL, stand: stand.into(), same: given.is_none(), policies, next, wait_ms, table: Some(table) }.into()
}

//! The catch: holds, pins, reverts, the gate as the server answers it, and hosts that ask for their
//! policy.

use std::time::Duration;

use belay_api::agent::{PAGE_MAX, PoliciesAnswer, PoliciesAsk, PollAnswer, PollBody};
use belay_api::http::{
    CountView, GateView, HoldAltered, HoldPlaced, HoldRow, HoldView, Page, PinPlaced, PinRow, PlanView, RevertBody, RevertView,
};
use belay_core::decide::host_policy::{gate, host_policy, relayed, stand};
use belay_core::decide::{Answer, HoldEdit, Input, reverts};
use belay_core::model::gate::Offered;
use belay_core::model::ids::{Environment, HoldId, HostId, RevertId};
use belay_core::model::principal::Principal;

use super::super::mark;
use super::super::refusal::Refusal;
use super::super::route::{Call, Param, Reply};
use super::runs::change_id;
use super::{if_match, invalid, outposts, settled, spoken};
use crate::drive::Keep;

/// The longest time an answer to a poll is kept back.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// Parameters of the list of holds.
pub(crate) const HOLDS: [Param; 1] = [Param { name: "all", about: "`1`: also those that are over." }];

/// Parameters of a question to the gate.
pub(crate) const GATE: [Param; 2] = [
    Param { name: "environment", about: "The environment that a run would come from; the one last applied when left out." },
    Param { name: "noop", about: "`1`: the run is a rehearsal." },
];

/// Holds, oldest first.
pub(crate) async fn holds(call: Call) -> Result<Page<HoldRow>, Refusal> {
    let (now, all) = (call.app.drive.now(), call.query("all") == Some("1"));
    let items = call.app.drive.read(|state| {
        let shown = state.holds.values().filter(|hold| all || hold.stands());
        shown.map(|hold| HoldRow::of(state, hold, now)).collect()
    });
    Ok(Page { items, next: None })
}

/// One hold.
pub(crate) async fn hold(call: Call) -> Result<HoldView, Refusal> {
    view(&call, hold_id(&call)?)
}

fn view(call: &Call, id: HoldId) -> Result<HoldView, Refusal> {
    let now = call.app.drive.now();
    let view = call.app.drive.read(|state| state.holds.get(&id).map(|hold| HoldView::of(state, hold, now)));
    view.ok_or_else(|| Refusal::not_found(format!("there is no hold {id}")))
}

/// The hold that a path names.
pub(crate) fn hold_id(call: &Call) -> Result<HoldId, Refusal> {
    let text = call.param("id");
    HoldId::parse(text).ok_or_else(|| Refusal::bad_request(format!("{text:?} is no hold; holds are called h-1, h-2, ...")))
}

/// Places a hold.
pub(crate) async fn place(call: Call, body: HoldPlaced) -> Result<Reply<HoldView>, Refusal> {
    let ask = Box::new(body.ask(call.app.drive.now()).map_err(invalid)?);
    let input = Input::PlaceHold { principal: call.principal()?, ask };
    let answer = call.app.drive.decide(input, Keep::default()).await?;
    Ok(Reply(axum::http::StatusCode::CREATED, altered(&call, answer)?))
}

fn altered(call: &Call, answer: Answer) -> Result<HoldView, Refusal> {
    match answer {
        Answer::Hold { hold, .. } => view(call, hold),
        other => Err(settled(other).err().unwrap_or_else(Refusal::internal)),
    }
}

/// Lets a hold last longer.
pub(crate) async fn extend(call: Call, body: HoldAltered) -> Result<Reply<HoldView>, Refusal> {
    let edit = body.extends(call.app.drive.now()).map_err(invalid)?;
    alter(call, edit, body.reason).await
}

/// Ends a hold.
pub(crate) async fn release(call: Call, body: HoldAltered) -> Result<Reply<HoldView>, Refusal> {
    alter(call, HoldEdit::Release, body.reason).await
}

async fn alter(call: Call, edit: HoldEdit, reason: String) -> Result<Reply<HoldView>, Refusal> {
    let (hold, seen) = (hold_id(&call)?, seen(&call)?);
    let input = Input::EditHold { principal: call.principal()?, hold, seen, edit, reason };
    let answer = call.app.drive.decide(input, Keep::default()).await?;
    Ok(altered(&call, answer)?.into())
}

/// The revision that the one who asks has seen.
fn seen(call: &Call) -> Result<Option<u32>, Refusal> {
    let Some(text) = if_match(call)? else { return Ok(None) };
    mark::revision(text).map(Some).ok_or_else(|| {
        Refusal::bad_request(format!("If-Match: {text:?} is no revision of a hold; write it as \"3\", or as the ETag of an answer said it"))
    })
}

/// Hosts that are fixed to an environment.
pub(crate) async fn pins(call: Call) -> Result<Page<PinRow>, Refusal> {
    let items = call.app.drive.read(|state| state.hosts.values().filter_map(PinRow::of).collect());
    Ok(Page { items, next: None })
}

/// Fixes hosts to an environment, or no more.
pub(crate) async fn pin(call: Call, body: PinPlaced) -> Result<Reply<CountView>, Refusal> {
    let ask = Box::new(body.ask(call.app.drive.now()).map_err(invalid)?);
    let input = Input::Pin { principal: call.principal()?, ask };
    match call.app.drive.decide(input, Keep::default()).await? {
        Answer::Counted(hosts) => Ok(CountView { hosts }.into()),
        other => Err(settled(other).err().unwrap_or_else(Refusal::internal)),
    }
}

/// What taking a Change back would do.
pub(crate) async fn plan(call: Call) -> Result<PlanView, Refusal> {
    let id = change_id(call.param("id"))?;
    let plan = call.app.drive.read(|state| reverts::plan(state, id));
    let plan = plan.ok_or_else(|| Refusal::not_found(format!("there is no Change {id} that could be reverted")))?;
    Ok(PlanView::of(id, &plan))
}

/// Takes a Change back.
pub(crate) async fn revert(call: Call, body: RevertBody) -> Result<Reply<RevertView>, Refusal> {
    let change = change_id(call.param("id"))?;
    let input = Input::Revert { principal: call.principal()?, change, reason: body.reason };
    match call.app.drive.decide(input, Keep::default()).await? {
        Answer::Revert(id) => Ok(Reply(axum::http::StatusCode::CREATED, revert_view(&call, id)?)),
        other => Err(settled(other).err().unwrap_or_else(Refusal::internal)),
    }
}

/// Reverts, newest first.
pub(crate) async fn reverts(call: Call) -> Result<Page<RevertView>, Refusal> {
    let items = call.app.drive.read(|state| state.reverts.values().rev().map(RevertView::of).collect());
    Ok(Page { items, next: None })
}

/// One revert.
pub(crate) async fn one_revert(call: Call) -> Result<RevertView, Refusal> {
    revert_view(&call, revert_id(&call)?)
}

/// Stops a revert where it is.
pub(crate) async fn stop_revert(call: Call, body: RevertBody) -> Result<Reply<RevertView>, Refusal> {
    let id = revert_id(&call)?;
    let input = Input::StopRevert { principal: call.principal()?, revert: id, reason: body.reason };
    settled(call.app.drive.decide(input, Keep::default()).await?)?;
    Ok(revert_view(&call, id)?.into())
}

/// The revert that a path names.
pub(crate) fn revert_id(call: &Call) -> Result<RevertId, Refusal> {
    let text = call.param("id");
    RevertId::parse(text).ok_or_else(|| Refusal::bad_request(format!("{text:?} is no revert; reverts are called r-1, r-2, ...")))
}

fn revert_view(call: &Call, id: RevertId) -> Result<RevertView, Refusal> {
    let view = call.app.drive.read(|state| state.reverts.get(&id).map(RevertView::of));
    view.ok_or_else(|| Refusal::not_found(format!("there is no revert {id}")))
}

/// What the gate would answer for a host now.
pub(crate) async fn ask_gate(call: Call) -> Result<GateView, Refusal> {
    let host = HostId::parse(call.param("host")).map_err(|bad| Refusal::bad_request(format!("host: {bad}")))?;
    let asked = call.query("environment").map(Environment::parse).transpose();
    let asked = asked.map_err(|bad| Refusal::bad_request(format!("environment: {bad}")))?;
    let (now, noop) = (call.app.drive.now(), call.query("noop") == Some("1"));
    let view = call.app.drive.read(|state| {
        let known = state.hosts.get(&host)?;
        let offered = Offered { environment: asked.or_else(|| known.environment.clone()), noop, ..Offered::default() };
        Some(GateView::of(&host, &gate(state, &host, &offered, now), now))
    });
    view.ok_or_else(|| Refusal::not_found(format!("there is no host {host}")))
}

/// A host's agent tells what stands there, and gets its policy. Where the host has the newest one
/// and is ready to wait, the answer comes when there is a newer one.
pub(crate) async fn poll(call: Call, body: PollBody) -> Result<Reply<PollAnswer>, Refusal> {
    spoken(body.protocol)?;
    let principal = call.principal()?;
    let host = body.host().map_err(|error| invalid(vec![error]))?;
    let own = match &principal {
        Principal::Host(own) => Some(own.clone()),
        _ => None,
    };
    let host = host.or(own).ok_or_else(|| Refusal::bad_request("host: say for which host the policy is"))?;
    let told = body.poll().map_err(invalid)?;
    let (have, results) = (told.have, told.results.iter().map(|result| result.id.to_string()).collect::<Vec<_>>());
    let wait = Duration::from_millis(u64::try_from(body.wait_ms).unwrap_or(0)).min(WAIT_MAX);
    let input = Input::Polled { principal, host: host.clone(), poll: Box::new(told) };
    let ack = match call.app.drive.decide(input, Keep::default()).await? {
        Answer::Polled { ack } => ack,
        other => return Err(settled(other).err().unwrap_or_else(Refusal::internal)),
    };
    call.app.polls.wait(&call.app.drive, have, wait).await;
    let now = call.app.drive.now();
    let policy = call.app.drive.read(|state| host_policy(state, &host, now));
    let policy = policy.ok_or_else(|| Refusal::not_found(format!("there is no host {host}")))?;
    // What depends on the time alone does not move the stand: it is given again while it holds.
    let have = have.filter(|_| !policy.rehearse && policy.reverts.is_empty());
    let answer = PollAnswer::of(&policy, have, ack);
    let wait_ms = if call.app.polls.room() { i64::try_from(WAIT_MAX.as_millis()).unwrap_or(0) } else { 0 };
    Ok(PollAnswer { results, wait_ms, ..answer }.into())
}

/// The policies of the hosts that a relay speaks for, as far as it needs them to classify.
pub(crate) async fn policies(call: Call, ask: PoliciesAsk) -> Result<Reply<PoliciesAnswer>, Refusal> {
    spoken(ask.protocol)?;
    let principal = call.principal()?;
    if let (Principal::Relay(_), Some(told)) = (&principal, &ask.table) {
        return outposts::tables(&call, &principal, &ask, told).await;
    }
    let after = ask.after.as_deref().map(HostId::parse).transpose().map_err(|bad| Refusal::bad_request(format!("after: {bad}")))?;
    let have: Option<belay_core::host::policy::Stand> = ask.have.map(Into::into);
    let wait = Duration::from_millis(u64::try_from(ask.wait_ms).unwrap_or(0)).min(WAIT_MAX);
    if let Some(answer) = outposts::plain(&call, &principal, have, after.as_ref(), wait).await? {
        return Ok(answer);
    }
    call.app.polls.wait(&call.app.drive, have, wait).await;
    let now = call.app.drive.now();
    let (stand, policies, next) = call.app.drive.read(|state| {
        let stand = stand(state);
        if have == Some(stand) && after.is_none() {
            return (stand, None, None);
        }
        let policies = relayed(state, &principal, after.as_ref(), PAGE_MAX, now);
        let next = policies.last().filter(|_| policies.len() == PAGE_MAX).map(|last| last.host.to_string());
        (stand, Some(policies), next)
    });
    let wait_ms = if call.app.polls.room() { i64::try_from(WAIT_MAX.as_millis()).unwrap_or(0) } else { 0 };
    let same = policies.is_none();
    let policies = policies.iter().flatten().map(Into::into).collect();
    Ok(PoliciesAnswer { protocol: belay_api::agent::PROTOCOL, stand: stand.into(), same, policies, next, wait_ms, table: None }.into())
}

/// Polls that are kept back: so many, and no more.
#[derive(Debug, Default)]
pub struct Polls {
    waiting: std::sync::atomic::AtomicUsize,
}

/// Hosts beyond this many are not kept waiting: they ask again after a while.
const WAITING_MAX: usize = 5_000;

impl Polls {
    fn room(&self) -> bool {
        self.waiting.load(std::sync::atomic::Ordering::Relaxed) < WAITING_MAX
    }

    /// A place among those whose answer is kept back; none where there are too many.
    pub(super) fn place(&self) -> Option<Place<'_>> {
        self.room().then(|| {
            self.waiting.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Place(&self.waiting)
        })
    }

    /// Waits until there is something newer than the host has, or for this long.
    async fn wait(&self, drive: &crate::drive::Drive, have: Option<belay_core::host::policy::Stand>, wait: Duration) {
        let Some(have) = have.filter(|_| !wait.is_zero()) else { return };
        let Some(_place) = self.place() else { return };
        let mut committed = drive.committed();
        let newer = async {
            while drive.read(stand) <= have {
                if committed.changed().await.is_err() {
                    return;
                }
            }
        };
        // No news within the time is an answer like any other.
        let _ = tokio::time::timeout(wait, newer).await;
    }
}

/// A place among those who wait; it is free again also when the one who waited has gone away.
pub(super) struct Place<'a>(&'a std::sync::atomic::AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
    }
}

//! Changes: looking at them, and a person's verdict on them.

use axum::body::Body;
use axum::http::{HeaderValue, Response, header};
use belay_api::http::{ChangeRow, ChangeView, Page, PlannedView, RulingBody};
use belay_core::decide::{Input, Ruling, plan as planning};
use belay_core::explain::why;
use belay_core::model::change::Change;
use belay_core::model::ids::{ChangeId, ClassName};
use belay_core::state::State;

use super::super::App;
use super::super::refusal::Refusal;
use super::super::route::{Call, Param, Reply};
use super::runs::change_id;
use super::{PAGED, after, if_match, invalid, limit, page, settled};
use crate::drive::Keep;
use crate::ledger::{ChangeFilter, LedgerError, Reader};
use crate::views::diff;

/// Parameters of the list.
pub(crate) const LIST: [Param; 4] = [
    PAGED[0],
    PAGED[1],
    Param { name: "class", about: "Only Changes of this class." },
    Param { name: "standing", about: "Only Changes that stand so: `on trial`, `suspect`, `accepted`, `rejected` or `inconclusive`." },
];

/// Parameters of the plan.
pub(crate) const PLAN: [Param; 3] = [PAGED[0], PAGED[1], Param { name: "class", about: "Only of this class." }];

/// What would come to whom next.
pub(crate) async fn plan(call: Call) -> Result<Page<PlannedView>, Refusal> {
    let class = class(&call)?;
    let (after, limit) = (after(&call)?.map(ChangeId), limit(&call)?);
    let now = call.app.drive.now();
    call.app.drive.read(|state| {
        if class.as_ref().is_some_and(|class| !is_known(state, class)) {
            return Err(Refusal::not_found("there is no such class, declared or with hosts"));
        }
        let mut planned = planning::plan(state, class.as_ref(), after, now).peekable();
        let shown: Vec<_> = planned.by_ref().take(limit).collect();
        let next = planned.peek().and_then(|_| shown.last()).map(|(change, _)| change.id.0.to_string());
        let items = shown.iter().map(|(change, planned)| PlannedView::of(state, change, planned, now)).collect();
        Ok(Page { items, next })
    })
}

fn is_known(state: &State, class: &ClassName) -> bool {
    state.policy.classes.iter().any(|known| known.name == *class) || state.census_of(class).hosts > 0
}

fn class(call: &Call) -> Result<Option<ClassName>, Refusal> {
    call.query("class").map(ClassName::parse).transpose().map_err(|bad| Refusal::bad_request(format!("class: {bad}")))
}

/// Changes, newest first.
pub(crate) async fn list(call: Call) -> Result<Page<ChangeRow>, Refusal> {
    let filter = ChangeFilter { class: class(&call)?, standing: call.query("standing").map(str::to_owned), since: None };
    let (before, limit) = (after(&call)?, limit(&call)?);
    let found = call.app.readers.ask(move |reader| reader.changes(&filter, before, limit)).await?;
    Ok(call.app.drive.read(|state| page(found, |change| ChangeRow::of(state, &change))))
}

/// One Change, with its explanation.
pub(crate) async fn view(call: Call) -> Result<ChangeView, Refusal> {
    let id = change_id(call.param("id"))?;
    known(&call.app, id).await
}

/// A Change as it is sent, whether the state still holds it or not.
pub(crate) async fn known(app: &App, id: ChangeId) -> Result<ChangeView, Refusal> {
    let now = app.drive.now();
    let in_state = app.drive.read(|state| {
        let view = state.changes.get(&id).map(|change| ChangeView::of(state, change))?;
        Some(ChangeView { explanation: why::change(state, id, now), ..view })
    });
    let mut view = match in_state {
        Some(view) => view,
        None => {
            let change = forgotten(app, id).await?;
            app.drive.read(|state| ChangeView::of(state, &change))
        }
    };
    for (place, diff) in differences(app, id).await? {
        if let Some(item) = view.items.get_mut(place) {
            item.diff = Some(diff);
        }
    }
    Ok(view)
}

/// How the texts that a Change brought differ from those that were there, by the place of the item.
pub(crate) async fn differences(app: &App, id: ChangeId) -> Result<Vec<(usize, String)>, Refusal> {
    let in_state = app.drive.read(|state| state.changes.get(&id).map(diff::pairs_of));
    let pairs = match in_state {
        Some(pairs) => pairs,
        None => diff::pairs_of(&forgotten(app, id).await?),
    };
    if pairs.is_empty() {
        return Ok(Vec::new());
    }
    let compare = move |reader: &Reader| -> Result<Vec<(usize, String)>, LedgerError> {
        let compared = pairs.iter().map(|(place, pair)| Ok(diff::compared(reader, *pair)?.map(|diff| (*place, diff))));
        compared.filter_map(Result::transpose).collect()
    };
    Ok(app.readers.ask(compare).await?)
}

/// A Change, whether the state still holds it or not.
pub(crate) async fn found(app: &App, id: ChangeId) -> Result<Change, Refusal> {
    match app.drive.read(|state| state.changes.get(&id).cloned()) {
        Some(change) => Ok(change),
        None => forgotten(app, id).await,
    }
}

/// A Change that the state no longer holds.
async fn forgotten(app: &App, id: ChangeId) -> Result<Change, Refusal> {
    let found = app.readers.ask(move |reader| reader.change(id)).await?;
    found.ok_or_else(|| Refusal::not_found(format!("there is no Change {id}")))
}

/// The windows its verdict rests on, with the trial: judging them again gives the same verdict.
pub(crate) async fn evidence(call: Call, (): ()) -> Result<Response<Body>, Refusal> {
    let id = change_id(call.param("id"))?;
    let change = found(&call.app, id).await?;
    let digest = change.verdict.and_then(|verdict| verdict.evidence);
    let digest = digest.ok_or_else(|| Refusal::not_found(format!("{id} has no verdict that rests on evidence")))?;
    let found = call.app.readers.ask(move |reader| reader.evidence(digest)).await?;
    let bytes = found.ok_or_else(|| Refusal::not_found(format!("the evidence of {id} is no longer kept")))?;
    let mut response = Response::new(Body::from(bytes));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// A person says that it is good.
pub(crate) async fn accept(call: Call, body: RulingBody) -> Result<Reply<ChangeView>, Refusal> {
    rule(call, body, Ruling::Accept).await
}

/// A person says that it is bad.
pub(crate) async fn reject(call: Call, body: RulingBody) -> Result<Reply<ChangeView>, Refusal> {
    rule(call, body, Ruling::Reject).await
}

async fn rule(call: Call, body: RulingBody, ruling: Ruling) -> Result<Reply<ChangeView>, Refusal> {
    let change = change_id(call.param("id"))?;
    let reason = body.checked_reason().map_err(invalid)?;
    let seen = if_match(&call)?.map(str::to_owned);
    let input = Input::Override { principal: call.principal()?, change, ruling, seen, reason };
    settled(call.app.drive.decide(input, Keep::default()).await?)?;
    Ok(known(&call.app, change).await?.into())
}

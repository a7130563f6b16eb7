//! Holds: who stopped what, why, until when; and reverts.

use askama::Template;
use axum::body::Body;
use axum::http::Response;
use belay_api::http::{HoldAltered, HoldRow, HoldView, PinRow, RevertView};
use belay_core::decide::{Answer, HoldEdit, Input};

use super::acts::{Filled, filled_in, listed, status_of, value};
use super::shell::{Shell, page, page_with};
use crate::drive::Keep;
use crate::http::handlers::catch::{hold_id, revert_id};
use crate::http::handlers::settled;
use crate::http::html::see_other;
use crate::http::refusal::Refusal;
use crate::http::route::Call;

#[derive(Template)]
#[template(path = "holds.html")]
struct Holds {
    s: Shell,
    holds: Vec<HoldRow>,
    over: bool,
    pins: Vec<PinRow>,
    reverts: Vec<RevertView>,
}

/// The most pins that are listed.
const PINS_MAX: usize = 500;

/// The list. What ends soonest comes first: it is a calendar of what will start to run again.
pub async fn list(call: Call) -> Result<Response<Body>, Refusal> {
    let (now, over) = (call.app.drive.now(), call.query("all") == Some("1"));
    let (mut holds, pins, reverts) = call.app.drive.read(|state| {
        let holds: Vec<HoldRow> =
            state.holds.values().filter(|hold| over || hold.stands()).map(|hold| HoldRow::of(state, hold, now)).collect();
        let pins = state.hosts.values().filter_map(PinRow::of).take(PINS_MAX).collect();
        (holds, pins, state.reverts.values().rev().map(RevertView::of).collect())
    });
    holds.sort_by(|a, b| (a.state == "released", a.broken == 0, &a.until).cmp(&(b.state == "released", b.broken == 0, &b.until)));
    page(&Holds { s: Shell::of(&call, "/holds", "Holds"), holds, over, pins, reverts })
}

#[derive(Template)]
#[template(path = "hold.html")]
struct OneHold {
    s: Shell,
    h: HoldView,
    lasts: String,
    reason: String,
    error: Option<String>,
}

/// One hold.
pub async fn hold(call: Call) -> Result<Response<Body>, Refusal> {
    shown(&call, &Vec::new(), None)
}

fn shown(call: &Call, filled: &Filled, error: Option<String>) -> Result<Response<Body>, Refusal> {
    let (id, now) = (hold_id(call)?, call.app.drive.now());
    let view = call.app.drive.read(|state| state.holds.get(&id).map(|hold| HoldView::of(state, hold, now)));
    let h = view.ok_or_else(|| Refusal::not_found(format!("there is no hold {id}")))?;
    let s = Shell::of(call, "/holds", id.to_string());
    let page = OneHold { s, h, lasts: value(filled, "for", "4h"), reason: value(filled, "reason", ""), error };
    page_with(status_of(&page.error), &page)
}

/// Lets it last longer.
pub async fn extend(call: Call, filled: Filled) -> Result<Response<Body>, Refusal> {
    let body = HoldAltered { lasts: filled_in(&filled, "for").map(str::to_owned), ..HoldAltered::default() };
    match body.extends(call.app.drive.now()) {
        Ok(edit) => alter(call, filled, edit).await,
        Err(errors) => shown(&call, &filled, Some(listed(&errors))),
    }
}

/// Ends it.
pub async fn release(call: Call, filled: Filled) -> Result<Response<Body>, Refusal> {
    alter(call, filled, HoldEdit::Release).await
}

async fn alter(call: Call, filled: Filled, edit: HoldEdit) -> Result<Response<Body>, Refusal> {
    let hold = hold_id(&call)?;
    let seen = filled_in(&filled, "seen").and_then(|text| text.parse().ok());
    let input = Input::EditHold { principal: call.principal()?, hold, seen, edit, reason: value(&filled, "reason", "") };
    match call.app.drive.decide(input, Keep::default()).await? {
        Answer::Hold { hold, .. } => Ok(see_other(&format!("/holds/{hold}"))),
        Answer::Unprocessable(text) | Answer::Conflict(text) | Answer::Outdated(text) => shown(&call, &filled, Some(text)),
        other => Err(settled(other).err().unwrap_or_else(Refusal::internal)),
    }
}

#[derive(Template)]
#[template(path = "revert.html")]
struct OneRevert {
    s: Shell,
    r: RevertView,
    error: Option<String>,
}

/// One revert.
pub async fn revert(call: Call) -> Result<Response<Body>, Refusal> {
    revert_shown(&call, None)
}

fn revert_shown(call: &Call, error: Option<String>) -> Result<Response<Body>, Refusal> {
    let id = revert_id(call)?;
    let view = call.app.drive.read(|state| state.reverts.get(&id).map(RevertView::of));
    let r = view.ok_or_else(|| Refusal::not_found(format!("there is no revert {id}")))?;
    let page = OneRevert { s: Shell::of(call, "/holds", id.to_string()), r, error };
    page_with(status_of(&page.error), &page)
}

/// Stops it where it is.
pub async fn stop_revert(call: Call, filled: Filled) -> Result<Response<Body>, Refusal> {
    let revert = revert_id(&call)?;
    let input = Input::StopRevert { principal: call.principal()?, revert, reason: value(&filled, "reason", "") };
    match call.app.drive.decide(input, Keep::default()).await? {
        Answer::Done | Answer::Revert(_) => Ok(see_other(&format!("/reverts/{revert}"))),
        Answer::Unprocessable(text) | Answer::Conflict(text) => revert_shown(&call, Some(text)),
        other => {
            settled(other)?;
            Ok(see_other(&format!("/reverts/{revert}")))
        }
    }
}

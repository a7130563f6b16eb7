//! What people can do from a page. To look is to ask with GET, and does nothing: each act first shows what it would do and to
//! how many hosts, and is done by a form with a reason.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::http::{Response, StatusCode};
use belay_api::http::{FieldError, HoldPlaced, PlanView};
use belay_core::decide::{Answer, Input, Ruling, reverts};
use belay_core::explain::change::what;
use belay_core::model::change::Change;
use belay_core::model::ids::{ChangeId, HostId};
use belay_core::state::State;

use super::once::{form_once, one_time};
use super::shell::{Shell, page_with};
use super::words;
use crate::drive::Keep;
use crate::http::handlers::changes::found;
use crate::http::handlers::runs::change_id;
use crate::http::handlers::settled;
use crate::http::html::see_other;
use crate::http::refusal::Refusal;
use crate::http::route::Call;

/// What was filled into a form.
pub type Filled = Vec<(String, String)>;

/// Names that are shown one by one.
const NAMED_MAX: usize = 40;
/// Hosts that are named one by one in a hold; more are held as a class.
const SCOPE_MAX: usize = 900;

#[derive(Template)]
#[template(path = "hold_form.html")]
struct HoldForm {
    s: Shell,
    heading: String,
    about: String,
    action: String,
    verb: &'static str,
    hosts: String,
    classes: String,
    fixed: bool,
    count: Option<usize>,
    names: Vec<String>,
    lasts: String,
    reason: String,
    ticket: String,
    contact: String,
    once: String,
    error: Option<String>,
}

#[derive(Template)]
#[template(path = "revert_form.html")]
struct RevertForm {
    s: Shell,
    id: String,
    what: String,
    plan: Option<PlanView>,
    ways: BTreeMap<String, usize>,
    reason: String,
    error: Option<String>,
}

#[derive(Template)]
#[template(path = "ruling_form.html")]
struct RulingForm {
    s: Shell,
    id: String,
    what: String,
    standing: String,
    mark: String,
    word: &'static str,
    effect: &'static str,
    reason: String,
    error: Option<String>,
}

/// Which hosts an act of a Change is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom {
    /// Those that have not got it: it stops spreading.
    Others,
    /// Those that got it: nothing more comes to them.
    Changed,
}

impl Whom {
    const fn path(self) -> &'static str {
        match self {
            Self::Others => "stop",
            Self::Changed => "hold",
        }
    }

    /// The hosts, by name.
    fn hosts(self, state: &State, change: &Change) -> Vec<HostId> {
        match self {
            Self::Changed => change.treated.keys().filter(|host| state.hosts.contains_key(*host)).cloned().collect(),
            Self::Others => {
                state.hosts_of(&change.class).filter(|host| !change.treated.contains_key(&host.id)).map(|host| host.id.clone()).collect()
            }
        }
    }

    fn heading(self, id: ChangeId, hosts: usize, change: &Change) -> String {
        match self {
            Self::Others => format!("Stop {id} spreading: hold the {} of class {} that have not got it", words::hosts(hosts), change.class),
            Self::Changed => format!("Hold the {} that got {id}", words::hosts(hosts)),
        }
    }
}

/// What stopping it, or holding its hosts, would do.
pub async fn ask_hold(call: Call, whom: Whom) -> Result<Response<Body>, Refusal> {
    hold_form(&call, whom, &Vec::new(), None).await
}

async fn hold_form(call: &Call, whom: Whom, filled: &Filled, error: Option<String>) -> Result<Response<Body>, Refusal> {
    let id = change_id(call.param("id"))?;
    let change = found(&call.app, id).await?;
    let hosts = call.app.drive.read(|state| whom.hosts(state, &change));
    let about = match whom {
        Whom::Others => {
            "Configuration management will not run on them while the hold stands, whatever the gate of the class allows. \
            Hosts that have it already are not touched: they can still be taken back."
        }
        Whom::Changed => {
            "Configuration management will not run on them while the hold stands. It undoes nothing: to take the Change back, revert it."
        }
    };
    let form = HoldForm {
        s: Shell::of(call, "/changes", format!("{} {id}", whom.path())).still(),
        heading: whom.heading(id, hosts.len(), &change),
        about: about.to_owned(),
        action: format!("/changes/{id}/{}", whom.path()),
        verb: match whom {
            Whom::Others => "Stop it",
            Whom::Changed => "Hold them",
        },
        hosts: String::new(),
        classes: String::new(),
        fixed: true,
        count: Some(hosts.len()),
        names: hosts.iter().take(NAMED_MAX).map(ToString::to_string).collect(),
        lasts: value(filled, "for", "4h"),
        reason: value(filled, "reason", &format!("{id} ({}) shall not spread", what(&change))),
        ticket: value(filled, "ticket", ""),
        contact: value(filled, "contact", ""),
        once: one_time()?,
        error,
    };
    page_with(status_of(&form.error), &form)
}

/// Places the hold of a Change.
pub async fn do_hold(call: Call, filled: Filled, whom: Whom) -> Result<Response<Body>, Refusal> {
    let id = change_id(call.param("id"))?;
    let change = found(&call.app, id).await?;
    let hosts = call.app.drive.read(|state| whom.hosts(state, &change));
    // Hosts that came or went since the form was shown make it another decision.
    let counted = filled_in(&filled, "confirm").and_then(|text| text.parse::<usize>().ok());
    if counted != Some(hosts.len()) {
        let error = format!("the number of hosts has changed to {} meanwhile; look again", hosts.len());
        return hold_form(&call, whom, &filled, Some(error)).await;
    }
    let (names, classes) = if hosts.len() > SCOPE_MAX && whom == Whom::Others {
        (Vec::new(), vec![change.class.to_string()])
    } else {
        (hosts.iter().map(ToString::to_string).collect(), Vec::new())
    };
    match place(&call, &filled, names, classes).await? {
        Ok(path) => Ok(see_other(&path)),
        Err(error) => hold_form(&call, whom, &filled, Some(error)).await,
    }
}

/// A form for a hold on any hosts.
pub async fn ask_new_hold(call: Call) -> Result<Response<Body>, Refusal> {
    let asked: Filled = call.query.clone();
    new_hold_form(&call, &asked, None)
}

fn new_hold_form(call: &Call, filled: &Filled, error: Option<String>) -> Result<Response<Body>, Refusal> {
    let form = HoldForm {
        s: Shell::of(call, "/holds", "Hold hosts").still(),
        heading: "Hold hosts".to_owned(),
        about: "Configuration management does not run on these hosts while the hold stands. It is written into the tool's own lock, with owner, \
            reason and end, and shown to whoever meets it."
            .to_owned(),
        action: "/holds/new".to_owned(),
        verb: "Hold them",
        hosts: value(filled, "hosts", ""),
        classes: value(filled, "classes", ""),
        fixed: false,
        count: filled_in(filled, "confirm").and_then(|text| text.parse().ok()),
        names: Vec::new(),
        lasts: value(filled, "for", "4h"),
        reason: value(filled, "reason", ""),
        ticket: value(filled, "ticket", ""),
        contact: value(filled, "contact", ""),
        once: one_time()?,
        error,
    };
    page_with(status_of(&form.error), &form)
}

/// Places a hold on any hosts. The first time, what it means is counted and shown; the second time, with the count confirmed,
/// it is placed.
pub async fn do_new_hold(call: Call, filled: Filled) -> Result<Response<Body>, Refusal> {
    let parts = |name: &str| -> Vec<String> {
        let text = value(&filled, name, "");
        text.split([',', ' ', '\n', '\r', '\t']).filter(|part| !part.is_empty()).map(str::to_owned).collect()
    };
    let (hosts, classes) = (parts("hosts"), parts("classes"));
    match place(&call, &filled, hosts, classes).await? {
        Ok(path) => Ok(see_other(&path)),
        Err(error) => new_hold_form(&call, &filled, Some(error)),
    }
}

/// Places a hold: where to go then, or what is wrong with what was filled in.
async fn place(call: &Call, filled: &Filled, hosts: Vec<String>, classes: Vec<String>) -> Result<Result<String, String>, Refusal> {
    let given = |name: &str| filled_in(filled, name).map(str::to_owned);
    let body = HoldPlaced {
        hosts,
        classes,
        reason: value(filled, "reason", ""),
        ticket: given("ticket"),
        contact: given("contact"),
        lasts: given("for"),
        confirm: given("confirm").and_then(|text| text.parse().ok()),
        ..HoldPlaced::default()
    };
    let ask = match body.ask(call.app.drive.now()) {
        Ok(ask) => Box::new(ask),
        Err(errors) => return Ok(Err(listed(&errors))),
    };
    let (app, input) = (Arc::clone(&call.app), Input::PlaceHold { principal: call.principal()?, ask });
    let placed = form_once(call, filled, move || {
        let (app, input) = (Arc::clone(&app), input.clone());
        async move {
            match app.drive.decide(input, Keep::default()).await? {
                Answer::Hold { hold, .. } => Ok(format!("/holds/{hold}")),
                other => Err(settled(other).err().unwrap_or_else(Refusal::internal)),
            }
        }
    });
    match placed.await {
        Ok(path) => Ok(Ok(path)),
        // What was filled in is at fault, and the form is shown again with what is wrong.
        Err(refusal) if matches!(refusal.kind, "unprocessable" | "conflict") => Ok(Err(refusal.detail)),
        Err(refusal) => Err(refusal),
    }
}

/// What taking it back would do.
pub async fn ask_revert(call: Call) -> Result<Response<Body>, Refusal> {
    revert_form(&call, &Vec::new(), None).await
}

async fn revert_form(call: &Call, filled: &Filled, error: Option<String>) -> Result<Response<Body>, Refusal> {
    let id = change_id(call.param("id"))?;
    let change = found(&call.app, id).await?;
    let plan = call.app.drive.read(|state| reverts::plan(state, id)).map(|plan| PlanView::of(id, &plan));
    let mut ways: BTreeMap<String, usize> = BTreeMap::new();
    for way in plan.iter().flat_map(|plan| plan.hosts.values()) {
        *ways.entry(way.clone()).or_default() += 1;
    }
    let form = RevertForm {
        s: Shell::of(call, "/changes", format!("revert {id}")).still(),
        id: id.to_string(),
        what: what(&change),
        plan,
        ways,
        reason: value(filled, "reason", ""),
        error,
    };
    page_with(status_of(&form.error), &form)
}

/// Takes it back.
pub async fn do_revert(call: Call, filled: Filled) -> Result<Response<Body>, Refusal> {
    let change = change_id(call.param("id"))?;
    let input = Input::Revert { principal: call.principal()?, change, reason: value(&filled, "reason", "") };
    match call.app.drive.decide(input, Keep::default()).await? {
        Answer::Revert(id) => Ok(see_other(&format!("/reverts/{id}"))),
        Answer::Unprocessable(text) | Answer::Conflict(text) => revert_form(&call, &filled, Some(text)).await,
        other => Err(settled(other).err().unwrap_or_else(Refusal::internal)),
    }
}

/// What a person's verdict would mean.
pub async fn ask_ruling(call: Call, ruling: Ruling) -> Result<Response<Body>, Refusal> {
    ruling_form(&call, ruling, &Vec::new(), None).await
}

async fn ruling_form(call: &Call, ruling: Ruling, filled: &Filled, error: Option<String>) -> Result<Response<Body>, Refusal> {
    let id = change_id(call.param("id"))?;
    let change = found(&call.app, id).await?;
    let (word, effect) = match ruling {
        Ruling::Accept => (
            "accept",
            "Its content counts as accepted for this class and release: the gate lets it through, and it is what a revert goes back to.",
        ),
        Ruling::Reject => (
            "reject",
            "Its content counts as rejected for this class and release: where the gate is enforced, no further host gets it. Hosts that have it keep it until it is reverted.",
        ),
    };
    let form = RulingForm {
        s: Shell::of(call, "/changes", format!("{word} {id}")).still(),
        id: id.to_string(),
        what: what(&change),
        standing: change.standing.word().to_owned(),
        mark: change.evidence_mark(),
        word,
        effect,
        reason: value(filled, "reason", ""),
        error,
    };
    page_with(status_of(&form.error), &form)
}

/// Gives a person's verdict, on what was shown or not at all.
pub async fn do_ruling(call: Call, filled: Filled, ruling: Ruling) -> Result<Response<Body>, Refusal> {
    let change = change_id(call.param("id"))?;
    let reason = value(&filled, "reason", "");
    if reason.trim().is_empty() {
        return ruling_form(&call, ruling, &filled, Some("reason: it is empty; say why, it is kept with the verdict".to_owned())).await;
    }
    let seen = filled_in(&filled, "seen").map(str::to_owned);
    let input = Input::Override { principal: call.principal()?, change, ruling, seen, reason };
    match call.app.drive.decide(input, Keep::default()).await? {
        Answer::Done => Ok(see_other(&format!("/changes/{change}"))),
        Answer::Unprocessable(text) | Answer::Conflict(text) | Answer::Outdated(text) => {
            ruling_form(&call, ruling, &filled, Some(text)).await
        }
        other => {
            settled(other)?;
            Ok(see_other(&format!("/changes/{change}")))
        }
    }
}

/// What was filled in, without the space around it; nothing where nothing was.
pub fn filled_in<'f>(filled: &'f Filled, name: &str) -> Option<&'f str> {
    filled.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
}

/// What was filled in, else this.
pub fn value(filled: &Filled, name: &str, otherwise: &str) -> String {
    filled_in(filled, name).unwrap_or(otherwise).to_owned()
}

/// What is wrong with a form, in one line.
pub fn listed(errors: &[FieldError]) -> String {
    errors.iter().map(|error| format!("{}: {}", error.pointer.trim_start_matches('/'), error.detail)).collect::<Vec<_>>().join("; ")
}

/// The status of a form that is shown, or shown again.
pub fn status_of(error: &Option<String>) -> StatusCode {
    if error.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK }
}

//! Reports: the doors of the tools, and facts of hosts.

use axum::body::Body;
use axum::http::{Response, StatusCode};
use belay_adapters::tools::Door;
use belay_api::http::{FactsBody, HostView, RunAnswer};
use belay_core::decide::{Answer, Input};
use belay_core::model::ids::HostId;

use super::super::refusal::Refusal;
use super::super::route::{Call, Reply, json};
use super::{invalid, settled};
use crate::drive::Keep;
use crate::drive::intake::{Arrived, Taken};

/// Takes a report by a tool's door.
pub(in crate::http) async fn report(mut call: Call, door: Door) -> Result<Response<Body>, Refusal> {
    let principal = call.principal()?;
    let received = call.app.drive.now();
    let body = call.take_body();
    let held = call.app.bodies.read_report(body, &call.headers).await?;
    let arrived = Arrived { tool: door.tool, principal, received, body: held.bytes.clone() };
    match call.app.intake.take(arrived).await? {
        Taken::Answered(Answer::Run { run, duplicate }) => json(StatusCode::OK, &RunAnswer::new(run, duplicate)),
        Taken::Answered(other) => {
            settled(other)?;
            accepted()
        }
        Taken::Unreadable(bad) => {
            let detail = format!("{bad}. The bytes are kept in quarantine");
            Err(Refusal::new(StatusCode::BAD_REQUEST, "unreadable", detail))
        }
        Taken::Later => accepted(),
    }
}

/// The bytes are durable; what they say is read later.
fn accepted() -> Result<Response<Body>, Refusal> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}

/// Sets a host's facts.
pub(in crate::http) async fn facts(call: Call, body: FactsBody) -> Result<Reply<HostView>, Refusal> {
    let host = HostId::parse(call.param("host")).map_err(|bad| Refusal::bad_request(format!("host: {bad}")))?;
    let release = body.checked_release().map_err(invalid)?;
    let principal = call.principal()?;
    let input = Input::Facts { principal, host: host.clone(), release, facts: body.facts };
    settled(call.app.drive.decide(input, Keep::default()).await?)?;
    let view = call.app.drive.read(|state| state.hosts.get(&host).map(|known| HostView::of(state, known)));
    view.map(Reply::from).ok_or_else(|| Refusal::not_found(format!("there is no host {host}")))
}

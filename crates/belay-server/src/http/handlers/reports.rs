//! Reports: the doors of the tools, and facts of hosts.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use belay_adapters::tools::feed::FeedDoor;
use belay_adapters::tools::{Door, feed_by_name};
use belay_api::http::{FactsBody, HostView, RunAnswer};
use belay_core::decide::{Answer, Input};
use belay_core::model::ids::{Digest, HostId};

use super::super::refusal::Refusal;
use super::super::route::{Call, Reply, json};
use super::{invalid, settled};
use crate::drive::Keep;
use crate::drive::intake::{Arrived, Message, Taken};

/// Takes a report by a tool's door.
pub(crate) async fn report(mut call: Call, door: Door) -> Result<Response<Body>, Refusal> {
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

/// Takes a message by the door of a feed: its sender waits, and loses what is not taken. What it says is
/// found out afterwards; nothing in it is ever refused to the sender.
pub(crate) async fn message(mut call: Call, door: FeedDoor) -> Result<Response<Body>, Refusal> {
    let (principal, received) = (call.principal()?, call.app.drive.now());
    let body = call.take_body();
    let held = call.app.bodies.read(body, &call.headers, call.app.bodies.caps.report).await?;
    let head = std::mem::take(&mut call.raw_query);
    let id = call.app.intake.acknowledge(Message { feed: door.feed, head, principal, received, held }).await?;
    let text = feed_by_name(door.feed).map_or_else(String::new, |feed| feed.acknowledgement(&unique(id.0, received.ms())));
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// An id in the form of a UUID: of the row of the inbox and its time, so that it can be found again.
fn unique(row: u64, at: i64) -> String {
    let hex = Digest::of_parts(["message", &row.to_string(), &at.to_string()]).to_string();
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
}

/// The bytes are durable; what they say is read later.
fn accepted() -> Result<Response<Body>, Refusal> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}

/// Sets a host's facts.
pub(crate) async fn facts(call: Call, body: FactsBody) -> Result<Reply<HostView>, Refusal> {
    let host = HostId::parse(call.param("host")).map_err(|bad| Refusal::bad_request(format!("host: {bad}")))?;
    let release = body.checked_release().map_err(invalid)?;
    let principal = call.principal()?;
    let input = Input::Facts { principal, host: host.clone(), release, facts: body.facts };
    settled(call.app.drive.decide(input, Keep::default()).await?)?;
    let view = call.app.drive.read(|state| state.hosts.get(&host).map(|known| HostView::of(state, known)));
    view.map(Reply::from).ok_or_else(|| Refusal::not_found(format!("there is no host {host}")))
}

//! The health of runs, for people and checks, and as numbers for monitoring.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{HeaderValue, Response, header};
use belay_api::http::RunHealthView;
use belay_core::decide::health::{Norms, of_fleet, of_host};
use belay_core::model::ids::{ClassName, HostId};

use super::super::refusal::Refusal;
use super::super::route::{Call, Param};
use crate::views::metrics;

/// Parameters.
pub(crate) const ASK: [Param; 2] =
    [Param { name: "class", about: "Only hosts of this class." }, Param { name: "host", about: "Only this host." }];

/// Of the fleet, a class, or one host.
pub(crate) async fn view(call: Call) -> Result<RunHealthView, Refusal> {
    let class = call.query("class").map(ClassName::parse).transpose().map_err(|bad| Refusal::bad_request(format!("class: {bad}")))?;
    let host = call.query("host").map(HostId::parse).transpose().map_err(|bad| Refusal::bad_request(format!("host: {bad}")))?;
    let now = call.app.drive.now();
    call.app.drive.read(|state| {
        if let Some(host) = host {
            let Some(known) = state.hosts.get(&host) else {
                return Err(Refusal::not_found(format!("there is no host {host}; it appears with its first report or its first facts")));
            };
            let ails = of_host(state, &Norms::of(state, Some(&known.class)), known, now);
            let found: BTreeMap<HostId, _> = Some((host, ails)).into_iter().filter(|(_, ails)| !ails.is_empty()).collect();
            return Ok(RunHealthView::of(state, 1, &found, now));
        }
        let hosts = state.hosts.values().filter(|host| class.as_ref().is_none_or(|class| host.class == *class)).count();
        if hosts == 0 && class.as_ref().is_some_and(|class| !state.policy.classes.iter().any(|known| known.name == *class)) {
            return Err(Refusal::not_found("there is no such class, declared or with hosts".to_owned()));
        }
        Ok(RunHealthView::of(state, hosts, &of_fleet(state, class.as_ref(), now), now))
    })
}

/// As numbers.
pub(crate) async fn metrics(call: Call, (): ()) -> Result<Response<Body>, Refusal> {
    let quarantined = call.app.readers.ask(|reader| reader.quarantined()).await?;
    let (app, now) = (&call.app, call.app.drive.now());
    let outside = metrics::Outside {
        quarantined,
        store: app.signals.store().stats(),
        counts: crate::views::doctor::Counted::of(app.drive.counts()),
        started: app.started,
    };
    let text = app.drive.read(|state| metrics::render(state, &outside, now));
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"));
    Ok(response)
}

//! Whether all is well: of the server, of the fleet at a glance, of the declared signals.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use belay_api::http::{DoctorView, LintView, SelfCheckAsked, SelfCheckBody, SelfCheckView, SourceView, StatusView, StoreView};
use belay_core::decide::selfcheck::classes;
use belay_core::model::ids::ClassName;

use super::super::refusal::Refusal;
use super::super::route::{Call, Reply, json};
use crate::views::{doctor, lint};

/// Whether the server works.
pub(in crate::http) async fn healthz(call: Call, (): ()) -> Result<Response<Body>, Refusal> {
    // The sender of commits is the writer's: it is gone when the writer is.
    if call.app.drive.committed().has_changed().is_err() {
        return Err(Refusal::unavailable("the writer has ended", 5));
    }
    let mut response = Response::new(Body::from("ok\n"));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    Ok(response)
}

/// The API's own description.
pub(in crate::http) async fn openapi(_call: Call, (): ()) -> Result<Response<Body>, Refusal> {
    json(StatusCode::OK, &super::super::openapi())
}

/// The whole at one glance.
pub(in crate::http) async fn status(call: Call) -> Result<StatusView, Refusal> {
    let app = &call.app;
    let quarantined = app.readers.ask(|reader| reader.quarantined()).await?;
    let (now, stats) = (app.drive.now(), app.signals.store().stats());
    let store = StoreView { series: stats.series as u64, samples: stats.samples, bytes: stats.log_bytes, oldest: None, newest: None };
    let view = app.drive.read(|state| StatusView::of(now, state, env!("CARGO_PKG_VERSION"), app.started));
    Ok(StatusView { quarantined, signals: Some(store), sources: sources(&call), ..view })
}

fn sources(call: &Call) -> Vec<SourceView> {
    let now = call.app.drive.now();
    let view = |(name, count): (String, crate::signals::SourceCount)| {
        let silent = doctor::silent(&count, now);
        SourceView {
            ok: silent.is_none() && count.error.is_none(),
            last: count.last.map(|at| at.to_string()),
            series: count.series,
            samples: count.samples,
            refused: count.refused,
            text: count.error.clone().or(silent),
            name,
        }
    };
    call.app.signals.sources().into_iter().map(view).collect()
}

/// Whether the declared signals have data.
pub(in crate::http) async fn lint(call: Call) -> Result<LintView, Refusal> {
    let (drive, now) = (call.app.drive.clone(), call.app.drive.now());
    let found = call.app.signals.on_thread(move |store| lint::lint(store, &drive, now)).await;
    found.ok_or_else(|| Refusal::unavailable("the server is stopping", 5))
}

/// Whether Belay itself is in order.
pub(in crate::http) async fn doctor(call: Call) -> Result<DoctorView, Refusal> {
    let ledger = call.app.readers.ask(|reader| Ok((reader.format()?, reader.quarantined()?))).await?;
    let (app, dir) = (&call.app, call.app.state_dir.clone());
    let disk =
        tokio::task::spawn_blocking(move || doctor::disk(&dir)).await.map_err(|_| Refusal::unavailable("the server is stopping", 5))?;
    let looked = doctor::Looked {
        now: app.drive.now(),
        clock: app.drive.clock(),
        ledger,
        load: app.configuration.last(),
        configured: app.configuration.path().map(|path| path.display().to_string()),
        certificate: app.configuration.tls().map(|tls| tls.shown()),
        sources: app.signals.sources(),
        inventories: app.inventories.shown(),
    };
    let counts = doctor::Counted::of(app.drive.counts());
    let mut checks = app.drive.read(|state| doctor::checks(state, &looked, &counts));
    checks.insert(0, disk);
    Ok(DoctorView::new(checks))
}

/// What the last self-check of every class found.
pub(in crate::http) async fn selfcheck(call: Call) -> Result<SelfCheckView, Refusal> {
    let running = running(&call);
    Ok(call.app.drive.read(|state| SelfCheckView::of(state, running)))
}

/// Asks for self-checks now; they take their time.
pub(in crate::http) async fn start_selfcheck(call: Call, body: SelfCheckBody) -> Result<Reply<SelfCheckAsked>, Refusal> {
    let known = call.app.drive.read(classes);
    let unknown = body.classes.iter().find(|name| !known.iter().any(|class| class.as_str() == name.as_str()));
    if let Some(name) = unknown {
        return Err(Refusal::not_found(format!("there is no class {name} with hosts and signals")));
    }
    let wanted = |class: &ClassName| body.classes.is_empty() || body.classes.iter().any(|name| name == class.as_str());
    call.app.selfcheck.ask(known.into_iter().filter(wanted), &call.principal()?.actor());
    Ok(Reply(StatusCode::ACCEPTED, SelfCheckAsked { running: running(&call) }))
}

fn running(call: &Call) -> Vec<String> {
    call.app.selfcheck.running().iter().map(ToString::to_string).collect()
}

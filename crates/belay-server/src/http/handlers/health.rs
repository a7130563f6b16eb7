//! Whether all is well: of the server, of the fleet at a glance, of the declared signals.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use belay_api::http::{DoctorView, LintView, SelfCheckAsked, SelfCheckBody, SelfCheckView, SourceView, StatusView, StoreView};
use belay_core::decide::selfcheck::classes;
use belay_core::model::ids::ClassName;

use super::super::App;
use super::super::refusal::Refusal;
use super::super::route::{Call, Reply, json};
use crate::views::{doctor, lint};

/// Whether the server works.
pub(crate) async fn healthz(call: Call, (): ()) -> Result<Response<Body>, Refusal> {
    // The sender of commits is the writer's: it is gone when the writer is.
    if call.app.drive.committed().has_changed().is_err() {
        return Err(Refusal::unavailable("the writer has ended", 5));
    }
    let mut response = Response::new(Body::from("ok\n"));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    Ok(response)
}

/// The API's own description.
pub(crate) async fn openapi(_call: Call, (): ()) -> Result<Response<Body>, Refusal> {
    json(StatusCode::OK, &super::super::openapi())
}

/// The whole at one glance.
pub(crate) async fn status(call: Call) -> Result<StatusView, Refusal> {
    glance(&call.app).await
}

/// The same, for whoever shows it otherwise.
pub(crate) async fn glance(app: &App) -> Result<StatusView, Refusal> {
    let quarantined = app.readers.ask(|reader| reader.quarantined()).await?;
    let now = app.drive.now();
    let view = app.drive.read(|state| StatusView::of(now, state, env!("CARGO_PKG_VERSION"), app.started));
    Ok(StatusView { quarantined, signals: Some(store(app)), sources: sources(app), ..view })
}

/// The store of signals.
pub(crate) fn store(app: &App) -> StoreView {
    let stats = app.signals.store().stats();
    StoreView { series: stats.series as u64, samples: stats.samples, bytes: stats.log_bytes, oldest: None, newest: None }
}

/// Sources of signals.
pub(crate) fn sources(app: &App) -> Vec<SourceView> {
    let now = app.drive.now();
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
    app.signals.sources().into_iter().map(view).collect()
}

/// Whether the declared signals have data.
pub(crate) async fn lint(call: Call) -> Result<LintView, Refusal> {
    let (drive, now) = (call.app.drive.clone(), call.app.drive.now());
    let found = call.app.signals.on_thread(move |store| lint::lint(store, &drive, now)).await;
    found.ok_or_else(|| Refusal::unavailable("the server is stopping", 5))
}

/// Whether Belay itself is in order.
pub(crate) async fn doctor(call: Call) -> Result<DoctorView, Refusal> {
    examined(&call.app).await
}

/// The same, for whoever shows it otherwise.
pub(crate) async fn examined(app: &App) -> Result<DoctorView, Refusal> {
    let ledger = app.readers.ask(|reader| Ok((reader.format()?, reader.quarantined()?))).await?;
    let dir = app.state_dir.clone();
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
        outposts: app.tables.shown().await,
    };
    let counts = doctor::Counted::of(app.drive.counts());
    let mut checks = app.drive.read(|state| doctor::checks(state, &looked, &counts));
    checks.insert(0, disk);
    Ok(DoctorView::new(checks))
}

/// What the last self-check of every class found.
pub(crate) async fn selfcheck(call: Call) -> Result<SelfCheckView, Refusal> {
    let running = running(&call);
    Ok(call.app.drive.read(|state| SelfCheckView::of(state, running)))
}

/// Asks for self-checks now; they take their time.
pub(crate) async fn start_selfcheck(call: Call, body: SelfCheckBody) -> Result<Reply<SelfCheckAsked>, Refusal> {
    let known = call.app.drive.read(classes);
    let unknown = body.classes.iter().find(|name| !known.iter().any(|class| class.as_str() == name.as_str()));
    if let Some(name) = unknown {
        return Err(Refusal::not_found(format!("there is no class {name} with hosts and signals")));
    }
    let principal = call.principal()?;
    let wanted = |class: &ClassName| body.classes.is_empty() || body.classes.iter().any(|name| name == class.as_str());
    let wanted: Vec<ClassName> = known.into_iter().filter(wanted).collect();
    if let Some(class) = wanted.iter().find(|class| !principal.reaches(class)) {
        return Err(Refusal::forbidden(format!("it concerns class {class}, and you are limited to others: name yours")));
    }
    call.app.selfcheck.ask(wanted, &principal.actor());
    Ok(Reply(StatusCode::ACCEPTED, SelfCheckAsked { running: running(&call) }))
}

pub(crate) fn running(call: &Call) -> Vec<String> {
    call.app.selfcheck.running().iter().map(ToString::to_string).collect()
}

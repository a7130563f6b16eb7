//! Signals: whether each has data, what uses it, and how often it cried wolf.

use askama::Template;
use axum::body::Body;
use axum::http::Response;
use belay_api::http::{LintedSignal, SelfCheckView, SourceView, StoreView};
use belay_core::model::signal::Signal;

use super::shell::{Shell, page};
use super::words::Figure;
use crate::http::handlers::health::{glance, running};
use crate::http::refusal::Refusal;
use crate::http::route::Call;
use crate::views::lint;

/// Fleets with more hosts are looked at only where it is asked for: every series of every signal is named.
const LOOK_MAX: usize = 5_000;

#[derive(Template)]
#[template(path = "signals.html")]
struct Signals {
    s: Shell,
    sources: Vec<SourceView>,
    store: Option<StoreView>,
    feeds: Vec<String>,
    signals: Vec<Declared>,
    linted: Option<Vec<LintedSignal>>,
    checks: SelfCheckView,
}

/// A declared signal.
struct Declared {
    name: String,
    kind: String,
    harm: String,
    must_have: bool,
    step: String,
    weight: u32,
    select: String,
    classes: String,
}

/// The page.
pub async fn signals(call: Call) -> Result<Response<Body>, Refusal> {
    let status = glance(&call.app).await?;
    let (hosts, signals) = call.app.drive.read(|state| (state.hosts.len(), state.policy.signals.iter().map(declared).collect()));
    let linted = if hosts <= LOOK_MAX || call.query("look") == Some("1") {
        let (drive, now) = (call.app.drive.clone(), call.app.drive.now());
        let found = call.app.signals.on_thread(move |store| lint::lint(store, &drive, now)).await;
        Some(found.ok_or_else(|| Refusal::unavailable("the server is stopping", 5))?.signals)
    } else {
        None
    };
    let running = running(&call);
    let checks = call.app.drive.read(|state| SelfCheckView::of(state, running));
    let s = Shell::of(&call, "/signals", "Signals");
    page(&Signals { s, sources: status.sources, store: status.signals, feeds: status.feeds, signals, linted, checks })
}

fn declared(signal: &Signal) -> Declared {
    let classes: Vec<&str> = signal.classes.iter().map(|class| class.as_str()).collect();
    Declared {
        name: signal.name.to_string(),
        kind: signal.kind.to_string(),
        harm: signal.harm.to_string(),
        must_have: signal.must_have,
        step: signal.step.to_string(),
        weight: signal.weight.0,
        select: signal.select.clone(),
        classes: if classes.is_empty() { "all".to_owned() } else { classes.join(", ") },
    }
}

impl Signals {
    /// A part as per cent.
    fn percent(&self, part: impl Figure) -> String {
        part.value().map_or_else(|| "–".to_owned(), belay_core::explain::selfcheck::percent)
    }
}

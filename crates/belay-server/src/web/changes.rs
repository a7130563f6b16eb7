//! Changes, a list: what came, to whom, from whom, and how it stands.

use askama::Template;
use axum::body::Body;
use axum::http::Response;
use belay_api::http::ChangeRow;
use belay_core::model::ids::ClassName;
use belay_core::model::time::Span;

use super::shell::{Shell, page};
use super::words::encoded;
use crate::http::handlers::after;
use crate::http::refusal::Refusal;
use crate::http::route::Call;
use crate::ledger::ChangeFilter;

/// Rows of a page.
const ROWS: usize = 50;
/// The spans to choose from: the word in the address, what it is called, its hours.
const SPANS: [(&str, &str, i64); 4] = [("24h", "24 hours", 24), ("7d", "7 days", 168), ("30d", "30 days", 720), ("all", "all", 0)];
/// The standings to choose from.
const STANDINGS: [&str; 5] = ["on trial", "suspect", "accepted", "rejected", "inconclusive"];

#[derive(Template)]
#[template(path = "changes.html")]
struct Changes {
    s: Shell,
    rows: Vec<ChangeRow>,
    classes: Vec<String>,
    class: String,
    standing: String,
    span: &'static str,
    next: Option<String>,
    open: usize,
}

/// The page.
pub async fn list(call: Call) -> Result<Response<Body>, Refusal> {
    let class = call.query("class").map(ClassName::parse).transpose().map_err(|bad| Refusal::bad_request(format!("class: {bad}")))?;
    let standing = call.query("standing").filter(|standing| STANDINGS.contains(standing)).map(str::to_owned);
    let asked = call.query("span").unwrap_or(if standing.is_some() { "all" } else { "24h" });
    let (span, _, hours) = SPANS.into_iter().find(|(word, ..)| *word == asked).unwrap_or(SPANS[0]);
    let since = (hours > 0).then(|| call.app.drive.now() - Span::from_min(hours * 60));
    let filter = ChangeFilter { class: class.clone(), standing: standing.clone(), since };
    let before = after(&call)?;
    let found = call.app.readers.ask(move |reader| reader.changes(&filter, before, ROWS)).await?;
    let (rows, classes, open) = call.app.drive.read(|state| {
        let classes: std::collections::BTreeSet<String> =
            state.policy.classes.iter().map(|class| class.name.to_string()).chain(state.census.keys().map(ToString::to_string)).collect();
        (ChangeRow::all(state, &found.items), classes.into_iter().collect(), state.open_changes().count())
    });
    let next = found.next.map(|next| address(class.as_ref(), standing.as_deref(), span, next));
    let class = class.map(|class| class.to_string()).unwrap_or_default();
    page(&Changes {
        s: Shell::of(&call, "/changes", "Changes"),
        rows,
        classes,
        class,
        standing: standing.unwrap_or_default(),
        span,
        next,
        open,
    })
}

fn address(class: Option<&ClassName>, standing: Option<&str>, span: &str, next: u64) -> String {
    let class = class.map(|class| format!("&class={}", encoded(class.as_str()))).unwrap_or_default();
    let standing = standing.map(|standing| format!("&standing={}", encoded(standing))).unwrap_or_default();
    format!("/changes?span={span}{class}{standing}&after={next}")
}

impl Changes {
    fn spans(&self) -> [(&'static str, &'static str, i64); 4] {
        SPANS
    }

    fn standings(&self) -> [&'static str; 5] {
        STANDINGS
    }
}

//! Hosts, a host, and a run: what a host is, why it gets what it gets, and what its gate would answer now.

use std::ops::Bound;

use askama::Template;
use axum::body::Body;
use axum::http::Response;
use belay_api::http::{AilmentView, GateView, HoldRow, HostDiffView, HostRow, HostView, RunRow, RunView};
use belay_core::decide::health::{Ails, Norms, of_host};
use belay_core::decide::host_policy::{classified, gate};
use belay_core::explain::{gate as words, why};
use belay_core::model::gate::Offered;
use belay_core::model::host::Host;
use belay_core::model::ids::{ClassName, HostId, Release};
use belay_core::model::time::Span;
use belay_core::state::State;

use super::shell::{Shell, page};
use super::words::encoded;
use crate::http::handlers::hosts::diff_of;
use crate::http::handlers::runs::found;
use crate::http::refusal::Refusal;
use crate::http::route::Call;
use crate::ledger::RunFilter;

/// Rows of a page.
const ROWS: usize = 100;
/// Runs in the strip of a host, and how far back it goes.
const STRIP_MAX: usize = 400;
const STRIP: Span = Span::from_min(30 * 24 * 60);

#[derive(Template)]
#[template(path = "hosts.html")]
struct Hosts {
    s: Shell,
    rows: Vec<Listed>,
    classes: Vec<String>,
    class: String,
    release: String,
    name: String,
    ails: String,
    next: Option<String>,
}

/// A host in the list.
struct Listed {
    row: HostRow,
    held: Vec<String>,
    ails: Vec<String>,
}

/// Which hosts are listed.
struct Filter {
    class: Option<ClassName>,
    release: Option<Release>,
    name: Option<String>,
    ails: Option<String>,
}

impl Filter {
    fn of(call: &Call) -> Result<Self, Refusal> {
        let bad = |what: &str, why: String| Refusal::bad_request(format!("{what}: {why}"));
        Ok(Self {
            class: call.query("class").map(ClassName::parse).transpose().map_err(|why| bad("class", why.to_string()))?,
            release: call.query("release").map(Release::parse).transpose().map_err(|why| bad("release", why.to_string()))?,
            name: call.query("name").map(str::to_lowercase),
            ails: call.query("ails").map(str::to_owned),
        })
    }

    fn fits(&self, host: &Host) -> bool {
        self.class.as_ref().is_none_or(|class| host.class == *class)
            && self.release.as_ref().is_none_or(|release| host.release.as_ref() == Some(release))
            && self.name.as_ref().is_none_or(|name| host.id.as_str().contains(name.as_str()))
    }

    fn address(&self, after: &str) -> String {
        let part = |name: &str, value: Option<String>| value.map(|value| format!("&{name}={}", encoded(&value))).unwrap_or_default();
        format!(
            "/hosts?after={}{}{}{}{}",
            encoded(after),
            part("class", self.class.as_ref().map(ToString::to_string)),
            part("release", self.release.as_ref().map(ToString::to_string)),
            part("name", self.name.clone()),
            part("ails", self.ails.clone())
        )
    }
}

/// The list.
pub async fn list(call: Call) -> Result<Response<Body>, Refusal> {
    let filter = Filter::of(&call)?;
    let after = call.query("after").map(HostId::parse).transpose().map_err(|bad| Refusal::bad_request(format!("after: {bad}")))?;
    let now = call.app.drive.now();
    let (mut rows, classes) = call.app.drive.read(|state| {
        let norms = Norms::of(state, filter.class.as_ref());
        let from = after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let hosts = state.hosts.range((from, Bound::Unbounded)).map(|(_, host)| host).filter(|host| filter.fits(host));
        let listed = hosts.filter_map(|host| {
            let ails = of_host(state, &norms, host, now);
            let wanted = filter.ails.as_ref().is_none_or(|code| ails.iter().any(|ails| ails.what.code() == code));
            wanted.then(|| listed(state, host, &ails))
        });
        (listed.take(ROWS + 1).collect::<Vec<_>>(), state.census.keys().map(ToString::to_string).collect())
    });
    let more = rows.len() > ROWS;
    rows.truncate(ROWS);
    let next = rows.last().filter(|_| more).map(|last| filter.address(&last.row.name));
    let text = |value: Option<String>| value.unwrap_or_default();
    page(&Hosts {
        s: Shell::of(&call, "/hosts", "Hosts"),
        rows,
        classes,
        class: text(filter.class.map(|class| class.to_string())),
        release: text(filter.release.map(|release| release.to_string())),
        name: text(filter.name),
        ails: text(filter.ails),
        next,
    })
}

fn listed(state: &State, host: &Host, ails: &[Ails]) -> Listed {
    let held = state.holds_on(host).map(|hold| hold.id.to_string()).collect();
    Listed { row: host.into(), held, ails: ails.iter().map(|ails| ails.what.code().to_owned()).collect() }
}

#[derive(Template)]
#[template(path = "host.html")]
struct OneHost {
    s: Shell,
    h: HostView,
    gate: Option<GateView>,
    environment: Option<String>,
    holds: Vec<HoldRow>,
    ails: Vec<AilmentView>,
    why: Vec<String>,
    runs: Vec<RunRow>,
    diff: Option<HostDiffView>,
}

/// A host.
pub async fn host(call: Call) -> Result<Response<Body>, Refusal> {
    let id = HostId::parse(call.param("host")).map_err(|bad| Refusal::bad_request(format!("host: {bad}")))?;
    let now = call.app.drive.now();
    let read = call.app.drive.read(|state| {
        let host = state.hosts.get(&id)?;
        let offered = Offered { environment: host.environment.clone(), ..Offered::default() };
        let gate = GateView::of(&id, &gate(state, &id, &offered, now), now);
        let environment = classified(state, &id, now).map(|classified| words::classified(&classified));
        let holds = state.holds_on(host).map(|hold| HoldRow::of(state, hold, now)).collect::<Vec<_>>();
        let ails = of_host(state, &Norms::of(state, Some(&host.class)), host, now).iter().map(AilmentView::from).collect::<Vec<_>>();
        Some((HostView::of(state, host), gate, environment, holds, ails, why::host(state, &id, now)))
    });
    let Some((h, gate, environment, holds, ails, why)) = read else {
        return Err(Refusal::not_found(format!("there is no host {id}; it appears with its first report or its first facts")));
    };
    let filter = RunFilter { host: Some(id.clone()), ..RunFilter::default() };
    let runs = call.app.readers.ask(move |reader| reader.runs(&filter, None, STRIP_MAX)).await?;
    let runs = runs.items.iter().filter(|run| now.since(run.started) <= STRIP).map(RunRow::from).collect();
    let diff = diff_of(&call.app, &id).await?;
    let s = Shell::of(&call, "/hosts", id.to_string());
    page(&OneHost { s, h, gate: Some(gate), environment, holds, ails, why, runs, diff })
}

impl OneHost {
    /// Runs, oldest first, as letters: the eye sees when they changed.
    fn strip(&self) -> Vec<(&RunRow, &'static str)> {
        self.runs.iter().rev().map(|run| (run, letter(&run.kind))).collect()
    }
}

/// One letter a kind of run.
fn letter(kind: &str) -> &'static str {
    match kind {
        "changed" => "C",
        "unchanged" => "u",
        "noop-would-change" => "N",
        "noop-unchanged" => "n",
        "partial" => "p",
        "failed" => "F",
        "failed-compile" => "E",
        "aborted" => "A",
        "refused" => "R",
        "cached-catalog" => "K",
        _ => "?",
    }
}

#[derive(Template)]
#[template(path = "run.html")]
struct OneRun {
    s: Shell,
    r: RunView,
}

/// A run.
pub async fn run(call: Call) -> Result<Response<Body>, Refusal> {
    let r = found(&call).await?;
    page(&OneRun { s: Shell::of(&call, "/hosts", r.row.id.clone()), r })
}

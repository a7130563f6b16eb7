//! The rollout of a Change: its waves and its hosts, and what the next step waits for.

use askama::Template;
use axum::body::Body;
use axum::http::Response;
use belay_core::decide::host_policy::closed_now;
use belay_core::decide::trial::ends_at;
use belay_core::explain::{change as words, gate};
use belay_core::model::change::{Change, Waves};
use belay_core::model::ids::{ClassName, HostId};
use belay_core::model::verdict::{Outcome, Says, Standing};
use belay_core::state::State;

use super::shell::{Shell, page};
use crate::http::handlers::changes::found;
use crate::http::handlers::runs::change_id;
use crate::http::refusal::Refusal;
use crate::http::route::Call;

/// The most hosts of a wave that get a cell of their own.
const CELLS_MAX: usize = 300;

#[derive(Template)]
#[template(path = "rollout.html")]
struct Rollout {
    s: Shell,
    id: String,
    what: String,
    standing: String,
    next: Vec<String>,
    waves: Vec<Wave>,
    elsewhere: Vec<(String, String, String)>,
}

/// A wave, as a row.
struct Wave {
    name: String,
    open: bool,
    hosts: usize,
    changed: usize,
    cells: Vec<Cell>,
}

/// A host of a wave: a letter, a sign by its colour, a word.
struct Cell {
    host: String,
    letter: &'static str,
    word: &'static str,
}

/// The page.
pub async fn rollout(call: Call) -> Result<Response<Body>, Refusal> {
    let id = change_id(call.param("id"))?;
    let change = found(&call.app, id).await?;
    let (next, waves, elsewhere) = call.app.drive.read(|state| (next(state, &change), waves(state, &change), elsewhere(state, &change)));
    page(&Rollout {
        s: Shell::of(&call, "/changes", format!("rollout of {id}")),
        id: id.to_string(),
        what: words::what(&change),
        standing: change.standing.word().to_owned(),
        next,
        waves,
        elsewhere,
    })
}

/// What comes next, when, and what it waits for.
fn next(state: &State, change: &Change) -> Vec<String> {
    let mut lines = Vec::new();
    match (&change.waves, change.open()) {
        (_, false) => lines.push(format!("its trial is over: {}", words::standing(change))),
        (None, true) => lines.push(
            "it comes as hosts run: class keeps no waves (enforce = \"waves\" would); hosts that come later are peers until then"
                .to_owned(),
        ),
        (Some(waves), true) if waves.is_last() => lines.push("all its waves are open".to_owned()),
        (Some(waves), true) => {
            let next = waves.sizes.get(waves.open as usize).copied().unwrap_or_default();
            lines.push(format!(
                "the next wave reaches {next} of {} hosts; it opens when the open one has come and its trial allows it",
                waves.order.len()
            ));
        }
    }
    if change.open() {
        let ends = ends_at(state, change);
        lines.push(format!("its trial ends at {ends} at the latest"));
        let closed = closed_now(state, &state.policy.class(&change.class), state.now);
        lines.extend(closed.map(|closed| format!("no further wave opens: {}", gate::closed(&closed))));
    }
    lines
}

fn waves(state: &State, change: &Change) -> Vec<Wave> {
    let harmed: Vec<&HostId> = words::findings(change).iter().filter(|one| one.says == Says::Harm).flat_map(|one| &one.hosts).collect();
    let cell = |host: &HostId| {
        let (letter, word) = cell(state, change, host, &harmed);
        Cell { host: host.to_string(), letter, word }
    };
    let wave = |name: String, open: bool, hosts: &[HostId]| Wave {
        name,
        open,
        hosts: hosts.len(),
        changed: hosts.iter().filter(|host| change.treated.contains_key(*host)).count(),
        cells: hosts.iter().take(CELLS_MAX).map(cell).collect(),
    };
    match &change.waves {
        Some(waves) => {
            let mut rows: Vec<Wave> =
                slices(waves).map(|(nth, hosts)| wave(format!("wave {}", nth + 1), nth < waves.open as usize, hosts)).collect();
            let outside: Vec<HostId> = change.treated.keys().filter(|host| !waves.order.contains(host)).cloned().collect();
            if !outside.is_empty() {
                rows.push(wave("outside of the waves".to_owned(), true, &outside));
            }
            rows
        }
        None => {
            let (changed, others): (Vec<HostId>, Vec<HostId>) =
                hosts(state, change).into_iter().partition(|host| change.treated.contains_key(host));
            vec![wave("changed".to_owned(), true, &changed), wave("not changed".to_owned(), true, &others)]
        }
    }
}

fn hosts(state: &State, change: &Change) -> Vec<HostId> {
    let of = |class: &ClassName| {
        state
            .hosts
            .values()
            .filter(|host| host.class == *class && (host.release == change.release || change.treated.contains_key(&host.id)))
            .map(|host| host.id.clone())
            .collect::<Vec<_>>()
    };
    of(&change.class)
}

/// The hosts that each wave adds.
fn slices(waves: &Waves) -> impl Iterator<Item = (usize, &[HostId])> {
    let ends = waves.sizes.iter().map(|size| (*size as usize).min(waves.order.len()));
    let starts = std::iter::once(0).chain(ends.clone());
    starts.zip(ends).map(|(from, to)| &waves.order[from.min(to)..to]).enumerate()
}

fn cell(state: &State, change: &Change, host: &HostId, harmed: &[&HostId]) -> (&'static str, &'static str) {
    let held = state.hosts.get(host).is_some_and(|known| state.holds_on(known).next().is_some());
    match (change.treated.get(host), change.standing) {
        (Some(treated), _) if !treated.failures.is_empty() || treated.compile_error.is_some() => ("F", "failed"),
        (Some(_), _) if harmed.contains(&host) => ("H", "harm"),
        (Some(_), Standing::Final(Outcome::Accepted)) => ("A", "accepted"),
        (Some(_), _) => ("C", "changed"),
        (None, _) if held => ("h", "held"),
        (None, _) => ("-", "not changed"),
    }
}

/// The same version in other classes, where it has a name.
fn elsewhere(state: &State, change: &Change) -> Vec<(String, String, String)> {
    let same = |other: &&Change| {
        let named = !matches!(change.version, belay_core::model::report::Version::Unknown);
        other.id != change.id && named && other.version == change.version
    };
    let row = |other: &Change| (other.id.to_string(), other.class.to_string(), other.standing.word().to_owned());
    state.changes.values().rev().filter(same).take(50).map(row).collect()
}

//! The matrix of acceptance: for a class, what content of each item stands how on each release, and how many hosts are
//! there now. It is what the gate, the classifier and a revert read.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::body::Body;
use axum::http::Response;
use belay_core::explain::change::brief;
use belay_core::model::change::release_content;
use belay_core::model::ids::{ChangeId, ClassName, Environment, Release};
use belay_core::model::item::{Content, ItemKey, Mark, RELEASE_KIND, environment_content};
use belay_core::model::report::Version;
use belay_core::state::{Scope, State};

use super::shell::{Shell, page};
use super::words::encoded;
use crate::http::refusal::Refusal;
use crate::http::route::Call;

/// Items of a page.
const ITEMS: usize = 25;
/// The most releases side by side: those with most hosts.
const RELEASES_MAX: usize = 8;
/// The most contents of one item: those that most hosts carry, and those that were judged, come first.
const CONTENTS_MAX: usize = 12;

#[derive(Template)]
#[template(path = "matrix.html")]
struct Matrix {
    s: Shell,
    classes: Vec<String>,
    class: String,
    all: bool,
    releases: Vec<Column>,
    items: Vec<Item>,
    quiet: usize,
    next: Option<String>,
}

/// A release, as a column.
struct Column {
    release: Option<Release>,
    hosts: u32,
    versions: Vec<String>,
}

/// An item with its contents, as rows.
struct Item {
    name: String,
    rows: Vec<Row>,
    more: usize,
}

/// A content.
struct Row {
    content: String,
    words: String,
    cells: Vec<Cell>,
}

/// A content on a release.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Cell {
    mark: Option<&'static str>,
    change: Option<String>,
    version: Option<String>,
    hosts: u32,
}

/// The page.
pub async fn matrix(call: Call) -> Result<Response<Body>, Refusal> {
    let asked = call.query("class").map(ClassName::parse).transpose().map_err(|bad| Refusal::bad_request(format!("class: {bad}")))?;
    let all = call.query("all") == Some("1");
    let from: usize = call.query("from").and_then(|text| text.parse().ok()).unwrap_or(0);
    let s = Shell::of(&call, "/matrix", "What is accepted where");
    let made = call.app.drive.read(|state| {
        let classes: Vec<String> = state.census.keys().map(ToString::to_string).collect();
        let class = asked.or_else(|| largest(state));
        let Some(class) = class else { return (classes, None) };
        (classes, Some((class.to_string(), of(state, &class, all, from))))
    });
    let (classes, made) = made;
    let Some((class, (releases, items, quiet, total))) = made else {
        let (releases, items) = (Vec::new(), Vec::new());
        return page(&Matrix { s, classes, class: String::new(), all, releases, items, quiet: 0, next: None });
    };
    let more = from + ITEMS < total;
    let next = more.then(|| format!("/matrix?class={}{}&from={}", encoded(&class), if all { "&all=1" } else { "" }, from + ITEMS));
    page(&Matrix { s, classes, class, all, releases, items, quiet, next })
}

/// The class with the most hosts is shown where none is asked for.
fn largest(state: &State) -> Option<ClassName> {
    state.census.iter().max_by_key(|(_, census)| census.hosts).map(|(class, _)| class.clone())
}

/// The columns, a page of items, how many items there are of which nothing is to be told, and how many there are to page through.
fn of(state: &State, class: &ClassName, all: bool, from: usize) -> (Vec<Column>, Vec<Item>, usize, usize) {
    let releases = columns(state, class);
    let scopes: Vec<Scope> = releases.iter().map(|column| Scope { class: class.clone(), release: column.release.clone() }).collect();
    let mut contents: BTreeMap<&ItemKey, BTreeSet<&Content>> = BTreeMap::new();
    let mut judged: BTreeSet<&ItemKey> = BTreeSet::new();
    for (key, content, marked) in scopes.iter().flat_map(|scope| state.acceptance.of_scope(scope)) {
        contents.entry(key).or_default().insert(content);
        if marked.mark != Mark::Adopted {
            judged.insert(key);
        }
    }
    let known = contents.len();
    contents.retain(|key, _| all || judged.contains(key));
    let (total, quiet) = (contents.len(), known - contents.len());
    let shown: Vec<(&ItemKey, BTreeSet<&Content>)> = contents.into_iter().skip(from).take(ITEMS).collect();
    let here = counted(state, class, &releases, &shown);
    let items = shown.iter().map(|(key, contents)| item(state, &scopes, key, contents, &here)).collect();
    (releases, items, quiet, total)
}

/// Releases that hosts of the class run, then those of which marks remain; the ones with most hosts.
fn columns(state: &State, class: &ClassName) -> Vec<Column> {
    let mut hosts: BTreeMap<Option<Release>, u32> = BTreeMap::new();
    for host in state.hosts_of(class) {
        *hosts.entry(host.release.clone()).or_default() += 1;
    }
    for scope in state.acceptance.scopes().filter(|scope| scope.class == *class) {
        hosts.entry(scope.release.clone()).or_default();
    }
    let mut columns: Vec<Column> = hosts
        .into_iter()
        .map(|(release, hosts)| {
            let scope = Scope { class: class.clone(), release: release.clone() };
            let mut versions: Vec<(&Version, &u32)> =
                state.versions.get(&scope).into_iter().flatten().filter(|(_, hosts)| **hosts > 0).collect();
            versions.sort_by_key(|(_, hosts)| std::cmp::Reverse(**hosts));
            let said = |(version, hosts): (&Version, &u32)| format!("{}: {hosts}", name(version));
            Column { release, hosts, versions: versions.into_iter().take(3).map(said).collect() }
        })
        .collect();
    columns.sort_by_key(|column| std::cmp::Reverse(column.hosts));
    columns.truncate(RELEASES_MAX);
    columns.sort_by(|a, b| a.release.cmp(&b.release));
    columns
}

type Here<'s> = BTreeMap<(&'s ItemKey, Content, usize), u32>;

/// How many hosts carry each content of the items that are shown, by column.
fn counted<'s>(state: &'s State, class: &'s ClassName, releases: &[Column], shown: &[(&'s ItemKey, BTreeSet<&Content>)]) -> Here<'s> {
    let mut here: Here<'s> = BTreeMap::new();
    for host in state.hosts_of(class) {
        let Some(column) = releases.iter().position(|column| column.release == host.release) else { continue };
        for (key, _) in shown {
            if let Some(carried) = host.items.get(*key) {
                *here.entry((*key, carried.content, column)).or_default() += 1;
            }
        }
    }
    here
}

fn item<'s>(state: &State, scopes: &[Scope], key: &'s ItemKey, contents: &BTreeSet<&Content>, here: &Here<'s>) -> Item {
    let cell = |content: &Content, column: usize| {
        let mark = state.acceptance.mark(&scopes[column], key, content);
        let change = mark.and_then(change_of);
        Cell {
            mark: mark.map(word),
            change: change.map(|change| change.to_string()),
            version: change.and_then(|change| state.changes.get(&change)).map(|change| name(&change.version)),
            hosts: here.get(&(key, *content, column)).copied().unwrap_or(0),
        }
    };
    let row = |content: &Content| Row {
        content: content.to_string().chars().take(8).collect(),
        words: said(state, scopes, key, content),
        cells: (0..scopes.len()).map(|column| cell(content, column)).collect(),
    };
    let mut rows: Vec<Row> = contents.iter().map(|content| row(content)).collect();
    rows.sort_by_key(|row| {
        let (hosts, judged) = (row.cells.iter().map(|cell| cell.hosts).sum::<u32>(), row.cells.iter().any(|cell| cell.change.is_some()));
        (!judged, std::cmp::Reverse(hosts))
    });
    let more = rows.len().saturating_sub(CONTENTS_MAX);
    rows.truncate(CONTENTS_MAX);
    Item { name: key.to_string(), rows, more }
}

/// What a content is in words, where a Change that brought or replaced it says so.
fn said(state: &State, scopes: &[Scope], key: &ItemKey, content: &Content) -> String {
    let marks = scopes.iter().filter_map(|scope| state.acceptance.mark(scope, key, content)).filter_map(change_of);
    let brought = marks.filter_map(|change| state.changes.get(&change)).filter(|change| change.items.get(key) == Some(content));
    let words = brought.filter_map(|change| change.words.get(key)).map(|words| brief(&words.new)).find(|words| !words.is_empty());
    words.or_else(|| stands_for(state, scopes, key, content)).unwrap_or_default()
}

/// The name of a release, or of an environment that a host of the class has, by its content.
fn stands_for(state: &State, scopes: &[Scope], key: &ItemKey, content: &Content) -> Option<String> {
    if &*key.kind == RELEASE_KIND {
        let releases = scopes.iter().filter_map(|scope| scope.release.as_ref());
        return releases.filter(|release| release_content(release) == *content).map(ToString::to_string).next();
    }
    if !key.is_environment() {
        return None;
    }
    let class = &scopes.first()?.class;
    let environments: BTreeSet<&Environment> = state.hosts_of(class).filter_map(|host| host.environment.as_ref()).collect();
    environments.into_iter().find(|environment| environment_content(environment) == *content).map(ToString::to_string)
}

fn name(version: &Version) -> String {
    match version {
        Version::Named(name) => name.to_string(),
        Version::Unknown => "version unknown".to_owned(),
    }
}

const fn change_of(mark: Mark) -> Option<ChangeId> {
    match mark {
        Mark::OnTrial(change) | Mark::Accepted(change) | Mark::Rejected(change) => Some(change),
        Mark::Adopted => None,
    }
}

const fn word(mark: Mark) -> &'static str {
    match mark {
        Mark::Adopted => "adopted",
        Mark::OnTrial(_) => "on trial",
        Mark::Accepted(_) => "accepted",
        Mark::Rejected(_) => "rejected",
    }
}

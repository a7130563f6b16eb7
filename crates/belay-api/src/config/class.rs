//! `[[class]]`: which hosts are comparable, the releases they run, and how long a trial lasts.

use belay_core::model::gate::Enforce;
use belay_core::model::ids::{BadName, ClassName, Environment, HOST_NAME_MAX, Release};
use belay_core::model::policy::{ClassPolicy, DEFAULT_CLASS, Pattern, ReleaseSource};
use belay_core::model::time::Span;

use super::draft::{Declared, Read};
use super::error::Found;
use super::hours;
use super::server::filled;
use super::table::Table;
use super::waves;
use super::words::said;
use super::zone::Zones;

/// Of the design, and not built: refused by name.
const NOT_BUILT: &[&str] = &["revert"];

/// How many values of the own past may be compared with.
const PAST_STEPS: std::ops::RangeInclusive<u32> = 1..=10_000;

const RELEASE_EXAMPLE: &str = "release = { reported = true }";

/// Reads one `[[class]]`.
pub(super) fn read(mut table: Table<'_>, zones: &mut Zones) -> Read<ClassPolicy> {
    table.need("name", "\"web\"");
    let name = table.parsed("name", ClassName::parse);
    let class_name = name.as_ref().map_or_else(belay_core::model::policy::default_class, |name| name.value.clone());
    let mut class = ClassPolicy::defaults(class_name);
    hosts(&mut table, &mut class);
    if let Some(release) = release(&mut table) {
        class.release = release;
    }
    environments(&mut table, &mut class);
    target(&mut table, &mut class);
    let kin = table.all_parsed("kin", ClassName::parse);
    class.kin = kin.iter().map(|kin| kin.value.clone()).collect();
    times(&mut table, &mut class);
    enforce(&mut table, &mut class);
    waves::read(&mut table, &mut class);
    hours::read(&mut table, &mut class, zones);
    table.not_built(NOT_BUILT);
    let declared = name.map(|name| {
        for kin in kin.iter().filter(|kin| kin.value == name.value) {
            table.errors.push(kin.at.mistake_with(format!("`{}` is its own kin", kin.value), "name other classes, or leave kin out"));
        }
        Declared { what: class, name: Found { value: name.value.to_string(), at: name.at }, classes: kin }
    });
    (declared, table.finish())
}

fn hosts(table: &mut Table<'_>, class: &mut ClassPolicy) {
    if !table.has("hosts") && !table.has("facts") && class.name.as_str() != DEFAULT_CLASS {
        let text = format!("no host can belong to class `{}`: it has neither `hosts` nor `facts`", class.name);
        table.errors.push(table.at.mistake_with(text, "write for example hosts = [\"web*\"], or facts = { role = \"web\" }"));
    }
    class.hosts = table.all_parsed("hosts", pattern).into_iter().map(|found| found.value).collect();
    for (fact, value) in table.pairs("facts") {
        if fact.value.trim().is_empty() {
            table.errors.push(fact.at.mistake("a fact's name is empty"));
        }
        class.facts.insert(fact.value, value.value);
    }
}

pub(super) fn pattern(text: &str) -> Result<Pattern, String> {
    if text.is_empty() {
        return Err("the pattern is empty".to_owned());
    }
    if text.len() > HOST_NAME_MAX {
        return Err(BadName::TooLong { len: text.len(), max: HOST_NAME_MAX }.to_string());
    }
    match text.chars().find(|c| !c.is_ascii_graphic() || matches!(c, '/' | '\\' | '%' | ',')) {
        Some(c) => Err(format!("no host's name holds {c:?}; a pattern is a name with `*` for any characters and `?` for one")),
        None => Ok(Pattern::new(text)),
    }
}

/// `release = { ... }`: exactly one way of knowing it.
fn release(table: &mut Table<'_>) -> Option<ReleaseSource> {
    const UNREAD: &str = "write release = { reported = true } here, and the file or command into the agent.toml of the hosts";
    let mut inner = table.table("release", RELEASE_EXAMPLE)?;
    let mut ways = Vec::new();
    for key in ["file", "command"] {
        if let Some(way) = inner.text(key) {
            let text =
                format!("`release = {{ {key} = ... }}` is the host's own business: a server must not name files or commands of hosts");
            inner.errors.push(way.at.mistake_with(text, UNREAD));
            ways.push(None);
        }
    }
    if let Some(fact) = inner.parsed("fact", filled) {
        ways.push(Some(ReleaseSource::Fact(fact.value)));
    }
    for (key, source) in [("reported", ReleaseSource::Reported), ("none", ReleaseSource::None)] {
        match inner.flag(key) {
            Some(Found { value: true, .. }) => ways.push(Some(source)),
            Some(Found { at, .. }) => inner.errors.push(at.mistake_with(format!("`{key} = false` says nothing"), "leave it out")),
            None => {}
        }
    }
    if ways.len() != 1 && inner.errors.is_empty() {
        let text = format!("`release` needs exactly one way of knowing the release; {} are given", ways.len());
        inner.errors.push(inner.at.mistake_with(text, format!("write {RELEASE_EXAMPLE}, {{ fact = \"NAME\" }} or {{ none = true }}")));
    }
    table.errors.extend(inner.finish());
    ways.into_iter().next().flatten()
}

fn environments(table: &mut Table<'_>, class: &mut ClassPolicy) {
    if let Some(environment) = table.parsed("environment", Environment::parse) {
        if table.has("environments") {
            let text = "`environment` and `environments`: hosts have one environment, or one for each release".to_owned();
            table.errors.push(environment.at.mistake_with(text, "leave one of the two out"));
        }
        class.environment = Some(environment.value);
    }
    for (release, environment) in table.pairs("environments") {
        if class.release == ReleaseSource::None {
            let text = format!("class `{}` has no releases (`release = {{ none = true }}`), yet an environment for one", class.name);
            table.errors.push(release.at.mistake_with(text, "leave out environments, or say where the release is read from"));
            return;
        }
        match (Release::parse(&release.value), Environment::parse(&environment.value)) {
            (Ok(release), Ok(environment)) => {
                class.environments.insert(release, environment);
            }
            (read_release, read_environment) => {
                let wrong = |found: &Found<String>, why: BadName| found.at.mistake(format!("`{}`: {:?}: {why}", found.at.key, found.value));
                table.errors.extend(read_release.err().map(|why| wrong(&release, why)));
                table.errors.extend(read_environment.err().map(|why| wrong(&environment, why)));
            }
        }
    }
}

fn times(table: &mut Table<'_>, class: &mut ClassPolicy) {
    let (bake, horizon) = (table.span("bake"), table.span("horizon"));
    class.bake = bake.as_ref().map_or(class.bake, |bake| bake.value);
    class.horizon = horizon.as_ref().map_or(class.horizon, |horizon| horizon.value);
    if class.horizon < class.bake || class.horizon == Span::ZERO {
        let place = horizon.or(bake).map_or_else(|| table.at.clone(), |found| found.at);
        let text = format!("the horizon ({}) is shorter than the bake ({})", said(class.horizon), said(class.bake));
        let text = if class.horizon == Span::ZERO { "the horizon is no time at all".to_owned() } else { text };
        table.errors.push(place.mistake_with(text, "bake is the shortest time a trial lasts, horizon the longest"));
    }
    if let Some(grace) = table.span("grace") {
        class.grace = grace.value;
    }
    if let Some(steps) = table.number("past_steps", &PAST_STEPS) {
        class.past_steps = steps.value;
    }
}

/// The release that hosts are to come to, where the tool itself installs it.
fn target(table: &mut Table<'_>, class: &mut ClassPolicy) {
    let source = table.word("release_source", &[("observed", false), ("assigned", true)]);
    let target = table.parsed("target", Release::parse);
    let assigned = source.as_ref().is_some_and(|source| source.value);
    match (source, target) {
        (Some(source), None) if source.value => {
            let text = "`release_source = \"assigned\"` without `target`: there is no release that hosts are to come to".to_owned();
            table.errors.push(source.at.mistake_with(text, "write for example target = \"142\", or leave release_source out"));
        }
        (_, Some(target)) if !assigned => {
            let text = "`target` is for releases that the tool itself installs".to_owned();
            table.errors.push(target.at.mistake_with(text, "write release_source = \"assigned\", or leave target out"));
        }
        (_, Some(target)) if !class.environments.contains_key(&target.value) => {
            let text = format!("`target = \"{}\"`: no environment installs this release", target.value);
            table.errors.push(target.at.mistake_with(text, "name its environment in `environments`"));
        }
        (_, target) => class.target = target.map(|target| target.value),
    }
}

/// How far the gate goes, and what it does on a host whose server is away.
fn enforce(table: &mut Table<'_>, class: &mut ClassPolicy) {
    if let Some(span) = table.span("max_closed") {
        class.max_closed = span.value;
    }
    class.stale = table.span("stale").map(|span| span.value).or(class.stale);
    if let Some(span) = table.span("foreign_lock") {
        class.foreign_lock = Some(span.value).filter(|span| *span > Span::ZERO);
    }
    if let Some(span) = table.span("ailing") {
        class.ailing = Some(span.value).filter(|span| *span > Span::ZERO);
    }
    let Some(level) = table.text("enforce") else { return };
    match Enforce::ALL.into_iter().find(|known| known.word() == level.value) {
        Some(Enforce::ReleaseMatch) if class.environments.is_empty() => {
            let text = "`enforce = \"release-match\"` without `environments`: there is nothing that could match".to_owned();
            table
                .errors
                .push(level.at.mistake_with(text, "say which environment each release needs: environments = { \"142\" = \"r142\" }"));
        }
        Some(known) => class.enforce = known,
        None => {
            let text = format!("`{}` has no word {:?}", level.at.key, level.value);
            table.errors.push(level.at.mistake_with(text, "known here: off, release-match, rejected, waves"));
        }
    }
}

//! Who takes part: classes, hosts, signals and times, drawn by the seed.

use belay_core::model::ids::{ClassName, Environment, HostId, Release};
use belay_core::model::item::ItemKey;
use belay_core::model::time::Span;
use belay_stats::rng::Rng;

use crate::fleet::branch::parse_item;
use crate::fleet::host::SimHost;
use crate::signals::Rhythm;
use crate::world::World;

/// The environment every host begins with.
pub(super) const STABLE: &str = "production";
/// The environment made for the newer release.
pub(super) const NEXT: &str = "r142";
/// The older release and the newer one.
pub(super) const RELEASES: [&str; 2] = ["141", "142"];
/// Items whose texts are free.
pub(super) const FREE: [&str; 3] = ["File[/etc/app/app.conf] content", "File[/etc/app/log.conf] content", "Package[app-tools] ensure"];
/// The item whose text has to fit the release.
pub(super) const FITTING: &str = "File[/etc/app/release.conf] content";

/// Who takes part.
#[derive(Clone, Debug)]
pub(super) struct Cast {
    /// The classes.
    pub(super) classes: Vec<ClassName>,
    /// How far back a trial looks.
    pub(super) past: Span,
    /// Maximum time of a trial.
    pub(super) horizon: Span,
    /// Must-have signals are declared, and the flow is strong enough that its stop cannot be chance.
    pub(super) seen: bool,
    /// An environment is declared for each release.
    pub(super) declared: bool,
}

/// An item of these constants.
pub(super) fn item(text: &str) -> ItemKey {
    parse_item(text).expect("a constant that is an item")
}

/// An environment of these constants.
pub(super) fn environment(name: &str) -> Environment {
    Environment::parse(name).expect("a constant that is a name")
}

/// A release of these constants.
pub(super) fn release(name: &str) -> Release {
    Release::parse(name).expect("a constant that is a name")
}

/// Draws who takes part, and puts them on the stage.
pub(super) fn draw(rng: &mut Rng, world: &mut World) -> Cast {
    let step_s = [15, 30, 60, 60][pick(rng, 4)];
    let past_steps = 30 + i64::try_from(rng.below(40)).unwrap_or(0);
    let horizon = Span::from_min(12 + i64::try_from(rng.below(15)).unwrap_or(0));
    let grace_s = [60, 90, 120][pick(rng, 3)];
    let per_s = [0.05, 1.5, 2.0, 10.0][pick(rng, 4)];
    let signals = !rng.chance(0.06);
    let declared = rng.chance(0.25);
    let names: &[&str] = if rng.chance(0.5) { &["web"] } else { &["web", "db"] };
    world.signals.rhythm =
        Rhythm { scrape: Span::from_s(step_s), apart: Span::from_s(step_s), per_s, day: rng.unit() * 0.6, even: rng.chance(0.3) };
    let text = config(&Drawn { names, step_s, past_steps, horizon, grace_s, signals, declared });
    world.load(belay_api::config::parse("seed", &text).expect("a drawn configuration is valid").policy);
    let classes: Vec<ClassName> = names.iter().map(|name| ClassName::parse(name).expect("a constant that is a name")).collect();
    for (place, class) in classes.iter().enumerate() {
        let count = if place == 0 { 6 + rng.below(14) } else { 1 + rng.below(9) };
        people(world, class, count);
    }
    Cast {
        classes,
        past: Span::from_s(step_s).times(past_steps) + Span::from_min(3),
        horizon,
        seen: signals && per_s * step_s as f64 >= 20.0,
        declared,
    }
}

fn pick(rng: &mut Rng, of: u64) -> usize {
    usize::try_from(rng.below(of)).unwrap_or(0)
}

struct Drawn<'a> {
    names: &'a [&'a str],
    step_s: i64,
    past_steps: i64,
    horizon: Span,
    grace_s: i64,
    signals: bool,
    declared: bool,
}

fn config(drawn: &Drawn<'_>) -> String {
    let mut text = String::new();
    let horizon = drawn.horizon.ms() / 1000;
    for name in drawn.names {
        text.push_str(&format!(
            "[[class]]\nname = \"{name}\"\nhosts = [\"{name}*\"]\nrelease = {{ reported = true }}\nbake = \"3m\"\n\
             horizon = \"{horizon}s\"\ngrace = \"{}s\"\npast_steps = {}\n",
            drawn.grace_s, drawn.past_steps
        ));
        if drawn.declared {
            text.push_str(&format!("environments = {{ {} = \"{STABLE}\", {} = \"{NEXT}\" }}\n", RELEASES[0], RELEASES[1]));
        }
    }
    let signals = [
        ("requests", "flow", "sitemonitor_requests_total"),
        ("check", "check", "sitemonitor_check"),
        ("memory", "gauge", "sitemonitor_memory_bytes"),
    ];
    for (name, kind, select) in signals.iter().filter(|_| drawn.signals) {
        text.push_str(&format!("[[signal]]\nname = \"{name}\"\nkind = \"{kind}\"\nselect = \"{select}\"\nstep = \"{}s\"\n", drawn.step_s));
    }
    text.push_str("[[alert]]\nname = \"team\"\nurl = \"https://alerts.example.com/a\"\n");
    text.push_str("[[alert]]\nname = \"pager\"\nurl = \"https://alerts.example.com/b\"\n");
    text
}

/// The hosts of a class, with what their branches hold.
fn people(world: &mut World, class: &ClassName, count: u64) {
    for (name, fitting) in [(STABLE, RELEASES[0]), (NEXT, RELEASES[1])] {
        let branch = world.fleet.branches.entry(environment(name)).or_default();
        branch.version = Some("v0".to_owned());
        for key in FREE {
            branch.put(class, item(key), "text 0");
        }
        branch.put(class, item(FITTING), &format!("for {fitting}"));
    }
    for name in RELEASES {
        world.fleet.application.need(class, &release(name), item(FITTING), &format!("for {name}"));
    }
    for number in 1..=count {
        let id = HostId::parse(&format!("{class}{number:02}")).expect("a drawn name is one");
        world.add_host(SimHost::new(id, class.clone(), Some(release(RELEASES[0])), environment(STABLE)));
    }
}

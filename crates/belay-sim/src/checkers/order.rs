//! Order: time, runs, contents and Changes are where they belong, however reports come.

use std::collections::{BTreeMap, BTreeSet};

use belay_core::model::ids::{ClassName, HostId, Release};
use belay_core::model::item::{Content, ItemKey, environment_content};
use belay_core::model::run::Run;
use belay_core::model::time::Timestamp;
use belay_core::state::Fact;

use crate::testimony::{Done, content_of};
use crate::world::World;

pub(super) fn time(world: &World) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut last = Timestamp::from_ms(i64::MIN);
    for (at, fact) in &world.journal {
        if *at < last {
            wrong.push(format!("a fact of {at} follows one of {last}"));
        }
        last = *at;
        if let Fact::RunRecorded { run, .. } = fact
            && run.started > run.received
        {
            wrong.push(format!("{} of {} started at {}, after its receipt at {}", run.id, run.host, run.started, run.received));
        }
    }
    wrong
}

fn runs(world: &World) -> impl Iterator<Item = &Run> {
    world.journal.iter().filter_map(|(_, fact)| match fact {
        Fact::RunRecorded { run, .. } => Some(&**run),
        _ => None,
    })
}

pub(super) fn one_run(world: &World) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let repeated = runs(world).filter(|run| !seen.insert((run.host.clone(), run.tool_run_id.clone())));
    repeated.map(|run| format!("{} of {} was recorded twice", run.tool_run_id, run.host)).collect()
}

/// Each host carries, of every item, what the newest of its runs that were heard of put there:
/// newest by the time the runs are placed at, whatever the order in which they came.
pub(super) fn carried(world: &World) -> Vec<String> {
    let mut newest: BTreeMap<(&HostId, ItemKey), (Timestamp, Content)> = BTreeMap::new();
    for run in runs(world) {
        for (key, content) in put(world, run) {
            let slot = newest.entry((&run.host, key)).or_insert((run.started, content));
            if run.started >= slot.0 {
                *slot = (run.started, content);
            }
        }
    }
    let mut wrong = Vec::new();
    for ((host, key), (at, content)) in newest {
        let known = world.state.hosts.get(host).and_then(|host| host.items.get(&key));
        if known.is_none_or(|known| known.content != content) {
            wrong.push(format!("{host} got {content} of {key} at {at}, but Belay knows {known:?}"));
        }
    }
    wrong
}

/// What a run put on its host, by what was really done.
fn put(world: &World, run: &Run) -> Vec<(ItemKey, Content)> {
    let deeds = world.deeds.get(&(run.host.clone(), run.tool_run_id.clone()));
    let done = deeds.into_iter().flatten().filter(|deed| deed.done == Done::Applied);
    let text = |text: &str| text.replace("{host}", run.host.as_str());
    let mut put: Vec<(ItemKey, Content)> = done.map(|deed| (deed.key.clone(), content_of(&deed.key, &text(&deed.new)))).collect();
    if let Some(environment) = run.environment.as_ref().filter(|_| run.kind.applied()) {
        put.push((ItemKey::environment(), environment_content(environment)));
    }
    put
}

pub(super) fn one_open(world: &World) -> Vec<String> {
    let mut open: BTreeMap<(ClassName, Option<Release>), BTreeSet<_>> = BTreeMap::new();
    let mut scopes = BTreeMap::new();
    let mut wrong = Vec::new();
    let mut facts = world.journal.iter().peekable();
    while let Some((at, fact)) = facts.next() {
        match fact {
            Fact::ChangeOpened { change } => {
                let scope = (change.class.clone(), change.release.clone());
                scopes.insert(change.id, scope.clone());
                open.entry(scope).or_default().insert(change.id);
            }
            Fact::Decided { change, .. } => {
                if let Some(open) = scopes.get(change).and_then(|scope| open.get_mut(scope)) {
                    open.remove(change);
                }
            }
            _ => {}
        }
        // Facts of one decision are one commit: only between them does anybody look.
        let committed = facts.peek().is_none_or(|(next, _)| next != at);
        let several = open.iter().filter(|(_, open)| open.len() > 1);
        if committed {
            wrong.extend(several.map(|((class, release), open)| format!("{open:?} were open at once in {class} {release:?} at {at}")));
        }
    }
    wrong
}

pub(super) fn all_ended(world: &World) -> Vec<String> {
    world.state.open_changes().map(|change| format!("{} is still open, since {}", change.id, change.opened)).collect()
}

/// What was asked for is gone from the outbox because it was delivered (or said by a newer one), or
/// it is there, dead, with its reason.
pub(super) fn all_told(world: &World) -> Vec<String> {
    let mut wrong = Vec::new();
    for effect in world.state.effects.values() {
        if !effect.dead || effect.last_error.is_none() {
            wrong.push(format!("{} is neither delivered nor visibly dead: {effect:?}", effect.id));
        }
    }
    let done =
        |wanted| world.journal.iter().filter(move |(_, fact)| matches!(fact, Fact::EffectDone { delivered, .. } if *delivered == wanted));
    let (delivered, taken) = (done(true).count(), world.outbox.delivered.len());
    if delivered != taken {
        wrong.push(format!("{delivered} messages are recorded as delivered, {taken} were taken"));
    }
    wrong
}

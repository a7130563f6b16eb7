//! Waves: a Change comes to a few hosts first, and to more as it proves good. They exist only where
//! they can be kept, which is where the gate defers (`enforce = "waves"`).
//!
//! Who comes when is drawn by a hash of the Change's number and the host's name: at random, the same
//! for everybody who computes it, and not always the same hosts first. Named canaries come before
//! all; the values of a fact (`spread`) take turns; two hosts of one value of another fact (`apart`)
//! never come in one wave, the last excepted.
//!
//! A wave opens only while its class is open ([`closed`]). One that would open while it is closed
//! waits: its trial goes on, and what it shows by then counts.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::Draft;
use super::{closed, deployments};
use crate::model::change::{Change, Waves};
use crate::model::host::Host;
use crate::model::ids::{ChangeId, Digest, Environment, HostId, Release};
use crate::model::policy::{ClassPolicy, OnInconclusive, SMALL_CLASS, WaveSize};
use crate::model::verdict::{Gap, Outcome};
use crate::state::{Fact, Scope, State};

/// So many peers stay unchanged until the last wave, where the class is large enough.
const PEERS_KEPT: usize = 3;
/// A wave counts as come when this part of its hosts has changed: some are always away.
const COME_PERCENT: usize = 80;
/// After so many horizons a wave counts as come with whoever did.
const PATIENCE_HORIZONS: i64 = 4;

/// Waves drawn now by this seed; none where the class keeps none.
pub(super) fn draw(state: &State, scope: &Scope, seed: &str) -> Option<Waves> {
    let class = state.policy.class(&scope.class);
    if !class.keeps_waves() {
        return None;
    }
    let order = order(state, scope, &class, seed);
    let sizes = sizes(&class.waves, order.len());
    let (order, sizes) = match &class.apart {
        Some(fact) => apart(order, &sizes, fact),
        None => (order, sizes),
    };
    let order = order.into_iter().map(|host| host.id.clone()).collect();
    Some(Waves { order, sizes, open: 1, opened: state.now })
}

/// The seed of the waves in which a Change with this number comes: a deployment's own name, so that it goes on as it began to
/// spread before anything new was found in it.
pub(super) fn seed(state: &State, change: ChangeId, environment: Option<&Environment>) -> String {
    let published = environment.filter(|environment| deployments::is_published(state, environment));
    published.map_or_else(|| change.to_string(), ToString::to_string)
}

fn order<'s>(state: &'s State, scope: &'s Scope, class: &ClassPolicy, seed: &str) -> Vec<&'s Host> {
    let comes =
        |host: &&Host| host.release == scope.release || (scope.release.is_some() && moves_to(class, host) == scope.release.as_ref());
    let mut hosts: Vec<&Host> = state.hosts_of(&scope.class).filter(comes).collect();
    hosts.sort_by_cached_key(|host| (!is_canary(class, host), Digest::of_parts([seed, host.id.as_str()])));
    // The values of the fact take turns: a host's place is the how-manieth of its value it is.
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let mut placed: Vec<(bool, usize, usize, &Host)> = Vec::with_capacity(hosts.len());
    for (drawn, host) in hosts.into_iter().enumerate() {
        let value = class.spread.as_ref().and_then(|fact| host.facts.get(fact)).map_or("", String::as_str);
        let turn = if class.spread.is_some() { seen.entry(value).or_default() } else { &mut 0 };
        placed.push((!is_canary(class, host), *turn, drawn, host));
        *turn += 1;
    }
    placed.sort_by_key(|(late, turn, drawn, _)| (*late, *turn, *drawn));
    placed.into_iter().map(|(_, _, _, host)| host).collect()
}

/// The release that a host is to come to and does not run yet.
pub(super) fn moves_to<'c>(class: &'c ClassPolicy, host: &Host) -> Option<&'c Release> {
    class.target.as_ref().filter(|target| host.release.as_ref().is_some_and(|own| own != *target))
}

fn is_canary(class: &ClassPolicy, host: &Host) -> bool {
    class.canaries.iter().any(|pattern| pattern.matches(host.id.as_str()))
}

/// How many hosts each wave reaches, counted from the first; rounded up, growing, the last is all.
fn sizes(waves: &[WaveSize], hosts: usize) -> Vec<u32> {
    let most = if hosts >= SMALL_CLASS as usize { hosts - PEERS_KEPT } else { hosts };
    let mut sizes: Vec<u32> = Vec::new();
    for wave in waves {
        let size = match wave {
            WaveSize::Hosts(count) => *count as usize,
            WaveSize::Percent(percent) => (hosts * *percent as usize).div_ceil(100),
        };
        let size = u32::try_from(size.clamp(1, most.max(1))).unwrap_or(u32::MAX);
        if sizes.last().is_none_or(|last| size > *last) {
            sizes.push(size);
        }
    }
    let all = u32::try_from(hosts.max(1)).unwrap_or(u32::MAX);
    if sizes.last() != Some(&all) {
        sizes.push(all);
    }
    sizes
}

/// The order in which no wave but the last has two hosts of one value of a fact: who would be the
/// second waits for the next wave, and a wave for which too few values are left is smaller. A host
/// without the fact stands for itself.
fn apart<'s>(order: Vec<&'s Host>, sizes: &[u32], fact: &str) -> (Vec<&'s Host>, Vec<u32>) {
    let (mut placed, mut waits, mut reaches): (Vec<&Host>, Vec<&Host>, Vec<u32>) = (Vec::new(), order, Vec::new());
    for size in &sizes[..sizes.len().saturating_sub(1)] {
        let (mut values, mut later) = (BTreeSet::new(), Vec::new());
        let before = placed.len();
        for host in waits {
            let room = placed.len() < *size as usize;
            if room && host.facts.get(fact).is_none_or(|value| values.insert(value)) {
                placed.push(host);
            } else {
                later.push(host);
            }
        }
        waits = later;
        if placed.len() > before {
            reaches.push(u32::try_from(placed.len()).unwrap_or(u32::MAX));
        }
    }
    if !waits.is_empty() || reaches.is_empty() {
        reaches.extend(sizes.last());
    }
    placed.extend(waits);
    (placed, reaches)
}

/// The hosts that the open ones of these waves reach.
pub(super) fn reached(waves: &Waves) -> BTreeSet<HostId> {
    waves.order.iter().take(waves.reach()).cloned().collect()
}

/// What becomes of an outcome while further waves wait. No wave opens past a rejection, and none
/// past a must-have signal that could not be seen.
pub(super) enum Then {
    /// It is the outcome of the whole.
    Concludes,
    /// The next wave opens.
    OpensNext,
    /// The wave has not come yet, or its class is closed: the trial goes on.
    Waits,
}

/// What becomes of an outcome of Belay's own.
pub(super) fn then(draft: &Draft<'_>, change: &Change, outcome: Outcome) -> Then {
    let Some(waves) = change.waves.as_ref().filter(|waves| !waves.is_last()) else { return Then::Concludes };
    let class = draft.state.policy.class(&change.class);
    let goes_on = match outcome {
        Outcome::Accepted => true,
        Outcome::Rejected => false,
        Outcome::Inconclusive(Gap::TooLittle | Gap::PeersSick | Gap::Confounded) => {
            class.on_inconclusive == OnInconclusive::Next && draft.now.since(waves.opened) >= class.bake.times(2)
        }
        Outcome::Inconclusive(_) => false,
    };
    let late = draft.now.since(waves.opened) >= class.horizon.times(PATIENCE_HORIZONS);
    match (goes_on, outcome, has_come(change, waves) || late) {
        (true, _, true) if closed::of_class(draft.state, &class, draft.now).is_some() => Then::Waits,
        (true, _, true) => Then::OpensNext,
        // It may still be too early to tell: more hosts of the wave are to come.
        (_, Outcome::Accepted | Outcome::Inconclusive(Gap::TooLittle), false) => Then::Waits,
        (_, _, _) => Then::Concludes,
    }
}

fn has_come(change: &Change, waves: &Waves) -> bool {
    lacking(change, waves) == 0
}

/// How many more of the hosts that the open waves reach have to get a Change before the last of them
/// counts as come.
pub(super) fn lacking(change: &Change, waves: &Waves) -> usize {
    lacks(waves, |host| change.treated.contains_key(host))
}

/// The same for whatever comes in waves.
pub(super) fn lacks(waves: &Waves, has: impl Fn(&HostId) -> bool) -> usize {
    let come = waves.order.iter().take(waves.reach()).filter(|host| has(host)).count();
    enough(waves.reach()).saturating_sub(come)
}

/// So many of so many hosts count as all of them: some are always away.
pub(super) const fn enough(hosts: usize) -> usize {
    (hosts * COME_PERCENT).div_ceil(100)
}

/// Opens the next wave.
pub(super) fn open_next(draft: &mut Draft<'_>, change: &Change) {
    let Some(waves) = &change.waves else { return };
    draft.push(Fact::WaveOpened { change: change.id, open: waves.open + 1 });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waves_grow_round_up_keep_peers_and_end_with_all() {
        use WaveSize::{Hosts, Percent};
        let usual = [Hosts(1), Percent(5), Percent(25), Percent(100)];
        assert_eq!(sizes(&usual, 100), [1, 5, 25, 97, 100]);
        assert_eq!(sizes(&usual, 30), [1, 2, 8, 27, 30]);
        assert_eq!(sizes(&usual, 3), [1, 3]);
        assert_eq!(sizes(&usual, 1), [1]);
        assert_eq!(sizes(&usual, 0), [1]);
        assert_eq!(sizes(&[Percent(50)], 10), [5, 10]);
    }
}

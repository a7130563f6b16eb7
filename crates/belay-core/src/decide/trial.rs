//! The trial of a Change as the judge sees it, drawn from the state: who is treated, who is
//! compared with, which signals, from when until when.

use std::collections::BTreeMap;

use super::intake::release_unknown;
use crate::model::change::{Change, Nearness, Overlaps, Peer, Treated, Trial};
use crate::model::host::Host;
use crate::model::ids::{ChangeId, Digest, HostId};
use crate::model::item::{Content, ItemKey, Mark};
use crate::model::policy::{ClassPolicy, SMALL_CLASS};
use crate::model::signal::Signal;
use crate::model::time::{Span, Timestamp};
use crate::model::verdict::{Judge, Outcome};
use crate::state::{Scope, State};

/// The most treated hosts whose signals are looked at; a larger wave is sampled.
pub const TREATED_MAX: usize = 200;
/// The most peers of each nearness whose signals are looked at.
pub const PEERS_MAX: usize = 50;
/// A look reads no more steps than these, except to the end of its trial: a wave may wait through a
/// long freeze, and looks must not grow with it.
const STEPS_MAX: i64 = 20_000;
/// Samples may come this much later than their step's end.
pub(super) const SETTLE_MAX: Span = Span::from_s(5);

/// A window that a look needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask {
    /// The signal.
    pub signal: Signal,
    /// Start of its first step.
    pub from: Timestamp,
    /// End of its last step; nothing later is complete yet.
    pub to: Timestamp,
    /// The hosts.
    pub hosts: Vec<HostId>,
}

/// The Changes worth a look at `now`: those on trial, and those that Belay rejected whose time is
/// not over yet. The latter keep their verdict; what more of their harm shows belongs into the
/// alert.
pub fn watched(state: &State, now: Timestamp) -> Vec<ChangeId> {
    let watched = |change: &&Change| change.open() || (rejected_by_belay(change) && now < ends_at(state, change));
    state.changes.values().filter(watched).map(|change| change.id).collect()
}

pub(super) fn rejected_by_belay(change: &Change) -> bool {
    change.verdict.as_ref().is_some_and(|verdict| verdict.outcome == Outcome::Rejected && verdict.by == Judge::Belay)
}

/// The trial of a Change that is open or was rejected by Belay; `None` when there is no such Change
/// or it ended otherwise.
pub fn trial_of(state: &State, id: ChangeId) -> Option<Trial> {
    let change = state.changes.get(&id).filter(|change| change.open() || rejected_by_belay(change))?;
    let class = state.policy.class(&change.class);
    let bounds = Bounds::of(change, &class);
    let class_size = state.census_of(&change.class).hosts;
    let treated = sample(id, change.treated.iter().map(|(host, treated)| (host.clone(), seen(state, change, host, treated))), TREATED_MAX);
    let peers = peers(state, change, &class, class_size);
    let signals: Vec<Signal> = state.policy.signals_of(&change.class).cloned().collect();
    let longest = signals.iter().map(|signal| signal.step).max().unwrap_or(Span::from_s(0));
    let past = change.began() - longest.times(i64::from(class.past_steps) + 1);
    let spoilt = super::spoilt::of(state, change, past, |host| treated.contains_key(host) || peers.contains_key(host));
    Some(Trial {
        change: id,
        release: change.release.clone(),
        treated,
        peers,
        signals,
        environment_due: change.release.as_ref().and_then(|release| class.environments.get(release)).cloned(),
        grace: class.grace,
        accept_from: bounds.accept_from,
        ends: bounds.ends,
        past_steps: class.past_steps,
        budget: Some(budget_of_a_wave(state, change)),
        caution: super::caution::of(state, &change.class),
        class_size,
        confounder: None,
        overlaps: overlaps(state, change, class.horizon),
        spoilt,
    })
}

/// The most a trial may spend of the fleet's budget of false rejections, however few trials there are.
pub const BUDGET_MAX: f64 = 0.02;
/// The least it is given, however many there are: less would blind it.
pub const BUDGET_MIN: f64 = 0.001;

/// What a Change may spend of the fleet's budget: an equal part for each Change of the span before it,
/// itself among them. What comes later does not alter it.
fn budget(state: &State, change: &Change) -> f64 {
    budget_at(state, change.opened, Some(change.id))
}

/// What each of its waves may spend: equal parts, so that the looks at all of them together spend no more than the Change may; but none
/// less than [`BUDGET_MIN`].
pub fn budget_of_a_wave(state: &State, change: &Change) -> f64 {
    let waves = change.waves.as_ref().map_or(1, |waves| waves.sizes.len().max(1));
    (budget(state, change) / waves as f64).max(BUDGET_MIN)
}

/// What a Change opened then may spend: a known one, or the next.
pub(super) fn budget_at(state: &State, opened: Timestamp, id: Option<ChangeId>) -> f64 {
    let budget = state.policy.false_rejections;
    let since = opened - budget.per;
    let near = |other: &&Change| other.opened > since && other.opened <= opened && id.is_none_or(|id| other.id <= id);
    let own = usize::from(id.is_none());
    let trials = (state.changes.values().filter(near).count() + own).max(1);
    (f64::from(budget.count) / trials as f64).clamp(BUDGET_MIN, BUDGET_MAX)
}

/// A treated host as its trial sees it: with the time at which it left the Change, if it did.
fn seen(state: &State, change: &Change, host: &HostId, treated: &Treated) -> Treated {
    let left = state.hosts.get(host).and_then(|host| left_at(state, change, host, treated));
    Treated { left, ..treated.clone() }
}

/// When a host ceased to carry any of a Change: all of its items that tools set were replaced by
/// other content. A host that only has the release, failed, or could not be compiled for never left.
fn left_at(state: &State, change: &Change, host: &Host, treated: &Treated) -> Option<Timestamp> {
    let stays = treated.compile_error.is_some() || !treated.failures.is_empty() || treated.run.is_none();
    let scope = Scope { class: change.class.clone(), release: change.release.clone() };
    let of_change = |mark: Option<Mark>| match mark {
        Some(Mark::OnTrial(id) | Mark::Accepted(id) | Mark::Rejected(id)) => id == change.id,
        Some(Mark::Adopted) | None => false,
    };
    let mut latest = None;
    for key in change.items.keys().filter(|key| key.can_be_left()) {
        let carried = host.items.get(key)?;
        if of_change(state.acceptance.mark(&scope, key, &carried.content)) || carried.at <= treated.onset {
            return None;
        }
        latest = latest.max(Some(carried.at));
    }
    latest.filter(|_| !stays)
}

/// Since when a treated host carries any part of a Change that it still carries, at the earliest. Its
/// onset moves to the latest part that came. When a release came is kept only until a run follows:
/// it was not before the Change that brought it was opened.
pub(super) fn first_part(state: &State, change: &Change, host: &Host) -> Option<Timestamp> {
    let treated = change.treated.get(&host.id)?;
    if treated.run.is_none() {
        return Some(treated.onset);
    }
    let scope = Scope { class: change.class.clone(), release: change.release.clone() };
    let on_trial = |key: &ItemKey, content: &Content| state.acceptance.mark(&scope, key, content) == Some(Mark::OnTrial(change.id));
    let parts = change.items.keys().filter_map(|key| host.items.get(key).filter(|carried| on_trial(key, &carried.content)));
    let by_run = parts.map(|carried| carried.at).min();
    let brought = change.brings_release() && host.release == change.release;
    let with_release = brought.then(|| release_came(state, change));
    by_run.into_iter().chain(with_release).min()
}

/// When the Change that brought a release was opened: this one, or the one whose place it took.
fn release_came(state: &State, change: &Change) -> Timestamp {
    let gave_way = |old: &&Change| old.verdict.as_ref().is_some_and(|verdict| verdict.by == Judge::Successor(change.id));
    let old = change.supersedes.and_then(|id| state.changes.get(&id)).filter(gave_way).filter(|old| old.brings_release());
    old.map_or(change.opened, |old| release_came(state, old))
}

/// When a trial ends: a horizon after the last host that came within a horizon of the first, or of
/// the last time that new items joined. Hosts that come later do not prolong it, or it would never end
/// on a large fleet; nor does it last longer than [`HORIZONS_MAX`] horizons, or it would never end where
/// every host brings content of its own. What came too late for its time is then not accepted.
struct Bounds {
    accept_from: Timestamp,
    ends: Timestamp,
}

/// The longest a trial may last, in horizons.
const HORIZONS_MAX: i64 = 6;

impl Bounds {
    fn of(change: &Change, class: &ClassPolicy) -> Self {
        let began = change.began();
        let in_time = change.renewed.max(began) + class.horizon;
        let believed = change.treated.values().filter(|treated| !treated.skewed);
        let onsets = believed.map(|treated| treated.onset).filter(|onset| *onset <= in_time);
        let last = onsets.max().unwrap_or(began);
        let opened = change.waves.as_ref().map_or(change.opened, |waves| waves.opened.max(change.opened));
        let latest = opened + class.horizon.times(HORIZONS_MAX);
        Self { accept_from: last + class.bake, ends: (last + class.horizon).min(latest) }
    }
}

/// From when on an open Change, or its wave, can be accepted.
pub fn accepts_from(state: &State, change: &Change) -> Timestamp {
    Bounds::of(change, &state.policy.class(&change.class)).accept_from
}

/// When the trial of an open Change ends by its horizon.
pub fn ends_at(state: &State, change: &Change) -> Timestamp {
    Bounds::of(change, &state.policy.class(&change.class)).ends
}

/// The windows a look at `now` needs. A step is complete a little after its end, because samples
/// travel.
pub fn asks(trial: &Trial, now: Timestamp) -> Vec<Ask> {
    if trial.treated.is_empty() {
        return Vec::new();
    }
    // A clock that cannot be believed must not make anybody read years of samples.
    let believed = trial.treated.values().filter(|treated| !treated.skewed).map(|treated| treated.onset);
    let began = believed.min().unwrap_or(trial.accept_from);
    let hosts: Vec<HostId> = trial.treated.keys().chain(trial.peers.keys()).cloned().collect();
    trial
        .signals
        .iter()
        .map(|signal| {
            let settle = Span::from_ms(signal.step.ms() / 2).min(SETTLE_MAX);
            let from = (began - signal.step.times(i64::from(trial.past_steps))).floor(signal.step);
            let most = (from + signal.step.times(STEPS_MAX)).max(trial.ends + signal.step);
            Ask { signal: signal.clone(), from, to: (now - settle).min(most).floor(signal.step), hosts: hosts.clone() }
        })
        .collect()
}

/// How often a trial is worth a look: once in the shortest step of its signals.
pub fn look_every(trial: &Trial) -> Span {
    trial.signals.iter().map(|signal| signal.step).min().unwrap_or(Span::from_s(15)).min(Span::from_min(1)).max(Span::from_s(1))
}

/// At most `most` of the hosts, drawn by a hash of Change and name: the same ones at every look,
/// and not always the ones whose names come first.
fn sample<T>(id: ChangeId, hosts: impl Iterator<Item = (HostId, T)>, most: usize) -> BTreeMap<HostId, T> {
    let mut all: Vec<(HostId, T)> = hosts.collect();
    if all.len() > most {
        let change = id.to_string();
        all.sort_by_cached_key(|(host, _)| Digest::of_parts([change.as_str(), host.as_str()]));
        all.truncate(most);
    }
    all.into_iter().collect()
}

fn peers(state: &State, change: &Change, class: &ClassPolicy, class_size: u32) -> BTreeMap<HostId, Peer> {
    let mut by_nearness: BTreeMap<Nearness, Vec<&Host>> = BTreeMap::new();
    for host in state.hosts_of(&change.class).filter(|host| can_be_peer(state, change, host)) {
        let same = host.release == change.release && !change.brings_release();
        let nearness = if same { Nearness::SameRelease } else { Nearness::OtherRelease };
        by_nearness.entry(nearness).or_default().push(host);
    }
    if class_size < SMALL_CLASS {
        let kin = class.kin.iter().flat_map(|kin| state.hosts_of(kin)).filter(|host| can_be_peer(state, change, host));
        by_nearness.entry(Nearness::Kin).or_default().extend(kin);
    }
    let since = change.began() - class.horizon;
    let recent = recent(state, change, since);
    let peer = |nearness: Nearness, host: &Host| Peer {
        nearness,
        until: changed_at(&recent, since, host),
        failing: host.failing.iter().cloned().collect(),
    };
    by_nearness
        .into_iter()
        .flat_map(|(nearness, hosts)| sample(change.id, hosts.into_iter().map(|host| (host.id.clone(), peer(nearness, host))), PEERS_MAX))
        .collect()
}

/// A host that was only just enrolled, or whose release is not known, is nobody's peer.
fn can_be_peer(state: &State, change: &Change, host: &Host) -> bool {
    !change.treated.contains_key(&host.id) && host.last_applied.is_some() && !release_unknown(state, host)
}

/// When a peer was itself treated by another Change, decided or not: from then on it is none. A
/// Change that came long before is part of its past.
fn changed_at(recent: &[&Change], since: Timestamp, host: &Host) -> Option<Timestamp> {
    let onsets = recent.iter().filter_map(|other| other.treated.get(&host.id)).map(|treated| treated.onset);
    onsets.filter(|onset| *onset >= since).min()
}

/// The other Changes that came within a horizon before this one, or since.
fn recent<'a>(state: &'a State, change: &Change, since: Timestamp) -> Vec<&'a Change> {
    let near = |other: &&Change| other.id != change.id && other.treated.values().any(|treated| treated.onset >= since);
    state.changes.values().filter(near).collect()
}

/// The other open Changes that came to the same hosts within a horizon: each may have done what is seen.
fn overlaps(state: &State, change: &Change, horizon: Span) -> Overlaps {
    let near = |(host, treated): (&HostId, &Treated)| {
        let own = change.treated.get(host)?;
        (own.onset.since(treated.onset).abs() <= horizon).then(|| (host.clone(), treated.onset))
    };
    let came = |other: &Change| other.treated.iter().filter_map(near).collect::<BTreeMap<HostId, Timestamp>>();
    let others = state.open_changes().filter(|other| other.id != change.id).map(|other| (other.id, came(other)));
    Overlaps(others.filter(|(_, hosts)| !hosts.is_empty()).collect())
}

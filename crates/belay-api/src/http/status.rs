//! The whole at one glance.

use std::collections::BTreeMap;

use belay_core::decide::host_policy;
use belay_core::explain::{feed, gate};
use belay_core::model::closed::Freeze;
use belay_core::model::ids::{ClassName, HostId, Release};
use belay_core::model::policy::ClassPolicy;
use belay_core::model::time::{Span, Timestamp};
use belay_core::model::verdict::Outcome;
use belay_core::state::{State, Would};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::change::ChangeRow;
use super::hold::HoldRow;
use super::{count, printed};

/// How long a rejected Change is shown at a glance.
const RECENT: Span = Span::from_s(86_400);
/// A freeze is told of so long before it begins.
const SOON: Span = Span::from_s(7 * 86_400);

/// The whole at one glance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StatusView {
    /// Version of Belay.
    pub version: String,
    /// When the server started.
    pub started: String,
    /// When this was made.
    pub at: String,
    /// What is configured.
    pub policy: PolicyCount,
    /// All hosts.
    pub hosts: u32,
    /// Hosts whose last report could not be taken.
    pub hosts_in_trouble: u32,
    /// Classes that are declared or have hosts.
    pub classes: Vec<ClassCount>,
    /// Changes whose trial is running, oldest first.
    pub open_changes: Vec<ChangeRow>,
    /// Changes rejected within the last 24 hours, oldest first.
    pub rejected_24h: Vec<ChangeRow>,
    /// Holds that stand, oldest first.
    pub holds: Vec<HoldRow>,
    /// What stands in the way of the tool, in words: stale hosts, Belay itself, closed times and those
    /// that come.
    pub catch: Vec<String>,
    /// Roads by which servers of tools bring what they have to tell, in words; those that are silent first.
    #[serde(default)]
    pub feeds: Vec<String>,
    /// Effects that were given up.
    pub dead_letters: u32,
    /// Bytes put aside because they could not be taken; put in by whoever serves this.
    pub quarantined: u64,
    /// The store of signals; put in by whoever serves this.
    pub signals: Option<StoreView>,
    /// Sources of signals; put in by whoever serves this.
    pub sources: Vec<SourceView>,
}

/// What is configured, counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyCount {
    /// Declared classes.
    pub classes: u32,
    /// Declared signals.
    pub signals: u32,
    /// Those of them that acceptance needs.
    pub must_have: u32,
    /// Places alerts go to.
    pub alerts: u32,
}

/// A class, counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClassCount {
    /// Its name.
    pub name: String,
    /// Its hosts.
    pub hosts: u32,
    /// Its hosts by release; those without one last.
    pub releases: Vec<ReleaseCount>,
    /// Its signals.
    pub signals: u32,
    /// How far the gate goes: `off`, `release-match`, `rejected` or `waves`.
    pub enforce: String,
    /// What a stricter level would have refused, in words; `null` where nothing.
    pub would_have_refused: Option<String>,
}

/// Hosts of one release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReleaseCount {
    /// The release; `null` for hosts without one.
    pub release: Option<String>,
    /// The hosts that run it.
    pub hosts: u32,
}

/// The store of signals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StoreView {
    /// Series it knows.
    pub series: u64,
    /// Samples it holds.
    pub samples: u64,
    /// Bytes it takes on disk.
    pub bytes: u64,
    /// Its oldest sample.
    pub oldest: Option<String>,
    /// Its newest sample.
    pub newest: Option<String>,
}

/// A source of signals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SourceView {
    /// Its name.
    pub name: String,
    /// It has sent something lately.
    pub ok: bool,
    /// When it last sent samples.
    pub last: Option<String>,
    /// Series it sends.
    pub series: u64,
    /// Samples taken from it since the start.
    pub samples: u64,
    /// Samples refused since the start.
    pub refused: u64,
    /// What is wrong with it, in plain words.
    pub text: Option<String>,
}

impl StatusView {
    /// The view of a state at `now`. What the state does not know is put in by whoever serves it.
    pub fn of(now: Timestamp, state: &State, version: &str, started: Timestamp) -> Self {
        let rejected = state.changes.values().filter(|change| {
            change.verdict.as_ref().is_some_and(|verdict| verdict.outcome == Outcome::Rejected && now.since(verdict.at) <= RECENT)
        });
        Self {
            version: version.to_owned(),
            started: started.to_string(),
            at: now.to_string(),
            policy: PolicyCount::of(state),
            hosts: count(state.hosts.len()),
            hosts_in_trouble: count(state.hosts.values().filter(|host| host.trouble.is_some()).count()),
            classes: classes(state, now),
            open_changes: ChangeRow::all(state, state.open_changes()),
            rejected_24h: ChangeRow::all(state, rejected),
            holds: state.holds.values().filter(|hold| hold.stands()).map(|hold| HoldRow::of(state, hold, now)).collect(),
            catch: catch(state, now),
            feeds: feeds(state, now),
            dead_letters: count(state.effects.values().filter(|effect| effect.dead).count()),
            quarantined: 0,
            signals: None,
            sources: Vec::new(),
        }
    }
}

impl PolicyCount {
    fn of(state: &State) -> Self {
        let policy = &state.policy;
        Self {
            classes: count(policy.classes.len()),
            signals: count(policy.signals.len()),
            must_have: count(policy.signals.iter().filter(|signal| signal.must_have).count()),
            alerts: count(policy.receivers.len()),
        }
    }
}

fn feeds(state: &State, now: Timestamp) -> Vec<String> {
    let (silent, heard): (Vec<_>, Vec<_>) = state.feeds.values().partition(|feed| feed.silent.is_some());
    silent.into_iter().chain(heard).map(|feed_of| feed::line(state, feed_of, now)).collect()
}

fn catch(state: &State, now: Timestamp) -> Vec<String> {
    let stale = |(class, hosts): (&ClassName, &std::collections::BTreeSet<HostId>)| {
        format!("nothing was applied for too long on {} hosts of class {class}", hosts.len())
    };
    let mut lines: Vec<String> = state.stale.iter().map(stale).collect();
    let foreign = |(class, hosts): (&ClassName, &std::collections::BTreeSet<HostId>)| {
        format!("somebody's own lock has stood for long on {} hosts of class {class}", hosts.len())
    };
    lines.extend(state.foreign.iter().map(foreign));
    lines.extend(state.breaker.map(|breaker| {
        format!("Belay itself is stopping configuration management: {} of {} hosts that asked were refused", breaker.refused, breaker.asked)
    }));
    lines.extend(state.feeds.values().filter(|one| one.silent.is_some()).map(|one| feed::line(state, one, now)));
    let closed = |class: &ClassPolicy| {
        host_policy::closed_now(state, class, now).map(|closed| format!("class {}: {}", class.name, gate::closed(&closed)))
    };
    lines.extend(state.policy.classes.iter().filter_map(closed));
    lines.extend(state.policy.freezes.iter().filter(|freeze| freeze.from > now && freeze.from.since(now) <= SOON).map(coming));
    lines
}

/// A freeze that begins soon.
fn coming(freeze: &Freeze) -> String {
    let classes: Vec<&str> = freeze.classes.iter().map(ClassName::as_str).collect();
    let whom = if classes.is_empty() { "every class that keeps waves".to_owned() } else { classes.join(", ") };
    format!("from {} until {} nothing new comes to {whom}: a freeze, {}", freeze.from, freeze.until, freeze.reason)
}

fn would(would: &Would, now: Timestamp) -> String {
    let (mismatch, rejected, since) = (would.release_match, would.rejected, now.since(would.since));
    format!("in {since} {mismatch} runs went that release-match would have refused, {rejected} that rejected would have")
}

fn classes(state: &State, now: Timestamp) -> Vec<ClassCount> {
    let mut hosts: BTreeMap<&ClassName, BTreeMap<Option<&Release>, u32>> = BTreeMap::new();
    for class in &state.policy.classes {
        hosts.entry(&class.name).or_default();
    }
    for host in state.hosts.values() {
        *hosts.entry(&host.class).or_default().entry(host.release.as_ref()).or_default() += 1;
    }
    let class = |(name, releases): (&ClassName, BTreeMap<Option<&Release>, u32>)| {
        let (without, with): (Vec<_>, Vec<_>) = releases.iter().partition(|(release, _)| release.is_none());
        let counted = with.into_iter().chain(without).map(|(release, hosts)| ReleaseCount { release: printed(*release), hosts: *hosts });
        ClassCount {
            name: name.to_string(),
            hosts: releases.values().sum(),
            releases: counted.collect(),
            signals: count(state.policy.signals_of(name).count()),
            enforce: state.policy.class(name).enforce.word().to_owned(),
            would_have_refused: state.would.get(name).map(|counted| would(counted, now)),
        }
    };
    hosts.into_iter().map(class).collect()
}

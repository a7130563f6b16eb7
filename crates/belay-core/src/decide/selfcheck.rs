//! Drawing the trials of a self-check: hosts of a class as if they had changed at some time of the stored past, beside others as their
//! peers. Nothing happened then, so whatever the judge finds of it is false.
//!
//! Times are drawn apart from one another as long as there is room: what strikes all trials of one hour is one event and not two hundred.

use std::collections::{BTreeMap, BTreeSet};

use belay_stats::Rng;

use super::intake::release_unknown;
use super::trial::{PEERS_MAX, SETTLE_MAX, TREATED_MAX, budget_at};
use crate::judge::relive::Relived;
use crate::model::change::{Nearness, Overlaps, Peer, Spoilt, Treated, Trial};
use crate::model::host::Host;
use crate::model::hours::Zone;
use crate::model::ids::{ChangeId, ClassName, Digest, HostId, Release, SignalName};
use crate::model::policy::{ClassPolicy, SMALL_CLASS};
use crate::model::selfcheck::{Cautions, SignalCheck};
use crate::model::signal::Signal;
use crate::model::time::{Span, Timestamp};
use crate::state::{CHANGES_KEPT, Lead, State};

/// Trials that are drawn for a class, at most.
pub const TRIALS_MAX: u32 = 200;
/// The longest time over which the hosts of a trial change, in steps: tools run on hosts at times of their own.
const SPLAY_STEPS: i64 = 10;
/// Classes are checked at three at night by their own clock, when the least comes to them ...
const NIGHT: Span = Span::from_min(3 * 60);
/// ... spread over so long, for all of them must not begin at once.
const SPREAD: Span = Span::from_min(2 * 60);
const DAY: Span = Span::from_min(24 * 60);

/// The trials of a self-check.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawn {
    /// What they were drawn by.
    pub seed: u64,
    /// The trials, as the judge takes them.
    pub trials: Vec<Trial>,
    /// Stretches of time apart from one another that they lie in.
    pub apart: u32,
}

/// What the judge said of them, counted.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Tally {
    /// What they were drawn by.
    pub seed: u64,
    /// Why there were none.
    pub skipped: Option<String>,
    /// Trials that were drawn.
    pub drawn: u32,
    /// Stretches of time apart from one another that they lie in.
    pub apart: u32,
    /// Trials in which at least one signal could be judged.
    pub judged: u32,
    /// Trials that ended rejected.
    pub rejected: u32,
    /// Each signal; shares and cautions are not known yet.
    pub signals: BTreeMap<SignalName, SignalCheck>,
}

impl Tally {
    /// The tally of trials of which none was judged yet.
    pub fn of(drawn: &Drawn) -> Self {
        let count = u32::try_from(drawn.trials.len()).unwrap_or(u32::MAX);
        Self { seed: drawn.seed, drawn: count, apart: drawn.apart, ..Self::default() }
    }

    /// The tally of a class that had no trials, and why.
    pub fn skipped(seed: u64, why: String) -> Self {
        Self { seed, skipped: Some(why), ..Self::default() }
    }

    /// Counts what became of one trial.
    pub fn take(&mut self, relived: &Relived) {
        self.judged += u32::from(relived.judged());
        self.rejected += u32::from(relived.rejected);
        for (name, said) in &relived.signals {
            let signal = self.signals.entry(name.clone()).or_default();
            signal.judged += u32::from(said.judged);
            signal.alarms += u32::from(said.harm);
            signal.compared += u32::from(said.compared);
            signal.suspicions += u32::from(said.suspected && !said.harm);
        }
    }
}

/// The classes whose self-check is due: since the last one (or since their first host came) it was night by their own clock.
pub fn due(state: &State, now: Timestamp) -> Vec<ClassName> {
    if state.lead != Lead::Leads {
        return Vec::new();
    }
    let last = |class: &ClassName| state.selfchecks.get(class).map(|check| check.at).or(state.census_of(class).since);
    let due = |class: &&ClassName| last(class).is_some_and(|last| last < night(state, class, now));
    classes(state).into_iter().filter(|class| due(&class)).collect()
}

/// The classes that can be checked: those with hosts and signals.
pub fn classes(state: &State) -> Vec<ClassName> {
    state.census.keys().filter(|class| state.policy.signals_of(class).next().is_some()).cloned().collect()
}

/// The last time, now or before, at which it was the class's turn at night.
fn night(state: &State, class: &ClassName, now: Timestamp) -> Timestamp {
    let zone = state.policy.class(class).hours.map_or_else(Zone::utc, |hours| (*hours.zone).clone());
    let late = Span::from_ms(i64::from(Digest::of(class.as_str().as_bytes()).0[0]) * SPREAD.ms() / 256);
    let midnight = zone.wall(now).floor(DAY);
    let turn = |day: i64| zone.first_at(midnight + DAY.times(day) + NIGHT) + late;
    if turn(0) <= now { turn(0) } else { turn(-1) }
}

/// What trials of a class are drawn from, taken out of the state: drawing may take its time, and nobody must wait for it.
#[derive(Clone, Debug)]
pub struct Pool {
    class: ClassPolicy,
    signals: Vec<Signal>,
    hosts: Vec<Candidate>,
    class_size: u32,
    budget: f64,
    caution: Cautions,
    /// Nothing is known of what Changes did before.
    known: Option<Timestamp>,
    /// The longest step of its signals.
    step: Span,
}

/// A host that may be a peer by today's rules: of the class, or of kin where the class is small.
#[derive(Clone, Debug)]
struct Candidate {
    id: HostId,
    own: bool,
    release: Option<Release>,
    since: Timestamp,
    /// When Changes came to it.
    onsets: Vec<Timestamp>,
}

impl Pool {
    /// What there is to draw from.
    ///
    /// # Errors
    /// Why there is nothing, in plain words.
    pub fn of(state: &State, class: &ClassName, now: Timestamp) -> Result<Self, String> {
        let policy = state.policy.class(class);
        let signals: Vec<Signal> = state.policy.signals_of(class).cloned().collect();
        let Some(step) = signals.iter().map(|signal| signal.step).max() else { return Err("no signal is declared for it".to_owned()) };
        let class_size = state.census_of(class).hosts;
        let near = |host: &&Host| host.class == *class || class_size < SMALL_CLASS && policy.kin.contains(&host.class);
        let hosts = state.hosts.values().filter(near).filter(|host| fit(state, host)).map(|host| Candidate::of(state, host, class));
        let hosts: Vec<Candidate> = hosts.collect();
        if !hosts.iter().any(|host| host.own) {
            return Err("none of its hosts can be compared yet: a configuration was applied to none whose release is known".to_owned());
        }
        // Older Changes than those in memory are not known, so nobody can say that nothing happened before them.
        let known = state.changes.values().next().filter(|_| state.changes.len() >= CHANGES_KEPT).map(|change| change.opened);
        let (budget, caution) = (budget_at(state, now, None), super::caution::of(state, class));
        Ok(Self { class: policy, signals, hosts, class_size, budget, caution, known, step })
    }

    /// The signals of the class.
    pub fn signals(&self) -> &[Signal] {
        &self.signals
    }

    /// Draws up to `most` trials, of signals that are stored since `stored`. The same arguments draw the same.
    ///
    /// # Errors
    /// Why none can be drawn, in plain words.
    pub fn draw(&self, stored: Timestamp, now: Timestamp, seed: u64, most: u32) -> Result<Drawn, String> {
        let since = self.known.unwrap_or_default().max(stored).max(self.enrolled());
        let (first, last) = (since + self.before(), now - self.after());
        if last < first {
            return Err(format!("its past reaches back {}, and a trial needs {}", now.since(since), self.before() + self.after()));
        }
        let mut rng = Rng::new(seed);
        let (room, length) = (last.since(first).ms(), self.after().ms());
        let phase = i64::try_from(rng.below((room % length).unsigned_abs() + 1)).unwrap_or(0);
        let mut order: Vec<i64> = (0..=room / length).collect();
        rng.shuffle(&mut order);
        let most = most as usize;
        let (mut trials, mut used) = (Vec::new(), BTreeSet::new());
        // Every stretch has its turn before one has its second; at some of them too few hosts were left alone.
        for slot in order.iter().cycle().take(order.len() + most) {
            let trial = self.trial(first + Span::from_ms(phase + slot * length), &mut rng);
            used.extend(trial.iter().map(|_| *slot));
            trials.extend(trial);
            if trials.len() >= most {
                break;
            }
        }
        if trials.is_empty() {
            return Err("at no time of its past was there a host without a Change".to_owned());
        }
        Ok(Drawn { seed, trials, apart: u32::try_from(used.len()).unwrap_or(u32::MAX) })
    }

    /// How long before its first change a trial reads.
    fn before(&self) -> Span {
        self.step.times(i64::from(self.class.past_steps) + 1)
    }

    /// How long after it a trial may last, and is read.
    fn after(&self) -> Span {
        self.step.times(SPLAY_STEPS + 2) + self.class.horizon + SETTLE_MAX
    }

    /// Since when any of its hosts is known: what came to a host before that nobody told.
    fn enrolled(&self) -> Timestamp {
        self.hosts.iter().filter(|host| host.own).map(|host| host.since).min().unwrap_or_default()
    }

    /// A trial whose first host changes at `at`; `None` where too few hosts were left alone then.
    fn trial(&self, at: Timestamp, rng: &mut Rng) -> Option<Trial> {
        let (from, to) = (at - self.before(), at + self.after());
        let mut calm: Vec<&Candidate> = self.hosts.iter().filter(|host| host.calm(from, to)).collect();
        rng.shuffle(&mut calm);
        // The first of a shuffled list is drawn at random, and its release with it.
        let release = &calm.iter().find(|host| host.own)?.release;
        let (alike, others): (Vec<&Candidate>, Vec<&Candidate>) = calm.iter().partition(|host| host.own && host.release == *release);
        let quarter = (alike.len() / 4).clamp(1, TREATED_MAX);
        let (changed, rest) = alike.split_at((1 + index(rng, quarter)).min(alike.len()));
        let treated = self.treated(changed, at, rng);
        let last = treated.values().map(|treated| treated.onset).max()?;
        Some(Trial {
            change: ChangeId(0),
            release: release.clone(),
            treated,
            peers: peers(rest, &others),
            signals: self.signals.clone(),
            environment_due: None,
            grace: self.class.grace,
            accept_from: last + self.class.bake,
            ends: last + self.class.horizon,
            past_steps: self.class.past_steps,
            budget: Some(self.budget),
            caution: self.caution.clone(),
            class_size: self.class_size,
            confounder: None,
            overlaps: Overlaps::default(),
            spoilt: Spoilt::default(),
        })
    }

    /// The first changes at `at`, the others as their tool's turn comes.
    fn treated(&self, hosts: &[&Candidate], at: Timestamp, rng: &mut Rng) -> BTreeMap<HostId, Treated> {
        let splay = 1 + rng.below(self.step.times(SPLAY_STEPS).ms().unsigned_abs());
        let later = |rng: &mut Rng| at + Span::from_ms(i64::try_from(rng.below(splay)).unwrap_or(0));
        let onset = |first: bool, rng: &mut Rng| if first { at } else { later(rng) };
        hosts.iter().enumerate().map(|(place, host)| (host.id.clone(), changed(onset(place == 0, rng)))).collect()
    }
}

impl Candidate {
    fn of(state: &State, host: &Host, class: &ClassName) -> Self {
        let onsets = state.changes.values().filter_map(|change| change.treated.get(&host.id)).map(|treated| treated.onset);
        Self { id: host.id.clone(), own: host.class == *class, release: host.release.clone(), since: host.since, onsets: onsets.collect() }
    }

    /// Whether it was known all that time, and no Change came to it.
    fn calm(&self, from: Timestamp, to: Timestamp) -> bool {
        self.since <= from && !self.onsets.iter().any(|onset| *onset >= from && *onset <= to)
    }
}

fn changed(onset: Timestamp) -> Treated {
    Treated { onset, run: None, skewed: false, environment: None, failures: BTreeMap::new(), compile_error: None, left: None }
}

fn peers(alike: &[&Candidate], others: &[&Candidate]) -> BTreeMap<HostId, Peer> {
    let peer = |nearness| move |host: &&Candidate| (host.id.clone(), Peer { nearness, until: None, failing: Vec::new() });
    let near = alike.iter().take(PEERS_MAX).map(peer(Nearness::SameRelease));
    let far = others.iter().filter(|host| host.own).take(PEERS_MAX).map(peer(Nearness::OtherRelease));
    near.chain(far).chain(others.iter().filter(|host| !host.own).take(PEERS_MAX).map(peer(Nearness::Kin))).collect()
}

/// A host that may be a peer today.
fn fit(state: &State, host: &Host) -> bool {
    host.last_applied.is_some() && !release_unknown(state, host)
}

fn index(rng: &mut Rng, of: usize) -> usize {
    usize::try_from(rng.below(of as u64)).unwrap_or(0)
}

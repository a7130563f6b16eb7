//! Changes: new content, or a new release, arriving at a class; and the trial of it.

use std::collections::BTreeMap;

use super::ids::{ChangeId, ClassName, Digest, Environment, HostId, Release, RunId};
use super::item::{ENVIRONMENT_KIND, ItemKey, Items, RELEASE_KIND};
use super::log::LogEvidence;
use super::report::Version;
use super::selfcheck::Cautions;
use super::signal::Signal;
use super::time::{Span, Timestamp};
use super::verdict::{Look, Standing, Verdict};

/// A Change with the trial of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Its number, the operator's handle.
    pub id: ChangeId,
    /// The class it came to.
    pub class: ClassName,
    /// The release of the hosts it came to.
    pub release: Option<Release>,
    /// Provenance of its content.
    pub version: Version,
    /// The environment its hosts got.
    pub environment: Option<Environment>,
    /// Its items: what is new, for this class and release.
    pub items: Items,
    /// Text of each item for people: old and new, as the first report said.
    pub words: BTreeMap<ItemKey, ItemWords>,
    /// When it was opened, server time.
    pub opened: Timestamp,
    /// When items last joined it: what came then needs as much time as what came first.
    pub renewed: Timestamp,
    /// The hosts that got it.
    pub treated: BTreeMap<HostId, Treated>,
    /// Where its trial stands.
    pub standing: Standing,
    /// The last look that changed something.
    pub look: Option<Look>,
    /// The verdict, once there is one. A later one (a person's) replaces it.
    pub verdict: Option<Verdict>,
    /// Hosts that got it after it was rejected.
    pub after_rejection: u32,
    /// The Change whose place it took, if any.
    pub supersedes: Option<ChangeId>,
    /// The waves it comes in, where its class keeps waves.
    pub waves: Option<Waves>,
    /// What its hosts wrote to their logs since, by declared patterns.
    pub logs: LogEvidence,
}

/// The waves of a Change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waves {
    /// The hosts in the order in which it may come to them, as it was drawn.
    pub order: Vec<HostId>,
    /// How many of them each wave reaches, counted from the first.
    pub sizes: Vec<u32>,
    /// How many waves are open.
    pub open: u32,
    /// When the last of them was opened.
    pub opened: Timestamp,
}

impl Waves {
    /// How many hosts the open waves reach.
    pub fn reach(&self) -> usize {
        let last = (self.open as usize).saturating_sub(1);
        self.sizes.get(last).or(self.sizes.last()).map_or(0, |size| *size as usize)
    }

    /// How many hosts the next wave will reach; none where all waves are open.
    pub fn next_reach(&self) -> Option<usize> {
        self.sizes.get(self.open as usize).map(|size| *size as usize)
    }

    /// In words: `wave 2 of 4, 5 of 20 hosts may get it`.
    pub fn words(&self) -> String {
        format!("wave {} of {}, {} of {} hosts may get it", self.open, self.sizes.len(), self.reach(), self.order.len())
    }

    /// Whether all of them are open.
    pub fn is_last(&self) -> bool {
        self.open as usize >= self.sizes.len()
    }
}

/// An item for people.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ItemWords {
    /// What was there, shortened.
    pub old: String,
    /// What came, shortened.
    pub new: String,
}

/// A host that got a Change.
#[derive(Clone, Debug, PartialEq)]
pub struct Treated {
    /// When it changed, server time.
    pub onset: Timestamp,
    /// The run that brought it; none when the host said that its release changed.
    pub run: Option<RunId>,
    /// Its clock or its report's lateness forbid tight comparisons.
    pub skewed: bool,
    /// The environment it got.
    pub environment: Option<Environment>,
    /// Resources that fail on it and did not before, with how often and the first message.
    pub failures: BTreeMap<String, Failure>,
    /// The error for which no configuration could be made, if so.
    pub compile_error: Option<String>,
    /// When it ceased to carry any of the Change: what it shows from then on is no evidence of the Change any more. A trial asks as well
    /// what else the Change did to it.
    pub left: Option<Timestamp>,
}

/// A resource that fails on a treated host and did not before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Runs in which it failed.
    pub times: u32,
    /// The first message.
    pub message: String,
}

/// What a trial is about, as the judge sees it: everything but the signals' values.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// The Change on trial.
    pub change: ChangeId,
    /// The release of its hosts.
    pub release: Option<Release>,
    /// The hosts that changed.
    pub treated: BTreeMap<HostId, Treated>,
    /// The hosts compared with.
    pub peers: BTreeMap<HostId, Peer>,
    /// The signals of the class.
    pub signals: Vec<Signal>,
    /// The environment that the release needs, where one is declared.
    pub environment_due: Option<Environment>,
    /// After a host changed, how long a restart is expected and nothing counts.
    pub grace: Span,
    /// The earliest time at which it may be accepted.
    pub accept_from: Timestamp,
    /// The time at which it ends.
    pub ends: Timestamp,
    /// How many values of the own past are compared with, at most.
    pub past_steps: u32,
    /// The chance that it ends rejected though the Change is good, as the fleet's budget gives it to
    /// each; the usual one where nothing is said.
    pub budget: Option<f64>,
    /// Signals whose thresholds are wider, because self-checks found them raising false alarms.
    pub caution: Cautions,
    /// Hosts of the class at present.
    pub class_size: u32,
    /// Another Change that touched the same hosts in the same time, as trials of older records say it.
    pub confounder: Option<ChangeId>,
    /// The other open Changes that came to the same hosts in the same time.
    pub overlaps: Overlaps,
    /// When its hosts and peers carried Changes that were rejected, and do no longer: no usual past.
    pub spoilt: Spoilt,
}

/// When hosts carried Changes that were rejected: those that ended before the trial.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spoilt(pub BTreeMap<HostId, Vec<Stay>>);

/// The time for which a host carried a Change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stay {
    /// The Change.
    pub change: ChangeId,
    /// When the host got it.
    pub from: Timestamp,
    /// When something else took its place.
    pub to: Timestamp,
}

/// The other Changes that came to hosts of a trial, with when they came to each of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overlaps(pub BTreeMap<ChangeId, BTreeMap<HostId, Timestamp>>);

/// A host compared with.
#[derive(Clone, Debug, PartialEq)]
pub struct Peer {
    /// How near it is.
    pub nearness: Nearness,
    /// When it changed itself and ceased to be one.
    pub until: Option<Timestamp>,
    /// Resources that fail on it.
    pub failing: Vec<String>,
}

/// How near a peer is to the treated hosts. Nearer ones are preferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Nearness {
    /// Same class, same release.
    SameRelease,
    /// Same class, another release.
    OtherRelease,
    /// A kin class, because the own one is small.
    Kin,
}

impl Change {
    /// Whether its trial is still running.
    pub fn open(&self) -> bool {
        self.verdict.is_none()
    }

    /// A short mark of the evidence as it stands: another verdict or another finding gives another
    /// mark; more hosts or more of the same data do not. Who decides says by it what was seen.
    pub fn evidence_mark(&self) -> String {
        let findings = match (&self.verdict, &self.look) {
            (Some(verdict), _) => &verdict.findings[..],
            (None, Some(look)) => &look.findings[..],
            (None, None) => &[],
        };
        let mut parts =
            vec![self.standing.word().to_owned(), self.verdict.as_ref().map_or(String::new(), |verdict| verdict.at.to_string())];
        parts.extend(findings.iter().map(|finding| format!("{} {}", finding.code(), finding.says.word())));
        Digest::of_parts(parts.iter().map(String::as_str)).to_string()[..8].to_owned()
    }

    /// Whether it is the arrival of a release.
    pub fn brings_release(&self) -> bool {
        self.items.keys().any(|key| &*key.kind == RELEASE_KIND)
    }

    /// Whether hosts got another environment.
    pub fn switches_environment(&self) -> bool {
        self.items.keys().any(|key| &*key.kind == ENVIRONMENT_KIND)
    }

    /// Its items without those that only stand for something (release, environment, ...).
    pub fn content(&self) -> impl Iterator<Item = (&ItemKey, &super::item::Content)> {
        self.items.iter().filter(|(key, _)| !key.stands_for_something())
    }

    /// When its first host changed, by clocks that can be believed; when it was opened, where there
    /// is none.
    pub fn began(&self) -> Timestamp {
        self.treated.values().filter(|host| !host.skewed).map(|host| host.onset).min().unwrap_or(self.opened)
    }
}

/// The item that stands for the release a host runs.
pub fn release_item() -> ItemKey {
    ItemKey::new(RELEASE_KIND, "host", "name")
}

/// The content that stands for a release.
pub fn release_content(release: &Release) -> Digest {
    Digest::of_parts(["release", release.as_str()])
}

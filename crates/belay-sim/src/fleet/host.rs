//! One simulated host: what lies on it, what its agent does, and what is wrong with it.

use std::collections::BTreeMap;

use belay_adapters::tools::puppet::write::uuid_of;
use belay_core::model::ids::{ClassName, Digest, Environment, HostId, Release};
use belay_core::model::item::ItemKey;
use belay_core::model::time::{Span, Timestamp};

use super::branch::{Branches, Contents, resource_of};
use super::condition::Timeline;
use crate::testimony::{Deed, Done, Ending, Testimony};

/// How long a run takes, where nobody says otherwise.
const TOOK: Span = Span::from_s(10);

/// A simulated host.
#[derive(Clone, Debug)]
pub struct SimHost {
    /// Its name.
    pub id: HostId,
    /// The class it was made for; the policy under test has to come to the same by its patterns.
    pub class: ClassName,
    /// The release it runs.
    pub release: Option<Release>,
    /// The environment its agent asks for when nobody says otherwise.
    pub environment: Environment,
    /// What lies on it.
    pub disk: Contents,
    /// Its schedule.
    pub cron: Cron,
    /// What is wrong with it.
    pub faults: Faults,
    /// How its application fared, and how well it was heard.
    pub timeline: Timeline,
    /// How long a run takes.
    pub took: Span,
    own_number: u64,
    runs: u64,
    kept: Option<(Environment, Option<String>, Contents)>,
}

/// A host's schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cron {
    /// Time from run to run; none while it is switched off.
    pub every: Option<Span>,
    /// Counts the times it was switched, so that a former schedule is known to be over.
    pub turn: u32,
}

/// What is wrong with a host, until it is switched off again.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Nothing at all comes from it.
    pub gone: bool,
    /// Its clock is ahead by this much; behind, where negative.
    pub skew: Span,
    /// Its reports travel this much longer.
    pub late: Span,
    /// Its reports wait on the host until this is switched off.
    pub spooling: bool,
    /// Each report comes this many times more.
    pub copies: u32,
    /// Resources that fail on it, with the error.
    pub failing: BTreeMap<String, String>,
    /// Where no configuration can be made, it applies the one it kept.
    pub keeps_catalog: bool,
    /// It only rehearses.
    pub noop: bool,
}

/// What a run is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// The environment to ask for, in place of the host's own.
    pub environment: Option<Environment>,
    /// Only rehearse.
    pub noop: bool,
}

impl SimHost {
    /// A host on which nothing lies yet.
    pub fn new(id: HostId, class: ClassName, release: Option<Release>, environment: Environment) -> Self {
        let number = Digest::of(id.as_str().as_bytes()).0[..8].try_into().expect("eight bytes of sixteen");
        Self {
            own_number: u64::from_le_bytes(number),
            id,
            class,
            release,
            environment,
            disk: Contents::new(),
            cron: Cron { every: None, turn: 0 },
            faults: Faults::default(),
            timeline: Timeline::default(),
            took: TOOK,
            runs: 0,
            kept: None,
        }
    }

    /// A number that is the host's own, for everything that must differ from host to host.
    pub fn own_number(&self) -> u64 {
        self.own_number
    }

    /// When the host's agent sets things in a run that starts at `now`: after four fifths of it, as
    /// the written report says.
    pub fn deed_at(&self, now: Timestamp) -> Timestamp {
        now + Span::from_ms(self.took.ms() * 4 / 5)
    }

    /// Runs the tool: what lies on the host changes, and the testimony comes back.
    pub fn run(&mut self, branches: &Branches, order: &Order, now: Timestamp) -> Testimony {
        self.runs += 1;
        let environment = order.environment.clone().unwrap_or_else(|| self.environment.clone());
        let noop = order.noop || self.faults.noop;
        let (version, offer) = match branches.get(&environment) {
            Some(branch) => (branch.version.clone(), branch.offer(&self.class)),
            None => (None, Err(format!("Could not find a directory environment named '{environment}'"))),
        };
        let (environment, version, ending, contents) = match offer {
            Ok(contents) if noop => (environment, version, Ending::Rehearsed, contents),
            Ok(contents) => (environment, version, Ending::Applied, contents),
            Err(error) => self.without_offer(environment, error),
        };
        let started = now + self.faults.skew;
        let deeds = self.deeds(&contents, &ending, started);
        self.disk.extend(deeds.iter().filter(|deed| deed.done == Done::Applied).map(|deed| (deed.key.clone(), deed.new.clone())));
        if ending == Ending::Applied {
            self.kept = Some((environment.clone(), version.clone(), contents.clone()));
        }
        Testimony {
            host: self.id.to_string(),
            run_id: uuid_of(&format!("{} run {}", self.id, self.runs)),
            started,
            took: self.took,
            environment: environment.to_string(),
            version,
            restarted: restarted(&deeds),
            ending,
            deeds,
            managed: contents.into_keys().collect(),
        }
    }

    /// A run that the gate did not let go ahead: its report says so, and nothing else.
    pub fn refuse(&mut self, order: &Order, line: &str, now: Timestamp) -> Testimony {
        self.runs += 1;
        let environment = order.environment.clone().unwrap_or_else(|| self.environment.clone());
        Testimony {
            host: self.id.to_string(),
            run_id: uuid_of(&format!("{} run {}", self.id, self.runs)),
            started: now + self.faults.skew,
            took: Span::from_s(1).min(self.took),
            environment: environment.to_string(),
            version: None,
            restarted: Vec::new(),
            ending: Ending::Refused(line.to_owned()),
            deeds: Vec::new(),
            managed: Vec::new(),
        }
    }

    /// Nothing new can be had: the kept configuration of the same environment is applied again,
    /// where the host does that, else nothing.
    fn without_offer(&self, environment: Environment, error: String) -> (Environment, Option<String>, Ending, Contents) {
        match &self.kept {
            Some((kept, version, contents)) if self.faults.keeps_catalog && *kept == environment => {
                (environment, version.clone(), Ending::Cached(error), contents.clone())
            }
            Some(_) | None => (environment, None, Ending::CompileError(error), Contents::new()),
        }
    }

    fn deeds(&self, contents: &Contents, ending: &Ending, started: Timestamp) -> Vec<Deed> {
        let rehearsed = *ending == Ending::Rehearsed;
        let failing = |key: &ItemKey| self.faults.failing.get(&resource_of(key));
        contents
            .iter()
            .filter(|(key, text)| self.disk.get(*key) != Some(*text) || (failing(key).is_some() && !rehearsed))
            .map(|(key, text)| Deed {
                key: key.clone(),
                old: self.disk.get(key).cloned().unwrap_or_default(),
                new: text.clone(),
                done: match failing(key) {
                    _ if rehearsed => Done::WouldApply,
                    Some(error) => Done::Failed(error.clone()),
                    None => Done::Applied,
                },
                at: self.deed_at(started),
            })
            .collect()
    }
}

/// Whatever is set, the application is started again.
fn restarted(deeds: &[Deed]) -> Vec<String> {
    if deeds.iter().any(|deed| deed.done == Done::Applied) { vec!["app".to_owned()] } else { Vec::new() }
}

impl Testimony {
    /// Whether the run set anything on its host.
    pub fn changed(&self) -> bool {
        self.deeds.iter().any(|deed| deed.done == Done::Applied)
    }
}

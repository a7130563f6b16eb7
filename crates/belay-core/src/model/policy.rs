//! Policy: what the operator configured, checked and ready for use. How it is written down (TOML)
//! is not known here.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::closed::Freeze;
use super::gate::Enforce;
use super::hours::{Hours, Zone};
use super::ids::{ClassName, Environment, HostId, ReceiverName, Release};
use super::signal::Signal;
use super::time::Span;

/// The class of hosts that no declared class matches. It only observes.
pub const DEFAULT_CLASS: &str = "default";

/// Hosts that are asked to run or to rehearse at the same time, where nothing else is configured.
pub const COMPILE_SLOTS: u32 = 10;

/// Everything the operator configured that decisions depend on.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// The text it was read from, kept so that every decision can be replayed.
    pub text: Arc<str>,
    /// Declared classes, in order; the first that matches a host wins.
    pub classes: Vec<ClassPolicy>,
    /// Declared signals.
    pub signals: Vec<Signal>,
    /// Places alerts go to.
    pub receivers: Vec<Receiver>,
    /// Times in which nothing new comes.
    pub freezes: Vec<Freeze>,
    /// The time zones that the text names, by name, as they were when it was read: what it means must
    /// not change because a machine learns of another rule.
    pub zones: BTreeMap<String, Arc<Zone>>,
    /// How many good Changes may end rejected, over the whole fleet.
    pub false_rejections: Budget,
    /// Where people reach the pages and the API, for links; no trailing slash.
    pub public_url: Option<String>,
    /// How many hosts may be asked to run or to rehearse at the same time: each costs the tool's server a compile.
    pub compile_slots: u32,
}

/// What is configured for one class.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassPolicy {
    /// Its name.
    pub name: ClassName,
    /// Patterns of host names with `*` and `?`; one that matches suffices.
    pub hosts: Vec<Pattern>,
    /// Facts that a host must have with exactly these values; all must match.
    pub facts: BTreeMap<String, String>,
    /// Where a host's release is read from.
    pub release: ReleaseSource,
    /// The environment each release needs. Empty: nothing is declared and nothing can mismatch.
    pub environments: BTreeMap<Release, Environment>,
    /// The environment of its hosts, whatever their release.
    pub environment: Option<Environment>,
    /// The release that its hosts are to come to, where the tool itself installs it: by an environment's content.
    pub target: Option<Release>,
    /// Classes whose hosts may serve as peers while this one has fewer than [`SMALL_CLASS`] hosts.
    pub kin: Vec<ClassName>,
    /// Minimum time a trial lasts.
    pub bake: Span,
    /// Maximum time a trial lasts after the last host that joined in time.
    pub horizon: Span,
    /// After a host changed, how long a restart is expected and nothing counts.
    pub grace: Span,
    /// How many values of the own past are compared with, at most.
    pub past_steps: u32,
    /// How far the gate goes.
    pub enforce: Enforce,
    /// How long content that a host does not know stays closed while the server is away.
    pub max_closed: Span,
    /// The waves a Change comes in; they are kept only with `enforce = "waves"`.
    pub waves: Vec<WaveSize>,
    /// Hosts that come first.
    pub canaries: Vec<Pattern>,
    /// The fact whose values take turns.
    pub spread: Option<String>,
    /// The fact of which no wave but the last has two hosts of one value.
    pub apart: Option<String>,
    /// When waves may open; at any time where there are none.
    pub hours: Option<Hours>,
    /// What becomes of the next wave when the one before could not be told.
    pub on_inconclusive: OnInconclusive,
    /// The environments of what is stable and of what is new, where the classifier keeps the waves.
    pub branches: Option<Branches>,
    /// People are told of hosts to which nothing was applied for this long; `None`: they are not.
    pub stale: Option<Span>,
    /// People are told of a lock of somebody else that has stood on a host for this long; `None`:
    /// they are not.
    pub foreign_lock: Option<Span>,
    /// People are told of an ailment of hosts that has stood for this long; `None`: they are not.
    pub ailing: Option<Span>,
}

/// A budget of mistakes that an operator understands: so many in so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// So many.
    pub count: u32,
    /// In so long.
    pub per: Span,
}

impl Default for Budget {
    /// One in thirty days.
    fn default() -> Self {
        Self { count: 1, per: Span::from_min(30 * 24 * 60) }
    }
}

/// How many hosts a wave reaches, counted from the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaveSize {
    /// So many.
    Hosts(u32),
    /// So many of a hundred, of class and release; rounded up.
    Percent(u32),
}

/// What becomes of the next wave when the one before could not be told for want of evidence. Where a
/// must-have signal was not seen, it never opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnInconclusive {
    /// It opens, after twice the bake, and nothing is accepted by that.
    Next,
    /// It stays shut, and the Change ends inconclusive.
    Hold,
}

/// Two environments between which the classifier chooses by wave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branches {
    /// What everybody has.
    pub stable: Environment,
    /// What is new.
    pub candidate: Environment,
}

/// Below this many hosts a class is too small to be its own peer.
pub const SMALL_CLASS: u32 = 5;

/// Where the release that a host runs is read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReleaseSource {
    /// The class has no releases.
    None,
    /// The host (or whoever deploys) says it: a file or command read there.
    Reported,
    /// The value of this fact.
    Fact(String),
}

/// A place alerts go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receiver {
    /// Its name.
    pub name: ReceiverName,
    /// Where it listens.
    pub url: String,
    /// The classes it wants alerts of; empty means all.
    pub classes: Vec<ClassName>,
}

/// A pattern of names: `*` stands for any characters, `?` for one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pattern(String);

impl Pattern {
    /// The pattern of this text; letters are folded to lower case, as host names are.
    pub fn new(text: &str) -> Self {
        Self(text.to_ascii_lowercase())
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the whole name matches. Linear in the length of both, whatever the pattern.
    pub fn matches(&self, name: &str) -> bool {
        let (pattern, name) = (self.0.as_bytes(), name.as_bytes());
        let (mut p, mut n) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        while n < name.len() {
            match pattern.get(p) {
                Some(b'*') => {
                    star = Some((p, n));
                    p += 1;
                }
                Some(&c) if c == b'?' || c == name[n] => {
                    p += 1;
                    n += 1;
                }
                _ => match star {
                    Some((at, from)) => {
                        star = Some((at, from + 1));
                        p = at + 1;
                        n = from + 1;
                    }
                    None => return false,
                },
            }
        }
        pattern[p..].iter().all(|&c| c == b'*')
    }
}

impl ClassPolicy {
    /// The class of this name with every value at its default.
    pub fn defaults(name: ClassName) -> Self {
        Self {
            name,
            hosts: Vec::new(),
            facts: BTreeMap::new(),
            release: ReleaseSource::Reported,
            environments: BTreeMap::new(),
            environment: None,
            target: None,
            kin: Vec::new(),
            bake: Span::from_min(5),
            horizon: Span::from_min(30),
            grace: Span::from_min(2),
            past_steps: 240,
            enforce: Enforce::Off,
            max_closed: Span::from_min(4 * 60),
            waves: Vec::new(),
            canaries: Vec::new(),
            spread: None,
            apart: None,
            hours: None,
            on_inconclusive: OnInconclusive::Next,
            branches: None,
            stale: None,
            foreign_lock: Some(Span::from_min(24 * 60)),
            ailing: Some(Span::from_min(35)),
        }
    }

    /// Whether content comes to it in waves: they are kept only where the gate defers.
    pub fn keeps_waves(&self) -> bool {
        self.enforce >= Enforce::Waves && !self.waves.is_empty()
    }

    /// The environment that the release it is to come to needs.
    pub fn target_environment(&self) -> Option<&Environment> {
        self.environments.get(self.target.as_ref()?)
    }

    /// The environments it declares.
    pub fn declared(&self) -> impl Iterator<Item = &Environment> {
        let branches = self.branches.iter().flat_map(|branches| [&branches.stable, &branches.candidate]);
        self.environments.values().chain(&self.environment).chain(branches)
    }

    fn holds(&self, host: &HostId, facts: &BTreeMap<String, String>) -> bool {
        let by_name = self.hosts.iter().any(|pattern| pattern.matches(host.as_str()));
        let by_fact = self.facts.iter().all(|(name, value)| facts.get(name) == Some(value));
        match (self.hosts.is_empty(), self.facts.is_empty()) {
            (true, true) => false,
            (true, false) => by_fact,
            (false, _) => by_name && by_fact,
        }
    }
}

impl Default for Policy {
    /// What holds without any configuration: one class that observes, no signals, no receivers.
    fn default() -> Self {
        Self {
            text: "".into(),
            classes: vec![],
            signals: vec![],
            receivers: vec![],
            freezes: vec![],
            zones: BTreeMap::new(),
            false_rejections: Budget::default(),
            public_url: None,
            compile_slots: COMPILE_SLOTS,
        }
    }
}

impl Policy {
    /// The class a host belongs to: the first declared one that matches, else [`DEFAULT_CLASS`].
    pub fn class_of(&self, host: &HostId, facts: &BTreeMap<String, String>) -> ClassName {
        match self.classes.iter().find(|class| class.holds(host, facts)) {
            Some(class) => class.name.clone(),
            None => default_class(),
        }
    }

    /// What is configured for a class; the defaults when nothing is.
    pub fn class(&self, name: &ClassName) -> ClassPolicy {
        self.classes.iter().find(|class| class.name == *name).cloned().unwrap_or_else(|| ClassPolicy::defaults(name.clone()))
    }

    /// The signals of a class.
    pub fn signals_of<'a>(&'a self, class: &'a ClassName) -> impl Iterator<Item = &'a Signal> {
        self.signals.iter().filter(move |signal| signal.watches(class))
    }
}

/// The name of the class of hosts that no declared class matches.
pub fn default_class() -> ClassName {
    ClassName::parse(DEFAULT_CLASS).expect("a constant that is a valid name")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_the_whole_name() {
        for (pattern, name, fits) in [
            ("web*", "web01.example.com", true),
            ("web*", "db-web01", false),
            ("*.example.com", "web01.example.com", true),
            ("web??", "web01", true),
            ("web??", "web1", false),
            ("*a*a*a*b", &"a".repeat(200), false),
            ("", "", true),
            ("*", "", true),
        ] {
            assert_eq!(Pattern::new(pattern).matches(name), fits, "{pattern} ~ {name}");
        }
    }

    #[test]
    fn the_first_matching_class_wins_and_no_pattern_matches_nothing() {
        let class = |name: &str, hosts: &[&str]| ClassPolicy {
            hosts: hosts.iter().map(|p| Pattern::new(p)).collect(),
            ..ClassPolicy::defaults(ClassName::parse(name).unwrap())
        };
        let policy = Policy { classes: vec![class("none", &[]), class("web", &["web*"]), class("all", &["*"])], ..Policy::default() };
        let of = |host: &str| policy.class_of(&HostId::parse(host).unwrap(), &BTreeMap::new()).to_string();
        assert_eq!((of("web01"), of("db01")), ("web".to_owned(), "all".to_owned()));
    }
}

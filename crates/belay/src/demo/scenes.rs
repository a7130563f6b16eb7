//! What happens to the hosts, gathered: several hosts within a second are one line.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use belay_core::model::ids::HostId;
use belay_sim::live::story::{self, Scene};

use super::Teller;
use crate::out::paint::Tone;
use crate::out::told::count;

/// How long scenes of one kind are gathered.
const GATHER: Duration = Duration::from_secs(1);
/// Hosts named one by one.
const NAMED_MAX: usize = 4;

/// Scenes that were not told yet, by kind.
#[derive(Debug, Default)]
pub struct Scenes {
    upgraded: Group,
    came_back: Group,
    changed: Group,
    put_back: Group,
    given_up: Group,
    not_now: Group,
    /// What the lock or the gate said to the first of those that did not go ahead.
    why: String,
}

/// Hosts to which the same happened.
#[derive(Debug, Default)]
struct Group {
    hosts: Vec<HostId>,
    since: Option<Instant>,
}

impl Scenes {
    /// One more scene.
    pub fn put(&mut self, scene: Scene, teller: &mut Teller) {
        match scene {
            Scene::Upgraded(host) => self.upgraded.put(host),
            Scene::CameBack(host) => self.came_back.put(host),
            Scene::Changed(host) => self.changed.put(host),
            Scene::Hand { host, put_back: true } => self.put_back.put(host),
            Scene::Hand { host, put_back: false } => self.given_up.put(host),
            Scene::NotNow { host, why } => {
                if self.not_now.hosts.is_empty() {
                    self.why = why;
                }
                self.not_now.put(host);
            }
            Scene::Remembered(past) => {
                let minutes = count(past.as_secs().div_ceil(60), "minute");
                teller.tell(Tone::Plain, "Remembering", &format!("the signals of the last {minutes} are there: the hosts' own past"));
            }
            Scene::Enrolled(hosts) => {
                let what = format!("{} of release {} reported; what they carry is adopted", count(hosts, "host"), story::older());
                teller.tell(Tone::Plain, "Enrolled", &what);
            }
            Scene::WentDark(hosts) => {
                self.tell_all(teller);
                teller.tell(Tone::Warn, "Dark", &format!("no signal comes any more from {}", named(&hosts)));
            }
            Scene::PutRight(host) => teller.tell(Tone::Plain, "Put right", &host.to_string()),
        }
    }

    /// Tells what was gathered long enough.
    pub fn tell_due(&mut self, teller: &mut Teller) {
        self.tell(teller, |group| group.since.is_some_and(|since| since.elapsed() >= GATHER));
    }

    /// Tells everything that was gathered.
    pub fn tell_all(&mut self, teller: &mut Teller) {
        self.tell(teller, |_| true);
    }

    fn tell(&mut self, teller: &mut Teller, due: impl Fn(&Group) -> bool) {
        let why = self.why.clone();
        for (group, tone, verb, before, after) in [
            (
                &mut self.put_back,
                Tone::Warn,
                "Put back",
                "the lock was removed by hand on ".to_owned(),
                "and was put back, with its reason".to_owned(),
            ),
            (&mut self.given_up, Tone::Bad, "Broken", "the lock was removed once more on ".to_owned(), "and is not fought for".to_owned()),
            (
                &mut self.upgraded,
                Tone::Plain,
                "Upgraded",
                String::new(),
                format!("now run {} with environment {}", story::newer(), story::next()),
            ),
            (&mut self.came_back, Tone::Warn, "Cron", "puts the files of environment production on ".to_owned(), String::new()),
            (&mut self.changed, Tone::Plain, "Changed", String::new(), "got a new file".to_owned()),
            (&mut self.not_now, Tone::Good, "Refused", String::new(), format!("did not run: {why}")),
        ] {
            if group.hosts.is_empty() || !due(group) {
                continue;
            }
            let text = format!("{before}{} {after}", named(&group.hosts));
            teller.tell(tone, verb, text.trim_end());
            *group = Group::default();
        }
    }
}

impl Group {
    fn put(&mut self, host: HostId) {
        self.since.get_or_insert_with(Instant::now);
        self.hosts.push(host);
    }
}

fn named(hosts: &[HostId]) -> String {
    let mut text = hosts.iter().take(NAMED_MAX).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if hosts.len() > NAMED_MAX {
        write!(text, " and {} more", hosts.len() - NAMED_MAX).expect("a string takes everything");
    }
    text
}

//! The acts of a story: what comes to the fleet, good or bad, and what should become of it.

use belay_core::decide::{Input, Ruling};
use belay_core::model::change::{Change, release_content, release_item};
use belay_core::model::ids::{ClassName, HostId};
use belay_core::model::item::{Content, ItemKey};
use belay_core::model::principal::Role;
use belay_core::model::time::{Span, Timestamp};

use super::Story;
use super::cast::{self, FITTING, FREE, NEXT, RELEASES, STABLE};
use super::faults::Disturbs;
use crate::fleet::application::Hurt;
use crate::fleet::host::{Order, SimHost};
use crate::testimony::content_of;
use crate::world::{Due, Switch, person};

/// The Changes of an act are opened within this time; later ones were brought by something else.
const SOON: Span = Span::from_min(5);

/// What an act brought, and what should become of it.
#[derive(Clone, Debug)]
pub(super) struct Act {
    /// The class it came to.
    pub(super) class: ClassName,
    /// What marks a Change as one of this act.
    pub(super) item: (ItemKey, Content),
    /// The release of its hosts, where it came to those of one only.
    pub(super) release: Option<&'static str>,
    /// What it does.
    pub(super) nature: Nature,
    /// When.
    pub(super) at: Timestamp,
    /// Nothing else disturbed the trial: there is no excuse.
    pub(super) clear: bool,
    /// Its hosts were put right before the trial was over: nobody could see enough, but what was
    /// seen was no proof of its being good either.
    pub(super) cut_short: bool,
}

/// What content does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nature {
    /// Nothing.
    Harmless,
    /// It hurts the application.
    Hurts(Hurt),
}

impl Act {
    /// Whether a Change is one of this act.
    pub(super) fn is_of(&self, change: &Change) -> bool {
        let (key, content) = &self.item;
        let soon = (Span::ZERO..=SOON).contains(&change.opened.since(self.at));
        let release = change.release.as_ref().map(|release| release.as_str());
        self.release.is_none_or(|own| release == Some(own)) && change.class == self.class && soon && change.items.get(key) == Some(content)
    }
}

impl Story {
    /// Plays one act and lets its trial end; sometimes the next one comes before that.
    pub(super) fn act(&mut self) {
        if self.rng.chance(0.75) {
            let calm = self.calm_from + self.cast.past;
            self.world.run_until(calm.max(self.world.clock));
        }
        let class = self.class();
        self.disturb(&class);
        let calm = self.is_calm() && self.world.state.open_changes().count() == 0;
        let mut disturbed = false;
        while self.rng.chance(0.35) {
            disturbed |= self.fault(&class) == Disturbs::Trials;
        }
        let clear = calm && !disturbed;
        match self.rng.below(12) {
            0..=5 => self.content(&class, clear),
            6 => self.compile_error(&class),
            7 => self.failing_resource(&class),
            8 | 9 => self.upgrade(&class, clear),
            10 => self.environment_switch(&class, clear),
            _ => self.oddities(&class),
        }
        if self.rng.chance(0.15) {
            self.ruling();
        }
        let long = self.rng.chance(0.75);
        let wait = if long { self.cast.horizon + Span::from_min(8) } else { self.within(self.cast.horizon) };
        self.world.run_for(wait);
        self.put_right(&class);
    }

    /// What may still be on trial in a class is no clear case any more: something else comes.
    fn disturb(&mut self, class: &ClassName) {
        let (now, lasts) = (self.world.clock, self.cast.horizon + Span::from_min(8));
        let open: Vec<&Change> = self.world.state.open_changes().collect();
        for act in self.acts.iter_mut().filter(|act| act.class == *class) {
            act.clear &= now.since(act.at) >= lasts && !open.iter().any(|change| act.is_of(change));
        }
    }

    fn class(&mut self) -> ClassName {
        let place = self.rng.below(self.cast.classes.len() as u64 + 1) as usize;
        self.cast.classes[place.min(self.cast.classes.len() - 1)].clone()
    }

    /// Some hosts of a class, at least this many where there are.
    pub(super) fn some(&mut self, class: &ClassName, least: usize) -> Vec<HostId> {
        let mut hosts: Vec<HostId> = self.world.fleet.hosts.values().filter(|host| host.class == *class).map(|h| h.id.clone()).collect();
        self.rng.shuffle(&mut hosts);
        let count = (self.rng.below(hosts.len() as u64 + 1) as usize).max(least);
        hosts.truncate(count);
        hosts
    }

    fn run_all(&mut self, hosts: &[HostId], order: &Order, splay: Span) {
        for host in hosts {
            let at = self.world.clock + self.within(splay);
            self.world.plan(at, Due::Run(host.clone(), order.clone()));
        }
    }

    /// Puts a text into both branches, under a new version; answers with what marks it.
    fn commit(&mut self, class: &ClassName, key: &str, text: &str) -> (ItemKey, Content) {
        let key = cast::item(key);
        let named = self.rng.chance(0.9);
        for name in [STABLE, NEXT] {
            let branch = self.world.fleet.branches.get_mut(&cast::environment(name)).expect("it is in the cast");
            branch.put(class, key.clone(), text);
            branch.version = named.then(|| format!("v{}-{name}", self.texts));
        }
        let content = content_of(&key, text);
        (key, content)
    }

    fn brought(&mut self, class: &ClassName, item: (ItemKey, Content), nature: Nature, clear: bool) {
        let at = self.world.clock;
        self.acts.push(Act { class: class.clone(), item, release: None, nature, at, clear, cut_short: false });
    }

    fn new_text(&mut self) -> String {
        self.texts += 1;
        format!("text {}", self.texts)
    }

    fn content(&mut self, class: &ClassName, clear: bool) {
        let (text, key) = (self.new_text(), FREE[self.rng.below(3) as usize]);
        let nature = if self.rng.chance(0.5) {
            Nature::Harmless
        } else {
            let hurt = if self.rng.chance(0.5) { Hurt::Stops } else { Hurt::ALL[self.rng.below(5) as usize] };
            self.world.fleet.application.hurt(&text, hurt);
            Nature::Hurts(hurt)
        };
        let item = self.commit(class, key, &text);
        let hosts = self.some(class, 2);
        self.note(format!("content {text} of {key} ({nature:?}, clear: {clear}) to {hosts:?}"));
        self.run_all(&hosts, &Order::default(), Span::from_min(3));
        self.brought(class, item, nature, clear);
        if self.rng.chance(0.15) {
            let wait = self.within(self.cast.horizon);
            self.world.run_for(wait);
            self.overlap(class);
        }
    }

    /// Another text comes before the first is judged: neither is a clear case any more.
    fn overlap(&mut self, class: &ClassName) {
        if let Some(act) = self.acts.last_mut() {
            act.clear = false;
        }
        let text = self.new_text();
        let key = FREE[self.rng.below(3) as usize];
        self.commit(class, key, &text);
        let hosts = self.some(class, 1);
        self.note(format!("on top of it {text} of {key} to {hosts:?}"));
        self.run_all(&hosts, &Order::default(), Span::from_min(3));
        self.calm_from = self.world.clock + self.cast.horizon;
    }

    fn compile_error(&mut self, class: &ClassName) {
        let hosts = self.some(class, 1);
        self.texts += 1;
        let error = format!("Evaluation Error: Unknown variable: 'x{}'", self.texts);
        self.note(format!("a compile error to {hosts:?}"));
        for branch in self.world.fleet.branches.values_mut() {
            branch.set_broken(class, Some(&error));
        }
        self.run_all(&hosts, &Order::default(), Span::from_min(3));
        self.world.run_for(Span::from_min(6));
        for branch in self.world.fleet.branches.values_mut() {
            branch.set_broken(class, None);
        }
    }

    fn failing_resource(&mut self, class: &ClassName) {
        let hosts = self.some(class, 1);
        let text = self.new_text();
        self.commit(class, FREE[2], &text);
        self.note(format!("a package that fails to {hosts:?}"));
        let resource = "Package[app-tools]".to_owned();
        for host in &hosts {
            self.world.switch(host, &Switch::Failing(resource.clone(), Some("E: not found".to_owned())));
        }
        self.run_all(&hosts, &Order::default(), Span::from_min(3));
        self.world.run_for(Span::from_min(6));
        for host in &hosts {
            self.world.switch(host, &Switch::Failing(resource.clone(), None));
        }
    }

    /// Hosts come to run the newer release, with what it needs or without.
    fn upgrade(&mut self, class: &ClassName, clear: bool) {
        let older = cast::release(RELEASES[0]);
        let mut hosts = self.some(class, 2);
        hosts.retain(|host| self.world.fleet.hosts[host].release.as_ref() == Some(&older));
        let newer = cast::release(RELEASES[1]);
        let fits = self.rng.chance(0.6);
        self.note(format!("release {newer} (fits: {fits}, clear: {clear}) to {hosts:?}"));
        for host in &hosts {
            let at = self.world.clock + self.within(Span::from_min(3));
            self.world.plan(at, Due::Release(host.clone(), newer.clone()));
            if fits {
                self.world.fleet.hosts.get_mut(host).expect("it was found").environment = cast::environment(NEXT);
                self.world.plan(at + Span::from_s(15), Due::Run(host.clone(), Order::default()));
            }
        }
        let nature = if fits { Nature::Harmless } else { Nature::Hurts(Hurt::Stops) };
        self.brought(class, (release_item(), release_content(&newer)), nature, clear);
    }

    /// The same content under the name of another branch, which does not hold what the release needs.
    fn environment_switch(&mut self, class: &ClassName, clear: bool) {
        let older = cast::release(RELEASES[0]);
        let mut hosts = self.some(class, 2);
        hosts.retain(|host| self.world.fleet.hosts[host].release.as_ref() == Some(&older));
        self.note(format!("environment {NEXT} (clear: {clear}) to {hosts:?}, which run {older}"));
        let order = Order { environment: Some(cast::environment(NEXT)), noop: false };
        self.run_all(&hosts, &order, Span::from_min(3));
        let key = cast::item(FITTING);
        let content = content_of(&key, &format!("for {}", RELEASES[1]));
        self.brought(class, (key, content), Nature::Hurts(Hurt::Stops), clear && !self.cast.declared);
        self.acts.last_mut().expect("it was just brought").release = Some(RELEASES[0]);
    }

    /// Things that are no change, or one of many small texts.
    fn oddities(&mut self, class: &ClassName) {
        let hosts = self.some(class, 1);
        match self.rng.below(4) {
            0 => {
                self.note(format!("{hosts:?} are edited by hand"));
                for host in &hosts {
                    let known = self.world.fleet.hosts.get_mut(host).expect("it was found");
                    known.disk.insert(cast::item(FREE[0]), "edited by hand".to_owned());
                }
                self.run_all(&hosts, &Order::default(), Span::from_min(5));
            }
            1 => {
                let text = self.new_text();
                self.commit(class, FREE[1], &text);
                self.note(format!("{text} is rehearsed on {hosts:?}"));
                self.run_all(&hosts, &Order { environment: None, noop: true }, Span::from_min(5));
            }
            2 => {
                let text = format!("{} of {{host}}", self.new_text());
                self.commit(class, FREE[1], &text);
                self.note(format!("a template, {text}, to {hosts:?}"));
                self.run_all(&hosts, &Order::default(), Span::from_min(5));
            }
            _ => self.newcomer(class),
        }
    }

    fn newcomer(&mut self, class: &ClassName) {
        self.texts += 1;
        let id = HostId::parse(&format!("{class}9{:02}", self.texts)).expect("a drawn name is one");
        self.note(format!("{id} is new"));
        self.world.add_host(SimHost::new(id.clone(), class.clone(), Some(cast::release(RELEASES[0])), cast::environment(STABLE)));
        if self.rng.chance(0.8) {
            self.world.plan(self.world.clock, Due::Tell(id.clone()));
        }
        self.run_all(&[id], &Order::default(), Span::from_min(2));
    }

    /// Somebody rules on what is open.
    fn ruling(&mut self) {
        self.world.run_for(Span::from_min(4));
        let Some(change) = self.world.state.open_changes().next().map(|change| change.id) else { return };
        let ruling = if self.rng.chance(0.5) { Ruling::Accept } else { Ruling::Reject };
        self.note(format!("carol: {ruling:?} {change}"));
        let principal = person("carol", Role::Approver);
        self.world.input(&Input::Override { principal, change, ruling, seen: None, reason: "seen by hand".to_owned() });
    }

    /// What was bad is taken back, and its hosts are put right.
    fn put_right(&mut self, class: &ClassName) {
        let mut bad = false;
        for key in FREE.map(cast::item) {
            for name in [STABLE, NEXT] {
                let branch = self.world.fleet.branches.get_mut(&cast::environment(name)).expect("it is in the cast");
                let hurts = |text: &String| self.world.fleet.application.hurts_by(text);
                if branch.offer(class).is_ok_and(|contents| contents.get(&key).is_some_and(hurts)) {
                    branch.put(class, key.clone(), "text 0");
                    branch.version = Some(format!("back-{}-{name}", self.texts));
                    bad = true;
                }
            }
        }
        let sick = |host: &&SimHost| host.class == *class && !host.faults.gone && host.timeline.last().health != Default::default();
        let sick: Vec<HostId> = self.world.fleet.hosts.values().filter(sick).map(|host| host.id.clone()).collect();
        if bad || !sick.is_empty() {
            self.acts
                .iter_mut()
                .filter(|act| self.world.state.open_changes().any(|change| act.is_of(change)))
                .for_each(|act| act.cut_short = true);
            self.note(format!("{sick:?} are put right"));
            for host in &sick {
                let known = self.world.fleet.hosts.get_mut(host).expect("it was found");
                let newer = known.release == Some(cast::release(RELEASES[1]));
                known.environment = cast::environment(if newer { NEXT } else { STABLE });
            }
            self.run_all(&sick, &Order::default(), Span::from_min(1));
            self.world.run_for(Span::from_min(2));
            self.calm_from = self.calm_from.max(self.world.clock);
        }
    }
}

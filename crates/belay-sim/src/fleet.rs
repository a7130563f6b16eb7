//! The simulated fleet: hosts, the branches they get their content from, and the application they
//! run. It knows nothing of Belay; what Belay learns of it comes by reports, facts and signals.

pub mod application;
pub mod branch;
pub mod condition;
pub mod host;

use std::collections::BTreeMap;

use belay_core::model::ids::{ClassName, HostId};
use belay_core::model::time::Timestamp;

use application::Application;
use branch::Branches;
use condition::Condition;
use host::{Order, SimHost};

use crate::testimony::Testimony;

/// The fleet.
#[derive(Clone, Debug, Default)]
pub struct Fleet {
    /// Its hosts.
    pub hosts: BTreeMap<HostId, SimHost>,
    /// What they get.
    pub branches: Branches,
    /// What they run.
    pub application: Application,
    /// The part of the usual flow that reaches a class at all, from each time on.
    pub weather: BTreeMap<ClassName, Vec<(Timestamp, f64)>>,
}

impl Fleet {
    /// Puts a host into the fleet. It was well for as long as anybody remembers.
    pub fn add(&mut self, mut host: SimHost, since: Timestamp) {
        host.timeline.push(since, Condition::default());
        self.hosts.insert(host.id.clone(), host);
    }

    /// Runs the tool on a host; nothing when the host is gone.
    pub fn run(&mut self, host: &HostId, order: &Order, now: Timestamp) -> Option<Testimony> {
        let host = self.hosts.get_mut(host).filter(|host| !host.faults.gone)?;
        let testimony = host.run(&self.branches, order, now);
        if testimony.changed() {
            let at = host.deed_at(now);
            feel(&self.application, host, at, Some(at));
        }
        Some(testimony)
    }

    /// A run that the gate of the host did not let go ahead: nothing is set.
    pub fn refuse(&mut self, host: &HostId, order: &Order, line: &str, now: Timestamp) -> Option<Testimony> {
        let host = self.hosts.get_mut(host).filter(|host| !host.faults.gone)?;
        Some(host.refuse(order, line, now))
    }

    /// Something about a host was changed by hand: its application fares accordingly from now on.
    pub fn feel(&mut self, host: &HostId, now: Timestamp) {
        if let Some(host) = self.hosts.get_mut(host) {
            feel(&self.application, host, now, None);
        }
    }

    /// How well a host is heard changes.
    pub fn hear(&mut self, host: &HostId, now: Timestamp, change: impl Fn(&mut Condition)) {
        if let Some(host) = self.hosts.get_mut(host) {
            let mut condition = host.timeline.last();
            change(&mut condition);
            host.timeline.push(now, condition);
        }
    }

    /// Only this part of the usual flow reaches a class from now on.
    pub fn set_weather(&mut self, class: &ClassName, now: Timestamp, part: f64) {
        self.weather.entry(class.clone()).or_default().push((now, part));
    }

    /// The part of the usual flow that reaches a class at a time.
    pub fn weather_at(&self, class: &ClassName, time: Timestamp) -> f64 {
        let Some(parts) = self.weather.get(class) else { return 1.0 };
        parts.iter().rev().find(|(from, _)| *from <= time).map_or(1.0, |(_, part)| *part)
    }
}

fn feel(application: &Application, host: &mut SimHost, at: Timestamp, born: Option<Timestamp>) {
    let health = application.health(&host.class, host.release.as_ref(), &host.disk);
    let last = host.timeline.last();
    host.timeline.push(at, Condition { health, born: born.unwrap_or(last.born), ..last });
}

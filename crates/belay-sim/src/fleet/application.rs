//! The application that runs on the hosts: it works when the content fits the release, and content
//! may harm it in ways of its own.

use std::collections::BTreeMap;

use belay_core::model::ids::{ClassName, Release};
use belay_core::model::item::ItemKey;

use super::branch::Contents;

/// What a bad text does to the application that reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hurt {
    /// Its flow stops.
    Stops,
    /// Its flow halves.
    Halves,
    /// Its check fails.
    FailsCheck,
    /// Its gauge repeats one value.
    Freezes,
    /// Its flow goes on, but is no longer measured under its name.
    Vanishes,
}

/// How the application on one host fares.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Health {
    /// The part of the usual flow that comes.
    pub flow: f64,
    /// Its check fails.
    pub check_fails: bool,
    /// Its gauge repeats one value.
    pub frozen: bool,
    /// Its flow is not measured under its name.
    pub vanished: bool,
}

impl Default for Health {
    fn default() -> Self {
        Self { flow: 1.0, check_fails: false, frozen: false, vanished: false }
    }
}

/// What the application is like.
#[derive(Clone, Debug, Default)]
pub struct Application {
    needs: BTreeMap<(ClassName, Release), Contents>,
    hurts: BTreeMap<String, Hurt>,
}

impl Hurt {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Stops, Self::Halves, Self::FailsCheck, Self::Freezes, Self::Vanishes];

    /// The word for it, as scenarios say it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Stops => "stops",
            Self::Halves => "halves",
            Self::FailsCheck => "fails-check",
            Self::Freezes => "freezes",
            Self::Vanishes => "vanishes",
        }
    }
}

impl Application {
    /// A release of a class works only with this text.
    pub fn need(&mut self, class: &ClassName, release: &Release, key: ItemKey, text: &str) {
        self.needs.entry((class.clone(), release.clone())).or_default().insert(key, text.to_owned());
    }

    /// This text hurts whoever reads it.
    pub fn hurt(&mut self, text: &str, hurt: Hurt) {
        self.hurts.insert(text.to_owned(), hurt);
    }

    /// Whether a text hurts anybody.
    pub fn hurts_by(&self, text: &str) -> bool {
        self.hurts.contains_key(text)
    }

    /// How a host fares with what lies on it.
    pub fn health(&self, class: &ClassName, release: Option<&Release>, disk: &Contents) -> Health {
        let mut health = Health::default();
        let needs = release.and_then(|release| self.needs.get(&(class.clone(), release.clone())));
        if needs.is_some_and(|needs| needs.iter().any(|(key, text)| disk.get(key) != Some(text))) {
            health.flow = 0.0;
        }
        for hurt in disk.values().filter_map(|text| self.hurts.get(text)) {
            match hurt {
                Hurt::Stops => health.flow = 0.0,
                Hurt::Halves => health.flow *= 0.5,
                Hurt::FailsCheck => health.check_fails = true,
                Hurt::Freezes => health.frozen = true,
                Hurt::Vanishes => health.vanished = true,
            }
        }
        health
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::branch::parse_item;

    #[test]
    fn old_files_on_new_code_stop_the_flow_and_only_there() {
        let (web, old, new) = (ClassName::parse("web").unwrap(), Release::parse("141").unwrap(), Release::parse("142").unwrap());
        let key = parse_item("File[/etc/app/sitemonitor.conf] content").unwrap();
        let mut application = Application::default();
        application.need(&web, &new, key.clone(), "for 142");
        let disk = Contents::from([(key, "for 141".to_owned())]);
        assert_eq!(application.health(&web, Some(&new), &disk).flow, 0.0);
        assert_eq!(application.health(&web, Some(&old), &disk).flow, 1.0);
    }
}

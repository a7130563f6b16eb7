//! Faults of a story: what is wrong while an act is played, and for how long.

use belay_core::model::ids::{ClassName, HostId, ReceiverName};
use belay_core::model::time::Span;

use super::Story;
use crate::fleet::condition::Dirt;
use crate::world::{Due, Receipt, Switch};

/// How disturbing a drawn fault is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Disturbs {
    /// It spoils no comparison: verdicts must be what they would be without it.
    Nothing,
    /// Whoever judges has an excuse.
    Trials,
}

impl Story {
    /// Draws a fault for some hosts of a class, for a while.
    pub(super) fn fault(&mut self, class: &ClassName) -> Disturbs {
        let hosts = self.some(class, 1);
        let lasts = Span::from_min(1) + self.within(Span::from_min(40));
        let (switch, back) = match self.rng.below(14) {
            0 | 1 => (Switch::Silent(true), Switch::Silent(false)),
            2 => (Switch::Gone(true), Switch::Gone(false)),
            3 => {
                let dirt = [Dirt::NotANumber, Dirt::Infinite, Dirt::Stale][usize::try_from(self.rng.below(3)).unwrap_or(0)];
                (Switch::Dirt(dirt), Switch::Dirt(Dirt::None))
            }
            4 => (Switch::Lag(self.within(Span::from_min(3))), Switch::Lag(Span::ZERO)),
            5 => (Switch::Skew(self.skew()), Switch::Skew(Span::ZERO)),
            6 => (Switch::Late(self.within(Span::from_min(24 * 60))), Switch::Late(Span::ZERO)),
            7 => (Switch::Spooling(true), Switch::Spooling(false)),
            8 | 9 => {
                self.note(format!("reports of {hosts:?} repeat"));
                let copies = 1 + u32::try_from(self.rng.below(4)).unwrap_or(0);
                self.switch_for(&hosts, &Switch::Copies(copies), Switch::Copies(0), lasts);
                return Disturbs::Nothing;
            }
            10 | 11 => {
                self.deaf_receiver();
                return Disturbs::Nothing;
            }
            12 => (Switch::KeepsCatalog(true), Switch::KeepsCatalog(false)),
            _ => {
                let part = self.rng.unit() * 0.7;
                self.note(format!("a storm leaves {part:.2} of the flow to {class} for {lasts}"));
                self.world.storm(class, part, lasts);
                self.calm_from = self.calm_from.max(self.world.clock + lasts);
                return Disturbs::Trials;
            }
        };
        self.note(format!("{switch:?} on {hosts:?} for {lasts}"));
        self.switch_for(&hosts, &switch, back, lasts);
        self.calm_from = self.calm_from.max(self.world.clock + lasts);
        Disturbs::Trials
    }

    fn switch_for(&mut self, hosts: &[HostId], switch: &Switch, back: Switch, lasts: Span) {
        for host in hosts {
            self.world.switch(host, switch);
            self.world.plan(self.world.clock + lasts, Due::Switch(host.clone(), back.clone()));
        }
    }

    /// A clock that is a little off, or by days; ahead or behind.
    fn skew(&mut self) -> Span {
        let far = [Span::from_min(2), Span::from_min(60), Span::from_min(26 * 60)][usize::try_from(self.rng.below(3)).unwrap_or(0)];
        let skew = self.within(far);
        if self.rng.chance(0.5) { skew } else { skew.times(-1) }
    }

    fn deaf_receiver(&mut self) {
        let name = ReceiverName::parse(if self.rng.chance(0.5) { "team" } else { "pager" }).expect("a constant that is a name");
        let receipt = [Receipt::Takes, Receipt::Down, Receipt::Refuses][usize::try_from(self.rng.below(3)).unwrap_or(0)];
        self.note(format!("receiver {name}: {receipt:?}"));
        self.world.outbox.receipts.insert(name, receipt);
    }

    /// Puts right whatever is wrong with any host.
    pub(super) fn end_faults(&mut self) {
        let back = [
            Switch::Silent(false),
            Switch::Gone(false),
            Switch::Skew(Span::ZERO),
            Switch::Late(Span::ZERO),
            Switch::Spooling(false),
            Switch::Copies(0),
            Switch::KeepsCatalog(false),
            Switch::Noop(false),
            Switch::Dirt(Dirt::None),
            Switch::Lag(Span::ZERO),
        ];
        for switch in &back {
            self.switch_all(switch);
        }
    }
}

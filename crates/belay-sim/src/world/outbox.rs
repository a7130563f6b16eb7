//! Deliveries: effects that are due go to receivers that remember what they got, and may refuse.

use std::collections::BTreeMap;

use belay_core::decide::Input;
use belay_core::explain::alert::alert;
use belay_core::model::alert::{Alert, Attempt, Effect, Subject, Task};
use belay_core::model::ids::ReceiverName;
use belay_core::model::time::Timestamp;

use super::World;

/// How a receiver takes what is sent to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Receipt {
    /// It takes it.
    #[default]
    Takes,
    /// It is down for the time being.
    Down,
    /// It will never take it.
    Refuses,
}

/// A message that a receiver took.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// When.
    pub at: Timestamp,
    /// Who took it.
    pub receiver: ReceiverName,
    /// Of what it tells.
    pub about: Subject,
    /// What it says.
    pub alert: Alert,
}

/// What was delivered, and to whom it can be.
#[derive(Clone, Debug, Default)]
pub struct Outbox {
    /// What was taken, in order.
    pub delivered: Vec<Delivery>,
    /// How each receiver takes what is sent to it; who is not named takes it.
    pub receipts: BTreeMap<ReceiverName, Receipt>,
}

impl Delivery {
    /// The whole message as text: its title, then its parts.
    pub fn text(&self) -> String {
        let lines = self.alert.parts.iter().flat_map(|part| part.lines.iter().map(|line| format!("{}: {line}", part.heading)));
        std::iter::once(self.alert.title.clone()).chain(lines).collect::<Vec<_>>().join("\n")
    }
}

impl World {
    /// Tries every effect that is due.
    pub(super) fn deliver_due(&mut self) {
        let now = self.clock;
        let due: Vec<Effect> = self.state.effects.values().filter(|effect| !effect.dead && effect.next_try <= now).cloned().collect();
        for effect in due {
            let attempt = self.attempt(&effect);
            let input = Input::Tried { effect: effect.id, attempt };
            self.input(&input);
        }
    }

    fn attempt(&mut self, effect: &Effect) -> Attempt {
        let Task::Notify { receiver, about } = &effect.task;
        match self.outbox.receipts.get(receiver).copied().unwrap_or_default() {
            Receipt::Down => return Attempt::Later("503 Service Unavailable".to_owned()),
            Receipt::Refuses => return Attempt::Never("404 Not Found".to_owned()),
            Receipt::Takes => {}
        }
        match alert(&self.state, about, self.clock) {
            Some(alert) => {
                self.outbox.delivered.push(Delivery { at: self.clock, receiver: receiver.clone(), about: about.clone(), alert });
                Attempt::Done
            }
            None => Attempt::Never(format!("{about} is not known any more")),
        }
    }
}

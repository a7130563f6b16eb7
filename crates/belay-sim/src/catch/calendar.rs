//! When a site is closed for what is new, drawn for each story and reckoned here in minutes, so that
//! what the core makes of the same configuration can be held against it.

use belay_core::model::time::{Span, Timestamp};
use belay_stats::rng::Rng;

use crate::world::BEGINNING;

/// The windows and the freeze of a site that keeps waves.
#[derive(Clone, Debug, Default)]
pub(super) struct Calendar {
    /// From minute to minute of every day; at any time where there are none.
    windows: Vec<(u64, u64)>,
    freeze: Option<(Timestamp, Timestamp)>,
    /// Whether clusters are kept apart.
    pub(super) apart: bool,
}

impl Calendar {
    /// Half of the sites have windows, half a freeze, half clusters.
    pub(super) fn drawn(rng: &mut Rng) -> Self {
        let windows = match rng.chance(0.5) {
            true => vec![(rng.below(40), 50 + rng.below(60)), (120 + rng.below(30), 160 + rng.below(90))],
            false => Vec::new(),
        };
        let freeze = rng.chance(0.5).then(|| {
            let from = BEGINNING + minutes(10 + rng.below(150));
            (from, from + minutes(10 + rng.below(60)))
        });
        Self { windows, freeze, apart: rng.chance(0.5) }
    }

    /// The lines of the class.
    pub(super) fn of_class(&self) -> String {
        let time = |minute: u64| format!("{:02}:{:02}", minute / 60, minute % 60);
        let window = |(from, to): &(u64, u64)| format!("\"Mon-Sun {}-{}\"", time(*from), time(*to));
        let windows: Vec<String> = self.windows.iter().map(window).collect();
        let mut lines = if windows.is_empty() { String::new() } else { format!("windows = [{}]\n", windows.join(", ")) };
        if self.apart {
            lines.push_str("apart = \"cluster\"\n");
        }
        lines
    }

    /// The freeze, as it is configured.
    pub(super) fn of_freeze(&self) -> String {
        let lines = |(from, to): (Timestamp, Timestamp)| format!("[[freeze]]\nfrom = \"{from}\"\nto = \"{to}\"\nreason = \"a freeze\"\n");
        self.freeze.map(lines).unwrap_or_default()
    }

    /// Whether nothing new may come.
    pub(super) fn closed(&self, at: Timestamp) -> bool {
        let minute = at.ms().rem_euclid(86_400_000) / 60_000;
        let within =
            |(from, to): &(u64, u64)| i64::try_from(*from).is_ok_and(|f| f <= minute) && i64::try_from(*to).is_ok_and(|t| minute < t);
        let outside = !self.windows.is_empty() && !self.windows.iter().any(within);
        outside || self.freeze.is_some_and(|(from, to)| from <= at && at < to)
    }
}

fn minutes(count: u64) -> Span {
    Span::from_min(i64::try_from(count).unwrap_or(0))
}

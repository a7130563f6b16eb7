//! Weighs all signals of a trial: each by itself, and the bets on their means together. Of many signals, each has a small part of the
//! budget; where several move, none has to reach the price of its own part alone (e-BH: Wang and Ramdas, "False discovery rate control
//! with e-values", 2022; with weights: the parts of the budget). As long as nothing is wrong with any, one false rejection is all false.
//!
//! And what strikes all hosts in one signal is known to the others. In such weather single peers have a say in every signal (`belay-stats`,
//! `weather`), and each host moves in its own way: none is called ill by a hint (`checks/single_host.rs`).

use belay_stats::many;

use super::sight::Sight;
use super::weigh::{Kept, Laid, Weighed, lay, weighed};
use crate::model::change::Trial;
use crate::model::time::Timestamp;

/// At each look of a signal, when it is over and the smallest number of signals among which its bets are believed.
type Asking = Vec<(Timestamp, Option<usize>)>;

/// Weighs every signal; none where the past is too short.
pub(super) fn weigh<'c>(trial: &Trial, sights: &[Sight<'_>], kept: &'c mut [Kept]) -> Vec<Option<Weighed<'c>>> {
    let mut laid: Vec<Option<Laid<'c>>> = kept.iter_mut().enumerate().map(|(place, kept)| lay(kept, trial, place, sights)).collect();
    let storms: Vec<Storms> =
        laid.iter().zip(sights).map(|(laid, sight)| laid.as_ref().map_or_else(Vec::new, |laid| storms(laid, sight))).collect();
    let mut worst = Vec::new();
    for (laid, own) in laid.iter_mut().zip(&storms) {
        let Some(laid) = laid else { continue };
        worst.clear();
        worst.extend((0..own.len()).map(|step| worst_at(step, own, &storms)));
        laid.follow(&worst);
    }
    let shaken = laid.iter().flatten().any(Laid::shaken);
    let asking: Vec<Asking> =
        laid.iter().zip(sights).map(|(laid, sight)| laid.as_ref().map_or_else(Vec::new, |laid| asks(laid, sight))).collect();
    let alarms = laid.iter_mut().zip(&asking).map(|(laid, own)| Some(laid.as_mut()?.alarms(&numbers(own, &asking)))).collect();
    weighed(laid, alarms, shaken)
}

/// At each step of a signal since the first change, when it is over and how unusual it is what the peers did; none where they cannot say.
type Storms = Vec<(Timestamp, Option<f64>)>;

fn storms(laid: &Laid<'_>, sight: &Sight<'_>) -> Storms {
    let origin = laid.origin();
    (0..sight.steps.saturating_sub(origin)).map(|step| (sight.time(origin + step + 1), laid.storm(step))).collect()
}

/// How unusual the weather of a signal is at a step: what strikes all hosts strikes them in more than one signal, and is not seen equally
/// well in each. Where its own peers cannot say, it may be anything.
fn worst_at(step: usize, own: &Storms, all: &[Storms]) -> f64 {
    let (at, Some(storm)) = own[step] else { return 1.0 };
    // Mostly signals have their steps at the same times.
    let then = |storms: &Storms| match storms.get(step) {
        Some((over, storm)) if *over == at => *storm,
        Some(_) | None => storms.partition_point(|(over, _)| *over <= at).checked_sub(1).and_then(|i| storms[i].1),
    };
    all.iter().filter_map(then).fold(storm, f64::max)
}

fn asks(laid: &Laid<'_>, sight: &Sight<'_>) -> Asking {
    let over = |look: usize| sight.time(laid.origin() + look + 1);
    laid.believed_among().into_iter().enumerate().map(|(look, least)| (over(look), least)).collect()
}

/// At each look of one signal, how many are believed together by what all of them show then.
fn numbers(own: &Asking, all: &[Asking]) -> Vec<usize> {
    let then =
        |at: Timestamp| move |asking: &Asking| asking.partition_point(|(over, _)| *over <= at).checked_sub(1).and_then(|i| asking[i].1);
    // Who would not be believed among any number gains nothing by the others.
    own.iter().map(|(at, least)| least.map_or(1, |_| many::together(all.iter().map(then(*at))))).collect()
}

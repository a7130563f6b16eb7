//! Weighs all signals of a trial: each by itself, and the bets on their means together. Of many signals, each has a small part of the
//! budget; where several move, none has to reach the price of its own part alone (e-BH: Wang and Ramdas, "False discovery rate control
//! with e-values", 2022; with weights: the parts of the budget). As long as nothing is wrong with any, one false rejection is all false.
//!
//! And what strikes all hosts in one signal is known to the others: in such weather each host moves in its own way, and none is called
//! ill by a hint (`checks/single_host.rs`).

use belay_stats::many;

use super::sight::Sight;
use super::weigh::{Calibrated, Laid, Weighed, lay};
use crate::model::change::Trial;
use crate::model::time::Timestamp;

/// At each look of a signal, when it is over and the smallest number of signals among which its bets are believed.
type Asking = Vec<(Timestamp, Option<usize>)>;

/// Weighs every signal; none where the past is too short.
pub(super) fn weigh<'c>(trial: &Trial, sights: &[Sight<'_>], calibrated: &'c mut [Option<Calibrated>]) -> Vec<Option<Weighed<'c>>> {
    let laid: Vec<Option<Laid<'c>>> = sights.iter().zip(calibrated).map(|(sight, known)| lay(known, trial, sight)).collect();
    let shaken = laid.iter().flatten().any(Laid::shaken);
    let asking: Vec<Asking> =
        laid.iter().zip(sights).map(|(laid, sight)| laid.as_ref().map_or_else(Vec::new, |laid| asks(laid, sight))).collect();
    laid.into_iter().zip(&asking).map(|(laid, own)| Some(laid?.weigh(&numbers(own, &asking), shaken))).collect()
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

//! Effects in words and numbers, shared by the checks that compare with the own past and the peers.

use std::fmt::{Display, from_fn};

use belay_stats::alarm::{share, share_of_one};
use belay_stats::placebo::WIDTHS;
use belay_stats::track::{Shown, Track};

use super::super::sight::{Row, Sight};
use super::super::weigh::Weighed;
use super::quorum;
use crate::model::ids::HostId;
use crate::model::verdict::{Numbers, Says};

/// The two-sided normal quantile of the interval that is told: 95 %.
const TOLD: f64 = 1.96;

/// An effect on the scale of the comparison, with its usual size where nothing happened.
pub(super) struct Effect {
    pub(super) shift: f64,
    pub(super) spread: f64,
    /// The index of the window length that it is the mean over.
    pub(super) width: usize,
    /// Whether it rests on steps enough: six, or all that there can be so far.
    pub(super) rests: bool,
}

/// Steps that an effect should rest on: of fewer a single odd one decides.
const RESTS: usize = 6;

/// The mean effect on the treated hosts over the longest window that fits, at the last look that has one.
pub(super) fn effect(weighed: &Weighed<'_>) -> Option<Effect> {
    shown(weighed.contrast.group(), weighed.contrast.view().group)
}

/// What a track shows over the longest window that fits, at the last look that has one.
fn shown(track: &Track, shown: &Shown) -> Option<Effect> {
    let (reference, means) = (track.reference.as_ref()?, &shown.means);
    let look = means.iter().rposition(|row| row.iter().any(|x| x.is_finite()))?;
    let width = (0..=track.widest(look)).rev().find(|w| means[look][*w].is_finite())?;
    let rests = WIDTHS[width] >= RESTS || width == track.widest(look);
    Some(Effect { shift: means[look][width], spread: reference.spread(look, width), width, rests })
}

/// The numbers of a finding about these hosts, with effect, interval and budget.
pub(super) fn numbers(sight: &Sight<'_>, weighed: &Weighed<'_>, hosts: &[HostId]) -> Numbers {
    // All hosts are asked for in their order, or none: names are compared only of a part.
    let all = hosts.is_empty() || hosts.len() == sight.treated.len();
    let rows: Vec<&Row> = sight.treated.iter().filter(|row| all || hosts.contains(&row.host)).collect();
    let mut numbers = quorum::numbers(sight, &rows, None);
    if let Some([middle, low, high]) = *weighed.told.get_or_init(|| told(weighed)) {
        (numbers.effect, numbers.effect_low, numbers.effect_high) = (Some(middle), Some(low), Some(high));
    }
    numbers.budget = Some(share(weighed.alpha, weighed.hosts.len()));
    numbers
}

/// The same about one host that is judged by itself: its own effect, how often a placebo change is as large, and its own budget.
pub(super) fn numbers_of_one(sight: &Sight<'_>, weighed: &Weighed<'_>, place: usize) -> Option<Numbers> {
    let host = weighed.hosts.get(place)?;
    let contrast = &weighed.contrast;
    let Effect { shift, spread, .. } = shown(contrast.host(place)?, contrast.shown(place)?)?;
    let moved = |shift: f64| contrast.one_in_units(place, shift).map(|(before, after)| after - before);
    let rows: Vec<&Row> = sight.treated.iter().filter(|row| row.host == *host).collect();
    Some(Numbers {
        effect: moved(shift),
        effect_low: moved(shift - TOLD * spread),
        effect_high: moved(shift + TOLD * spread),
        p: weighed.alarms.hosts.get(place)?.as_ref()?.p,
        budget: Some(share_of_one(weighed.alpha, weighed.hosts.len())),
        ..quorum::numbers(sight, &rows, None)
    })
}

/// The effect in the unit of the signal, and its interval.
fn told(weighed: &Weighed<'_>) -> Option<[f64; 3]> {
    let Effect { shift, spread, .. } = effect(weighed)?;
    let moved = |shift: f64| {
        let (before, after) = weighed.contrast.in_units(shift);
        after - before
    };
    Some([moved(shift), moved(shift - TOLD * spread), moved(shift + TOLD * spread)])
}

/// `+4.2 where 8.1 is usual (95 % between +3.1 and +5.3)`
pub(super) fn effect_words(weighed: &Weighed<'_>, numbers: &Numbers) -> impl Display {
    effect_beside(weighed.contrast.in_units(0.0).0, numbers)
}

/// The same of one host that is judged by itself.
pub(super) fn effect_words_of_one(weighed: &Weighed<'_>, place: usize, numbers: &Numbers) -> impl Display {
    effect_beside(weighed.contrast.one_in_units(place, 0.0).map_or(0.0, |(usual, _)| usual), numbers)
}

fn effect_beside(usual: f64, numbers: &Numbers) -> impl Display {
    let told = numbers.effect.zip(numbers.effect_low.zip(numbers.effect_high));
    from_fn(move |f| match told {
        Some((effect, (low, high))) => {
            write!(f, "{} where {} is usual (95 % between {} and {})", signed(effect), short(usual), signed(low), signed(high))
        }
        None => f.write_str("no effect can be measured yet"),
    })
}

/// What it was compared with, in words.
pub(super) fn basis(weighed: &Weighed<'_>, says: Says) -> impl Display {
    let placebos = weighed.contrast.group().reference.as_ref().map_or(0, |reference| reference.placebos);
    let (alike, asked) = weighed.alarms.group.alike;
    let (peers, kin) = (weighed.peers, weighed.kin);
    let (looks, due) = weighed.looks;
    from_fn(move |f| {
        write!(f, "against {placebos} placebo changes of the own past, ")?;
        match (peers, says, asked) {
            (0, _, _) if kin > 0 => f.write_str("against the other signals of the same hosts"),
            (0, _, _) => f.write_str("own past only"),
            (1, Says::Fine, _) | (1, _, 0) => f.write_str("against 1 peer"),
            (n, Says::Fine, _) | (n, _, 0) => write!(f, "against {n} peers"),
            (_, Says::Harm | Says::Suspicion | Says::CannotTell(_), asked) => write!(f, "{alike} of {asked} peers look alike"),
        }?;
        if looks < due { write!(f, ", for the first {looks} of {due} steps: the past is too short for more") } else { Ok(()) }
    })
}

/// So many of them, in words.
pub(super) fn changed_hosts(many: usize) -> impl Display {
    from_fn(move |f| if many == 1 { f.write_str("1 changed host") } else { write!(f, "{many} changed hosts") })
}

/// What large numbers are counted in, the largest first.
const COUNTED_IN: [(f64, &str); 3] = [(1e12, "T"), (1e9, "G"), (1e6, "M")];

/// Three digits are enough to act on: `0.00042`, `0.423`, `8.1`, `353650`, `12.3M`.
pub(super) fn short(value: f64) -> impl Display {
    from_fn(move |f| {
        let size = value.abs();
        let large = COUNTED_IN.iter().find(|(unit, _)| (*unit..1e15).contains(&size));
        if let Some((unit, name)) = large {
            write!(f, "{:.1}{name}", value / unit)
        } else if size >= 1e15 || (size > 0.0 && size < 1e-6) {
            write!(f, "{value:.1e}")
        } else if size >= 100.0 || size == 0.0 {
            write!(f, "{value:.0}")
        } else if size >= 1.0 {
            write!(f, "{value:.1}")
        } else if size >= 0.001 {
            write!(f, "{value:.3}")
        } else {
            let zeros = (-size.log10()).floor();
            write!(f, "{value:.0$}", zeros as usize + 2)
        }
    })
}

fn signed(value: f64) -> impl Display {
    from_fn(move |f| write!(f, "{}{}", if value < 0.0 { "" } else { "+" }, short(value)))
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn numbers_are_told_in_a_few_digits() {
        let told = |value: f64| short(value).to_string();
        assert_eq!([0.0, 0.423, 8.12, 99.96, 353_650.4].map(told), ["0", "0.423", "8.1", "100.0", "353650"]);
        assert_eq!([-12_345_678.0, 4.3e9, 2e12].map(told), ["-12.3M", "4.3G", "2.0T"]);
        assert_eq!([0.000_423, 4.2e-7, -3e15].map(told), ["0.00042", "4.2e-7", "-3.0e15"]);
    }
}

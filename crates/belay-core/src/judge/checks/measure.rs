//! Effects in words and numbers, shared by the checks that compare with the own past and the peers.

use std::fmt::{Display, from_fn};

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
}

/// The mean effect on the treated hosts over the longest window that fits, at the last look that has one.
pub(super) fn effect(weighed: &Weighed<'_>) -> Option<Effect> {
    let track = weighed.contrast.group();
    let reference = track.reference.as_ref()?;
    let means = &weighed.contrast.view().group.means;
    let look = means.iter().rposition(|row| row.iter().any(|x| x.is_finite()))?;
    let width = (0..=track.widest(look)).rev().find(|w| means[look][*w].is_finite())?;
    Some(Effect { shift: means[look][width], spread: reference.spread(look, width) })
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
    numbers.budget = Some(weighed.alpha);
    numbers
}

/// The effect in the unit of the signal, and its interval.
fn told(weighed: &Weighed<'_>) -> Option<[f64; 3]> {
    let Effect { shift, spread } = effect(weighed)?;
    let moved = |shift: f64| {
        let (before, after) = weighed.contrast.in_units(shift);
        after - before
    };
    Some([moved(shift), moved(shift - TOLD * spread), moved(shift + TOLD * spread)])
}

/// `+4.2 where 8.1 is usual (95 % between +3.1 and +5.3)`
pub(super) fn effect_words(weighed: &Weighed<'_>, numbers: &Numbers) -> impl Display {
    let usual = weighed.contrast.in_units(0.0).0;
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
            (n, Says::Fine, _) | (n, _, 0) => write!(f, "against {n} peers"),
            (_, Says::Harm | Says::Suspicion | Says::CannotTell(_), asked) => write!(f, "{alike} of {asked} peers look alike"),
        }?;
        if looks < due { write!(f, ", for the first {looks} of {due} steps: the past is too short for more") } else { Ok(()) }
    })
}

/// Three digits are enough to act on.
pub(super) fn short(value: f64) -> impl Display {
    from_fn(move |f| {
        let size = value.abs();
        if size >= 100.0 || size == 0.0 {
            write!(f, "{value:.0}")
        } else if size >= 1.0 {
            write!(f, "{value:.1}")
        } else {
            write!(f, "{value:.3}")
        }
    })
}

fn signed(value: f64) -> impl Display {
    from_fn(move |f| write!(f, "{}{}", if value < 0.0 { "" } else { "+" }, short(value)))
}

//! What series and their siblings do against their own past alone: which of them is it that changed?
//!
//! Where a sibling changed, what it predicted is predicted wrong, and a series that stands still seems to have moved. So a contrast with
//! siblings counts only at looks at which the series itself leans that way, and no sibling went further from its past than it.

use crate::contrast::Contrast;
use crate::track::{Shown, Track};

/// A series and its siblings, each against its own past alone.
pub(super) struct Own<'a> {
    series: (&'a Track, &'a Shown),
    siblings: Vec<(&'a Track, &'a Shown)>,
}

impl<'a> Own<'a> {
    /// Of the mean of the treated, or of one of them; none where it is not judged by itself.
    pub(super) fn of(own: &'a Contrast, siblings: &[&'a Contrast], host: Option<usize>) -> Option<Self> {
        let one = |contrast: &'a Contrast| match host {
            None => Some((contrast.group(), contrast.view().group)),
            Some(host) => Some((contrast.host(host)?, contrast.shown(host)?)),
        };
        Some(Self { series: one(own)?, siblings: siblings.iter().filter_map(|sibling| one(sibling)).collect() })
    }

    /// Whether the series leans the way that is shown at a look, and is the one that left its past.
    pub(super) fn bears_out(&self, shown: &Shown, look: usize) -> bool {
        let (track, own) = self.series;
        let went = own.deviation.get(look).copied().unwrap_or(f64::NEG_INFINITY);
        let further = |(track, sibling): &(&Track, &Shown)| Some(track.reference.as_ref()?.distance(look, sibling.means.get(look)?) > went);
        leans(track, own, look) && same_side(own, shown, look) && !self.siblings.iter().filter_map(further).any(|further| further)
    }
}

/// Whether the windows lean the way of harm at a look: by what half of all placebo changes reach at any look.
pub(super) fn leans(track: &Track, shown: &Shown, look: usize) -> bool {
    let deviation = shown.deviation.get(look);
    deviation.zip(track.reference.as_ref()).is_some_and(|(deviation, reference)| *deviation >= reference.quantiles[0])
}

/// Whether both moved the same way, by the longest windows that both have.
fn same_side(a: &Shown, b: &Shown, look: usize) -> bool {
    let Some((a, b)) = a.means.get(look).zip(b.means.get(look)) else { return false };
    let widest = a.iter().zip(b).rev().map(|(a, b)| a * b).find(|product| product.is_finite());
    widest.is_some_and(|product| product > 0.0)
}

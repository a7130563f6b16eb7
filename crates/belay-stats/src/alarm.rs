//! When what a contrast shows is more than chance, and when peers that show the same take it back.
//!
//! The budget of a signal is shared: half for windows (placebo changes in time), half for bets (the e-process); of each, with several
//! treated series, half for their mean and the rest by equal parts for each alone.
//!
//! Where several signals are watched, the bets on their means are believed together (e-BH): `k` of them that each reach the price of `k`
//! budgets are, though none reaches the price of its own ([`crate::many::together`]).
//!
//! A crossing stands unless peers veto it: peers judged as if they had been treated (Abadie, Diamond and Hainmueller, "Synthetic control
//! methods for comparative case studies", 2010). Bets count only where the windows at that look lean the same way, by at least what
//! half of all placebo changes reach: the two must not contradict each other.

mod own;

use std::cell::Cell;

use self::own::{Own, leans};
use crate::contrast::Contrast;
use crate::robust::largest;
use crate::track::{Shown, Track};

/// Looks back over which a peer may have shown the same.
const VETO_LOOKS: usize = 3;
/// The part of the treated's deviation that a peer must reach to count.
const VETO_PART: f64 = 0.5;
/// One peer in so many is enough for a veto.
const VETO_ONE_IN: usize = 3;
/// Looks beyond the threshold that make a crossing: one glitch is none.
const CONFIRMED: usize = 2;
/// Looks after the first crossing at which a second one is a sign of its own.
const AGAIN: usize = 3;
/// A deviation so many times rarer than the budget asks is plain: two looks are enough.
const PLAIN: f64 = 5.0;
/// The same where no peers were asked: what is common to all then cannot be told apart, and must last.
const AGAIN_ALONE: usize = 6;

/// What one stream raised.
#[derive(Debug, Clone, PartialEq)]
pub struct Alarm {
    /// The first look at which windows were beyond their threshold and no veto held.
    pub beyond: Option<usize>,
    /// The second such look: one step is never enough.
    pub windows: Option<usize>,
    /// The first such look at least three after the first, six without peers.
    pub again: Option<usize>,
    /// The first look at which the bets crossed theirs.
    pub bets: Option<usize>,
    /// Crossings of either kind that peers took back.
    pub vetoed: usize,
    /// Peers that looked alike at the last crossing, and peers asked.
    pub alike: (usize, usize),
    /// The largest deviation so far and its threshold; absent where nothing could be calibrated.
    pub largest: Option<(f64, f64)>,
    /// How often a placebo change is at least as large.
    pub p: Option<f64>,
    /// The largest evidence of the bets and its threshold, natural logarithms; of a single host that is far below it what the threshold
    /// is at least.
    pub ln_e: Option<(f64, f64)>,
}

/// What all streams of a contrast raised.
#[derive(Debug, Clone, PartialEq)]
pub struct Alarms {
    /// The mean of the treated.
    pub group: Alarm,
    /// Each by itself; none where there is only one, or too little past.
    pub hosts: Vec<Option<Alarm>>,
    /// The one treated series that the mean follows, where that crossed its threshold and does not without that one: one sick host must
    /// not speak for all.
    pub led_by: Option<usize>,
}

/// The part of the budget of a signal that windows, or bets, on the mean of so many treated series may spend.
#[must_use]
pub fn share(alpha: f64, treated: usize) -> f64 {
    alpha / 2.0 / if treated > 1 { 2.0 } else { 1.0 }
}

/// The part that windows, or bets, on each of so many by itself may spend.
#[must_use]
pub fn share_of_one(alpha: f64, treated: usize) -> f64 {
    share(alpha, treated) / treated.max(1) as f64
}

/// What an alarm of a signal costs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Terms<'t> {
    /// The budget of the signal.
    pub alpha: f64,
    /// How many signals are watched.
    pub signals: usize,
    /// What its thresholds are multiplied by: more than 1 for a series that was seen to raise alarms where nothing happened.
    pub caution: f64,
    /// At each look, of how many signals the bets on the mean are believed together; one where it says nothing.
    pub together: &'t [usize],
}

impl Terms<'_> {
    /// At each look, the smallest number of signals among which the bets on the mean of this one would be believed; none where no number
    /// is enough.
    #[must_use]
    pub fn believed_among(&self, contrast: &Contrast) -> Vec<Option<usize>> {
        let view = contrast.view();
        let share = share(self.alpha, view.hosts.len());
        let bar = Bar::of(contrast.group(), view.group, share, *self, true, (0, 0));
        // More signals lower the price: evidence below that of all together is nowhere enough.
        if bar.bets_threshold(self.signals).is_none_or(|threshold| bar.evidence <= threshold) {
            return vec![None; view.group.ln_e.len()];
        }
        let enough = |look: usize, k: usize| bar.leans(look) && bar.bets_threshold(k).is_some_and(|threshold| bar.bet(look, threshold));
        // More signals lower the price: if all together are not enough, no number is.
        let least = |look: usize| if enough(look, self.signals) { (1..=self.signals).find(|k| enough(look, *k)) } else { None };
        (0..view.group.ln_e.len()).map(least).collect()
    }
}

/// What a stream is held against.
struct Bar<'a> {
    track: &'a Track,
    shown: &'a Shown,
    alpha: f64,
    terms: Terms<'a>,
    /// Whether it is the mean of the treated.
    group: bool,
    /// Looks from the origin of the peers' calendar to this stream's first and last moment.
    late: (usize, usize),
    /// The largest deviation and the largest evidence so far.
    largest: f64,
    evidence: f64,
    /// The same series and its siblings against their own past alone, where these have to bear it out.
    own: Option<Own<'a>>,
    /// The threshold of the bets that was asked for last, and for how many signals: it is the same at nearly every look.
    price: Cell<Option<(usize, Option<f64>)>>,
}

impl Alarms {
    /// Weighs what a contrast shows. The peers are judged only if anything crossed.
    #[must_use]
    pub fn of(contrast: &mut Contrast, terms: Terms<'_>) -> Alarms {
        Self::beside(contrast, None, terms)
    }

    /// Weighs what a contrast with siblings shows, of series that `own` contrasts with their own past, as each of `siblings` does with
    /// theirs.
    #[must_use]
    pub fn of_siblings(contrast: &mut Contrast, own: &Contrast, siblings: &[&Contrast], terms: Terms<'_>) -> Alarms {
        Self::beside(contrast, Some((own, siblings)), terms)
    }

    fn beside(contrast: &mut Contrast, own: Option<(&Contrast, &[&Contrast])>, terms: Terms<'_>) -> Alarms {
        let bars = Bars::of(contrast, own, terms);
        if !bars.all().any(Bar::crosses) {
            return bars.weigh(contrast, &[]);
        }
        let mean = bars.group.crosses();
        // Peers are judged, and the others heard, before bars are made again: to judge them follows their series.
        if mean {
            contrast.ask_rest();
        }
        let jury: Vec<Vec<f64>> = contrast.jury().into_iter().map(<[f64]>::to_vec).collect();
        Bars::of(contrast, own, terms).weigh(contrast, &jury)
    }
}

/// What the streams of a contrast are held against.
struct Bars<'a> {
    group: Bar<'a>,
    hosts: Vec<Option<Bar<'a>>>,
}

impl<'a> Bars<'a> {
    fn of(contrast: &'a Contrast, own: Option<(&'a Contrast, &[&'a Contrast])>, terms: Terms<'a>) -> Self {
        let view = contrast.view();
        let beside = |host| own.and_then(|(own, siblings)| Own::of(own, siblings, host));
        let share = share(terms.alpha, view.hosts.len());
        let single = share_of_one(terms.alpha, view.hosts.len());
        let last = (0..view.hosts.len()).filter_map(|i| contrast.late(i)).max().unwrap_or(0);
        let host = |(i, shown): (usize, &Option<&'a Shown>)| {
            let (shown, track, late) = ((*shown)?, contrast.host(i)?, contrast.late(i)?);
            // Where siblings have to be borne out and nothing can, nothing counts.
            let own = if own.is_some() { Some(beside(Some(i))?) } else { None };
            Some(Bar { own, ..Bar::of(track, shown, single, terms, false, (late, late)) })
        };
        let hosts = view.hosts.iter().enumerate().map(host).collect();
        Self { group: Bar { own: beside(None), ..Bar::of(contrast.group(), view.group, share, terms, true, (0, last)) }, hosts }
    }

    fn weigh(&self, contrast: &Contrast, jury: &[Vec<f64>]) -> Alarms {
        let hosts = self.hosts.iter().map(|bar| bar.as_ref().map(|bar| bar.weigh(jury))).collect();
        let rest = contrast.view().rest;
        let led_by = rest.filter(|(most, rest)| !self.borne_out(contrast, *most, rest)).map(|(most, _)| most);
        Alarms { group: self.group.weigh(jury), hosts, led_by }
    }

    /// Whether the others bear out what the mean shows. Where the only other one is judged by itself, its own past is the measure: no
    /// single series ever was as calm as the mean of two.
    fn borne_out(&self, contrast: &Contrast, most: usize, rest: &Shown) -> bool {
        let only = if self.hosts.len() == 2 { self.hosts[1 - most].as_ref() } else { None };
        only.map_or_else(|| holds(contrast.group(), rest), |other| holds(other.track, other.shown))
    }

    fn all(&self) -> impl Iterator<Item = &Bar<'a>> {
        self.hosts.iter().flatten().chain([&self.group])
    }
}

/// Whether the others show it too, at a level of one in ten, in windows or in bets.
fn holds(track: &Track, rest: &Shown) -> bool {
    let Some(reference) = &track.reference else { return true };
    let (deviation, evidence) = (largest(&rest.deviation), largest(&rest.ln_e));
    deviation >= reference.quantiles[1]
        || (evidence >= track.evidence_threshold(0.1, 1.0).unwrap_or(f64::INFINITY) && deviation >= reference.quantiles[0])
}

impl<'a> Bar<'a> {
    fn of(track: &'a Track, shown: &'a Shown, alpha: f64, terms: Terms<'a>, group: bool, late: (usize, usize)) -> Self {
        let (largest, evidence) = (largest(&shown.deviation), largest(&shown.ln_e));
        Self { track, shown, alpha, terms, group, late, largest, evidence, own: None, price: Cell::default() }
    }

    fn threshold(&self) -> Option<f64> {
        self.track.reference.as_ref().map(|reference| self.terms.caution * reference.threshold(self.alpha))
    }

    /// The threshold beyond which a deviation needs no further look, where peers can tell it apart.
    fn plain_bar(&self) -> Option<f64> {
        self.track.reference.as_ref().map(|reference| self.terms.caution * reference.threshold(self.alpha / PLAIN))
    }

    /// The threshold of the bets where those of `k` signals are believed together. Of a single host whose evidence has not even reached
    /// what the threshold is at least, that is enough to know.
    fn bets_threshold(&self, k: usize) -> Option<f64> {
        if let Some((_, threshold)) = self.price.get().filter(|(of, _)| *of == k) {
            return threshold;
        }
        let threshold = self.priced(k.max(1) as f64);
        self.price.set(Some((k, threshold)));
        threshold
    }

    fn priced(&self, k: f64) -> Option<f64> {
        let least = self.terms.caution * self.track.evidence_at_least(self.alpha * k)?;
        if !self.group && self.evidence <= least {
            return Some(least);
        }
        self.track.evidence_threshold(self.alpha * k, self.terms.signals as f64 / k).map(|bar| self.terms.caution * bar)
    }

    /// How many signals are believed together at a look.
    fn together(&self, look: usize) -> usize {
        if self.group { self.terms.together.get(look).copied().unwrap_or(1) } else { 1 }
    }

    fn crosses(&self) -> bool {
        let bets = |look: usize| self.bets_threshold(self.together(look)).is_some_and(|bar| self.bet(look, bar));
        let windows = |bar: f64| self.largest > bar && (0..self.shown.deviation.len()).any(|look| self.beyond(look, bar));
        self.threshold().is_some_and(windows) || self.bets_may_cross() && self.leaning().any(bets)
    }

    /// Whether the evidence reaches what it must at any look: more signals lower the price.
    fn bets_may_cross(&self) -> bool {
        let most = if self.group { self.terms.together.iter().copied().max().unwrap_or(1) } else { 1 };
        self.bets_threshold(most).is_some_and(|bar| self.evidence > bar)
    }

    /// The looks at which the windows lean the way of harm.
    fn leaning(&self) -> impl Iterator<Item = usize> {
        (0..self.shown.ln_e.len()).filter(|look| self.leans(*look))
    }

    fn bet(&self, look: usize, bar: f64) -> bool {
        self.leans(look) && self.shown.ln_e[look] > bar
    }

    /// Whether the windows are beyond their threshold at a look that counts.
    fn beyond(&self, look: usize, bar: f64) -> bool {
        self.shown.deviation[look] > bar && self.borne_by_own(look)
    }

    /// Whether the windows lean the way of harm at a look that counts.
    fn leans(&self, look: usize) -> bool {
        leans(self.track, self.shown, look) && self.borne_by_own(look)
    }

    /// Whether the series bears it out against its own past alone, where that is asked.
    fn borne_by_own(&self, look: usize) -> bool {
        self.own.as_ref().is_none_or(|own| own.bears_out(self.shown, look))
    }

    fn weigh(&self, jury: &[Vec<f64>]) -> Alarm {
        let deviation = &self.shown.deviation;
        let mut alarm = Alarm {
            beyond: None,
            windows: None,
            again: None,
            bets: None,
            vetoed: 0,
            alike: (0, jury.len()),
            largest: None,
            p: None,
            ln_e: None,
        };
        if let Some(bar) = self.threshold() {
            let mut beyond = 0;
            let crossing = if self.largest > bar { &deviation[..] } else { &[] };
            for (look, z) in crossing.iter().enumerate() {
                // A look without a new value repeats the one before it, and is no second one.
                let new = self.shown.means[look][0].is_finite();
                if *z <= bar || !new || alarm.again.is_some() || !self.borne_by_own(look) || self.vetoed(look, jury, &mut alarm) {
                    continue;
                }
                beyond += 1;
                let first = *alarm.beyond.get_or_insert(look);
                if beyond >= CONFIRMED {
                    alarm.windows.get_or_insert(look);
                }
                let plain = !jury.is_empty() && beyond >= CONFIRMED && self.plain_bar().is_some_and(|plain| *z > plain);
                if plain || look >= first + if jury.is_empty() { AGAIN_ALONE } else { AGAIN } {
                    alarm.again = Some(look);
                }
            }
            alarm.largest = self.largest.is_finite().then_some((self.largest, bar));
            alarm.p = self.track.reference.as_ref().filter(|_| self.largest.is_finite()).map(|reference| reference.p_value(self.largest));
        }
        if let Some(mut bar) = self.bets_threshold(1).filter(|_| !self.shown.ln_e.is_empty()) {
            for look in self.bets_may_cross().then(|| self.leaning()).into_iter().flatten() {
                let here = self.bets_threshold(self.together(look)).unwrap_or(bar);
                if self.bet(look, here) && !self.vetoed(look, jury, &mut alarm) {
                    alarm.bets = Some(look);
                    bar = here;
                    break;
                }
            }
            alarm.ln_e = Some((self.evidence, bar));
        }
        alarm
    }

    /// Whether a third of the peers, judged as if treated, look at least half as bad around this look.
    fn vetoed(&self, look: usize, jury: &[Vec<f64>], alarm: &mut Alarm) -> bool {
        if jury.len() < 2 {
            return false;
        }
        let bar = VETO_PART * self.shown.deviation[look];
        let from = (look + self.late.0).saturating_sub(VETO_LOOKS);
        let to = look + self.late.1;
        let alike = |peer: &&Vec<f64>| peer.iter().skip(from).take(to + 1 - from).any(|z| *z > bar);
        let count = jury.iter().filter(alike).count();
        alarm.alike.0 = count;
        let vetoed = count * VETO_ONE_IN >= jury.len();
        alarm.vetoed += usize::from(vetoed);
        vetoed
    }
}

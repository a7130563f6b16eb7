//! **What it asks**: is a signal, averaged over windows since the change, further from where it should be than placebo changes of the
//! own past ever were?
//!
//! **Why**: whatever autocorrelation, season and drift the signal has, its placebo changes have too. The largest deviation over all
//! window lengths and all looks is compared with the largest of each placebo, so that looking after every step is paid for.
//!
//! **How**: see `belay-stats`, `placebo` and `alarm`. Beyond the threshold and not shared by the peers it is a suspicion: the wave is
//! held. It is harm when a later look is beyond it as well (three steps on, six without peers, two where it is plain), or a second host, or
//! another signal (`judge/agree.rs`).
//! At the end of a trial, or before it where that is certain at any look, harm above the margin must be excluded: max(10 % of the level, 3 SD of what a step usually deviates).
//!
//! **When it cannot tell**: too short a past for placebo changes; at the end, an interval that still holds harm above the margin, or one
//! that rests on single steps.
//!
//! **Example**: `latency_ms: +4.2 where 8.1 is usual (95 % between +3.1 and +5.3); p 0.001 of a budget of 0.007, against 126 placebo
//! changes of the own past, 0 of 6 peers look alike`.

use belay_stats::alarm::Alarm;
use belay_stats::placebo::side;

use super::super::sight::{Row, Sight};
use super::super::weigh::{Weighed, direction};
use super::measure::{Effect, basis, effect as measured, effect_words, effect_words_of_one, numbers, numbers_of_one};
use super::quorum;
use crate::model::ids::HostId;
use crate::model::signal::SignalKind;
use crate::model::verdict::{Check, Finding, Gap, Numbers, Says};

/// The margin of harm that is none, as a part of the level.
const MARGIN_PART: f64 = 0.1;
/// The same in SD of what a step usually deviates.
const MARGIN_SD: f64 = 3.0;
/// The one-sided normal quantile by which harm above the margin must be excluded: 95 %.
const EXCLUDED: f64 = 1.645;

pub(super) fn check(sight: &Sight<'_>, weighed: Option<&Weighed<'_>>, over: bool) -> Option<Finding> {
    let Some(weighed) = weighed.filter(|weighed| weighed.contrast.group().reference.is_some()) else { return untold(sight) };
    let group = &weighed.alarms.group;
    let raised = |alarm: &Option<Alarm>| alarm.as_ref().is_some_and(|alarm| alarm.windows.is_some());
    let alone: Vec<HostId> =
        weighed.alarms.hosts.iter().zip(&weighed.hosts).filter(|(alarm, _)| raised(alarm)).map(|(_, host)| host.clone()).collect();
    let led = weighed.alarms.led_by.is_some();
    // Hosts of one wave share their weather: without peers to tell it apart, a second host is no second sign.
    let others = weighed.peers > 0 && alone.len() >= quorum::quorum(weighed.hosts.len()).max(2);
    let says = if (group.again.is_some() && !led) || others {
        Says::Harm
    } else if group.windows.is_some() || !alone.is_empty() {
        Says::Suspicion
    } else if over && sight.signal.must_have && !unharmed(sight, weighed) {
        Says::CannotTell(Gap::TooLittle)
    } else {
        Says::Fine
    };
    Some(finding(sight, weighed, says, alone))
}

/// What is told of a signal that must be there and whose past is too short to compare its level with. Flows and checks have tests of their
/// own, which need less of it.
fn untold(sight: &Sight<'_>) -> Option<Finding> {
    let leveled = matches!(sight.signal.kind, SignalKind::Gauge | SignalKind::Latency | SignalKind::Count);
    let rows: Vec<&Row> = sight.treated.iter().collect();
    let most = rows.iter().map(|row| row.past_count()).max().filter(|_| leveled && sight.signal.must_have)?;
    Some(Finding {
        check: Check::Level,
        signal: Some(sight.signal.name.clone()),
        says: Says::CannotTell(Gap::TooLittle),
        hosts: Vec::new(),
        of: rows.len().try_into().unwrap_or(u32::MAX),
        peers_alike: (0, 0),
        text: format!("{}: its level was compared with nothing: {most} values of past are too few", sight.signal.name),
        numbers: quorum::numbers(sight, &rows, None),
        since: None,
    })
}

/// Whether harm above the margin is excluded. Where nothing can be measured, or on single steps alone, nothing is.
fn unharmed(sight: &Sight<'_>, weighed: &Weighed<'_>) -> bool {
    measured(weighed).is_some_and(|effect| effect.rests && excluded(sight, weighed, &effect, EXCLUDED))
}

/// Whether harm above the margin is excluded already, though there are looks to come: with peers, and by as much as placebo changes of the
/// own past reach at any look, so that looking early is paid for.
pub(in crate::judge) fn assured(sight: &Sight<'_>, weighed: &Weighed<'_>) -> bool {
    let Some(reference) = weighed.contrast.group().reference.as_ref().filter(|_| weighed.peers > 0) else { return false };
    measured(weighed).is_some_and(|effect| excluded(sight, weighed, &effect, reference.sizes(effect.width, weighed.alpha)))
}

/// Whether an effect so many spreads larger would still be below the margin.
fn excluded(sight: &Sight<'_>, weighed: &Weighed<'_>, Effect { shift, spread, .. }: &Effect, spreads: f64) -> bool {
    let track = weighed.contrast.group();
    // A series that never moved deviates by nothing: then the smallest noise that is believed makes the margin.
    let sd = weighed.contrast.noise().max(track.innovation().unwrap_or(0.0)).max(track.floor());
    let margin = (MARGIN_SD * sd).max(weighed.contrast.relative(MARGIN_PART));
    side(direction(sight.signal.harm), *shift) + spreads * spread <= margin
}

fn finding(sight: &Sight<'_>, weighed: &Weighed<'_>, says: Says, alone: Vec<HostId>) -> Finding {
    let group = &weighed.alarms.group;
    let hosts = match says {
        Says::Fine | Says::CannotTell(_) => Vec::new(),
        Says::Harm | Says::Suspicion if group.windows.is_some() => match weighed.alarms.led_by {
            Some(one) => weighed.hosts.get(one).cloned().into_iter().collect(),
            None => weighed.hosts.clone(),
        },
        Says::Harm | Says::Suspicion => alone,
    };
    // A part of the hosts is told by the one of them that moved most: the mean of all says nothing of it.
    let part = if hosts.len() < weighed.hosts.len() { furthest(weighed, &hosts) } else { None };
    let name = &sight.signal.name;
    let first = weighed.contrast.origin() + group.beyond.unwrap_or(0);
    let (words, numbers) = match part.and_then(|place| Some((place, numbers_of_one(sight, weighed, place)?))) {
        Some((place, numbers)) => (effect_words_of_one(weighed, place, &numbers).to_string(), numbers),
        None => {
            let numbers = Numbers { p: group.p, ..numbers(sight, weighed, &hosts) };
            (effect_words(weighed, &numbers).to_string(), numbers)
        }
    };
    let text = match says {
        Says::Fine if group.vetoed > 0 => format!("{name}: {words}; the peers moved alike, {}", basis(weighed, Says::Harm)),
        Says::Fine => format!("{name} shows no harm beyond chance: {words}, {}", basis(weighed, says)),
        Says::CannotTell(_) if measured(weighed).is_some_and(|effect| !effect.rests) => {
            format!("{name}: no six steps in a row have values enough to exclude harm; is the step shorter than the scrape interval?")
        }
        Says::CannotTell(_) => format!("{name}: harm cannot be excluded yet: {words}, {}", basis(weighed, says)),
        Says::Harm | Says::Suspicion => {
            let p = match (numbers.p, numbers.budget) {
                (Some(p), Some(budget)) => format!("p {} of a budget of {budget:.4}, ", p_words(p)),
                _ => String::new(),
            };
            let by = part.map_or_else(String::new, |most| format!(" on {}", named(weighed, &hosts, most)));
            format!("{name}{by}: {words}; {p}{}", basis(weighed, says))
        }
    };
    Finding {
        check: Check::Level,
        signal: Some(name.clone()),
        says,
        of: weighed.hosts.len().try_into().unwrap_or(u32::MAX),
        hosts,
        peers_alike: (group.alike.0.try_into().unwrap_or(u32::MAX), group.alike.1.try_into().unwrap_or(u32::MAX)),
        text,
        numbers,
        since: group.windows.map(|_| sight.time(first)),
    }
}

/// Of these hosts the one that moved most by itself: its place among all.
fn furthest(weighed: &Weighed<'_>, hosts: &[HostId]) -> Option<usize> {
    let moved =
        |place: &usize| weighed.alarms.hosts.get(*place).and_then(Option::as_ref).and_then(|alarm| alarm.largest).map_or(0.0, |(z, _)| z);
    let places = (0..weighed.hosts.len()).filter(|place| hosts.contains(&weighed.hosts[*place]));
    places.max_by(|a, b| moved(a).total_cmp(&moved(b)))
}

/// `1 of 4 changed hosts (web3)`, of a part of which this one moved most.
fn named(weighed: &Weighed<'_>, hosts: &[HostId], most: usize) -> String {
    let most = match hosts.len() {
        1 => weighed.hosts[most].to_string(),
        _ => format!("most on {}", weighed.hosts[most]),
    };
    format!("{} of {} changed hosts ({most})", hosts.len(), weighed.hosts.len())
}

fn p_words(p: f64) -> String {
    if p < 0.0001 { "below 0.0001".to_owned() } else { format!("{p:.4}") }
}

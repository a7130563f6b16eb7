//! From raw samples to steps. Counters become increases here, resets allowed for, so that a rate
//! means the same whatever the source is.

use std::collections::BTreeMap;

use crate::model::ids::HostId;
use crate::model::signal::{Reading, Sample, Series, Window};
use crate::model::time::{Span, Timestamp};

/// One value for each step of `[from, to)` that has any sample; steps without one are left out.
///
/// `raw` is ascending in time: (milliseconds, value). Values that are not finite are left out (a
/// staleness marker is one of them). A step `[t, t + step)` takes the last value in it; for a
/// counter its increase since the last value before the step, where a fall counts as a restart
/// from zero (so does every fall within the step). What a counter gained over steps that nobody
/// read is spread over them: the step that ends the gap gets its part, and no burst is made of it.
/// A counter's first value tells no increase.
pub fn resample(raw: &[(i64, f64)], reading: Reading, step: Span, from: Timestamp, to: Timestamp) -> Vec<Sample> {
    let finite = raw.iter().copied().filter(|(_, value)| value.is_finite());
    let mut out: Vec<Sample> = Vec::new();
    let mut last: Option<(Timestamp, f64)> = None;
    for (ms, value) in finite {
        let at = Timestamp::from_ms(ms);
        if at >= to {
            break;
        }
        let start = at.floor(step);
        let counted = match (reading, last) {
            (Reading::Value, _) => Some(value),
            (Reading::Counter, None) => None,
            (Reading::Counter, Some((read, before))) => {
                let gained = if value >= before { value - before } else { value.max(0.0) };
                Some(gained / (start.since(read).ms() as f64 / step.ms().max(1) as f64).max(1.0))
            }
        };
        last = Some((start, value));
        let Some(counted) = counted.filter(|_| start >= from) else { continue };
        match out.last_mut() {
            Some(sample) if sample.at == start => match reading {
                Reading::Value => sample.value = counted,
                Reading::Counter => sample.value += counted,
            },
            Some(_) | None => out.push(Sample { at: start, value: counted }),
        }
    }
    out
}

/// A copy with room for what is to come, so that a look does not move the past.
pub(super) fn with_room(window: &Window) -> Window {
    let copy = |series: &Series| match series {
        Series::Samples(samples) => {
            let mut copy = Vec::with_capacity(samples.len() + samples.len() / 8);
            copy.extend_from_slice(samples);
            Series::Samples(copy)
        }
        Series::Missing(why) => Series::Missing(*why),
    };
    let hosts = window.hosts.iter().map(|(host, series)| (host.clone(), copy(series))).collect();
    Window { step: window.step, from: window.from, to: window.to, hosts, heard: window.heard.clone() }
}

/// Looks hosts up that come mostly in the order of the map: then the next one is the one asked for.
pub(super) struct InOrder<'m, V> {
    map: &'m BTreeMap<HostId, V>,
    next: std::collections::btree_map::Iter<'m, HostId, V>,
}

impl<'m, V> InOrder<'m, V> {
    pub(super) fn of(map: &'m BTreeMap<HostId, V>) -> Self {
        Self { map, next: map.iter() }
    }

    pub(super) fn get(&mut self, host: &HostId) -> Option<&'m V> {
        match self.next.next() {
            Some((next, value)) if next == host => Some(value),
            Some(_) | None => self.map.get(host),
        }
    }
}

/// Adds a later window of the same signal to an earlier one. One that holds the whole time of the earlier one takes its place.
pub(super) fn extend(known: &mut Window, new: &Window) {
    if new.from <= known.from && new.to >= known.to {
        known.clone_from(new);
        return;
    }
    known.from = known.from.min(new.from);
    known.to = known.to.max(new.to);
    if known.heard.keys().eq(new.heard.keys()) {
        known.heard.values_mut().zip(new.heard.values()).for_each(|(known, new)| *known = (*known).max(*new));
    } else {
        for (host, at) in &new.heard {
            let heard = known.heard.entry(host.clone()).or_insert(*at);
            *heard = (*heard).max(*at);
        }
    }
    if known.hosts.keys().eq(new.hosts.keys()) {
        known.hosts.values_mut().zip(new.hosts.values()).for_each(|(known, new)| add(known, new));
        return;
    }
    for (host, series) in &new.hosts {
        match known.hosts.get_mut(host) {
            None => {
                known.hosts.insert(host.clone(), series.clone());
            }
            Some(before) => add(before, series),
        }
    }
}

fn add(before: &mut Series, new: &Series) {
    if follows(before, new) {
        append(before, new);
    } else {
        *before = merge(before, new);
    }
}

/// Whether all of a series lies after another: what usually comes.
fn follows(before: &Series, new: &Series) -> bool {
    before.samples().last().zip(new.samples().first()).is_some_and(|(last, first)| last.at < first.at)
}

fn append(before: &mut Series, new: &Series) {
    if let Series::Samples(samples) = before {
        samples.extend_from_slice(new.samples());
    }
}

fn merge(before: &Series, new: &Series) -> Series {
    let mut samples: BTreeMap<Timestamp, Sample> = before.samples().iter().map(|sample| (sample.at, *sample)).collect();
    samples.extend(new.samples().iter().map(|sample| (sample.at, *sample)));
    if samples.is_empty() { new.clone() } else { Series::Samples(samples.into_values().collect()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(step: Span, values: &[(i64, f64)], reading: Reading) -> Vec<(i64, f64)> {
        let samples = resample(values, reading, step, Timestamp::from_ms(0), Timestamp::from_ms(60_000));
        samples.iter().map(|sample| (sample.at.ms(), sample.value)).collect()
    }

    #[test]
    fn a_gauge_takes_the_last_value_of_a_step_and_gaps_stay_gaps() {
        let raw = [(0, 1.0), (9_000, 2.0), (10_000, 3.0), (30_000, 4.0)];
        assert_eq!(at(Span::from_s(10), &raw, Reading::Value), [(0, 2.0), (10_000, 3.0), (30_000, 4.0)]);
    }

    #[test]
    fn a_counter_gives_increases_and_survives_a_restart() {
        let raw = [(0, 100.0), (10_000, 105.0), (15_000, 107.0), (20_000, 3.0), (30_000, 3.0)];
        assert_eq!(at(Span::from_s(10), &raw, Reading::Counter), [(10_000, 7.0), (20_000, 3.0), (30_000, 0.0)]);
    }

    #[test]
    fn what_a_counter_gained_unread_is_no_burst() {
        let raw = [(0, 0.0), (10_000, 5.0), (50_000, 25.0), (55_000, 27.0)];
        assert_eq!(at(Span::from_s(10), &raw, Reading::Counter), [(10_000, 5.0), (50_000, 7.0)], "a quarter of 20, and 2 more");
    }

    #[test]
    fn a_counter_that_falls_twice_in_a_step_wraps_or_goes_below_zero_never_gives_a_negative_rate() {
        let raw = [(0, 50.0), (10_000, 60.0), (12_000, 4.0), (14_000, 9.0), (16_000, 1.0), (20_000, 4_294_967_295.0), (30_000, 5.0)];
        let increases = at(Span::from_s(10), &raw, Reading::Counter);
        assert_eq!(increases, [(10_000, 20.0), (20_000, 4_294_967_294.0), (30_000, 5.0)]);
        let below = at(Span::from_s(10), &[(0, 5.0), (10_000, -3.0), (20_000, -1.0)], Reading::Counter);
        assert!(below.iter().all(|(_, value)| *value >= 0.0), "{below:?}");
    }

    #[test]
    fn what_is_not_a_number_is_left_out_and_never_counts_as_zero() {
        let raw =
            [(0, f64::from_bits(0x7ff0_0000_0000_0002)), (10_000, f64::NAN), (20_000, f64::INFINITY), (30_000, 1e308), (40_000, 5e-324)];
        assert_eq!(at(Span::from_s(10), &raw, Reading::Value), [(30_000, 1e308), (40_000, 5e-324)]);
    }

    #[test]
    fn samples_at_the_end_belong_to_the_next_window() {
        assert_eq!(at(Span::from_s(10), &[(60_000, 1.0)], Reading::Value), []);
    }
}

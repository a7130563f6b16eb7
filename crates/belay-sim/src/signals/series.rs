//! The raw series of one metric of one host, grown as far as it is asked for.

use belay_core::model::time::{Span, Timestamp};
use belay_stats::rng::Rng;

use super::{Metric, RawSample, Rhythm};
use crate::fleet::Fleet;
use crate::fleet::condition::{Condition, Dirt};
use crate::fleet::host::SimHost;

/// The value that marks the end of a series, bit for bit.
const STALE: u64 = 0x7ff0_0000_0000_0002;
/// Raw samples are kept this long.
const KEPT: Span = Span::from_min(12 * 60);
/// Memory in use when all is well.
const MEMORY: f64 = 500e6;

/// When a host was last sampled, up to `time`. Each host is sampled at seconds of its own.
pub(super) fn last_before(host: &SimHost, rhythm: Rhythm, time: Timestamp) -> Timestamp {
    let scrape = rhythm.scrape.ms().max(1);
    let own = i64::try_from(host.own_number() % rhythm.apart.ms().unsigned_abs().max(1)).unwrap_or(0);
    Timestamp::from_ms((time.ms() - own).div_euclid(scrape) * scrape + own)
}

/// What samples are made from.
pub(super) struct Maker<'a> {
    pub(super) fleet: &'a Fleet,
    pub(super) host: &'a SimHost,
    pub(super) metric: Metric,
    pub(super) rhythm: Rhythm,
    pub(super) rng: &'a Rng,
}

/// One series.
#[derive(Clone, Debug)]
pub(super) struct Raw {
    samples: Vec<RawSample>,
    /// Samples that are on their way, with when they arrive.
    travelling: Vec<(Timestamp, RawSample)>,
    grown: Timestamp,
    total: f64,
}

impl Raw {
    pub(super) fn starting(from: Timestamp) -> Self {
        Self { samples: Vec::new(), travelling: Vec::new(), grown: from, total: 0.0 }
    }

    pub(super) fn samples(&self) -> &[RawSample] {
        &self.samples
    }

    /// Makes what is missing up to `now`. What nobody asked for in time is never made.
    pub(super) fn grow(&mut self, maker: &Maker<'_>, from: Timestamp, now: Timestamp) {
        if from > self.grown + KEPT {
            *self = Self::starting(from);
        }
        let mut next = last_before(maker.host, maker.rhythm, self.grown) + maker.rhythm.scrape;
        while next <= now {
            self.total = maker.total(self.total, self.grown, next);
            match maker.value(next, self.total) {
                Some((value, Span::ZERO)) if self.travelling.is_empty() => self.samples.push((next.ms(), value)),
                Some((value, lag)) => self.travelling.push((next + lag, (next.ms(), value))),
                None => {}
            }
            self.grown = next;
            next = next + maker.rhythm.scrape;
        }
        self.arrive(now);
        let kept = (now - KEPT).ms();
        if self.samples.first().is_some_and(|(ms, _)| *ms < kept - KEPT.ms()) {
            self.samples.retain(|(ms, _)| *ms >= kept);
        }
    }

    /// What has arrived takes its place in time, whenever it came.
    fn arrive(&mut self, now: Timestamp) {
        if self.travelling.is_empty() {
            return;
        }
        let (here, still): (Vec<_>, Vec<_>) = self.travelling.drain(..).partition(|(arrives, _)| *arrives <= now);
        self.travelling = still;
        for (_, sample) in here {
            let place = self.samples.partition_point(|(ms, _)| *ms <= sample.0);
            self.samples.insert(place, sample);
        }
    }
}

impl Maker<'_> {
    fn draw(&self, at: Timestamp) -> Rng {
        self.rng.fork(self.host.own_number() ^ self.metric as u64).fork(at.ms().unsigned_abs())
    }

    /// The counter after `[from, to)`: a start of the application within begins at zero.
    fn total(&self, before: f64, from: Timestamp, to: Timestamp) -> f64 {
        if self.metric != Metric::Requests {
            return 0.0;
        }
        let mut total = before;
        let mut expected = 0.0;
        for (start, end, condition) in self.host.timeline.pieces(from, to) {
            if condition.born > from && condition.born >= start {
                total = 0.0;
                expected = 0.0;
            }
            expected += self.flow(start, condition) * end.since(start).as_s();
        }
        total + if self.rhythm.even { expected } else { self.draw(to).poisson(expected) as f64 }
    }

    /// Requests per second at a time.
    fn flow(&self, at: Timestamp, condition: &Condition) -> f64 {
        self.rhythm.per_s * self.day(at) * condition.health.flow * self.fleet.weather_at(&self.host.class, at)
    }

    /// Rises from midnight to noon and falls again, by straight lines.
    fn day(&self, at: Timestamp) -> f64 {
        let hour = at.ms().rem_euclid(86_400_000) as f64 / 3_600_000.0;
        1.0 - self.rhythm.day * (hour - 12.0).abs() / 12.0
    }

    /// The value of a sample and how long it travels; nothing where nothing is exported.
    fn value(&self, at: Timestamp, total: f64) -> Option<(f64, Span)> {
        let condition = self.host.timeline.at(at)?;
        let hidden = condition.health.vanished && self.metric == Metric::Requests;
        if condition.silent || hidden {
            return None;
        }
        let value = match (condition.dirt, self.metric) {
            (Dirt::NotANumber, _) => f64::NAN,
            (Dirt::Infinite, _) => f64::INFINITY,
            (Dirt::Stale, _) => f64::from_bits(STALE),
            (Dirt::None, Metric::Requests) => total.floor(),
            (Dirt::None, Metric::Check) => f64::from(u8::from(condition.health.check_fails)),
            (Dirt::None, Metric::Memory) if condition.health.frozen => MEMORY,
            (Dirt::None, Metric::Memory) => (MEMORY * self.day(at) + 1e6 * self.draw(at).normal()).round(),
        };
        Some((value, condition.lag))
    }
}

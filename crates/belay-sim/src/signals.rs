//! What the monitoring holds of the fleet: raw series in memory, made when somebody asks for them.
//! A sample depends on seed, host, metric and time alone, never on when or how often it is asked
//! for.

mod series;

use std::collections::BTreeMap;

use belay_core::decide::trial::Ask;
use belay_core::judge::window::resample;
use belay_core::model::ids::HostId;
use belay_core::model::signal::{Missing, Series, Window};
use belay_core::model::time::{Span, Timestamp};
use belay_stats::rng::Rng;

use crate::fleet::Fleet;
use crate::fleet::condition::Dirt;
use crate::fleet::host::SimHost;
use series::Raw;

/// A raw sample: milliseconds since the epoch, and a value.
pub type RawSample = (i64, f64);

/// What every simulated host exports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// Requests so far: a counter.
    Requests,
    /// Memory in use: a gauge.
    Memory,
    /// 0 while the application is well: a check.
    Check,
}

impl Metric {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Requests, Self::Memory, Self::Check];

    /// Its name, as selectors say it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requests => "sitemonitor_requests_total",
            Self::Memory => "sitemonitor_memory_bytes",
            Self::Check => "sitemonitor_check",
        }
    }

    /// The metric a selector asks for, labels left aside.
    pub fn selected_by(select: &str) -> Option<Self> {
        let name = select.split('{').next().unwrap_or(select).trim();
        Self::ALL.into_iter().find(|metric| metric.name() == name)
    }
}

/// How the fleet's flow runs when all is well.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rhythm {
    /// Time from sample to sample of one host.
    pub scrape: Span,
    /// How far apart hosts are sampled within it, at most.
    pub apart: Span,
    /// Requests per second of one host.
    pub per_s: f64,
    /// How far day and night go apart: 0 not at all, 1 to nothing.
    pub day: f64,
    /// Whether requests come at random (Poisson) or evenly.
    pub even: bool,
}

impl Default for Rhythm {
    fn default() -> Self {
        Self { scrape: Span::from_s(15), apart: Span::from_s(15), per_s: 2.0, day: 0.3, even: false }
    }
}

/// The raw series of all hosts.
#[derive(Clone, Debug)]
pub struct Signals {
    /// How the flow runs.
    pub rhythm: Rhythm,
    rng: Rng,
    series: BTreeMap<(HostId, Metric), Raw>,
}

impl Signals {
    /// No samples yet.
    pub fn new(seed: u64) -> Self {
        Self { rhythm: Rhythm::default(), rng: Rng::new(seed).fork(0x51), series: BTreeMap::new() }
    }

    /// The raw samples of a host that can be seen at `now`, at least from `from` on.
    pub fn raw(&mut self, fleet: &Fleet, host: &SimHost, metric: Metric, from: Timestamp, now: Timestamp) -> &[RawSample] {
        let maker = series::Maker { fleet, host, metric, rhythm: self.rhythm, rng: &self.rng };
        let raw = self.series.entry((host.id.clone(), metric)).or_insert_with(|| Raw::starting(from));
        raw.grow(&maker, from, now);
        raw.samples()
    }

    /// The window of a question, as it can be answered at `now`.
    pub fn window(&mut self, fleet: &Fleet, ask: &Ask, now: Timestamp) -> Window {
        let mut window = Window { step: ask.signal.step, from: ask.from, to: ask.to, hosts: BTreeMap::new(), heard: BTreeMap::new() };
        for id in &ask.hosts {
            let Some(host) = fleet.hosts.get(id) else {
                window.hosts.insert(id.clone(), Series::Missing(Missing::HostGone));
                continue;
            };
            let heard = heard(host, self.rhythm, now.min(ask.to - Span::from_ms(1)));
            window.heard.extend(heard.map(|at| (id.clone(), at)));
            window.hosts.insert(id.clone(), self.series_of(fleet, host, ask, heard, now));
        }
        window
    }

    fn series_of(&mut self, fleet: &Fleet, host: &SimHost, ask: &Ask, heard: Option<Timestamp>, now: Timestamp) -> Series {
        let Some(metric) = Metric::selected_by(&ask.signal.select) else { return Series::Missing(Missing::NoSeries) };
        let raw = self.raw(fleet, host, metric, ask.from - ask.signal.step, now);
        let samples = resample(raw, ask.signal.reading, ask.signal.step, ask.from, ask.to);
        if !samples.is_empty() {
            return Series::Samples(samples);
        }
        Series::Missing(match heard {
            _ if host.faults.gone => Missing::HostGone,
            _ if host.timeline.last().silent => Missing::ExporterGone,
            Some(_) => Missing::NoSeries,
            None => Missing::Stale,
        })
    }
}

/// When anything at all was last heard of a host, as far as it can be known at `now`. What is no
/// number is no sign of life: it makes the source unhealthy, and says nothing of the host.
fn heard(host: &SimHost, rhythm: Rhythm, now: Timestamp) -> Option<Timestamp> {
    host.timeline.backwards(now).find_map(|(from, to, condition)| {
        let last = series::last_before(host, rhythm, to.min(now - condition.lag));
        (!condition.silent && condition.dirt == Dirt::None && last >= from).then_some(last)
    })
}

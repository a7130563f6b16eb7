//! Plots: a signal on the hosts that changed, and on those that did not, drawn as SVG by the server. They need no
//! script, print as they are, and show nothing but what was looked at.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use belay_core::explain::change::number;
use belay_core::model::change::Trial;
use belay_core::model::evidence::Evidence;
use belay_core::model::ids::HostId;
use belay_core::model::signal::{Sample, Window};
use belay_core::model::time::{Span, Timestamp};

use super::inert::escaped;

/// Size of a plot, and the part of it that data take.
const WIDE: f64 = 720.0;
const HIGH: f64 = 190.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 714.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 164.0;
/// The most points of a line: steps are taken together where there are more.
const POINTS_MAX: i64 = 140;
/// The most hosts that get a line of their own.
const LINES_MAX: usize = 8;
/// How many steps before the first host changed are shown.
pub const BEFORE_STEPS: i64 = 60;

/// A signal, drawn.
pub struct Figure {
    /// The signal.
    pub signal: String,
    /// The plot, as SVG.
    pub svg: String,
    /// Length of a step, in words.
    pub step: String,
    /// Changed hosts of which there is something, and peers.
    pub treated: usize,
    /// Peers of which there is something.
    pub peers: usize,
    /// What each changed host shows, the most different first.
    pub rows: Vec<Row>,
}

/// What a changed host shows, in numbers.
pub struct Row {
    /// The host.
    pub host: String,
    /// Mean of a step before it changed.
    pub before: Option<f64>,
    /// Mean of a step since.
    pub after: Option<f64>,
    /// Why there is nothing, where there is nothing.
    pub missing: Option<&'static str>,
}

/// One point of time of a plot.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Point {
    x: f64,
    mean: Option<f64>,
    peers: Option<(f64, f64, f64)>,
}

/// Every signal of a trial that has anything to show.
pub fn figures(trial: &Trial, evidence: &Evidence, harm: Option<Timestamp>) -> Vec<Figure> {
    evidence.windows.iter().filter_map(|(name, window)| figure(name.as_str(), trial, window, harm)).collect()
}

fn figure(signal: &str, trial: &Trial, window: &Window, harm: Option<Timestamp>) -> Option<Figure> {
    let onsets: Vec<Timestamp> = trial.treated.values().map(|treated| treated.onset).collect();
    let began = onsets.iter().min().copied()?;
    let frame = Frame::of(window, began)?;
    let of = |host: &HostId| window.hosts.get(host).map(|series| series.samples()).unwrap_or_default();
    let treated: Vec<&[Sample]> = trial.treated.keys().map(of).filter(|samples| !samples.is_empty()).collect();
    // A peer counts until it changes itself.
    let peers: Vec<&[Sample]> = trial
        .peers
        .iter()
        .map(|(host, peer)| {
            let samples = of(host);
            let end = peer.until.map_or(samples.len(), |until| samples.partition_point(|sample| sample.at < until));
            &samples[..end]
        })
        .filter(|samples| !samples.is_empty())
        .collect();
    let points = frame.points(&treated, &peers);
    let values = points.iter().flat_map(|point| [point.mean, point.peers.map(|p| p.0), point.peers.map(|p| p.2)]);
    let scale = Scale::of(values.flatten());
    let svg = scale.map(|scale| draw(signal, &frame, &scale, &points, &treated, &onsets, harm)).unwrap_or_default();
    let mut rows: Vec<Row> = trial.treated.iter().map(|(host, treated)| row(window, host, treated.onset)).collect();
    rows.sort_by(|a, b| differs(b).total_cmp(&differs(a)));
    let (treated, peers) = (treated.len(), peers.len());
    Some(Figure { signal: signal.to_owned(), svg, step: window.step.to_string(), treated, peers, rows })
}

fn row(window: &Window, host: &HostId, onset: Timestamp) -> Row {
    let series = window.hosts.get(host);
    let samples = series.map(|series| series.samples()).unwrap_or_default();
    let (before, after) = samples.split_at(samples.partition_point(|sample| sample.at < onset));
    let missing = match series {
        Some(belay_core::model::signal::Series::Missing(why)) => Some(why.words()),
        Some(belay_core::model::signal::Series::Samples(_)) => None,
        None => Some("it was not looked at"),
    };
    Row { host: host.to_string(), before: mean(before), after: mean(after), missing }
}

/// How different a host is from what it was; a host without data is the most different of all.
fn differs(row: &Row) -> f64 {
    match (row.before, row.after) {
        (Some(before), Some(after)) => (after - before).abs(),
        _ => f64::INFINITY,
    }
}

fn mean(samples: &[Sample]) -> Option<f64> {
    (!samples.is_empty()).then(|| samples.iter().map(|sample| sample.value).sum::<f64>() / samples.len() as f64)
}

/// The time that is shown, in steps taken together.
struct Frame {
    from: Timestamp,
    bin: Span,
    bins: i64,
    began: Timestamp,
}

impl Frame {
    fn of(window: &Window, began: Timestamp) -> Option<Self> {
        let step = window.step.ms().max(1);
        let from = window.from.max(began.floor(window.step) - window.step.times(BEFORE_STEPS));
        let steps = (window.to.since(from).ms() / step).max(0);
        let together = (steps + POINTS_MAX - 1) / POINTS_MAX;
        let bin = Span::from_ms(step * together.max(1));
        let bins = (window.to.since(from).ms() + bin.ms() - 1) / bin.ms();
        (bins > 1).then_some(Self { from, bin, bins, began })
    }

    fn x(&self, at: Timestamp) -> f64 {
        let whole = (self.bin.ms() * self.bins) as f64;
        LEFT + (at.since(self.from).ms() as f64 / whole) * (RIGHT - LEFT)
    }

    fn middle(&self, bin: i64) -> f64 {
        self.x(self.from + Span::from_ms(self.bin.ms() * bin + self.bin.ms() / 2))
    }

    /// The mean of each bin of one host; bins without samples are left out, never filled in.
    fn binned(&self, samples: &[Sample]) -> BTreeMap<i64, f64> {
        let mut sums: BTreeMap<i64, (f64, f64)> = BTreeMap::new();
        for sample in samples.iter().filter(|sample| sample.at >= self.from) {
            let bin = sample.at.since(self.from).ms() / self.bin.ms();
            if bin < self.bins {
                let sum = sums.entry(bin).or_default();
                *sum = (sum.0 + sample.value, sum.1 + 1.0);
            }
        }
        sums.into_iter().map(|(bin, (sum, count))| (bin, sum / count)).collect()
    }

    fn points(&self, treated: &[&[Sample]], peers: &[&[Sample]]) -> Vec<Point> {
        let by_bin = |hosts: &[&[Sample]]| {
            let mut values: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
            for (bin, value) in hosts.iter().flat_map(|samples| self.binned(samples)) {
                values.entry(bin).or_default().push(value);
            }
            values
        };
        let (treated, mut peers) = (by_bin(treated), by_bin(peers));
        let point = |bin: i64| Point {
            x: self.middle(bin),
            mean: treated.get(&bin).map(|values| values.iter().sum::<f64>() / values.len() as f64),
            peers: peers.get_mut(&bin).map(|values| band(values)),
        };
        (0..self.bins).map(point).collect()
    }
}

/// The tenth, the middle and the ninetieth of a hundred.
fn band(values: &mut [f64]) -> (f64, f64, f64) {
    values.sort_by(f64::total_cmp);
    let at = |part: f64| values[((values.len() - 1) as f64 * part).round() as usize];
    (at(0.1), at(0.5), at(0.9))
}

/// The values that are shown.
struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    /// Nought is shown where values come near it: a flow that stops is seen to stop.
    fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let (low, high) = values
            .filter(|value| value.is_finite())
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        if low > high {
            return None;
        }
        let low = if low >= 0.0 && low < 0.6 * high { 0.0 } else { low };
        let room = if high > low { (high - low) * 0.06 } else { high.abs().max(1.0) * 0.1 };
        Some(Self { low: if low == 0.0 { 0.0 } else { low - room }, high: high + room })
    }

    fn y(&self, value: f64) -> f64 {
        BOTTOM - (value - self.low) / (self.high - self.low) * (BOTTOM - TOP)
    }
}

fn draw(
    signal: &str,
    frame: &Frame,
    scale: &Scale,
    points: &[Point],
    treated: &[&[Sample]],
    onsets: &[Timestamp],
    harm: Option<Timestamp>,
) -> String {
    let mut svg = String::with_capacity(16 << 10);
    let mut put = |text: std::fmt::Arguments<'_>| {
        // Writing to memory does not fail.
        let _ = svg.write_fmt(text);
    };
    let label = escaped(&format!("{signal} on changed hosts and on peers, before and after the change"));
    put(format_args!(
        "<svg class=\"plot\" viewBox=\"0 0 {WIDE} {HIGH}\" role=\"img\" aria-label=\"{label}\" data-read=\"{}\">",
        read(frame, points)
    ));
    let began = frame.x(frame.began).clamp(LEFT, RIGHT);
    put(format_args!("<rect class=\"after\" x=\"{began:.1}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{}\"/>", RIGHT - began, BOTTOM - TOP));
    for value in [scale.low, (scale.low + scale.high) / 2.0, scale.high] {
        let y = scale.y(value);
        put(format_args!(
            "<path class=\"axis\" d=\"M{LEFT} {y:.1}H{RIGHT}\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 5.0,
            y + 4.0,
            number(value)
        ));
    }
    for part in 0..4 {
        let at = frame.from + Span::from_ms(frame.bin.ms() * frame.bins * part / 3);
        let anchor = ["start", "middle", "middle", "end"][part as usize];
        put(format_args!("<text x=\"{:.1}\" y=\"{}\" text-anchor=\"{anchor}\">{}</text>", frame.x(at), HIGH - 4.0, clock(at)));
    }
    put(format_args!("{}", area(points, scale)));
    put(format_args!(
        "<path class=\"peer\" d=\"{}\"/>",
        line(points.iter().map(|point| (point.x, point.peers.map(|peers| peers.1))), scale)
    ));
    if treated.len() <= LINES_MAX && treated.len() > 1 {
        for samples in treated {
            let binned = frame.binned(samples);
            let own = (0..frame.bins).map(|bin| (frame.middle(bin), binned.get(&bin).copied()));
            put(format_args!("<path class=\"one\" d=\"{}\"/>", line(own, scale)));
        }
    }
    put(format_args!("<path class=\"mean\" d=\"{}\"/>", line(points.iter().map(|point| (point.x, point.mean)), scale)));
    let mut ticks: Vec<i64> = onsets.iter().map(|at| (frame.x(*at) * 2.0) as i64).collect();
    ticks.sort_unstable();
    ticks.dedup();
    for tick in ticks {
        let x = tick as f64 / 2.0;
        put(format_args!("<path class=\"run\" d=\"M{x} {}V{}\"/>", BOTTOM, BOTTOM + 9.0));
    }
    if let Some(harm) = harm.filter(|harm| *harm >= frame.from) {
        put(format_args!("<path class=\"harm\" d=\"M{:.1} {TOP}V{BOTTOM}\"/>", frame.x(harm)));
    }
    svg.push_str("</svg>");
    svg
}

/// A line with gaps where there is nothing. A point between two gaps is a short stroke, or it would not be seen.
fn line(points: impl Iterator<Item = (f64, Option<f64>)>, scale: &Scale) -> String {
    let (mut d, mut drawn, mut fresh) = (String::new(), false, false);
    for (x, value) in points {
        let Some(value) = value else {
            if fresh {
                d.push_str("h1.5");
            }
            (drawn, fresh) = (false, false);
            continue;
        };
        let _ = write!(d, "{}{x:.1} {:.1}", if drawn { "L" } else { "M" }, scale.y(value));
        (fresh, drawn) = (!drawn, true);
    }
    if fresh {
        d.push_str("h1.5");
    }
    d
}

/// The band of the peers, in as many pieces as it has gaps.
fn area(points: &[Point], scale: &Scale) -> String {
    let mut out = String::new();
    for piece in points.split(|point| point.peers.is_none()).filter(|piece| piece.len() > 1) {
        let mut d = String::new();
        let upper = piece.iter().filter_map(|point| Some((point.x, point.peers?.2)));
        let lower = piece.iter().rev().filter_map(|point| Some((point.x, point.peers?.0)));
        for (nth, (x, value)) in upper.chain(lower).enumerate() {
            let _ = write!(d, "{}{x:.1} {:.1}", if nth == 0 { "M" } else { "L" }, scale.y(value));
        }
        let _ = write!(out, "<path class=\"band\" d=\"{d}Z\"/>");
    }
    out
}

/// What the script shows at the pointer, as JSON in an attribute.
fn read(frame: &Frame, points: &[Point]) -> String {
    let one = |(bin, point): (usize, &Point)| {
        let at = frame.from + Span::from_ms(frame.bin.ms() * bin as i64);
        let changed = point.mean.map_or_else(|| "no data".to_owned(), number);
        let peers = point.peers.map_or_else(|| "no data".to_owned(), |peers| number(peers.1));
        format!("[{:.0},&#34;{}: {changed}, peers {peers}&#34;]", point.x, clock(at))
    };
    format!("[{}]", points.iter().enumerate().map(one).collect::<Vec<_>>().join(","))
}

fn clock(at: Timestamp) -> String {
    at.to_string().get(11..19).map(|clock| format!("{clock}Z")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use belay_core::model::signal::Series;

    fn samples(values: &[(i64, f64)]) -> Series {
        Series::Samples(values.iter().map(|(s, value)| Sample { at: Timestamp::from_ms(s * 1000), value: *value }).collect())
    }

    fn window() -> Window {
        let host = |name: &str| HostId::parse(name).unwrap();
        let hosts = BTreeMap::from([
            (host("a"), samples(&[(0, 10.0), (10, 10.0), (20, 10.0), (30, 0.0), (40, 0.0)])),
            (host("b"), samples(&[(0, 12.0), (10, 12.0), (40, 12.0)])),
        ]);
        Window { step: Span::from_s(10), from: Timestamp::from_ms(0), to: Timestamp::from_ms(50_000), hosts, heard: BTreeMap::new() }
    }

    #[test]
    fn a_line_breaks_where_there_is_nothing_and_a_lone_point_is_seen() {
        let scale = Scale::of([0.0, 10.0].into_iter()).unwrap();
        let d = line([(1.0, Some(1.0)), (2.0, Some(2.0)), (3.0, None), (4.0, Some(1.0)), (5.0, None)].into_iter(), &scale);
        assert_eq!(d.matches('M').count(), 2, "{d}");
        assert!(d.ends_with("h1.5"), "{d}");
    }

    #[test]
    fn means_are_of_what_is_there() {
        let window = window();
        let frame = Frame::of(&window, Timestamp::from_ms(25_000)).unwrap();
        let (a, b) = (window.hosts.values().next().unwrap().samples(), window.hosts.values().nth(1).unwrap().samples());
        let points = frame.points(&[a, b], &[]);
        assert_eq!(points.iter().map(|point| point.mean).collect::<Vec<_>>(), [Some(11.0), Some(11.0), Some(10.0), Some(0.0), Some(6.0)]);
        let row = row(&window, &HostId::parse("a").unwrap(), Timestamp::from_ms(30_000));
        assert_eq!((row.before, row.after), (Some(10.0), Some(0.0)));
    }

    #[test]
    fn a_flow_that_stops_is_drawn_down_to_nought() {
        let scale = Scale::of([0.0, 20.0].into_iter()).unwrap();
        assert_eq!(scale.low, 0.0);
        assert!(scale.y(0.0) == BOTTOM && scale.y(20.0) > TOP);
        assert!(Scale::of(std::iter::empty()).is_none());
        let flat = Scale::of([5.0].into_iter()).unwrap();
        assert!(flat.low < 5.0 && flat.high > 5.0);
    }
}

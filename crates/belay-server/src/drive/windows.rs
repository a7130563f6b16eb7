//! Windows: what the store holds of the hosts of a trial, resampled into steps. What is not there
//! is said, never filled in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use belay_core::decide::trial::Ask;
use belay_core::judge::window::resample;
use belay_core::model::evidence::Evidence;
use belay_core::model::host::Host;
use belay_core::model::ids::HostId;
use belay_core::model::signal::{Harm, Missing, Reading, Sample, Series, Signal, SignalKind, Window};
use belay_core::model::time::{Span, Timestamp};
use belay_signals::{Matcher, Op, SeriesOut, Store};

use super::Drive;
use crate::wire;

/// How far back the value before a counter's first step is looked for.
const BEFORE: Span = Span::from_min(5);
/// Something must have been heard of a host within so many steps, or it is gone.
const ALIVE_STEPS: i64 = 4;
/// Series that a scraper writes *about* a target, also while the target does not answer: they are
/// no sign of life.
const ABOUT_TARGETS: &str = "up|scrape_.*";

/// Reads what a look needs. `now` is the evidence's time when no signal is asked for.
pub(crate) fn read(store: &Store, drive: &Drive, asks: &[Ask], now: Timestamp) -> Evidence {
    let at = asks.iter().map(|ask| ask.to).min().unwrap_or(now);
    let windows = asks.iter().map(|ask| (ask.signal.name.clone(), window(store, drive, ask))).collect();
    Evidence { at, windows }
}

fn window(store: &Store, drive: &Drive, ask: &Ask) -> Window {
    let mut window = Window { step: ask.signal.step, from: ask.from, to: ask.to, hosts: BTreeMap::new(), heard: BTreeMap::new() };
    match rows(store, drive, ask) {
        Ok(rows) => {
            for (host, row) in rows {
                let alive = row.heard.is_some_and(|heard| ask.to.since(heard) <= ask.signal.step.times(ALIVE_STEPS));
                let missing = if alive { Missing::NoSeries } else { Missing::HostGone };
                window.heard.extend(row.heard.map(|heard| (host.clone(), heard)));
                window.hosts.insert(host, if row.samples.is_empty() { Series::Missing(missing) } else { Series::Samples(row.samples) });
            }
        }
        Err(error) => {
            tracing::warn!(signal = %ask.signal.name, error, "a signal could not be read");
            window.hosts = ask.hosts.iter().map(|host| (host.clone(), Series::Missing(Missing::NotUnderstood))).collect();
        }
    }
    window
}

/// What is known of one host.
struct Row {
    samples: Vec<Sample>,
    heard: Option<Timestamp>,
}

/// The hosts are found by the values of their label first, and read one by one: a trial is about a
/// few of the hosts that have the signal.
fn rows(store: &Store, drive: &Drive, ask: &Ask) -> Result<BTreeMap<HostId, Row>, String> {
    let matchers = wire::matchers(&ask.signal.select)?;
    let (label, from, to) = (&ask.signal.host_label, (ask.from - BEFORE).ms(), ask.to.ms() - 1);
    let values = store.label_values(label, &matchers, from, to).map_err(|error| error.to_string())?;
    let named = drive.read(|state| by_host(&values, &state.hosts));
    let mut rows = BTreeMap::new();
    for host in &ask.hosts {
        let values = named.get(host).map_or(&[][..], Vec::as_slice);
        let mut series = Vec::new();
        for value in values {
            let matchers: Vec<Matcher> = matchers.iter().cloned().chain([Matcher::eq(label, &**value)]).collect();
            series.extend(store.select(&matchers, from, to).map_err(|error| error.to_string())?);
        }
        let samples = merged(&series, &ask.signal, ask.from, ask.to);
        rows.insert(host.clone(), Row { samples, heard: heard(store, ask, host, values, &series) });
    }
    Ok(rows)
}

/// The values by which each host is named.
fn by_host(values: &[Arc<str>], hosts: &BTreeMap<HostId, Host>) -> BTreeMap<HostId, Vec<Arc<str>>> {
    let mut by_host: BTreeMap<HostId, Vec<Arc<str>>> = BTreeMap::new();
    for value in values {
        if let Some(host) = host_named(value, hosts) {
            by_host.entry(host).or_default().push(Arc::clone(value));
        }
    }
    by_host
}

/// The host that a label's value names: without its port, exactly; else the only host of which it is
/// the beginning (`web01` for `web01.example.com`).
pub(crate) fn host_named<T>(value: &str, hosts: &BTreeMap<HostId, T>) -> Option<HostId> {
    let name = match value.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => value,
    };
    let host = HostId::parse(name).ok()?;
    if hosts.contains_key(&host) {
        return Some(host);
    }
    let begin = HostId::parse(&format!("{name}.")).ok()?;
    let mut like = hosts.range(begin.clone()..).map(|(host, _)| host).take_while(|host| host.as_str().starts_with(begin.as_str()));
    match (like.next(), like.next()) {
        (Some(only), None) => Some(only.clone()),
        _ => None,
    }
}

/// One row of steps of a host. Where several series are of one host, a step holds their sum for
/// what is counted or flows, the worst of checks, and the mean of levels.
fn merged(series: &[SeriesOut], signal: &Signal, from: Timestamp, to: Timestamp) -> Vec<Sample> {
    let mut steps: BTreeMap<Timestamp, (f64, u32)> = BTreeMap::new();
    for one in series {
        for sample in resample(&one.samples, signal.reading, signal.step, from, to) {
            let (value, count) = steps.entry(sample.at).or_insert((sample.value, 0));
            if *count > 0 {
                *value = match (signal.kind, signal.reading) {
                    (SignalKind::Check, _) if signal.harm == Harm::Down => value.min(sample.value),
                    (SignalKind::Check, _) => value.max(sample.value),
                    (SignalKind::Flow | SignalKind::Count, _) | (_, Reading::Counter) => *value + sample.value,
                    (SignalKind::Gauge | SignalKind::Latency, Reading::Value) => *value + (sample.value - *value) / f64::from(*count + 1),
                };
            }
            *count += 1;
        }
    }
    steps.into_iter().map(|(at, (value, _))| Sample { at, value }).collect()
}

/// When anything was last heard of a host: by this signal, else, where this signal is silent, by
/// anything else that names the host in the same label.
fn heard(store: &Store, ask: &Ask, host: &HostId, values: &[Arc<str>], series: &[SeriesOut]) -> Option<Timestamp> {
    let own = series.iter().filter_map(|series| last_value(&series.samples)).max();
    let recent = ask.to - ask.signal.step.times(ALIVE_STEPS);
    if own.is_some_and(|at| at >= recent) {
        return own;
    }
    let names: BTreeSet<&str> = values.iter().map(|value| &**value).chain(beginnings(host.as_str())).collect();
    let seen = |value: &&str| store.last_seen(&ask.signal.host_label, value).is_some_and(|ms| ms >= recent.ms());
    let by_name =
        names.into_iter().filter(seen).find_map(|value| otherwise(store, Matcher::eq(&ask.signal.host_label, value), recent, ask.to));
    let other = by_name.or_else(|| otherwise(store, Matcher::new(&ask.signal.host_label, Op::Re, pattern(host.as_str())), recent, ask.to));
    own.max(other)
}

/// The last sample since `recent` and before `to` of any series that meets the condition and is a sign
/// of life. A host that is heard again after the window's end was not alive in it.
fn otherwise(store: &Store, matcher: Matcher, recent: Timestamp, to: Timestamp) -> Option<Timestamp> {
    let matchers = [matcher, Matcher::new("__name__", Op::Nre, ABOUT_TARGETS)];
    // What cannot be told counts as not heard of: a host that may be gone is never judged healthy.
    let found = store.select(&matchers, recent.ms(), to.ms() - 1).ok()?;
    found.iter().filter_map(|series| last_value(&series.samples)).max()
}

fn last_value(samples: &[(i64, f64)]) -> Option<Timestamp> {
    samples.iter().rev().find(|(_, value)| value.is_finite()).map(|(ms, _)| Timestamp::from_ms(*ms))
}

/// `web01.example.com`, `web01.example`, `web01`.
fn beginnings(host: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(host), |name| name.rsplit_once('.').map(|(begin, _)| begin))
}

/// A pattern of the values that may name a host: in any case, with a port, or only its beginning.
fn pattern(host: &str) -> String {
    let names: Vec<String> = beginnings(host).map(escaped).collect();
    format!("(?i)({})(:[0-9]+)?", names.join("|"))
}

fn escaped(text: &str) -> String {
    let escape = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c.to_string() } else { format!("\\{c}") };
    text.chars().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use belay_core::model::policy::default_class;

    fn hosts(names: &[&str]) -> BTreeMap<HostId, Host> {
        let host = |name: &&str| HostId::parse(name).unwrap();
        names.iter().map(|name| (host(name), Host::new(host(name), default_class(), Timestamp::from_ms(0)))).collect()
    }

    #[test]
    fn a_label_names_a_host_with_port_in_any_case_or_by_a_beginning_that_is_unique() {
        let hosts = hosts(&["web01.example.com", "web02.a", "web02.b", "web1", "web10", "db"]);
        let named = |value: &str| host_named(value, &hosts).map(|host| host.to_string());
        for (value, host) in [
            ("web01.example.com", Some("web01.example.com")),
            ("WEB01.Example.com:9100", Some("web01.example.com")),
            ("web01", Some("web01.example.com")),
            ("web01.example:80", Some("web01.example.com")),
            ("web02", None),
            ("web1", Some("web1")),
            ("web", None),
            ("db:", None),
            ("http://db/x", None),
            ("", None),
        ] {
            assert_eq!(named(value).as_deref(), host, "{value}");
        }
    }

    #[test]
    fn several_series_of_a_host_become_one_row_by_what_they_measure() {
        let series = |samples: &[(i64, f64)]| SeriesOut { labels: Default::default(), samples: samples.to_vec() };
        let (a, b) = (series(&[(0, 1.0), (60_000, 2.0)]), series(&[(0, 3.0)]));
        let row = |kind| {
            let signal = Signal { kind, ..signal() };
            let steps = merged(&[a.clone(), b.clone()], &signal, Timestamp::from_ms(0), Timestamp::from_ms(120_000));
            steps.iter().map(|sample| sample.value).collect::<Vec<_>>()
        };
        assert_eq!(row(SignalKind::Flow), [4.0, 2.0]);
        assert_eq!(row(SignalKind::Gauge), [2.0, 2.0]);
        assert_eq!(row(SignalKind::Check), [3.0, 2.0]);
    }

    #[test]
    fn what_a_scraper_says_about_a_target_is_no_sign_of_its_life() {
        use belay_signals::{Limits, SeriesIn};
        let dir = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(dir.path(), Limits::default()).unwrap();
        let minute = |n: i64| n * 60_000;
        let put = |name: &str, host: &str, until: i64| {
            let labels = [("__name__".to_owned(), name.to_owned()), ("host".to_owned(), host.to_owned())];
            let samples: Vec<(i64, f64)> = (0..until).map(|n| (minute(n), 1.0)).collect();
            store.append("p1", &[SeriesIn { labels: &labels, samples: &samples }], minute(60)).unwrap();
        };
        // All three lost the signal in minute 30. One is gone, of one something else is still heard,
        // one was never heard of; the fourth has the signal.
        for (host, until) in [("gone:1", 30), ("alive:1", 30), ("well:1", 60)] {
            put("m", host, until);
            put("up", host, 60);
        }
        put("load", "ALIVE:2", 60);
        put("load", "late.example.com:3", 60);
        let names = ["gone", "alive", "well", "never", "late.example.com"];
        let hosts: Vec<HostId> = names.iter().map(|name| HostId::parse(name).unwrap()).collect();
        let ask = Ask {
            signal: Signal { select: "m".into(), ..signal() },
            from: Timestamp::from_ms(0),
            to: Timestamp::from_ms(minute(60)),
            hosts,
        };
        let known = super::super::tests::drive_of(names.map(|name| HostId::parse(name).unwrap()).to_vec());
        let window = window(&store, &known, &ask);
        let heard = |name: &str| window.heard.get(&HostId::parse(name).unwrap()).map(|at| at.ms() / 60_000);
        assert_eq!(names.map(heard), [Some(29), Some(59), Some(59), None, Some(59)]);
        let of = |name: &str| window.hosts[&HostId::parse(name).unwrap()].clone();
        assert_eq!(of("well").samples().len(), 60);
        assert_eq!((of("never"), of("late.example.com")), (Series::Missing(Missing::HostGone), Series::Missing(Missing::NoSeries)));
    }

    fn signal() -> Signal {
        use belay_core::model::ids::SignalName;
        Signal {
            name: SignalName::parse("s").unwrap(),
            classes: vec![],
            kind: SignalKind::Gauge,
            harm: Harm::Up,
            must_have: true,
            select: "m".into(),
            host_label: "host".into(),
            reading: Reading::Value,
            step: Span::from_s(60),
            weight: Default::default(),
        }
    }
}

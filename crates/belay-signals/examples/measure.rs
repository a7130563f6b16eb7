//! Measures the store: append, bytes, memory, reads, restart, compaction. All times are CPU times. Run in release:
//!
//! `cargo run --release -p belay-signals --example measure -- [series] [points] [series per request]`
//!
//! The load: 15 s apart, a quarter each of counters, gauges with two decimals, slow steps, and doubles of full entropy.

use belay_signals::{Limits, Matcher, Op, SeriesIn, Store};

type LabelSet = Vec<(String, String)>;

const START_MS: i64 = 1_790_000_000_000;
const STEP_MS: i64 = 15_000;

fn labels(i: usize) -> LabelSet {
    let pairs = [
        ("__name__", format!("host_metric_{:03}_total", i % 100)),
        ("cluster", "production-eu-west-1".to_owned()),
        ("device", format!("nvme{}n1", i % 4)),
        ("instance", format!("web-{:05}.example.internal:9100", i / 100)),
        ("job", "host-agent".to_owned()),
        ("mode", ["idle", "user", "system", "iowait"][i % 4].to_owned()),
    ];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// A reproducible 64-bit mix.
fn mix(a: usize, b: usize) -> u64 {
    let mut z = (a as u64) << 32 ^ b as u64 ^ 0x9e37_79b9_7f4a_7c15;
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

fn value(series: usize, point: usize, last: f64) -> f64 {
    let random = mix(series, point);
    match series / 25 % 4 {
        0 => last + (1_000 + random % 100) as f64,
        1 => ((last * 100.0).round() + (random % 200) as f64 - 100.0) / 100.0,
        2 => {
            if random.is_multiple_of(50) {
                (random >> 8 & 15) as f64
            } else {
                last
            }
        }
        _ => (random >> 11) as f64 / (1u64 << 53) as f64,
    }
}

/// Time on the processor so far, seconds: what a busy machine does not change.
fn cpu_s() -> f64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    text.split_whitespace().next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(0.0) / 1e9
}

fn resident_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).unwrap_or(0) / 1024
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<usize> = std::env::args().skip(1).map(|arg| arg.parse()).collect::<Result<_, _>>()?;
    let arg = |at: usize, default: usize| args.get(at).copied().unwrap_or(default);
    let (series, points, per_request) = (arg(0, 10_000), arg(1, 100), arg(2, 1_000));
    let dir = std::env::temp_dir().join(format!("belay-signals-measure-{}", std::process::id()));
    let all: Vec<LabelSet> = (0..series).map(labels).collect();
    let mut last = vec![50.0; series];
    let before_mb = resident_mb();
    let limits = Limits::default();
    let (store, _) = Store::open(&dir, limits.clone())?;

    let mut busy = 0.0;
    for point in 0..points {
        let now = START_MS + point as i64 * STEP_MS;
        let samples: Vec<[(i64, f64); 1]> =
            (0..series).map(|s| [(now - (s / 100 % 15) as i64 * 1_000, value(s, point, last[s]))]).collect();
        samples.iter().zip(&mut last).for_each(|(sample, last)| *last = sample[0].1);
        let rows: Vec<SeriesIn<'_>> = all.iter().zip(&samples).map(|(labels, samples)| SeriesIn { labels, samples }).collect();
        let begun = cpu_s();
        for request in rows.chunks(per_request) {
            store.append("measure", request, now)?;
        }
        busy += cpu_s() - begun;
    }
    let total = (series * points) as f64;
    println!("append      {:.2} M samples/s, {:.3} us a sample, {per_request} series a request", total / busy / 1e6, busy * 1e6 / total);
    store.sync()?;
    println!("log         {:.2} bytes a sample", store.stats().log_bytes as f64 / total);
    println!("memory      {} MB resident ({before_mb} before), {} MB by its own estimate", resident_mb(), store.memory_bytes() >> 20);

    let end = START_MS + points as i64 * STEP_MS;
    let matchers = [Matcher::eq("__name__", "host_metric_007_total"), Matcher::new("instance", Op::Re, "web-.*")];
    for (name, from) in [("60 samples", end - 60 * STEP_MS), ("all", 0)] {
        let begun = cpu_s();
        let mut found = Vec::new();
        for _ in 0..50 {
            found = store.select(&matchers, from, end)?;
        }
        let samples: usize = found.iter().map(|s| s.samples.len()).sum();
        println!("select      {name}: {} series, {samples} samples in {:.2} ms", found.len(), (cpu_s() - begun) * 1e3 / 50.0);
    }
    drop(store);
    let begun = cpu_s();
    let (store, recovered) = Store::open(&dir, limits.clone())?;
    println!("restart     {} samples in {:.2} s, whole: {}", recovered.samples, (cpu_s() - begun), recovered.is_whole());

    // The next day closes the segment.
    store.append("measure", &[SeriesIn { labels: &all[0], samples: &[(end + 86_400_000, 1.0)] }], end + 86_400_000)?;
    let begun = cpu_s();
    while store.compact()?.is_some() {}
    let log_bytes = store.stats().log_bytes as f64;
    println!("compaction  {:.2} s, {:.2} bytes a sample after it", (cpu_s() - begun), log_bytes / total);
    drop(store);
    let begun = cpu_s();
    let (_, recovered) = Store::open(&dir, limits)?;
    println!("restart     {} samples in {:.2} s, whole: {}", recovered.samples, (cpu_s() - begun), recovered.is_whole());
    std::fs::remove_dir_all(&dir)?;
    Ok(())
}

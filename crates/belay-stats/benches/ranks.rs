//! What a rank test costs: 60 values against 60, with ties. `cargo bench -p belay-stats`.

use belay_stats::Rng;
use belay_stats::ranks::{mann_whitney, shift};
use divan::counter::ItemsCount;

fn main() {
    divan::main();
}

/// Pairs of samples with ties: values in steps of a tenth of their deviation.
fn pairs() -> Vec<(Vec<f64>, Vec<f64>)> {
    let mut rng = Rng::new(60);
    let mut sample = |shift: f64| (0..60).map(|_| ((rng.normal() + shift) * 10.0).round() / 10.0).collect();
    (0..100).map(|i| (sample(0.0), sample(f64::from(i) / 100.0))).collect()
}

/// An item is one test.
#[divan::bench]
fn test(bencher: divan::Bencher) {
    let pairs = pairs();
    let all = || pairs.iter().filter_map(|(a, b)| mann_whitney(a, b)).map(|test| test.p).sum::<f64>();
    bencher.counter(ItemsCount::new(pairs.len())).bench_local(all);
}

/// An item is one test with the shift and its interval of 95 %.
#[divan::bench]
fn test_with_interval(bencher: divan::Bencher) {
    let pairs = pairs();
    let both = |(a, b): &(Vec<f64>, Vec<f64>)| Some(mann_whitney(a, b)?.p + shift(a, b, 1.96)?.low);
    bencher.counter(ItemsCount::new(pairs.len())).bench_local(|| pairs.iter().filter_map(both).sum::<f64>());
}

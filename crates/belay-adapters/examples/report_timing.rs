//! How long the decoding of a report takes: `cargo run --release -p belay-adapters --example report_timing`.
//! Prints the best and the median of many rounds; asserts nothing.

use std::hint::black_box;

use belay_adapters::tools::Tool;
use belay_adapters::tools::puppet::Puppet;

#[path = "../tests/it/convert.rs"]
#[expect(dead_code, reason = "only the conversion to JSON is used here")]
mod convert;

const REPORTS: [(&str, &[u8]); 3] = [
    ("200 resources, unchanged", include_bytes!("../src/tools/puppet/fixtures/big200-unchanged.yaml")),
    ("200 resources, all changed", include_bytes!("../src/tools/puppet/fixtures/big200-all-changed.yaml")),
    ("11 resources, 3 events", include_bytes!("../src/tools/puppet/fixtures/changed-env-switched.yaml")),
];

fn main() {
    for (name, body) in REPORTS {
        time(&format!("{name}, YAML"), body);
        time(&format!("{name}, JSON"), &convert::json(std::str::from_utf8(body).unwrap_or_default()));
    }
}

#[expect(clippy::disallowed_methods, clippy::disallowed_types, clippy::disallowed_macros, reason = "an example is its own shell")]
fn time(name: &str, body: &[u8]) {
    let mut rounds: Vec<f64> = (0..100)
        .map(|_| {
            let start = std::time::Instant::now();
            black_box(Puppet.decode(black_box(body)).is_ok());
            start.elapsed().as_secs_f64() * 1000.0
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    println!("{name}: {} bytes, best {:.2} ms, median {:.2} ms", body.len(), rounds[0], rounds[50]);
}

//! Null trials by the generator of the calibration test: `cargo run --release -p belay-stats --example calibration -- TRIALS BUDGET [PAST]`,
//! the past in steps, else three days.
//! Prints how far it is, then one line a kind: name, trials and rejections with tabs between. `cargo xtask bench calibration` reads them.

#![expect(clippy::disallowed_methods, clippy::disallowed_macros, reason = "an example is its own shell")]

use std::collections::BTreeMap;

#[path = "../tests/it/nulls.rs"]
mod nulls;

/// Trials between two lines that say how far it is.
const STRIDE: u64 = 5_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [trials, budget, past @ ..] = arguments.as_slice() else { return Err("give the number of trials and the budget".into()) };
    let (trials, budget): (u64, f64) = (trials.parse()?, budget.parse()?);
    let past: Option<usize> = past.first().map(|past| past.parse()).transpose()?;
    if past.is_some_and(|past| past < nulls::SHORT) {
        return Err(format!("a past of fewer than {} steps is too short to compare with", nulls::SHORT).into());
    }
    let mut tally: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    let mut rejections = 0;
    for seed in 0..trials {
        let null = past.map_or_else(|| nulls::Null::of(seed), |past| nulls::Null::after(seed, past));
        let rejected = u64::from(null.rejected(budget));
        rejections += rejected;
        let hosts = format!("changed hosts: {}", null.treated.len());
        for row in [null.kind().to_owned(), hosts] {
            let (played, refused) = tally.entry(row).or_default();
            *played += 1;
            *refused += rejected;
        }
        if (seed + 1) % STRIDE == 0 {
            println!("{} of {trials} trials, {rejections} rejected", seed + 1);
        }
    }
    for (row, (played, refused)) in tally {
        println!("{row}\t{played}\t{refused}");
    }
    Ok(())
}

//! `cargo xtask bench NAME`: one benchmark beside its peer, in one run.

mod catalog;
mod gate;

use std::path::Path;
use std::process::ExitCode;

/// One benchmark: its name on the command line and the function that runs it.
struct Bench {
    name: &'static str,
    run: fn(&Path) -> anyhow::Result<ExitCode>,
}

const BENCHES: &[Bench] = &[Bench { name: "gate", run: gate::run }];

pub fn run(root: &Path, name: Option<&str>) -> anyhow::Result<ExitCode> {
    let Some(name) = name else { anyhow::bail!("say which benchmark; there are: {}", known()) };
    match BENCHES.iter().find(|bench| bench.name == name) {
        Some(bench) => (bench.run)(root),
        None => anyhow::bail!("no benchmark is called `{name}`; there are: {}", known()),
    }
}

fn known() -> String {
    BENCHES.iter().map(|bench| bench.name).collect::<Vec<_>>().join(", ")
}

//! `cargo xtask bench NAME`: one benchmark beside its peer, in one run.

mod calibration;
mod catalog;
mod gate;
mod judge;
mod pages;
pub mod reports;
mod wilson;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{bail, ensure};

use crate::child;

/// One benchmark: its name on the command line and the function that runs it on the words after it.
struct Bench {
    name: &'static str,
    run: fn(&Path, &[&str]) -> anyhow::Result<ExitCode>,
}

const BENCHES: &[Bench] = &[
    Bench { name: "gate", run: gate::run },
    Bench { name: "judge", run: judge::run },
    Bench { name: "pages", run: pages::run },
    Bench { name: "calibration", run: calibration::run },
    Bench { name: "reports", run: reports::run },
];

pub fn run(root: &Path, words: &[&str]) -> anyhow::Result<ExitCode> {
    let Some((name, rest)) = words.split_first() else { bail!("say which benchmark; there are: {}", known()) };
    match BENCHES.iter().find(|bench| bench.name == *name) {
        Some(bench) => (bench.run)(root, rest),
        None => bail!("no benchmark is called `{name}`; there are: {}", known()),
    }
}

fn known() -> String {
    BENCHES.iter().map(|bench| bench.name).collect::<Vec<_>>().join(", ")
}

/// Builds these packages as they are installed, and says where the programs are.
fn build(root: &Path, what: &[&str]) -> anyhow::Result<PathBuf> {
    let status = child::cargo(root, &[&["build", "--release", "--locked"], what].concat()).status()?;
    ensure!(status.success(), "`cargo build --release {}`: {status}", what.join(" "));
    Ok(child::target(root).join("release"))
}
